"""Looking inside a network: its layers as a table, the filters of one, and what each gives for one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from flawscope.errors import UserError
from flawscope.explanation.capture import captured, evaluating, hooked
from flawscope.explanation.layers import Layer, layers_of, listed, shown, without_backbone

SHOWN = ("conv", "relu", "silu", "gelu", "swish", "sigmoid", "act", "pool", "upsample", "norm")
"""Kinds of layers whose maps are worth a look: convolutions, norms, activations, pooling."""
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LayerRow:
    """One layer: the shapes of its own weights by their names, how many numbers they hold, its output for one image.

    `shape` is empty for layers that are not called as modules (tables of positions, weights that another layer uses).
    """

    name: str
    kind: str
    weights: Mapping[str, tuple[int, ...]]
    parameters: int
    shape: tuple[int, ...]


def layer_table(network: nn.Module, *inputs: Tensor) -> list[LayerRow]:
    """Every layer that holds no others, and whatever else has weights of its own, in the order in which they work.

    The parameters of all rows add up to those of the network.

    >>> rows = layer_table(nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU()), torch.zeros(1, 1, 9, 9))
    >>> [(row.name, row.kind, dict(row.weights), row.parameters, row.shape) for row in rows]  # doctest: +ELLIPSIS
    [('0', 'Conv2d', {'weight': (6, 1, 5, 5), 'bias': (6,)}, 156, (6, 5, 5)), ('1', 'ReLU', {}, 0, (6, 5, 5))]
    """
    layers = layers_of(network, *inputs)
    called = {layer.module for layer in layers}
    others = [Layer(shown(name), module, (), None) for name, module in network.named_modules() if module not in called]
    rows, seen = [], set()
    for layer in (*layers, *others):
        own = [each for each in layer.module.named_parameters(recurse=False) if id(each[1]) not in seen]
        seen |= {id(parameter) for _, parameter in own}  # weights that two layers share count once
        if own or (layer.leaf and layer.module in called):
            weights = {name: tuple(parameter.shape) for name, parameter in own}
            rows.append(LayerRow(layer.name, layer.kind, weights, _count(own), layer.shape))
    return rows


def filters(network: nn.Module, layer: str | None = None) -> tuple[str, Floats]:
    """The filters of a convolution, outputs x inputs x height x width, and its name; None: of the first one.

    Raises:
        UserError: there is no such convolution.

    >>> filters(nn.Sequential(nn.Conv2d(1, 6, 5)))[1].shape
    (6, 1, 5, 5)
    """
    found = {shown(name): each for name, each in network.named_modules() if isinstance(each, nn.Conv2d)}
    names = {without_backbone(name): name for name in found} | {name: name for name in found}
    if layer is None and found:
        layer = next(iter(found))
    if layer not in names:
        what = "the network has no convolution" + ("" if layer is None else f" {layer!r}")
        raise UserError(what, listed(layer or "", [without_backbone(name) for name in found]) if found else "")
    module = found[names[layer]]
    return names[layer], module.weight.detach().cpu().numpy()


def feature_maps(network: nn.Module, *inputs: Tensor) -> dict[str, tuple[str, Floats]]:
    """What each layer gives for the first image: name to kind and maps, channels x height x width.

    Layers that hold no others and change the maps: convolutions, norms, activations, pooling; and blocks that make
    something new of what lies within them: the sum of a residual block, the tokens of a transformer's.

    >>> maps = feature_maps(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten()), torch.zeros(1, 1, 5, 6))
    >>> [(name, kind, map_chw.shape) for name, (kind, map_chw) in maps.items()]
    [('0', 'Conv2d', (2, 3, 4)), ('1', 'ReLU', (2, 3, 4))]
    """
    wanted, new = {}, _new(network, inputs)
    for layer in layers_of(network, *inputs):
        leaf = layer.leaf and any(word in layer.kind.lower() for word in SHOWN)
        block = not layer.leaf and layer.module in new and layer.own
        if layer.grid is not None and (leaf or block):
            wanted[layer.name] = layer
    with evaluating(network), torch.no_grad(), captured({name: each.module for name, each in wanted.items()}) as found:
        network(*(each[:1] for each in inputs))
    made = {}
    for name, layer in wanted.items():
        assert layer.grid is not None
        made[name] = (layer.kind, layer.grid.map_of(found[name].detach())[0].cpu().numpy())
    return made


def _new(network: nn.Module, inputs: tuple[Tensor, ...]) -> set[nn.Module]:
    """The modules that give what none within them has given: a chain hands on what its last one gives."""
    given: dict[int, Tensor] = {}  # held, so that none of them is freed and its number used again
    found = set()

    def end(module: nn.Module, taken: Any, out: Any) -> None:
        if isinstance(out, Tensor):
            if id(out) not in given:
                found.add(module)
            given[id(out)] = out

    with evaluating(network), hooked(dict.fromkeys(network.modules(), end)), torch.no_grad():
        network(*(each[:1] for each in inputs))
    return found


def _count(parameters: list[tuple[str, nn.Parameter]]) -> int:
    return sum(parameter.numel() for _, parameter in parameters)
