"""Random changes of training images, on integer c x h x w tensors; of their masks as well, where they have some."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import get_size

from flawscope.errors import RecipeError

if TYPE_CHECKING:
    from flawscope.training.spec import Augment

POLICIES: dict[str, type[v2.Transform]] = {"trivial": v2.TrivialAugmentWide, "rand": v2.RandAugment}


def augmentation(spec: Augment, depth: int = 8) -> nn.Module:
    """The random changes that the recipe asks for: of one image, or of an image and its mask as torchvision's types.

    Raises:
        RecipeError: a policy was asked for on pictures of 16 bits.
    """
    steps: list[nn.Module] = []
    if spec.policy != "none":
        if depth != 8:
            raise RecipeError(f"train.augment.policy: {spec.policy} changes pictures of 8 bits only, got {depth}")
        steps.append(POLICIES[spec.policy]())
    if spec.flip_horizontal:
        steps.append(v2.RandomHorizontalFlip())
    if spec.flip_vertical:
        steps.append(v2.RandomVerticalFlip())
    if spec.quarter_turns:
        steps.append(QuarterTurn())
    if spec.rotate or spec.shear or spec.shift or spec.zoom != (1.0, 1.0) or spec.crop < 1:
        steps.append(Warp(spec))
    if spec.brightness:
        steps.append(v2.ColorJitter(brightness=spec.brightness))
    changes: nn.Module = v2.Compose(steps) if steps else v2.Identity()
    return changes


class QuarterTurn(v2.Transform):  # type: ignore[misc]
    """A turn by 0, 90, 180 or 270 degrees, each as likely; without 90 and 270 where the image is not square."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """How many quarter turns."""
        height, width = get_size(flat_inputs[0])
        return {"turns": int(torch.randint(4 if height == width else 2, ())) * (1 if height == width else 2)}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        """The turned image or mask, of the same shape."""
        return alike(torch.rot90(inpt, params["turns"], (-2, -1)), inpt)


class Warp(v2.Transform):  # type: ignore[misc]
    """One affine map of the image: turn, shear, zoom of height and width, shift, crop. The border is repeated.

    torchvision's own map has one zoom for both sides and fills with one colour.
    """

    def __init__(self, spec: Augment) -> None:
        super().__init__()
        self.spec = spec

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """From where each pixel is taken: 1 x h x w x 2."""
        spec, (height, width) = self.spec, get_size(flat_inputs[0])
        turn, shear = (math.radians(_either_way(degrees)) for degrees in (spec.rotate, spec.shear))
        zoom_y, zoom_x = _between(*spec.zoom), _between(*spec.zoom)
        piece = _between(spec.crop, 1.0)
        # From a pixel of the result to the pixel that it is taken from, both counted from the middle.
        turned = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        sheared = torch.tensor([[1.0, math.tan(shear)], [0.0, 1.0]])
        sized = torch.diag(torch.tensor([piece / zoom_x, piece / zoom_y]))
        half = torch.tensor([width / 2, height / 2])
        map_22 = (sized @ sheared @ turned) * half[None, :] / half[:, None]
        moved = torch.tensor([2 * _either_way(spec.shift) + _either_way(1 - piece) for _ in "xy"])
        grid = functional.affine_grid(
            torch.cat([map_22, moved[:, None]], dim=1)[None], [1, 1, height, width], align_corners=False
        )
        return {"grid": grid}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        """The image laid anew, bilinear, or the mask, with the nearest value; of the same shape and type."""
        given = inpt.as_subclass(Tensor)
        laid = functional.grid_sample(
            given.float().reshape(1, -1, *given.shape[-2:]),
            params["grid"],
            mode="nearest" if isinstance(inpt, tv_tensors.Mask) else "bilinear",
            padding_mode="border",
            align_corners=False,
        )
        return alike(laid.reshape(given.shape).round().to(given.dtype), inpt)


def alike(changed: Tensor, before: Tensor) -> Tensor:
    """A changed image or mask, of the type of torchvision that it was of before."""
    if isinstance(before, tv_tensors.TVTensor):
        return tv_tensors.wrap(changed, like=before)  # type: ignore[no-any-return]
    return changed


def _between(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


def _either_way(most: float) -> float:
    return _between(-most, most)
