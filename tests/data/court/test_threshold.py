from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from flawscope.data.court.threshold import (
    CERTAIN,
    FALSE_PAIRS_PER_IMAGE,
    FEWEST,
    HIGHEST,
    LOWEST,
    NEAREST,
    TAIL,
    UNREAD,
    histogram,
    similar,
    tail_threshold,
)


def normal(deviation: float, mean: float = 0.0, q: int = 20_001) -> npt.NDArray[Any]:
    """Measures whose Fisher's z has exactly the quantiles of a normal distribution."""
    z = [NormalDist(mean, deviation).inv_cdf((i + 0.5) / q) for i in range(q)]
    return np.tanh(z)


@pytest.mark.parametrize(("deviation", "images"), [(0.15, 1_000), (0.12, 100_000), (0.2, 2_000)])
def test_against_a_normal_distribution_by_hand(deviation: float, images: int) -> None:
    # The 85 % and 98 % points of the normal distribution lie 1.03643 and 2.05375 deviations above its mean. An
    # exponential tail falls from 0.15 to 0.02 between them, so by e every (2.05375 - 1.03643) / ln 7.5 = 0.50490.
    assert TAIL == (0.85, 0.98)
    wanted = FALSE_PAIRS_PER_IMAGE / similar(images)
    by_hand = math.tanh(deviation * (1.03643 + 0.50490 * math.log(0.15 / wanted)))
    assert LOWEST < by_hand < HIGHEST, "the case is badly chosen"
    assert tail_threshold(normal(deviation), images) == pytest.approx(by_hand, abs=2e-3)


def test_a_normal_tail_holds_fewer_false_pairs_than_allowed() -> None:
    images, deviation = 2_000, 0.15  # the normal tail falls off faster than the exponential that is laid through it
    beyond = 1 - NormalDist(0, deviation).cdf(math.atanh(tail_threshold(normal(deviation), images)))
    assert beyond * similar(images) <= FALSE_PAIRS_PER_IMAGE


def test_more_images_a_wider_tail_or_fewer_false_pairs_ask_for_more() -> None:
    plain = tail_threshold(normal(0.15), 2_000)
    assert tail_threshold(normal(0.15), 200_000) > plain
    assert tail_threshold(normal(0.18), 2_000) > plain
    assert tail_threshold(normal(0.15, mean=0.05), 2_000) > plain
    assert tail_threshold(normal(0.15), 2_000, rate=1e-5) > plain


def test_some_twins_among_the_different_ones_change_little() -> None:
    measures = normal(0.15)
    spoilt = measures.copy()
    spoilt[-100:] = 0.99  # half a percent
    assert tail_threshold(spoilt, 2_000) == pytest.approx(tail_threshold(measures, 2_000), abs=0.02)


@pytest.mark.parametrize(("deviation", "value"), [(0.0, LOWEST), (0.01, LOWEST), (1.0, CERTAIN)])
def test_it_stays_between_its_bounds(deviation: float, value: float) -> None:
    assert tail_threshold(normal(deviation) if deviation else np.zeros(1000), 2_000) == value


def test_perfect_correlations_are_finite() -> None:
    assert tail_threshold(np.ones(FEWEST), 2_000) == CERTAIN


@pytest.mark.parametrize("pairs", [0, 1, FEWEST - 1])
def test_too_few_pairs_give_a_fixed_value(pairs: int) -> None:
    assert tail_threshold(np.zeros(pairs), 12) == UNREAD


def test_how_many_others_are_similar() -> None:
    assert [similar(n) for n in (0, 1, 10, NEAREST + 1, NEAREST + 2, NEAREST + 31, 600, 1_000, 200_000)] == [
        0, 0, 0, 0, 1, 30, 30, 50, 10_000,
    ]  # fmt: skip


def test_histogram_counts_everything_once() -> None:
    found = histogram(np.array([-0.9, -0.5, 0.001, 0.024, 0.026, 1.0]))
    counts = dict(zip(found["edges"], found["counts"], strict=False))
    assert (len(found["edges"]), len(found["counts"]), sum(found["counts"])) == (61, 60, 6)
    assert {edge: count for edge, count in counts.items() if count} == {-0.5: 2, 0.0: 2, 0.025: 1, 0.975: 1}
    assert sum(histogram(np.array([]))["counts"]) == 0
