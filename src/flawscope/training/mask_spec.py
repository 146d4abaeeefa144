"""What a recipe says of learning masks: the loss, and the pieces that are cut out of pictures. Torch-free."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from flawscope.preprocess import Size
from flawscope.training.spec import Section

MaskLossKind = Literal["bce", "bce_dice", "dice", "tversky", "focal_tversky", "lovasz", "focal"]
OVERLAP = ("dice", "bce_dice", "tversky", "focal_tversky")
"""Losses that sum up hits, misses and false pixels before they are set against each other."""


class MaskLossSpec(Section):
    """What is made small when masks are learnt. A word alone names the kind: `loss: dice`.

    Of classes that exclude each other (a softmax, the background being one more), bce means cross-entropy.
    """

    kind: MaskLossKind = Field(
        default="bce_dice",
        description="bce: cross-entropy of each pixel; bce_dice: its sum with dice (Isensee et al. 2021); dice: 1 - "
        "the soft Dice index (Milletari et al. 2016); tversky: the same with weights of its own for missed and false "
        "pixels (Salehi et al. 2017); focal_tversky: to a power (Abraham & Khan 2019, reference system D); lovasz: a "
        "convex stand-in for 1 - IoU (Berman et al. 2018); focal: bce, less of what is easy (Lin et al. 2017)",
    )
    missed: float = Field(default=0.7, ge=0, description="tversky, focal_tversky: weight of flaw pixels not found")
    false: float = Field(default=0.3, ge=0, description="tversky, focal_tversky: weight of good pixels called flawed")
    exponent: float = Field(default=0.75, gt=0, description="focal_tversky: (1 - index) to this power, class by class")
    gamma: float = Field(default=2.0, ge=0, description="focal: 0 takes nothing away")
    dice_weight: float = Field(default=1.0, gt=0, description="bce_dice: of the Dice part beside 1 for cross-entropy")
    over: Literal["batch", "image"] = Field(
        default="batch",
        description="what overlap is measured over: all images of a batch together, which is steady where most images "
        "have no flaw, or each image alone, which lets a small flaw count as much as a large one",
    )
    smooth: float = Field(
        default=1.0,
        gt=0,
        description="pixels added to numerator and denominator of Dice and Tversky: of a class that is nowhere, about "
        "so many false pixels cost half",
    )
    background: bool = Field(
        default=False,
        description="classes that exclude each other: dice and tversky measure the background as one more class",
    )
    class_weights: list[float] | None = Field(
        default=None, description="how much each flaw class counts, one number a class; null: all alike"
    )

    @model_validator(mode="before")
    @classmethod
    def _kind_alone(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _something_counts(self) -> MaskLossSpec:
        if not self.missed + self.false > 0:
            raise ValueError("missed and false cannot both be 0: no mask would be better than another")
        if self.class_weights is not None and not (self.class_weights and all(w > 0 for w in self.class_weights)):
            raise ValueError(f"class_weights: expected positive numbers, got {self.class_weights}")
        return self


class Pieces(Section):
    """A piece of each training image, cut out anew each epoch after all other changes.

    So that flaws are seen often enough, some pieces are laid over a flaw: of the classes that the image has one is
    chosen, of its pixels one, and of all pieces that hold this pixel one, each as likely (foreground sampling, Isensee
    et al. 2021). What a piece reaches beyond a smaller image repeats its border.
    """

    size: Size = Field(description="height and width in pixels, or one number for both")
    flawed: float = Field(
        default=0.5, ge=0, le=1, description="share of the draws that are laid over a flaw, where the image has one"
    )


class MaskSpec(Section):
    """Networks that make masks: how they learn, and how their maps become flaws.

    What is fitted is fitted on the calibration split; the probability of a pixel counts in 256 steps.
    """

    loss: MaskLossSpec = Field(default=MaskLossSpec(), description="what is made small")
    pieces: Pieces | None = Field(
        default=None, description="what is learnt from are pieces of the training images; null: whole ones, of one size"
    )
    thresholds: Literal["fit"] | float | list[float] = Field(
        default="fit",
        description="from which probability on a pixel is marked: fit, for each class what makes the mean Dice index "
        "best; or one number, or one a class",
    )
    min_area: Literal["fit"] | int | list[int] = Field(
        default="fit",
        description="flaws of fewer pixels are dropped: fit, for each class together with its threshold; or one "
        "number, or one a class; 1: none is dropped",
    )
    overlap: float = Field(
        default=0.25, ge=0, le=0.5, description="share of a tile's height and width that the next one covers as well"
    )
    mm_per_pixel: float | None = Field(default=None, gt=0, description="scale of the pictures: areas in mm2 are given")

    @model_validator(mode="after")
    def _possible(self) -> MaskSpec:
        for key, value, low, high in (("thresholds", self.thresholds, 1 / 256, 1), ("min_area", self.min_area, 1, 1e9)):
            given = [] if isinstance(value, str) else value if isinstance(value, list) else [value]
            if not all(low <= number <= high for number in given):
                raise ValueError(f"{key}: expected numbers from {low:g} to {high:g}, got {value}")
        return self


def mask_loss_without_effect(spec: MaskLossSpec) -> list[str]:
    """Keys with another value than their default that change nothing beside the others, one line each.

    >>> mask_loss_without_effect(MaskLossSpec(kind="dice", missed=0.9))
    ['missed: loss dice does not use it']
    """
    uses = {
        "missed": ("tversky", "focal_tversky"),
        "false": ("tversky", "focal_tversky"),
        "exponent": ("focal_tversky",),
        "gamma": ("focal",),
        "dice_weight": ("bce_dice",),
        "over": (*OVERLAP, "lovasz"),
        "smooth": OVERLAP,
        "background": OVERLAP,
    }
    default = MaskLossSpec()
    return [
        f"{key}: loss {spec.kind} does not use it"
        for key, kinds in uses.items()
        if getattr(spec, key) != getattr(default, key) and spec.kind not in kinds
    ]
