"""The escape contracts of a task: which scores are held against which threshold, class by class.

- Binary and multi-label: each class has its own score, threshold and contract; a defective part is one that shows the
  class. The contracts of several classes hold one by one, not all at once.
- Multi-class: an escape is a defective part that is called good; taking one defect for another is none. So there is one
  contract for all defect classes together. Defects share one weight t and the good class has 1 - t, and the decision
  (`postprocess.decide`, largest probability over weight) calls a part defective where
  r = max(p_defect) / (max(p_defect) + p_good) >= t.

Shapes: n samples, k classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flawscope.errors import RecipeError
from flawscope.evaluation import metrics
from flawscope.evaluation.contract import Contract, Units, curve, escape_contract
from flawscope.evaluation.contract_words import contract_words
from flawscope.records import BoolArray, FloatArray, Task
from flawscope.wording import CALIBRATION

RULE = "max_escape"
_BELOW = 1 - 1e-9
"""Weights of several classes are divided by: a little lower, so that rounding lets nothing pass that was caught."""


@dataclass(frozen=True)
class Promise:
    """The contract of one class (multi-class: of all defects), in numbers, words, and as curves over the threshold."""

    name: str
    contract: Contract
    words: tuple[str, ...]
    curve: dict[str, list[float]]


@dataclass(frozen=True)
class Promises:
    """One threshold a class, and the contracts that they keep."""

    thresholds: tuple[float, ...]
    each: tuple[Promise, ...]

    @property
    def kept(self) -> bool:
        """Whether every contract is proven as asked."""
        return all(promise.contract.kept for promise in self.each)


def fit_promises(
    task: Task,
    probability_nk: FloatArray,
    target_nk: FloatArray,
    groups: Sequence[str],
    *,
    max_escape: float,
    confidence: float = 0.95,
    units: Units = "groups",
    where: str = CALIBRATION,
) -> Promises:
    """The thresholds with the least overkill for which the asked escape rate is proven, class by class.

    The words call the samples `where`.

    >>> probability_nk = np.append(np.linspace(0.5, 1, 99), 0.1)[:, None]
    >>> target_nk = np.array([[1.0]] * 99 + [[0.0]])
    >>> found = fit_promises(Task("binary", ("bad",)), probability_nk, target_nk, list(range(100)), max_escape=0.05)
    >>> found.kept, [round(threshold, 2) for threshold in found.thresholds]
    (True, [0.3])

    Raises:
        RecipeError: a multi-class task of which no class is the good one.
        ValueError: shapes that do not fit, or see `escape_contract`.
    """
    k = len(task.classes)
    if probability_nk.shape != target_nk.shape or probability_nk.shape != (len(groups), k):
        raise ValueError(f"expected arrays {len(groups)} x {k}, got {probability_nk.shape}, {target_nk.shape}")
    found = []
    for name, score_n, truth_n in _scores(task, probability_nk.astype(np.float64), target_nk):
        contract = escape_contract(score_n, truth_n, groups, max_escape=max_escape, confidence=confidence, units=units)
        words = contract_words(contract, name, task.negative, where=where)
        drawn = curve(score_n, truth_n, groups, confidence=confidence, units=units, mark=contract.threshold)
        found.append(Promise(name, contract, words, drawn))
    if task.kind != "multiclass":
        return Promises(tuple(promise.contract.threshold for promise in found), tuple(found))
    weight = min(found[0].contract.threshold, 1.0) * _BELOW
    return Promises(tuple(1 - weight if name == task.negative else weight for name in task.classes), tuple(found))


def _scores(task: Task, probability_nk: FloatArray, target_nk: FloatArray) -> list[tuple[str, FloatArray, BoolArray]]:
    """For each contract the name of what must not pass, its scores, and which samples show it."""
    truth_nk = metrics.truth(task.kind, target_nk)
    if task.kind != "multiclass":
        return [(name, probability_nk[:, c], truth_nk[:, c]) for c, name in enumerate(task.classes)]
    if task.negative not in task.classes:
        raise RecipeError(
            f"decide.max_escape: none of the classes {', '.join(task.classes)} is known to be the good one, so "
            "there is nothing to escape as",
            "name the good class: data.negative of a table; folders with a name such as ok; or use decide.rule",
        )
    good = task.classes.index(task.negative)
    defects = [name for name in task.classes if name != task.negative]
    most_n = np.delete(probability_nk, good, axis=1).max(axis=1)
    whole_n = most_n + probability_nk[:, good]
    score_n = np.divide(most_n, whole_n, out=np.ones_like(most_n), where=whole_n > 0)
    return [(" or ".join(defects), score_n, ~truth_nk[:, good])]
