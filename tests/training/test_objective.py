"""What is counted of maps, by hand. k classes, h x w pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from flawscope.errors import UserError
from flawscope.training.mask_losses import MaskLoss
from flawscope.training.mask_spec import MaskLossSpec
from flawscope.training.objective import IGNORED, Maps, loss_of_counted, overlaps


def maps(classes: int = 2, *, exclusive: bool = False, **asked: Any) -> Maps:
    return Maps(MaskLoss(MaskLossSpec(**asked), classes, exclusive=exclusive))


def test_dice_and_iou_over_all_batches_by_hand() -> None:
    measures = maps().measures()
    # first class: 2 hits, 1 false, 1 missed in two batches; second class: nothing is flawed, so it is left out
    measures.add(torch.tensor([[[[9.0, 9, -9]], [[9, -9, -9]]]]), torch.tensor([[[[1, 0, 1]], [[0, 0, 0]]]]), 1)
    measures.add(
        torch.tensor([[[[9.0, -9, 9]], [[-9, -9, -9]]]]), torch.tensor([[[[1, 0, IGNORED]], [[0, 0, 255]]]]), 1
    )
    found = measures.result()
    assert (found["val_dice"], found["val_iou"]) == (pytest.approx(2 * 2 / (3 + 3)), pytest.approx(2 / 4))


def test_classes_that_exclude_each_other_by_hand() -> None:
    # the most probable of background, first and second class: 1, 2, 0, 2
    logit = torch.tensor([[[[0.0, 0, 1, 0]], [[1, 0, 0, 0]], [[0, 1, 0, 1]]]])
    counts = maps(exclusive=True).counts(logit, torch.tensor([[[1, 1, 2, 2]]]))
    assert counts.tolist() == [[1, 1], [1, 2], [2, 2]]
    assert overlaps(counts.numpy()) == (pytest.approx((2 / 3 + 1 / 2) / 2), pytest.approx((1 / 2 + 1 / 3) / 2))
    ignored = maps(exclusive=True).counts(logit, torch.tensor([[[1, 1, 2, IGNORED]]]))
    assert ignored.tolist() == [[1, 0], [1, 1], [2, 1]]


def test_nothing_flawed_at_all_counts_as_nothing() -> None:
    assert overlaps(np.array([[0, 0], [5, 0], [0, 0]])) == (0.0, 0.0)


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("over", ["batch", "image"])
@pytest.mark.parametrize("kind", ["bce_dice", "lovasz", "focal"])
def test_the_loss_is_that_of_the_pixels_that_are_counted(exclusive: bool, over: Any, kind: Any) -> None:
    loss = maps(kind=kind, over=over, exclusive=exclusive).loss
    logit = torch.randn(3, 2 + exclusive, 6, 8, generator=torch.Generator().manual_seed(0))
    target = torch.randint(0, 2, (3, 6, 8) if exclusive else (3, 2, 6, 8), generator=torch.Generator().manual_seed(1))
    outside = target.clone()
    outside[..., 4:, :] = outside[..., 5:] = IGNORED
    found = loss_of_counted(loss, logit, outside)
    torch.testing.assert_close(found, loss(logit[..., :4, :5], target[..., :4, :5]))
    torch.testing.assert_close(loss_of_counted(loss, logit, target), loss(logit, target))


def test_maps_that_are_no_numbers() -> None:
    with pytest.raises(UserError, match=r"no longer gives finite numbers(?s:.)*train\.rate"):
        maps(1).measures().add(torch.full((1, 1, 2, 2), torch.nan), torch.ones(1, 1, 2, 2), 1)


def test_the_measure_of_training() -> None:
    assert maps().learnt(torch.tensor([[2, 1], [3, 1], [3, 1]]), 9) == {"train_dice": pytest.approx((2 / 3 + 1) / 2)}
