"""What a graph gives beside its logits, so that answers can be explained where there is no torch.

`maps`: class activation maps, b x k x h x w at the size of the last feature maps, where the head is linear behind a
global average pooling (see `theory`). Their unit is the logit: the mean of a map over its places is the logit of its
class, but for what no place has a share in (the bias, metadata). Grad-CAM is the positive part of a map, divided by
the number of places.

`features`: the last feature maps themselves, b x c x h x w, whatever the head. Score-CAM needs them.

Letters: b images, k score columns, c channels, h and w rows and columns of the last feature maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from flawscope.explanation.capture import hooked
from flawscope.explanation.layers import Layer, find_layer, layers_of
from flawscope.explanation.theory import cam_weights

Kind = Literal["logits", "maps", "features"]


class WithMaps(nn.Module):
    """A network that gives its logits and, of one layer, class activation maps (where it has weights) and features.

    Args:
        network: gives logits.
        layer: its last one that gives maps.
        weight_kc: what each channel is worth to each class; None: no class activation maps.
    """

    def __init__(self, network: nn.Module, layer: Layer, weight_kc: Tensor | None) -> None:
        super().__init__()
        self.network = network
        self._layer = (layer,)  # in a tuple: the module stands in the network, and not here again
        self.register_buffer("weight_kc11", None if weight_kc is None else weight_kc[..., None, None])

    def forward(self, inputs_bchw: Tensor, table_bm: Tensor | None = None) -> tuple[Tensor, ...]:
        """Logits, maps where there are any, features."""
        (layer,) = self._layer
        beside: list[Tensor] = []

        def keep(module: nn.Module, given: Any, out: Tensor) -> None:
            # At once, and as a copy: a ReLU in place behind the layer would change what it gives.
            assert layer.grid is not None
            feature_bchw = layer.grid.map_of(out).clone()
            if isinstance(self.weight_kc11, Tensor):
                beside.append(functional.conv2d(feature_bchw, self.weight_kc11))
            beside.append(feature_bchw)

        with hooked({layer.module: keep}):
            logits = self.network(inputs_bchw, *(() if table_bm is None else (table_bm,)))
        return (logits, *beside)


@dataclass(frozen=True)
class Mapped:
    """A network as it is exported: its outputs by name, the layer that they show, and why there are no maps."""

    network: nn.Module
    outputs: tuple[Kind, ...] = ("logits",)
    layer: str = ""
    no_maps: str = ""


def with_maps(network: nn.Module, *inputs: Tensor) -> Mapped:
    """The network that gives all that can be had beside its logits.

    Args:
        network: gives logits.
        inputs: one image b x c x h x w or more, and metadata where it takes any.

    >>> network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> made = with_maps(network, torch.rand(1, 1, 4, 6))
    >>> made.outputs, made.layer, [tuple(each.shape) for each in made.network(torch.rand(3, 1, 4, 6))]
    (('logits', 'maps', 'features'), '0', [(3, 2), (3, 2, 4, 6), (3, 2, 4, 6)])
    """
    found = cam_weights(network, *inputs)
    if not found.layer:
        return Mapped(network, no_maps=found.reason)
    layer = find_layer(layers_of(network, *inputs), found.layer)
    weight_kc = None if found.weight_kc is None else torch.from_numpy(found.weight_kc)
    outputs: tuple[Kind, ...] = ("logits", "features") if weight_kc is None else ("logits", "maps", "features")
    return Mapped(WithMaps(network, layer, weight_kc), outputs, layer.name, found.reason)
