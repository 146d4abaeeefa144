"""The shapes of Severstal's flaws as a small table of facts, and how near the synthetic ones come to them.

    python benchmarks/steel_shapes.py masks.csv          prints what stands in src/flawscope/data/steel_shapes.py
    python benchmarks/steel_shapes.py steel/train.csv    the same of strips that `flawscope synth steel` has drawn

No mask and no code is kept: only quantiles, shares and counts.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats

from flawscope.data.mask_table import read_mask_table, table_masks
from flawscope.data.steel_shapes import LEVELS_OF_QUANTILES
from flawscope.masks import components
from flawscope.records import BoolArray

HEIGHT, WIDTH = 256, 1600
POSES = ("upright", "lying", "slanted", "round")


@dataclass(frozen=True)
class Piece:
    """One connected piece of a mask. `long` and `short` are the axes of the ellipse with the same second moments."""

    area: int
    long: float
    short: float
    degrees: float
    at_edge: bool
    x: float

    @property
    def pose(self) -> str:
        """How it lies: an angle of 90 degrees stands upright, along the strip."""
        if self.long < 1.5 * self.short:
            return "round"
        away = abs(self.degrees - 90)
        return "upright" if away < 30 else "lying" if away > 60 else "slanted"


def pieces(mask_hw: BoolArray) -> list[Piece]:
    """The connected pieces of a mask, measured; specks of fewer than 20 pixels are left out."""
    label_hw = components(mask_hw)
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(label_hw), 1):
        y_n, x_n = np.nonzero(label_hw[rows, columns] == number)
        if len(x_n) < 20:
            continue
        moments = np.cov(np.stack([x_n, y_n])) + np.eye(2) / 12
        value_2, vector_22 = np.linalg.eigh(moments)
        found.append(
            Piece(
                area=len(x_n),
                long=4 * math.sqrt(value_2[1]),
                short=4 * math.sqrt(value_2[0]),
                degrees=math.degrees(math.atan2(vector_22[1, 1], vector_22[0, 1])) % 180,
                at_edge=rows.start == 0 or rows.stop == len(mask_hw),
                x=columns.start + float(x_n.mean()),
            )
        )
    return found


def main() -> None:
    """Measure a table of masks and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    table = read_mask_table(parser.parse_args().table)
    measured: dict[str, list[list[Piece]]] = defaultdict(list)
    together: Counter[str] = Counter()
    for image in table.codes:
        masks = dict(zip(table.classes, table_masks(table, image, HEIGHT, WIDTH), strict=True))
        together["".join(name for name in table.classes if masks[name].any())] += 1
        for name, mask_hw in masks.items():
            if found := pieces(mask_hw):
                measured[name].append(found)
    print("TOGETHER =", dict(together.most_common()))
    for name in table.classes:
        _show(name, measured[name])


def _show(name: str, of_masks: list[list[Piece]]) -> None:
    every = [piece for of_mask in of_masks for piece in of_mask]
    spread = [np.std([piece.x for piece in of]) for of in of_masks if len(of) > 1]
    print(f"class {name}: {len(of_masks)} masks, {len(every)} pieces")
    print("  number", _quantiles([len(of) for of in of_masks], 0))
    print("  area of a mask", _quantiles([sum(piece.area for piece in of) for of in of_masks], 0))
    print(f"  spread {np.median(spread):.0f}, at an edge {np.mean([piece.at_edge for piece in every]):.2f}")
    for pose in POSES:
        like = [piece for piece in every if piece.pose == pose]
        if len(like) < 5:
            continue
        long, short = [piece.long for piece in like], [piece.short for piece in like]
        filled = np.median([piece.area / (math.pi / 4 * piece.long * piece.short) for piece in like])
        print(
            f"  {pose}: share {len(like) / len(every):.3f}, long {_quantiles(long, 0)}, short {_quantiles(short, 0)}, "
            f"rank correlation {stats.spearmanr(long, short)[0]:.2f}, filled {filled:.2f}, "
            f"degrees off {_off(like):.1f}"
        )


def _off(like: list[Piece]) -> float:
    """How far pieces lean away from their pose: the median in degrees."""
    upright = like[0].pose == "upright"
    return float(
        np.median([abs(piece.degrees - 90) if upright else abs(90 - abs(piece.degrees - 90)) for piece in like])
    )


def _quantiles(values: list[int] | list[float], digits: int) -> tuple[float, ...]:
    found: npt.NDArray[np.float64] = np.quantile(values, LEVELS_OF_QUANTILES)
    return tuple(round(float(value), digits) if digits else round(float(value)) for value in found)


if __name__ == "__main__":
    main()
