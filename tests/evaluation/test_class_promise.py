"""What a class that is there can promise: by images, by groups, and by a stated correlation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flawscope.evaluation.class_promise import ClassPromise, class_promise
from flawscope.evaluation.contract import Contract, escape_contract
from flawscope.evaluation.plan import best_promise, defects_needed
from flawscope.evaluation.wanted import Wanted

PAIRS = [str(i // 2) for i in range(120)]


def test_each_way_of_counting_has_its_promise_and_its_lack() -> None:
    found = class_promise("crack", 600, 300, PAIRS, share=0.2, wanted=Wanted(max_escape=0.01, correlation=0.5))
    needed = defects_needed(0.01)
    # Of the last way the images that are lacking stand in pairs like these, each worth two thirds.
    for way, counted, size in (("images", 120, 1.0), ("groups", 60, 1.0), ("effective", 80, 1.5)):
        support = found.support[way]  # type: ignore[index]
        assert support.counted == pytest.approx(counted)
        assert support.best == pytest.approx(best_promise(counted))
        assert support.lacking == math.ceil((needed - counted) * size)
        assert support.lacking_in_all == 5 * support.lacking
    assert found.verdict == "no"


def contract(sizes: list[int], passing: list[int], most: float) -> Contract:
    """Of groups of these sizes, of each of which so many parts pass at the only threshold but the one of all."""
    score_n = np.concatenate([np.where(np.arange(n) < k, 0.1, 0.9) for n, k in zip(sizes, passing, strict=True)])
    return escape_contract(score_n, np.ones(len(score_n)), np.repeat(np.arange(len(sizes)), sizes), max_escape=most)


@pytest.mark.parametrize("escapes", [0, 1, 3, 8])
@pytest.mark.parametrize("sizes", [[1] * 90 + [2] * 10, [2] * 60, [5, 2, 9, 3] * 15])
def test_what_groups_promise_is_what_the_contract_proves_and_what_is_lacking_completes_it(
    sizes: list[int], escapes: int
) -> None:
    """The parts that pass stand in the smallest groups, where they weigh most."""
    calibration = [str(g) for g, n in enumerate(sizes) for _ in range(n)]
    wanted = Wanted(max_escape=0.02, escapes=escapes)
    found = class_promise("crack", 900, 900, calibration, share=0.2, wanted=wanted).support["groups"]
    left, passing = escapes, []
    for size in sorted(sizes):
        passing.append(min(size, left))
        left -= passing[-1]
    made = contract(sorted(sizes), passing, 0.5)
    assert (made.escapes, made.threshold) == (escapes, 0.9)
    assert made.bound == pytest.approx(found.best)
    assert found.lacking is not None
    for more in (found.lacking, found.lacking - 1):
        grown = contract([*sorted(sizes), *[min(sizes)] * more], [*passing, *[0] * more], 0.02)
        assert (grown.kept and grown.threshold == 0.9) == (more == found.lacking)


def test_enough_is_enough_for_as_many_as_may_pass() -> None:
    alone = [str(i) for i in range(400)]
    for escapes, verdict in ((0, "yes"), (1, "no")):
        wanted = Wanted(max_escape=0.01, escapes=escapes)
        assert class_promise("crack", 400, 400, alone, share=1.0, wanted=wanted).verdict == verdict
    asked = Wanted(max_escape=0.01, expected_escape=0.002)
    assert class_promise("crack", 400, 400, alone, share=1.0, wanted=asked).support["groups"].lacking == 228


@pytest.mark.parametrize(
    ("rate", "correlation", "verdict"),
    [(0.03, None, "depends"), (0.05, None, "yes"), (0.02, None, "no"), (0.03, 0.0, "yes"), (0.03, 1.0, "no")],
)
def test_verdicts(rate: float, correlation: float | None, verdict: str) -> None:
    wanted = Wanted(max_escape=rate, correlation=correlation)
    found = class_promise("crack", 600, 300, PAIRS, share=0.2, wanted=wanted)
    assert found.verdict == found.as_dict()["verdict"] == verdict


def test_groups_of_unequal_size_count_by_the_mean_over_parts() -> None:
    groups = ["a"] * 9 + ["b"]
    found = class_promise("crack", 10, 2, groups, share=0.2, wanted=Wanted(correlation=0.5))
    assert found.support["effective"].counted == pytest.approx(10 / (1 + 0.5 * (8.2 - 1)))
    assert found.verdict == "", "nothing was promised"


def test_groups_of_unequal_size_have_a_promise_of_all_parts_which_the_contract_proves() -> None:
    sizes = [5, 2, 9, 3] * 15
    calibration = [str(g) for g, n in enumerate(sizes) for _ in range(n)]

    def made(groups: list[int], most: float) -> Contract:
        groups_n = np.repeat(np.arange(len(groups)), groups)
        return escape_contract(
            np.full(len(groups_n), 0.9), np.ones(len(groups_n)), groups_n, max_escape=most, units="parts"
        )

    for most in (0.02, 0.5):
        wanted = Wanted(max_escape=most, escapes=3)
        found = class_promise("crack", 900, 900, calibration, share=0.2, wanted=wanted).support["parts"]
        here = made(sizes, most)
        assert (found.counted, found.best) == (here.effective, pytest.approx(here.bound))
        assert found.lacking == (here.more or 0)
        assert found.lacking_in_all == 5 * (here.more or 0)
    assert class_promise("crack", 900, 900, calibration, share=0.2, wanted=Wanted()).support["parts"].lacking is None
    assert "parts" not in class_promise("crack", 600, 300, PAIRS, share=0.2, wanted=Wanted()).support


def test_a_class_that_is_not_there_promises_nothing() -> None:
    found = class_promise("dark", 0, 0, [], share=0.2, wanted=Wanted(max_escape=0.05, correlation=0.3))
    assert {way: each.best for way, each in found.support.items()} == {"images": 1.0, "groups": 1.0}
    assert found.support["groups"].lacking_in_all == 5 * 59
    assert found.verdict == "no"


def test_more_in_the_part_than_in_all_is_our_bug() -> None:
    with pytest.raises(ValueError, match="more in the part than in all"):
        ClassPromise("crack", 1, 1, 2, 1, {})
