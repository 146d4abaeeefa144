"""How many parts are planned: known numbers, and that the contract proves with as many and not with fewer.

n parts, g groups.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from flawscope.evaluation.contract import Units, escape_contract
from flawscope.evaluation.plan import defects_needed, needed_with_power
from flawscope.evaluation.plan_sizes import interval_sizes, promise_sizes
from flawscope.evaluation.sample_size import needed
from flawscope.evaluation.wanted import Wanted


def test_a_promise_in_parts_groups_and_images() -> None:
    wanted = Wanted(max_escape=0.01, groups_of=5, correlation=0.3)
    found = promise_sizes(wanted, 0.2, 0.05)
    assert found["independent"] == 299
    alike = found["ways"]["effective"]
    assert alike["size"] == pytest.approx(2.2)
    assert alike["parts"] == math.ceil(299 * 2.2) == 658
    assert alike["groups"] == math.ceil(658 / 5)
    assert alike["in_all"] == {"counted": 3290, "parts": 65800}
    assert [row["independent"] for row in found["ladder"]] == [
        defects_needed(0.01, escapes=k) for k in (0, 1, 2, 5, 10)
    ]
    assert promise_sizes(wanted, 0.2, None)["ways"]["effective"]["in_all"] == {"counted": 3290, "parts": None}
    for correlation in (1.0, None, 0.3):
        ways = promise_sizes(Wanted(max_escape=0.01, groups_of=5, correlation=correlation), 0.2, None)["ways"]
        assert (ways["groups"]["parts"], ways["groups"]["groups"]) == (5 * 299, 299), "a whole group counts once"
        assert "images" not in ways or ways["images"] == {
            "escapes": 0, "size": 1.0, "parts": 299, "groups": 60, "in_all": {"counted": 1495, "parts": None},
        }  # fmt: skip
    assert ways.keys() == {"effective", "groups"}
    assert promise_sizes(Wanted(max_escape=0.01, groups_of=5), 0.2, None)["ways"].keys() == {"images", "groups"}
    assert promise_sizes(Wanted(max_escape=0.01), 0.2, None)["ways"].keys() == {"images"}


def test_a_promise_with_power() -> None:
    found = promise_sizes(Wanted(max_escape=0.01, expected_escape=0.002), 0.2, None)
    expected = needed_with_power(0.002, 0.01)
    assert (found["independent"], found["escapes"]) == (expected.parts, expected.escapes)
    assert found["power"]["reached"] >= 0.8
    assert found["ladder"] == []
    assert promise_sizes(Wanted(max_escape=0.01, escapes=3), 0.2, None)["independent"] == defects_needed(
        0.01, escapes=3
    )


def kept(parts: int, groups: int, passing: Any, wanted: Wanted, units: Units = "groups") -> bool:
    """Whether a contract proves the promise with so many parts, of which these pass at the only other threshold."""
    score_n = np.full(parts, 0.9)
    score_n[passing] = 0.1
    groups_n = np.arange(parts) // math.ceil(parts / groups)
    found = escape_contract(
        score_n, np.ones(parts), groups_n, max_escape=wanted.max_escape or 0, confidence=wanted.confidence, units=units
    )
    return found.kept and (found.threshold == 0.9 or not len(passing))


DESIGNS = [
    {"max_escape": 0.05},
    {"max_escape": 0.05, "escapes": 1},
    {"max_escape": 0.02, "escapes": 7},
    {"max_escape": 0.1, "escapes": 3, "confidence": 0.8},
    {"max_escape": 0.5, "confidence": 0.75},
    {"max_escape": 0.9, "confidence": 0.99},
    {"max_escape": 0.1, "expected_escape": 0.01},
    {"max_escape": 0.05, "expected_escape": 0.02},
]


@pytest.mark.parametrize("size", [1, 2, 5, 12])
@pytest.mark.parametrize("asked", DESIGNS, ids=str)
def test_the_contract_by_groups_is_proven_with_what_is_planned_and_not_with_fewer(
    asked: dict[str, Any], size: int
) -> None:
    wanted = Wanted(**asked, groups_of=size)
    found = promise_sizes(wanted, 0.2, None)["ways"]["groups" if size > 1 else "images"]
    g, k = found["groups"], found["escapes"]
    assert found["parts"] == g * size
    assert asked.get("escapes", k) == k, "parts are allowed as they were asked for"
    together, apart = np.arange(k), np.concatenate([np.arange(first, g * size, size) for first in range(size)])[:k]
    for passing in (together, apart):  # in as few groups as can be, and in as many
        assert kept(g * size, g, passing, wanted)
        assert g == 1 or not kept((g - 1) * size, g - 1, passing[passing < (g - 1) * size], wanted)
    if wanted.expected_escape is not None:  # of all groups that may pass as a whole, as often as was asked for
        assert stats.binom.cdf(k // size, g, wanted.expected_escape) >= 0.8
    else:
        assert not kept(g * size, g, np.arange(k + 2 * size), wanted)


@pytest.mark.parametrize("asked", DESIGNS[:4], ids=str)
def test_the_contract_by_scores_is_proven_with_what_is_planned_for_parts_that_are_as_one(asked: dict[str, Any]) -> None:
    """A correlation of 1: copies, whose correlation the contract cannot find higher than it is."""
    wanted = Wanted(**asked, groups_of=4, correlation=1.0)
    found = promise_sizes(wanted, 0.2, None)["ways"]["effective"]
    whole = np.arange(found["escapes"] // 4 * 4)  # of copies all or none pass
    assert kept(found["parts"], found["groups"], whole, wanted, "effective")
    few = 4 * (defects_needed(wanted.max_escape or 0, wanted.confidence, len(whole) / 4) - 1)
    assert not kept(few, few // 4, whole, wanted, "effective")


@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize("asked", [{"max_escape": 0.05}, {"max_escape": 0.2, "confidence": 0.9}], ids=str)
def test_the_contract_of_all_parts_is_proven_with_what_is_planned(asked: dict[str, Any], size: int) -> None:
    wanted = Wanted(**asked, groups_of=size)
    g = promise_sizes(wanted, 0.2, None)["of_all_parts"]
    assert kept(g * size, g, [], wanted, "parts")
    assert not kept((g - 1) * size, g - 1, [], wanted, "parts")
    # Where sizes differ: at most so many times as many as the largest is larger than the mean.
    largest, share = 4 * size, 1 / 4
    groups = math.ceil(g * largest / (share * largest + (1 - share) * size))
    size_g = np.where(np.arange(groups) < share * groups, largest, size)
    made = escape_contract(
        np.full(size_g.sum(), 0.9), np.ones(size_g.sum()), np.repeat(np.arange(groups), size_g),
        max_escape=wanted.max_escape or 0, confidence=wanted.confidence, units="parts",
    )  # fmt: skip
    assert made.kept
    assert promise_sizes(Wanted(**asked), 0.2, None)["of_all_parts"] is None


def test_groups_of_no_whole_size_count_as_the_smaller_ones() -> None:
    """Of groups of 2 and 3 the parts that pass may all stand in pairs."""
    wanted = Wanted(max_escape=0.05, escapes=4, groups_of=2.5)
    found = promise_sizes(wanted, 0.2, None)["ways"]["groups"]
    g = found["groups"]
    assert found["parts"] == math.ceil(g * 2.5)
    size_g = np.arange(g) % 2 + 2
    groups_n = np.repeat(np.arange(g), size_g)
    score_n = np.where(np.isin(groups_n, [0, 2]), 0.1, 0.9)
    made = escape_contract(score_n, np.ones(len(score_n)), groups_n, max_escape=0.05)
    assert made.kept and made.threshold == 0.9 and made.escapes == 4


@pytest.mark.parametrize(
    ("measure", "of", "in_all"),
    [
        ("recall", "defective parts", {"counted": 415, "parts": 4150}),
        ("specificity", "good parts", {"counted": 415, "parts": 462}),
        ("accuracy", "parts", {"counted": 415, "parts": 415}),
        ("precision", "parts called defective", None),
    ],
)
def test_an_interval_counts_what_its_measure_counts(measure: str, of: str, in_all: dict[str, int] | None) -> None:
    found = interval_sizes(Wanted(measure=measure, value=0.95, half_width=0.05), 0.2, 0.1)
    assert found["independent"] == needed(0.95, 0.05) == 83
    assert (found["of"], found["ways"]["images"]["in_all"]) == (of, in_all)


def test_an_interval_of_groups_has_both_ends() -> None:
    ways = interval_sizes(Wanted(half_width=0.05, groups_of=4), 0.2, None)["ways"]
    assert {way: (each["parts"], each["groups"]) for way, each in ways.items()} == {
        "images": (83, 21), "groups": (332, 83),
    }  # fmt: skip


def test_an_interval_without_a_measure_is_that_of_recall_and_an_escape_rate_its_mirror() -> None:
    assert interval_sizes(Wanted(half_width=0.05), 0.2, None)["measure"] == "recall"
    escape = interval_sizes(Wanted(measure="escape", half_width=0.05), 0.2, None)
    assert escape["value"] == pytest.approx(0.05)
    assert escape["independent"] == 83
