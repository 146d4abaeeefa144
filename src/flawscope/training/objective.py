"""What a network is trained for, and how its success is measured: answers about whole images, or maps of flaws.

The loop knows only `Objective`. Shapes: b images, k classes, h x w or p pixels.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from flawscope.errors import UserError
from flawscope.evaluation.stream import Stream
from flawscope.records import BoolArray, FloatArray, Task
from flawscope.training.losses import Loss
from flawscope.training.mask_losses import MaskLoss
from flawscope.training.processes import add_up, once, over_all, weighed, whole_batch
from flawscope.training.spec import IMAGE_WATCHES, ImageWatch

IGNORED = 255
"""In a mask: a pixel that is not counted, because there is no picture or another tile counts it."""
NOT_FINITE = "the network no longer gives finite numbers on the validation split"


class Measures(Protocol):
    """What is gathered over the batches of one validation."""

    def add(self, logit: Tensor, target: Tensor, n: int) -> None:
        """This process's share of a batch of n images.

        Raises:
            UserError: the network no longer gives finite numbers.
        """

    def result(self) -> dict[str, float]:
        """The loss, `val_loss`, and the measures that may be watched, each `val_` and its name."""


class Objective(Protocol):
    """A loss, and how what is learnt is counted."""

    @property
    def loss(self) -> nn.Module:
        """What is made small: takes logits and targets, gives a scalar."""

    def counts(self, logit: Tensor, target: Tensor) -> Tensor:
        """What of a batch goes into the measure of training: whole numbers, summed over batches and processes."""

    def learnt(self, counts: Tensor, seen: int) -> dict[str, float]:
        """The measure of training, `train_` and its name, of so many images."""

    def measures(self) -> Measures:
        """Of one validation, at its beginning."""


class Answers:
    """Answers about whole images; logits and targets are b x k."""

    def __init__(self, task: Task, loss: Loss) -> None:
        self.task = task
        self.loss = loss

    def counts(self, logit_bk: Tensor, target_bk: Tensor) -> Tensor:
        """How many images have every answer right, by what the network would say by itself; how many show each class.

        >>> answers = Answers(Task("binary", ("bad",)), Loss(Task("binary", ("bad",)), np.ones(1)))
        >>> answers.counts(torch.tensor([[2.0], [1.0]]), torch.tensor([[1.0], [0.0]]))
        tensor([1, 1])
        """
        logit_bk, shown_bk = logit_bk.detach(), target_bk >= 0.5
        if self.loss.exclusive:
            right_b = logit_bk.argmax(dim=1) == target_bk.argmax(dim=1)
        else:
            right_b = ((logit_bk > 0) == shown_bk).all(dim=1)
        return torch.cat([right_b.sum()[None], shown_bk.sum(dim=0)])

    def learnt(self, counts: Tensor, seen: int) -> dict[str, float]:
        """The share of images answered right, changed at random as they were learnt, and of those that show each class.

        >>> answers = Answers(Task("binary", ("bad",)), Loss(Task("binary", ("bad",)), np.ones(1)))
        >>> answers.learnt(torch.tensor([3, 2]), 4)
        {'train_accuracy': 0.75, 'drawn_bad': 0.5}
        """
        right, *shown_k = counts.tolist()
        drawn = {f"drawn_{name}": n / seen for name, n in zip(self.task.classes, shown_k, strict=True)}
        return {"train_accuracy": right / seen, **drawn}

    def measures(self) -> Measures:
        """Of the logits of all images together."""
        return AnswerMeasures(self)


class AnswerMeasures:
    """All logits of one validation; all processes gather whole batches."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.stream = Stream(len(answers.task.classes))
        self.total = 0.0

    def add(self, logit_bk: Tensor, target_bk: Tensor, n: int) -> None:
        """See `Measures`."""
        logit_bk, target_bk = whole_batch(logit_bk, n), whole_batch(target_bk, n)
        self.total += float(self.answers.loss(logit_bk, target_bk)) * n
        score_bk = logit_bk.float().cpu().numpy()
        if not np.isfinite(score_bk).all():
            raise UserError(NOT_FINITE, "lower train.rate")
        self.stream.update(target_bk.cpu().numpy() >= 0.5, decided(self.answers.task, score_bk), score_bk)

    def result(self) -> dict[str, float]:
        """See `Measures`; what one class only leaves undefined counts as 0."""
        measures = {f"val_{watch}": watched_measure(self.stream, watch) for watch in IMAGE_WATCHES}
        return {"val_loss": self.total / self.stream.n, **measures}


class Maps:
    """Maps of flaws; logits and targets as `MaskLoss` takes them, pixels of `IGNORED` are not counted.

    A pixel is marked where its logit is above 0, of classes that exclude each other where its class has the largest
    one. Dice and IoU are those of all pixels together, the mean over the classes that are there.
    """

    def __init__(self, loss: MaskLoss) -> None:
        self.loss = loss

    def counts(self, logit_bkhw: Tensor, target: Tensor) -> Tensor:
        """Pixels that are flawed and marked, that are marked, and that are flawed: 3 x k.

        >>> from flawscope.training.mask_spec import MaskLossSpec
        >>> maps = Maps(MaskLoss(MaskLossSpec(), classes=1, exclusive=False))
        >>> maps.counts(torch.tensor([[[[9.0, 9, -9, 9]]]]), torch.tensor([[[[1, 0, 1, IGNORED]]]])).flatten().tolist()
        [1, 2, 2]
        """
        logit_bkhw = logit_bkhw.detach()
        if self.loss.exclusive:
            number_k11 = torch.arange(1, self.loss.classes + 1, device=target.device)[:, None, None]
            flawed, counted = target[:, None] == number_k11, target[:, None] != IGNORED
            marked = logit_bkhw.argmax(dim=1, keepdim=True) == number_k11
        else:
            flawed, counted, marked = target == 1, target != IGNORED, logit_bkhw > 0
        marked = marked & counted
        return torch.stack([each.sum(dim=(0, 2, 3)) for each in (flawed & marked, marked, flawed)])

    def learnt(self, counts: Tensor, seen: int) -> dict[str, float]:
        """The mean Dice index of what was learnt from."""
        return {"train_dice": overlaps(counts.cpu().numpy())[0]}

    def measures(self) -> Measures:
        """Of all pixels together."""
        return MapMeasures(self)


class MapMeasures:
    """Counts of pixels of one validation; each process counts its share."""

    def __init__(self, maps: Maps) -> None:
        self.maps = maps
        self.total, self.n = 0.0, 0
        self.counts: Tensor | None = None

    def add(self, logit_bkhw: Tensor, target: Tensor, n: int) -> None:
        """See `Measures`."""
        logit_bkhw = logit_bkhw.float()
        loss = over_all(weighed(loss_of_counted(self.maps.loss, logit_bkhw, target), len(target), n))
        if not np.isfinite(loss):
            raise UserError(NOT_FINITE, "lower train.rate")
        self.total, self.n = self.total + loss * n, self.n + n
        counts = once(self.maps.counts(logit_bkhw, target), n)
        self.counts = counts if self.counts is None else self.counts + counts

    def result(self) -> dict[str, float]:
        """See `Measures`."""
        assert self.counts is not None
        add_up([self.counts])
        dice, iou = overlaps(self.counts.cpu().numpy())
        return {"val_loss": self.total / self.n, "val_dice": dice, "val_iou": iou}


def loss_of_counted(loss: MaskLoss, logit_bkhw: Tensor, target: Tensor) -> Tensor:
    """The loss of the pixels that are counted, laid in a row: of all images together, or the mean over the images."""
    counted_bhw = (target if loss.exclusive else target[:, 0]) != IGNORED
    if counted_bhw.all():
        found: Tensor = loss(logit_bkhw, target)
        return found
    if loss.spec.over == "image" and len(target) > 1:
        return torch.stack(
            [loss_of_counted(loss, logit_bkhw[i : i + 1], target[i : i + 1]) for i in range(len(target))]
        ).mean()
    logit_1k1p = logit_bkhw.movedim(1, -1)[counted_bhw].mT[None, :, None]
    row = target[counted_bhw] if loss.exclusive else target.movedim(1, -1)[counted_bhw].mT
    in_row: Tensor = loss(logit_1k1p, row[None, None] if loss.exclusive else row[None, :, None])
    return in_row


def overlaps(counts_3k: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Mean Dice index and mean IoU over the classes that are there; 0 if none is.

    >>> overlaps(np.array([[2, 0, 0], [3, 1, 5], [3, 0, 5]]))  # the second class is nowhere
    (0.3333333333333333, 0.25)
    """
    there = counts_3k[2] > 0
    if not there.any():
        return 0.0, 0.0
    hits_k, marked_k, flawed_k = counts_3k[:, there].astype(np.float64)
    dice_k: FloatArray = 2 * hits_k / (marked_k + flawed_k)
    return float(dice_k.mean()), float((hits_k / (marked_k + flawed_k - hits_k)).mean())


def decided(task: Task, logit_bk: npt.NDArray[np.float32]) -> BoolArray:
    """What the network would say by itself: each class with a logit above 0, or the one with the largest."""
    flag_bk: BoolArray = logit_bk > 0
    if task.kind == "multiclass":
        flag_bk = np.eye(len(task.classes), dtype=np.bool_)[logit_bk.argmax(axis=1)]
    return flag_bk


def watched_measure(stream: Stream, watch: ImageWatch) -> float:
    """Mean over the classes of AUROC, average precision or F1; or the share of images decided right."""
    if watch == "accuracy":
        return stream.right / stream.n
    measure = {"auroc": "AUROC", "average_precision": "average precision", "f1": "F1"}[watch]
    return float(np.nan_to_num(stream.mean(measure)))
