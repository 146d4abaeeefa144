"""Calibrators of one yes-or-no class: from raw logits and the truth to a small table of knots.

Temperature and Platt scaling are straight lines. Isotonic regression and Venn-Abers prediction are steps; they become
knots at the logits of the samples, straight in between, flat beyond the ends. So their table holds no value that is
not a logit of a probability that was fitted, and never more than `MAX_KNOTS` knots a class.

Shapes: n samples, m distinct logits, p places where a function is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.optimize import brentq, isotonic_regression, minimize
from scipy.special import expit, logit

from flawscope.records import BoolArray, FloatArray

Knots = tuple[tuple[float, float], ...]
MAX_KNOTS = 64
THINNED_BY = 1e-3
"""Knots that change no probability by more than this are left out."""
MAX_PLACES = 400
"""Venn-Abers is computed at so many distinct logits at most, evenly spread over their ranks."""


class NotFitted(Exception):
    """Why the data allow no fit; it becomes the note."""


def smoothed_targets(truth_n: BoolArray) -> FloatArray:
    """Platt's targets (1999): (positives + 1) / (positives + 2) and 1 / (negatives + 2) in place of 1 and 0.

    >>> smoothed_targets(np.array([True, False, False])).round(3).tolist()
    [0.667, 0.25, 0.25]
    """
    positives, negatives = int(truth_n.sum()), int((~truth_n).sum())
    return np.where(truth_n, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def temperature(logit_n: FloatArray, truth_n: BoolArray) -> Knots:
    """Probability = sigmoid(logit / T), by maximum likelihood on Platt's smoothed targets (Guo et al. 2017, one class).

    >>> ((_, low), (_, high)) = temperature(np.array([-4.0, -2, 2, 4]), np.array([False, True, False, True]))
    >>> low, high < 1
    (0.0, True)

    Raises:
        NotFitted: one kind of sample only, equal logits, or no temperature above zero is better than a coin.
    """
    _check(logit_n, truth_n)
    target_n = smoothed_targets(truth_n)
    scale = float(np.abs(logit_n).max())
    x_n = logit_n / scale

    def slope(inverse: float) -> float:
        return float(np.mean((expit(inverse * x_n) - target_n) * x_n))

    if slope(0.0) >= -1e-12:
        raise NotFitted("the score does not rise with the class on these samples")
    high = 1.0
    while slope(high) <= 0:
        high *= 2
        if high > 1e12:
            raise NotFitted("no finite optimum was found")
    return ((0.0, 0.0), (1.0, float(brentq(slope, 0.0, high, xtol=1e-12)) / scale))


def platt(logit_n: FloatArray, truth_n: BoolArray) -> Knots:
    """Probability = sigmoid(a x logit + b), by maximum likelihood on Platt's smoothed targets (Platt, 1999).

    Raises:
        NotFitted: one kind of sample only, equal logits, a score that does not rise, or no finite optimum.
    """
    _check(logit_n, truth_n)
    positives, negatives = int(truth_n.sum()), int((~truth_n).sum())
    centre, spread = float(logit_n.mean()), float(logit_n.std())
    # Standardised logits keep the search well conditioned, whatever the scale of the network's output.
    x_n = (logit_n - centre) / spread
    target_n = smoothed_targets(truth_n)

    def loss(line: FloatArray) -> tuple[float, FloatArray]:
        z_n = line[0] * x_n + line[1]
        error_n = expit(z_n) - target_n
        return float(np.mean(np.logaddexp(0, z_n) - target_n * z_n)), np.array([np.mean(error_n * x_n), error_n.mean()])

    found = minimize(
        loss, np.array([0.0, np.log(positives / negatives)]), jac=True, method="BFGS", options={"gtol": 1e-9}
    )
    if not np.isfinite(found.x).all() or np.abs(found.jac).max() > 1e-5:
        raise NotFitted("no finite optimum was found")
    slope = float(found.x[0]) / spread
    # An uninformative score leaves a slope of rounding error, of either sign.
    if found.x[0] <= 1e-6:
        raise NotFitted("the score does not rise with the class on these samples")
    offset = float(found.x[1]) - slope * centre
    return ((0.0, offset), (1.0, slope + offset))


def isotonic(logit_n: FloatArray, truth_n: BoolArray) -> Knots:
    """The rising steps nearest to the truth (Zadrozny & Elkan 2002), clipped to Platt's smoothed targets.

    So no probability is below 1 / (negatives + 2) or above (positives + 1) / (positives + 2), and logits stay finite.
    All logits of one step get one probability: such images are ties, their order is lost.

    >>> knots = isotonic(np.array([-2.0, -1, 1, 2]), np.array([False, True, False, True]))
    >>> [round(float(expit(y)), 2) for x, y in knots if -2 <= x <= 2]
    [0.25, 0.5, 0.5, 0.75]

    Raises:
        NotFitted: one kind of sample only, equal logits, or a score that does not rise.
    """
    _check(logit_n, truth_n)
    x_m, sum_m, count_m = _pooled(logit_n, truth_n)
    target_n = smoothed_targets(truth_n)
    step_m = isotonic_regression(sum_m / count_m, weights=count_m).x
    if step_m[-1] - step_m[0] < 1e-9:
        raise NotFitted("the score does not rise with the class on these samples")
    p_m = np.clip(step_m, target_n.min(), target_n.max())
    return _table(x_m, p_m, p_m[0], p_m[-1])


def venn_abers(logit_n: FloatArray, truth_n: BoolArray) -> Knots:
    """Inductive Venn-Abers prediction as one probability, p1 / (1 - p0 + p1).

    p0 and p1 are what isotonic regression gives a new sample if it is added as a negative, and as a positive (Vovk,
    Petej & Fedorova 2015, Large-scale probabilistic predictors; the single probability is theirs, for log loss). It
    lies strictly between 0 and 1, so nothing is clipped, and rises with the logit. More than `MAX_PLACES` distinct
    logits: it is computed at so many of them.

    >>> knots = venn_abers(np.array([-2.0, -1, 1, 2]), np.array([False, True, False, True]))
    >>> [round(float(expit(y)), 2) for x, y in knots if -2 <= x <= 2]
    [0.33, 0.5, 0.5, 0.67]

    Raises:
        NotFitted: one kind of sample only, equal logits, or a score that does not rise.
    """
    _check(logit_n, truth_n)
    x_m, sum_m, count_m = _pooled(logit_n, truth_n)
    kept = np.unique(np.linspace(0, len(x_m) - 1, MAX_PLACES).round().astype(int))
    place_p = np.concatenate(([x_m[0] - _gap(x_m)], x_m[kept], [x_m[-1] + _gap(x_m)]))
    p_p = np.array([_single(x_m, sum_m, count_m, place) for place in place_p])
    if p_p[-2] - p_p[1] < 1e-9:
        raise NotFitted("the score does not rise with the class on these samples")
    return _table(place_p[1:-1], p_p[1:-1], p_p[0], p_p[-1])


FITTERS: Mapping[str, Callable[[FloatArray, BoolArray], Knots]] = {
    "temperature": temperature,
    "platt": platt,
    "isotonic": isotonic,
    "venn_abers": venn_abers,
}
NAMES = {
    "temperature": "temperature scaling",
    "platt": "Platt scaling",
    "isotonic": "isotonic regression",
    "venn_abers": "Venn-Abers",
}


def _check(logit_n: FloatArray, truth_n: BoolArray) -> None:
    positives, negatives = int(truth_n.sum()), int((~truth_n).sum())
    if not positives or not negatives:
        raise NotFitted(f"{positives} samples show the class and {negatives} do not, both kinds are needed")
    if logit_n.std() <= 1e-12 * max(1.0, abs(float(logit_n.mean()))):
        raise NotFitted("all samples have the same logit")


def _pooled(logit_n: FloatArray, truth_n: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The distinct logits, rising, with the positives and the samples at each."""
    x_m, at_n = np.unique(logit_n, return_inverse=True)
    return x_m, np.bincount(at_n, weights=truth_n).astype(np.float64), np.bincount(at_n).astype(np.float64)


def _single(x_m: FloatArray, sum_m: FloatArray, count_m: FloatArray, place: float) -> float:
    at = int(np.searchsorted(x_m, place))
    if at == len(x_m) or x_m[at] != place:
        sum_m, count_m = np.insert(sum_m, at, 0.0), np.insert(count_m, at, 0.0)
    added = np.arange(len(sum_m)) == at
    count_m = count_m + added
    p0, p1 = (
        float(isotonic_regression((sum_m + label * added) / count_m, weights=count_m).x[at]) for label in (0.0, 1.0)
    )
    return p1 / (1.0 - p0 + p1)


def _gap(x_m: FloatArray) -> float:
    """About the distance of neighbours; it cannot vanish beside a huge logit."""
    return max(float(x_m[-1] - x_m[0]) / len(x_m), 1e-9 * float(np.abs(x_m).max()))


def _table(x_m: FloatArray, p_m: FloatArray, below: float, above: float) -> Knots:
    """Knots at these logits, with two more at each end, so that what lies beyond is flat."""
    gap = _gap(x_m)
    x = np.concatenate((x_m[0] - gap * np.array([2, 1]), x_m, x_m[-1] + gap * np.array([1, 2])))
    p = np.concatenate(([below, below], p_m, [above, above]))
    # Rounding must not make a table fall, nor a piece too steep to be computed.
    far = np.diff(x, prepend=-np.inf) > 1e-9 * (x[-1] - x[0])
    x, y = x[far], logit(np.maximum.accumulate(p[far]))
    kept = _needed(x, y)
    return tuple((float(a), float(b)) for a, b in zip(x[kept], y[kept], strict=True))


def _needed(x: FloatArray, y: FloatArray) -> list[int]:
    """The knots to keep: both at each end, then always the one where the table is worst, up to `MAX_KNOTS`."""
    kept = [0, 1, len(x) - 2, len(x) - 1]
    p = expit(y)
    while len(kept) < min(MAX_KNOTS, len(x)):
        error = np.abs(expit(np.interp(x, x[kept], y[kept])) - p)
        worst = int(error.argmax())
        if error[worst] <= THINNED_BY:
            break
        kept = sorted([*kept, worst])
    return kept
