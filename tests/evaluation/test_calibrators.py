"""Each calibrator against an independent reference, and against a truth that is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from flawscope.bundle.rules import Calibrator
from flawscope.evaluation import calibrators
from flawscope.evaluation.calibrators import FITTERS, MAX_KNOTS, NotFitted, smoothed_targets
from flawscope.probability import calibrate

STEPS = ("isotonic", "venn_abers")


def draw(n, seed=0, curve=lambda logit_n: logit_n, digits=None):
    rng = np.random.default_rng(seed)
    logit_n = rng.normal(0, 2, n)
    if digits is not None:
        logit_n = np.round(logit_n, digits)
    return logit_n, rng.random(n) < expit(curve(logit_n))


def applied(knots, logit_n):
    """What the runtime makes of it."""
    return calibrate("binary", [knots], np.asarray(logit_n)[:, None])[:, 0]


def naive_venn_abers(logit_n, truth_n, place):
    """The definition: the new sample is added with either label, and isotonic regression is asked about it."""
    p0, p1 = (
        IsotonicRegression().fit(np.append(logit_n, place), np.append(truth_n, label)).predict([place])[0]
        for label in (0.0, 1.0)
    )
    return p1 / (1 - p0 + p1)


@pytest.mark.parametrize("digits", [None, 0])
def test_venn_abers_is_the_naive_definition_at_every_logit(digits, monkeypatch):
    monkeypatch.setattr(calibrators, "MAX_KNOTS", 1000)
    monkeypatch.setattr(calibrators, "THINNED_BY", 0.0)
    logit_n, truth_n = draw(60, digits=digits)
    places = np.unique(logit_n)
    expected = [naive_venn_abers(logit_n, truth_n, place) for place in places]
    np.testing.assert_allclose(applied(FITTERS["venn_abers"](logit_n, truth_n), places), expected, atol=1e-9)


def test_venn_abers_beyond_the_ends_and_by_hand():
    # Negatives at -2 and 1, positives at -1 and 2. At 2: p0 of a new negative is 1/2, p1 of a new positive is 1.
    knots = FITTERS["venn_abers"](np.array([-2.0, -1, 1, 2]), np.array([False, True, False, True]))
    got = applied(knots, [-50, -2, -1, 1, 2, 50])
    np.testing.assert_allclose(got, [1 / 3, 1 / 3, 1 / 2, 1 / 2, 2 / 3, 2 / 3])


@pytest.mark.parametrize("digits", [None, 0])
def test_isotonic_is_scikit_learns_clipped(digits, monkeypatch):
    monkeypatch.setattr(calibrators, "THINNED_BY", 0.0)
    logit_n, truth_n = draw(200, seed=1, digits=digits)
    target_n = smoothed_targets(truth_n)
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(logit_n, truth_n)
    places = np.r_[logit_n, -99, 99]
    expected = np.clip(model.predict(places), target_n.min(), target_n.max())
    np.testing.assert_allclose(applied(FITTERS["isotonic"](logit_n, truth_n), places), expected, atol=1e-9)
    assert (target_n.min(), target_n.max()) == (1 / ((~truth_n).sum() + 2), (truth_n.sum() + 1) / (truth_n.sum() + 2))


def test_isotonic_makes_ties_and_platt_none():
    logit_n, truth_n = draw(200, seed=1)
    assert len(np.unique(applied(FITTERS["isotonic"](logit_n, truth_n), logit_n).round(9))) < 30
    assert len(np.unique(applied(FITTERS["platt"](logit_n, truth_n), logit_n))) == 200


def test_temperature_has_the_least_loss_on_smoothed_targets():
    logit_n, truth_n = draw(300, curve=lambda logit_n: logit_n / 2.5)
    target_n = smoothed_targets(truth_n)
    best = minimize_scalar(
        lambda a: np.sum(np.logaddexp(0, a * logit_n) - target_n * a * logit_n), bounds=(1e-3, 10), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    (_, offset), (_, slope) = FITTERS["temperature"](logit_n, truth_n)
    assert offset == 0
    assert slope == pytest.approx(best.x, rel=1e-5)
    assert 1 / slope == pytest.approx(2.5, rel=0.25)


CURVES = {
    "temperature": lambda logit_n: logit_n / 3,
    "platt": lambda logit_n: 0.5 * logit_n - 1,
    "isotonic": lambda logit_n: logit(0.05 + 0.9 * expit(2 * logit_n)),
    "venn_abers": lambda logit_n: np.where(logit_n > 0, 0.4 * logit_n, 1.5 * logit_n) - 0.3,
}


@pytest.mark.parametrize("name", CURVES)
def test_many_samples_recover_a_known_distortion(name):
    logit_n, truth_n = draw(20000, seed=3, curve=CURVES[name])
    places = np.linspace(-3.5, 3.5, 200)
    knots = FITTERS[name](logit_n, truth_n)
    error = np.abs(applied(knots, places) - expit(CURVES[name](places)))
    assert error.mean() < 0.015
    assert np.abs(expit(places) - expit(CURVES[name](places))).mean() > 0.04, "there was something to recover"
    assert len(knots) <= MAX_KNOTS


@pytest.mark.parametrize("name", STEPS)
def test_a_bounded_table_changes_little(name, monkeypatch):
    logit_n, truth_n = draw(3000, seed=4)
    thinned = applied(FITTERS[name](logit_n, truth_n), logit_n)
    monkeypatch.setattr(calibrators, "MAX_KNOTS", 10_000)
    monkeypatch.setattr(calibrators, "THINNED_BY", 0.0)
    full = FITTERS[name](logit_n, truth_n)
    assert len(full) > MAX_KNOTS
    assert np.abs(thinned - applied(full, logit_n)).max() < 0.01


@pytest.mark.parametrize("name", FITTERS)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e30])
def test_separated_classes_and_huge_logits_stay_finite(name, scale):
    logit_n = np.r_[np.linspace(-9, -5, 20), np.linspace(5, 9, 20)] * scale
    knots = FITTERS[name](logit_n, logit_n > 0)
    Calibrator(method=name, knots=(knots,))
    p_n = applied(knots, np.r_[logit_n, -1e37, 1e37])
    assert (np.diff(np.sort(p_n)) >= 0).all()
    assert np.isfinite(p_n).all()
    # Platt's targets are 21/22 and 1/22. Venn-Abers goes as far at the end, and trusts the borders of a gap less.
    top = p_n[20:40].max() if name == "venn_abers" else p_n[20:40].mean()
    assert top == pytest.approx(21 / 22, abs=0.02)
    if name in STEPS:
        assert p_n[[-2, -1]] == pytest.approx([p_n[:40].min(), p_n[:40].max()])


@pytest.mark.parametrize("name", FITTERS)
@pytest.mark.parametrize(
    "logit_n, truth_n, reason",
    [
        ([1.0, 2, 3], [1, 1, 1], "3 samples show the class and 0 do not"),
        ([1.0, 2, 3], [0, 0, 0], "0 samples show the class and 3 do not"),
        ([], [], "0 samples show the class"),
        ([2.0, 2, 2], [0, 1, 0], "the same logit"),
        ([3.0, 2, -2, -3], [0, 0, 1, 1], "does not rise"),
    ],
)
def test_why_nothing_was_fitted(name, logit_n, truth_n, reason):
    with pytest.raises(NotFitted, match=reason):
        FITTERS[name](np.array(logit_n, dtype=float), np.array(truth_n, dtype=bool))


@pytest.mark.parametrize("name", FITTERS)
def test_three_samples(name):
    knots = FITTERS[name](np.array([-1.0, 0.5, 2.0]), np.array([False, False, True]))
    low, middle, high = applied(knots, [-1.0, 0.5, 2.0])
    assert 0.1 < low <= middle <= high < 0.9


@given(
    st.lists(st.tuples(st.floats(-(2.0**100), 2.0**100, width=32), st.booleans()), min_size=2, max_size=40),
    st.sampled_from(sorted(FITTERS)),
)
def test_whatever_is_fitted_is_a_table_that_a_bundle_takes(rows, name):
    logit_n, truth_n = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    try:
        knots = FITTERS[name](logit_n, truth_n)
    except NotFitted:
        return
    Calibrator(method=name, knots=(knots,))
    assert np.isfinite(knots).all()
    p_n = applied(knots, np.sort(logit_n))
    assert ((p_n >= 0) & (p_n <= 1)).all()
    assert (np.diff(p_n) >= -1e-12).all()
