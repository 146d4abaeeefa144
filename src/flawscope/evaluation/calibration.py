"""Calibration: turn logits into probabilities that mean what they say. Fitted on the validation split.

The result is a table of knots (raw logit, calibrated logit) for each class, straight between and beyond the knots;
the bundle's runtime applies it.

Shapes: n samples, k classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit, softmax

from flawscope.evaluation import metrics
from flawscope.records import BoolArray, FloatArray, TaskKind

Knots = tuple[tuple[float, float], ...]
IDENTITY: Knots = ((0.0, 0.0), (1.0, 1.0))


@dataclass(frozen=True)
class Calibration:
    """A fitted calibrator as plain data. `note` says which classes were left as they are, and why."""

    method: str
    knots: tuple[Knots, ...]
    note: str = ""


class _NotFitted(Exception):
    """Why the data allow no fit; it becomes the note."""


def fit(kind: TaskKind, logit_nk: FloatArray, target_nk: FloatArray, classes: Sequence[str] = ()) -> Calibration:
    """Fit Platt scaling for each class (binary, multi-label) or one temperature (multi-class).

    Targets >= 0.5 count as present; a multi-class sample belongs to its largest target. Where the data allow no fit
    (one class only, scores that do not rise with the class, no finite optimum) logits stay as they are, and the note
    says why. `classes` are the names for the note.

    Sources: Platt (1999), with his smoothed targets; Guo et al. (2017), On Calibration of Modern Neural Networks.

    >>> logit_nk = np.array([[-2.0], [-1.0], [1.0], [-0.5], [2.0], [0.5]])
    >>> calibration = fit("binary", logit_nk, np.array([[0.0], [0], [0], [1], [1], [1]]))
    >>> calibration.method, len(calibration.knots)
    ('Platt scaling', 1)

    Raises:
        ValueError: the shapes differ, or a logit is not finite.
    """
    if logit_nk.ndim != 2 or logit_nk.shape != target_nk.shape or not np.isfinite(logit_nk).all():
        raise ValueError(f"expected finite logits n x k and targets alike, got {logit_nk.shape}, {target_nk.shape}")
    logit_nk = logit_nk.astype(np.float64)
    k = logit_nk.shape[1]
    if kind == "multiclass":
        try:
            return Calibration("temperature scaling", (_temperature(logit_nk, target_nk),) * k)
        except _NotFitted as reason:
            return Calibration("identity", (IDENTITY,) * k, f"logits are used as they are: {reason}")
    names = classes or [f"class {index}" for index in range(k)]
    knots, notes = [], []
    for name, logit_n, truth_n in zip(names, logit_nk.T, metrics.truth(kind, target_nk).T, strict=True):
        try:
            knots.append(_platt(logit_n, truth_n))
        except _NotFitted as reason:
            knots.append(IDENTITY)
            notes.append(f"{name}: logits are used as they are: {reason}")
    return Calibration("identity" if len(notes) == k else "Platt scaling", tuple(knots), "; ".join(notes))


def _platt(logit_n: FloatArray, truth_n: BoolArray) -> Knots:
    """Probability = sigmoid(a x logit + b), by maximum likelihood on Platt's smoothed targets."""
    positives, negatives = int(truth_n.sum()), int((~truth_n).sum())
    if not positives or not negatives:
        raise _NotFitted(f"{positives} samples show the class and {negatives} do not, both kinds are needed")
    centre, spread = float(logit_n.mean()), float(logit_n.std())
    if spread <= 1e-12 * max(1.0, abs(centre)):
        raise _NotFitted("all samples have the same logit")
    # Standardised logits keep the search well conditioned, whatever the scale of the network's output.
    x_n = (logit_n - centre) / spread
    smoothed_n = np.where(truth_n, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(line: FloatArray) -> tuple[float, FloatArray]:
        z_n = line[0] * x_n + line[1]
        error_n = expit(z_n) - smoothed_n
        return float(np.mean(np.logaddexp(0, z_n) - smoothed_n * z_n)), np.array(
            [np.mean(error_n * x_n), error_n.mean()]
        )

    found = minimize(
        loss, np.array([0.0, np.log(positives / negatives)]), jac=True, method="BFGS", options={"gtol": 1e-9}
    )
    if not np.isfinite(found.x).all() or np.abs(found.jac).max() > 1e-5:
        raise _NotFitted("no finite optimum was found")
    slope = float(found.x[0]) / spread
    # An uninformative score leaves a slope of rounding error, of either sign.
    if found.x[0] <= 1e-6:
        raise _NotFitted("the score does not rise with the class on these samples")
    offset = float(found.x[1]) - slope * centre
    return ((0.0, offset), (1.0, slope + offset))


def _temperature(logit_nk: FloatArray, target_nk: FloatArray) -> Knots:
    """Probability = softmax(logits / T), T by maximum likelihood: the root of the slope of a convex function of 1/T."""
    if not len(logit_nk) or len(np.unique(target_nk.argmax(axis=1))) < 2:
        raise _NotFitted("samples of at least two classes are needed")
    # Softmax ignores a shift; with the true class at zero the gain reads simply.
    true_n1 = np.take_along_axis(logit_nk, target_nk.argmax(axis=1)[:, None], axis=1)
    above_nk = logit_nk - true_n1
    scale = float(np.abs(above_nk).max())
    if scale == 0.0:
        raise _NotFitted("all logits are alike")
    above_nk = above_nk / scale

    def slope(inverse: float) -> float:
        return float(np.mean(np.sum(softmax(inverse * above_nk, axis=1) * above_nk, axis=1)))

    if slope(0.0) >= 0:
        raise _NotFitted("the scores do not rise with the true class on these samples")
    high = 1.0
    while slope(high) <= 0:
        high *= 2
        if high > 1e9:
            raise _NotFitted("no finite optimum: the true class has the largest logit on every sample")
    inverse = float(brentq(slope, 0.0, high, xtol=1e-12)) / scale
    return ((0.0, 0.0), (1.0, inverse))
