"""The search for the best settings: what is opened, what is kept, what goes on after an interruption.

Where only the study matters, a made-up training stands in: its values follow from the learning rate.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

import flawscope
from flawscope.errors import DataError, OutputError, RecipeError, UserError
from flawscope.records import PARTS
from flawscope.steps.split import split_samples
from flawscope.steps.workspace import Run
from flawscope.training.loop import Fit, Live
from flawscope.training.recipe import load_recipe

module = import_module("flawscope.steps.tune")
Say = list[str]
TUNE = """
tune:
  space:
    train.rate: {low: 0.0001, high: 0.1, log: true}
    train.optimiser: {choices: [adamw, sgd]}
    image.size: {choices: [32, 48]}
"""
FAKE = """
import sys, time, flawscope
from importlib import import_module
from flawscope.training.loop import Fit, Live
module = import_module("flawscope.steps.tune")

def fake(run, *, parts, show):
    if WAIT:
        time.sleep(WAIT)
    show(Live(1, 1, 1, 1, 0.5, row={"epoch": 1, "val_auroc": run.recipe.train.rate}))
    return Fit(best_epoch=1, best_value=run.recipe.train.rate)

module.train_in = fake
module.write_tuning = lambda folder, document: None
flawscope.tune(sys.argv[1], sys.argv[2], trials=int(sys.argv[3]), storage=sys.argv[4] or None, resume=True)
"""


@pytest.fixture
def recipe(tmp_path: Path, draw: Callable[..., Path], write_recipe: Callable[..., Path]) -> Path:
    """Spots (nok) and none (ok), 20 pictures each, and a space to search."""
    for seed in range(40):
        draw(tmp_path / "data" / ("nok" if seed % 2 else "ok") / f"{seed}.png", seed, [seed % 4] if seed % 2 else ())
    path = write_recipe(tmp_path / "r.yaml", "{kind: folders, root: data, positive: nok}")
    text = path.read_text(encoding="utf-8").replace("device: cpu", "device: cpu, watch: auroc")
    path.write_text(text + TUNE, encoding="utf-8")
    return path


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Two epochs a trial, their value the learning rate; the recipes that were trained with."""
    seen: list[Any] = []

    def training(run: Run, *, parts: Any, show: Callable[[Live], None]) -> Fit:
        seen.append(run.recipe)
        rate = run.recipe.train.rate
        for epoch, value in ((1, rate / 2), (2, rate)):
            show(Live(epoch, 2, 1, 1, 0.5, row={"epoch": epoch, "val_auroc": value}))
        return Fit(best_epoch=2, best_value=rate)

    monkeypatch.setattr(module, "train_in", training)
    monkeypatch.setattr(module, "write_tuning", lambda folder, document: None)  # it has tests of its own
    return seen


def settings(folder: Path) -> list[dict[str, Any]]:
    return [row["settings"] for row in document(folder)["trials"]]


def states(folder: Path) -> list[str]:
    return [row["state"] for row in document(folder)["trials"]]


def document(folder: Path) -> Any:
    return json.loads((folder / "tune.json").read_text(encoding="utf-8"))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


# --- real trainings ---------------------------------------------------------------------------------------------


def test_only_training_and_validation_images_are_opened_and_the_best_recipe_trains_the_same(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hidden: dict[Path, bytes] = {}
    real = module.search

    def without_the_rest(work: Any, say: Any) -> None:
        for part in ("calibration", "test"):
            for name in work.proven.split.ids(part):
                file = next(Path(row.path) for row in work.samples.rows if row.id == name)
                hidden[file] = file.read_bytes()
                file.unlink()
        real(work, say)

    monkeypatch.setattr(module, "search", without_the_rest)
    said: Say = []
    made = flawscope.tune(recipe, trials=3, overrides=["tune.first=1"], say=said.append)
    assert len(hidden) > 10
    assert made.folder == Path("tunings/tiny")
    assert sorted(path.name for path in made.folder.iterdir()) == [
        "best.yaml", "index.html", "split.json", "study.db", "trials.csv", "tune.json",
    ]  # fmt: skip
    best = made.document["best"]
    # its run stands beside that of the recipe
    assert (load_recipe(recipe).name, load_recipe(made.best).name) == ("tiny", "tiny-best")
    assert yaml.safe_load(made.document["best_recipe"])["name"] == "tiny-best"
    rows = table(made.folder / "trials.csv")
    assert [row["number"] for row in rows] == ["0", "1", "2"]
    assert max(float(row["value"]) for row in rows if row["state"] == "finished") == best["value"]
    assert sum(words.startswith("trial ") for words in said) == 3
    page = made.page.read_text(encoding="utf-8")
    assert page.index("CHOSEN ON THE VALIDATION SPLIT") < page.index("The best settings")
    assert str(tmp_path) not in page

    for file, content in hidden.items():
        file.write_bytes(content)
    content = yaml.safe_load(made.best.read_text(encoding="utf-8"))
    assert "tune" not in content
    assert content["data"]["root"] == "../../data"
    again = load_recipe(made.best)
    trained = flawscope.train(made.best, tmp_path / "again")
    assert trained.split.hash == made.document["split"]["hash"]
    history = [(int(row["epoch"]), float(row["val_auroc"])) for row in table(trained.training / "history.csv")]
    assert history == [tuple(point) for point in best["curve"]]
    assert again.hash == trained.recipe.hash


def test_pixels_of_other_parts_are_out_of_reach(recipe: Path, tmp_path: Path) -> None:
    work = flawscope.train(recipe, tmp_path / "run", overrides=["train.epochs=1"])
    opened: list[str] = []
    pixels = import_module("flawscope.training.input")
    rows = pixels.rows_of(work.samples, work.split.ids("validation"))
    some = pixels.some_pixels(work.samples, rows, work.recipe.image, tmp_path / "cache")
    for part in PARTS:
        for row in pixels.rows_of(work.samples, work.split.ids(part)):
            try:
                some[row]
                opened.append(part)
            except KeyError:
                assert part != "validation"
    assert set(opened) == {"validation"}


# --- the study --------------------------------------------------------------------------------------------------


def test_same_seed_same_trials_and_a_study_that_goes_on_draws_what_it_would_have(
    recipe: Path, tmp_path: Path, made_up: list[Any]
) -> None:
    whole = flawscope.tune(recipe, tmp_path / "whole", trials=4)
    flawscope.tune(recipe, tmp_path / "parts", trials=2)
    with pytest.raises(OutputError, match=r"exists already(?s:.)*--resume"):
        flawscope.tune(recipe, tmp_path / "parts", trials=4)
    more = flawscope.tune(recipe, tmp_path / "parts", trials=4, resume=True)
    assert settings(more.folder) == settings(whole.folder)
    assert len(made_up) == 8
    best = whole.document["best"]
    assert best["value"] == max(each["train.rate"] for each in settings(whole.folder))
    assert load_recipe(whole.best).train.rate == best["settings"]["train.rate"]
    other = flawscope.tune(recipe, tmp_path / "other", trials=2, overrides=["tune.seed=1"])
    assert settings(other.folder) != settings(whole.folder)[:2]
    flawscope.tune(recipe, tmp_path / "other", trials=1, overwrite=True)
    assert settings(tmp_path / "other") == settings(whole.folder)[:1]


def test_bad_trials_are_pruned_and_settings_that_fail_are_told_and_the_study_goes_on(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {0: (0.5, 0.6), 1: (0.1, 0.9), 2: None, 3: (0.7, 0.8)}

    def training(run: Run, *, parts: Any, show: Callable[[Live], None]) -> Fit:
        number = int(run.folder.name.split("-")[1])
        told = values[number]
        if told is None:
            raise UserError("the loss is nan in epoch 1", "lower train.rate")
        for epoch, value in enumerate(told, 1):
            show(Live(epoch, 2, 1, 1, 0.5, row={"epoch": epoch, "val_auroc": value}))
        return Fit(best_epoch=2, best_value=told[1])

    monkeypatch.setattr(module, "train_in", training)
    said: Say = []
    made = flawscope.tune(
        recipe, tmp_path / "t", trials=4, overrides=["tune.first=1", "tune.warm_up=0"], say=said.append
    )
    assert states(made.folder) == ["finished", "pruned", "failed", "finished"]
    rows = made.document["trials"]
    assert rows[1]["curve"] == [[1, 0.1]] or rows[1]["curve"] == ((1, 0.1),)
    assert rows[2]["reason"] == "the loss is nan in epoch 1"
    assert (made.document["best"]["number"], made.document["best"]["value"]) == (3, 0.8)
    assert any("pruned after epoch 1" in words for words in said)
    assert any("failed: the loss is nan in epoch 1" in words for words in said)
    assert "the loss is nan in epoch 1" in made.page.read_text(encoding="utf-8")


def test_where_every_trial_fails_the_reason_is_told(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def training(run: Run, **others: Any) -> Fit:
        raise UserError("no such weights")

    monkeypatch.setattr(module, "train_in", training)
    with pytest.raises(UserError, match=r"no trial ended well:\n  trial 0: no such weights\n  trial 1"):
        flawscope.tune(recipe, tmp_path / "t", trials=2)
    assert states(tmp_path / "t") == ["failed", "failed"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, DataError])
def test_an_interrupted_trial_is_marked_and_its_settings_tried_again(
    recipe: Path, tmp_path: Path, made_up: list[Any], monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    whole = flawscope.tune(recipe, tmp_path / "whole", trials=3)
    calm = module.train_in

    def training(run: Run, **others: Any) -> Fit:
        if "-1-" in run.folder.name:
            raise stop("stop")
        result: Fit = calm(run, **others)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(module, "train_in", training)
        with pytest.raises(stop):
            flawscope.tune(recipe, tmp_path / "t", trials=3)
    assert states(tmp_path / "t") == ["finished", "interrupted", "waiting"]
    assert not list((tmp_path / "t").glob(".trial-*"))
    made = flawscope.tune(recipe, tmp_path / "t", trials=3, resume=True)
    assert states(made.folder) == ["finished", "interrupted", "finished", "finished"]
    found = settings(made.folder)
    assert found[1] == found[2] == settings(whole.folder)[1]
    assert made.document["trials"][2]["again"] == 1


def environment() -> dict[str, str]:
    source = str(Path(__file__).parents[2] / "src")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_kill_loses_only_the_running_trial(recipe: Path, tmp_path: Path, made_up: list[Any]) -> None:
    words = [sys.executable, "-c", f"WAIT = 60\n{FAKE}", str(recipe), str(tmp_path / "t"), "2", ""]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, cwd=tmp_path, env=environment())
    waiting = time.monotonic()
    while not list((tmp_path / "t").glob(".trial-0-*")):
        assert process.poll() is None and time.monotonic() - waiting < 120, (tmp_path / "log").read_text()
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    said: Say = []
    made = flawscope.tune(recipe, tmp_path / "t", trials=2, resume=True, say=said.append)
    assert states(made.folder) == ["interrupted", "finished", "finished"]
    found = settings(made.folder)
    assert found[0] == found[1] != found[2]
    assert "trial 0 was interrupted; its settings are tried again" in said
    assert not list(made.folder.glob(".trial-*"))


def test_two_processes_work_on_one_study(
    recipe: Path, tmp_path: Path, made_up: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import optuna

    url = f"sqlite:///{tmp_path / 'shared.db'}"
    flawscope.tune(recipe, tmp_path / "here", trials=1, storage=url)
    words = [sys.executable, "-c", f"WAIT = 0.5\n{FAKE}", str(recipe), str(tmp_path / "there"), "6", url]
    with (tmp_path / "log").open("wb") as log:
        there = subprocess.Popen(words, stdout=log, stderr=log, cwd=tmp_path, env=environment())
    waiting = time.monotonic()
    while not list((tmp_path).glob("there/.trial-*")):
        assert there.poll() is None and time.monotonic() - waiting < 120, (tmp_path / "log").read_text()
        time.sleep(0.02)
    calm = module.train_in

    def slowly(run: Run, **others: Any) -> Fit:
        time.sleep(0.5)
        result: Fit = calm(run, **others)
        return result

    monkeypatch.setattr(module, "train_in", slowly)
    flawscope.tune(recipe, tmp_path / "here", trials=6, storage=url)
    assert there.wait(120) == 0, (tmp_path / "log").read_text()
    made = flawscope.tune(recipe, tmp_path / "here", trials=6, storage=url)
    assert set(states(made.folder)) == {"finished"}
    assert 6 <= len(states(made.folder)) <= 7  # both may begin a last one
    assert len({str(each) for each in settings(made.folder)}) == len(states(made.folder))
    workers = {trial.user_attrs["worker"] for trial in optuna.load_study(study_name="tiny", storage=url).trials}
    assert len(workers) == 2


# --- what cannot be -----------------------------------------------------------------------------------------------


def test_another_recipe_other_data_and_other_folders_are_refused(
    recipe: Path, tmp_path: Path, made_up: list[Any], draw: Callable[..., Path]
) -> None:
    url, folder = f"sqlite:///{tmp_path / 'shared.db'}", tmp_path / "t"
    flawscope.tune(recipe, folder, trials=1, storage=url)
    with pytest.raises(UserError, match=r"begun with another recipe(?s:.)*--set name="):
        flawscope.tune(recipe, folder, trials=1, storage=url, overrides=["train.epochs=3"])
    with pytest.raises(UserError, match="begun with another recipe"):
        flawscope.tune(recipe, folder, trials=1, storage=url, overrides=["tune.seed=9"])
    with pytest.raises(UserError, match=r"belongs to a study in sqlite(?s:.)*--storage"):
        flawscope.tune(recipe, folder, trials=1, resume=True)
    with pytest.raises(UserError, match="does not empty a database that others may use"):
        flawscope.tune(recipe, folder, trials=1, storage=url, overwrite=True)
    with pytest.raises(UserError, match="give one of them"):
        flawscope.tune(recipe, folder, trials=1, resume=True, overwrite=True)
    with pytest.raises(OutputError, match="not a tuning folder"):
        flawscope.tune(recipe, tmp_path / "data", trials=1, overwrite=True)
    with pytest.raises(OutputError, match="not a tuning folder"):
        flawscope.tune(recipe, tmp_path / "data", trials=1, resume=True)
    draw(tmp_path / "data" / "ok" / "new.png", 99)
    with pytest.raises(UserError, match="another data"):
        flawscope.tune(recipe, tmp_path / "elsewhere", trials=1, storage=url)
    assert not (tmp_path / "elsewhere").exists()
    assert len(made_up) == 1


def test_a_recipe_without_a_space_and_a_database_that_is_none(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no `tune` section"):
        flawscope.tune(recipe, tmp_path / "t", overrides=["tune=null"])
    with pytest.raises(UserError, match=r"postgresql\+no://me:\*\*\*@host/x cannot be used") as caught:
        flawscope.tune(recipe, tmp_path / "t", trials=1, storage="postgresql+no://me:secret@host/x")
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "t").exists()


def test_the_split_is_made_once(
    recipe: Path, tmp_path: Path, made_up: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def counted(*given: Any, **named: Any) -> Any:
        calls.append(1)
        return split_samples(*given, **named)

    monkeypatch.setattr(module, "split_samples", counted)
    flawscope.tune(recipe, tmp_path / "t", trials=1)
    flawscope.tune(recipe, tmp_path / "t", trials=2, resume=True)
    assert calls == [1]
