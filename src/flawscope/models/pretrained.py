"""Backbones of timm and where their weights come from, whatever stands on them."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import timm
from safetensors import safe_open
from torch import nn

from flawscope.errors import RecipeError, WeightsError, reason

OTHER_WAYS = (
    "three ways lead to weights: `weights: imagenet` (downloaded through timm, needs the network), "
    "`weights: path/to/file.safetensors` (a local file in timm's key names), `weights: none` (train from scratch)"
)
MISFIT = "they are those of another network, or `model.arguments` make this one another"
NEARLY_ALL = 0.9
"""Share of a backbone's parameters that a file must hold: arguments of timm may add a few that it cannot have."""


def known(name: str) -> str:
    """The name of a model that timm has.

    Raises:
        RecipeError: it has none of this name; the nearest ones are told.

    >>> known("mobilenetv2_100")
    'mobilenetv2_100'
    """
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"did you mean {', '.join(near)}? " if near else ""
        raise RecipeError(f"model.name: timm knows no model {name!r}", f"{hint}`timm.list_models()` lists all of them")
    return name


def source(weights: str) -> dict[str, Any]:
    """What `timm.create_model` is told of a local file; nothing where weights are downloaded or not wanted.

    Raises:
        WeightsError: there is no such file, or it is of a kind that can run code.

    >>> source("imagenet")
    {}
    """
    if weights in ("none", "imagenet"):
        return {}
    file = Path(weights)
    if not file.is_file():
        raise WeightsError(f"model.weights: there is no file {weights}", OTHER_WAYS)
    if file.suffix != ".safetensors":
        raise WeightsError(f"model.weights: {weights} is not a .safetensors file (others can run code)", OTHER_WAYS)
    return {"pretrained_cfg_overlay": {"file": str(file), "hf_hub_id": None, "url": ""}}


@contextmanager
def building(name: str, arguments: Mapping[str, Any], weights: str) -> Iterator[None]:
    """What goes wrong while timm builds a model is said in words.

    Raises:
        RecipeError: an argument that it does not take, or that it stumbles over.
        WeightsError: its weights cannot be downloaded, read, or do not fit.
    """
    # timm warns of the head that a backbone leaves behind; whether a file fits is for `check_held` to say. The hub
    # tells each of its tries, ten of them where there is no network; what came of them is said once.
    logs = {log: log.level for log in map(logging.getLogger, ("timm.models._builder", "huggingface_hub"))}
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        yield
    except TypeError as error:
        raise RecipeError(f"model.arguments: {name} does not take them ({error})", "see timm's documentation") from None
    except Exception as error:
        if weights == "none":
            raise RecipeError(
                f"{name} cannot be built with model.arguments {dict(arguments)}: {reason(error)}"
            ) from error
        verb = "downloaded" if weights == "imagenet" else f"loaded from {weights}"
        why = MISFIT if "loading state_dict" in str(error) else reason(error)
        raise WeightsError(f"weights for {name} could not be {verb}: {why}", OTHER_WAYS) from error
    finally:
        for log, level in logs.items():
            log.setLevel(level)


def check_held(body: nn.Module, name: str, weights: str) -> None:
    """See that a local file holds the weights of a model: timm takes what fits by name and is silent about the rest.

    Raises:
        WeightsError: it is the file of another model.
    """
    if not source(weights):
        return
    with safe_open(weights, framework="pt") as file:
        held = {_plain(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    wanted = [_plain(key) for key, _ in body.named_parameters()]
    found = sum(key in held for key in wanted)
    if found < NEARLY_ALL * len(wanted):
        raise WeightsError(
            f"weights for {name} could not be loaded from {weights}: it holds {found} of its {len(wanted)} parameters",
            OTHER_WAYS,
        )


def _plain(key: str) -> str:
    """Key of a parameter, alike in a whole model and in its stages alone, where timm writes `stages_0` for `stages.0`.

    >>> _plain("model.stages_0.conv.weight") == _plain("stages.0.conv.weight")
    True
    """
    return key.removeprefix("model.").replace(".", "_")
