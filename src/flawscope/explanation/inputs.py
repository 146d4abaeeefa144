"""From plain arrays to what a network takes: so that who calls needs no torch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn


def inputs_of(
    network: nn.Module, images_bchw: npt.NDArray[np.integer], table_bm: npt.NDArray[np.float32] | None = None
) -> tuple[Tensor, ...]:
    """Images, and metadata where there are any, on the device of a network.

    >>> [each.dtype for each in inputs_of(nn.Conv2d(1, 1, 1), np.zeros((1, 1, 2, 2), np.uint16))]
    [torch.uint16]
    """
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    given = (images_bchw,) if table_bm is None else (images_bchw, table_bm)
    return tuple(torch.from_numpy(np.ascontiguousarray(each)).to(device) for each in given)
