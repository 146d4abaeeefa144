from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawscope.evaluation.costs import Band, Costs, cheapest, cost_curve, fit_band, measured


def by_hand(score_n: Any, truth_n: Any, costs: Costs, low: float, high: float) -> float:
    """Part by part: what it costs, its kind weighed by its share at the line."""
    n = len(score_n)
    bad = sum(truth_n)
    share = bad / n if costs.prevalence is None else costs.prevalence
    total = 0.0
    for score, truth in zip(score_n, truth_n, strict=True):
        weight = share / bad if truth else (1 - share) / (n - bad)
        if score >= high:
            total += 0.0 if truth else weight * costs.overkill
        elif score < low:
            total += weight * costs.escape if truth else 0.0
        else:
            total += weight * (costs.review or 0.0)
    return total


def fitted(score_n: Any, truth_n: Any, costs: Costs, groups: Any = None) -> Band:
    found = fit_band(score_n, truth_n, range(len(score_n)) if groups is None else groups, costs)
    assert found is not None
    return found


@given(
    st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=2, max_size=12),
    st.sampled_from([(100.0, 10.0, 2.0), (5.0, 5.0, 1.0), (1.0, 30.0, 0.5), (3.0, 4.0, None), (2.0, 2.0, 1.5)]),
    st.sampled_from([None, 0.02, 0.7]),
)
def test_no_pair_of_thresholds_is_cheaper(
    parts: list[tuple[int, bool]], cost: tuple[float, float, float | None], prevalence: float | None
) -> None:
    score_n, truth_n = np.array([score / 10 for score, _ in parts]), np.array([truth for _, truth in parts])
    costs = Costs(*cost, prevalence)
    if truth_n.all() or not truth_n.any():
        assert fit_band(score_n, truth_n, range(len(parts)), costs) is None
        return
    band = fitted(score_n, truth_n, costs)
    assert 0 < band.low <= band.high <= 1
    at = np.unique(np.append(np.arange(1, 21) / 20, [1e-9, 1.0]))
    pairs = [(t, t) for t in at] if costs.review is None else combinations_with_replacement(at.tolist(), 2)
    cheapest = min(by_hand(score_n, truth_n, costs, low, high) for low, high in pairs)
    assert band.cost.value == pytest.approx(by_hand(score_n, truth_n, costs, band.low, band.high))
    assert band.cost.value == pytest.approx(cheapest)
    assert band.cost_without_review == pytest.approx(min(by_hand(score_n, truth_n, costs, t, t) for t in at))
    assert band.cost.low <= band.cost.value <= band.cost.high


def drawn(n: int, share: float, seed: int) -> tuple[Any, Any]:
    """Scores that are true probabilities where half of the parts are bad; `share` of these are."""
    random = np.random.default_rng(seed)
    truth_n = random.random(n) < share
    logit_n = random.normal(np.where(truth_n, 2.0, -2.0), 2.0)  # log odds of two normals: 2 x 2 / 4 x = x
    return 1 / (1 + np.exp(-logit_n)), truth_n


@pytest.mark.parametrize("prevalence", [0.5, 0.05])
def test_with_many_parts_the_band_is_that_of_the_true_probabilities(prevalence: float) -> None:
    score_n, truth_n = drawn(200_000, 0.5, seed=1)
    costs = Costs(escape=20, overkill=10, review=1, prevalence=prevalence)
    found = [np.log(t / (1 - t)) for t in cheapest(score_n, truth_n, costs)]
    shift = np.log(prevalence / (1 - prevalence))  # what the line's share adds to the log odds
    assert found == pytest.approx([np.log(t / (1 - t)) - shift for t in costs.bayes()], abs=0.4)


def test_the_cost_at_the_line_is_what_parts_at_the_line_cost() -> None:
    costs = Costs(escape=20, overkill=10, review=1, prevalence=0.05)
    band = fitted(*drawn(4000, 0.5, seed=2), costs)
    score_n, truth_n = drawn(400_000, 0.05, seed=3)  # the line: few bad parts
    seen = by_shares(score_n, truth_n, Costs(20, 10, 1), (band.low, band.high))
    assert seen == pytest.approx(band.cost.value, rel=0.15)
    looked = float(((score_n >= band.low) & (score_n < band.high)).mean())
    assert looked == pytest.approx(band.review.value, rel=0.15)


def by_shares(score_n: Any, truth_n: Any, costs: Costs, thresholds: tuple[float, float]) -> float:
    """The cost of many parts, by the shares of both kinds on either side."""
    low, high = thresholds
    looked_n = (score_n >= low) & (score_n < high)
    of_bad = costs.escape * (score_n[truth_n] < low).mean() + (costs.review or 0) * looked_n[truth_n].mean()
    of_good = costs.overkill * (score_n[~truth_n] >= high).mean() + (costs.review or 0) * looked_n[~truth_n].mean()
    share = costs.prevalence or truth_n.mean()
    return float(share * of_bad + (1 - share) * of_good)


def test_intervals_hold_on_new_parts() -> None:
    """Thresholds set beforehand; the 95 % interval of the cost from groups of alike parts."""
    costs = Costs(escape=20, overkill=10, review=1, prevalence=0.1)
    thresholds = (0.3, 0.9)
    score_n, truth_n = drawn(400_000, 0.5, seed=4)
    cost = by_shares(score_n, truth_n, costs, thresholds)
    held = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        groups = np.repeat(np.arange(60), 4)
        truth_n = np.repeat(random.random(60) < 0.5, 4)
        shared_n = np.repeat(random.normal(0, np.sqrt(2), 60), 4)
        own_n = random.normal(0, np.sqrt(2), 240)
        score_n = 1 / (1 + np.exp(-(np.where(truth_n, 2.0, -2.0) + shared_n + own_n)))
        found = measured(score_n, truth_n, groups, costs, thresholds)
        assert found is not None
        held += found.cost.low <= cost <= found.cost.high
    assert held >= 34  # 38 in the mean; fewer than 34 come about less than once in a hundred times


def test_the_interval_holds_where_escapes_are_rare() -> None:
    """A mistake that is dear and seldom seen: 1 % of the bad parts pass, so that most samples show none."""
    costs = Costs(escape=100, overkill=10, review=1, prevalence=0.1)
    held = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        kind_b = random.choice(3, 60, p=[0.01, 0.19, 0.8])  # passes, looked at, called
        kind_g = random.choice(3, 90, p=[0.8, 0.15, 0.05])
        score_n = np.array([0.1, 0.5, 0.9])[np.append(kind_b, kind_g)]
        found = measured(score_n, np.arange(150) < 60, range(150), costs, (0.3, 0.8))
        assert found is not None
        held += found.cost.low <= 0.1 * (0.01 * 100 + 0.19) + 0.9 * (0.05 * 10 + 0.15) <= found.cost.high
    assert held >= 54  # 57 in the mean
    always = measured(np.full(60, 0.5), np.arange(60) < 20, range(60), costs, (0.3, 0.8))
    assert always is not None
    assert always.cost.value == pytest.approx(1)
    assert always.cost.high == pytest.approx(1 + 0.1 * 100 * always.escape.high, rel=0.1)


def test_the_review_load_of_few_parts_is_known_roughly_only() -> None:
    """Of 20 good parts 2 % are in the band, so that two samples in three show none; nearly all parts are good."""
    costs, held, wide = Costs(escape=100, overkill=10, review=1, prevalence=0.02), 0, []
    for seed in range(100):
        random = np.random.default_rng(seed)
        kind_b, kind_g = random.choice(3, 20, p=[0.1, 0.3, 0.6]), random.choice(3, 20, p=[0.96, 0.02, 0.02])
        score_n = np.array([0.1, 0.5, 0.9])[np.append(kind_b, kind_g)]
        found = measured(score_n, np.arange(40) < 20, range(40), costs, (0.3, 0.8))
        assert found is not None
        held += found.review.low <= 0.02 * 0.3 + 0.98 * 0.02 <= found.review.high
        wide.append(found.review.high - found.review.low)
    assert held >= 89  # 95 in the mean
    assert np.mean(wide) < 0.3
    all_looked = measured(np.full(40, 0.5), np.arange(40) < 20, range(40), costs, (0.3, 0.8))
    assert all_looked is not None
    assert all_looked.review.low < all_looked.review.value == all_looked.review.high == 1


def test_where_nobody_looks_or_a_look_costs_too_much_there_is_one_threshold() -> None:
    score_n, truth_n = drawn(500, 0.5, seed=5)
    for costs in (Costs(10, 10), Costs(10, 10, review=5), Costs(10, 10, review=40)):
        band = fitted(score_n, truth_n, costs)
        assert band.low == band.high
        assert band.review.value == 0
        assert band.cost.value == pytest.approx(band.cost_without_review)
    cheap = fitted(score_n, truth_n, Costs(10, 10, review=0.01))
    assert cheap.cost.value < cheap.cost_without_review
    assert cheap.review.value > 0.5


def test_other_rules_and_the_curve() -> None:
    score_n, truth_n = np.array([0.2, 0.4, 0.6, 0.8]), np.array([False, True, False, True])
    costs = Costs(escape=100, overkill=10, review=3, prevalence=0.2)
    band = fitted(score_n, truth_n, costs)
    assert (band.cost_all_good, band.cost_all_bad, band.cost_all_reviewed) == (20, 8, 3)
    curve = cost_curve(score_n, truth_n, costs)
    wanted = [by_hand(score_n, truth_n, costs, t, t) for t in curve["threshold"]]
    assert curve["cost"] == pytest.approx(wanted)
    assert cost_curve(score_n, np.ones(4, bool), costs) == {}
    many = cost_curve(*drawn(5000, 0.5, seed=6), costs)
    assert len(many["threshold"]) <= 200


def test_all_scores_alike() -> None:
    truth_n = np.array([True, False, False, False])
    for value in (0.0, 0.5, 1.0):
        band = fitted(np.full(4, value), truth_n, Costs(escape=2, overkill=1))
        assert band.cost.value == pytest.approx({0.0: 0.5, 0.5: 0.5, 1.0: 0.75}[value])


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"escape": 0}, "costs are above 0"),
        ({"overkill": -1}, "costs are above 0"),
        ({"review": float("nan")}, "costs are above 0"),
        ({"escape": float("inf")}, "costs are above 0"),
        ({"prevalence": 5}, "prevalence lies in"),
        ({"prevalence": 0}, "prevalence lies in"),
    ],
)
def test_costs_that_cannot_be(given_: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Costs(**{"escape": 1.0, "overkill": 1.0} | given_)


def test_scores_that_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"scores lie in \[0, 1\]"):
        fit_band([1.5, 0], [True, False], range(2), Costs(1, 1))
    with pytest.raises(ValueError, match="expected n scores"):
        fit_band([0.5], [True, False], range(2), Costs(1, 1))
