"""What `flawscope plan` is asked: numbers that mean nothing are refused in words."""

from __future__ import annotations

import math

import pytest

from flawscope.errors import UserError
from flawscope.evaluation.group_bound import p_of_groups
from flawscope.evaluation.plan import defects_needed, needed_with_power
from flawscope.evaluation.wanted import Wanted


@pytest.mark.parametrize("option", ["max_escape", "confidence", "power", "prevalence"])
@pytest.mark.parametrize("share", [1.0, 1.5, 95.0, -0.2, math.nan])
def test_what_is_no_share_is_refused_with_the_option(option: str, share: float) -> None:
    with pytest.raises(UserError, match=f"--{option.replace('_', '-')} .*between 0 and 1") as caught:
        Wanted(**{option: share})
    assert "1 % is 0.01" in caught.value.remedy


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"max_escape": 0.0, "expected_escape": 0.0}, "--max-escape 0 can never be"),
        ({"confidence": 0.0}, "--confidence 0"),
        ({"escapes": -1}, "--escapes -1"),
        ({"groups_of": 0.5}, "--groups-of 0.5"),
        ({"groups_of": math.inf}, "--groups-of inf"),
        ({"correlation": 30}, "--correlation 30"),
        ({"expected_escape": 0.01}, "--expected-escape needs the promise"),
        ({"max_escape": 0.01, "expected_escape": 0.01}, "no number of parts shows"),
        ({"max_escape": 0.01, "expected_escape": 2}, "--expected-escape 2"),
        ({"max_escape": 0.01, "expected_escape": -0.1}, "--expected-escape -0.1"),
        ({"max_escape": 0.01, "expected_escape": 0.001, "escapes": 1}, "--escapes says it"),
        ({"max_escape": 0.01, "power": 0.9}, "--power is that of the promise"),
        ({"measure": "recall"}, "how wide may the interval be"),
        ({"value": 0.9}, "how wide may the interval be"),
        ({"half_width": 0.5}, "--half-width 0.5"),
        ({"half_width": 2}, "--half-width 2"),
        ({"half_width": 0.1, "value": 95}, "--value 95"),
        ({"half_width": 0.1, "measure": "auroc"}, "not a share of parts"),
    ],
)
def test_other_numbers_that_mean_nothing_are_refused(asked: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        Wanted(**asked)  # type: ignore[arg-type]
    assert caught.value.remedy


def test_how_many_units_a_promise_needs() -> None:
    assert Wanted(max_escape=0.05).promise(2) == (defects_needed(0.05, escapes=2), 2)
    groups = defects_needed(0.05, escapes=0.4, proof=p_of_groups)
    assert Wanted(max_escape=0.05).promise(0.4, p_of_groups) == (groups, 0.4)
    found = needed_with_power(0.01, 0.05, target=0.9, proof=p_of_groups)
    asked = Wanted(max_escape=0.05, expected_escape=0.01, power=0.9)
    assert asked.promise(0, p_of_groups) == (found.parts, found.escapes)
    for wanted in (Wanted(max_escape=1e-11), Wanted(max_escape=1e-5, expected_escape=9.999e-6)):
        with pytest.raises(UserError, match="more than 1,000,000,000 would be needed"):
            wanted.promise(0)
