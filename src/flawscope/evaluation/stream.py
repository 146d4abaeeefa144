"""Measures of batches as they come: the same numbers as of all at once, whatever the batches were.

Counts and the confusion matrix are added up. AUROC and average precision depend on the order of all scores, so truths
and scores are kept: 5 bytes an image and class where scores are float32.

Shapes: b images of a batch, n images in all, k classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from flawscope.evaluation import metrics
from flawscope.evaluation.metrics import Counts, IntArray
from flawscope.records import BoolArray, FloatArray

COUNTED: dict[str, Callable[[Counts], float]] = {
    "accuracy": metrics.accuracy,
    "recall": metrics.recall,
    "precision": metrics.precision,
    "specificity": metrics.specificity,
    "F1": metrics.f1,
}
RANKED: dict[str, Callable[[BoolArray, npt.NDArray[np.floating]], float]] = {
    "AUROC": metrics.auroc,
    "average precision": metrics.average_precision,
}


class Stream:
    """Decisions and scores on n images, k classes each.

    >>> stream = Stream(1)
    >>> stream.update(np.array([[True], [False]]), np.array([[True], [True]]), np.array([[2.0], [0.5]]))
    >>> stream.update(np.array([[True]]), np.array([[False]]), np.array([[-1.0]]))
    >>> stream.of_classes("recall"), stream.mean("AUROC"), stream.n
    ([0.5], 0.5, 3)
    """

    def __init__(self, classes: int) -> None:
        self._tp_fp_fn_tn_k4: IntArray = np.zeros((classes, 4), np.int64)
        self._matrix_kk: IntArray = np.zeros((classes, classes), np.int64)
        self._truths: list[BoolArray] = []
        self._scores: list[npt.NDArray[np.floating]] = []
        self._exclusive = True
        self.right = 0

    def update(self, truth_bk: BoolArray, flag_bk: BoolArray, score_bk: npt.NDArray[np.floating]) -> None:
        """Add a batch: what is shown, what was decided, and how surely; a higher score speaks for the class.

        Raises:
            ValueError: the shapes differ, or there are not k classes.
        """
        shapes = {truth_bk.shape, flag_bk.shape, score_bk.shape}
        if shapes != {(len(truth_bk), len(self._matrix_kk))}:
            raise ValueError(f"expected three arrays b x {len(self._matrix_kk)}, got {sorted(shapes)}")
        for c, (truth_b, flag_b) in enumerate(zip(truth_bk.T, flag_bk.T, strict=True)):
            counts = metrics.confusion(truth_b, flag_b)
            self._tp_fp_fn_tn_k4[c] += (counts.tp, counts.fp, counts.fn, counts.tn)
        self.right += int((truth_bk == flag_bk).all(axis=1).sum())
        self._exclusive &= bool((truth_bk.sum(axis=1) == 1).all() and (flag_bk.sum(axis=1) == 1).all())
        if self._exclusive:
            true_b, decided_b = truth_bk.argmax(axis=1), flag_bk.argmax(axis=1)
            self._matrix_kk += metrics.confusion_matrix(true_b, decided_b, len(self._matrix_kk))
        self._truths.append(truth_bk.copy())
        self._scores.append(score_bk.copy())

    @property
    def n(self) -> int:
        """So many images so far."""
        return sum(len(truth_bk) for truth_bk in self._truths)

    @property
    def counts(self) -> list[Counts]:
        """The four outcomes of each class."""
        return [Counts(*(int(count) for count in row)) for row in self._tp_fp_fn_tn_k4]

    @property
    def confusion_matrix(self) -> IntArray:
        """Rows true, columns decided, k x k.

        Raises:
            ValueError: an image shows, or was decided to show, not exactly one class.
        """
        if not self._exclusive:
            raise ValueError("a confusion matrix needs exactly one true and one decided class an image")
        return self._matrix_kk.copy()

    def of_classes(self, measure: str) -> list[float]:
        """A measure of each class (see `COUNTED` and `RANKED`); NaN where it is not defined.

        Raises:
            KeyError: no such measure.
        """
        if measure in COUNTED:  # F1 without positives says nothing, whatever was falsely called
            defined = [measure != "F1" or counts.tp + counts.fn > 0 for counts in self.counts]
            rate = COUNTED[measure]
            return [rate(each) if some else float("nan") for each, some in zip(self.counts, defined, strict=True)]
        k = len(self._matrix_kk)
        truth_nk = np.concatenate([np.empty((0, k), np.bool_), *self._truths])
        score_nk = np.concatenate(self._scores) if self._scores else np.empty((0, k))
        both = [0 < truth_n.sum() < len(truth_n) for truth_n in truth_nk.T]
        rank = RANKED[measure]
        return [
            rank(truth_n, score_n) if ranked else float("nan")
            for truth_n, score_n, ranked in zip(truth_nk.T, score_nk.T, both, strict=True)
        ]

    def mean(self, measure: str) -> float:
        """The mean over the classes for which the measure is defined; NaN if there is none."""
        value_k: FloatArray = np.array(self.of_classes(measure))
        value_k = value_k[np.isfinite(value_k)]
        return float(value_k.mean()) if value_k.size else float("nan")
