import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax
from sklearn.linear_model import LogisticRegression

from flawscope.evaluation.calibration import IDENTITY, fit


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
