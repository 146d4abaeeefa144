"""Named architectures as rows, to be read beside the paper or exercise that they come from.

Conv(channels, filter, stride); MaxPool(pool, stride); ResBlock(channels, stride); FC(channels), where None stands
for the number of score columns of the task.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from flawscope.errors import RecipeError, choices
from flawscope.models.blocks import ResBlock


class Conv(NamedTuple):
    """Convolution, "same" padding (half the filter), no bias: batch norm follows and would cancel it."""

    channels: int
    filter: int
    stride: int


class BN(NamedTuple):
    """Batch normalisation."""


class ReLU(NamedTuple):
    """Rectified linear unit."""


class MaxPool(NamedTuple):
    """Largest value in a window, padded by half of it."""

    pool: int
    stride: int


class Res(NamedTuple):
    """A `ResBlock`."""

    channels: int
    stride: int


class GlobalAvgPool(NamedTuple):
    """Mean over height and width."""


class FC(NamedTuple):
    """Fully connected layer; None: as many outputs as the task has score columns."""

    channels: int | None = None


Row = Conv | BN | ReLU | MaxPool | Res | GlobalAvgPool | FC

TABLE: dict[str, tuple[Row, ...]] = {
    # Reference system C, "ResNet18": one ResBlock a stage, so ten weight layers: not torchvision's ResNet-18.
    # Not stated there, chosen here: padding (half the filter) and no dropout.
    "resnet18": (
        Conv(64, 7, 2), BN(), ReLU(), MaxPool(3, 2),
        Res(64, 1), Res(128, 2), Res(256, 2), Res(512, 2),
        GlobalAvgPool(), FC(),
    ),
}  # fmt: skip


class TableNet(nn.Module):
    """A network made from the rows of one entry of `TABLE`.

    Args:
        name: the entry.
        channels: channels of the input picture.
        outputs: number of score columns.

    Raises:
        RecipeError: there is no such entry.

    >>> sum(p.numel() for p in TableNet("resnet18", channels=1, outputs=2).parameters())
    4900546
    """

    def __init__(self, name: str, channels: int, outputs: int) -> None:
        super().__init__()
        if name not in TABLE:
            raise RecipeError(f"model.name: there is no network table:{name}", choices(name, TABLE))
        layers: list[nn.Module] = []
        width = channels
        for row in TABLE[name]:
            layer, width = _layer(row, width, outputs)
            layers.append(layer)
        self.layers = nn.Sequential(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Logits, b x outputs."""
        out: Tensor = self.layers(x_bchw)
        return out

    def get_classifier(self) -> nn.Module:
        """The last fully connected layer, under the name that timm's models use."""
        return self.layers[-1]


def _layer(row: Row, width: int, outputs: int) -> tuple[nn.Module, int]:  # noqa: PLR0911 (one for each kind of row)
    """The module of one row, and the number of channels that leave it."""
    match row:
        case Conv(channels, size, stride):
            return nn.Conv2d(width, channels, size, stride, padding=size // 2, bias=False), channels
        case BN():
            return nn.BatchNorm2d(width), width
        case ReLU():
            return nn.ReLU(inplace=True), width
        case MaxPool(pool, stride):
            return nn.MaxPool2d(pool, stride, padding=pool // 2), width
        case Res(channels, stride):
            return ResBlock(width, channels, stride), channels
        case GlobalAvgPool():
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), width
        case FC(channels):
            return nn.Linear(width, channels or outputs), channels or outputs
