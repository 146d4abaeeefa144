"""Thresholds: where a probability becomes a decision. Fitted on the calibration split.

Binary and multi-label: class k is called where p_k >= t_k. Multi-class: the class with the largest p_k / t_k; equal
thresholds mean the plain argmax. The bundle's runtime applies them.

The best threshold of a few groups is not that of the next ones. So, of all that cannot be told from the best by one
standard error, the one is taken that is best in theory where probabilities are right.

Shapes: n samples, k classes, c cuts between neighbouring distinct scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from flawscope.errors import RecipeError, choices
from flawscope.evaluation import metrics
from flawscope.evaluation.intervals import IndexArray, bootstrap_sums, drawn_times
from flawscope.records import BoolArray, FloatArray, Task

Rule = Literal["best_f1", "best_accuracy", "fixed"]
FIXED = 0.5
MOST_CUTS = 400
"""Of more cuts than this, as many are looked at, evenly over their ranks, and always the best and the target's."""
_LEAST = 1e-15
_ROUNDING = 1e-9
_DRAWS = 200
_SEED = 0


@dataclass(frozen=True)
class Thresholds:
    """One threshold a class, in (0, 1], the rule that chose them, and what is to be said about them."""

    values: tuple[float, ...]
    rule: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(0.0 < value <= 1.0 for value in self.values):
            raise ValueError(f"thresholds lie in (0, 1], got {self.values}")


def fit_thresholds(
    task: Task,
    probability_nk: FloatArray,
    target_nk: FloatArray,
    rule: str = "best_f1",
    groups: Sequence[str] | None = None,
) -> Thresholds:
    """Choose the threshold of each class by F1, by accuracy, or 0.5 for all (`fixed`).

    Of the thresholds whose F1 or accuracy is within one standard error of the best, the one that is nearest in log-odds
    to the best one in theory: for calibrated probabilities 0.5 for accuracy, and half of the best F1 for F1 (Lipton,
    Elkan & Naryanaswamy, 2014). The rule of one standard error is that of Breiman et al. (1984), section 3.4.3; the
    error is that of the difference from the best, by the bootstrap over `groups`, by default each sample one.

    A class of which there are only positive or only negative samples gets 0.5 and a note. Multi-class: the thresholds
    of each class against the rest are kept only if they beat the plain argmax on these data by more than one standard
    error, in the mean F1 of the classes or in accuracy.

    >>> probability_nk, target_nk = np.array([[0.1], [0.6], [0.8], [0.9]]), np.array([[0.0], [0], [1], [1]])
    >>> fit_thresholds(Task("binary", ("bad",)), np.repeat(probability_nk, 9, 0), np.repeat(target_nk, 9, 0)).values
    (0.7,)

    Raises:
        RecipeError: no such rule.
        ValueError: the shapes do not fit, or a probability lies outside [0, 1].
    """
    if rule not in get_args(Rule):
        raise RecipeError(f"no decision rule {rule!r}", choices(rule, get_args(Rule)))
    n, k = len(probability_nk), len(task.classes)
    if probability_nk.ndim != 2 or probability_nk.shape != target_nk.shape or probability_nk.shape[1] != k:
        raise ValueError(f"expected two arrays n x {k}, got {probability_nk.shape}, {target_nk.shape}")
    if not ((probability_nk >= 0) & (probability_nk <= 1)).all():
        raise ValueError("probabilities lie in [0, 1]")
    if groups is not None and len(groups) != n:
        raise ValueError(f"expected one group for each of {n} samples, got {len(groups)}")
    if rule == "fixed":
        return Thresholds((FIXED,) * k, rule)
    code_n, said = _codes(groups, n)
    truth_nk = metrics.truth(task.kind, target_nk)
    values, notes, lacking = [], [], []
    for name, probability_n, truth_n in zip(task.classes, probability_nk.T, truth_nk.T, strict=True):
        if truth_n.all() or not truth_n.any():
            kind = "every sample shows" if truth_n.any() else "no sample shows"
            value, why = FIXED, f"{kind} this class, so the threshold stays at {FIXED}"
            lacking.append(f"{name}: {why}")
        else:
            value, why = _one_class(probability_n.astype(np.float64), truth_n, rule, code_n)
        values.append(value)
        notes.append(f"{name}: {why}")
    fitted = Thresholds(tuple(values), rule, (*notes, *said))
    if task.kind == "multiclass":
        plain = Thresholds((FIXED,) * k, rule, (*lacking, *said))
        return _better(probability_nk, truth_nk, fitted, plain, code_n)
    return fitted


def _codes(groups: Sequence[str] | None, n: int) -> tuple[IndexArray, tuple[str, ...]]:
    """The groups as numbers 0 ... g-1, and what is to be said of them."""
    if groups is None or n == 0:
        return np.arange(n), ()
    name_g, code_n = np.unique(np.array([str(group) for group in groups]), return_inverse=True)
    if len(name_g) == 1:
        return np.arange(n), ("all these samples are one group: for the standard error each counts by itself",)
    return code_n.astype(np.int64), ()


def _one_class(probability_n: FloatArray, truth_n: BoolArray, rule: str, code_n: IndexArray) -> tuple[float, str]:
    """The threshold of a class against the rest, and why. Cut c calls the c highest scores: edge_c+1 < t <= edge_c."""
    tp_c, fp_c, score_c = metrics.counts_by_threshold(truth_n, probability_n)
    gain_c = _gain(tp_c, fp_c, tp_c[-1], fp_c[-1], rule)
    upper_c = np.minimum(score_c, 1.0)
    lower_c = np.append(upper_c[1:], 0.0)
    # A score of exactly 1 is always called and one of exactly 0 never: no threshold in (0, 1] can do otherwise.
    possible_c = upper_c > lower_c
    gain_c, upper_c, lower_c = gain_c[possible_c], upper_c[possible_c], lower_c[possible_c]
    most = float(gain_c.max())
    best = widest_middle(gain_c == most, upper_c, lower_c)
    target = most / 2 if rule == "best_f1" else FIXED
    at_c = _nearest(target, upper_c, lower_c)
    away_c = np.abs(_log_odds(at_c) - _log_odds(np.array(target)))
    some = _some(gain_c == most, away_c)
    gain_c, at_c, away_c = gain_c[some], at_c[some], away_c[some]
    error_c = _standard_error(truth_n, probability_n, np.append(best, at_c), rule, code_n)
    alike = np.flatnonzero(most - gain_c <= error_c + _ROUNDING)
    # Of two that are equally near: the lower one, which lets fewer defects escape.
    c = alike[np.lexsort((at_c[alike], away_c[alike]))[0]]
    chosen, gain, error = float(at_c[c]), float(gain_c[c]), float(error_c[c])
    what, theory = ("F1", f"half of the best F1, {target:.3g},") if rule == "best_f1" else ("accuracy", f"{FIXED}")
    if gain == most:
        return chosen, f"the threshold {chosen:.3g} is the nearest to {theory} of the best, {what} {most:.3f}"
    return chosen, (
        f"the threshold {chosen:.3g}, {what} {gain:.3f} on these samples, is the nearest to {theory} of those within "
        f"one standard error, here {error:.2g}, of the best, {what} {most:.3f} at {best:.3g}"
    )


def _gain(tp: IndexArray, fp: IndexArray, positives: IndexArray, negatives: IndexArray, rule: str) -> FloatArray:
    """F1 or accuracy of counts; F1 without positives is not defined (NaN)."""
    with np.errstate(invalid="ignore"):
        gain: FloatArray = (
            np.where(positives > 0, 2 * tp / (tp + fp + positives), np.nan)
            if rule == "best_f1"
            else (tp - fp + negatives) / (positives + negatives)
        )
    return gain


def _nearest(target: float, upper_c: FloatArray, lower_c: FloatArray) -> FloatArray:
    """The threshold that stands for each cut: the target where it lies in the cut, elsewhere the middle."""
    middle_c = (upper_c + lower_c) / 2
    middle_c = np.where(middle_c > lower_c, middle_c, upper_c)
    return np.where((lower_c < target) & (target <= upper_c), target, middle_c)


def _some(best_c: BoolArray, away_c: FloatArray) -> IndexArray:
    """At most `MOST_CUTS` cuts and a few: the best, the nearest to the target, and others evenly by rank."""
    spread = np.linspace(0, len(best_c) - 1, min(len(best_c), MOST_CUTS)).round().astype(np.int64)
    return np.unique(np.concatenate([spread, np.flatnonzero(best_c), [np.argmin(away_c)]]))


def _log_odds(probability: FloatArray) -> FloatArray:
    clipped = np.clip(probability, _LEAST, 1 - _LEAST)
    return np.log(clipped) - np.log1p(-clipped)


def _standard_error(
    truth_n: BoolArray, probability_n: FloatArray, at_c: FloatArray, rule: str, code_n: IndexArray
) -> FloatArray:
    """Of the difference of each threshold's gain from that of the first one, for all but the first."""
    order_n = np.argsort(probability_n, kind="stable")
    from_c = np.searchsorted(probability_n[order_n], at_c)
    truth_n, code_n = truth_n[order_n], code_n[order_n]
    pieces = []
    for times_dg in drawn_times(int(code_n.max()) + 1, _SEED, _DRAWS):
        times_dn = times_dg[:, code_n]
        (tp_dc, positives_d), (fp_dc, negatives_d) = (_called(times_dn * of_n, from_c) for of_n in (truth_n, ~truth_n))
        gain_dc = _gain(tp_dc, fp_dc, positives_d, negatives_d, rule)
        pieces.append(gain_dc[:, 1:] - gain_dc[:, :1])
    return _spread(np.concatenate(pieces), code_n)


def _called(times_dn: IndexArray, from_c: IndexArray) -> tuple[IndexArray, IndexArray]:
    """How many of the samples of each draw lie from each place on, and all of them (as a column)."""
    below_dn = np.pad(np.cumsum(times_dn, axis=1), ((0, 0), (1, 0)))
    all_d = below_dn[:, -1:]
    return all_d - below_dn[:, from_c], all_d


def _spread(drawn_dc: FloatArray, code_n: IndexArray) -> FloatArray:
    """The standard error over draws; those without a positive are left out."""
    defined_dc = drawn_dc[np.isfinite(drawn_dc).all(axis=1)]
    if not len(defined_dc):
        return np.zeros(drawn_dc.shape[1])
    groups = int(code_n.max()) + 1
    # The bootstrap's own is too small by this factor where groups are few (Efron & Tibshirani, 1993).
    error_c: FloatArray = defined_dc.std(axis=0) * np.sqrt(groups / (groups - 1))
    return error_c


def widest_middle(best_c: BoolArray, upper_c: FloatArray, lower_c: FloatArray) -> float:
    """The middle of the widest run of cuts that are equally good, each with lower < threshold <= upper, in any order.

    >>> widest_middle(np.array([True, False, True]), np.array([1.0, 0.9, 0.4]), np.array([0.9, 0.4, 0.0]))
    0.2
    """
    if len(upper_c) > 1 and upper_c[0] < upper_c[-1]:
        best_c, upper_c, lower_c = best_c[::-1], upper_c[::-1], lower_c[::-1]
    first = np.flatnonzero(best_c & ~np.append(False, best_c[:-1]))
    last = np.flatnonzero(best_c & ~np.append(best_c[1:], False))
    top, bottom = upper_c[first], lower_c[last]
    # Equally wide runs: the lowest threshold, which lets fewer defects escape.
    widest = len(top) - 1 - int(np.argmax((top - bottom)[::-1]))
    middle = float((top[widest] + bottom[widest]) / 2)
    return middle if middle > bottom[widest] else float(top[widest])


def _better(
    probability_nk: FloatArray, truth_nk: BoolArray, fitted: Thresholds, plain: Thresholds, code_n: IndexArray
) -> Thresholds:
    """The thresholds of a multi-class task where they are better than none by more than one standard error."""
    with_them, without = (_counts(probability_nk, truth_nk, each.values) for each in (fitted, plain))
    k = truth_nk.shape[1]
    sums = np.hstack([with_them, without]).sum(axis=0)
    gain, plainly = (_quality(each[None], fitted.rule)[0] for each in (sums[: 2 * k], sums[2 * k :]))
    error = 0.0
    if len(truth_nk) > 1:
        sums_dc = bootstrap_sums(np.hstack([with_them, without]), code_n, _SEED, _DRAWS)
        drawn_d = _quality(sums_dc[:, : 2 * k], fitted.rule) - _quality(sums_dc[:, 2 * k :], fitted.rule)
        error = float(_spread(drawn_d[:, None], code_n)[0])
    what = "accuracy" if fitted.rule == "best_accuracy" else "mean F1"
    they = f"thresholds a class, {what} {gain:.3f} on these samples,"
    than = f"the plain argmax, {plainly:.3f}, by more than one standard error, {error:.2g}"
    if gain - plainly > error + _ROUNDING:
        return replace(fitted, notes=(*fitted.notes, f"{they} are better than {than}"))
    return replace(plain, notes=(*plain.notes, f"plain argmax: {they} are not better than {than}"))


def _counts(probability_nk: FloatArray, truth_nk: BoolArray, values: tuple[float, ...]) -> FloatArray:
    """For each sample and class: rightly called; then called or shown, and both counts twice. n x 2k."""
    called_n = (probability_nk / np.array(values)).argmax(axis=1)
    called_nk = called_n[:, None] == np.arange(truth_nk.shape[1])
    return np.hstack([(called_nk & truth_nk) * 1.0, called_nk * 1.0 + truth_nk])


def _quality(counts_dc: FloatArray, rule: str) -> FloatArray:
    """Accuracy, or the mean F1 of the classes that are shown or called, from sums of `_counts`."""
    hit_dk, involved_dk = np.hsplit(counts_dc, 2)
    if rule == "best_accuracy":
        quality_d: FloatArray = 2 * hit_dk.sum(axis=1) / np.maximum(1, involved_dk.sum(axis=1))
        return quality_d
    shown_d = np.maximum(1, (involved_dk > 0).sum(axis=1))
    mean_d: FloatArray = (2 * hit_dk / np.maximum(1, involved_dk)).sum(axis=1) / shown_d
    return mean_d
