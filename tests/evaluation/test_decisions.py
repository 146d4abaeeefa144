import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flawscope.errors import RecipeError
from flawscope.evaluation.decisions import Thresholds, fit_thresholds, widest_middle
from flawscope.evaluation.intervals import bootstrap_draws
from flawscope.records import Task

BINARY = Task("binary", ("bad",))
MULTICLASS = Task("multiclass", ("a", "b", "c"))


def column(*values):
    return np.array(values, dtype=float)[:, None]


def gains(truth_n, score_n, thresholds, rule):
    flag_tn = score_n >= np.asarray(thresholds)[:, None]
    if rule == "best_accuracy":
        return (flag_tn == truth_n).mean(axis=1)
    if not truth_n.any():
        return np.full(len(flag_tn), np.nan)
    return 2 * (flag_tn & truth_n).sum(axis=1) / (flag_tn.sum(axis=1) + truth_n.sum())


def log_odds(value):
    return np.log(value / (1 - value))


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.2, 0.21, 0.5, 0.9]), st.sampled_from("abcde")), max_size=25),
    st.sampled_from(["best_f1", "best_accuracy"]),
)
def test_nearest_to_the_target_of_all_within_one_standard_error(rows, rule):
    rows = [*rows, (False, 0.2, "a"), (True, 0.21, "b"), (False, 0.5, "a"), (True, 0.9, "c")]
    truth_n, score_n, group_n = (np.array(part) for part in zip(*rows, strict=True))
    at = np.array([0.1, 0.205, 0.355, 0.7, 0.95])
    gain_t = gains(truth_n, score_n, at, rule)
    target = 0.5 if rule == "best_accuracy" else gain_t.max() / 2
    at[np.searchsorted([0.2, 0.21, 0.5, 0.9], target)] = target  # in place of the middle of its cut
    drawn_dt = bootstrap_draws(
        lambda index: gains(truth_n[index], score_n[index], at, rule).tolist(), group_n, seed=0, draws=200
    )
    drawn_dt = drawn_dt[np.isfinite(drawn_dt).all(axis=1)]
    groups = len(set(group_n))
    possible = []  # against which of several that are equally good is open
    for best in np.flatnonzero(gain_t == gain_t.max()):
        error_t = (drawn_dt - drawn_dt[:, [best]]).std(axis=0) * np.sqrt(groups / (groups - 1))
        alike = at[gain_t >= gain_t.max() - error_t - 1e-9]
        possible.append(alike[np.abs(log_odds(alike) - log_odds(target)).argmin()])
    fitted = fit_thresholds(BINARY, column(*score_n), column(*truth_n), rule, group_n.tolist())
    assert fitted.rule == rule
    assert any(fitted.values[0] == pytest.approx(each) for each in possible)


def test_the_target_itself_where_it_is_among_the_best():
    # The best F1 is 2 x 8 / (8 + 4 + 8) = 0.8, for every threshold from 0.05 to 0.6.
    score_nk, target_nk = column(*[0.05] * 20, *[0.6] * 12), column(*[0] * 24, *[1] * 8)
    assert fit_thresholds(BINARY, score_nk, target_nk).values == (0.4,)
    fitted = fit_thresholds(BINARY, score_nk, target_nk, "best_accuracy")
    assert fitted.values == (0.5,)
    assert fitted.notes == ("bad: the threshold 0.5 is the nearest to 0.5 of the best, accuracy 0.875",)


def test_the_middle_where_the_target_is_clearly_worse():
    score_nk, target_nk = column(*[0.1] * 20, *[0.3] * 20), column(*[0] * 20, *[1] * 20)
    for rule in ("best_f1", "best_accuracy"):
        assert fit_thresholds(BINARY, score_nk, target_nk, rule).values == pytest.approx((0.2,))


def between(good, bad, more=20):
    """Twenty clear parts of each kind at 0.2 and 0.8, and so many at 0.6, where 0.5 and 0.7 differ."""
    score_n = [*[0.2] * more, *[0.8] * more, *[0.6] * (good + bad)]
    return column(*score_n), column(*[0] * more, *[1] * more, *[0] * good, *[1] * bad)


def test_what_is_not_told_apart_by_one_standard_error():
    # Of 45, 0.7 has 1 mistake less than 0.5: 3 less and 2 more; the standard error is the root of 5, 2.2 mistakes.
    fitted = fit_thresholds(BINARY, *between(good=3, bad=2), rule="best_accuracy")
    assert fitted.values == (0.5,)
    assert "accuracy 0.933 on these samples, is the nearest to 0.5" in fitted.notes[0]
    assert "of the best, accuracy 0.956 at 0.7" in fitted.notes[0]
    # 12 less, and the standard error is the root of 12, 3.5.
    assert fit_thresholds(BINARY, *between(good=12, bad=0), rule="best_accuracy").values == pytest.approx((0.7,))


def test_the_standard_error_is_one_over_groups():
    # 0.7 has 10 mistakes less than 0.5. If 12 come from one group and 2 of another are against it, that is 10 +- 12.
    score_nk, target_nk = between(good=12, bad=2)
    alone = fit_thresholds(BINARY, score_nk, target_nk, "best_accuracy")
    assert alone.values == pytest.approx((0.7,))
    groups = [f"clear {n % 10}" for n in range(40)] + ["one"] * 12 + ["another"] * 2
    assert fit_thresholds(BINARY, score_nk, target_nk, "best_accuracy", groups).values == (0.5,)
    single = fit_thresholds(BINARY, score_nk, target_nk, "best_accuracy", ["lot"] * 54)
    assert single.values == alone.values
    assert single.notes[-1].startswith("all these samples are one group")


def test_few_of_many_cuts_are_looked_at_but_the_best_one_is():
    score_n = np.linspace(0.001, 0.999, 4001)
    first = score_n[137]
    value = fit_thresholds(BINARY, score_n[:, None], (score_n >= first)[:, None] * 1.0, "best_accuracy").values[0]
    assert score_n[120] < value < score_n[155]  # a dozen mistakes of 4,001 are told apart


def test_the_next_groups_regret_it_less_than_the_best_of_these_groups():
    # Each group has a shift of its own; over all groups the probabilities are nearly right.
    random = np.random.default_rng(0)

    def drawn(groups, size=20):
        odds_n = random.normal(-0.5, 2.0, groups * size)
        shifted_n = odds_n + np.repeat(random.normal(0, 1.5, groups), size)
        truth_n = random.random(groups * size) < 1 / (1 + np.exp(-shifted_n))
        return 1 / (1 + np.exp(-0.75 * odds_n)), truth_n, np.repeat(np.arange(groups), size).astype(str).tolist()

    score_n, truth_n, _ = drawn(500)
    for rule in ("best_f1", "best_accuracy"):
        regret = []
        for _ in range(40):
            score_few, truth_few, groups = drawn(5)
            cuts = (np.unique(score_few)[1:] + np.unique(score_few)[:-1]) / 2
            best = cuts[gains(truth_few, score_few, cuts, rule).argmax()]
            fitted = fit_thresholds(BINARY, score_few[:, None], truth_few[:, None] * 1.0, rule, groups).values[0]
            regret.append(gains(truth_n, score_n, [best, fitted], rule))
        best, ours = gains(truth_n, score_n, np.linspace(0.05, 0.95, 91), rule).max() - np.mean(regret, axis=0)
        assert 0 <= ours < 0.6 * best, (rule, ours, best)


def test_widest_plateau_wins():
    edges = np.array([1.0, 0.9, 0.8, 0.7, 0.1]), np.array([0.9, 0.8, 0.7, 0.1, 0.0])
    assert widest_middle(np.array([False, True, False, False, True]), *edges) == pytest.approx(0.05)
    assert widest_middle(np.array([False, True, True, False, True]), *edges) == pytest.approx(0.8)


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
    score_nk = np.array([[0.1, 0.5], [0.2, 0.6], [0.3, 0.9]] * 10)
    target_nk = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]] * 10)
    assert fit_thresholds(task, score_nk, target_nk).values == pytest.approx((0.15, 0.75))


def test_multiclass_thresholds_are_kept_where_they_beat_the_argmax():
    # The rare class c never has the largest probability, but 0.3 tells it apart.
    probability_nk = np.array([[0.9, 0.1, 0.0]] * 5 + [[0.1, 0.9, 0.0]] * 5 + [[0.4, 0.3, 0.3]] * 2)
    target_nk = np.eye(3)[[0] * 5 + [1] * 5 + [2] * 2]
    for rule in ("best_f1", "best_accuracy"):
        fitted = fit_thresholds(MULTICLASS, probability_nk, target_nk, rule)
        assert fitted.values == pytest.approx((0.5, 0.5, 0.15))
        assert ((probability_nk / fitted.values).argmax(axis=1) == target_nk.argmax(axis=1)).all()
        assert "1.000 on these samples, are better than the plain argmax" in fitted.notes[-1]


def test_multiclass_thresholds_that_are_better_by_chance_are_not_kept():
    # They are right on three samples of b, where the plain argmax is not, and wrong on two of a.
    probability_nk = np.array([[0.9, 0.1, 0.0]] * 20 + [[0.1, 0.9, 0.0]] * 20 + [[0.51, 0.49, 0.0]] * 5)
    target_nk = np.eye(3)[[0] * 20 + [1] * 20 + [0] * 2 + [1] * 3]
    fitted = fit_thresholds(MULTICLASS, probability_nk, target_nk, "best_accuracy")
    assert fitted.values == (0.5, 0.5, 0.5)
    assert [note.split(":")[0] for note in fitted.notes] == ["c", "plain argmax"]


def test_multiclass_falls_back_on_the_plain_argmax():
    fitted = fit_thresholds(MULTICLASS, np.eye(3) * 0.7 + 0.1, np.eye(3))
    assert fitted.values == (0.5, 0.5, 0.5)
    (note,) = fitted.notes
    assert note.startswith("plain argmax: thresholds a class, mean F1 1.000 on these samples, are not better")


def test_unknown_rule_names_the_nearest():
    with pytest.raises(RecipeError, match="did you mean 'best_f1'"):
        fit_thresholds(BINARY, column(0.1), column(0), "bestf1")


@pytest.mark.parametrize("probability_nk", [np.zeros((2, 2)), np.full((2, 1), 1.5), np.full((2, 1), np.nan)])
def test_arrays_that_do_not_fit_are_refused(probability_nk):
    with pytest.raises(ValueError, match=r"expected two arrays|lie in"):
        fit_thresholds(BINARY, probability_nk, np.zeros((2, 1)))


def test_groups_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one group for each of 2 samples, got 1"):
        fit_thresholds(BINARY, column(0.1, 0.2), column(0, 1), groups=["a"])


def test_thresholds_are_checked():
    with pytest.raises(ValueError, match="thresholds lie in"):
        Thresholds((0.0,), "fixed")
