"""From raw logits to probabilities, in plain numpy: the calibrator's tables, then sigmoid or softmax.

The runtime at the line, the decide step and the choice of a calibrator call the same function.

Shapes: n images, k classes (score columns).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from flawscope.records import FloatArray, TaskKind

Knots = Sequence[tuple[float, float]]


def calibrate(
    kind: TaskKind, knots: Sequence[Knots], logit_nk: npt.ArrayLike, against_rest: bool = False
) -> FloatArray:
    """Probabilities from raw logits: the calibrator's table, then sigmoid (multi-class: softmax over the classes).

    `knots` holds one table of (x, y) a class, x rising, linear between the knots and beyond both ends. Temperature
    scaling (Guo et al. 2017) is ((0, 0), (1, 1/T)), Platt scaling (1999) is ((0, b), (1, a + b)). A table whose first
    and last piece are flat stays flat beyond its ends.

    `against_rest` (multi-class only): the tables take the log-odds of each class against all others in place of the
    raw logit, and the sigmoids of what they give are divided by their sum (Zadrozny & Elkan 2002).

    Returns float64, n x k, in [0, 1].

    >>> calibrate("binary", [((0, 0), (1, 1))], [[0.0], [1000.0], [-1000.0]]).tolist()
    [[0.5], [1.0], [0.0]]
    """
    raw_nk = np.asarray(logit_nk, dtype=np.float64)
    if raw_nk.ndim != 2 or raw_nk.shape[1] != len(knots):
        raise ValueError(f"expected logits of shape (n, {len(knots)}), got {raw_nk.shape}")
    if against_rest:
        raw_nk = odds_against_rest(raw_nk)
    calibrated_nk = np.stack([_piecewise(table, raw_nk[:, k]) for k, table in enumerate(knots)], axis=1)
    if kind != "multiclass":
        return _sigmoid(calibrated_nk)
    # Sigmoids over their sum are the softmax of their logarithms, which cannot all round to zero.
    return _softmax(-np.logaddexp(0.0, -calibrated_nk) if against_rest else calibrated_nk)


def odds_against_rest(logit_nk: npt.ArrayLike) -> FloatArray:
    """The log-odds of each class against all others, n x k, that the softmax of these logits gives.

    A constant added to all logits of an image changes nothing here, as in a softmax.

    >>> odds_against_rest([[2.0, 2.0], [5.0, 4.0]]).tolist()
    [[0.0, 0.0], [1.0, -1.0]]
    """
    raw_nk = np.asarray(logit_nk, dtype=np.float64)
    others = ~np.eye(raw_nk.shape[1], dtype=bool)
    # A loop over the classes: the largest of the others is taken out, so that nothing overflows or cancels.
    rest_nk = np.stack([_log_sum(raw_nk[:, others_k]) for others_k in others], axis=1)
    return np.asarray(raw_nk - rest_nk)


def _log_sum(value_nk: FloatArray) -> FloatArray:
    top_n = value_nk.max(axis=1)
    return np.asarray(top_n + np.log(np.exp(value_nk - top_n[:, None]).sum(axis=1)))


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
