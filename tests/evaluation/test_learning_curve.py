"""The law of a learning curve: a known one is found again, and its intervals hold as often as they promise."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np
import pytest

from flawscope.evaluation import learning_curve
from flawscope.evaluation.learning_curve import Curve, Law, NotSaidError, fit_curve, fit_law
from flawscope.records import FloatArray

SIZES = [100, 200, 400, 800]


def errors(law: Law, repeats: int, spread: float, seed: int = 0) -> FloatArray:
    """What a training of each size and repeat would reach if the law were true."""
    rng = np.random.default_rng(seed)
    mean_s = np.array([law.error(size / SIZES[-1]) for size in SIZES])
    return mean_s[:, None] * np.exp(spread * rng.standard_normal((len(SIZES), repeats)))


@pytest.mark.parametrize("law", [Law(0.1, 0.5, 0.05), Law(0.02, 1.3, 0.1), Law(0.3, 0.2, 0.0)])
def test_a_law_without_noise_is_found_again(law: Law) -> None:
    found = fit_law(SIZES, [law.error(size / 800) for size in SIZES])
    assert found.b == pytest.approx(law.b, rel=0.05)
    for times in (0.125, 1, 2, 4):
        assert found.error(times) == pytest.approx(law.error(times), rel=0.02)


def test_a_curve_that_does_not_fall_is_flat() -> None:
    law = fit_law(SIZES, [0.2, 0.21, 0.2, 0.22])
    assert law.error(4) == pytest.approx(law.error(1), rel=0.02)
    assert fit_law(SIZES, [0.2, 0.25, 0.3, 0.4]).a == 0


def test_the_fit_is_no_worse_than_that_of_a_fine_search() -> None:
    """Against least squares by scipy's own curve fitting, from many starts."""
    from scipy.optimize import least_squares

    rng = np.random.default_rng(3)
    size_s = np.array(SIZES) / 800
    for _ in range(10):
        error_s = rng.uniform(0.05, 0.4, 4)

        def rest(abc: FloatArray, error_s: FloatArray = error_s) -> FloatArray:
            return np.asarray((abc[0] * size_s ** -abc[1] + abc[2]) / error_s - 1)

        starts = [(a, b, c) for a in (0.01, 0.3) for b in (0.1, 0.5, 1.5) for c in (0.001, 0.2)]
        bounds = ([0, 0.05, 0], [5, 2.0, 5])
        best = min(float((rest(least_squares(rest, start, bounds=bounds).x) ** 2).sum()) for start in starts)
        law = fit_law(SIZES, error_s)
        assert float((rest(np.array([law.a, law.b, law.c])) ** 2).sum()) <= best * 1.01 + 1e-6


@pytest.mark.parametrize("law", [Law(0.1, 0.5, 0.05), Law(0.1, 0.3, 0.0)])
def test_intervals_hold_the_truth_as_often_as_they_promise(law: Law, monkeypatch: pytest.MonkeyPatch) -> None:
    """The large version is benchmarks/learning_curve_simulation.py."""
    monkeypatch.setattr(learning_curve, "DRAWS", 150)
    curves = []
    for seed in range(80):
        with suppress(NotSaidError):
            curves.append(fit_curve(SIZES, errors(law, 3, 0.06, seed), seed=seed))
    assert len(curves) >= 66, "a true law is taken for another 5 times in 100, not more by more than chance"
    slack = 3 * math.sqrt(0.95 * 0.05 / len(curves))
    for times in (1, 2, 4):
        found = [curve.interval(times) for curve in curves]
        held = [each.low <= law.error(times) <= each.high for each in found]
        assert np.mean(held) >= 0.95 - slack, times


def test_more_spread_between_repeats_and_between_groups_makes_wider_intervals() -> None:
    law = Law(0.1, 0.5, 0.05)

    def width(spread: float, drawn: FloatArray | None = None) -> float:
        found = fit_curve(SIZES, errors(law, 3, spread), drawn).interval(2)
        return found.high - found.low

    assert width(0.02) < width(0.08) / 2
    rng = np.random.default_rng(0)
    shared_d = np.exp(0.3 * rng.standard_normal(1000))  # the same evaluation groups for all sizes
    assert width(0.02, shared_d[:, None, None] * errors(law, 3, 0.02)) > 2 * width(0.02)


def test_how_many_images_an_error_needs() -> None:
    law = Law(0.1, 0.5, 0.05)
    curve = fit_curve(SIZES, errors(law, 4, 0.01, seed=1))
    reach = curve.reach(law.error(2))
    assert reach.low and reach.images and reach.high
    assert reach.low < 1600 < reach.high
    assert reach.images == pytest.approx(1600, rel=0.15)
    there = curve.reach(law.error(0.5))
    assert there.images == pytest.approx(400, rel=0.15)
    never = curve.reach(0.001)
    assert (never.low, never.images, never.high) == (None, None, None)
    perhaps = fit_curve(SIZES, errors(law, 2, 0.05)).reach(0.08)
    assert perhaps.high is None, "the floor may lie above it"


def test_a_flat_curve_reaches_what_it_has_and_nothing_else() -> None:
    curve = Curve(Law(0.0, 0.5, 0.2), (np.array([[0.0, 0.5, 0.2]] * 10),), 800)
    assert curve.reach(0.3).high == 1
    assert curve.reach(0.1).low is None
    found = curve.interval(2)
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("sizes", "errors", "words"),
    [
        ([100, 200, 400], np.full((3, 3), 0.1), "too few trainings: 3 sizes x 3"),
        (SIZES, np.full((4, 1), 0.1), "4 sizes x 1, at least 4 sizes x 2"),
        ([100, 100, 200, 400], np.full((4, 3), 0.1), "3 sizes x 3"),
        (SIZES, np.array([[0.1, 0.1]] * 3 + [[0.0, 0.0]]), "no error is left"),
        (SIZES, np.array([[0.1, 0.1]] * 3 + [[0.1, np.nan]]), "not defined"),
    ],
)
def test_what_cannot_be_said_is_said(sizes: list[int], errors: FloatArray, words: str) -> None:
    with pytest.raises(NotSaidError, match=words):
        fit_curve(sizes, errors)


def test_points_off_the_law_are_not_extrapolated() -> None:
    """Three quarters of the error gone from one size to the next, and nothing else: no power law does that."""
    step_s = np.array([0.4, 0.39, 0.1, 0.099])
    error_sr = step_s[:, None] * np.array([[0.98, 1.0, 1.02]])
    with pytest.raises(NotSaidError, match="do not lie on a power law"):
        fit_curve(SIZES, error_sr)


def test_draws_that_are_mostly_undefined_say_nothing() -> None:
    drawn = np.full((1000, 4, 2), np.nan)
    drawn[:20] = 0.1
    with pytest.raises(NotSaidError, match="on most draws"):
        fit_curve(SIZES, np.full((4, 2), 0.1), drawn)


def test_shapes_that_do_not_fit_are_our_bug() -> None:
    with pytest.raises(ValueError, match="expected errors of 4 sizes"):
        fit_curve(SIZES, np.full((3, 3), 0.1))
    with pytest.raises(ValueError, match="expected draws"):
        fit_curve(SIZES, np.full((4, 3), 0.1), np.full((10, 4, 2), 0.1))
    with pytest.raises(ValueError, match="at least three sizes"):
        fit_law([1, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match="positive"):
        fit_law([1, 2, 3], [0.1, 0.2, 0.0])
    with pytest.raises(ValueError, match="a >= 0"):
        Law(-1.0, 1.0, 0.0)
