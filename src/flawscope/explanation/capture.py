"""What a layer gives, and what the answer owes to it: hooks that leave nothing behind, whatever happens.

The idea to hold hooks in a context manager is that of torch-cam (`torchcam/methods/core.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Hook = Callable[[nn.Module, tuple[Any, ...], Any], Any]


@contextmanager
def hooked(hooks: Mapping[nn.Module, Hook], before: Mapping[nn.Module, Hook] | None = None) -> Iterator[None]:
    """Let functions see what modules give (and in `before` that they begin); all are taken away again at the end.

    What a hook of `hooks` returns stands in for the output, unless it is None.

    >>> layer = nn.ReLU()
    >>> with hooked({layer: lambda module, given, out: out + 1}):
    ...     layer(torch.tensor([-1.0, 2.0])).tolist()
    [1.0, 3.0]
    >>> layer(torch.tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    handles = []
    try:
        for module, hook in (before or {}).items():
            handles.append(module.register_forward_pre_hook(lambda module, given, hook=hook: hook(module, given, None)))
        for module, hook in hooks.items():
            handles.append(module.register_forward_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network in eval mode; each module is afterwards in the mode in which it was.

    >>> network = nn.Sequential(nn.Dropout()).train()
    >>> with evaluating(network):
    ...     network[0].training
    False
    >>> network[0].training
    True
    """
    modes = [(module, module.training) for module in network.modules()]
    try:
        network.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def captured(layers: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """What these layers give in the last forward pass, under their names; the graph begins anew at each of them.

    So gradients with respect to them need no gradient of anything below: a frozen network is explained like any
    other, and no `.grad` is written anywhere. Each is a copy, which a ReLU that works in place cannot change.

    >>> layer, relu = nn.Linear(2, 1, bias=False), nn.ReLU(inplace=True)
    >>> with captured({"fc": layer}) as found:
    ...     out = relu(layer(torch.ones(1, 2))).sum()
    >>> found["fc"].shape, found["fc"].requires_grad
    (torch.Size([1, 1]), True)
    """
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Hook:
        def hook(module: nn.Module, given: tuple[Any, ...], out: Any) -> Any:
            if not isinstance(out, Tensor):
                return None
            found[name] = out.detach().clone().requires_grad_()
            return found[name].clone()

        return hook

    with hooked({module: keep(name) for name, module in layers.items()}):
        yield found


def gradient(score_b: Tensor, of: Tensor) -> Tensor:
    """The gradient of each image's score with respect to a batch of maps; 0 where the score does not depend on them.

    >>> x_bf = torch.tensor([[1.0, 2.0]], requires_grad=True)
    >>> gradient(x_bf.pow(2).sum(dim=1), x_bf).tolist()
    [[2.0, 4.0]]
    """
    if not score_b.requires_grad:
        return torch.zeros_like(of)
    (found,) = torch.autograd.grad(score_b.sum(), of, allow_unused=True)
    return torch.zeros_like(of) if found is None else found
