"""How many parts a promise needs: against brute force with scipy.stats, known numbers, and simulated lines."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from flawscope.evaluation.plan import (
    Needed,
    TooManyError,
    best_promise,
    defects_needed,
    design_effect,
    escapes_allowed,
    in_all,
    needed_with_power,
    power,
)


@pytest.mark.parametrize(("rate", "n"), [(0.01, 299), (0.005, 598), (0.02, 149), (0.001, 2995)])
def test_numbers_that_are_known_for_no_escape(rate: float, n: int) -> None:
    assert defects_needed(rate) == n == math.ceil(math.log(0.05) / math.log(1 - rate))
    assert best_promise(n) <= rate < best_promise(n - 1)
    assert round(best_promise(164), 3) == 0.018


@pytest.mark.parametrize("rate", [0.3, 0.05, 0.02])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("escapes", [0, 1, 4])
def test_needed_is_what_trying_every_number_finds(rate: float, confidence: float, escapes: int) -> None:
    """By scipy's exact test, whose one-sided interval is Clopper's and Pearson's."""

    def bound(n: int) -> float:
        return float(stats.binomtest(escapes, n, alternative="less").proportion_ci(confidence).high)

    tried = next(n for n in range(escapes + 1, 5000) if bound(n) <= rate)
    assert defects_needed(rate, confidence, escapes) == tried
    assert best_promise(tried, confidence, escapes) == pytest.approx(bound(tried))


@pytest.mark.parametrize("rate", [0.5, 0.03])
def test_allowed_and_needed_agree_at_every_number(rate: float) -> None:
    allowed = [escapes_allowed(n, rate) for n in range(1, 400)]
    assert allowed == sorted(allowed)
    for n, k in enumerate(allowed, 1):
        assert k < 0 or defects_needed(rate, escapes=k) <= n
        assert defects_needed(rate, escapes=k + 1) > n


def test_a_bound_that_is_met_exactly_counts() -> None:
    assert defects_needed(0.1, 0.1) == defects_needed(0.5, 0.5) == 1
    assert defects_needed(0.5, 0.75) == 2


@pytest.mark.parametrize(("expected", "rate", "target"), [(0.01, 0.05, 0.8), (0.03, 0.05, 0.9), (0.0, 0.05, 0.99)])
def test_needed_with_power_is_what_trying_every_number_finds(expected: float, rate: float, target: float) -> None:
    found = needed_with_power(expected, rate, target=target)
    assert found.parts == next(n for n in range(1, 3000) if power(n, expected, rate) >= target)
    assert found.escapes == escapes_allowed(found.parts, rate)


def test_the_power_is_how_often_a_simulated_calibration_allows_the_promise() -> None:
    rng, repeats = np.random.default_rng(0), 20_000
    for n, expected in ((298, 0.0), (299, 0.002), (628, 0.002), (628, 0.004)):
        passed = rng.binomial(n, expected, repeats)
        allowed = np.array([best_promise(n, 0.95, k) <= 0.01 for k in range(passed.max() + 1)])[passed].mean()
        assert power(n, expected, 0.01) == pytest.approx(allowed, abs=4 * math.sqrt(0.25 / repeats))


def test_a_threshold_set_by_the_parts_keeps_the_promise_as_often_as_promised() -> None:
    """Scores of defective parts, the threshold at the lowest that may not pass: the truth is known, 0 to 1 uniform."""
    rng, repeats, n, rate = np.random.default_rng(1), 4000, 130, 0.05
    allowed = escapes_allowed(n, rate)
    assert allowed == 2
    threshold = np.sort(rng.random((repeats, n)), axis=1)[:, allowed]  # so many lie below it
    broken = float((threshold > rate).mean())
    assert broken == pytest.approx(stats.binom.cdf(allowed, n, rate), abs=4 * math.sqrt(0.05 / repeats))
    assert broken <= 0.05 + 3 * math.sqrt(0.05 / repeats)


def test_so_many_parts_in_groups_are_worth_so_many_independent_ones() -> None:
    """Parts of a group fail together with the stated correlation: the spread of their share is that of n / effect."""
    rng, groups, size, correlation, rate = np.random.default_rng(2), 60, 5, 0.3, 0.1
    a, b = (share * (1 / correlation - 1) for share in (rate, 1 - rate))
    share = rng.binomial(size, rng.beta(a, b, (20_000, groups))).mean(axis=1) / size
    worth = groups * size / design_effect(size, correlation)
    assert share.var() == pytest.approx(rate * (1 - rate) / worth, rel=0.05)


def test_design_effect_and_shares() -> None:
    assert [design_effect(*case) for case in ((1, 0.9), (5, 0.0), (5, 1.0))] == [1, 1, 5]
    assert (in_all(299, 0.2), in_all(299, 1), in_all(3, 0.1), in_all(0.5, 0.5)) == (1495, 299, 30, 1)


def test_what_cannot_be_promised() -> None:
    assert (best_promise(0), best_promise(1, escapes=1), best_promise(2.5, escapes=3)) == (1, 1, 1)
    assert escapes_allowed(10, 0.01) == -1
    assert power(10, 0.0, 0.01) == 0
    with pytest.raises(TooManyError):
        defects_needed(1e-10)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 95, math.nan])
def test_shares_that_are_none_are_refused(share: float) -> None:
    for call in (
        lambda: defects_needed(share),
        lambda: defects_needed(0.01, share),
        lambda: best_promise(10, share),
        lambda: escapes_allowed(10, share),
        lambda: needed_with_power(0.001, 0.01, target=share),
    ):
        with pytest.raises(ValueError, match="lies in"):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: defects_needed(0.01, escapes=-1),
        lambda: best_promise(-1),
        lambda: power(10, -0.1, 0.5),
        lambda: power(10, 1.0, 0.5),
        lambda: needed_with_power(0.01, 0.01),
        lambda: design_effect(0.5, 0.1),
        lambda: design_effect(5, 30),
        lambda: in_all(1, 0),
        lambda: Needed(2, 2),
    ],
)
def test_other_numbers_that_mean_nothing_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
