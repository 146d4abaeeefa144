"""Losses of masks, of whole batches of maps of logits.

Masks of several labels: logits and targets are b x k x h x w, targets 0 or 1, each class passes a sigmoid. Masks of
classes that exclude each other: logits are b x (1 + k) x h x w, the background first; targets are b x h x w, 0 for the
background and 1 to k for the flaws; a softmax.

Whose code:

- Lovasz comes from segmentation_models_pytorch (it is its authors' own code), class by class where there are several
  labels: there all classes would be thrown together and sorted as if they were one.
- Dice and the Tversky family are ours. In segmentation_models_pytorch alpha weighs false positives and beta false
  negatives, while Abraham & Khan have it the other way round; its exponent is applied after the mean over the classes,
  not class by class; and a class without a pixel in the batch counts 0 whatever is drawn: a false flaw costs nothing.
- Focal loss is ours. There, classes that exclude each other pass a sigmoid each, where a softmax decides.

What images without any flaw do: over a `batch` their pixels are part of the one sum, and all that is drawn on them is
false. A class that is nowhere in the sum has the index s / (s + f x false pixels), s being `smooth` and f the weight of
false pixels: the loss is 0 if nothing is drawn, one half at s / f false pixels, and near 1 beyond. Over an `image` the
same holds for each image alone: where flaws are rare most terms are of this kind. Several processes measure overlap
over the whole batch, as one would (of fewer images than processes each counts for several); only lovasz over their own
share of it each.

Letters: b images, k classes, p pixels.
"""

from __future__ import annotations

import torch
from segmentation_models_pytorch.losses import LovaszLoss
from torch import Tensor, nn
from torch.nn import functional

from flawscope.errors import RecipeError
from flawscope.training.mask_spec import OVERLAP, MaskLossSpec
from flawscope.training.processes import summed

TINY = 1e-6
"""Least value of what is raised to a power below 1: at 0 the slope is infinite."""


class MaskLoss(nn.Module):
    """What is made small, a scalar; computed in float32 (or float64), whatever the logits are.

    Each part is a mean over the flaw classes, weighted by `spec.class_weights`. With hits, missed and false pixels
    summed up from probabilities, and index = (hits + s) / (hits + missed weight x missed + false weight x false + s):

    - dice, tversky: 1 - index, both weights being 1/2 for dice.
    - focal_tversky: (1 - index)^exponent, of each class.
    - bce: cross-entropy, mean over the pixels; focal: each pixel's times (1 - p)^gamma, p being the probability of the
      true answer. Where classes exclude each other the weight is the true class's, the background's 1.
    - lovasz: hinge for several labels, softmax where they exclude each other (there the mean is over the classes
      present, the background among them).

    Args:
        spec: what the recipe says.
        classes: number of flaw classes.
        exclusive: whether they exclude each other.

    Raises:
        RecipeError: the loss does not fit the task.

    >>> loss = MaskLoss(MaskLossSpec(kind="dice"), classes=1, exclusive=False)
    >>> loss(torch.full((1, 1, 1, 3), -99.0), torch.ones(1, 1, 1, 3))  # 3 missed: 1 - 1 / (3 / 2 + 1)
    tensor(0.6000)
    """

    weight_k: Tensor

    def __init__(self, spec: MaskLossSpec, classes: int, *, exclusive: bool) -> None:
        super().__init__()
        given = spec.class_weights or [1.0] * classes
        if len(given) != classes:
            raise RecipeError(f"masks.loss.class_weights: expected {classes} numbers, got {len(given)}", "one a class")
        if spec.class_weights and exclusive and spec.kind == "lovasz":
            raise RecipeError("masks.loss.class_weights: lovasz takes none where classes exclude each other")
        if spec.background and not exclusive:
            raise RecipeError("masks.loss.background: there is none where classes may overlap", "leave it out")
        self.spec, self.classes, self.exclusive = spec, classes, exclusive
        self.lovasz = LovaszLoss("multiclass" if exclusive else "binary", per_image=spec.over == "image")
        self.register_buffer("weight_k", torch.tensor(given, dtype=torch.float32))

    def forward(self, logit_bkhw: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch."""
        with torch.autocast(logit_bkhw.device.type, enabled=False):
            if logit_bkhw.dtype != torch.float64:
                logit_bkhw = logit_bkhw.float()
            wanted = logit_bkhw.shape if not self.exclusive else (len(logit_bkhw), *logit_bkhw.shape[2:])
            if target.shape != wanted:
                raise ValueError(f"masks of shape {tuple(wanted)} expected, got {tuple(target.shape)}")
            loss = logit_bkhw.new_zeros(())
            if self.spec.kind in ("bce", "bce_dice", "focal"):
                loss = loss + self._pixels(logit_bkhw, target)
            if self.spec.kind in OVERLAP:
                overlap = self._overlap(logit_bkhw, target)
                loss = loss + (self.spec.dice_weight * overlap if self.spec.kind == "bce_dice" else overlap)
            if self.spec.kind == "lovasz":
                loss = loss + self._lovasz(logit_bkhw, target)
            return loss

    def _pixels(self, logit_bkhw: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy or focal loss."""
        gamma = self.spec.gamma if self.spec.kind == "focal" else 0.0
        if self.exclusive:
            part_bhw = _eased(functional.cross_entropy(logit_bkhw, target.long(), reduction="none"), gamma)
            weights = torch.cat([self.weight_k.new_ones(1), self.weight_k]).to(part_bhw.dtype)
            return (part_bhw * weights[target.long()]).mean()
        truth_bkhw = target.to(logit_bkhw.dtype)
        part_bkhw = functional.binary_cross_entropy_with_logits(logit_bkhw, truth_bkhw, reduction="none")
        return self._mean(_eased(part_bkhw, gamma).mean(dim=(0, 2, 3)))

    def _overlap(self, logit_bkhw: Tensor, target: Tensor) -> Tensor:
        """Dice, Tversky and focal Tversky."""
        spec, dice = self.spec, self.spec.kind in ("dice", "bce_dice")
        if self.exclusive:
            number_k = torch.arange(self.classes + 1, device=target.device)
            truth_bkhw, p_bkhw = target[:, None] == number_k[:, None, None], logit_bkhw.softmax(dim=1)
        else:
            truth_bkhw, p_bkhw = target, logit_bkhw.sigmoid()
        truth_bkhw = truth_bkhw.to(logit_bkhw.dtype)
        over = (0, 2, 3) if spec.over == "batch" else (2, 3)
        hits = (p_bkhw * truth_bkhw).sum(over)
        missed = ((1 - p_bkhw) * truth_bkhw).sum(over)
        false = (p_bkhw * (1 - truth_bkhw)).sum(over)
        if spec.over == "batch":
            hits, missed, false = summed(torch.stack([hits, missed, false]))
        wrong = 0.5 * (missed + false) if dice else spec.missed * missed + spec.false * false
        loss = wrong / (hits + wrong + spec.smooth)  # 1 - index, without a difference of nearly equal numbers
        if spec.kind == "focal_tversky":
            loss = loss.clamp(min=TINY) ** spec.exponent
        loss_k = loss if spec.over == "batch" else loss.mean(dim=0)
        if not self.exclusive:
            return self._mean(loss_k)
        return self._mean(loss_k[1:]) if not spec.background else self._mean(loss_k)

    def _lovasz(self, logit_bkhw: Tensor, target: Tensor) -> Tensor:
        logit_bkhw = logit_bkhw.float()  # the library's code knows float32 alone
        if self.exclusive:
            loss: Tensor = self.lovasz(logit_bkhw, target.long())
            return loss
        truth_bkhw = target.float()
        parts = [self.lovasz(logit_bkhw[:, k], truth_bkhw[:, k]) for k in range(self.classes)]
        return self._mean(torch.stack(parts))

    def _mean(self, loss_k: Tensor) -> Tensor:
        """Over the classes, each with its weight; a background before them has weight 1."""
        weight_k = self.weight_k.to(loss_k.dtype)
        if len(loss_k) > len(weight_k):
            weight_k = torch.cat([weight_k.new_ones(1), weight_k])
        return (weight_k * loss_k).sum() / weight_k.sum()


def _eased(part: Tensor, gamma: float) -> Tensor:
    """Cross-entropies times (1 - p)^gamma, p being e to the minus each."""
    return part * (-torch.expm1(-part)).clamp(min=TINY) ** gamma if gamma else part
