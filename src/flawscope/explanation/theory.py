"""Where class activation maps need no gradient: global average pooling and one linear layer (Zhou et al. 2016).

There logit_k = mean over the places of sum_c W_kc A_c + b_k, so the gradient of logit k with respect to A_c is W_kc
over the number of places, at every place and for every image: Grad-CAM before its ReLU is W_k A over that number. So
the map is part of the answer itself, and a graph can give it from one forward pass.

Letters: k score columns, c channels, h and w rows and columns of the last maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from flawscope.errors import UserError
from flawscope.explanation.capture import evaluating, hooked
from flawscope.explanation.layers import Layer, last_layer, layers_of

CLOSE = 1e-3
"""Relative difference up to which two gradients are the same: float32 behind a few sums."""


@dataclass(frozen=True)
class CamWeights:
    """The layer whose maps the head averages, and what each channel is worth to each score column.

    `weight_kc` is None where the head is no such one, and `reason` says why.
    """

    layer: str
    weight_kc: npt.NDArray[np.float32] | None
    reason: str = ""


def cam_weights(network: nn.Module, *inputs: Tensor) -> CamWeights:
    """The weights of class activation maps, if the head is linear behind a global average pooling.

    It is not read off the modules but measured: for two random maps in place of the layer's own, the gradient of each
    logit must be the same at every place and for both. So what is linear in other words (batch norm in the head,
    metadata beside the features) counts as well, for every family of networks.

    Args:
        network: see `explain`.
        inputs: one image b x c x h x w or more, and metadata where it takes any.

    >>> head = nn.Linear(1, 2)
    >>> network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    >>> found = cam_weights(network, torch.rand(1, 1, 4, 4))
    >>> found.layer, np.allclose(found.weight_kc, head.weight.detach())
    ('0', True)
    """
    inputs = tuple(each[:1] for each in inputs)
    with evaluating(network), torch.no_grad():
        logits = network(*inputs)
    if logits.ndim != 2:
        return CamWeights("", None, "the network makes masks: its answer is a map already")
    try:
        layer = last_layer(network, layers_of(network, *inputs), inputs, lambda out: out.sum(dim=1))
    except UserError as error:
        return CamWeights("", None, error.problem)
    draw = torch.Generator().manual_seed(0)
    first_kchw, other_kchw = (_slopes(network, layer, inputs, draw) for _ in range(2))
    scale = float(first_kchw.abs().max())
    if not torch.allclose(first_kchw, other_kchw, rtol=0, atol=CLOSE * scale):
        return CamWeights(layer.name, None, f"what comes after {layer.name} is not linear")
    mean_kc = first_kchw.mean(dim=(2, 3))
    if not torch.allclose(first_kchw, mean_kc[..., None, None].expand_as(first_kchw), rtol=0, atol=CLOSE * scale):
        return CamWeights(layer.name, None, f"what comes after {layer.name} weighs places differently: no average")
    places = first_kchw.shape[2] * first_kchw.shape[3]
    return CamWeights(layer.name, (mean_kc * places).cpu().numpy())


def _slopes(network: nn.Module, layer: Layer, inputs: tuple[Tensor, ...], draw: torch.Generator) -> Tensor:
    """The gradient of each logit with respect to the layer's maps, k x c x h x w, for random ones in their place."""
    put: list[Tensor] = []

    def replace(module: nn.Module, given: Any, out: Tensor) -> Tensor:
        noise = torch.randn(out.shape, generator=draw).to(out)
        put.append((out.detach() + (1 + out.detach().abs().mean()) * noise).requires_grad_())
        return put[-1].clone()

    assert layer.grid is not None
    with evaluating(network), hooked({layer.module: replace}), torch.enable_grad():
        (logit_k,) = network(*inputs)
        slopes = [torch.autograd.grad(logit, put[-1], retain_graph=True)[0] for logit in logit_k]
    return torch.cat([layer.grid.map_of(slope) for slope in slopes])
