"""docs/escape-contract.md says what its script draws and what the benchmarks have found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from flawscope.evaluation.parts_bound import SHARES, STAKES, groups_needed
from flawscope.evaluation.plan import best_promise, defects_needed

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "escape-contract.md").read_text(encoding="utf-8")
FLAT = " ".join(PAGE.split())
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def script(docs_script: Callable[[str], ModuleType]) -> ModuleType:
    return docs_script("make_contract_picture")


def entry(worlds: tuple[str, ...] = ()) -> Any:
    """The last one of all worlds, or of these only."""
    found = json.loads((ROOT / "benchmarks" / "results" / "contract-simulation.json").read_text(encoding="utf-8"))
    return [each for each in found if each["asked"].get("worlds", []) == list(worlds)][-1]


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


OLD, WORSE = ("alike", "tails", "mixed", "rare"), ("larger", "lots", "giants")
COLUMNS = {
    OLD: [("groups", None), ("parts", None), ("effective", None), ("independent", None)],
    WORSE: [("groups", None), ("groups", "parts_above"), ("parts", None), ("parts", "broken_though_trusted"),
            ("effective", None), ("independent", None)],
}  # fmt: skip
"""Of the tables of the worlds in which large groups are no worse, and in which they are: ways, and what of them."""


def test_the_tables_of_the_simulation_are_those_of_the_file() -> None:
    found = entry()
    assert f"{found['asked']['draws']:,} draws of each of {len(found['designs'])} designs" in FLAT
    assert set(found["summary"]) == {*OLD, *WORSE}
    for worlds, columns in COLUMNS.items():
        for world in worlds:
            ways = found["summary"][world]
            row = next(line for line in PAGE.splitlines() if line.endswith("|") and f"`{world}`" in line)
            each = [ways[way] if key is None else ways[way][key] for way, key in columns]
            cells = [f"{100 * cell['worst']:.1f} % ({cell['too_often']})" for cell in each]
            if worlds == WORSE:
                trusting = [row for row in found["designs"] if row["world"] == world and row["parts"]["trusted"] > 0]
                cells[3] += f", of {len(trusting)}"
                assert ways["parts"]["broken_though_trusted"]["worst"] == max(
                    row["parts"]["broken_though_trusted"][0] for row in trusting
                )
            assert row.endswith(f"| {ways['groups']['designs']} | {' | '.join(cells)} |"), cells


def test_no_promise_is_broken_more_often_than_it_may() -> None:
    """By groups in every world; of all parts wherever it is so what it trusts, and where large groups are no worse."""
    for world, ways in entry()["summary"].items():
        assert ways["groups"]["too_often"] == ways["parts"]["broken_though_trusted"]["too_often"] == 0, world
        assert ways["parts"]["too_often"] == 0 or world in WORSE, world


def test_where_large_groups_are_worse_groups_say_nothing_of_all_parts() -> None:
    rows = [row for row in entry()["designs"] if row["world"] in WORSE]
    above = [row["groups"]["parts_above"][0] for row in rows]
    mean = f"{100 * sum(above) / len(above):.0f} % of the draws"
    assert f"in {mean} on average, and in {100 * max(above):.1f} % of the worst design" in FLAT
    assert f"it was so in {mean}" in FLAT
    assert f"the share of all parts was above it in {mean}" in README
    assert f"in the {len(rows)} designs whose large groups are worse" in README
    unseen = [row for row in rows if row["parts"]["broken"][1] > 0.05]
    assert {row["world"] for row in unseen} == {"lots", "giants"}
    for row in unseen:  # such promises are made only where no large group was drawn
        assert row["parts"]["broken_though_trusted"][0] == 0
        assert row["parts"]["broken"][0] <= 1.01 - row["parts"]["trusted"]
    worst = max(row["parts"]["broken"][0] for row in unseen)
    assert f"{len(unseen)} designs" in FLAT and f"in up to {100 * worst:.1f} % of the draws" in FLAT
    trusted = max(row["parts"]["broken_though_trusted"][0] for row in entry()["designs"])
    assert f"breaks at most {100 * trusted:.1f} % where no group is larger than the largest that was seen" in README
    assert f"so rare that none was seen, up to {100 * worst:.1f} %" in README


def test_a_promise_of_all_parts_whose_large_groups_were_not_seen_is_nearly_always_wrong() -> None:
    draws = entry()["asked"]["draws"]
    rows = [row["parts"] for row in entry()["designs"] if row["world"] in WORSE and row["parts"]["broken"][1] > 0.05]
    promised, broken = (
        round(draws * sum(share)) for share in ([r["promised"] for r in rows], [r["broken"][0] for r in rows])
    )
    assert f"in {broken:,} of {promised:,} such draws" in FLAT and broken > 0.95 * promised
    assert "when it promised there, it was nearly always wrong" in README
    uneven = [row["parts"] for row in entry()["designs"] if row["world"] == "larger" and row["uneven"]]
    assert not any(row["trusted"] for row in uneven)


def test_what_is_set_in_the_worlds_whose_large_groups_are_worse() -> None:
    rows = [row for row in entry()["designs"] if row["world"] in WORSE]
    groups, parts, effective = (
        f"{100 * max(row[way]['bound_broken'] for row in rows):.1f} %" for way in ("groups", "parts", "effective")
    )
    said = f"in up to {groups} of the draws of these worlds by `groups`, in {parts} by `parts` and in {effective} by"
    assert said in FLAT


def test_ties_break_no_promise_but_the_bound_that_no_answer_states() -> None:
    found = entry(("tied",))
    rows = [row[way] for row in found["designs"] for way in ("groups", "parts", "effective")]
    assert found["asked"]["draws"] >= 1000 and all(row["promised"] == 1 for row in rows)
    worst, bound = (
        f"{100 * max(found):.1f} %"
        for found in ([row["broken"][0] for row in rows], [row["bound_broken"] for row in rows])
    )
    assert (
        f"{len(found['designs'])} designs, in an entry of their own) the promise is broken in at most {worst}" in FLAT
    )
    assert f"at the chosen threshold in up to {bound}" in FLAT
    assert f"Where scores are tied ({len(found['designs'])} more designs), at most {worst}" in README


def test_how_often_a_promise_is_made_and_what_is_set_where_none_is() -> None:
    rows = [row for row in entry()["designs"] if row["world"] in OLD]
    none = {way: sum(row[way]["promised"] == 0 for row in rows) for way in ("groups", "parts")}
    assert f"In {none['groups']} of the {len(rows)} designs of the first table whole groups are too few" in FLAT
    assert f"by `parts` in {none['parts']}" in FLAT
    enough = sum(row["groups"]["promised"] > 0 for row in entry()["designs"])
    assert f"(in {enough} of them groups are enough" in README
    bound = {way: 100 * max(row[way]["bound_broken"] for row in rows) for way in ("groups", "parts", "effective")}
    said = (
        f"broken in at most {bound['groups']:.1f} % of the draws of any design by `groups`, in {bound['parts']:.1f} %"
    )
    assert f"{said} by `parts`, and in up to {bound['effective']:.0f} % by `effective`" in FLAT


def test_what_groups_of_parts_cost() -> None:
    rows = {row["uneven"]: row for row in entry()["designs"] if row["design"].startswith("alike 0.3: 100 groups of 5")}
    by = [f"{100 * rows[False][way]['extra_overkill']:.1f}" for way in ("groups", "parts", "effective")]
    said = f"it costs {by[0]} points by `groups`, {by[1]} by `parts` and {by[2]} by `effective`"
    uneven = 100 * rows[True]["effective"]["extra_overkill"]
    assert f"{said} ({uneven:.1f} where the groups are uneven; 100 of these are too few for `parts`)" in FLAT
    assert rows[True]["parts"]["promised"] == 0


def test_what_is_said_of_real_scores_is_what_was_found() -> None:
    found = json.loads((ROOT / "benchmarks" / "results" / "contract-resplits.json").read_text(encoding="utf-8"))
    assert all("+" not in each["provenance"]["code"] for each in found)
    (pooled,) = (
        each["deals"] for each in found if each["run"]["recipe"] == "casting" and len(each["run"]["split"]) > 1
    )
    row = next(deal for deal in pooled if deal["units"] == "parts" and deal["max_escape"] == 0.2)
    cells = [
        "20 %", f"{100 * row['promised']:.1f} %", f"{100 * row['new_half_above'][0]:.0f} %",
        f"{100 * row['escape_of_new_half']:.1f} %",
        f"{100 * row['overkill_of_new_half']:.1f} %, {100 * row['overkill_without_proof']:.1f} %",
    ]  # fmt: skip
    assert f"| the same, `parts`: worth {row['effective']:.0f} parts | {' | '.join(cells)} |" in PAGE
    groups = [deal for each in found for deal in each["deals"] if deal["units"] == "groups"]
    above = max(deal["new_half_parts_above"] for deal in groups)
    assert (
        f"the share of all parts of the new half was above what was promised of groups in at most {100 * above:.1f} %"
        in FLAT
    )


def test_how_many_groups_of_all_parts() -> None:
    for words, size in (("`parts`, groups of one size", [2]), ("`parts`, the largest group", [1, 1, 1, 1, 16])):
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| {words}"))
        needed = [groups_needed(np.array(size), rate, 0.95) for rate in (0.05, 0.02, 0.01)]
        assert row.endswith(f"| {' | '.join(f'{number:,}' for number in needed)} |")
    assert STAKES == (1 / 2, 1 / 6, 1 / 6, 1 / 6) and SHARES == (0, 1 / 8, 1 / 4, 1 / 2)
    assert "half of the stake on c = 1, a sixth each on 7/8, 3/4 and 1/2" in FLAT


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
