"""Whole groups as units: both bounds by their formulas, and where which of them counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from flawscope.evaluation.group_bound import Passed, p_of_groups
from flawscope.evaluation.plan import best_promise


def hoeffding(share: float, rate: float, g: int) -> float:
    """By the formula: ((r / s)^s ((1 - r) / (1 - s))^(1 - s))^g."""
    return float(((rate / share) ** share * ((1 - rate) / (1 - share)) ** (1 - share)) ** g)


@pytest.mark.parametrize("g", [20, 100, 400])
@pytest.mark.parametrize("passed", [0.1, 0.25, 1.0, 3.0, 7.4])
@pytest.mark.parametrize("rate", [0.01, 0.08, 0.4])
def test_the_smaller_of_the_two_and_its_bound(g: int, passed: float, rate: float) -> None:
    doubled = 2 * stats.binom.cdf(math.ceil(passed), g, rate)
    chance = hoeffding(passed / g, rate, g) if passed / g < rate else 1.0
    seen = Passed(g, passed)
    assert seen.p(rate) == p_of_groups(passed, g, rate) == pytest.approx(min(doubled, chance))
    bound = seen.bound(0.95)
    assert seen.p(bound) == pytest.approx(0.05)
    assert seen.p(bound * 0.99) > 0.05 > seen.p(min(0.999, bound * 1.01))


def test_none_and_all() -> None:
    assert Passed(59, 0).p(0.05) == pytest.approx(0.95**59)
    assert Passed(59, 0).bound(0.95) == pytest.approx(best_promise(59))
    assert (Passed(0, 0).p(0.1), Passed(0, 0).bound(0.95), Passed(9, 9).p(0.5), Passed(9, 9).bound(0.95)) == (1,) * 4
    assert Passed(100, 1, exact=True).p(0.05) == pytest.approx(stats.binom.cdf(1, 100, 0.05))


def test_single_parts_count_in_full_and_groups_by_share() -> None:
    assert Passed.of(np.array([0, 1, 1, 0]), np.array([1, 2, 1, 1])) == Passed(4, 2, exact=True)
    assert Passed.of(np.array([0, 1, 1, 0]), np.array([1, 2, 2, 1])) == Passed(4, 1.0)
    thirds = Passed.of(np.ones(3), np.full(3, 3))
    assert thirds.p(0.9) == Passed(3, 1).p(0.9), "three thirds are one, however they are rounded"
