"""The rows that networks and heads are written in, and the layers that come of them.

A shape is (channels, height, width) of a map, or (features,) once it is flattened or averaged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from torch import nn

from flawscope.errors import RecipeError
from flawscope.models.blocks import BasicBlock, PointBlock, ResBlock

Shape = tuple[int, ...]


class Conv(NamedTuple):
    """Convolution. Padding is half the filter unless a number is given; no bias where batch norm would cancel it."""

    channels: int
    filter: int
    stride: int = 1
    padding: int | None = None
    bias: bool = False


class BN(NamedTuple):
    """Batch normalisation, of a map or of features."""


class ReLU(NamedTuple):
    """Rectified linear unit."""


class MaxPool(NamedTuple):
    """Largest value in a window; padding is half of it unless a number is given."""

    pool: int
    stride: int
    padding: int | None = None


class AvgPool(NamedTuple):
    """Mean in a window, without padding."""

    pool: int
    stride: int


class Res(NamedTuple):
    """A `ResBlock`."""

    channels: int
    stride: int


class Basic(NamedTuple):
    """A `BasicBlock`."""

    channels: int
    stride: int


class Point(NamedTuple):
    """A `PointBlock`."""

    channels: int


class Keep(NamedTuple):
    """The map goes on, and is kept for the `Join` that answers it: the last one kept is joined first."""


class Join(NamedTuple):
    """Height and width doubled (each value repeated, 2x2), then the channels of the map kept last are added."""


class Maps(NamedTuple):
    """Convolution 1x1 with bias: a map of logits for each score column."""


class GlobalAvgPool(NamedTuple):
    """Mean over height and width."""


class Flatten(NamedTuple):
    """All values of a map in one row."""


class DropOut(NamedTuple):
    """While training a share of the values is set to 0."""

    share: float = 0.5


class FC(NamedTuple):
    """Fully connected layer; None: as many outputs as the task has score columns."""

    channels: int | None = None


Row = Conv | BN | ReLU | MaxPool | AvgPool | Res | Basic | Point | Maps | GlobalAvgPool | Flatten | DropOut | FC
MaskRow = Row | Keep | Join
"""Rows of networks that make masks; `Keep` and `Join` are no layers, see `models.masks.MaskNet`."""


def layers_of(rows: Sequence[Row], shape: Shape, outputs: int, name: str) -> nn.Sequential:
    """One layer for each row; convolutions begin as in He et al. 2015.

    Args:
        rows: from input to logits.
        shape: of the input.
        outputs: number of score columns.
        name: for errors.

    Raises:
        RecipeError: the pictures are too small for so many steps down.

    >>> [tuple(p.shape) for p in layers_of([GlobalAvgPool(), FC()], (8, 3, 3), 2, "a head").parameters()]
    [(2, 8), (2,)]
    """
    layers, now = [], shape
    for row in rows:
        layer, now = layer_of(row, now, outputs)
        if min(now) < 1:
            raise RecipeError(
                f"{name} cannot take {' x '.join(map(str, shape))} (channels, height, width): nothing is left after "
                f"{row}",
                "make image.size larger",
            )
        layers.append(layer)
    made = nn.Sequential(*layers)
    begin(made, "fan_out")
    return made


def begin(made: nn.Module, mode: Literal["fan_in", "fan_out"]) -> None:
    """First weights of all convolutions as in He et al. 2015, equation 10 (fan_in) or 14 (fan_out); biases are 0."""
    for module in made.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def layer_of(row: Row, shape: Shape, outputs: int) -> tuple[nn.Module, Shape]:  # noqa: PLR0911, PLR0912 (a case each row)
    """The module of one row, and the shape of what leaves it."""
    width = shape[0]
    match row:
        case Conv(channels, size, stride, padding, bias):
            pad = size // 2 if padding is None else padding
            layer = nn.Conv2d(width, channels, size, stride, padding=pad, bias=bias)
            return layer, (channels, *_slid(shape, size, stride, pad))
        case BN():
            return (nn.BatchNorm2d if len(shape) > 1 else nn.BatchNorm1d)(width), shape
        case ReLU():
            return nn.ReLU(inplace=True), shape
        case MaxPool(pool, stride, padding):
            pad = pool // 2 if padding is None else padding
            return nn.MaxPool2d(pool, stride, padding=pad), (width, *_slid(shape, pool, stride, pad))
        case AvgPool(pool, stride):
            return nn.AvgPool2d(pool, stride), (width, *_slid(shape, pool, stride, 0))
        case Res(channels, stride):
            return ResBlock(width, channels, stride), (channels, *_slid(shape, 3, stride, 1))
        case Basic(channels, stride):
            return BasicBlock(width, channels, stride), (channels, *_slid(shape, 3, stride, 1))
        case Point(channels):
            return PointBlock(width, channels), (channels, *shape[1:])
        case Maps():
            return nn.Conv2d(width, outputs, 1), (outputs, *shape[1:])
        case GlobalAvgPool():
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), (width,)
        case Flatten():
            return nn.Flatten(), (math.prod(shape),)
        case DropOut(share):
            return nn.Dropout(share), shape
        case FC(channels):
            return nn.Linear(width, channels or outputs), (channels or outputs,)


def _slid(shape: Shape, size: int, stride: int, padding: int) -> Shape:
    """Height and width of what a window of a size gives that slides over a padded map."""
    return tuple((length + 2 * padding - size) // stride + 1 for length in shape[1:])
