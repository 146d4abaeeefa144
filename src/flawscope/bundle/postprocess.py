"""From the logits of a graph to an answer, in plain numpy. The runtime and the decide step call the same functions.

Shapes: n images, k classes (score columns). Binary and multi-label classes are decided one by one; the classes of a
multi-class task exclude each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from flawscope.probability import calibrate
from flawscope.records import HUMAN, BoolArray, Decision, Task, TaskKind

__all__ = ["answers", "calibrate", "decide", "three_answers"]


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
    Decision(flags=(False,), label='ok', unsure=())
    """
    rows = np.asarray(flag_nk, dtype=bool).tolist()
    return [Decision(tuple(row), task.describe(row)) for row in rows]


def three_answers(
    task: Task, thresholds: Sequence[float], looked_at: Sequence[float], probability_nk: npt.ArrayLike
) -> list[Decision]:
    """The answer for each image in words; `human` where no class is called, but one reaches its lower threshold.

    Binary and multi-label. `looked_at` holds the lower thresholds; without any nobody looks. A class that reaches its
    lower threshold alone is unsure, also where another is called, so that nobody looks.

    >>> made = three_answers(Task("binary", ("defective",)), [0.8], [0.1], [[0.9], [0.3], [0.05]])
    >>> [decision.label for decision in made]
    ['defective', 'human', 'ok']
    """
    flag_nk = decide(task.kind, thresholds, probability_nk)
    found = answers(task, flag_nk)
    if not looked_at:
        return found
    if task.kind == "multiclass" or not all(low <= high for low, high in zip(looked_at, thresholds, strict=True)):
        raise ValueError(f"no {task.kind} task can have the thresholds {looked_at} below {thresholds}")
    unsure_nk = decide(task.kind, looked_at, probability_nk) & ~flag_nk
    return [
        Decision(answer.flags, answer.label if any(answer.flags) else HUMAN, tuple(unsure)) if any(unsure) else answer
        for answer, unsure in zip(found, unsure_nk.tolist(), strict=True)
    ]
