"""Event files for TensorBoard: what they hold, that a training goes on in them, and that no number changes."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flawscope
from flawscope.errors import UserError
from flawscope.training import board as module
from flawscope.training.board import board, check_board
from flawscope.training.history import write_history
from flawscope.training.loop import Live

Draw = Callable[..., Path]
Write = Callable[[Path, str], Path]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values of each curve, as TensorBoard reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def row(epoch: int) -> dict[str, float]:
    return {"epoch": epoch, "rate": 0.5, "train_loss": 1 / epoch, "val_loss": 2.0, "val_f1": 0.25, "seconds": 3.0}


def live(epoch: int, **ended: Any) -> Live:
    return Live(epoch, 3, 1, 1, 0.5, **ended)


def test_one_point_an_epoch_and_a_resumed_training_goes_on(tmp_path: Path) -> None:
    with board(tmp_path) as log:
        log(live(1))
        log(live(1, row=row(1)))
    write_history(tmp_path / "history.csv", [row(1)])
    with board(tmp_path) as log:
        log(live(2, row=row(2)))
    found = scalars(tmp_path / "tensorboard")
    assert set(found) == {"rate", "loss/training", "loss/validation", "f1/validation"}
    assert found["loss/training"] == [(1, 1.0), (2, 0.5)]
    assert found["rate"] == [(1, 0.5), (2, 0.5)]


def test_epochs_before_it_was_asked_for_are_logged_too(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", [row(1), row(2)])
    with board(tmp_path) as log:
        log(live(3, row=row(3)))
    assert [step for step, _ in scalars(tmp_path / "tensorboard")["f1/validation"]] == [1, 2, 3]


def test_it_changes_neither_recipe_nor_numbers(draw: Draw, write_recipe: Write, tmp_path: Path) -> None:
    for seed in range(24):
        draw(tmp_path / "data" / ("nok" if seed % 2 else "ok") / f"{seed}.png", seed, [1] if seed % 2 else ())
    recipe = write_recipe(tmp_path / "r.yaml", f"{{kind: folders, root: {tmp_path / 'data'}, positive: nok}}")
    plain = flawscope.train(recipe, tmp_path / "runs" / "plain")
    logged = flawscope.train(recipe, tmp_path / "runs" / "logged", tensorboard=True)
    assert not (plain.training / "tensorboard").exists()
    assert plain.recipe.hash == logged.recipe.hash
    weights = [(run.training / "best.safetensors").read_bytes() for run in (plain, logged)]
    assert weights[0] == weights[1]
    histories = []
    for run in (plain, logged):
        with (run.training / "history.csv").open(encoding="utf-8", newline="") as stream:
            histories.append([{k: v for k, v in each.items() if k != "seconds"} for each in csv.DictReader(stream)])
    assert histories[0] == histories[1]
    losses = [value for _, value in scalars(logged.training / "tensorboard")["loss/training"]]
    assert losses == pytest.approx([float(each["train_loss"]) for each in histories[0]], rel=1e-6)


@pytest.mark.parametrize("step", ["train", "run"])
def test_without_the_package_nothing_begins(step: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    check_board()
    monkeypatch.setattr(
        module, "find_spec", lambda name: None if name == "tensorboard" else importlib.util.find_spec(name)
    )
    with pytest.raises(UserError, match=r"flawscope\[tensorboard\]"):
        getattr(flawscope, step)(tmp_path / "no recipe.yaml", tmp_path / "runs" / "x", tensorboard=True)
    assert list(tmp_path.iterdir()) == []
