"""Parts that end within the picture: does the court take two for one because both end alike, and does it find copies?

    python benchmarks/court/dark_ends.py [--sets ...]

Synthetic strips of steel, each of a coil of its own, so that every pair of two strips is false. Of every second one a
copy is added: mirrored, turned, under another exposure, shifted, or with another contrast, each with new noise but the
first two. Beside them plain bright parts that enter a dark picture from one side, of which the outline is all that
there is; of every second one a copy with new noise. All are judged twice: with dark bands left out where both have one,
as the court does, and counted, as it did up to leak court 6; and the pairs of real sets as well. Appends to
benchmarks/results/court-dark-ends.json.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from flawscope.data.court import margins
from flawscope.data.court.pictures import Grey, small_pictures
from flawscope.data.court.verdict import twins_among
from flawscope.data.read import read
from flawscope.data.steel_levels import STEEL_LEVELS
from flawscope.data.synthetic_steel import draw_classes, draw_coil_look, draw_strip
from flawscope.data.unlabelled import read_unlabelled
from flawscope.records import Samples, Twins
from record import RESULTS, append, in_words, provenance, rate
from reference_sets import spec_of

N, SIZE, SEED = 240, (1600, 256), 7
NEVER = 2.0
"""A band of twice the picture: there is none."""

COPIES = ("mirrored", "turned", "exposure", "shifted", "contrast")
SETS = ("elpv", "magnetic-tile", "neu-seg", "casting")
Picture = npt.NDArray[np.uint8]
Draw = Callable[[int, np.random.Generator], Picture]


def strip(number: int, rng: np.random.Generator, difficulty: str, ending: float) -> Picture:
    """A strip of a coil of its own; such a share of them ends, where 2 to 35 % of the width are left."""
    level = replace(STEEL_LEVELS[difficulty], border=ending)
    coil = draw_coil_look(rng, level)
    return draw_strip(coil, draw_classes(rng) if number % 2 else (), (SEED, number), level, SIZE).grey_hw


def wide_end(number: int, rng: np.random.Generator) -> Picture:
    """A strip of which 1 to 80 % lie beyond its end, black or nearly so."""
    grey_hw = strip(number, rng, "hard", 0.0).astype(np.float64)
    share, black, lean, soft = rng.uniform(0.01, 0.8), rng.uniform(0, 28), rng.normal(0, 8), rng.uniform(2, 8)
    across = np.arange(SIZE[0]) - share * SIZE[0] - lean * np.linspace(-1, 1, SIZE[1])[:, None]
    steel_hw = np.clip(0.5 + across / soft, 0, 1)
    made = eight_bits(black + (grey_hw - black) * steel_hw + rng.normal(0, 1, grey_hw.shape))
    return made if rng.random() < 0.5 else np.ascontiguousarray(made[:, ::-1])


def plain_part(number: int, rng: np.random.Generator) -> Picture:
    """A bright part with an outline of its own, which enters a dark picture from below."""
    side = 256
    left, right = rng.uniform(0.1, 0.35), rng.uniform(0.65, 0.9)
    top = rng.uniform(0.1, 0.5, size=7)
    corners = [(left, 1.0), *zip(np.linspace(left, right, 7), top, strict=True), (right, 1.0)]
    made = np.full((side, side), 6, np.uint8)
    cv2.fillPoly(made, [np.array([(x * side, y * side) for x, y in corners], np.int32)], (130,))
    return eight_bits(made + rng.normal(0, 3, made.shape))


CASES: dict[str, Draw] = {
    "hard strips, 30 % of them end": partial(strip, difficulty="hard", ending=0.3),
    "hard strips, all end": partial(strip, difficulty="hard", ending=1.0),
    "easy strips, 50 % of them end": partial(strip, difficulty="easy", ending=0.5),
    "hard strips, 1 to 80 % of the width beyond the end": wide_end,
    "plain parts that enter a dark picture": plain_part,
}


def main() -> None:
    """Judge all cases and append them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", choices=SETS, default=SETS)
    asked = parser.parse_args()
    cases = {}
    for name, draw in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            copies = write_pictures(Path(folder), draw)
            samples = read_unlabelled(Path(folder))
            found = {
                way: counted(samples, twins, copies)
                for way, twins in both_ways(samples, small_pictures(samples)).items()
            }
        cases[name] = {"images": len(samples), **found}
        for way, of in found.items():
            print(f"{name}, dark bands {way}: {of['false_pairs']} false pairs, copies {in_words(of['copies'])}")
    entry = {**provenance("court-dark-ends"), "parts": N, "size": list(SIZE), "seed": SEED, "cases": cases}
    append(RESULTS / "court-dark-ends.json", {**entry, "sets": {name: on_a_set(name) for name in asked.sets}})


def write_pictures(folder: Path, draw: Draw) -> dict[str, str]:
    """Draw the parts and the copies; the name of each copy's file with what was done."""
    copies = {}
    for number in range(N):
        rng = np.random.default_rng([SEED, number])
        part_hw = draw(number, rng)
        cv2.imwrite(str(folder / f"{number:03d}.png"), part_hw)
        if number % 2 == 0:
            kind = "exposure" if draw is plain_part else COPIES[number // 2 % len(COPIES)]
            copies[f"{number:03d}-copy.png"] = kind
            cv2.imwrite(str(folder / f"{number:03d}-copy.png"), copy_of(part_hw, kind, rng))
    return copies


def copy_of(part_hw: Picture, kind: str, rng: np.random.Generator) -> Picture:
    """The same part once more."""
    if kind == "mirrored":
        return part_hw[:, ::-1]
    if kind == "turned":
        return part_hw[::-1, ::-1]
    noisy_hw = part_hw + rng.normal(0, 2, part_hw.shape)
    if kind == "shifted":
        return eight_bits(noisy_hw[10:, 40:])
    return eight_bits(0.8 * noisy_hw + 10 if kind == "exposure" else 0.6 * np.clip(noisy_hw, 0, None) ** 1.1)


def eight_bits(grey_hw: npt.NDArray[np.float64]) -> Picture:
    """Grey values as they are saved."""
    return np.clip(np.rint(grey_hw), 0, 255).astype(np.uint8)


def both_ways(samples: Samples, grey_nhw: Grey) -> dict[str, Twins]:
    """What the court finds with dark bands left out and counted."""
    usual, found = margins.NARROWEST, {}
    for way, narrowest in (("left out", usual), ("counted", NEVER)):
        margins.NARROWEST = narrowest
        try:
            found[way] = twins_among(grey_nhw, samples)
        finally:
            margins.NARROWEST = usual
    return found


def counted(samples: Samples, twins: Twins, copies: dict[str, str]) -> dict[str, Any]:
    """How many pairs of different parts and of copies were found."""
    pairs = {frozenset((pair.a, pair.b)) for pair in twins.pairs}
    found = Counter(kind for name, kind in copies.items() if frozenset((name, name.replace("-copy", ""))) in pairs)
    planted = Counter(copies.values())
    return {
        "false_pairs": len(pairs) - found.total(),
        "copies": rate(found.total(), len(copies)),
        "by_kind": {kind: rate(found[kind], of) for kind, of in planted.items()},
        "threshold": twins.facts["threshold"],
    }


def on_a_set(name: str) -> dict[str, int]:
    """How many pairs of a real set only one of the two ways finds, and how many of its pictures have a band."""
    samples = read(spec_of(name), Path.cwd())
    grey_nhw = small_pictures(samples)
    pairs = {way: {(pair.a, pair.b) for pair in twins.pairs} for way, twins in both_ways(samples, grey_nhw).items()}
    found = {
        "images": len(samples),
        "with_a_band": sum(bool(margins.margin(each.astype(np.float32)).any()) for each in grey_nhw),
        "pairs": len(pairs["left out"]),
        "only_left_out": len(pairs["left out"] - pairs["counted"]),
        "only_counted": len(pairs["counted"] - pairs["left out"]),
    }
    print(name, found)
    return found


if __name__ == "__main__":
    main()
