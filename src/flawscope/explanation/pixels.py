"""Maps without a layer: what the score loses when a window is covered, and what each pixel adds on the way from grey.

Both come from captum, whose numbers hand-computed cases confirm.

Letters: b images, c channels, h and w rows and columns of the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

Forward = Callable[..., Tensor]
"""From images b x c x h x w (float, in the values of the integers) and what belongs to each, to one score an image."""
AT_ONCE = 16


def occlusion(
    forward: Forward, images_bchw: Tensor, neutral_1c11: Tensor, beside: tuple[Tensor, ...], *, window: int, stride: int
) -> Tensor:
    """Zeiler and Fergus 2014: how much the score falls where a window covers the pixel, the mean over such windows.

    Args:
        forward: see there.
        images_bchw: as floats.
        neutral_1c11: what covers.
        beside: what `forward` takes beside the images, one row each.
        window: its side in pixels.
        stride: from one window to the next.
    """
    from captum.attr import Occlusion

    channels = images_bchw.shape[1]
    sizes, steps = _fitting(images_bchw.shape[2:], window, stride)
    with torch.no_grad():
        fall_bchw: Tensor = Occlusion(forward).attribute(
            images_bchw,
            sliding_window_shapes=(channels, *sizes),
            strides=(channels, *steps),
            baselines=neutral_1c11.expand(len(images_bchw), -1, 1, 1).expand_as(images_bchw),
            additional_forward_args=beside,
            perturbations_per_eval=max(1, AT_ONCE // len(images_bchw)),
        )
    return fall_bchw[:, 0]  # a window covers all channels: they all have its number


def windows(sides: Sequence[int], window: int, stride: int) -> int:
    """How many windows cover an image of this height and width.

    >>> windows((8, 12), 4, 2), windows((3, 12), 4, 2)
    (15, 5)
    """
    sizes, steps = _fitting(sides, window, stride)
    return math.prod(1 + math.ceil((side - size) / step) for side, size, step in zip(sides, sizes, steps, strict=True))


def _fitting(sides: Sequence[int], window: int, stride: int) -> tuple[list[int], list[int]]:
    """Height and width of a window, and the steps between its places: none is larger than the image."""
    sizes = [min(window, side) for side in sides]
    return sizes, [min(stride, size) for size in sizes]


def integrated_gradients(
    forward: Forward, images_bchw: Tensor, neutral_1c11: Tensor, beside: tuple[Tensor, ...], *, steps: int
) -> Tensor:
    """Sundararajan et al. 2017: gradients along the straight way from the neutral image, times what each pixel differs.

    Their sum is the score minus that of the neutral image (completeness), as nearly as so many steps can say. Channels
    are summed.
    """
    from captum.attr import IntegratedGradients

    with torch.enable_grad():
        share_bchw: Tensor = IntegratedGradients(forward).attribute(
            images_bchw,
            baselines=neutral_1c11.expand(len(images_bchw), -1, 1, 1).expand_as(images_bchw),
            additional_forward_args=beside,
            n_steps=steps,
            internal_batch_size=max(AT_ONCE, len(images_bchw)),
        )
    return share_bchw.detach().sum(dim=1)


def smoothed(map_bhw: Tensor, deviation: float) -> Tensor:
    """Maps under a Gaussian of this standard deviation in pixels. What it takes over the border comes back: sums stay.

    >>> smoothed(torch.tensor([[[0.0, 0.0, 1.0]]]), 1.0).sum().isclose(torch.tensor(1.0)).item()
    True
    """
    return torch.from_numpy(gaussian_filter(map_bhw.cpu().numpy(), (0, deviation, deviation))).to(map_bhw.device)
