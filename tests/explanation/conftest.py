"""Networks whose maps can be computed by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

IMAGE = [[0, 1], [4, 0]]
"""The hand-computed cases: maps x and relu(3 - x), that is 0 1 4 0 and 3 2 0 3."""


class Tiny(nn.Module):
    """Two maps of a grey picture, x and 3 - x behind a ReLU in place; their means, and logits 2 a - b and b - a."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True)
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
            self.conv.bias.copy_(torch.tensor([0.0, 3.0]))  # type: ignore[union-attr]
            self.fc.weight.copy_(torch.tensor([[2.0, -1.0], [-1.0, 1.0]]))

    def forward(self, inputs_bchw: Tensor) -> Tensor:
        out: Tensor = self.fc(self.pool(self.relu(self.conv(inputs_bchw.float()))).flatten(1))
        return out


@pytest.fixture
def tiny() -> Tiny:
    return Tiny()


@pytest.fixture
def image_bchw() -> Tensor:
    return torch.tensor(IMAGE, dtype=torch.uint8)[None, None]
