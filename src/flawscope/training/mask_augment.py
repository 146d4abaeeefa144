"""Random changes of training images and their masks together: the mask goes wherever the image goes.

The changes are those of `training.augment`, drawn once for both. Values of masks are never mixed: where an image is
laid anew between its pixels, the mask takes the nearest value. Brightness leaves masks alone. Draws come from torch's
global generator, as there: the data set sets it for each draw and then puts it back.

Masks are k x h x w (several labels, 0 or 1) or h x w (classes that exclude each other, 0 the background).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import get_size

from flawscope.errors import RecipeError
from flawscope.training.augment import alike, augmentation
from flawscope.training.mask_spec import Pieces
from flawscope.training.spec import Augment


class MaskChanges:
    """The random changes that the recipe asks for, of an image (c x h x w integers) and its mask.

    Args:
        augment: what is changed.
        pieces: what is cut out then; none: nothing is.
        depth: bits of the image.

    Raises:
        RecipeError: a policy was asked for: it changes pictures without their masks.

    >>> change = MaskChanges(Augment(flip_vertical=False, brightness=0), pieces=None)
    >>> image, mask = change(torch.tensor([[[1, 2, 3]]], dtype=torch.uint8), torch.tensor([[1, 2, 3]]))
    >>> torch.equal(image[0], mask)
    True
    """

    def __init__(self, augment: Augment, pieces: Pieces | None, depth: int = 8) -> None:
        if augment.policy != "none":
            raise RecipeError(
                f"train.augment.policy: {augment.policy} changes pictures without their masks",
                "use `policy: none`, and turns, shears, zooms and shifts by name",
            )
        self.change = augmentation(augment, depth)
        self.cut = Piece(pieces) if pieces else None

    def __call__(self, image_chw: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The changed image and mask, plain tensors of the same types; a piece of them where pieces are cut."""
        if image_chw.shape[-2:] != mask.shape[-2:]:
            raise ValueError(f"an image of {tuple(image_chw.shape)} and a mask of {tuple(mask.shape)} do not fit")
        both = self.change(tv_tensors.Image(image_chw), tv_tensors.Mask(mask))
        image, laid = both if self.cut is None else self.cut(*both)
        return image.as_subclass(Tensor).contiguous(), laid.as_subclass(Tensor).contiguous()


class Piece(v2.Transform):  # type: ignore[misc]
    """A piece of an image and its mask, some of them laid over a flaw: see `mask_spec.Pieces`."""

    def __init__(self, spec: Pieces) -> None:
        super().__init__()
        self.spec = spec

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Rows and columns of the piece; beyond a border they are those of the border."""
        mask = next(each for each in flat_inputs if isinstance(each, tv_tensors.Mask)).as_subclass(Tensor)
        pixel = a_flaw(mask) if float(torch.rand(())) < self.spec.flawed else None
        lines = []
        for axis, (whole, side) in enumerate(zip(get_size(mask), self.spec.size, strict=True)):
            first, last = min(0, whole - side), max(0, whole - side)
            if pixel is not None:
                first, last = max(first, pixel[axis] - side + 1), min(last, pixel[axis])
            start = first + int(torch.randint(last - first + 1, ()))
            lines.append(torch.arange(start, start + side).clamp(0, whole - 1))
        return {"rows": lines[0], "columns": lines[1]}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        """What lies there."""
        return alike(inpt.as_subclass(Tensor)[..., params["rows"][:, None], params["columns"]], inpt)


def a_flaw(mask: Tensor) -> tuple[int, int] | None:
    """Row and column of a pixel of a flaw: each class of the mask as likely, and each pixel of that class; or none.

    >>> a_flaw(torch.tensor([[0, 0], [0, 3]])), a_flaw(torch.zeros(2, 4, 4))
    ((1, 1), None)
    """
    if mask.ndim == 2:
        classes = [number for number in torch.unique(mask).tolist() if number]
    else:
        classes = torch.nonzero(mask.flatten(1).any(dim=1)).flatten().tolist()
    if not classes:
        return None
    chosen = classes[int(torch.randint(len(classes), ()))]
    place_p2 = torch.nonzero(mask == chosen if mask.ndim == 2 else mask[chosen])
    row, column = place_p2[int(torch.randint(len(place_p2), ()))].tolist()
    return row, column
