"""The benchmark of heat maps against true masks: which images are asked for what, and its page."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import pointing
import pointing_sets
from flawscope.errors import DataError
from flawscope.masks import masks_of
from flawscope.records import Sample, Samples, Task
from flawscope.steps.loaded import Loaded
from flawscope.steps.workspace import Run
from flawscope.training.recipe import load_recipe, parse_recipe


def masked(name: str, *shown: int) -> Sample:
    """A picture of 4 x 4 pixels with two classes, of which some are shown, each in a column of its own."""
    mask_khw = np.zeros((2, 4, 4), dtype=np.bool_)
    for k in shown:
        mask_khw[k, :, k] = True
    return Sample(name, name, (float(0 in shown), float(1 in shown)), name, f"hash {name}", masks=masks_of(mask_khw))


TRUTH = Samples(
    "x",
    Task("multilabel", ("pit", "scratch"), "free", pixels="multilabel"),
    (masked("a", 0), masked("b", 0, 1), masked("c"), masked("d", 1)),
)


def labelled(task: Task, targets: dict[str, tuple[float, ...]]) -> Any:
    """A run whose test part holds these samples; the images lie elsewhere, with the same content."""
    rows = tuple(Sample(f"copy/{name}", "", target, "g", f"hash {name}") for name, target in targets.items())
    samples = Samples("y", task, rows)
    return SimpleNamespace(
        samples=samples, part=lambda part: samples, split=SimpleNamespace(group={row.id: "g" for row in rows})
    )


def test_a_whole_image_is_asked_for_any_flaw_and_pointed_at_any_mask() -> None:
    run = labelled(Task("binary", ("bad",), "good"), {"a": (1.0,), "b": (1.0,), "c": (0.0,), "unknown": (1.0,)})
    items = pointing.items_of(pointing_sets.SETS["magnetic-tile"], TRUTH, run, "test")
    assert [(each.asked.sample.id, each.asked.of) for each in items] == [("copy/a", "bad"), ("copy/b", "bad")]
    assert items[1].mask_hw[:, :2].all() and not items[1].mask_hw[:, 2:].any()


def test_of_several_labels_each_is_asked_for_itself() -> None:
    run = labelled(Task("multilabel", ("pit", "scratch"), "free"), {"b": (1.0, 1.0), "d": (0.0, 1.0)})
    items = pointing.items_of(pointing_sets.SETS["neu-seg"], TRUTH, run, "test")
    assert [each.asked.of for each in items] == ["pit", "scratch", "scratch"]
    assert items[1].mask_hw[:, 1].all() and items[1].mask_hw.sum() == 4


def test_tables_and_recipes_of_the_sets_are_valid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pointing_sets, "RUNS", tmp_path)
    monkeypatch.setattr(pointing_sets, "strips", lambda: tmp_path / "strips")
    for chosen in pointing_sets.SETS.values():
        root = chosen.masks().images
        rows = tuple(
            Sample(row.id, str(root / f"{row.id}.png"), row.target, "g", row.sha256, masks=row.masks)
            for row in TRUTH.rows
        )
        recipe = pointing_sets.prepare(chosen, Samples("x", TRUTH.task, rows))
        made = parse_recipe(yaml.safe_load(recipe.read_text(encoding="utf-8")), recipe.name)
        assert made.model.name == "timm:mobilenetv2_100" and made.name == f"pointing-{chosen.name}"
        table = (chosen.folder / "labels.csv").read_text(encoding="utf-8").splitlines()
        wanted = ["image,label", "a.png,flawed", "b.png,flawed", "c.png,free", "d.png,flawed"]
        assert table == wanted if chosen.whole else table[:3] == ["image,pit,scratch", "a.png,1,0", "b.png,1,1"]


def test_the_tiles_are_learnt_as_their_recipe_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is measured on magnetic-tile is the gate of its recipe, but for its eight views."""
    monkeypatch.setattr(pointing_sets, "RUNS", tmp_path)
    path = pointing_sets.prepare(pointing_sets.SETS["magnetic-tile"], Samples("x", TRUTH.task, ()))
    made = parse_recipe(yaml.safe_load(path.read_text(encoding="utf-8")), path.name)
    gate = load_recipe(pointing_sets.ROOT / "recipes" / "magnetic-tile.yaml").gate
    assert gate is not None and made.image == gate.image
    for part in ("model", "train"):
        assert getattr(made, part) == getattr(gate, part), part


def test_a_method_is_measured_on_a_real_run(finished: Any) -> None:
    run = Run.at(finished.folder)
    rows = [row for row in run.part("test").rows if any(row.target)]
    mask_khw = np.zeros((1, 40, 40), dtype=np.bool_)
    mask_khw[0, :20, :20] = True
    truth = Samples(
        "x",
        Task("multilabel", ("any",), "free", pixels="multilabel"),
        tuple(Sample(row.id, row.path, (1.0,), "g", row.sha256, masks=masks_of(mask_khw)) for row in rows),
    )
    items = pointing.items_of(pointing_sets.SETS["steel"], truth, run, "test")
    assert len(items) == len(rows) and {each.asked.of for each in items} == {"nok"}
    loaded = Loaded.of(finished.folder, "explain")
    for method in ("grad-cam", pointing.CENTRE):
        found = pointing.measured(loaded, items, method, None, 3)
        assert found["n"] == len(rows) and found["curves"]["n"] == 3 and found["chance"] == 0.25
        assert 0 <= found["pointing"][1] <= found["pointing"][0] <= found["pointing"][2] <= 1
        assert found["pointing_within_15"][0] >= found["pointing"][0]
        # A quarter of 40 x 40, and 15 pixels around its corner: chance rises as well.
        assert 35 * 35 - 15 * 15 < 1600 * found["chance_within_15"] < 35 * 35
        json.dumps(found)
    assert set(pointing.quality(loaded, run, "test")) == {"nok"}


def test_a_run_from_another_machine_finds_its_images_here(
    finished: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.folder, run)
    recipe = run / "recipe.yaml"
    elsewhere = recipe.read_text(encoding="utf-8").replace(str(finished.data), str(tmp_path / "nowhere"))
    recipe.write_text(elsewhere, encoding="utf-8")
    with pytest.raises(DataError):
        len(Run.at(run).samples)
    monkeypatch.setattr(pointing_sets, "prepare", lambda chosen, samples: finished.recipe)
    here: Any = SimpleNamespace(folder=finished.recipe.parent)
    found = pointing_sets.handed_over(here, TRUTH, run)
    assert len(found.samples) == 40 and len(found.part("test")) > 0


def test_places_are_spread_evenly() -> None:
    assert pointing.spread(100, 3) == [0, 50, 99] or pointing.spread(100, 3) == [0, 49, 99]
    assert pointing.spread(2, 10) == [0, 1]


def test_the_page_is_up_to_date(docs_script: Callable[[str], ModuleType]) -> None:
    module = docs_script("make_pointing")
    assert module.TARGET.read_text(encoding="utf-8") == module.page(module.read()), "run: python docs/make_pointing.py"


def test_the_page_of_invented_numbers(docs_script: Callable[[str], ModuleType]) -> None:
    module = docs_script("make_pointing")
    areas = {"deletion": 0.2, "insertion": 0.7}
    curves = {"n": 9, "margin_better_than_aside": [0.9, 0.8, 0.95], "own": areas, "aside": areas}
    ends = [0.8, 0.7, 0.9]
    rows = [
        {"method": name, "layer": layer, "n": n, "chance": 0.05, "pointing": ends,
         "chance_within_15": 0.2, "pointing_within_15": ends,
         "energy": ends, "curves": curves}
        for name, layer, n in (("grad-cam", "bn2", 80), ("integrated-gradients", "", 20), ("centre", "", 80))
    ]  # fmt: skip
    entry = {
        "set": "magnetic-tile", "what": "tiles", "part": "test", "layer": "/16", "every": 4, "curves": 100,
        "network": "timm:x", "size": [320, 320], "auroc": {"flawed": 0.97}, "methods": rows, "machine": "one",
        "command": "python benchmarks/pointing.py", "code": "0.1.0 (commit abc123)", "split": {"stamp": "leak checked"},
    }  # fmt: skip
    page = module.page([entry, {**entry, "part": "validation"}, {**entry, "part": "validation", "smooth": 4.0}])
    assert "| grad-cam | bn2 | 80 | 0.800 (0.700 to 0.900) |" in page
    assert "| **integrated-gradients** | - | 20 | 0.800 (0.700 to 0.900) |" in page, "what explain takes by default"
    assert "every 4th image" in page and "Chance: 0.050, within 15 pixels 0.200." in page
    assert "AUROC 0.970 (flawed)" in page
    assert "| /16 | 320 x 320 | 0.800 (0.700 to 0.900) |" in page, "the methods that have a layer"
    assert "| 4 pixels | 0.800 (0.700 to 0.900) |" in page and "| a 32nd of the longer side | 0.800" in page
    assert page.count("Not measured yet.") == 2
