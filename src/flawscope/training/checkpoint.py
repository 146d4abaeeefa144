"""Checkpoints: weights as safetensors, everything else as JSON beside them. No pickle, so loading runs no code."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from flawscope.errors import DataError
from flawscope.metadata import MetaColumn
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.storage import write_bytes, write_json


def save_checkpoint(path: Path, network: Network, **facts: Any) -> None:
    """Write `path`.safetensors and `path`.json (the plan of the network, and any plain facts such as the epoch)."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_bytes(path.with_suffix(".safetensors"), safetensors.torch.save(state))
    write_json(path.with_suffix(".json"), {"plan": network.plan.as_dict(), **facts})


def load_checkpoint(path: Path) -> tuple[Network, dict[str, Any]]:
    """The network in eval mode, and the facts stored with it.

    Raises:
        DataError: the files are missing or damaged.
    """
    try:
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        network = build(_plan(facts.pop("plan")), pretrained=False)
        network.load_state_dict(safetensors.torch.load_file(path.with_suffix(".safetensors")))
    except FileNotFoundError:
        raise DataError(f"there is no checkpoint {path}.safetensors", "train first: `flawscope train RECIPE`") from None
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"the checkpoint {path} is damaged: {error}", "train again") from None
    return network.eval(), facts


def of_epoch(epoch: int) -> str:
    """What the checkpoint of an epoch is called, where each is left.

    >>> of_epoch(7)
    'epochs/0007'
    """
    return f"epochs/{epoch:04d}"


def _plan(given: dict[str, Any]) -> NetworkPlan:
    """The plan from plain data; checkpoints from before there was metadata name no columns."""
    values = {each.name: _tuple(given[each.name]) for each in fields(NetworkPlan) if each.name != "columns"}
    columns = [{key: _tuple(value) for key, value in column.items()} for column in given.get("columns", ())]
    return NetworkPlan(**values, columns=tuple(MetaColumn(**column) for column in columns))


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def same_weights(one: Network, other: Network) -> bool:
    """Whether two networks hold exactly the same numbers."""
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
