"""Draw the sample of sister pairs that a reviewer judges without being told the labels.

    python benchmarks/judge_sisters.py DIR

48 pairs with opposite labels and 24 with the same label, mixed, each from a random side, six a sheet. A cell with many
sisters is as likely to be drawn as one with few. The question: does one of the two show a defect that the other does
not show (a crack, a dead or dark part, a dark spot, dark fingers)? The answers stand in judged-sisters.json, one line a
pair, by the SHA-256 of the two files: "first", "second" or "alike". The sheets show real cells: they stay below DIR.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

import noise_statistics as noise
from flawscope.data.court.verdict import find_twins
from flawscope.data.read import read
from flawscope.data.spec import ElpvSpec
from flawscope.evaluation.metrics import IntArray
from flawscope.records import BoolArray
from noise_cells import RUN, Pairs, cells_of, pairs_of
from record import RUNS

OPPOSITE, SAME, SEED = 48, 24, 20261122
SHEET, SIDE, HEAD = 6, 300, 18


def sample(pairs: Pairs, defective_n: BoolArray) -> IntArray:
    """The places of first and second picture, in the order of the sheets."""
    rng = np.random.default_rng(SEED)
    # A pair is as likely as the sum over its cells of one over the number of pairs that they are in.
    degree_n = np.bincount(pairs.place_p2.ravel(), minlength=len(defective_n))
    likely_p = (1 / degree_n[pairs.place_p2]).sum(axis=1)
    usable_p = ~noise.in_a_run(pairs.place_p2, RUN)
    opposite_p = np.not_equal(*defective_n[pairs.place_p2].T)
    drawn = []
    for wanted_p, number in ((usable_p & opposite_p, OPPOSITE), (usable_p & ~opposite_p, SAME)):
        which = np.flatnonzero(wanted_p)
        chance = likely_p[which] / likely_p[which].sum()
        drawn.append(pairs.place_p2[which[rng.choice(len(which), number, replace=False, p=chance)]])
    mixed = np.concatenate(drawn)
    order, turned = rng.permutation(len(mixed)), rng.integers(2, size=len(mixed))
    return np.array([pair[::-1] if side else pair for pair, side in zip(mixed[order], turned[order], strict=True)])


def main() -> None:
    """Draw the sheets, and print the lines to be filled in."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    samples = read(ElpvSpec(), Path.cwd())
    pairs = pairs_of(samples, find_twins(samples, cache=RUNS / "audits" / ".cache"))
    chosen = sample(pairs, cells_of(samples).defective_n)
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(chosen), SHEET):
        sheet = Image.new("L", (4 * SIDE + 14, SHEET // 2 * (SIDE + HEAD)), 255)
        draw = ImageDraw.Draw(sheet)
        for number, pair in enumerate(chosen[first : first + SHEET]):
            left, top = number % 2 * (2 * SIDE + 14), number // 2 * (SIDE + HEAD)
            draw.text((left, top + 2), str(first + number), fill=0)
            for side, place in enumerate(pair):
                cell = ImageOps.autocontrast(Image.open(samples.rows[place].path).convert("L"), cutoff=1)
                sheet.paste(cell.resize((SIDE, SIDE)), (left + side * SIDE, top + HEAD - 2))
        sheet.save(folder / f"sheet-{first // SHEET:02d}.png")
    for a, b in chosen:
        print(f' ["{samples.rows[a].sha256}", "{samples.rows[b].sha256}", "first|second|alike"],')


if __name__ == "__main__":
    main()
