from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from flawscope.data.synthetic_cells import CELLS_OF_A_MODULE, SIDE, TABLE, draw_cell, draw_cells


def test_a_table_of_cells_the_same_from_the_same_seed(tmp_path: Path) -> None:
    folders = [draw_cells(tmp_path / name, 5, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    rows = [list(csv.DictReader((folder / TABLE).open(encoding="utf-8"))) for folder in folders]
    assert rows[0] == rows[1] != rows[2] and len(rows[0]) == 5 * CELLS_OF_A_MODULE
    first = [(folder / "m000c0.png").read_bytes() for folder in folders]
    assert first[0] == first[1] != first[2]
    assert Image.open(folders[0] / "m004c3.png").size == (SIDE, SIDE)


def test_flaws_are_dark() -> None:
    means = {
        (crack, inactive): np.mean(
            [np.asarray(draw_cell(np.random.default_rng(i), 160, crack=crack, inactive=inactive)) for i in range(40)]
        )
        for crack in (False, True)
        for inactive in (False, True)
    }
    assert means[False, False] > means[True, False] > means[False, True] > means[True, True]
