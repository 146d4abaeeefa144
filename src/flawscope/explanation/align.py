"""Where the places of a layer truly look: beside where its map is drawn.

A map is stretched over the image as if each of its places looked at the middle of its own share of it. A convolution of
3 x 3 with a stride of 2 on an even number of pixels looks half a pixel beside that: to the left and up with padding on
both sides, to the right and down with TensorFlow's, which pads at the end. With each further stride it doubles, and
comes to half a place: some 16 pixels behind five of them. Small flaws are missed by that.

Letters: b images, c channels, h and w rows and columns.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from flawscope.explanation.capture import evaluating, hooked
from flawscope.explanation.layers import Layer, covered_by, grid_of
from flawscope.explanation.neutral import neutral

FAINT = 1e-3
"""How much brighter than neutral the plain picture is, as a share of white: too little for a cut-off such as ReLU6."""
WIDE = 600
"""The least side of the plain picture: about the receptive field of the last layer of a usual network."""
Offset = tuple[float, float]
"""Pixels down and to the right."""


def offset(network: nn.Module, layer: Layer, inputs: tuple[Tensor, ...]) -> Offset:
    """How far beside their own share of the image the places of a layer look.

    It is the structure that is asked, not what has been learnt: in a copy of the network each weight of a layer counts
    the same, and a plain picture goes through it. Of the places nearest to the middle, the centre of the gradient with
    respect to the picture is that of the theoretical receptive field (Luo et al. 2016). The picture is larger than
    the image, where the network takes that, so that its borders cut nothing off. Where such a copy says nothing (a
    norm over the channels of a place makes all of them 0, as in transformers, whose places are aligned) it is 0.

    Args:
        network: see `explain`.
        layer: one of `layers_of` of this network, with a map.
        inputs: what the network takes; only their sizes count.

    >>> from flawscope.explanation.layers import layers_of
    >>> network, images = nn.Sequential(nn.Conv2d(1, 1, 3, stride=2, padding=1)), torch.ones(1, 1, 8, 8)
    >>> offset(network, layers_of(network, images)[0], (images,))
    (-0.5, -0.5)
    """
    name = next(name for name, module in network.named_modules() if module is layer.module)
    plain = evened(network)
    light_1c11 = neutral(network, inputs[0]) + FAINT * float(getattr(network, "highest", 1.0))
    for times in (math.ceil(WIDE / min(inputs[0].shape[2:])) | 1, 1):  # odd: what is even stays so, and odd what is odd
        sides = [times * int(side) for side in inputs[0].shape[2:]]
        images = light_1c11.expand(1, inputs[0].shape[1], *sides).float().clone().requires_grad_()
        kept: list[Tensor] = []
        hooks = {plain.get_submodule(name): lambda module, given, out, kept=kept: kept.append(out)}
        try:
            with evaluating(plain), hooked(hooks), torch.enable_grad():
                plain(images, *(each[:1] for each in inputs[1:]))
                covered = covered_by(network, images)
                grid = grid_of(tuple(kept[-1].shape), covered, layer.grid.extra if layer.grid else 0)
                if grid is None:
                    continue
                map_chw = grid.map_of(kept[-1])[0]
                found = [_beside(map_chw, place, images, covered) for place in _middle(map_chw)]
        except (AssertionError, RuntimeError, ValueError):
            continue  # a network of one size
        down, right = np.mean(found, axis=0).round(3).tolist()
        return down, right
    return 0.0, 0.0


def evened(network: nn.Module) -> nn.Module:
    """A copy of a network in which each weight of a layer is one over their number, and norms change nothing.

    Of equal values a max pooling would take the first one, so it becomes the mean of its window.

    >>> evened(nn.Linear(4, 1)).weight.tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    plain = copy.deepcopy(network)
    with torch.no_grad():
        for module in plain.modules():
            for name, value in module.named_parameters(recurse=False):
                value.fill_(0 if name == "bias" else 1 / max(1, value[0].numel()) if value.ndim > 1 else 1)
            for name, buffer in module.named_buffers(recurse=False):
                if name in ("running_mean", "running_var"):
                    buffer.fill_(float(name == "running_var"))
            for name, child in list(module.named_children()):
                if type(child) is nn.MaxPool2d:
                    setattr(module, name, _mean_of(child))
    return plain


def _mean_of(pool: nn.MaxPool2d) -> nn.AvgPool2d:
    return nn.AvgPool2d(pool.kernel_size, pool.stride, pool.padding, ceil_mode=pool.ceil_mode, count_include_pad=False)


def shifted(map_bhw: Tensor, by: Offset) -> Tensor:
    """Maps moved so many pixels down and to the right, bilinear; what comes in is the border again.

    >>> shifted(torch.tensor([[[1.0, 2.0, 4.0]]]), (0.0, 1.0)).tolist()
    [[[1.0, 1.0, 2.0]]]
    """
    height, width = map_bhw.shape[1:]
    y_h, x_w = (torch.arange(side, dtype=torch.float32) - far for side, far in zip((height, width), by, strict=True))
    grid_hw2 = torch.stack(
        [
            ((2 * x_w + 1) / width - 1).expand(height, width),
            ((2 * y_h + 1) / height - 1)[:, None].expand(height, width),
        ],
        dim=-1,
    ).to(map_bhw)
    many_bhw2 = grid_hw2.expand(len(map_bhw), -1, -1, -1)
    return functional.grid_sample(map_bhw[:, None], many_bhw2, padding_mode="border", align_corners=False)[:, 0]


def _middle(map_chw: Tensor) -> list[tuple[int, int]]:
    """The one, two or four places nearest to the middle."""
    rows, columns = ({(side - 1) // 2, side // 2} for side in map_chw.shape[1:])
    return [(row, column) for row in sorted(rows) for column in sorted(columns)]


def _beside(map_chw: Tensor, place: tuple[int, int], images: Tensor, covered: tuple[int, int]) -> Offset:
    """From the middle of a place's share to the centre of what it looks at."""
    (slope,) = torch.autograd.grad(map_chw[:, place[0], place[1]].sum(), images, retain_graph=True)
    weight_hw = slope[0].double().abs().sum(dim=0).cpu().numpy()
    total = weight_hw.sum()
    if not total > 0:
        return 0.0, 0.0
    centre = [float((weight_hw.sum(axis=1 - axis) * np.arange(weight_hw.shape[axis])).sum() / total) for axis in (0, 1)]
    own = [(place[axis] + 0.5) * covered[axis] / map_chw.shape[1 + axis] - 0.5 for axis in (0, 1)]
    return centre[0] - own[0], centre[1] - own[1]
