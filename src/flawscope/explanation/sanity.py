"""Sanity check of Adebayo et al. 2018: a map that stays when the weights are random does not show the network.

"Sanity Checks for Saliency Maps": weights are made random one layer after the other, from the answer downwards.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from flawscope.errors import UserError
from flawscope.explanation.layers import listed, shown


def weighted_layers(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers that have weights of their own, in the order of the network: the last one makes the answer.

    >>> [name for name, _ in weighted_layers(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 1, 3)))]
    ['0', '2']
    """
    found = [(shown(name), module) for name, module in network.named_modules()]
    return [(name, module) for name, module in found if any(True for _ in module.parameters(False))]


def randomised(network: nn.Module, upto: str | int | None = None, seed: int = 0) -> nn.Module:
    """A copy of a network in which the weights from the answer down to a layer are random.

    Matrices and filters are drawn anew from a normal distribution about 0 that has their root mean square, so that
    nothing explodes or vanishes; biases and the scales of normalisation are shuffled.

    Args:
        network: is not changed.
        upto: the last layer that is made random, or how many layers; None: all.
        seed: the same one gives the same weights.

    Raises:
        UserError: there is no such layer.

    >>> network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    >>> other = randomised(network, "1")
    >>> torch.equal(other[0].weight, network[0].weight), torch.equal(other[1].weight, network[1].weight)
    (True, False)
    """
    made = copy.deepcopy(network)
    layers = weighted_layers(made)
    names = [name for name, _ in layers]
    count = len(layers) if upto is None else upto
    if isinstance(count, str):
        if count not in names:
            raise UserError(f"the network has no layer {count!r} with weights", listed(count, names))
        count = len(names) - names.index(count)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, module in layers[len(layers) - count :]:
            for parameter in module.parameters(False):
                parameter.copy_(_random(parameter.detach().cpu(), draw))
    return made


def _random(values: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    if values.ndim > 1:
        return torch.randn(values.shape, generator=draw) * values.pow(2).mean().sqrt()
    return values.flatten()[torch.randperm(values.numel(), generator=draw)].view_as(values)
