"""What comes from outside is text to a spreadsheet, in every table that is written for one."""

from __future__ import annotations

import csv
import io

import pytest

from flawscope.spreadsheet import plain_cell, safe_cell
from flawscope.steps import audit, compare, runs

EVIL = "=1+1"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "plain", ""])
def test_text_comes_back_and_none_is_a_formula(text: str) -> None:
    assert plain_cell(safe_cell(text)) == text
    assert not safe_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_numbers_stay_numbers() -> None:
    assert safe_cell(-0.5) == -0.5 and safe_cell(None) is None


def test_pairs_runs_and_differences_hold_no_formula() -> None:
    pair = {"a": f"{EVIL}/a.png", "b": f"{EVIL}/b.png", "measure": 0.9, "shift": [-0.25, 0.5], "label_a": EVIL}
    ends = dict.fromkeys(compare.ENDS, -0.5)
    found = {**ends, "n": 4, "groups": 4, "method": "m", "note": ""}
    row = {"run": EVIL, "against": EVIL, "class_name": EVIL, "measure": "recall"}
    for table in (
        audit.as_csv([pair]),
        runs.as_csv([runs.RunRow(EVIL, EVIL, "", problem=EVIL)]),
        compare.as_csv([{**row, "baseline": ends, "other": ends, "difference": found}]),
    ):
        _, cells = csv.reader(io.StringIO(table))
        assert any(cell.startswith(f"'{EVIL}") for cell in cells)
        assert not any(cell.startswith("=") for cell in cells)
        assert "'-0." not in table, "numbers are no formulas"
