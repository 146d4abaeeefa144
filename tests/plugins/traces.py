"""What a look into a network must not leave behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="session")
def traces() -> Callable[[Any], dict[str, object]]:
    """`traces(network)`: hooks, gradients, modes and what can learn, to be compared before and after."""

    def look(network: Any) -> dict[str, object]:
        hooks = sum(
            len(hooks)
            for module in network.modules()
            for hooks in (
                module._forward_hooks,
                module._forward_pre_hooks,
                module._backward_hooks,
                module._backward_pre_hooks,
            )
        )
        return {
            "hooks": hooks,
            "modes": [module.training for module in network.modules()],
            "gradients": [name for name, each in network.named_parameters() if each.grad is not None],
            "learn": [each.requires_grad for each in network.parameters()],
            "weights": {name: float(each.double().sum()) for name, each in network.state_dict().items()},
        }

    return look
