"""Numbers in words: never 1e-05 %, never a false 0 or 100 %, never rounded to the wrong side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawscope.wording import EXACT, counted, interval_in_words, percent, percent_down, percent_up, so_many_of

SHARES = st.floats(1e-12, 1 - 1e-12)


def back(words: str) -> float:
    assert words.endswith(" %") and "e" not in words
    return float(words.removesuffix(" %")) / 100


@given(SHARES)
def test_percent_keeps_digits_and_sides(share: float) -> None:
    near = min(share, 1 - share)
    assert abs(back(percent(share)) - share) <= 0.006 * near + 1e-14
    assert share * (1 - 1e-8) - 1e-14 <= back(percent_up(share)) <= share + 0.011 * near + 1e-14
    assert share * (1 + 1e-8) + 1e-14 >= back(percent_down(share)) >= share - 0.011 * near - 1e-14
    assert percent(share) not in ("0 %", "100 %")


@given(st.integers(1, 999), st.integers(3, 9))
def test_what_was_given_is_said_as_it_was_given(count: int, power: int) -> None:
    text = f"{count / 10**power:.12f}"
    assert back(percent(float(text), EXACT)) == pytest.approx(float(text), rel=1e-12)
    assert len(percent(float(text), EXACT)) <= power + 4, "no noise of floating point"
    assert len(percent(1 - float(text), EXACT)) <= power + 5


@pytest.mark.parametrize("share", [0.018, 0.07, 0.29, 0.57, 0.95, 0.99, 0.99999])
def test_round_numbers_stay_round_on_either_side(share: float) -> None:
    assert percent_up(share) == percent_down(share) == percent(share) == percent(share, EXACT)


@given(SHARES)
def test_so_many_of_so_many_is_never_fewer(share: float) -> None:
    many, base = so_many_of(share)
    assert share * (1 - 2e-9) <= many / base <= share * (1 + 1.1e-5) + 1e-12
    assert 0 < many <= base


def test_ends_and_plurals() -> None:
    assert [percent(0.0), percent(1.0), percent_up(0.0), percent_down(1.0)] == ["0 %", "100 %", "0 %", "100 %"]
    assert so_many_of(0.0) == (0, 100)
    assert (counted(1, "nok images"), counted(2, "nok images")) == ("1 nok image", "2 nok images")


@given(st.floats(0, 1), st.floats(1e-9, 1))
def test_an_interval_never_reads_as_one_of_no_width(low: float, width: float) -> None:
    value, ends = interval_in_words(low, low, low + width)
    lower, upper = ends.split(" to ")
    assert lower != upper and len(value) == len(lower)
    assert len(lower.partition(".")[2]) >= 3
    assert width < 0.001 or len(lower.partition(".")[2]) == 3, "no more digits than it takes"
