"""Metrics as pure functions of arrays. Nothing is guessed: the caller hands truth, scores or flags.

A metric that is 0/0 on the data at hand is NaN, always and without a warning; `measure.py` puts the reason in words.

Shapes: n samples, k classes, t distinct thresholds plus the start of the curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.records import BoolArray, FloatArray, TaskKind

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """How often a decision for one class was right and wrong, and how often there was none.

    `hp` and `hn` count positives and negatives that are for a person (human): they are neither found nor missed,
    neither called nor let pass. They stand in the denominators of all rates but precision.

    >>> recall(Counts(tp=3, fp=1, fn=1, tn=5)), recall(Counts(tp=3, fp=1, fn=1, tn=5, hp=2))
    (0.75, 0.5)
    """

    tp: int
    fp: int
    fn: int
    tn: int
    hp: int = 0
    hn: int = 0

    def as_dict(self, *, human: bool) -> dict[str, int]:
        """Plain data for JSON; `human`: with those for a person."""
        four = {"tp": self.tp, "fp": self.fp, "fn": self.fn, "tn": self.tn}
        return {**four, "hp": self.hp, "hn": self.hn} if human else four


def truth(kind: TaskKind, target_nk: FloatArray) -> BoolArray:
    """Which classes are present, n x k: targets >= 0.5, or the largest target of each multi-class sample alone.

    >>> truth("multiclass", np.array([[0.2, 0.4, 0.4]])).tolist()
    [[False, True, False]]
    """
    if kind != "multiclass":
        return target_nk >= 0.5
    present_nk: BoolArray = np.arange(target_nk.shape[1]) == target_nk.argmax(axis=1)[:, None]
    return present_nk


def confusion(truth_n: BoolArray, flag_n: BoolArray, unsure_n: BoolArray | None = None) -> Counts:
    """Count the four outcomes of a yes-or-no decision, and those that are left to a person.

    >>> confusion(np.array([True, True, False]), np.array([True, False, False]))
    Counts(tp=1, fp=0, fn=1, tn=1, hp=0, hn=0)

    Raises:
        ValueError: the arrays are not boolean, or differ in shape, or a sample is called and unsure.
    """
    if unsure_n is not None:
        if unsure_n.shape != flag_n.shape or (unsure_n & flag_n).any():
            raise ValueError("expected for each sample whether it is unsure, and none that is called, too")
        two, hp = confusion(truth_n, flag_n), int(np.count_nonzero(truth_n & unsure_n))
        hn = int(np.count_nonzero(unsure_n)) - hp
        return Counts(two.tp, two.fp, two.fn - hp, two.tn - hn, hp, hn)
    if truth_n.shape != flag_n.shape or truth_n.dtype != np.bool_ or flag_n.dtype != np.bool_:
        raise ValueError(
            f"expected two boolean arrays of one shape, got {truth_n.dtype} {truth_n.shape}, "
            f"{flag_n.dtype} {flag_n.shape}"
        )
    positive, called = int(np.count_nonzero(truth_n)), int(np.count_nonzero(flag_n))
    tp = int(np.count_nonzero(truth_n & flag_n))
    return Counts(tp=tp, fp=called - tp, fn=positive - tp, tn=truth_n.size - positive - called + tp)


def confusion_matrix(
    true_index_n: npt.ArrayLike, decided_index_n: npt.ArrayLike, k: int, *, human: bool = False
) -> IntArray:
    """Count each pair of true and decided class: k x k, rows true, columns decided.

    `human`: there is one column more, for a person; its index is k.

    >>> confusion_matrix([0, 1, 1], [0, 1, 0], k=2).tolist()
    [[1, 0], [1, 1]]
    >>> confusion_matrix([0, 1, 1], [2, 1, 2], k=2, human=True).tolist()
    [[0, 0, 1], [0, 1, 1]]

    Raises:
        ValueError: an index lies outside 0 ... k-1, or the arrays differ in length.
    """
    index_2n = np.array([true_index_n, decided_index_n], dtype=np.int64)
    width = k + human
    if index_2n.size and not (0 <= index_2n.min() <= index_2n.max() < width and index_2n[0].max() < k):
        raise ValueError(f"class indices lie in 0 ... {k - 1}, got {index_2n.min()} ... {index_2n.max()}")
    return np.bincount(index_2n[0] * width + index_2n[1], minlength=k * width).reshape(k, width).astype(np.int64)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def recall(counts: Counts) -> float:
    """tp / (tp + fn + hp), the share of the positives that was found; NaN without positives."""
    return _ratio(counts.tp, counts.tp + counts.fn + counts.hp)


def escape_rate(counts: Counts) -> float:
    """fn / (tp + fn + hp), the share of the positives let through; NaN without positives. With two answers 1 - recall.

    >>> escape_rate(Counts(tp=3, fp=1, fn=1, tn=5)), escape_rate(Counts(tp=3, fp=1, fn=0, tn=5, hp=1))
    (0.25, 0.0)
    """
    return 1 - _ratio(counts.tp + counts.hp, counts.tp + counts.fn + counts.hp)


def overkill_rate(counts: Counts) -> float:
    """fp / (tn + fp + hn), the share of the negatives called; NaN without negatives. With two answers 1 - specificity.

    >>> overkill_rate(Counts(tp=3, fp=2, fn=1, tn=6)), overkill_rate(Counts(tp=3, fp=2, fn=1, tn=2, hn=4))
    (0.25, 0.25)
    """
    return 1 - _ratio(counts.tn + counts.hn, counts.tn + counts.fp + counts.hn)


def precision(counts: Counts) -> float:
    """tp / (tp + fp), the share of the alarms that was right; NaN without alarms."""
    return _ratio(counts.tp, counts.tp + counts.fp)


def specificity(counts: Counts) -> float:
    """tn / (tn + fp + hn), the share of the negatives let pass; NaN without negatives."""
    return _ratio(counts.tn, counts.tn + counts.fp + counts.hn)


def f1(counts: Counts) -> float:
    """2 tp / (2 tp + fp + fn + hp), harmonic mean of recall and precision; NaN without positives and without alarms."""
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn + counts.hp)


def accuracy(counts: Counts) -> float:
    """(tp + tn) / n, the share decided rightly (without a person); NaN without samples."""
    everything = counts.tp + counts.fp + counts.fn + counts.tn + counts.hp + counts.hn
    return _ratio(counts.tp + counts.tn, everything)


def auroc(truth_n: BoolArray, score_n: npt.NDArray[Any]) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties counted half.

    Equals the Mann-Whitney U statistic with midranks over (positives x negatives) (Hanley & McNeil, 1982). NaN unless
    both classes are present.

    >>> auroc(np.array([False, True, False, True]), np.array([0.1, 0.4, 0.4, 0.8]))
    0.875

    Raises:
        ValueError: a score is not finite, or the shapes do not fit.
    """
    tp_t, fp_t, _ = counts_by_threshold(truth_n, score_n)
    # Trapezoids in whole numbers: perfect scores give exactly 1.
    doubled = int(np.sum(np.diff(fp_t) * (tp_t[1:] + tp_t[:-1])))
    return _ratio(doubled, 2 * int(tp_t[-1]) * int(fp_t[-1]))


def average_precision(truth_n: BoolArray, score_n: npt.NDArray[Any]) -> float:
    """Average precision: the sum over thresholds of (gain in recall) x precision, without interpolation.

    Defined as in scikit-learn; samples of equal score come in together. NaN without positives.

    >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.7]))
    0.8333333333333333

    Raises:
        ValueError: a score is not finite, or the shapes do not fit.
    """
    tp_t, fp_t, _ = counts_by_threshold(truth_n, score_n)
    gained = np.diff(tp_t)
    return _ratio(float(np.sum(gained * (tp_t[1:] / (tp_t[1:] + fp_t[1:])))), int(tp_t[-1]))


def roc_curve(truth_n: BoolArray, score_n: npt.NDArray[Any]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """False positive rate, true positive rate and threshold (score >= threshold), from (0, 0) at inf to (1, 1).

    A rate without samples in its denominator is NaN.

    >>> [rate.tolist() for rate in roc_curve(np.array([False, True]), np.array([0.2, 0.6]))]
    [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [inf, 0.6, 0.2]]

    Raises:
        ValueError: a score is not finite, or the shapes do not fit.
    """
    tp_t, fp_t, threshold_t = counts_by_threshold(truth_n, score_n)
    with np.errstate(invalid="ignore"):
        return fp_t / fp_t[-1], tp_t / tp_t[-1], threshold_t


def precision_recall_curve(truth_n: BoolArray, score_n: npt.NDArray[Any]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Recall, precision and threshold (score >= threshold), recall rising from 0; its start has precision 1 by custom.

    Recall is NaN without positives.

    >>> [part.tolist() for part in precision_recall_curve(np.array([False, True]), np.array([0.2, 0.6]))]
    [[0.0, 1.0, 1.0], [1.0, 1.0, 0.5], [inf, 0.6, 0.2]]

    Raises:
        ValueError: a score is not finite, or the shapes do not fit.
    """
    tp_t, fp_t, threshold_t = counts_by_threshold(truth_n, score_n)
    precision_t = np.ones(len(tp_t))
    precision_t[1:] = tp_t[1:] / (tp_t[1:] + fp_t[1:])
    with np.errstate(invalid="ignore"):
        return tp_t / tp_t[-1], precision_t, threshold_t


def counts_by_threshold(truth_n: BoolArray, score_n: npt.NDArray[Any]) -> tuple[IntArray, IntArray, FloatArray]:
    """True positives, false positives, threshold: for inf and each distinct score, falling, score >= threshold called.

    >>> [part.tolist() for part in counts_by_threshold(np.array([False, True]), np.array([0.2, 0.6]))]
    [[0, 1, 1], [0, 0, 1], [inf, 0.6, 0.2]]

    Raises:
        ValueError: a score is not finite, or the shapes do not fit.
    """
    if truth_n.shape != score_n.shape or truth_n.ndim != 1 or truth_n.dtype != np.bool_:
        raise ValueError(
            f"expected n booleans and n scores, got {truth_n.dtype} {truth_n.shape} and scores {score_n.shape}"
        )
    if not np.isfinite(score_n).all():
        raise ValueError("scores must be finite")
    # A stable sort takes linear time on sorted scores: that is what makes the bootstrap fast.
    order_n = np.argsort(score_n, kind="stable")[::-1]
    sorted_n = score_n[order_n]
    last_t = np.flatnonzero(np.append(sorted_n[1:] != sorted_n[:-1], True)) if truth_n.size else np.array([], np.int64)
    tp_t = np.concatenate(([0], np.cumsum(truth_n[order_n], dtype=np.int64)[last_t]))
    fp_t = np.concatenate(([0], last_t + 1)) - tp_t
    return tp_t, fp_t, np.concatenate(([np.inf], sorted_n[last_t])).astype(np.float64)
