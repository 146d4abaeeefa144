"""Stop and go: what an interrupted training leaves, and that going on ends where the whole would have ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flawscope.errors import DataError
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.records import Task
from flawscope.training.checkpoint import load_checkpoint, same_weights
from flawscope.training.input import PartDataset, loader
from flawscope.training.loop import STATE, Fit, Live, fit
from flawscope.training.losses import Loss
from flawscope.training.objective import Answers
from flawscope.training.spec import Augment, Schedule, TrainSpec, Unfreeze

TASK = Task("binary", ("bright",))
BRIGHT = (np.arange(24) % 2).astype(np.float64)[:, None]
PIXELS = (np.random.default_rng(0).integers(0, 200, (24, 1, 16, 16)) + 50 * BRIGHT[:, :, None, None]).astype(np.uint8)
PLAIN = Augment(flip_horizontal=False, flip_vertical=False, brightness=0)


class Stopped(BaseException):
    """In place of Ctrl-C."""


def trained(folder: Path, *, stop: int = -1, first: int = 0, freeze: bool = False, **asked: Any) -> tuple[Fit, Network]:
    """Train, in a folder that may have been begun; stop after so many steps. `first` changes the first weights."""
    spec = TrainSpec(**{"epochs": 4, "batch_size": 8, "rate": 0.01, "device": "cpu"} | asked)
    torch.manual_seed(first)
    network = build(NetworkPlan("timm:test_resnet", 1, 1, arguments={"drop_rate": 0.3}, freeze=freeze))
    if freeze:  # the frozen part comes from weights, not from a draw
        torch.manual_seed(7)
        for parameter in network.parameters():
            if not parameter.requires_grad:
                parameter.data.normal_(std=0.1)
    steps = 0

    def show(live: Live) -> None:
        nonlocal steps
        steps += 1
        if steps == stop:
            raise Stopped

    found = fit(
        network, Answers(TASK, Loss(TASK, np.ones(1))), spec, folder=folder, show=show,
        train=loader(PartDataset(PIXELS, BRIGHT, range(16), spec.augment, spec.seed), 8, 0),
        validation=loader(PartDataset(PIXELS, BRIGHT, range(16, 24), None, spec.seed), 8, 0),
    )  # fmt: skip
    return found, network


def without_time(found: Fit) -> list[dict[str, float]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found.history]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"optimiser": "sgd", "schedule": Schedule(kind="cosine", warm_up=1), "clip": 0.1},
        {"optimiser": "nadam", "schedule": Schedule(kind="multi_step", after=[2]), "accumulate": 2},
        {"optimiser": "adam", "ema": 0.8, "watch": "auroc"},
        {"freeze": True, "unfreeze": Unfreeze(after=2, layer="layer4"), "augment": PLAIN, "backbone_rate": 0.1},
        {"patience": 1, "rate": 0.5, "schedule": Schedule(kind="constant")},
    ],
    ids=lambda asked: "-".join(asked) or "default",
)
@pytest.mark.parametrize("stop", [2, 5, 9])
def test_going_on_ends_where_the_whole_training_ends(asked: dict[str, Any], stop: int, tmp_path: Path) -> None:
    whole, network = trained(tmp_path / "whole", **asked)
    with pytest.raises(Stopped):
        trained(tmp_path / "again", stop=stop, **asked)
    # an epoch has two steps and a validation: 3 calls
    assert (tmp_path / "again" / STATE).exists() == (stop > 3)
    again, other = trained(tmp_path / "again", first=0 if stop < 3 else 99, **asked)
    assert without_time(again) == without_time(whole)
    assert (again.best_epoch, again.best_value) == (whole.best_epoch, whole.best_value)
    assert same_weights(network, other)
    for name in ("best", "last"):
        assert same_weights(*(load_checkpoint(tmp_path / folder / name)[0] for folder in ("whole", "again"))), (
            f"{name}, of which the user gets one"
        )


def test_stopped_twice_and_after_the_last_epoch(tmp_path: Path) -> None:
    whole, network = trained(tmp_path / "whole")
    for stop in (5, 4, 12):
        with pytest.raises(Stopped):
            trained(tmp_path / "again", stop=stop if stop != 12 else 6)
    again, other = trained(tmp_path / "again")
    assert without_time(again) == without_time(whole)
    once_more, third = trained(tmp_path / "again", first=5)
    assert without_time(once_more) == without_time(whole), "there was nothing left to do"
    assert same_weights(network, other) and same_weights(network, third)


@pytest.mark.parametrize("content", [b"", b"not safetensors", None])
def test_a_damaged_state_or_one_of_another_training(content: bytes | None, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        trained(tmp_path / "run", stop=5)
    state = tmp_path / "run" / STATE
    if content is not None:
        state.write_bytes(content)
    asked: dict[str, Any] = {} if content is not None else {"freeze": True}
    with pytest.raises(DataError, match=r"state.safetensors cannot be gone on with(?s:.)*--overwrite"):
        trained(tmp_path / "run", **asked)
