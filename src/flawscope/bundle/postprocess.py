"""From the logits of a graph to an answer, in plain numpy. The runtime and the decide step call the same functions.

Shapes: n images, k classes (score columns). Binary and multi-label classes are decided one by one; the classes of a
multi-class task exclude each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from flawscope.records import BoolArray, Decision, FloatArray, Task, TaskKind

Knots = Sequence[tuple[float, float]]


def calibrate(kind: TaskKind, knots: Sequence[Knots], logit_nk: npt.ArrayLike) -> FloatArray:
    """Probabilities from raw logits: the calibrator's table, then sigmoid (multi-class: softmax over the classes).

    `knots` holds one table of (x, y) a class, x rising, linear between the knots and beyond both ends. Temperature
    scaling (Guo et al. 2017) is ((0, 0), (1, 1/T)), Platt scaling (1999) is ((0, b), (1, a + b)).

    Returns float64, n x k, in [0, 1].

    >>> calibrate("binary", [((0, 0), (1, 1))], [[0.0], [1000.0], [-1000.0]]).tolist()
    [[0.5], [1.0], [0.0]]
    """
    raw_nk = np.asarray(logit_nk, dtype=np.float64)
    if raw_nk.ndim != 2 or raw_nk.shape[1] != len(knots):
        raise ValueError(f"expected logits of shape (n, {len(knots)}), got {raw_nk.shape}")
    calibrated_nk = np.stack([_piecewise(table, raw_nk[:, k]) for k, table in enumerate(knots)], axis=1)
    return _softmax(calibrated_nk) if kind == "multiclass" else _sigmoid(calibrated_nk)


def decide(kind: TaskKind, thresholds: Sequence[float], probability_nk: npt.ArrayLike) -> BoolArray:
    """Which classes are found in each image, bool, n x k.

    Binary and multi-label: every class whose probability reaches its threshold. Multi-class: exactly one, the class
    with the largest probability divided by its threshold (equal thresholds: the most probable; ties: the first).

    >>> decide("multiclass", [0.9, 0.3], [[0.6, 0.4]]).tolist()
    [[False, True]]
    """
    score_nk = np.asarray(probability_nk, dtype=np.float64)
    threshold_k = np.asarray(thresholds, dtype=np.float64)
    if score_nk.ndim != 2 or score_nk.shape[1:] != threshold_k.shape:
        raise ValueError(f"expected probabilities of shape (n, {len(threshold_k)}), got {score_nk.shape}")
    if not (np.all(threshold_k > 0) and np.all(threshold_k <= 1)):
        raise ValueError(f"thresholds lie in (0, 1], got {thresholds}")
    if kind != "multiclass":
        return score_nk >= threshold_k
    best_n = np.argmax(score_nk / threshold_k, axis=1)
    return np.asarray(best_n[:, None] == np.arange(len(threshold_k)))


def answers(task: Task, flag_nk: npt.ArrayLike) -> list[Decision]:
    """The answer for each image in words.

    >>> answers(Task("binary", ("defective",), "ok"), [[True], [False]])[1]
    Decision(flags=(False,), label='ok')
    """
    rows = np.asarray(flag_nk, dtype=bool).tolist()
    return [Decision(tuple(row), task.describe(row)) for row in rows]


def _piecewise(table: Knots, value_n: FloatArray) -> FloatArray:
    """Linear between the knots; the first and the last piece go on beyond the ends (np.interp would cut them off)."""
    x, y = np.asarray(table, dtype=np.float64).T
    piece_n = np.clip(np.searchsorted(x, value_n, side="right") - 1, 0, len(x) - 2)
    slope = np.diff(y) / np.diff(x)
    return np.asarray(y[piece_n] + (value_n - x[piece_n]) * slope[piece_n])


def _sigmoid(value: FloatArray) -> FloatArray:
    small = np.exp(-np.abs(value))  # never overflows
    return np.asarray(np.where(value >= 0, 1.0, small) / (1.0 + small))


def _softmax(value_nk: FloatArray) -> FloatArray:
    power_nk = np.exp(value_nk - value_nk.max(axis=1, keepdims=True))
    return np.asarray(power_nk / power_nk.sum(axis=1, keepdims=True))
