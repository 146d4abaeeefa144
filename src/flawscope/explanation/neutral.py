"""What stands for nothing in a picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn


def neutral(network: nn.Module, images_bchw: Tensor | npt.NDArray[np.integer]) -> Tensor:
    """The value a channel that the network's normalisation makes 0, 1 x c x 1 x 1: the mean that it takes away.

    >>> neutral(nn.Identity(), torch.ones(1, 3, 2, 2)).flatten().tolist()
    [0.0, 0.0, 0.0]
    """
    mean_1c11 = getattr(network, "mean_1c11", None)
    if not isinstance(mean_1c11, Tensor):
        device = images_bchw.device if isinstance(images_bchw, Tensor) else None
        return torch.zeros((1, images_bchw.shape[1], 1, 1), device=device)
    return mean_1c11 * float(getattr(network, "highest", 1.0))
