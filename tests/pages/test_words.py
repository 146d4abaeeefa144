from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawscope.pages import words

TASK = {"kind": "binary", "classes": ["defective"], "negative": "functional"}


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_counts_keep_their_order_and_never_deny_what_happens(a: float, b: float, c: float) -> None:
    low, value, high = sorted((a, b, c))
    base, count, least, most = words.of_hundred({"value": value, "low": low, "high": high})
    assert 0 <= least <= count <= most <= base
    if base < 1_000_000:
        assert least < most
        assert (count > 0 or value == 0) and (count < base or value == 1)


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.0, 0.0, 0.02, (100, 0, 0, 2)),
        (0.0, 0.0, 0.004, (1000, 0, 0, 4)),
        (0.998, 0.99, 0.9995, (1000, 998, 990, 1000)),
        (1.0, 0.9, 1.0, (100, 100, 90, 100)),
    ],
)
def test_counts_of_rare_things(value: float, low: float, high: float, expected: tuple[int, ...]) -> None:
    assert words.of_hundred({"value": value, "low": low, "high": high}) == expected


def test_escape_and_overkill_name_both_sides() -> None:
    interval = {"value": 0.1, "low": 0.05, "high": 0.2}
    assert words.meaning("overkill rate", interval, TASK, "cells") == (
        "Of 100 functional cells, 10 are rejected as defective (5 to 20)."
    )
    assert words.meaning("overkill rate", interval, TASK, "cells", three=True) == (
        "Of 100 functional cells, 10 are rejected as defective without a person (5 to 20)."
    )
    assert words.meaning("review load", interval, TASK, "cells", three=True) == (
        "Of 100 cells mixed as in this test, 10 are for a person (5 to 20)."
    )
    assert words.number("review load", 0.0812).replace("\xa0", " ") == "8.1 %"
    assert words.meaning("something new", interval, TASK, "cells") == ""


def test_narrow_intervals_get_the_digits_that_tell_their_ends_apart() -> None:
    narrow = {"value": 0.99992, "low": 0.99991, "high": 0.99994}
    assert words.measured("IoU", narrow) == ("0.99992", "0.99991 to 0.99994")
    assert [text.replace("\xa0", " ") for text in words.measured("recall", narrow)] == [
        "99.992 %",
        "99.991 to 99.994 %",
    ]
    assert words.gain("IoU", {"value": 1e-5, "low": -1e-5, "high": 2e-5}) == "+0.00001 (-0.00001 to 0.00002)"
