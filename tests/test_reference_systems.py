"""The benchmarks of the reference systems: what they ask of recipes, what they draw, and when they stop."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.stats import beta

from flawscope.evaluation.intervals import wilson
from flawscope.evaluation.paired import OVERALL
from flawscope.records import Sample, Samples, Task
from flawscope.steps.compare import Comparison
from flawscope.training.recipe import load_recipe

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import copies_leak
import reference_systems
import resunet_time
import time_to_number

SIDES = ("baseline", "other", "difference")
NAMES = sorted(
    file.stem for file in reference_systems.RECIPES.glob("*.yaml") if file.stem not in ("demo", "solar-multilabel-tune")
)


@pytest.fixture
def weights(tmp_path: Path) -> str:
    """A file in place of weights: it is never read."""
    (tmp_path / "weights.safetensors").touch()
    return str(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_takes_what_is_asked_of_it(name: str, weights: str) -> None:
    assert any(name.startswith(start) for start in reference_systems.DATA), "its data are known"
    path = reference_systems.RECIPES / f"{name}.yaml"
    asked = reference_systems.changes_for(load_recipe(path), weights)
    recipe = load_recipe(path, [*asked, *reference_systems.RANDOM])
    assert (recipe.split.file, recipe.split.fold, recipe.split.groups) == (None, 0, "none")
    assert ("imagenet" in (recipe.model.weights, recipe.gate.model.weights if recipe.gate else "")) is False


def test_another_backbone_gives_way_to_the_one_whose_weights_are_there(weights: str) -> None:
    path = reference_systems.RECIPES / "solar-multilabel-faithful.yaml"
    recipe = load_recipe(path, reference_systems.changes_for(load_recipe(path), weights))
    assert (recipe.model.name, recipe.model.weights) == (reference_systems.BACKBONE, weights)
    assert recipe.model.normalise is not None and recipe.model.normalise.source == "training", "its own choice stays"
    assert reference_systems.changes_for(load_recipe(path), "imagenet") == ["model.weights=imagenet"]
    scratch = load_recipe(reference_systems.RECIPES / "coil-faithful.yaml")
    assert reference_systems.changes_for(scratch, weights) == []


def test_the_intervals_of_the_originals(docs_script: Callable[[str], Any]) -> None:
    """439 of 525 (Wilson), and 124 of 125 (Clopper and Pearson)."""
    lines = {each.title[0]: each.line for each in docs_script("make_results").ORIGINALS}
    low, high = wilson(439 / 525, 525)
    assert lines["A"][2] == {"accuracy": f"{439 / 525:.3f} ({low:.3f} to {high:.3f})"}
    low, high = beta.ppf(0.025, 124, 2), beta.ppf(0.975, 125, 1)
    assert lines["E"][2] == {"accuracy": f"{124 / 125:.3f} ({low:.3f} to {high:.3f})"}


def test_six_pictures_of_each_cell_share_its_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    for number in range(2):
        path = tmp_path / f"cell{number}.png"
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (6, 6), dtype=np.uint8)).save(path)
        rows.append(Sample(path.name, str(path), (1.0, float(number)), path.name, 64 * str(number)))
    samples = Samples("cells", Task("multilabel", ("crack", "inactive"), "functional"), tuple(rows))
    monkeypatch.setattr(copies_leak, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(copies_leak, "cells", lambda: samples)

    class Groups:
        def of(self, samples: Samples) -> tuple[dict[str, str], dict[str, int]]:
            return {row.id: f"module {row.id}" for row in samples.rows}, {}

    monkeypatch.setattr(copies_leak, "load_groups", lambda path: Groups())
    table = copies_leak.pictures()
    with table.open(encoding="utf-8") as stream:
        made = list(csv.DictReader(stream))
    assert [(row["crack"], row["inactive"], row["group"]) for row in made[6:]] == 6 * [("1", "1", "module cell1.png")]
    assert [row["file"] for row in made[:3]] == ["cell0.png", "rot_cell0.png", "rot2_cell0.png"]
    pixels = [np.asarray(Image.open(table.parent / row["file"])) for row in made[:6]]
    turned = [np.rot90(pixels[0], times) for times in range(4)]
    for picture, expected in zip(pixels, [*turned, pixels[0][:, ::-1], pixels[0][::-1]], strict=True):
        np.testing.assert_array_equal(picture, expected)


def test_what_copies_add_is_the_leaky_arm_less_the_clean_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def row(class_name: str, *values: float) -> dict[str, Any]:
        ends = ({"value": value, "low": value - 0.1, "high": value + 0.1} for value in values)
        return {"class_name": class_name, "measure": "mean F1", **dict(zip(SIDES, ends, strict=True))}

    def compare(runs: list[Path], output: Path) -> Any:
        assert [run.name for run in runs] == ["clean", "leaky"], "the clean one is the baseline"
        rows = [{**row(OVERALL, 0, 0, 0), "measure": "mean AUROC"}, row(OVERALL, 0.3, 0.5, 0.2), row("crack", 0, 0, 0)]
        return Comparison(output, {"differences": rows})

    monkeypatch.setattr(copies_leak.flawscope, "compare", compare)
    found = copies_leak.over_groups(tmp_path / "leaky", tmp_path / "clean")
    assert found == {"leaky": [0.5, 0.4, 0.6], "clean": [0.3, 0.2, 0.4], "leaky, less clean": [0.2, 0.1, 0.3]}


def test_of_masks_where_flaws_are_and_what_the_gate_does_by_itself() -> None:
    interval = {"value": 0.9, "low": 0.8, "high": 1.0}
    measured = {"measures": {"IoU": interval, "Dice": None}}
    decided = {"classes": {"flawed": {"measures": {"recall": interval}}}}
    metrics = {"masks": {"classes": {"pit": measured, "any flaw": measured}}, "cascade": decided, "gate": decided}
    one = [0.9, 0.8, 1.0]
    assert reference_systems.of_masks(metrics) == {
        "pixels": {"pit": {"IoU": one}, "any flaw": {"IoU": one}}, "cascade": {"recall": one}, "gate": {"recall": one}
    }  # fmt: skip
    assert reference_systems.of_masks({"classes": {}}) == {}


def test_a_finished_run_is_not_run_again_and_another_recipe_is_not_taken_for_it(
    parts: Path, write_recipe: Callable[[Path, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write_recipe(tmp_path / "tiny.yaml", f"{{kind: folders, root: '{parts}', positive: nok}}")
    monkeypatch.setattr(reference_systems, "RECIPES", tmp_path)
    monkeypatch.setattr(reference_systems, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(reference_systems, "data_of", lambda name: [])
    found = reference_systems.measured("tiny", "seeds", "imagenet", 1, ["train.clip=1.0"], trial=True)
    assert found["overrides"] == ["train.seed=1", "train.clip=1.0", "train.epochs=1"] and found["epochs"] == [1]
    assert found["recipe_hash"] == load_recipe(recipe, found["overrides"]).hash
    (shown,) = found["shown"]
    assert list(shown) == ["train", "validation", "calibration", "test"]
    assert all(0 < groups <= images for images, groups in (shown[part]["nok"] for part in shown))
    assert sum(shown[part]["nok"][0] for part in shown) == len(list(parts.rglob("nok/*.png")))
    value, low, high = found["headline"]["accuracy"]
    assert 0 <= low < high <= 1 and low <= value <= high and found["n"] > 0
    assert reference_systems.measured("tiny", "seeds", "imagenet", 1, ["train.clip=1.0"], trial=True) == found
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("0.003", "0.004"), encoding="utf-8")
    with pytest.raises(SystemExit, match="made with another form of the recipe"):
        reference_systems.measured("tiny", "seeds", "imagenet", 1, trial=True)


def test_ours_goes_on_to_its_end_and_the_faithful_one_stops_at_the_number(
    parts: Path, write_recipe: Callable[[Path, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = f"{{kind: folders, root: '{parts}', positive: nok}}"
    shutil.copy(write_recipe(tmp_path / "tiny.yaml", data), tmp_path / "tiny-faithful.yaml")
    monkeypatch.setattr(time_to_number, "RECIPES", tmp_path)
    monkeypatch.setattr(time_to_number, "RUNS", tmp_path)
    monkeypatch.setattr(time_to_number, "data_of", lambda name: [])
    monkeypatch.setitem(time_to_number.REPORTED, "tiny", ("accuracy", 0.0))
    entry = time_to_number.side_by_side("tiny", "imagenet", 30, trial=False)
    ours, faithful = entry["trainings"]["ours"], entry["trainings"]["faithful"]
    assert (ours["epochs"], ours["ended"], faithful["epochs"], faithful["ended"]) == ("2 of 2", True, "1 of 2", False)
    assert ours["minutes_to_it"] == ours["curve"][0][0] > 0 and ours["minutes"] == ours["curve"][1][0]
    assert entry["faithful_over_ours"] == round(faithful["minutes_to_it"] / ours["minutes_to_it"], 2)
    monkeypatch.setitem(time_to_number.REPORTED, "tiny", ("accuracy", 1.1))
    never = time_to_number.side_by_side("tiny", "imagenet", 0, trial=False)
    assert never["trainings"]["ours"]["epochs"] == "2 of 2", "its time is not limited"
    assert never["trainings"]["faithful"]["epochs"] == "1 of 2", "the minutes are over"
    assert never["faithful_over_ours"] is never["trainings"]["ours"]["minutes_to_it"] is None
    with pytest.raises(SystemExit, match="expected one of solar-binary"):
        time_to_number.side_by_side("tyni", "imagenet", 30, trial=True)


def test_the_resunet_is_followed_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number in range(24):
        mask = np.zeros((32, 32), dtype=np.uint8)
        mask[number : number + 5, 4:9] = number % 3 + 1
        pixels = np.random.default_rng(number).integers(0, 99, (32, 32), dtype=np.uint8) + 50 * mask
        for name, content in (("images", pixels), ("masks", mask)):
            Image.fromarray(content).save(tmp_path / name / f"{number}.png")
    data = [f"data.images={tmp_path / 'images'}", f"data.masks={tmp_path / 'masks'}"]
    monkeypatch.setattr(resunet_time, "data_of", lambda name: data)
    monkeypatch.setattr(resunet_time, "RUNS", tmp_path)
    asked = [*resunet_time.RESUNET, "image.size=32", "train.device=cpu", "train.epochs=2"]
    entry = resunet_time.one(asked)
    assert (entry["network"], entry["epochs"], entry["overrides"]) == ("table:resunet", "2 of 2", asked)
    (first, _), (second, _) = entry["curve"]
    assert 0 < first < second == entry["minutes"] and entry["best"] == max(value for _, value in entry["curve"])
    assert set(entry["n"]) == {"train", "validation"} and str(tmp_path) not in str(entry)


def test_only_coils_are_drawn_easy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["reference_systems.py", "coil", "casting", "--protocol", "easy"])
    with pytest.raises(SystemExit):
        reference_systems.main()
    assert "easy: only coils are drawn as hard or easy ones" in capsys.readouterr().err
