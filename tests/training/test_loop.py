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
from flawscope.evaluation.stream import Stream
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.preprocess import Preprocess
from flawscope.records import Samples, Task
from flawscope.training import loop
from flawscope.training.checkpoint import load_checkpoint, same_weights
from flawscope.training.input import PartDataset, cached_pixels, loader
from flawscope.training.loop import Fit, Live, fit
from flawscope.training.losses import Loss
from flawscope.training.objective import Answers, decided, watched_measure
from flawscope.training.spec import Augment, TrainSpec, Unfreeze

MakeSamples = Callable[..., Samples]
Train = Callable[..., tuple[Fit, Network]]
NOTHING = Augment(flip_horizontal=False, flip_vertical=False, brightness=0)


@pytest.fixture
def train(make_samples: MakeSamples, tmp_path: Path) -> Train:
    """`train(folder, epochs=..., ...)` -> what came of it, and the network after the last epoch."""
    samples = make_samples(24)
    pixels = cached_pixels(samples, Preprocess(size=(16, 16), channels=1), tmp_path / "cache")

    def run(
        folder: str = "run",
        show: Any = lambda live: None,
        freeze: bool = False,
        arguments: dict[str, Any] | None = None,
        **asked: Any,
    ) -> tuple[Fit, Network]:
        spec = TrainSpec(**{"epochs": 3, "batch_size": 8, "rate": 0.003, "device": "cpu"} | asked)
        torch.manual_seed(spec.seed)
        network = build(NetworkPlan("timm:test_resnet", 1, 1, arguments=arguments or {}, freeze=freeze))
        learn = PartDataset(pixels, samples.target_nk, range(16), spec.augment, spec.seed)
        watch = PartDataset(pixels, samples.target_nk, range(16, 24), None, spec.seed)
        result = fit(
            network, Answers(samples.task, Loss(samples.task, np.ones(1))), spec, folder=tmp_path / folder, show=show,
            train=loader(learn, spec.batch_size, 0), validation=loader(watch, 8, 0),
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


def test_the_last_epoch_is_kept_where_that_is_asked(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, "auroc", [0.5, 0.9, 0.7, 0.6, 0.8])
    said: list[str] = []
    result, _ = train(
        watch="auroc", keep="last", epochs=5, schedule="constant", show=lambda live: said.append(live.watched)
    )
    assert (result.best_epoch, result.best_value) == (5, 0.8)
    assert load_checkpoint(tmp_path / "run" / "best")[1]["epoch"] == 5
    assert said[-1] == "val_auroc 0.8000"


def test_every_epoch_leaves_a_checkpoint_where_that_is_asked_also_after_an_interruption(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = scripted(monkeypatch, "auroc", [0.5, 0.9, 0.7, 0.6, 0.8])
    asked = {"watch": "auroc", "schedule": "constant", "every_epoch": True, "epochs": 3}

    def stop(live: Live) -> None:
        if live.row and live.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(**asked, show=stop)
    train(**asked)
    folder = tmp_path / "run"
    assert load_checkpoint(folder / "best")[1]["epoch"] == 2
    for epoch, weights in enumerate(seen[:3], start=1):
        network, facts = load_checkpoint(folder / f"epochs/000{epoch}")
        assert facts["epoch"] == epoch
        assert all(torch.equal(network.state_dict()[key], tensor) for key, tensor in weights.items())
    train("plain", watch="auroc", epochs=2)
    assert not (tmp_path / "plain" / "epochs").exists()


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
    learnt, measured = (
        ["train_loss", "train_accuracy", "drawn_bright"],
        ["loss", "auroc", "average_precision", "f1", "accuracy"],
    )
    assert list(rows[0]) == ["epoch", "rate", *learnt, *(f"val_{name}" for name in measured), "seconds"]
    assert rows == result.history
    assert [(live.epoch, live.step, bool(live.row)) for live in shown] == [
        (1, 1, False), (1, 2, False), (1, 2, True), (2, 1, False), (2, 2, False), (2, 2, True)
    ]  # fmt: skip
    assert [live.loss for live in shown if live.row] == [row["train_loss"] for row in result.history]
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


def test_batches_together_make_the_step_of_one_large_batch(train: Train) -> None:
    asked: dict[str, Any] = {
        "epochs": 1,
        "optimiser": "sgd",
        "schedule": "constant",
        "augment": NOTHING,
        "freeze": True,
    }
    large = train("one", batch_size=16, rate=0.1, **asked)[1].head.weight
    small = train("two", batch_size=4, rate=0.1, accumulate=4, **asked)[1].head.weight
    steps = train("three", batch_size=4, rate=0.1, **asked)[1].head.weight
    torch.testing.assert_close(small, large)
    assert not torch.allclose(steps, large)  # type: ignore[arg-type]


def test_gradients_are_shortened(train: Train) -> None:
    torch.manual_seed(0)
    before = build(NetworkPlan("timm:test_resnet", 1, 1, freeze=True)).head
    asked: dict[str, Any] = {"epochs": 1, "batch_size": 16, "optimiser": "sgd", "schedule": "constant", "rate": 1.0}
    _, network = train(freeze=True, clip=0.001, weight_decay=0, momentum=0, **asked)
    moves = [(a - b).flatten() for a, b in zip(network.head.parameters(), before.parameters(), strict=True)]
    assert float(torch.cat(moves).detach().norm()) == pytest.approx(0.001, rel=1e-3)


def test_the_running_mean_of_the_weights_is_kept(train: Train, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"epochs": 1, "freeze": True, "schedule": "constant", "optimiser": "sgd", "rate": 0.5}
    torch.manual_seed(0)
    start = build(NetworkPlan("timm:test_resnet", 1, 1)).head.weight
    first = train("one", batch_size=16, **asked)[1].head.weight
    train("two", batch_size=16, ema=0.75, **asked)
    kept = load_checkpoint(tmp_path / "two" / "best")[0].head.weight
    torch.testing.assert_close(kept, 0.75 * start + 0.25 * first)  # one step


def test_dropout_draws_depend_on_seed_and_epoch_alone(train: Train) -> None:
    asked: dict[str, Any] = {"epochs": 2, "arguments": {"drop_rate": 0.5}}
    one = train("one", **asked)[1]
    torch.rand(7)
    assert same_weights(one, train("two", **asked)[1])


@pytest.mark.parametrize(
    ("asked", "there", "expected"),
    [("auto", False, "32-true"), ("auto", True, "bf16-mixed"), ("float32", True, "32-true"),
     ("bfloat16", False, "bf16-mixed"), ("float16", True, "16-mixed")],
)  # fmt: skip
def test_precision(monkeypatch: pytest.MonkeyPatch, asked: Any, there: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert loop.precision(TrainSpec(precision=asked)) == expected
    assert loop.precision(TrainSpec(precision="auto", device="cpu")) == "32-true"


def test_float16_needs_a_gpu() -> None:
    with pytest.raises(UserError, match="float16 needs a GPU"):
        loop.precision(TrainSpec(precision="float16", device="cpu"))


def test_half_precision_learns_too(train: Train) -> None:
    result, network = train(precision="bfloat16", epochs=8, watch="accuracy", schedule="constant")
    assert result.history[-1]["train_loss"] < 0.5
    assert next(network.parameters()).dtype == torch.float32


def watched(task: Task, logits: list[list[float]], truth: list[list[int]], watch: Any) -> float:
    stream, logit_nk = Stream(len(task.classes)), np.array(logits, np.float32)
    stream.update(np.array(truth) == 1, decided(task, logit_nk), logit_nk)
    return watched_measure(stream, watch)


def test_watched_measures_by_hand() -> None:
    binary = Task("binary", ("bad",))
    logits, truth = [[2.0], [1.0], [-1.0], [-2.0]], [[1], [0], [1], [0]]
    found = [watched(binary, logits, truth, watch) for watch in ("auroc", "f1", "accuracy")]
    assert found == [0.75, 0.5, 0.5]  # of 4 pairs 3 stand right; 1 hit, 1 false, 1 missed
    # of the positives the first stands at 1 of 1, the second at 2 of 3
    assert watched(binary, logits, truth, "average_precision") == pytest.approx((1 + 2 / 3) / 2)
    three = Task("multiclass", ("a", "b", "c"))
    logits, truth = [[-1.0, -2, -3], [-3, -2, -1]], [[1, 0, 0], [0, 1, 0]]
    assert watched(three, logits, truth, "accuracy") == 0.5
    assert watched(three, logits, truth, "f1") == 0.5  # a: 1, b: 0, c occurs nowhere
    assert watched(binary, [[1.0], [2.0]], [[1], [1]], "auroc") == 0.0
