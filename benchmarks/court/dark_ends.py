"""Strips that end within the picture: does the court take two for one because both end alike, and does it find copies?

    python benchmarks/court/dark_ends.py

Synthetic strips of steel, each of a coil of its own, so that every pair of two strips is false. Of every second one a
copy is added: mirrored, turned, under another exposure, shifted, or with another contrast, each with new noise but the
first two. All are judged twice: with the dark margins left out, as the court does, and counted, as it did up to leak
court 6. Appends to benchmarks/results/court-dark-ends.json.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from flawscope.data.court import align
from flawscope.data.court.pictures import small_pictures
from flawscope.data.court.verdict import twins_among
from flawscope.data.steel_levels import STEEL_LEVELS
from flawscope.data.synthetic_steel import draw_classes, draw_coil_look, draw_strip
from flawscope.data.unlabelled import read_unlabelled
from flawscope.records import Samples
from record import RESULTS, append, in_words, provenance, rate

N, SIZE, SEED = 240, (1600, 256), 7
CASES = (("hard", 0.3), ("hard", 1.0), ("easy", 0.5))
"""Difficulty, and which share of the strips ends within the picture."""

COPIES = ("mirrored", "turned", "exposure", "shifted", "contrast")
Picture = npt.NDArray[np.uint8]


def main() -> None:
    """Judge all cases and append them."""
    cases = []
    for name, ending in CASES:
        with tempfile.TemporaryDirectory() as folder:
            copies = write_strips(Path(folder), name, ending)
            samples = read_unlabelled(Path(folder))
            without, counted = (judged(samples, copies, least) for least in (align.LEAST_MARGIN, 1.1))
        cases.append({"difficulty": name, "ending": ending, "left_out": without, "counted": counted})
        print(name, ending, cases[-1])
    entry = {**provenance("court-dark-ends"), "strips": N, "size": list(SIZE), "seed": SEED, "cases": cases}
    append(RESULTS / "court-dark-ends.json", entry)


def write_strips(folder: Path, name: str, ending: float) -> dict[str, str]:
    """Draw the strips and the copies; the name of each copy's file with what was done."""
    level = replace(STEEL_LEVELS[name], border=ending)
    copies = {}
    for number in range(N):
        rng = np.random.default_rng([SEED, number])
        coil = draw_coil_look(rng, level)
        classes = draw_classes(rng) if number % 2 else ()
        strip_hw = draw_strip(coil, classes, (SEED, number), level, SIZE).grey_hw
        cv2.imwrite(str(folder / f"{number:03d}.png"), strip_hw)
        if number % 2 == 0:
            kind = COPIES[number // 2 % len(COPIES)]
            copies[f"{number:03d}-copy.png"] = kind
            cv2.imwrite(str(folder / f"{number:03d}-copy.png"), copy_of(strip_hw, kind, rng))
    return copies


def copy_of(strip_hw: Picture, kind: str, rng: np.random.Generator) -> Picture:
    """The same strip once more."""
    if kind == "mirrored":
        return strip_hw[:, ::-1]
    if kind == "turned":
        return strip_hw[::-1, ::-1]
    noisy_hw = strip_hw + rng.normal(0, 2, strip_hw.shape)
    if kind == "shifted":
        return eight_bits(noisy_hw[10:, 40:])
    return eight_bits(0.8 * noisy_hw + 10 if kind == "exposure" else 0.6 * np.clip(noisy_hw, 0, None) ** 1.1)


def eight_bits(grey_hw: npt.NDArray[np.float64]) -> Picture:
    """Grey values as they are saved."""
    return np.clip(np.rint(grey_hw), 0, 255).astype(np.uint8)


def judged(samples: Samples, copies: dict[str, str], least_margin: float) -> dict[str, Any]:
    """How many pairs of different strips and of copies the court finds."""
    usual, align.LEAST_MARGIN = align.LEAST_MARGIN, least_margin
    try:
        twins = twins_among(small_pictures(samples), samples)
    finally:
        align.LEAST_MARGIN = usual
    pairs = {frozenset((pair.a, pair.b)) for pair in twins.pairs}
    found = Counter(kind for name, kind in copies.items() if frozenset((name, name.replace("-copy", ""))) in pairs)
    planted = Counter(copies.values())
    true = sum(found.values())
    print(f"{len(pairs) - true} false pairs, copies found: {in_words(rate(true, len(copies)))}")
    return {
        "images": len(samples),
        "false_pairs": len(pairs) - true,
        "copies": rate(true, len(copies)),
        "by_kind": {kind: rate(found[kind], planted[kind]) for kind in COPIES},
        "threshold": twins.facts["threshold"],
    }


if __name__ == "__main__":
    main()
