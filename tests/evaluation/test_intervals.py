import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from flawscope.evaluation import metrics
from flawscope.evaluation.intervals import (
    BOOTSTRAP,
    bootstrap,
    bootstrap_draws,
    bootstrap_interval,
    bootstrap_sums,
    proportion,
    wilson,
)


def grouped_successes(rng, groups, size, share, correlation):
    """Beta-binomial: groups that differ, the samples within one alike to the given intra-group correlation."""
    spread = 1 / correlation - 1
    rate_g = rng.beta(share * spread, (1 - share) * spread, groups)
    return (rng.random((groups, size)) < rate_g[:, None]).ravel(), np.repeat(np.arange(groups), size)


@settings(deadline=None)
@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.8, 0.95]))
def test_ungrouped_proportion_is_the_wilson_interval(counts, level):
    hits, n = counts
    interval = proportion(np.arange(n) < hits, range(n), level)
    expected = stats.binomtest(hits, n).proportion_ci(level, method="wilson")
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert (interval.n, interval.effective, interval.groups, interval.method) == (n, n, n, "Wilson")


def test_effective_size_by_hand():
    # Four groups of 5 with 5, 5, 3, 3 hits: p = 0.8, residuals 1, 1, -1, -1.
    hits = np.array([1, 1, 1, 1, 1] * 2 + [1, 1, 1, 0, 0] * 2, dtype=bool)
    interval = proportion(hits, np.repeat(list("abcd"), 5))
    variance = 4 / 3 * 4 / 20**2
    design_effect = variance / (0.8 * 0.2 / 19)
    assert design_effect == pytest.approx(1.583, abs=1e-3)
    assert interval.effective == pytest.approx(20 / design_effect * (1.959964 / 3.182446) ** 2, rel=1e-5)
    assert "fewer than 20 groups (4)" in interval.note


def test_groups_that_agree_more_than_chance_gain_nothing():
    hits = np.tile([True, True, True, False], 30)
    interval = proportion(hits, np.repeat(np.arange(30), 4))
    assert interval.effective == pytest.approx(120 * (stats.norm.isf(0.025) / stats.t.isf(0.025, 29)) ** 2)
    assert interval.note == ""


@pytest.mark.parametrize("groups, size, share, correlation", [(25, 16, 0.8, 0.2), (60, 5, 0.9, 0.4)])
def test_coverage_of_the_true_share(groups, size, share, correlation):
    rng = np.random.default_rng(7)
    covered, naive = 0, 0
    for _ in range(300):
        hits, group_n = grouped_successes(rng, groups, size, share, correlation)
        interval = proportion(hits, group_n)
        low, high = wilson(float(hits.mean()), hits.size)
        covered += interval.low <= share <= interval.high
        naive += low <= share <= high
    assert covered / 300 >= 0.92
    assert naive / 300 < 0.85


@pytest.mark.parametrize("hit", [True, False])
def test_all_alike_counts_groups(hit):
    interval = proportion(np.full(100, hit), np.repeat(np.arange(10), 10))
    assert (interval.low, interval.high) == pytest.approx(wilson(float(hit), 10))
    assert interval.effective == 10
    assert "each group counts as one sample" in interval.note


def test_one_group_is_worth_one_sample():
    interval = proportion(np.arange(50) < 40, ["a"] * 50)
    assert interval.effective == 1
    assert interval.high - interval.low > 0.8
    assert "one group only" in interval.note


def test_contradicting_groups_are_worth_at_least_one_sample():
    assert proportion(np.arange(100) < 50, np.repeat([0, 1], 50)).effective == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=30))
def test_a_proportion_never_has_zero_width_or_leaves_its_range(rows):
    hits, groups = zip(*rows, strict=True)
    interval = proportion(np.array(hits), groups)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.high - interval.low > 0.05


@pytest.mark.parametrize("n", [0, 3])
def test_groups_must_match_the_samples(n):
    with pytest.raises(ValueError, match="one group for each"):
        proportion(np.ones(n, dtype=bool), ["a"] * (n - 1))


def test_bootstrap_of_a_mean_agrees_with_theory():
    value_n = np.random.default_rng(3).random(200)
    interval = bootstrap(lambda index: float(value_n[index].mean()), range(200), seed=0, draws=4000)
    half = 1.96 * value_n.std(ddof=1) / math.sqrt(200)
    assert interval.value == value_n.mean()
    assert interval.low == pytest.approx(value_n.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(value_n.mean() + half, abs=0.1 * half)
    assert (interval.method, interval.note, interval.n, interval.groups) == (BOOTSTRAP, "", 200, 200)


def test_bootstrap_agrees_with_the_grouped_proportion():
    hits, groups = grouped_successes(np.random.default_rng(5), 40, 20, 0.7, 0.3)
    by_draws = bootstrap(lambda index: float(hits[index].mean()), groups, seed=0, draws=3000)
    by_formula = proportion(hits, groups)
    assert by_draws.low == pytest.approx(by_formula.low, abs=0.02)
    assert by_draws.high == pytest.approx(by_formula.high, abs=0.02)


def test_coverage_of_the_true_auroc():
    # A score with a part common to its group: the true AUROC over all pairs of a wide population is known.
    true = stats.norm.cdf(1.5 / math.sqrt(2 * (1 + 0.7**2)))
    rng, covered, ignorant = np.random.default_rng(11), 0, 0
    groups = np.repeat(np.arange(40), 10)
    for _ in range(100):
        truth_n = np.repeat(rng.random(40) < 0.4, 10)
        score_n = 1.5 * truth_n + rng.normal(size=400) + 0.7 * np.repeat(rng.normal(size=40), 10)
        order = np.argsort(score_n)
        truth_n, score_n, group_n = truth_n[order], score_n[order], groups[order]

        def area(index, truth_n=truth_n, score_n=score_n):
            return metrics.auroc(truth_n[index], score_n[index])

        interval = bootstrap(area, group_n, seed=0, draws=150, units=int(truth_n.sum() / 10))
        covered += interval.low <= true <= interval.high
        interval = bootstrap(area, range(400), seed=0, draws=150)
        ignorant += interval.low <= true <= interval.high
    assert covered / 100 >= 0.9
    assert ignorant / 100 < 0.85


def test_draws_take_whole_groups_in_rising_order_and_follow_the_seed():
    groups = ["b", "a", "b", "c", "a", "b"]
    seen = []
    bootstrap_draws(lambda index: [float(len(seen.append(index) or index))], groups, seed=4, draws=20)
    for index in seen:
        assert (np.diff(index) >= 0).all()
        times_n = np.bincount(index, minlength=6)
        assert times_n[0] == times_n[2] == times_n[5]
        assert times_n[1] == times_n[4]
        assert times_n[0] + times_n[1] + times_n[3] == 3
    again, other = (bootstrap_draws(lambda i: [float(i.sum())], groups, seed, 20) for seed in (4, 5))
    assert [row[0] for row in again] == [index.sum() for index in seen]
    assert (again != other).any()


@pytest.mark.parametrize("draws", [3, 100, 230])
def test_sums_of_draws_are_those_of_the_same_draws(draws):
    random = np.random.default_rng(8)
    value_nc, groups = random.random((60, 2)), random.permutation(np.repeat(list("abcdefghijkl"), 5))
    drawn_dc = bootstrap_sums(value_nc, groups, seed=3, draws=draws)
    assert drawn_dc == pytest.approx(bootstrap_draws(lambda i: value_nc[i].sum(axis=0).tolist(), groups, 3, draws))
    with pytest.raises(ValueError, match="one group for each"):
        bootstrap_sums(value_nc, groups[:-1], seed=0)


@pytest.mark.parametrize("value", [0.0, 0.6, 1.0])
def test_collapsed_draws_fall_back_on_wilson(value):
    interval = bootstrap_interval(value, np.full(100, value), range(50), units=12)
    assert (interval.low, interval.high) == pytest.approx(wilson(value, 12))
    assert (interval.method, interval.effective) == ("Wilson, each group counted as one sample", 12)
    assert "cannot tell the spread" in interval.note


def test_an_interval_at_the_edge_says_no_less_than_the_edge_itself():
    drawn_d = np.linspace(0, 0.0004, 200)
    for value, draws in ((0.0002, drawn_d), (0.9998, 1 - drawn_d)):
        interval = bootstrap_interval(value, draws, range(40), units=12, edge=0.0005)
        lowest, highest = wilson(value, 12)
        assert (interval.low, interval.high) == pytest.approx(
            (min(lowest, draws.min()), max(highest, draws.max())), abs=1e-5
        )
        assert "cannot tell the spread" in interval.note
        assert bootstrap_interval(value, draws, range(40), units=12).method == BOOTSTRAP
    beyond = bootstrap_interval(0.0002, np.linspace(0, 0.0006, 200), range(40), units=12, edge=0.0005)
    assert beyond.method == BOOTSTRAP and beyond.high < 0.0006


def test_a_class_in_one_group_only_tells_nothing_of_other_groups():
    draws = np.random.default_rng(0).uniform(0.78, 0.82, 500)
    interval = bootstrap_interval(0.8, draws, range(50), units=1)
    assert (interval.low, interval.high) == pytest.approx(wilson(0.8, 1))


def test_a_value_outside_of_its_draws_is_taken_in():
    interval = bootstrap_interval(0.5, np.linspace(0.6, 0.7, 100), range(30))
    assert interval.low < 0.5 < interval.high
    assert interval.method != BOOTSTRAP


def test_undefined_draws_are_left_out_and_counted():
    drawn_d = np.append(np.linspace(0.4, 0.8, 90), [np.nan] * 10)
    interval = bootstrap_interval(0.6, drawn_d, range(30), units=25)
    assert "10 of 100 draws undefined" in interval.note
    assert 0.39 < interval.low < interval.high < 0.81
    nothing = bootstrap_interval(0.6, np.full(10, np.nan), range(30))
    assert (nothing.low, nothing.high) == pytest.approx(wilson(0.6, 30))


def test_few_groups_widen_the_interval_and_say_so():
    drawn_d = np.linspace(0.2, 0.8, 1001)
    many, few = bootstrap_interval(0.5, drawn_d, range(500)), bootstrap_interval(0.5, drawn_d, range(5))
    # Hesterberg (2015): the tail is the normal one beyond sqrt(5 / 4) x t(0.975, 4) = 1.1180 x 2.7764.
    assert few.low == pytest.approx(0.2 + 0.6 * stats.norm.sf(3.1042), rel=1e-5)
    assert many.high - many.low == pytest.approx(0.6 * 0.95, abs=0.002)
    assert "fewer than 20 groups (5)" in few.note
    rare = bootstrap_interval(0.5, drawn_d, range(500), units=5)
    assert (rare.low, rare.high) == (few.low, few.high)
    assert "rarer class stands in fewer than 20 groups (5)" in rare.note


@pytest.mark.parametrize("value", [float("nan"), 1.5])
def test_a_value_outside_of_zero_to_one_is_refused(value):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        bootstrap_interval(value, np.array([0.1, 0.2]), range(3))
