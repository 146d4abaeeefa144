import math

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from flawscope.evaluation import metrics

# Few distinct scores, so that ties are the rule.
samples = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40)
two_kinds = samples.filter(lambda rows: len({truth for truth, _ in rows}) == 2)


def arrays(rows):
    truth_n, score_n = zip(*rows, strict=True)
    return np.array(truth_n), np.array(score_n) / 6


@settings(deadline=None)
@given(two_kinds)
def test_scores_agree_with_scikit_learn(rows):
    truth_n, score_n = arrays(rows)
    assert metrics.auroc(truth_n, score_n) == pytest.approx(reference.roc_auc_score(truth_n, score_n))
    expected = reference.average_precision_score(truth_n, score_n)
    assert metrics.average_precision(truth_n, score_n) == pytest.approx(expected)


@settings(deadline=None)
@given(two_kinds)
def test_auroc_is_the_share_of_pairs_in_order(rows):
    truth_n, score_n = arrays(rows)
    pairs = np.sign(score_n[truth_n][:, None] - score_n[~truth_n][None, :])
    assert metrics.auroc(truth_n, score_n) == pytest.approx((pairs.mean() + 1) / 2)
    assert metrics.auroc(~truth_n, -score_n) == metrics.auroc(truth_n, score_n)


@settings(deadline=None)
@given(two_kinds)
def test_curves_agree_with_scikit_learn(rows):
    truth_n, score_n = arrays(rows)
    false_rate, true_rate, threshold = reference.roc_curve(truth_n, score_n, drop_intermediate=False)
    for got, expected in zip(metrics.roc_curve(truth_n, score_n), (false_rate, true_rate, threshold), strict=True):
        np.testing.assert_allclose(got, expected)
    precision, recall, _ = reference.precision_recall_curve(truth_n, score_n)
    got_recall, got_precision, _ = metrics.precision_recall_curve(truth_n, score_n)
    np.testing.assert_allclose(got_recall, recall[::-1])
    np.testing.assert_allclose(got_precision, precision[::-1])


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_counts_agree_with_scikit_learn(rows):
    truth_n, flag_n = (np.array(column) for column in zip(*rows, strict=True))
    counts = metrics.confusion(truth_n, flag_n)
    (tn, fp), (fn, tp) = reference.confusion_matrix(truth_n, flag_n, labels=[False, True])
    assert counts == metrics.Counts(tp=tp, fp=fp, fn=fn, tn=tn)
    wanted = {
        metrics.recall: reference.recall_score(truth_n, flag_n, zero_division=np.nan),
        metrics.precision: reference.precision_score(truth_n, flag_n, zero_division=np.nan),
        metrics.specificity: reference.recall_score(~truth_n, ~flag_n, zero_division=np.nan),
        metrics.f1: reference.f1_score(truth_n, flag_n, zero_division=np.nan),
        metrics.accuracy: reference.accuracy_score(truth_n, flag_n),
    }
    for metric, expected in wanted.items():
        assert metric(counts) == pytest.approx(expected, nan_ok=True), metric.__name__


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_confusion_matrix_agrees_with_scikit_learn(rows):
    true_n, decided_n = zip(*rows, strict=True)
    expected = reference.confusion_matrix(true_n, decided_n, labels=[0, 1, 2])
    np.testing.assert_array_equal(metrics.confusion_matrix(true_n, decided_n, 3), expected)


def test_perfect_scores_are_exactly_one():
    truth_n = np.array([False] * 7 + [True] * 11)
    score_n = np.linspace(0, 1, 18)
    assert metrics.auroc(truth_n, score_n) == 1.0
    assert metrics.average_precision(truth_n, score_n) == 1.0


def test_what_is_not_defined_is_nan_without_a_warning(recwarn):
    no_positive, score_n = np.array([False, False]), np.array([0.1, 0.2])
    assert math.isnan(metrics.auroc(no_positive, score_n))
    assert math.isnan(metrics.auroc(~no_positive, score_n))
    assert math.isnan(metrics.average_precision(no_positive, score_n))
    assert math.isnan(metrics.roc_curve(no_positive, score_n)[1][-1])
    nothing = metrics.confusion(np.array([], bool), np.array([], bool))
    for metric in (metrics.recall, metrics.precision, metrics.specificity, metrics.f1, metrics.accuracy):
        assert math.isnan(metric(nothing))
    assert math.isnan(metrics.auroc(np.array([], bool), np.array([])))
    assert not recwarn.list


def test_truth_of_a_multiclass_sample_is_its_largest_target_alone():
    target_nk = np.array([[0.3, 0.4, 0.3], [0.5, 0.5, 0.0]])
    assert metrics.truth("multiclass", target_nk).tolist() == [[False, True, False], [True, False, False]]
    assert metrics.truth("multilabel", target_nk).tolist() == [[False, False, False], [True, True, False]]


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.confusion(np.array([1, 0]), np.array([True, False])),
        lambda: metrics.confusion(np.array([True]), np.array([True, False])),
        lambda: metrics.confusion_matrix([0, 3], [0, 1], 3),
        lambda: metrics.auroc(np.array([True, False]), np.array([0.1, np.nan])),
        lambda: metrics.auroc(np.array([1, 0]), np.array([0.1, 0.2])),
        lambda: metrics.average_precision(np.array([True, False]), np.array([0.1])),
    ],
)
def test_arrays_that_do_not_fit_are_refused(call):
    with pytest.raises(ValueError, match=r"expected|lie in|finite"):
        call()
