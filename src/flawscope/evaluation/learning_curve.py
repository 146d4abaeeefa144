"""How the error falls with the number of training images, and what more of them would bring.

The law: error(n) = a n^-b + c, a power law down to a floor (Cortes et al., 1994, NIPS 6: "Learning curves: asymptotic
values and rate of convergence"; Hestness et al., 2017, arXiv:1712.00409). Inside of it n counts in multiples of the
largest size that was measured, so a + c is the error there.

Shapes: s sizes, r repeats, d draws, e exponents that are tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from flawscope.evaluation.stream import Stream
from flawscope.records import BoolArray, FloatArray, Interval, TaskKind

EXPONENTS = np.geomspace(0.05, 2.0, 75)
"""Exponents that are tried. Measured ones lie between 0.07 and 0.35 for networks on real data (Hestness et al.)."""
FEWEST_SIZES, FEWEST_REPEATS = 4, 2
DRAWS = 1000
FARTHEST = 8.0
"""More than so many times the largest size nothing is said about."""
METHOD = "power law refitted to draws of evaluation groups and of the spread between repeats"
_TINY = 1e-12


class NotSaidError(ValueError):
    """The measured points do not say how the curve goes on; the message is the reason, in words."""


@dataclass(frozen=True)
class Law:
    """error(x) = a x^-b + c, x in multiples of the largest size that was measured.

    >>> Law(0.3, 0.5, 0.1).error(4)
    0.25
    """

    a: float
    b: float
    c: float

    def __post_init__(self) -> None:
        if not (self.a >= 0 and self.b > 0 and self.c >= 0):
            raise ValueError(f"expected a >= 0, b > 0 and c >= 0, got {self}")

    def error(self, times: float) -> float:
        """The error at so many times the largest measured size."""
        return float(self.a * times**-self.b + self.c)


@dataclass(frozen=True)
class Reach:
    """How many images an error needs: best guess and range; None means more than `FARTHEST` times, or never.

    A `low` of None says that the error is out of reach; a `high` of None, that it may be.
    """

    error: float
    images: int | None
    low: int | None
    high: int | None


@dataclass(frozen=True)
class Curve:
    """The law that fits best, and what fits as well.

    Each of `draws` holds a, b, c of each draw (d x 3): of the law, and of the law without a floor (c = 0) where that
    fits as well. `most` is the largest size that was measured.
    """

    law: Law
    draws: tuple[FloatArray, ...]
    most: int

    def interval(self, times: float, level: float = 0.95) -> Interval:
        """The error at so many times the largest measured size, with the interval that the draws give."""
        return self._interval(lambda a, b, c: a * times**-b + c, level)

    def gain(self, times: float, level: float = 0.95) -> Interval:
        """By how much the error falls from the largest measured size to so many times it."""
        return self._interval(lambda a, b, c: a * (1 - times**-b), level)

    def _interval(self, of: Callable[[Any, Any, Any], Any], level: float) -> Interval:
        value = float(of(self.law.a, self.law.b, self.law.c))
        ends = [self._ends(of(*each_d3.T), level) for each_d3 in self.draws]
        low, high = min(value, *(end[0] for end in ends)), max(value, *(end[1] for end in ends))
        if high - low < _TINY:
            low, high = low - _TINY, high + _TINY
        return Interval(value, low, high, level, METHOD)

    def reach(self, error: float, level: float = 0.95) -> Reach:
        """How many images bring the error down to this."""
        value = _times(self.law.a, self.law.b, self.law.c, error)
        drawn = [np.array([_times(a, b, c, error) for a, b, c in each_d3.tolist()]) for each_d3 in self.draws]
        ends = [self._ends(times_d, level) for times_d in drawn]
        low, high = min(value, *(end[0] for end in ends)), max(value, *(end[1] for end in ends))
        images = [None if each > FARTHEST else max(1, math.ceil(each * self.most)) for each in (value, low, high)]
        return Reach(error, *images)

    @staticmethod
    def _ends(value_d: FloatArray, level: float) -> list[float]:
        """The ends of the middle `level` of draws; a draw may be infinite."""
        ends = np.quantile(value_d, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
        return [float(end) for end in ends]


def _times(a: float, b: float, c: float, error: float) -> float:
    """Where a law reaches an error, in multiples of the largest measured size; infinite if nowhere."""
    if error <= c:
        return math.inf
    return (a / (error - c)) ** (1 / b) if a else 0.0


def error_of(watch: str, kind: TaskKind, truth_nk: BoolArray, flag_nk: BoolArray, logit_nk: FloatArray) -> float:
    """What is left of the best value of a measure that a recipe watches: 1 - AUROC and so on; or the log loss itself.

    Means are over the classes for which the measure is defined; NaN where it is defined for none.

    >>> truth_nk, logit_nk = np.array([[True], [False], [True]]), np.array([[2.0], [0.0], [-1.0]])
    >>> error_of("auroc", "binary", truth_nk, logit_nk > 0, logit_nk)
    0.5

    Raises:
        KeyError: no such measure.
        ValueError: the shapes do not fit.
    """
    if watch == "loss":
        if kind == "multiclass":
            highest_n = logit_nk.max(axis=1)
            total_n = highest_n + np.log(np.exp(logit_nk - highest_n[:, None]).sum(axis=1))
            return float(np.mean(total_n - logit_nk[np.arange(len(logit_nk)), truth_nk.argmax(axis=1)]))
        return float(np.mean(np.logaddexp(0, np.where(truth_nk, -logit_nk, logit_nk))))
    stream = Stream(truth_nk.shape[1])
    stream.update(truth_nk, flag_nk, logit_nk)
    if watch == "accuracy":
        return 1 - stream.right / stream.n
    return 1 - stream.mean({"auroc": "AUROC", "average_precision": "average precision", "f1": "F1"}[watch])


def fit_law(size_s: npt.ArrayLike, error_s: npt.ArrayLike) -> Law:
    """The law that fits best: least squares of the relative errors, with a >= 0, c >= 0 and b among `EXPONENTS`.

    >>> law = fit_law([100, 200, 400, 800], [0.9, 0.66, 0.49, 0.37])
    >>> round(law.error(1), 2)
    0.37

    Raises:
        ValueError: fewer than three sizes, or sizes or errors that are not positive.
    """
    size, error = np.asarray(size_s, dtype=np.float64), np.asarray(error_s, dtype=np.float64)
    if size.shape != error.shape or size.ndim != 1 or len(np.unique(size)) < 3:
        raise ValueError(f"expected an error for each of at least three sizes, got {size.shape} and {error.shape}")
    if not ((size > 0).all() and (error > 0).all()):
        raise ValueError("sizes and errors are positive")
    return Law(*_fitted(size / size.max(), error[None], 1 / error**2)[0].tolist())


def fit_curve(
    sizes: Sequence[int], error_sr: FloatArray, drawn_dsr: FloatArray | None = None, *, seed: int = 0
) -> Curve:
    """Fit the law to repeated measurements, and again to draws of what could have been measured.

    A draw takes the errors on evaluation groups drawn with replacement, the same ones for all sizes (`drawn_dsr`, from
    the caller; without it the evaluation counts as exact), and moves the mean of each size by chance: by the relative
    spread between repeats, which is taken as the same at all sizes and is itself drawn (scaled inverse chi-squared), so
    that few repeats make wide intervals.

    What no draw can hold: another law than this one, and that all repeats at the largest size share their images.

    Raises:
        NotSaidError: too few sizes or repeats, no error left, a measure that is not defined, or points off the law by
            more than chance (F test of the lack of fit against the spread between repeats, 5 %).
        ValueError: the shapes do not fit.
    """
    size_s = np.asarray(sizes, dtype=np.float64)
    if error_sr.ndim != 2 or len(error_sr) != len(size_s):
        raise ValueError(f"expected errors of {len(size_s)} sizes, got {error_sr.shape}")
    if drawn_dsr is not None and drawn_dsr.shape[1:] != error_sr.shape:
        raise ValueError(f"expected draws of {error_sr.shape}, got {drawn_dsr.shape}")
    s, r = error_sr.shape
    if len(np.unique(size_s)) < FEWEST_SIZES or r < FEWEST_REPEATS:
        found, least = f"{len(np.unique(size_s))} sizes x {r}", f"{FEWEST_SIZES} sizes x {FEWEST_REPEATS}"
        raise NotSaidError(f"too few trainings: {found}, at least {least} are needed")
    mean_s = error_sr.mean(axis=1)
    if not np.isfinite(mean_s).all():
        raise NotSaidError("the measure is not defined at every size")
    if not (mean_s > 0).all():
        raise NotSaidError("no error is left on the images that it was measured on: they cannot show a better one")
    rng = np.random.default_rng(seed)
    drawn_ds = np.tile(mean_s, (DRAWS, 1)) if drawn_dsr is None else drawn_dsr.mean(axis=2)
    drawn_ds = drawn_ds[np.isfinite(drawn_ds).all(axis=1) & (drawn_ds > 0).all(axis=1)]
    if len(drawn_ds) < DRAWS / 10:
        raise NotSaidError("on most draws of the evaluation groups the measure is not defined, or no error is left")
    freedom = s * (r - 1)
    variance = float(((error_sr / mean_s[:, None] - 1) ** 2).sum()) / freedom
    spread_d = np.sqrt(variance * freedom / rng.chisquare(freedom, len(drawn_ds)) / r)
    moved_ds = drawn_ds * np.exp(spread_d[:, None] * rng.standard_normal((len(drawn_ds), s)))
    x_s, weight_s = size_s / size_s.max(), 1 / mean_s**2
    law, bare = (Law(*_fitted(x_s, mean_s[None], weight_s, floor=floor)[0].tolist()) for floor in (True, False))
    noise = max(variance / r, _TINY)
    misfit = _misfit(law, x_s, mean_s) / noise
    if s > 3 and misfit / (s - 3) > float(stats.f.ppf(0.95, s - 3, freedom)):
        raise NotSaidError(
            "the points do not lie on a power law down to a floor, by more than chance; leave out the smallest sizes "
            "if little was learnt from them, or measure more"
        )
    draws = [_fitted(x_s, moved_ds, weight_s)]
    # Where the floor may as well be zero, fits with a floor lie too high: those without one count as well.
    if _misfit(bare, x_s, mean_s) / noise - misfit <= float(stats.f.ppf(0.95, 1, freedom)):
        draws.append(_fitted(x_s, moved_ds, weight_s, floor=False))
    return Curve(law, tuple(draws), int(size_s.max()))


def _misfit(law: Law, x_s: FloatArray, mean_s: FloatArray) -> float:
    """Squared relative distances of the points from a law."""
    return float(sum((law.error(float(x)) / y - 1) ** 2 for x, y in zip(x_s, mean_s, strict=True)))


def _fitted(x_s: FloatArray, error_ds: FloatArray, weight_s: FloatArray, *, floor: bool = True) -> FloatArray:
    """a, b, c of the best law for each row of errors: for each exponent the best a, c >= 0, then the best exponent."""
    best_d = np.full(len(error_ds), np.inf)
    found_d3 = np.zeros((len(error_ds), 3))
    total, yw_d = weight_s.sum(), error_ds @ weight_s
    for exponent in EXPONENTS:
        u_s = x_s**-exponent
        uw, uuw, uy_d = u_s @ weight_s, (u_s * u_s) @ weight_s, error_ds @ (weight_s * u_s)
        a_d = (total * uy_d - uw * yw_d) / (total * uuw - uw * uw)
        c_d = (yw_d - uw * a_d) / total
        # At the border either the floor is zero, or the curve is flat.
        flat_d = a_d < 0
        bare_d = (c_d < 0) & ~flat_d if floor else np.ones_like(flat_d)
        a_d = np.where(bare_d, uy_d / uuw, np.where(flat_d, 0.0, a_d))
        c_d = np.where(bare_d, 0.0, np.where(flat_d, yw_d / total, c_d))
        rest_d = ((error_ds - a_d[:, None] * u_s - c_d[:, None]) ** 2) @ weight_s
        better_d = rest_d < best_d - _TINY
        best_d = np.where(better_d, rest_d, best_d)
        found_d3[better_d] = np.stack([a_d, np.full_like(a_d, exponent), c_d], axis=1)[better_d]
    return found_d3
