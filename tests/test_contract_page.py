"""docs/escape-contract.md says what its script draws and what the benchmarks have found."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.evaluation.plan import best_promise, defects_needed

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "escape-contract.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script(docs_script: Callable[[str], ModuleType]) -> ModuleType:
    return docs_script("make_contract_picture")


def entry() -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / "contract-simulation.json").read_text(encoding="utf-8"))[-1]


def test_the_words_and_the_picture_are_those_of_the_script(script: ModuleType) -> None:
    assert f"\n> {script.promise().words[0]}\n" in PAGE
    with Image.open(script.TARGET) as stored, Image.open(io.BytesIO(script.drawn())) as made:
        first, second = (np.asarray(each.convert("L"), dtype=float) for each in (stored, made))
    assert first.shape == second.shape
    assert np.abs(first - second).mean() < 2, "run: python docs/make_contract_picture.py"


def test_the_numbers_of_parts_are_right() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| defective parts of which none passes"))
    assert [int(cell) for cell in re.findall(r"\d+", row)] == [
        defects_needed(rate) for rate in (0.05, 0.02, 0.01, 0.005)
    ]
    assert best_promise(164) < 0.0182
    assert round(100 * best_promise(14), 1) == 19.3


def test_the_table_of_the_simulation_is_that_of_the_file() -> None:
    found = entry()
    assert f"{found['asked']['draws']:,} draws of each of {len(found['designs'])} designs" in PAGE
    for world, ways in found["summary"].items():
        row = next(line for line in PAGE.splitlines() if line.endswith("|") and f"`{world}`" in line)
        cells = [
            f"{100 * ways[way]['worst']:.1f} % ({ways[way]['too_often']} of {ways[way]['designs']})"
            for way in ("groups", "effective", "independent")
        ]
        assert row.endswith(f"| {' | '.join(cells)} |"), cells


def test_whole_groups_break_no_promise_more_often_than_they_may() -> None:
    for world, ways in entry()["summary"].items():
        assert ways["groups"]["too_often"] == 0, world


def test_the_simulation_is_large_enough() -> None:
    found = entry()
    assert found["asked"]["draws"] >= 1000
    assert len({row["prevalence"] for row in found["designs"]}) >= 3
    assert len({row["defective"] for row in found["designs"]}) >= 4
    assert len({row["strength"] for row in found["designs"] if row["world"] == "alike"}) >= 4
