"""The residual blocks that the rows of `models.table` name. Tensors are b x c x h x w."""

from __future__ import annotations

from torch import Tensor, nn


class ResBlock(nn.Module):
    """Residual block of reference system C: two times (convolution 3x3, batch norm, ReLU), stride in the first.

    The input is added to the output; where stride or channels differ it passes a 1x1 convolution with that stride,
    followed by batch norm. ReLU stands before the addition and none after it, unlike in He et al. 2016.
    """

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_two_convolutions(inputs, channels, stride), nn.ReLU())
        self.shortcut = _shortcut(inputs, channels, stride)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Output has `channels` channels and the height and width divided by the stride, rounded up."""
        out: Tensor = self.body(x_bchw) + self.shortcut(x_bchw)
        return out


class BasicBlock(nn.Module):
    """Basic block of He et al. 2016 (Deep Residual Learning, figure 2): ReLU after the addition, none right before it.

    The shortcut is as in `ResBlock`.
    """

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_two_convolutions(inputs, channels, stride))
        self.shortcut = _shortcut(inputs, channels, stride)
        self.last = nn.ReLU()

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Output has `channels` channels and the height and width divided by the stride, rounded up."""
        out: Tensor = self.last(self.body(x_bchw) + self.shortcut(x_bchw))
        return out


class PointBlock(nn.Module):
    """Residual block of reference system D: convolution 1x1, batch norm, ReLU, convolution 3x3, batch norm.

    The shortcut is always a 1x1 convolution with batch norm; ReLU stands after the addition. Convolutions have a bias,
    as Keras gives them, though batch norm cancels it: so there are as many parameters as in the system itself.
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, channels, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, channels, 1), nn.BatchNorm2d(channels))
        self.last = nn.ReLU()

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Output has `channels` channels, height and width stay."""
        out: Tensor = self.last(self.body(x_bchw) + self.shortcut(x_bchw))
        return out


def _two_convolutions(inputs: int, channels: int, stride: int) -> list[nn.Module]:
    """Convolution, batch norm, ReLU, convolution, batch norm."""
    return [
        nn.Conv2d(inputs, channels, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 3, 1, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    ]


def _shortcut(inputs: int, channels: int, stride: int) -> nn.Module:
    """What brings the input to the size of the output; nothing where they have the same."""
    if stride == 1 and inputs == channels:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
