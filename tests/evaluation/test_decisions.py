import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from flawscope.errors import RecipeError
from flawscope.evaluation.decisions import Thresholds, fit_thresholds
from flawscope.records import Task

BINARY = Task("binary", ("bad",))
MULTICLASS = Task("multiclass", ("a", "b", "c"))


def column(*values):
    return np.array(values, dtype=float)[:, None]


def f1(truth_n, flag_n):
    return f1_score(truth_n, flag_n, zero_division=0)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.21, 0.5, 0.9, 1.0])), min_size=2, max_size=25
    ).filter(lambda rows: len({truth for truth, _ in rows}) == 2),
    st.sampled_from([("best_f1", f1), ("best_accuracy", accuracy_score)]),
)
def test_no_threshold_does_better(rows, rule):
    name, quality = rule
    truth_n, score_n = (np.array(part) for part in zip(*rows, strict=True))
    fitted = fit_thresholds(BINARY, column(*score_n), column(*truth_n), name)
    best = max(
        quality(truth_n, score_n >= threshold) for threshold in (0.1, 0.2, 0.205, 0.21, 0.3, 0.5, 0.7, 0.9, 0.95, 1.0)
    )
    assert quality(truth_n, score_n >= fitted.values[0]) == pytest.approx(best)
    assert fitted.rule == name


def test_threshold_lies_midway_between_the_neighbouring_scores():
    assert fit_thresholds(BINARY, column(0.1, 0.4, 0.6, 0.9), column(0, 0, 1, 1)).values == (0.5,)


def test_widest_plateau_wins():
    # F1 is 2/3 for t in (0.8, 0.9], with one of two positives, and for t in (0, 0.1], with all called.
    score_nk, target_nk = column(0.9, 0.8, 0.7, 0.1), column(1, 0, 0, 1)
    assert fit_thresholds(BINARY, score_nk, target_nk).values[0] == pytest.approx(0.05, abs=0.001)
    score_nk = column(0.9, 0.5, 0.45, 0.1)
    assert fit_thresholds(BINARY, score_nk, target_nk).values[0] == pytest.approx(0.7)


def test_neighbouring_cuts_of_equal_accuracy_are_one_plateau():
    # Between 0.2 and 0.6 one positive and one negative share the score 0.4: calling them or not is right once.
    score_nk, target_nk = column(0.2, 0.4, 0.4, 0.6), column(0, 0, 1, 1)
    assert fit_thresholds(BINARY, score_nk, target_nk, "best_accuracy").values[0] == pytest.approx(0.4)


def test_scores_next_to_each_other_are_still_told_apart():
    low = 0.3
    high = np.nextafter(low, 1)
    threshold = fit_thresholds(BINARY, column(low, high), column(0, 1)).values[0]
    assert low < threshold <= high
    tiny = np.nextafter(0, 1)
    assert fit_thresholds(BINARY, column(0, tiny), column(0, 1)).values[0] == tiny


@pytest.mark.parametrize("score_n", [(0, 0, 0), (1, 1, 1), (0.5, 0.5, 0.5)])
def test_scores_all_alike(score_n):
    assert 0 < fit_thresholds(BINARY, column(*score_n), column(0, 1, 1)).values[0] <= 1


@pytest.mark.parametrize("target, words", [(0, "bad: no sample shows"), (1, "bad: every sample shows")])
@pytest.mark.parametrize("n", [1, 5])
def test_one_kind_of_sample_only_gives_one_half_and_a_note(target, words, n):
    fitted = fit_thresholds(BINARY, np.linspace(0, 1, n)[:, None], np.full((n, 1), float(target)))
    assert fitted.values == (0.5,)
    assert fitted.notes[0].startswith(words)


def test_no_samples_at_all():
    assert fit_thresholds(BINARY, np.zeros((0, 1)), np.zeros((0, 1))).values == (0.5,)
    assert fit_thresholds(MULTICLASS, np.zeros((0, 3)), np.zeros((0, 3))).values == (0.5,) * 3


def test_fixed_is_one_half_each():
    assert fit_thresholds(MULTICLASS, np.eye(3), np.eye(3), "fixed").values == (0.5, 0.5, 0.5)


def test_each_label_has_its_own_threshold():
    task = Task("multilabel", ("crack", "scratch"))
    score_nk = np.array([[0.1, 0.5], [0.2, 0.6], [0.3, 0.9]])
    target_nk = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    assert fit_thresholds(task, score_nk, target_nk).values == pytest.approx((0.15, 0.75))


def test_multiclass_thresholds_are_kept_where_they_beat_the_argmax():
    # The rare class c never has the largest probability, but 0.3 tells it apart.
    probability_nk = np.array([[0.9, 0.1, 0.0]] * 5 + [[0.1, 0.9, 0.0]] * 5 + [[0.4, 0.3, 0.3]] * 2)
    target_nk = np.eye(3)[[0] * 5 + [1] * 5 + [2] * 2]
    for rule in ("best_f1", "best_accuracy"):
        fitted = fit_thresholds(MULTICLASS, probability_nk, target_nk, rule)
        assert fitted.values == pytest.approx((0.65, 0.6, 0.15))
        assert ((probability_nk / fitted.values).argmax(axis=1) == target_nk.argmax(axis=1)).all()
        assert fitted.notes[-1].startswith("thresholds a class: ")


def test_multiclass_falls_back_on_the_plain_argmax():
    fitted = fit_thresholds(MULTICLASS, np.eye(3) * 0.7 + 0.1, np.eye(3))
    assert fitted.values == (0.5, 0.5, 0.5)
    assert fitted.notes[-1].startswith("plain argmax: mean F1 1.000")


def test_unknown_rule_names_the_nearest():
    with pytest.raises(RecipeError, match="did you mean 'best_f1'"):
        fit_thresholds(BINARY, column(0.1), column(0), "bestf1")


@pytest.mark.parametrize("probability_nk", [np.zeros((2, 2)), np.full((2, 1), 1.5), np.full((2, 1), np.nan)])
def test_arrays_that_do_not_fit_are_refused(probability_nk):
    with pytest.raises(ValueError, match=r"expected two arrays|lie in"):
        fit_thresholds(BINARY, probability_nk, np.zeros((2, 1)))


def test_thresholds_are_checked():
    with pytest.raises(ValueError, match="thresholds lie in"):
        Thresholds((0.0,), "fixed")
