"""Where a training stands after an epoch: one file, so that a kill leaves either the old state or the new one.

Tensors lie in it as safetensors, all else as JSON in its header. No pickle, so loading runs no code. What is drawn at
random depends on seed, epoch and image alone: no state of a generator is needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from flawscope.errors import DataError, reason
from flawscope.storage import write_bytes

if TYPE_CHECKING:
    from flawscope.training.loop import Learner

NETWORK, AVERAGE, OPTIMISER = "network.", "average.", "optimiser."


def save_state(path: Path, learner: Learner, **facts: Any) -> None:
    """Write where the training stands; `facts` are plain data, such as the history."""
    tensors = {f"{NETWORK}{name}": tensor for name, tensor in learner.network.state_dict().items()}
    if learner.average is not None:
        tensors |= {f"{AVERAGE}{name}": tensor for name, tensor in learner.average.module.state_dict().items()}
    optimiser = learner.plain_optimiser.state_dict()
    for place, state in optimiser["state"].items():
        tensors |= {f"{OPTIMISER}{place}.{key}": value for key, value in state.items() if isinstance(value, Tensor)}
    rest = {
        "groups": optimiser["param_groups"],
        "schedule": learner.schedule.state_dict(),
        "precision": learner.fabric.strategy.precision.state_dict(),
        **facts,
    }
    kept = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    write_bytes(path, safetensors.torch.save(kept, metadata={"rest": json.dumps(rest)}))


def load_state(path: Path, learner: Learner) -> dict[str, Any]:
    """Bring a learner to where a training stood, and return the facts.

    Raises:
        DataError: the file is damaged, or of another training.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
            rest: dict[str, Any] = json.loads(file.metadata()["rest"])
        learner.network.load_state_dict(_under(tensors, NETWORK))
        if learner.average is not None:
            learner.average.module.load_state_dict(_under(tensors, AVERAGE))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under(tensors, OPTIMISER).items():
            place, _, key = name.partition(".")
            state.setdefault(int(place), {})[key] = tensor
        learner.plain_optimiser.load_state_dict({"state": state, "param_groups": rest.pop("groups")})
        learner.schedule.load_state_dict(rest.pop("schedule"))
        learner.fabric.strategy.precision.load_state_dict(rest.pop("precision"))
    except (SafetensorError, OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be gone on with: {reason(error)}", "train anew, with --overwrite") from None
    return rest


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
