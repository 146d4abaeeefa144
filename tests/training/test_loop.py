"""The training loop on sixteen tiny pictures, bright or dark."""

from __future__ import annotations

import copy
import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flawscope.errors import UserError
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.preprocess import Preprocess
from flawscope.records import Samples, Task
from flawscope.training import loop
from flawscope.training.checkpoint import load_checkpoint, same_weights
from flawscope.training.input import PartDataset, cached_pixels, loader
from flawscope.training.loop import Fit, Live, fit, make_optimiser, make_schedule, parameter_groups, watched_measure
from flawscope.training.losses import Loss
from flawscope.training.recipe import TrainSpec, Unfreeze

MakeSamples = Callable[..., Samples]
Train = Callable[..., tuple[Fit, Network]]


@pytest.fixture
def train(make_samples: MakeSamples, tmp_path: Path) -> Train:
    """`train(folder, epochs=..., ...)` -> what came of it, and the network after the last epoch."""
    samples = make_samples(24)
    pixels = cached_pixels(samples, Preprocess(size=(16, 16), channels=1), tmp_path / "cache")

    def run(
        folder: str = "run", show: Any = lambda live: None, freeze: bool = False, **asked: Any
    ) -> tuple[Fit, Network]:
        spec = TrainSpec(**{"epochs": 3, "batch_size": 8, "rate": 0.003, "device": "cpu"} | asked)
        torch.manual_seed(spec.seed)
        network = build(NetworkPlan("timm:test_resnet", 1, 1, freeze=freeze))
        learn = PartDataset(pixels, samples.target_nk, range(16), spec.augment, spec.seed)
        watch = PartDataset(pixels, samples.target_nk, range(16, 24), None, spec.seed)
        result = fit(
            network, Loss(samples.task, np.ones(1)), samples.task, spec,
            train=loader(learn, 8, 0), validation=loader(watch, 8, 0), folder=tmp_path / folder, show=show,
        )  # fmt: skip
        return result, network

    return run


def without_time(result: Fit) -> list[dict[str, float]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in result.history]


def test_it_learns_to_tell_bright_from_dark(train: Train) -> None:
    result, _ = train(epochs=12, watch="accuracy", schedule="constant")
    assert result.history[0]["train_loss"] > 0.6
    assert result.history[-1]["train_loss"] < 0.3
    assert result.best_value == 1.0


def test_the_same_seed_gives_the_same_history_and_weights(train: Train, tmp_path: Path) -> None:
    one, network = train("one", epochs=2, seed=3)
    other, again = train("two", epochs=2, seed=3)
    assert without_time(one) == without_time(other)
    assert same_weights(network, again)
    different, third = train("three", epochs=2, seed=4)
    assert without_time(one) != without_time(different)
    assert not same_weights(network, third)
    assert same_weights(load_checkpoint(tmp_path / "one" / "last")[0], network)


LOSSES = [0.9, 0.8, 0.8, 0.7, 0.8]
"""Of the validation, epoch by epoch, where another measure is watched."""


def scripted(monkeypatch: pytest.MonkeyPatch, watch: str, values: list[float]) -> list[dict[str, torch.Tensor]]:
    """Let validation say these values, epoch by epoch; returns the weights that it saw."""
    seen: list[dict[str, torch.Tensor]] = []

    def say(model: Any, *given: Any) -> dict[str, float]:
        model.eval()
        seen.append(copy.deepcopy(model.state_dict()))
        return {"val_loss": LOSSES[len(seen) - 1]} | {f"val_{watch}": values[len(seen) - 1]}

    monkeypatch.setattr(loop, "validate", say)
    return seen


@pytest.mark.parametrize(
    ("watch", "values", "patience", "best", "epochs"),
    [
        ("loss", [0.5, 0.3, 0.4, 0.3, 0.6], 0, 2, 5),
        ("loss", [0.5, 0.3, 0.4, 0.3, 0.2], 2, 2, 4),
        ("loss", [0.5, 0.3, 0.4, 0.2, 0.6], 2, 4, 5),
        ("auroc", [0.5, 0.7, 0.7, 0.6, 0.6], 0, 2, 5),  # a tie, and the same loss
        ("auroc", [0.5, 0.7, 0.6, 0.7, 0.7], 0, 4, 5),  # a tie, and a lower loss
        ("auroc", [0.5, 0.7, 0.6, 0.8, 0.8], 1, 2, 3),
    ],
)
def test_the_best_epoch_is_kept_and_patience_ends_the_training(
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    watch: str,
    values: list[float],
    patience: int,
    best: int,
    epochs: int,
) -> None:
    seen = scripted(monkeypatch, watch, values)
    result, _ = train(watch=watch, patience=patience, epochs=5, schedule="constant")
    assert (result.best_epoch, result.best_value, len(result.history)) == (best, values[best - 1], epochs)
    for name, epoch in (("best", best), ("last", epochs)):
        network, facts = load_checkpoint(tmp_path / "run" / name)
        assert facts["epoch"] == epoch
        assert facts["measures"][f"val_{watch}"] == values[epoch - 1]
        stored = network.state_dict()
        assert all(torch.equal(stored[key], tensor) for key, tensor in seen[epoch - 1].items())


def test_a_loss_that_is_no_number(train: Train, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the loss is (nan|inf) in epoch 1\n.*lower train.rate"):
        train(rate=1e30)
    assert not (tmp_path / "run" / "best.safetensors").exists()


def test_a_validation_loss_that_is_no_number(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, "loss", [math.nan] * 3)
    with pytest.raises(UserError, match=r"train\.rate"):
        train()


def test_the_history_as_a_table(train: Train, tmp_path: Path) -> None:
    shown: list[Live] = []
    result, _ = train(epochs=2, watch="f1", show=shown.append)
    with (tmp_path / "run" / "history.csv").open(encoding="utf-8", newline="") as stream:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]
    assert list(rows[0]) == ["epoch", "rate", "train_loss", "val_loss", "val_f1", "seconds"]
    assert rows == result.history
    assert [(live.epoch, live.step, live.validated) for live in shown] == [
        (1, 1, False), (1, 2, False), (1, 2, True), (2, 1, False), (2, 2, False), (2, 2, True)
    ]  # fmt: skip
    assert [live.loss for live in shown if live.validated] == [row["train_loss"] for row in result.history]
    assert shown[0].watched == ""
    assert shown[2].watched == f"val_f1 {rows[0]['val_f1']:.4f}, best {rows[0]['val_f1']:.4f} (1)"


def test_a_frozen_backbone_does_not_move_while_training(train: Train) -> None:
    torch.manual_seed(0)
    before = build(NetworkPlan("timm:test_resnet", 1, 1, freeze=True)).state_dict()
    _, network = train(freeze=True, seed=0)
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"body.fc.weight", "body.fc.bias"}


def moved(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> set[str]:
    """Which layers differ, by the first two parts of their names."""
    return {".".join(name.split(".")[1:3]) for name, tensor in one.items() if not torch.equal(tensor, other[name])}


def test_first_the_head_alone_learns_and_then_all_from_a_stage_on(train: Train, tmp_path: Path) -> None:
    first = train("one", epochs=1, freeze=True, schedule="constant")[1].state_dict()
    later = Unfreeze(after=1, layer="layer4")
    both = train("two", epochs=2, freeze=True, schedule="constant", unfreeze=later)[1].state_dict()
    torch.manual_seed(0)
    start = build(NetworkPlan("timm:test_resnet", 1, 1, freeze=True)).state_dict()
    assert moved(first, start) == {"fc.weight", "fc.bias"}
    assert moved(both, start) == {"fc.weight", "fc.bias", "layer4.0"}
    at_once = train("three", epochs=1, freeze=True, unfreeze=Unfreeze(layer=0))[1].state_dict()
    assert len(moved(at_once, start)) > 6


def test_the_backbone_has_its_own_rate() -> None:
    network = build(NetworkPlan("timm:test_resnet", 1, 1))
    spec = TrainSpec(rate=0.1, backbone_rate=0.01, schedule="one_cycle", epochs=2)
    head, backbone = (optimiser := make_optimiser(parameter_groups(network, spec), spec)).param_groups
    assert [id(p) for p in head["params"]] == [id(p) for p in network.head.parameters()]
    assert len(head["params"]) + len(backbone["params"]) == len(list(network.parameters()))
    schedule = make_schedule(optimiser, spec, steps=5)
    for _ in range(4):
        assert backbone["lr"] == pytest.approx(0.01 * head["lr"])
        optimiser.step()
        schedule.step()
    frozen = build(NetworkPlan("timm:test_resnet", 1, 1, freeze=True))
    assert len(parameter_groups(frozen, TrainSpec())) == 1
    assert len(parameter_groups(frozen, TrainSpec(unfreeze=Unfreeze(after=1)))) == 2


def test_schedules_and_optimisers() -> None:
    def groups() -> list[dict[str, Any]]:
        return [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1}]

    def rates(spec: TrainSpec) -> list[float]:
        optimiser = make_optimiser(groups(), spec)
        schedule, found = make_schedule(optimiser, spec, steps=10), []
        for _ in range(10 * spec.epochs):
            found.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
        return found

    cycle = rates(TrainSpec(epochs=4, rate=0.1))
    assert max(cycle) == pytest.approx(0.1, rel=0.01)
    assert cycle[0] == pytest.approx(0.1 / 25)
    assert (cycle.index(max(cycle)) / len(cycle), cycle[-1] < 0.001) == (pytest.approx(0.3, abs=0.03), True)
    assert set(rates(TrainSpec(epochs=2, rate=0.1, schedule="constant", optimiser="sgd"))) == {0.1}
    assert isinstance(make_optimiser(groups(), TrainSpec()), torch.optim.AdamW)
    assert make_optimiser(groups(), TrainSpec(optimiser="sgd")).param_groups[0]["momentum"] == 0.9


def test_watched_measures_by_hand() -> None:
    binary = Task("binary", ("bad",))
    logit_nk, truth_nk = np.array([[2.0], [1.0], [-1.0], [-2.0]]), np.array([[1], [0], [1], [0]]) == 1
    found = [watched_measure(binary, logit_nk, truth_nk, watch) for watch in ("auroc", "f1", "accuracy")]  # type: ignore[arg-type]
    assert found == [0.75, 0.5, 0.5]  # of 4 pairs 3 stand right; 1 hit, 1 false, 1 missed
    three = Task("multiclass", ("a", "b", "c"))
    logit_nk, truth_nk = np.array([[-1.0, -2, -3], [-3, -2, -1]]), np.array([[1, 0, 0], [0, 1, 0]]) == 1
    assert watched_measure(three, logit_nk, truth_nk, "accuracy") == 0.5
    assert watched_measure(three, logit_nk, truth_nk, "f1") == 0.5  # a: 1, b: 0, c occurs nowhere
    assert watched_measure(binary, logit_nk[:, :1], np.array([[True], [True]]), "auroc") == 0.0
