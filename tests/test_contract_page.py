"""docs/escape-contract.md says what its script draws and what the benchmarks have found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flawscope.evaluation.plan import best_promise, defects_needed

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "escape-contract.md").read_text(encoding="utf-8")
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def script(docs_script: Callable[[str], ModuleType]) -> ModuleType:
    return docs_script("make_contract_picture")


def entry() -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / "contract-simulation.json").read_text(encoding="utf-8"))[-1]


def test_the_words_and_the_picture_are_those_of_the_script(
    script: ModuleType, as_stored: Callable[[ModuleType], None]
) -> None:
    assert f"\n> {script.promise().words[0]}\n" in PAGE
    as_stored(script)


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


def test_the_worst_design_and_the_price_stand_on_the_half_page_and_in_the_readme() -> None:
    found = entry()
    worst = {way: max(ways[way]["worst"] for ways in found["summary"].values()) for way in ("groups", "effective")}
    alone = f"{100 * max(ways['independent']['worst'] for ways in found['summary'].values()):.1f} %"
    half = " ".join(PAGE.partition("## For the one who checks it")[0].split())
    assert f"at most {100 * worst['groups']:.1f} % broke the promise" in half
    price = {n: _price(found, n) for n in (60, 164, 299, 600)}
    assert f"from 299 parts, {price[299]} % of the good parts more" in half
    assert f"from 60 independent defective parts costs {price[60]} points more" in " ".join(PAGE.split())
    for words in (f"at most {100 * worst['groups']:.1f} %", f"{100 * worst['effective']:.1f} %", alone):
        assert words in README
    assert (
        f"from 60 costs {price[60]} points, from 164 {price[164]}, from 299 {price[299]}, from 600 {price[600]}"
        in README
    )


def _price(found: Any, n: int) -> str:
    """Overkill beyond that of somebody who knows the truth, in points: mean of the prevalences, at most 5 % asked."""
    rows = [row for row in found["designs"] if row["design"].startswith(f"alike 0: {n} groups of 1,")]
    costs = [row["groups"]["extra_overkill"] for row in rows if row["max_escape"] == 0.05]
    assert len(costs) == 3
    return f"{100 * sum(costs) / 3:.1f}"


def test_mapie_finds_the_same_thresholds_where_parts_stand_alone() -> None:
    """An independent implementation of Learn then Test: benchmarks/contract_mapie.py."""
    text = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    found = json.loads((ROOT / "benchmarks" / "results" / "contract-mapie.json").read_text(encoding="utf-8"))[-1]
    alone = [row for row in found["designs"] if row["alone"]]
    assert len(alone) >= 6 and found["asked"]["draws"] >= 1000
    assert all(row["same"]["sequence"][0] == 1 for row in alone)
    assert f"in all {found['asked']['draws'] * len(alone):,} draws" in " ".join(text.split())
    for row in found["designs"]:
        assert f"| {100 * row['contract']['broken'][0]:.1f} %, {100 * row['contract']['extra_overkill']:.1f} |" in text
    worst = max(row["sequence"]["broken"][0] for row in found["designs"] if not row["alone"])
    assert f"in up to {100 * worst:.1f} % of the draws" in " ".join(text.split())
