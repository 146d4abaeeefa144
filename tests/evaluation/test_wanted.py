"""What `flawscope plan` is asked: numbers that mean nothing are refused in words, the others are counted."""

from __future__ import annotations

import math

import pytest

from flawscope.errors import UserError
from flawscope.evaluation.plan import defects_needed, needed_with_power
from flawscope.evaluation.sample_size import needed
from flawscope.evaluation.wanted import Wanted, interval_sizes, promise_sizes


@pytest.mark.parametrize("option", ["max_escape", "confidence", "power", "prevalence"])
@pytest.mark.parametrize("share", [1.0, 1.5, 95.0, -0.2, math.nan])
def test_what_is_no_share_is_refused_with_the_option(option: str, share: float) -> None:
    with pytest.raises(UserError, match=f"--{option.replace('_', '-')} .*between 0 and 1") as caught:
        Wanted(**{option: share})
    assert "1 % is 0.01" in caught.value.remedy


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"max_escape": 0.0}, "proven by no number of parts"),
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


def test_a_promise_beyond_all_parts_is_refused_in_words() -> None:
    with pytest.raises(UserError, match="more than 1,000,000,000 would be needed"):
        promise_sizes(Wanted(max_escape=1e-11), 0.2, None)
    with pytest.raises(UserError, match="would be needed"):
        promise_sizes(Wanted(max_escape=1e-5, expected_escape=9.999e-6), 0.2, None)


def test_a_promise_in_parts_groups_and_images() -> None:
    wanted = Wanted(max_escape=0.01, groups_of=5, correlation=0.3)
    found = promise_sizes(wanted, 0.2, 0.05)
    assert found["independent"] == 299
    assert found["effect"] == pytest.approx(2.2)
    assert found["parts"] == math.ceil(299 * 2.2) == 658
    assert found["groups"] == math.ceil(658 / 5)
    assert found["in_all"] == {"counted": 3290, "parts": 65800}
    assert [row["independent"] for row in found["ladder"]] == [
        defects_needed(0.01, escapes=k) for k in (0, 1, 2, 5, 10)
    ]
    assert promise_sizes(wanted, 0.2, None)["in_all"] == {"counted": 3290, "parts": None}
    one = promise_sizes(Wanted(max_escape=0.01, groups_of=5, correlation=1.0), 0.2, None)
    assert one["groups"] == 299, "parts that are as one count once a group"


def test_a_promise_with_power() -> None:
    found = promise_sizes(Wanted(max_escape=0.01, expected_escape=0.002), 0.2, None)
    expected = needed_with_power(0.002, 0.01)
    assert (found["independent"], found["escapes"]) == (expected.parts, expected.escapes)
    assert found["power"]["reached"] >= 0.8
    assert found["ladder"] == []
    assert promise_sizes(Wanted(max_escape=0.01, escapes=3), 0.2, None)["independent"] == defects_needed(
        0.01, escapes=3
    )


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
    assert (found["of"], found["in_all"]) == (of, in_all)


def test_an_interval_without_a_measure_is_that_of_recall_and_an_escape_rate_its_mirror() -> None:
    assert interval_sizes(Wanted(half_width=0.05), 0.2, None)["measure"] == "recall"
    escape = interval_sizes(Wanted(measure="escape", half_width=0.05), 0.2, None)
    assert escape["value"] == pytest.approx(0.05)
    assert escape["independent"] == 83
