"""Thresholds: where a probability becomes a decision. Fitted on the calibration split.

Binary and multi-label: class k is called where p_k >= t_k. Multi-class: the class with the largest p_k / t_k; equal
thresholds mean the plain argmax. The bundle's runtime applies them.

Shapes: n samples, k classes, c cuts between neighbouring distinct scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from flawscope.errors import RecipeError, choices
from flawscope.evaluation import metrics
from flawscope.records import BoolArray, FloatArray, Task

Rule = Literal["best_f1", "best_accuracy", "fixed"]
FIXED = 0.5


@dataclass(frozen=True)
class Thresholds:
    """One threshold a class, in (0, 1], the rule that chose them, and what is to be said about them."""

    values: tuple[float, ...]
    rule: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(0.0 < value <= 1.0 for value in self.values):
            raise ValueError(f"thresholds lie in (0, 1], got {self.values}")


def fit_thresholds(task: Task, probability_nk: FloatArray, target_nk: FloatArray, rule: str = "best_f1") -> Thresholds:
    """Choose the threshold of each class by the best F1, the best accuracy, or 0.5 for all (`fixed`).

    A threshold lies in the middle of the widest range of thresholds that are equally good. A class of which there are
    only positive or only negative samples gets 0.5 and a note. Multi-class: the thresholds of each class against the
    rest are kept only if they beat the plain argmax on these data, in the mean F1 of the classes or in accuracy.

    >>> probability_nk = np.array([[0.1], [0.3], [0.5], [0.9]])
    >>> fit_thresholds(Task("binary", ("bad",)), probability_nk, np.array([[0.0], [0], [1], [1]])).values
    (0.4,)

    Raises:
        RecipeError: no such rule.
        ValueError: the shapes do not fit, or a probability lies outside [0, 1].
    """
    if rule not in get_args(Rule):
        raise RecipeError(f"no decision rule {rule!r}", choices(rule, get_args(Rule)))
    k = len(task.classes)
    if probability_nk.ndim != 2 or probability_nk.shape != target_nk.shape or probability_nk.shape[1] != k:
        raise ValueError(f"expected two arrays n x {k}, got {probability_nk.shape}, {target_nk.shape}")
    if not ((probability_nk >= 0) & (probability_nk <= 1)).all():
        raise ValueError("probabilities lie in [0, 1]")
    if rule == "fixed":
        return Thresholds((FIXED,) * k, rule)
    truth_nk = metrics.truth(task.kind, target_nk)
    values, notes = [], []
    for name, probability_n, truth_n in zip(task.classes, probability_nk.T, truth_nk.T, strict=True):
        if truth_n.all() or not truth_n.any():
            kind = "every sample shows" if truth_n.any() else "no sample shows"
            values.append(FIXED)
            notes.append(f"{name}: {kind} this class, so the threshold stays at {FIXED}")
        else:
            values.append(_best_threshold(probability_n.astype(np.float64), truth_n, rule))
    if task.kind == "multiclass":
        return _against_argmax(probability_nk, truth_nk, Thresholds(tuple(values), rule, tuple(notes)))
    return Thresholds(tuple(values), rule, tuple(notes))


def _best_threshold(probability_n: FloatArray, truth_n: BoolArray, rule: str) -> float:
    """The middle of the widest best plateau. Cut c calls the c highest distinct scores: edge_c+1 < t <= edge_c."""
    tp_c, fp_c, score_c = metrics.counts_by_threshold(truth_n, probability_n)
    positives, negatives = tp_c[-1], fp_c[-1]
    gain_c = 2 * tp_c / (tp_c + fp_c + positives) if rule == "best_f1" else tp_c - fp_c + negatives
    upper_c = np.minimum(score_c, 1.0)
    lower_c = np.append(upper_c[1:], 0.0)
    # A score of exactly 1 is always called and one of exactly 0 never: no threshold in (0, 1] can do otherwise.
    possible_c = upper_c > lower_c
    gain_c, upper_c, lower_c = gain_c[possible_c], upper_c[possible_c], lower_c[possible_c]
    return widest_middle(gain_c == gain_c.max(), upper_c, lower_c)


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


def _against_argmax(probability_nk: FloatArray, truth_nk: BoolArray, fitted: Thresholds) -> Thresholds:
    """Keep the thresholds of a multi-class task only where they are better than none."""
    true_index_n = truth_nk.argmax(axis=1)
    k = truth_nk.shape[1]

    def quality(values: tuple[float, ...]) -> float:
        matrix_kk = metrics.confusion_matrix(true_index_n, (probability_nk / np.array(values)).argmax(axis=1), k)
        hit_k = np.diag(matrix_kk)
        if fitted.rule == "best_accuracy":
            return float(hit_k.sum() / max(1, len(true_index_n)))
        involved_k = matrix_kk.sum(axis=0) + matrix_kk.sum(axis=1)
        return float(np.mean(2 * hit_k[involved_k > 0] / involved_k[involved_k > 0])) if involved_k.any() else 0.0

    plain = (FIXED,) * k
    with_them, without = quality(fitted.values), quality(plain)
    what = "accuracy" if fitted.rule == "best_accuracy" else "mean F1"
    if with_them > without:
        note = f"thresholds a class: {what} {with_them:.3f} on these samples, {without:.3f} with the plain argmax"
        return Thresholds(fitted.values, fitted.rule, (*fitted.notes, note))
    note = f"plain argmax: {what} {without:.3f} on these samples, thresholds a class do not better it ({with_them:.3f})"
    return Thresholds(plain, fitted.rule, (*fitted.notes, note))
