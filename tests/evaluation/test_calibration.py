import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from flawscope.errors import RecipeError
from flawscope.evaluation.calibration import FOLDS, IDENTITY, _folds, _held_out_loss, fit
from flawscope.evaluation.calibrators import FITTERS, NAMES
from flawscope.probability import calibrate, odds_against_rest


def line(knots):
    """Slope and offset of a table of two knots at 0 and 1."""
    (x0, y0), (x1, y1) = knots
    assert (x0, x1) == (0, 1)
    return y1 - y0, y0


def make_binary(n=400, slope=0.5, offset=-1.0, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    logit_n = rng.normal(0, 3, n)
    truth_n = rng.random(n) < expit(slope * logit_n + offset)
    return (logit_n * scale)[:, None], truth_n[:, None].astype(float)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_platt_agrees_with_logistic_regression_on_smoothed_targets(scale):
    logit_nk, target_nk = make_binary(scale=scale)
    calibration = fit("binary", logit_nk, target_nk)
    truth_n = target_nk[:, 0] >= 0.5
    smoothed_n = np.where(truth_n, (truth_n.sum() + 1) / (truth_n.sum() + 2), 1 / ((~truth_n).sum() + 2))
    # A soft target t is one sample of weight t and one of weight 1 - t.
    model = LogisticRegression(C=1e10, tol=1e-10, max_iter=1000).fit(
        np.tile(logit_nk / scale, (2, 1)),
        np.repeat([1, 0], len(truth_n)),
        np.concatenate([smoothed_n, 1 - smoothed_n]),
    )
    slope, offset = line(calibration.knots[0])
    assert slope * scale == pytest.approx(model.coef_[0, 0], rel=1e-3)
    assert offset == pytest.approx(model.intercept_[0], abs=1e-3)
    assert (calibration.method, calibration.note) == ("Platt scaling", "")


def test_platt_recovers_the_truth_and_improves_the_loss():
    logit_nk, target_nk = make_binary(n=20000)
    slope, offset = line(fit("binary", logit_nk, target_nk).knots[0])
    assert (slope, offset) == pytest.approx((0.5, -1.0), abs=0.05)


def test_separated_classes_stay_finite():
    logit_nk = np.concatenate([np.linspace(-9, -5, 20), np.linspace(5, 9, 20)])[:, None]
    calibration = fit("binary", logit_nk, (logit_nk > 0).astype(float))
    slope, offset = line(calibration.knots[0])
    assert calibration.method == "Platt scaling"
    assert 0 < slope < 5
    # Platt's targets: 21/22 and 1/22, so the mean probability of the positives is near the former.
    assert expit(slope * logit_nk[20:] + offset).mean() == pytest.approx(21 / 22, abs=0.01)


def test_soft_targets_count_from_one_half():
    logit_nk, target_nk = make_binary(n=100)
    soft_nk = np.where(target_nk >= 0.5, 0.67, 0.33)
    assert fit("binary", logit_nk, soft_nk) == fit("binary", logit_nk, target_nk)


@pytest.mark.parametrize(
    "logit_n, target_n, reason",
    [
        ([1.0, 2.0, 3.0], [1, 1, 1], "3 samples show the class and 0 do not"),
        ([1.0, 2.0, 3.0], [0, 0, 0], "0 samples show the class and 3 do not"),
        ([], [], "0 samples show the class"),
        ([2.0, 2.0, 2.0], [0, 1, 0], "the same logit"),
        ([3.0, 2.0, 1.0, 0.0], [0, 0, 1, 1], "does not rise"),
        ([1.0, 2.0, 1.0, 2.0], [0, 0, 1, 1], "does not rise"),
    ],
)
def test_platt_leaves_logits_alone_where_data_allow_no_fit(logit_n, target_n, reason):
    calibration = fit("binary", np.array(logit_n)[:, None], np.array(target_n, dtype=float)[:, None], ["crack"])
    assert (calibration.method, calibration.knots) == ("identity", (IDENTITY,))
    assert calibration.note.startswith("crack: ")
    assert reason in calibration.note


def test_each_label_is_calibrated_by_itself():
    logit_nk, target_nk = make_binary()
    both = fit("multilabel", np.hstack([logit_nk, logit_nk]), np.hstack([target_nk, np.zeros_like(target_nk)]), "ab")
    assert both.knots == (fit("binary", logit_nk, target_nk).knots[0], IDENTITY)
    assert both.method == "Platt scaling"
    assert both.note.startswith("b: ")


def make_multiclass(temperature, n=3000, k=4, seed=1):
    rng = np.random.default_rng(seed)
    logit_nk = rng.normal(0, 2, (n, k))
    label_n = (logit_nk + rng.gumbel(size=(n, k))).argmax(axis=1)
    return logit_nk * temperature + 7.0, np.eye(k)[label_n]


@pytest.mark.parametrize("temperature", [0.4, 1.0, 30.0])
def test_temperature_has_the_least_loss(temperature):
    logit_nk, target_nk = make_multiclass(temperature)
    calibration = fit("multiclass", logit_nk, target_nk)
    assert len(set(calibration.knots)) == 1
    assert len(calibration.knots) == 4
    slope, offset = line(calibration.knots[0])
    assert offset == 0
    assert 1 / slope == pytest.approx(temperature, rel=0.1)
    best = minimize_scalar(
        lambda t: -np.sum(target_nk * log_softmax(logit_nk / t, axis=1)), bounds=(0.1, 100), options={"xatol": 1e-8}
    )
    assert 1 / slope == pytest.approx(best.x, rel=1e-4)
    assert (calibration.method, calibration.note) == ("temperature scaling", "")


@pytest.mark.parametrize(
    "logit_nk, label_n, reason",
    [
        ([[3.0, 1, 0], [0, 2, 1], [0, 1, 4]], [0, 1, 2], "no finite optimum"),
        ([[0.0, 1, 2], [2, 0, 1], [2, 1, 0]], [0, 1, 2], "do not rise"),
        ([[3.0, 1, 0], [3, 2, 4]], [0, 0], "at least two classes"),
        ([[1.0, 1, 1], [2, 2, 2]], [0, 1], "alike"),
        (np.zeros((0, 3)), [], "at least two classes"),
    ],
)
def test_temperature_leaves_logits_alone_where_data_allow_no_fit(logit_nk, label_n, reason):
    calibration = fit("multiclass", np.array(logit_nk), np.eye(3)[np.array(label_n, dtype=int)])
    assert (calibration.method, calibration.knots) == ("identity", (IDENTITY,) * 3)
    assert reason in calibration.note


def test_logits_must_be_finite_and_fit_the_targets():
    with pytest.raises(ValueError, match="finite"):
        fit("binary", np.array([[np.nan], [1.0]]), np.array([[0.0], [1.0]]))
    with pytest.raises(ValueError, match="n x k"):
        fit("binary", np.zeros((2, 1)), np.zeros((3, 1)))


# --- other methods, and the choice among them --------------------------------------------------------------------


def curved(n, seed=0):
    """A class whose probability follows the logit in no straight line: labels are wrong in 8 % of all cases."""
    rng = np.random.default_rng(seed)
    logit_n = rng.normal(0, 2, n)
    return logit_n[:, None], (rng.random(n) < 0.08 + 0.84 * expit(3 * logit_n))[:, None].astype(float)


@pytest.mark.parametrize("method", list(FITTERS))
def test_a_method_that_is_named_is_fitted(method):
    logit_nk, target_nk = make_binary()
    calibration = fit("binary", logit_nk, target_nk, method=method)
    assert calibration.knots == (FITTERS[method](logit_nk[:, 0], target_nk[:, 0] >= 0.5),)
    assert (calibration.method, calibration.note, calibration.against_rest) == (NAMES[method], "", False)


def test_none_leaves_logits_alone_and_says_so():
    calibration = fit("multiclass", *make_multiclass(2.0, n=30), method="none")
    assert (calibration.method, calibration.knots) == ("none", (IDENTITY,) * 4)
    assert calibration.note == "scores are not calibrated"


def test_an_unknown_method_names_the_nearest():
    with pytest.raises(RecipeError, match="did you mean 'isotonic'"):
        fit("binary", *make_binary(), method="isotonik")


def test_groups_must_fit_the_samples():
    with pytest.raises(ValueError, match="one group for each of 400"):
        fit("binary", *make_binary(), method="auto", groups=["a"])


@pytest.mark.parametrize("method", ["platt", "isotonic", "venn_abers"])
def test_exclusive_classes_are_fitted_against_the_rest(method):
    logit_nk, target_nk = make_multiclass(3.0, n=2000)
    calibration = fit("multiclass", logit_nk, target_nk, method=method)
    assert calibration.against_rest
    assert calibration.method == f"{NAMES[method]}, each class against the rest"
    odds_nk = odds_against_rest(logit_nk)
    assert calibration.knots == tuple(FITTERS[method](odds_nk[:, c], target_nk[:, c] >= 0.5) for c in range(4))
    fresh_nk, fresh_target_nk = make_multiclass(3.0, n=2000, seed=9)
    loss = log_loss(fresh_target_nk, calibrate("multiclass", calibration.knots, fresh_nk, against_rest=True))
    one = fit("multiclass", logit_nk, target_nk)
    assert loss < log_loss(fresh_target_nk, calibrate("multiclass", one.knots, fresh_nk)) + 0.03
    assert loss < log_loss(fresh_target_nk, softmax(fresh_nk, axis=1)) - 0.1


def test_a_class_of_several_that_cannot_be_fitted_stays_as_the_softmax_has_it():
    logit_nk, target_nk = make_multiclass(1.0, n=200, k=3)
    logit_nk, target_nk = np.c_[logit_nk, logit_nk.min(axis=1) - 3], np.c_[target_nk, np.zeros(200)]
    calibration = fit("multiclass", logit_nk, target_nk, "abcd", method="platt")
    assert calibration.knots[3] == IDENTITY
    assert calibration.note.startswith("d: logits are used as they are: 0 samples")
    probability_nk = calibrate("multiclass", calibration.knots, logit_nk, calibration.against_rest)
    np.testing.assert_allclose(probability_nk.sum(axis=1), 1)


def test_auto_takes_platt_where_a_line_is_right_and_more_where_it_is_not():
    straight = fit("binary", *make_binary(n=600), method="auto")
    assert straight.method == "Platt scaling"
    assert straight.knots == fit("binary", *make_binary(n=600)).knots
    bent = fit("binary", *curved(1500), method="auto")
    assert bent.method == "Venn-Abers"
    assert "Venn-Abers chosen over 1500 groups, log loss Platt scaling 0." in bent.note
    assert bent.note.endswith(": the least")


def test_auto_chooses_for_each_label_by_itself():
    (line_nk, line_target), (bent_nk, bent_target) = make_binary(n=1500), curved(1500)
    data = np.hstack([line_nk, bent_nk]), np.hstack([line_target, bent_target])
    both = fit("multilabel", *data, ["crack", "hole"], method="auto")
    assert both.method == "crack: Platt scaling; hole: Venn-Abers"
    assert both.knots[1] == fit("binary", bent_nk, bent_target, method="auto").knots[0]


def test_auto_of_exclusive_classes_takes_one_temperature_where_that_is_right():
    data = make_multiclass(3.0, n=600)
    calibration = fit("multiclass", *data, method="auto")
    assert (calibration.method, calibration.knots) == ("temperature scaling", fit("multiclass", *data).knots)
    assert "plainer" in calibration.note or calibration.note.endswith("the least")


def test_auto_of_exclusive_classes_leaves_one_temperature_where_classes_are_shifted():
    logit_nk, target_nk = make_multiclass(1.0, n=1500)
    calibration = fit("multiclass", logit_nk + np.array([2.0, 0, -2, 0]), target_nk, method="auto")
    assert calibration.against_rest
    assert "against the rest" in calibration.method


@pytest.mark.parametrize("kind", ["few groups", "no positive", "all positive", "three samples", "equal logits"])
def test_auto_with_too_little_is_the_plainest(kind):
    logit_nk, target_nk = make_binary(n=200)
    groups = [str(index) for index in range(200)]
    if kind == "few groups":
        groups = [str(index % 9) for index in range(200)]
    elif kind == "three samples":
        logit_nk, target_nk, groups = np.array([[-1.0], [0], [2]]), np.array([[0.0], [0], [1]]), list("abc")
    elif kind == "equal logits":
        logit_nk = np.ones_like(logit_nk)
    else:
        target_nk = np.full_like(target_nk, float(kind == "all positive"))
    calibration = fit("binary", logit_nk, target_nk, ["crack"], method="auto", groups=groups)
    assert calibration.knots == fit("binary", logit_nk, target_nk).knots
    assert calibration.note.startswith("crack: ")
    if kind == "few groups":
        assert (
            calibration.note == "crack: Platt scaling without comparison: 9 groups of a kind, 10 are needed to compare"
        )


def test_groups_stay_whole_and_every_fold_gets_its_share():
    rng = np.random.default_rng(0)
    code_n = rng.integers(0, 60, 400)
    truth_nk = np.eye(3, dtype=bool)[np.where(code_n < 6, 2, rng.integers(0, 2, 400))]
    fold_n = _folds(truth_nk, code_n)
    assert all(len(set(fold_n[code_n == code])) == 1 for code in set(code_n))
    assert all(len(set(fold_n[truth_n])) == FOLDS for truth_n in truth_nk.T)
    assert np.bincount(fold_n).max() < 1.5 * np.bincount(fold_n).min()


def test_the_held_out_loss_by_hand():
    logit_nk, target_nk = curved(300)
    code_n = np.arange(300)
    truth_nk, fold_n = target_nk >= 0.5, _folds(target_nk >= 0.5, code_n)
    loss_g = _held_out_loss("binary", logit_nk, truth_nk, "isotonic", fold_n=fold_n, code_n=code_n)
    expected = 0.0
    for fold in range(FOLDS):
        out_n = fold_n == fold
        knots = FITTERS["isotonic"](logit_nk[~out_n, 0], truth_nk[~out_n, 0])
        expected += log_loss(truth_nk[out_n, 0], calibrate("binary", [knots], logit_nk[out_n])[:, 0], normalize=False)
    assert loss_g.sum() == pytest.approx(expected)
