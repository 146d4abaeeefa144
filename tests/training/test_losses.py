"""Losses and class weights, worked out by hand and against scikit-learn. Shapes: n samples, k classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torchvision.ops import sigmoid_focal_loss

from flawscope.errors import RecipeError
from flawscope.records import Task
from flawscope.training.losses import Loss, class_weights

BINARY = Task("binary", ("bad",))
THREE = Task("multiclass", ("a", "b", "c"))
BOTH = Task("multilabel", ("a", "b"))


def loss(task: Task, weights: list[float], logits: list[list[float]], targets: list[list[float]]) -> float:
    return float(Loss(task, np.array(weights))(torch.tensor(logits), torch.tensor(targets)))


def kind_of_loss(task: Task, kind: str, logits: list[list[float]], targets: list[list[float]], **more: float) -> float:
    weights = np.array([2.0, 1.0, 4.0])[: len(task.classes)]
    return float(Loss(task, weights, kind, **more)(torch.tensor(logits), torch.tensor(targets)))


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def test_binary_by_hand() -> None:
    # positive: weight * log(1 + e^-x); negative: log(1 + e^x); mean over the batch
    assert loss(BINARY, [1], [[0.0]], [[1.0]]) == pytest.approx(math.log(2))
    expected = (3 * softplus(-2) + softplus(-1)) / 2
    assert loss(BINARY, [3], [[2.0], [-1.0]], [[1.0], [0.0]]) == pytest.approx(expected)
    soft = 0.25 * 3 * softplus(-2) + 0.75 * softplus(2)
    assert loss(BINARY, [3], [[2.0]], [[0.25]]) == pytest.approx(soft)


def test_multilabel_is_the_mean_over_the_classes() -> None:
    expected = (2 * softplus(-1) + softplus(3)) / 2
    assert loss(BOTH, [2, 5], [[1.0, 3.0]], [[1.0, 0.0]]) == pytest.approx(expected)


def test_multiclass_by_hand() -> None:
    # -weight * log softmax of the true class; the mean over the batch, not over the weights
    logits = [[math.log(1), math.log(2), math.log(5)]] * 2
    expected = (2 * math.log(8 / 1) + 4 * math.log(8 / 5)) / 2
    assert loss(THREE, [2, 1, 4], logits, [[1.0, 0, 0], [0, 0, 1]]) == pytest.approx(expected)
    mixed = 0.5 * 2 * math.log(8) + 0.5 * math.log(8 / 2)
    assert loss(THREE, [2, 1, 4], logits[:1], [[0.5, 0.5, 0]]) == pytest.approx(mixed)


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    labels = np.array([0] * 7 + [1] * 2 + [2] * 3)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert class_weights(THREE, np.eye(3)[labels], "balanced") == pytest.approx(expected)
    negative, positive = compute_class_weight("balanced", classes=np.arange(2), y=labels == 0)
    assert class_weights(BINARY, (labels == 0)[:, None] * 1.0, "balanced") == pytest.approx([positive / negative])
    pair = np.stack([labels == 0, labels == 1], axis=1) * 1.0
    assert class_weights(BOTH, pair, "balanced") == pytest.approx([5 / 7, 10 / 2])


def test_a_class_without_samples_and_one_without_others_get_finite_weights() -> None:
    assert np.isfinite(class_weights(THREE, np.eye(3)[[0, 0, 1]], "balanced")).all()
    assert class_weights(BINARY, np.ones((4, 1)), "balanced").tolist() == [0.25]


def test_given_weights() -> None:
    assert class_weights(THREE, np.eye(3), "none").tolist() == [1, 1, 1]
    assert class_weights(THREE, np.eye(3), [1, 2, 3.5]).tolist() == [1, 2, 3.5]
    for wrong in ([1.0], [1, 2, 0], [1, 2, -1], [1, 2, math.nan], [[1, 2, 3]]):
        with pytest.raises(
            RecipeError, match=r"train.class_weights: expected 3 positive numbers for \('a', 'b', 'c'\)"
        ):
            class_weights(THREE, np.eye(3), wrong)  # type: ignore[arg-type]


def test_focal_loss_is_that_of_torchvision_and_without_gamma_the_usual_one() -> None:
    generator = torch.Generator().manual_seed(0)
    logit_bk, target_bk = torch.randn(9, 2, generator=generator), torch.rand(9, 2, generator=generator).round()
    expected = sigmoid_focal_loss(logit_bk, target_bk, alpha=-1, gamma=1.5, reduction="mean")
    torch.testing.assert_close(Loss(BOTH, np.ones(2), "focal", gamma=1.5)(logit_bk, target_bk), expected)
    for task in (BOTH, THREE):
        given = ([[0.3, -2.0, 1.0][: len(task.classes)]], [[1.0, 0.0, 0.0][: len(task.classes)]])
        assert kind_of_loss(task, "focal", *given, gamma=0) == pytest.approx(kind_of_loss(task, "auto", *given))


def test_focal_loss_by_hand() -> None:
    logits = [[math.log(1), math.log(2), math.log(5)]]
    # the true class has p = 5/8 and weight 4
    assert kind_of_loss(THREE, "focal", logits, [[0.0, 0, 1]]) == pytest.approx(4 * (3 / 8) ** 2 * math.log(8 / 5))
    # p = 0.75 of what is there, weight 2
    assert kind_of_loss(BINARY, "focal", [[math.log(3)]], [[1.0]]) == pytest.approx(2 * 0.25**2 * math.log(4 / 3))


def test_smoothing_spreads_a_share_over_all_answers() -> None:
    soft = kind_of_loss(BINARY, "bce", [[1.5]], [[0.9]])
    assert kind_of_loss(BINARY, "auto", [[1.5]], [[1.0]], smoothing=0.2) == pytest.approx(soft)
    logits = [[0.2, -1.0, 3.0]]
    spread = kind_of_loss(THREE, "auto", logits, [[0.1, 0.1, 0.8]])
    assert kind_of_loss(THREE, "cross_entropy", logits, [[0.0, 0, 1]], smoothing=0.3) == pytest.approx(spread)


@pytest.mark.parametrize(("task", "kind"), [(BINARY, "cross_entropy"), (BOTH, "cross_entropy"), (THREE, "bce")])
def test_a_loss_that_does_not_fit_the_task(task: Task, kind: str) -> None:
    with pytest.raises(RecipeError, match=f"train.loss: {kind} is for classes that(?s:.)*use auto"):
        Loss(task, np.ones(len(task.classes)), kind)
