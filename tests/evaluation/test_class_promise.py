"""What a class that is there can promise: by images, by groups, and by a stated correlation."""

from __future__ import annotations

import pytest

from flawscope.evaluation.class_promise import ClassPromise, class_promise
from flawscope.evaluation.plan import best_promise, defects_needed
from flawscope.evaluation.wanted import Wanted

PAIRS = [str(i // 2) for i in range(120)]


def test_each_way_of_counting_has_its_promise_and_its_lack() -> None:
    found = class_promise("crack", 600, 300, PAIRS, share=0.2, wanted=Wanted(max_escape=0.01, correlation=0.5))
    needed = defects_needed(0.01)
    for way, counted in (("images", 120), ("groups", 60), ("effective", 80)):
        support = found.support[way]  # type: ignore[index]
        assert support.counted == pytest.approx(counted)
        assert support.best == pytest.approx(best_promise(counted))
        assert support.lacking == needed - counted
        assert support.lacking_in_all == 5 * (needed - counted)
        assert support.allowed == -1
    assert found.verdict == "no"


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


def test_a_class_that_is_not_there_promises_nothing() -> None:
    found = class_promise("dark", 0, 0, [], share=0.2, wanted=Wanted(max_escape=0.05, correlation=0.3))
    assert {way: each.best for way, each in found.support.items()} == {"images": 1.0, "groups": 1.0}
    assert found.support["groups"].lacking_in_all == 5 * 59
    assert found.verdict == "no"


def test_more_in_the_part_than_in_all_is_our_bug() -> None:
    with pytest.raises(ValueError, match="more in the part than in all"):
        ClassPromise("crack", 1, 1, 2, 1, {})
