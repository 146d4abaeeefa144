"""Losses with class weights. Targets may be soft (numbers between 0 and 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from flawscope.errors import RecipeError
from flawscope.records import FloatArray, Task

ClassWeights = Literal["none", "balanced"] | Sequence[float]


def class_weights(task: Task, target_nk: FloatArray, wanted: ClassWeights) -> FloatArray:
    """One weight a class: n / (K x n_k) for multi-class, else negatives per positive, as weight of the positives.

    "balanced" makes every class count alike in the sum of losses; given numbers are taken as they are.

    Raises:
        RecipeError: the wrong number of weights, or a weight that is not positive.

    >>> class_weights(Task("binary", ("bad",)), np.array([[1.0], [0], [0], [0]]), "balanced").tolist()
    [3.0]
    """
    k = len(task.classes)
    if isinstance(wanted, str):
        if wanted == "none":
            return np.ones(k)
        counts_k = np.maximum(target_nk.sum(axis=0), 1.0)
        n = len(target_nk)
        weights_k = n / (k * counts_k) if task.kind == "multiclass" else np.maximum(n - counts_k, 1.0) / counts_k
        return np.asarray(weights_k, dtype=np.float64)
    given = np.asarray(wanted, dtype=np.float64)
    if given.shape != (k,) or not np.all(given > 0):
        raise RecipeError(f"train.class_weights: expected {k} positive numbers for {task.classes}, got {list(wanted)}")
    return given


class Loss(nn.Module):
    """Binary cross-entropy (binary, multi-label) or cross-entropy (multi-class), weighted, mean over the batch.

    Label smoothing e moves a target t to t (1 - e) + e / 2, of K classes that exclude each other to t (1 - e) + e / K
    (Szegedy et al. 2016). Focal loss multiplies what a class adds by (1 - p)^gamma, p being the probability that the
    network gives to the true answer (Lin et al. 2017); its alpha are the class weights. Logits and targets are b x k.

    Raises:
        RecipeError: the loss does not fit the task.
    """

    weight_k: Tensor

    def __init__(
        self, task: Task, weight_k: FloatArray, kind: str = "auto", *, gamma: float = 2.0, smoothing: float = 0.0
    ) -> None:
        super().__init__()
        self.exclusive = task.kind == "multiclass"
        if kind == ("bce" if self.exclusive else "cross_entropy"):
            raise RecipeError(
                f"train.loss: {kind} is for classes that {'do not exclude' if self.exclusive else 'exclude'} each "
                f"other, this task is {task.kind}",
                "use auto",
            )
        self.gamma = gamma if kind == "focal" else 0.0
        self.smoothing = smoothing
        self.register_buffer("weight_k", torch.tensor(weight_k, dtype=torch.float32))

    def forward(self, logit_bk: Tensor, target_bk: Tensor) -> Tensor:
        """A scalar."""
        answers = logit_bk.shape[1] if self.exclusive else 2
        target_bk = target_bk * (1 - self.smoothing) + self.smoothing / answers
        if self.exclusive:
            if not self.gamma:
                return functional.cross_entropy(logit_bk, target_bk, weight=self.weight_k)
            log_bk = functional.log_softmax(logit_bk, dim=1)
            part_bk = -self.weight_k * target_bk * log_bk * (1 - log_bk.exp()) ** self.gamma
            return part_bk.sum(dim=1).mean()
        part_bk = functional.binary_cross_entropy_with_logits(
            logit_bk, target_bk, pos_weight=self.weight_k, reduction="none"
        )
        if self.gamma:
            p_bk = logit_bk.sigmoid()
            part_bk = part_bk * (1 - p_bk * target_bk - (1 - p_bk) * (1 - target_bk)) ** self.gamma
        return part_bk.mean()
