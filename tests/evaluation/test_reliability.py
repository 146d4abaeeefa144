"""Calibration measures against scikit-learn, against hand-computed cases, and against a truth that is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from flawscope.evaluation.intervals import bootstrap, proportion
from flawscope.evaluation.measure import measure
from flawscope.evaluation.reliability import (
    brier_parts,
    calibration_error,
    equal_count_bins,
    plain_error,
    reliability,
)
from flawscope.records import Interval, Task

MEASURES = ("expected calibration error", "Brier score", "log loss")


def draw(n, seed=0, curve=lambda logit_n: logit_n, per=1, alike=0.0):
    """Truth, probability, right probability, group: `per` samples a group, whose truths are alike by `alike`."""
    rng = np.random.default_rng(seed)
    group_n = np.arange(n) // per
    logit_n = rng.normal(-1, 2, n)
    right_n = expit(curve(logit_n))
    common_g = rng.normal(size=group_n.max() + 1)
    hidden_n = np.sqrt(alike) * common_g[group_n] + np.sqrt(1 - alike) * rng.normal(size=n)
    return norm.cdf(hidden_n) < right_n, expit(logit_n), right_n, group_n


def test_numbers_agree_with_scikit_learn():
    truth_n, probability_n, _, group_n = draw(500, curve=lambda logit_n: logit_n / 2)
    found = reliability(truth_n, probability_n, group_n, draws=50)
    assert found["measures"]["Brier score"]["value"] == pytest.approx(brier_score_loss(truth_n, probability_n))
    assert found["measures"]["log loss"]["value"] == pytest.approx(log_loss(truth_n, probability_n))
    share_b, mean_b = calibration_curve(truth_n, probability_n, n_bins=10, strategy="quantile")
    assert [each["share"]["value"] for each in found["bins"]] == pytest.approx(share_b.tolist())
    assert [each["probability"] for each in found["bins"]] == pytest.approx(mean_b.tolist())
    # 500 samples without ties fill ten bins evenly.
    assert found["plain error"] == pytest.approx(np.abs(share_b - mean_b).mean())
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_plain_error_by_hand():
    # Two bins: (0.1, 0.2, 0.3) with one positive, off by 0.4/3; (0.6, 0.7, 0.8) with three, off by 0.9/3.
    truth_n = np.array([True, False, False, True, True, True])
    probability_n = np.array([0.1, 0.2, 0.3, 0.6, 0.7, 0.8])
    assert plain_error(truth_n, probability_n, bins=2) == pytest.approx((0.4 + 0.9) / 6)
    order = [3, 0, 5, 1, 4, 2]
    assert plain_error(truth_n[order], probability_n[order], bins=2) == pytest.approx((0.4 + 0.9) / 6)


def test_equal_probabilities_share_a_bin_as_isotonic_regression_makes_them():
    probability_n = np.repeat([0.1, 0.4, 0.9], [70, 20, 10])
    bin_n = equal_count_bins(probability_n)
    assert [set(bin_n[probability_n == value]) for value in (0.1, 0.4, 0.9)] == [{0}, {1}, {2}]
    assert equal_count_bins(np.full(5, 0.5)).tolist() == [0] * 5
    assert sorted(equal_count_bins(np.linspace(0, 1, 4))) == [0, 1, 2, 3]
    assert np.bincount(equal_count_bins(np.random.default_rng(0).random(1000))).tolist() == [100] * 10


def test_the_brier_parts_add_up():
    truth_n, probability_n, _, _ = draw(400)
    parts = brier_parts(truth_n, probability_n)
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within bins"]
    assert total == pytest.approx(brier_score_loss(truth_n, probability_n))
    share = truth_n.mean()
    assert parts["uncertainty"] == pytest.approx(brier_score_loss(truth_n, np.full(400, share)))
    rounded = brier_parts(truth_n, np.round(probability_n, 1) * 0.999)  # ten values or fewer a bin each
    assert abs(rounded["within bins"]) < 0.002


def test_intervals_of_brier_and_log_loss_are_those_of_the_bootstrap():
    truth_n, probability_n, _, group_n = draw(300, per=3, alike=0.4)
    found = reliability(truth_n, probability_n, group_n)["measures"]
    square_n = (probability_n - truth_n) ** 2
    units = min(len(set(group_n[truth_n])), len(set(group_n[~truth_n])))
    other = bootstrap(lambda index: float(square_n[index].mean()), group_n, seed=5, units=units)
    mine = Interval(**found["Brier score"])
    assert (mine.low, mine.high) == pytest.approx((other.low, other.high), abs=0.006)
    assert (mine.groups, mine.method) == (100, other.method)
    loss = Interval(**found["log loss"])
    assert 0 < loss.low < loss.value < loss.high < 1


def test_bars_are_wilson_intervals_on_the_effective_size():
    truth_n, probability_n, _, group_n = draw(300, per=3, alike=0.4)
    first_n = equal_count_bins(probability_n) == 0
    found = reliability(truth_n, probability_n, group_n, draws=20)
    assert found["bins"][0]["share"] == proportion(truth_n[first_n], group_n[first_n]).as_dict()


@pytest.mark.parametrize(("n", "per", "alike"), [(300, 1, 0.0), (400, 10, 0.3)])
def test_right_probabilities_are_not_held_wrong(n, per, alike):
    """The plain error is far from 0 where nothing is wrong; the interval covers 0 in about 97.5 % of all cases."""
    found = [
        calibration_error(truth_n, probability_n, group_n, seed=seed, draws=200)
        for seed in range(120)
        for truth_n, probability_n, _, group_n in [draw(n, seed, per=per, alike=alike)]
    ]
    covered = np.mean([interval.low == 0 for interval, _ in found])
    assert covered >= 0.93  # 0.975 less three standard errors
    plain, chance = (np.mean([facts[key] for _, facts in found]) for key in ("plain error", "by chance"))
    assert plain == pytest.approx(chance, rel=0.15)
    assert np.mean([interval.value for interval, _ in found]) < 0.4 * plain


@pytest.mark.parametrize(("n", "per", "alike"), [(300, 1, 0.0), (400, 10, 0.3)])
def test_a_known_error_is_covered_and_hardly_biased(n, per, alike):
    covered, values, plain, true = [], [], [], []
    for seed in range(120):
        truth_n, probability_n, right_n, group_n = draw(n, seed, lambda logit_n: logit_n / 2, per, alike)
        interval, facts = calibration_error(truth_n, probability_n, group_n, seed=seed, draws=200)
        bin_n = equal_count_bins(probability_n)
        true.append(float(np.abs(np.bincount(bin_n, weights=right_n - probability_n)).sum() / n))
        covered.append(interval.low <= true[-1] <= interval.high)
        values.append(interval.value)
        plain.append(facts["plain error"])
    assert np.mean(covered) >= 0.89  # 0.95 less three standard errors
    assert abs(np.mean(values) - np.mean(true)) < 0.008
    assert np.mean(plain) > np.mean(values)


def test_a_test_over_groups_takes_no_group_for_many_witnesses():
    """All samples of a group have one truth: over samples right probabilities look wrong, over groups they do not."""
    wrong = {"groups": 0, "samples": 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        group_n = np.repeat(np.arange(30), 20)
        probability_n = np.repeat(rng.uniform(0.2, 0.8, 30), 20) + rng.uniform(-0.01, 0.01, 600)
        truth_n = np.repeat(rng.random(30) < probability_n[::20], 20)
        for name, codes in (("groups", group_n), ("samples", np.arange(600))):
            wrong[name] += calibration_error(truth_n, probability_n, codes, draws=200)[0].low > 0
    assert wrong["groups"] <= 6
    assert wrong["samples"] >= 50


@pytest.mark.parametrize(
    ("truth", "probability", "groups"),
    [
        ([False] * 40, np.linspace(0, 0.2, 40), range(40)),  # no positives
        ([True] * 40, np.linspace(0.8, 1, 40), range(40)),  # no negatives
        ([False, True, True], [0.2, 0.6, 0.7], range(3)),
        ([True], [0.4], [0]),
        ([True], [0.0], [0]),  # surely wrong
        ([False, True] * 20, [0.0, 1.0] * 20, range(40)),  # surely right
        ([False, True] * 20, [0.5] * 40, range(40)),  # one probability for all
        ([False, True] * 20, [0.1, 0.8] * 20, [0] * 40),  # one group
    ],
)
def test_little_data_give_wide_intervals_and_no_crash(truth, probability, groups):
    found = reliability(np.array(truth), np.array(probability, dtype=float), np.array(groups))
    for name in MEASURES:
        interval = Interval(**found["measures"][name])
        assert interval.low >= 0
        assert interval.high > interval.low + 0.01
    assert sum(each["share"]["n"] for each in found["bins"]) == len(truth)


def test_the_same_seed_gives_the_same_numbers_however_groups_are_numbered():
    truth_n, probability_n, _, group_n = draw(200, per=4)
    first, again = (reliability(truth_n, probability_n, codes, seed=3, draws=60) for codes in (group_n, 7 * group_n))
    assert first == again
    assert first != reliability(truth_n, probability_n, group_n, seed=4, draws=60)


def test_the_metrics_document_holds_it_for_each_class():
    truth_n, probability_n, _, group_n = draw(80)
    task = Task("binary", ("bad",))
    flag_nk = (probability_n >= 0.5)[:, None]
    names = [f"g{code}" for code in group_n]
    given = truth_n[:, None].astype(float), probability_n[:, None], flag_nk
    document = measure(task, *given, names, thresholds=[0.5])
    assert document["confidence"] == {}
    expected = reliability(truth_n, probability_n, np.unique(names, return_inverse=True)[1])
    assert document["classes"]["bad"]["calibration"] == expected
    nothing = measure(task, *(array[:0] for array in given), [], thresholds=[0.5])
    assert nothing["classes"]["bad"]["calibration"] == {}


def test_exclusive_classes_also_measure_the_one_that_was_chosen():
    rng = np.random.default_rng(0)
    raw_nk = np.exp(rng.normal(size=(90, 3)))
    probability_nk = raw_nk / raw_nk.sum(axis=1, keepdims=True)
    label_n = rng.integers(3, size=90)
    top_n = probability_nk.argmax(axis=1)
    task, flag_nk = Task("multiclass", ("a", "b", "c")), np.eye(3, dtype=bool)[top_n]
    found = measure(task, np.eye(3)[label_n], probability_nk, flag_nk, [str(i) for i in range(90)], thresholds=None)
    said = found["confidence"]["measures"]["Brier score"]["value"]
    assert said == pytest.approx(brier_score_loss(label_n == top_n, probability_nk.max(axis=1)))
