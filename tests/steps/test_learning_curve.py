"""The learning curve: what is opened and trained on, what goes on after an interruption, what is said of it.

But for one test, made-up trainings stand in: how well they tell the classes apart follows from how many images they
learnt from.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import flawscope
from flawscope.errors import OutputError, RecipeError, SplitError, UserError
from flawscope.records import FloatArray, Samples
from flawscope.steps.train import train_in
from flawscope.steps.workspace import Run
from flawscope.training.loop import Fit, Live

module = import_module("flawscope.steps.learning_curve")
RECIPE = """\
name: parts
data: {{kind: folders, root: {root}, positive: nok, groups: {{pattern: 'part(\\d+)_'}}}}
image: {{size: 24, channels: 1}}
split: {{validation: 0.1, calibration: 0.3, test: 0.1, twins: identical}}
model: {{name: "timm:test_resnet"}}
train: {{epochs: 1, device: cpu, watch: auroc, seed: 5}}
"""


@pytest.fixture
def recipe(tmp_path: Path, parts: Path) -> Path:
    path = tmp_path / "parts.yaml"
    path.write_text(RECIPE.format(root=parts), encoding="utf-8")
    return path


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The runs that were trained; more images give scores that tell the classes apart better."""
    seen: list[Run] = []

    def training(run: Run, *, parts: Any, show: Callable[[Live], None]) -> Fit:
        assert tuple(parts) == ("train", "validation")
        seen.append(run)
        show(Live(1, 1, 1, 1, 0.5))
        return Fit(history=[{"epoch": 1}], best_epoch=1, best_value=0.5)

    def scored(runtime: Any, part: Samples, words: str) -> FloatArray:
        run = seen[-1]
        assert [row.id for row in part.rows] == [row.id for row in run.part("calibration").rows]
        noise = np.random.default_rng(run.recipe.train.seed).normal(size=len(part))
        return part.target_nk * 2 + 14 * noise[:, None] / np.sqrt(len(run.split.ids("train")))

    nothing = SimpleNamespace(manifest=SimpleNamespace(sealed=None), graphs={})
    for name, made in (("train_in", training), ("scores", scored)):
        monkeypatch.setattr(module, name, made)
    for name, value in (("export", None), ("read_bundle", nothing), ("Runtime", None)):
        monkeypatch.setattr(module, name, lambda *given, value=value: value)
    for place in ("flawscope.steps.learning_curve", "flawscope.evaluation.learning_curve"):
        monkeypatch.setattr(f"{place}.DRAWS", 200)
    return seen


def test_subsets_are_nested_whole_groups_and_nothing_else_changes(
    recipe: Path, tmp_path: Path, made_up: list[Run]
) -> None:
    made = flawscope.plan(recipe, tmp_path / "curve", learning_curve=True, fractions=(0.25, 0.5, 1), repeats=2)
    assert [run.recipe.train.seed for run in made_up] == [5, 5, 5, 6, 6, 6]
    whole = made_up[2].split
    for run in made_up:
        for part in ("validation", "calibration", "test"):
            assert run.split.ids(part) == whole.ids(part)  # type: ignore[arg-type]
        held = {whole.group[name] for name in run.split.ids("train")}
        assert set(run.split.ids("train")) == {name for name in whole.ids("train") if whole.group[name] in held}
    learnt = [set(run.split.ids("train")) for run in made_up]
    assert learnt[0] < learnt[1] < learnt[2] == learnt[5] > learnt[4] > learnt[3]
    assert learnt[0] != learnt[3], "each repeat draws its own subsets"
    assert [row["images"] for row in made.document["trainings"]] == [len(learnt[i]) for i in (0, 3, 1, 4, 2, 5)]


def test_document_and_page_say_what_was_measured_and_what_comes(
    recipe: Path, tmp_path: Path, made_up: list[Run]
) -> None:
    made = flawscope.plan(
        recipe, tmp_path / "curve", learning_curve=True, fractions=(0.2, 0.4, 0.7, 1), repeats=3, reach=0.8
    )
    document = made.document
    assert json.loads((tmp_path / "curve" / "curve.json").read_text(encoding="utf-8")) == document
    points = document["points"]
    assert points[0]["interval"]["value"] < points[-1]["interval"]["value"]
    for point in points:
        assert point["interval"]["value"] == pytest.approx(np.mean(point["values"]))
    now, twice, four = document["forecast"]
    assert [now["images"], twice["images"], four["images"]] == [points[-1]["images"] * times for times in (1, 2, 4)]
    assert now["interval"]["value"] <= twice["interval"]["value"] <= four["interval"]["value"] <= 1
    assert document["reach"]["value"] == 0.8
    assert any("AUROC 0.800" in words for words in document["sentences"])
    assert any("fewer than 20 groups" in words for words in document["notes"])
    assert made.page and "A FORECAST, NOT A MEASUREMENT" in made.page.read_text(encoding="utf-8")
    assert document["calibration"]["images"] == len(made_up[0].split.ids("calibration"))


def test_an_interrupted_curve_goes_on_with_what_was_not_finished(
    recipe: Path, tmp_path: Path, made_up: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    curve, training = tmp_path / "curve", module.train_in
    asked: dict[str, Any] = {"learning_curve": True, "fractions": (0.25, 0.5, 1), "repeats": 2}

    def stopped(run: Run, **more: Any) -> Fit:
        if len(made_up) == 4:
            raise KeyboardInterrupt
        return training(run, **more)  # type: ignore[no-any-return]

    monkeypatch.setattr(module, "train_in", stopped)
    with pytest.raises(KeyboardInterrupt):
        flawscope.plan(recipe, curve, **asked)
    assert sorted(path.name for path in (curve / "trainings").iterdir()) == [
        "0.25-0.json",
        "0.25-1.json",
        "0.5-0.json",
        "1-0.json",
    ]
    assert not list(curve.glob(".training-*"))
    monkeypatch.setattr(module, "train_in", training)
    with pytest.raises(OutputError, match="exists already"):
        flawscope.plan(recipe, curve, **asked)
    made = flawscope.plan(recipe, curve, **asked, resume=True)
    assert len(made_up) == 6
    again = flawscope.plan(recipe, tmp_path / "again", **asked)
    assert again.document["points"] == made.document["points"]
    more = flawscope.plan(recipe, curve, **{**asked, "fractions": (0.25, 0.5, 0.75, 1)}, resume=True)
    assert len(made_up) == 12 + 2
    assert more.document["forecast"]


def test_what_goes_on_must_be_the_same(recipe: Path, tmp_path: Path, made_up: list[Run]) -> None:
    asked: dict[str, Any] = {"learning_curve": True, "fractions": (0.5, 1), "repeats": 1}
    flawscope.plan(recipe, tmp_path / "curve", **asked)
    with pytest.raises(RecipeError, match="was begun with another recipe"):
        flawscope.plan(recipe, tmp_path / "curve", **asked, resume=True, overrides=["train.epochs=2"])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").touch()
    for options in ({"resume": True}, {"overwrite": True}):
        with pytest.raises(OutputError, match="other"):
            flawscope.plan(recipe, tmp_path / "other", **asked, **options)
    with pytest.raises(UserError, match="give one of them"):
        flawscope.plan(recipe, tmp_path / "curve", **asked, resume=True, overwrite=True)
    flawscope.plan(recipe, tmp_path / "curve", **asked, overwrite=True, overrides=["train.epochs=2"])
    assert [run.recipe.train.epochs for run in made_up] == [1, 1, 2, 2]


def test_a_fraction_too_small_for_every_label_is_refused_before_anything_is_trained(
    recipe: Path, tmp_path: Path, made_up: list[Run]
) -> None:
    with pytest.raises(SplitError, match=r"0\.01 of the training part, .* holds none of"):
        flawscope.plan(recipe, tmp_path / "curve", learning_curve=True, fractions=(0.01, 1), repeats=1)
    assert (made_up, (tmp_path / "curve").exists()) == ([], False)


@pytest.mark.parametrize("watch", ["loss", "f1", "accuracy", "average_precision"])
def test_every_measure_that_is_watched_has_a_curve(
    watch: str, recipe: Path, tmp_path: Path, made_up: list[Run]
) -> None:
    made = flawscope.plan(
        recipe,
        tmp_path / "curve",
        learning_curve=True,
        fractions=(0.5, 1),
        repeats=1,
        overrides=[f"train.watch={watch}"],
    ).document
    low, high = (made["points"][-1]["interval"][end] for end in ("low", "high"))
    assert low < made["points"][-1]["interval"]["value"] < high
    assert "2 sizes x 1, at least 4 sizes x 2" in made["unsaid"]
    assert "cannot be said" in made["sentences"][1]


def test_real_trainings_do_not_open_the_test_images(
    recipe: Path, tmp_path: Path, parts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two trainings of a tiny network; every picture that is decoded is noted."""
    opened: set[str] = set()
    for place in ("flawscope.training.input", "flawscope.bundle.runtime"):
        real = import_module(place).load

        def noted(source: Any, spec: Any, real: Any = real) -> Any:
            opened.add(Path(source).name)
            return real(source, spec)

        monkeypatch.setattr(f"{place}.load", noted)
    seen: list[Run] = []

    def kept(run: Run, **more: Any) -> Fit:
        seen.append(run)
        return train_in(run, **more)

    monkeypatch.setattr(module, "train_in", kept)
    made = flawscope.plan(recipe, tmp_path / "curve", learning_curve=True, fractions=(0.4, 1), repeats=1)
    split = seen[-1].split
    names = {part: {Path(name).name for name in split.ids(part)} for part in ("train", "calibration", "test")}  # type: ignore[arg-type]
    assert names["train"] | names["calibration"] <= opened
    assert not opened & names["test"]
    assert made.document["unsaid"]
    assert "NO FORECAST" in (tmp_path / "curve" / "index.html").read_text(encoding="utf-8")
    assert all(0 <= value <= 1 for point in made.document["points"] for value in point["values"])
