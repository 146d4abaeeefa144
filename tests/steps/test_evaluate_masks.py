"""Deciding, measuring and pooling bundles of masks: a graph that looks at each pixel by itself, and true masks."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from flawscope.bundle.archive import read_bundle, write_bundle
from flawscope.cli.compare import differences_tables
from flawscope.data.read import read
from flawscope.errors import DataError, RecipeError, UserError
from flawscope.evaluation.mask_measures import ANY
from flawscope.inspection.tables import read_results
from flawscope.masks import encode_rle, mask_array, masks_of
from flawscope.preprocess import Preprocess
from flawscope.records import Task
from flawscope.steps.compare import compare
from flawscope.steps.decide import decide
from flawscope.steps.evaluate import evaluate, evaluate_run, written
from flawscope.steps.mask_store import read_masks
from flawscope.steps.report import report
from flawscope.steps.run import pool
from flawscope.steps.split import split_samples
from flawscope.steps.train import prepare_run
from flawscope.steps.workspace import Run
from flawscope.storage import write_json
from flawscope.training.history import write_history
from flawscope.training.mask_recipe import gate_samples
from flawscope.training.recipe import load_recipe

Make = Callable[..., Any]
TASK = Task("multilabel", ("bright", "dark"), "sound", pixels="multilabel")
RECIPE = """\
name: strips
data: {kind: masks, images: data/images, table: data/train.csv, classes: [bright, dark], negative: sound,
       groups: {pattern: '(coil[0-9]+)_'}}
image: {size: 16, channels: 1, resize: none}
split: {validation: 0.1, calibration: 0.3, test: 0.4, twins: identical}
masks: {mm_per_pixel: 0.5}
"""


def strips(folder: Path, n: int = 48, seed: int = 0) -> None:
    """Strips of 20 x 30 pixels: a third with a bright flaw, a third with a dark one as well, and specks of noise.

    Flaws are drawn one pixel smaller than they truly are on one side. The ground is brighter where there are flaws: so
    the gate of the bundle knows all but the last flawed strip.
    """
    (folder / "images").mkdir(parents=True)
    lines = ["ImageId,ClassId,EncodedPixels"]
    for i in range(n):
        rng = np.random.default_rng(1000 * seed + i)
        flawed = i % 3 > 0
        name = f"coil{i // 2:02d}_{i % 2}.png"
        pixels = np.full((20, 30), 140 if flawed and i < n - 1 else 112, dtype=np.uint8)
        for k, grey in ((0, 250), (1, 3)) if i % 3 == 2 else ((0, 250),) if flawed else ():
            y, x = int(rng.integers(1, 12)), int(rng.integers(1, 10)) + 14 * k
            truth = np.zeros((20, 30), dtype=bool)
            truth[y : y + 6, x : x + 5] = True
            pixels[y : y + 5, x : x + 5] = grey
            lines.append(f"{name},{TASK.classes[k]},{encode_rle(truth)}")
        pixels[0, int(rng.integers(0, 29))] = 255 if i % 2 else 0
        pixels[19] = rng.integers(110, 115, 30)  # so that no two are alike
        Image.fromarray(pixels).save(folder / "images" / name)
    (folder / "train.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def make_run(tmp_path: Path, make_mask_bundle: Make, monkeypatch: pytest.MonkeyPatch) -> Make:
    """`make_run(gate=..., folds=..., overrides=...)` -> runs that are exported, and not decided yet."""
    for module in ("mask_measures", "mask_flaws", "mask_curves", "measure", "mask_time"):
        monkeypatch.setattr(f"flawscope.evaluation.{module}.DRAWS", 40)

    def make(*, gate: bool = True, folds: int | None = None, overrides: tuple[str, ...] = ()) -> list[Run]:
        if not (tmp_path / "data").is_dir():
            strips(tmp_path / "data")
        (tmp_path / "strips.yaml").write_text(RECIPE, encoding="utf-8")
        recipe = load_recipe(tmp_path / "strips.yaml", overrides)
        samples = read(recipe.data, tmp_path)
        assert samples.task == TASK
        contents = read_bundle(make_mask_bundle(TASK, gate=gate, draft=True, name="draft.flawscope"))
        runs = []
        for proven in split_samples(recipe, samples, folds, tmp_path / ".cache"):
            place = tmp_path / "runs" / "strips" / (f"fold-{proven.split.fold}" if folds else "")
            run = prepare_run(place, recipe, proven, tmp_path / ".cache", samples)
            hashes = contents.manifest.hashes.model_copy(update={"split": run.split.hash})
            manifest = contents.manifest.model_copy(update={"hashes": hashes})
            write_bundle(run.draft, manifest, contents.graphs, contents.golden)
            runs.append(run)
        return runs

    return make


def test_levels_and_areas_come_from_the_calibration_part(make_run: Make) -> None:
    (run,) = make_run(gate=False)
    manifest = decide(run)
    rule = manifest.sealed.masks
    assert rule is not None and manifest.seal
    assert (rule.fitted_on, rule.mm_per_pixel, rule.overlap) == ("calibration", 0.5, (4, 4))
    assert all(1 < area <= 25 for area in rule.min_areas), "specks of one pixel are dropped, flaws of 25 are kept"
    evidence = read_bundle(run.bundle).evidence
    assert evidence["provenance"]["contents"]["calibration"]
    fitted = evidence["masks"]["classes"]["bright"]
    assert fitted["dice"] == pytest.approx(2 * 25 / (25 + 30), abs=0.03)
    assert fitted["level"] == rule.levels[0] and len(fitted["levels"]) == len(fitted["over levels"])


def test_what_the_recipe_gives_is_not_fitted(make_run: Make) -> None:
    (run,) = make_run(gate=False, overrides=("masks.thresholds=[0.5, 0.9]", "masks.min_area=1"))
    rule = decide(run).sealed.masks
    assert rule is not None
    assert (rule.levels, rule.min_areas, rule.fitted_on) == ((128, 231), (1, 1), "")
    (run,) = make_run(gate=False, overrides=("masks.thresholds=[0.5, 0.9, 0.1]",))
    with pytest.raises(RecipeError, match="one for each of 2 classes, got 3"):
        decide(run)


def test_the_test_part_is_measured_by_the_sealed_bundle(make_run: Make) -> None:
    (run,) = make_run()
    decide(run)
    result = evaluate_run(run)
    metrics = json.loads(run.metrics.read_text())
    assert metrics["headline"][0]["name"] == "mean IoU"
    bright = metrics["masks"]["classes"]["bright"]["measures"]
    test = run.part("test")
    rows, facts = read_masks(run.masks("test"))
    assert [row.name for row in rows] == [row.id for row in test.rows]
    truth = np.stack([mask_array(row.masks) for row in test.rows if row.masks])
    mine = np.stack([mask_array(row.masks) for row in rows])
    both = (truth & mine)[:, 0].sum()
    assert bright["IoU"]["value"] == pytest.approx(both / (truth | mine)[:, 0].sum())
    assert (facts.marked_nc[:, 0] == mine[:, 0].sum(axis=(1, 2))).all()
    assert metrics["masks"]["flaws"]["classes"][ANY]["false"] == 0
    assert metrics["masks"]["mm_per_pixel"] == 0.5
    stored = read_results(run.scores("test"), run.samples.task).rows
    assert [row.decision.flags for row in stored if row.decision] == [
        tuple(bool(flag) for flag in each.any(axis=(1, 2))) for each in mine
    ]
    flawed_n = truth.any(axis=(1, 2, 3))
    gate = metrics["gate"]
    assert gate["confusion"]["matrix"][0][0] == (~flawed_n).sum()
    stopped = [row.stopped for row in rows]
    assert gate["time"]["stopped"] == sum(stopped) > 0
    assert 0 < gate["time"]["with"] < gate["time"]["without"] + sum(row.gate_seconds for row in rows) + 1e-9
    assert all(not any(row.masks.codes) for row in rows if row.stopped)
    assert all(row.mask_seconds > 0 for row in rows)
    assert metrics["cascade"]["n"] == len(test)
    assert read_bundle(run.bundle).evidence["test"]["masks"] == metrics["masks"]
    written(result, run.folder / "again")
    assert (run.folder / "again" / "masks.npz").is_file()


def test_the_page_of_a_run_shows_worst_and_best(make_run: Make) -> None:
    (run,) = make_run()
    decide(run)
    evaluate_run(run)
    write_history(run.training / "history.csv", [{"epoch": e, "train_loss": 1 / e, "val_loss": 1 / e} for e in (1, 2)])
    write_json(run.training / "best.json", {"epoch": 2})
    page = report(run).read_text(encoding="utf-8")
    for words in ("The worst", "The gate stopped", "flaws of fewer than", "; Dice 0."):
        assert words in page, words
    rows, facts = read_masks(run.masks("test"))
    lost = [row.stopped and shows for row, shows in zip(rows, facts.truth_nc[:, -1] > 0, strict=True)]
    assert any(lost) == ("stopped by the gate, which gives" in page)
    assert len(re.findall(': true flaws"', page)) == len(re.findall(': marked flaws"', page)) >= 8


class Bright(torch.nn.Module):
    """A gate that looks for light, and so at the bright flaws."""

    def __init__(self) -> None:
        super().__init__()
        self.plan = SimpleNamespace(columns=(), name="by hand")
        self.light, self.head = torch.nn.Threshold(180, 0), torch.nn.Linear(1, 1)
        torch.nn.init.constant_(self.head.weight, 1.0)
        torch.nn.init.constant_(self.head.bias, -1.0)

    def forward(self, images_bchw: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.light(images_bchw.float()).mean(dim=(2, 3)))
        return out


def test_what_the_gate_looks_at_is_proven_by_the_masks(make_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = make_run()
    decide(run)
    evaluate_run(run)
    write_history(run.training / "history.csv", [{"epoch": e, "train_loss": 1 / e, "val_loss": 1 / e} for e in (1, 2)])
    write_json(run.training / "best.json", {"epoch": 2})
    gate = Run(run.folder / "gate", run.cache)
    gate.training.mkdir(parents=True)
    shutil.copy(run.folder / "split.json", gate.folder)
    (gate.training / "best.safetensors").touch()
    gate.samples, run.gate = gate_samples(run.samples), gate
    gate.recipe = run.recipe.model_copy(update={"image": Preprocess(size=(40, 60), channels=1)})
    module = import_module("flawscope.steps.report_maps")
    monkeypatch.setattr(module, "load_checkpoint", lambda path: (Bright(), {}))
    page = report(run).read_text(encoding="utf-8")
    section = page.partition('<section id="gate">')[2].partition("</section>")[0]
    flawed = sum(any(row.target) for row in run.part("test").rows)
    assert "What the gate looks at" in section and "what speaks for <b>flawed</b>" in section
    hit = re.search(r"In (\d+) % of (\d+) flawed images the largest value of the map lies in the true mask", section)
    assert hit and int(hit[1]) > 80 and int(hit[2]) == min(flawed, 24)
    assert "do not rely on them" not in section


def test_without_a_gate_every_image_is_looked_at(make_run: Make) -> None:
    (run,) = make_run(gate=False)
    decide(run)
    evaluate_run(run)
    metrics = json.loads(run.metrics.read_text())
    assert "gate" not in metrics
    assert metrics["masks"]["flaws"]["classes"][ANY]["measures"]["flaw recall"]["value"] == 1.0


def test_folds_are_pooled_from_what_was_counted(make_run: Make, tmp_path: Path) -> None:
    runs = make_run(folds=3)
    for run in runs:
        decide(run)
        evaluate_run(run)
    samples = runs[0].samples
    metrics = pool(tmp_path / "runs" / "strips", runs[0].recipe, samples)
    assert metrics["n"] == len(samples) == 48
    both = marked = 0
    for run in runs:
        _, facts = read_masks(run.masks("test"))
        both, marked = both + facts.both_nc[:, 0].sum(), marked + facts.marked_nc[:, 0].sum()
    pixels = metrics["masks"]["classes"]["bright"]
    assert (pixels["both"], pixels["marked"]) == (both, marked)
    assert pixels["pixels"] == 30 * 32
    assert metrics["masks"]["flaws"]["classes"][ANY]["flaws"] == 48
    assert metrics["gate"]["time"]["images"] == 48
    assert len(metrics["folds"]) == 3 and "mean IoU" in metrics["folds"][0]
    page = report(tmp_path / "runs" / "strips").read_text(encoding="utf-8")
    assert "These numbers pool 3 folds" in page and "Each fold has a rule of its own" in page


def test_a_bundle_is_decided_again(make_run: Make, tmp_path: Path) -> None:
    (run,) = make_run()
    parent = decide(run)
    with pytest.raises(UserError, match="expected a share"):
        decide(run.bundle, run.folder, max_escape=2.0)
    again = decide(run.bundle, run.folder, tmp_path / "again.flawscope")
    assert again.parent == parent.seal
    assert again.sealed.masks is not None and parent.sealed.masks is not None
    assert again.sealed.masks.levels == parent.sealed.masks.levels
    assert "Decided again on" in again.sealed.masks.notes[0]
    assert again.sealed.gate == parent.sealed.gate
    kept = decide(run.bundle, run.folder, max_escape=0.6)
    assert kept.sealed.gate is not None and kept.sealed.gate.decision.rule == "max_escape"
    made = run.folder / "strips-max-escape-0.6.flawscope"
    page = report(made, tmp_path / "page").read_text(encoding="utf-8")
    assert '<section id="promise">' in page and "a pixel is bright from probability" in page


def test_new_images_are_told_apart_and_measured(make_run: Make, tmp_path: Path) -> None:
    (run,) = make_run()
    decide(run)
    strips(tmp_path / "new", 12, seed=7)
    known = run.part("train").rows[0]
    shutil.copy(known.path, tmp_path / "new" / "images" / "coil99_0.png")
    recipe = tmp_path / "new.yaml"
    recipe.write_text(RECIPE.replace("data/", "new/"), encoding="utf-8")
    result = evaluate(run.bundle, recipe, tmp_path / "out", twins="identical")
    assert result.metrics["n"] == 12
    assert any("1 image left out: the bundle's train part" in note for note in result.metrics["notes"])
    assert "masks" in json.loads((tmp_path / "out" / "metrics.json").read_text())
    again = evaluate(run.bundle, recipe, twins="identical")
    assert again.metrics["masks"] == result.metrics["masks"]


def test_contracts_are_for_gates(make_run: Make, tmp_path: Path) -> None:
    (run,) = make_run(gate=False)
    decide(run)
    with pytest.raises(UserError, match="has no gate"):
        decide(run.bundle, tmp_path, max_escape=0.02)


def test_masks_of_another_size_are_refused(make_run: Make) -> None:
    (run,) = make_run()
    rows = [dataclasses.replace(row, masks=masks_of(np.pad(mask_array(row.masks), ((0, 0), (0, 1), (0, 0)))))
            for row in run.samples.rows if row.masks]  # fmt: skip
    run.samples = dataclasses.replace(run.samples, rows=tuple(rows))
    with pytest.raises(DataError, match="the picture has 30 x 20 pixels, its masks 30 x 21"):
        decide(run)


def test_few_flawed_images_are_said(make_run: Make) -> None:
    (run,) = make_run(overrides=("split.calibration=0.1", "split.test=0.7"))
    rule = decide(run).sealed.masks
    assert rule is not None
    assert any("too few to fit" in note for note in rule.notes)


def finished(runs: list[Run], place: Path) -> Path:
    """These runs, decided and measured, moved to `place`."""
    for run in runs:
        decide(run)
        evaluate_run(run)
    top = runs[0].folder.parent if runs[0].folder.name.startswith("fold-") else runs[0].folder
    if top is not runs[0].folder and len(runs) > 1:
        write_json(top / "metrics.json", pool(top, runs[0].recipe, runs[0].samples))
    top.rename(place)
    return place


def check_outlines(base: Path, document: dict[str, Any], page: str) -> None:
    """Where the shy run drops all flaws, each flawed image that base marks is there with its outlines and both Dice."""
    rows, facts = read_masks(base / "scores" / "test-masks")
    marked = {row.name for row, true in zip(rows, facts.truth_nc[:, -1], strict=True) if true and any(row.masks.codes)}
    images = [row for row in document["masks"]["images"] if row["run"] == "shy"]
    better = {row["image"]: row["dice"] for row in images if row["dice"][0] > row["dice"][1]}
    assert set(better) == marked
    assert all(dice[1] == 0 and dice[0] > 0.7 for dice in better.values())
    gain = [abs(row["dice"][0] - row["dice"][1]) for row in images]
    assert gain == sorted(gain, reverse=True) and min(gain) > 0
    gallery = page[page.index("<h3>base fits better than shy") :]
    gallery = gallery[: gallery.index("<h3>", 10)]
    assert f"8 of {len(marked)} images" in gallery
    panels = {alt: source for source, alt in re.findall(r'src="([^"]+)"[^>]*alt="([^"]+)"', gallery)}
    for name in list(better)[:8]:
        three = [panels[f"{name}: {what}"] for what in ("true flaws", "marked by base", "marked by shy")]
        assert len(set(three)) == 3
    assert f"base: bright, Dice {next(iter(better.values()))[0]:.3f}" in gallery
    assert "shy: sound, Dice 0.000" in gallery
    assert page.index("<h3>shy fits better than base") < page.index("<h3>base fits better than shy")
    assert "<h3>Only base is right about which classes show, shy is wrong" in page


def test_runs_are_compared_where_the_flaws_are(make_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("paired", "mask_paired"):
        monkeypatch.setattr(f"flawscope.evaluation.{module}.DRAWS", 40)
    base = finished(make_run(gate=False), tmp_path / "base")
    shy = finished(
        make_run(gate=False, overrides=("masks.thresholds=[0.5, 0.9999]", "masks.min_area=26")), tmp_path / "shy"
    )
    folds = finished(make_run(gate=False, folds=3), tmp_path / "folds")
    made = compare([base, shy, folds], tmp_path / "out")
    stated = json.loads((base / "metrics.json").read_text())["masks"]
    rows = {(row["run"], row["class_name"], row["measure"]): row for row in made.document["masks"]["differences"]}
    row = rows["shy", "bright", "IoU"]
    assert row["baseline"] == stated["classes"]["bright"]["measures"]["IoU"]
    assert row["other"]["value"] == 0.0, "all flaws have 25 pixels, and were dropped"
    assert row["difference"]["value"] == pytest.approx(-row["baseline"]["value"])
    assert row["difference"]["high"] < 0
    assert rows["shy", "", "flaw recall"]["difference"]["value"] == -1.0
    assert ("folds", "", "false flaws an image") in rows
    assert any("shy is worse than base by" in words and "of mean IoU" in words for words in made.document["sentences"])
    page = made.page.read_text(encoding="utf-8")
    assert '<section id="places">' in page and "The measures of images as a whole" in page
    check_outlines(base, made.document, page)
    titles = [str(table.title) for table in differences_tables(made.document)]
    assert titles[:2] == ["shy against base: where flaws are", "shy against base: what images are called"]
    assert len(titles) == 4
    table = (tmp_path / "out" / "differences.csv").read_text(encoding="utf-8")
    assert "shy,base,dark,flaw recall" in table
    for ending in ("json", "npz"):
        shutil.copy(shy / "scores" / f"test-masks.{ending}", base / "scores")
    with pytest.raises(UserError, match="is not that of its sealed bundle"):
        compare([base, shy], tmp_path / "again")
