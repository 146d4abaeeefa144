"""The building blocks that the rows of `models.table` name. Tensors are b x c x h x w."""

from __future__ import annotations

from torch import Tensor, nn


class ResBlock(nn.Module):
    """Residual block of reference system C: two times (convolution 3x3, batch norm, ReLU), stride in the first.

    The input is added to the output; where stride or channels differ it passes a 1x1 convolution with that stride,
    followed by batch norm. ReLU stands before the addition and none after it, unlike in He et al. 2016.
    """

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        same = stride == 1 and inputs == channels
        self.shortcut: nn.Module = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
        )

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Output has `channels` channels and the height and width divided by the stride, rounded up."""
        out: Tensor = self.body(x_bchw) + self.shortcut(x_bchw)
        return out
