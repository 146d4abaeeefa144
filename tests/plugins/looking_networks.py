"""Networks that look at one part of a picture and nowhere else: what their maps must show is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn


class LooksAt(nn.Module):
    """Sums up the light in one part of a picture: its border, or its middle."""

    def __init__(self, place_hw: np.ndarray) -> None:
        super().__init__()
        self.plan = SimpleNamespace(columns=(), name="by hand")
        self.part, self.head = _Part(place_hw), nn.Linear(1, 1)
        with torch.no_grad():
            self.head.weight.fill_(1.0)
            self.head.bias.fill_(-10.0)

    def forward(self, images_bchw: Tensor) -> Tensor:
        out: Tensor = self.head(self.part(images_bchw.float()).mean(dim=(2, 3)))
        return out


class _Part(nn.Module):
    def __init__(self, place_hw: np.ndarray) -> None:
        super().__init__()
        self.place_hw = torch.from_numpy(place_hw.astype(np.float32))

    def forward(self, images_bchw: Tensor) -> Tensor:
        return images_bchw * self.place_hw


def at_border(width: int = 2) -> np.ndarray:
    """The border of a picture of 32 x 32."""
    place_hw = np.ones((32, 32))
    place_hw[width:-width, width:-width] = 0
    return place_hw
