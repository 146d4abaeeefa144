"""docs/calibration.md says of calibration what its script measures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "calibration.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script(docs_script: Callable[[str], ModuleType]) -> ModuleType:
    return docs_script("make_calibration_picture")


def cells(curve: str, n: int) -> list[int]:
    """The numbers of one row of the table."""
    (row,) = re.findall(rf"^\| {re.escape(curve)} \| {n:,} \|(.*)\|$", PAGE, re.MULTILINE)
    return [int(cell) for cell in row.split("|")]


def test_the_table_is_whole(script: ModuleType) -> None:
    for curve in script.CURVES:
        for n in script.SIZES:
            assert len(cells(curve, n)) == len(script.METHODS)
    assert f"| {' | '.join(script.METHODS)} |" in PAGE


@pytest.mark.parametrize(("curve", "n", "method"), [("too sure, and shifted", 200, "standard"), ("steps", 60, "auto")])
def test_cells_are_what_the_script_measures(script: ModuleType, curve: str, n: int, method: str) -> None:
    written = cells(curve, n)[script.METHODS.index(method)]
    assert script.excess(script.CURVES[curve], n, method) == pytest.approx(written, abs=0.6)


def test_auto_costs_and_saves_what_is_said() -> None:
    difference = {key: cells(*key)[5] - cells(*key)[1] for key in
                  ((c, n) for c in ("right already", "too sure, and shifted") for n in (60, 200, 1000))}  # fmt: skip
    assert "`auto` costs up to 2 where a line is right" in PAGE
    assert max(difference.values()) == 2
    for curve in ("5 % wrong labels", "steps"):
        assert cells(curve, 1000)[5] < 0.4 * cells(curve, 1000)[1]


def test_the_picture_is_the_one_that_the_text_speaks_of(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "PICTURE", tmp_path / "new.png")
    errors = script.picture()
    assert errors["raw low"] > 5
    assert errors["calibrated low"] == 0
    with Image.open(tmp_path / "new.png") as new, Image.open(DOCS / "images" / "calibration.png") as kept:
        assert new.size == kept.size


def test_the_intervals_hold_as_often_as_the_page_says() -> None:
    results = DOCS.parent / "benchmarks" / "results" / "reliability-simulation.json"
    found = json.loads(results.read_text(encoding="utf-8"))[-1]
    page = " ".join(PAGE.split())
    assert found["asked"]["draws"] >= 1000
    assert f"{found['asked']['draws']:,} test parts of each of {len(found['cases'])} cases" in page
    error = found["summary"]["expected calibration error"]
    assert f"held it in {100 * error['least']:.1f} to {100 * error['most']:.1f} % of the draws" in page
    for name in ("Brier score", "log loss"):
        each = found["summary"][name]
        said = f"{100 * each['mean']:.1f} % of the draws ({100 * each['least']:.1f} to {100 * each['most']:.1f} %)"
        assert said in page or said.replace(" of the draws", "") in page
    assert min(found["summary"][name]["least"] for name in found["summary"]) > 0.9
