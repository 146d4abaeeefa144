"""From a folder of pictures to a sealed and reported decision, on tiny pictures. n samples, k classes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix, f1_score, roc_auc_score

import flawscope
from flawscope.bundle.archive import read_bundle
from flawscope.data.split_file import load_split
from flawscope.errors import DataError, OutputError, RecipeError, SplitError, UserError
from flawscope.inspection.tables import read_results
from flawscope.records import PARTS
from flawscope.steps.workspace import Run, working_folder
from flawscope.storage import write_json
from flawscope.training.checkpoint import load_checkpoint

Draw = Callable[..., Path]
Write = Callable[[Path, str], Path]
Copy = Callable[[], tuple[Path, Path]]


def document(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def seal(folder: Path) -> str:
    return read_bundle(folder / "tiny.flawscope").manifest.seal


def told(folder: Path) -> dict[str, tuple[str, str, float]]:
    """For each test image: true label, decision, first probability."""
    run = Run.at(folder)
    true = dict(zip((row.id for row in run.samples.rows), run.samples.combinations(), strict=True))
    rows = read_results(run.scores("test")).rows
    return {row.name: (true[row.name], row.decision.label, row.probability[0]) for row in rows if row.decision}


# --- one split --------------------------------------------------------------------------------------------------


def test_an_interrupted_run_leaves_its_work_and_resume_trains_nothing_again(finished: Any) -> None:
    assert finished.left == (".cache", "tiny.partial")
    assert finished.calls == ("train_in", "export")
    assert sorted(path.name for path in finished.folder.parent.iterdir()) == [".cache", "tiny"]


def test_everything_is_there(finished: Any) -> None:
    files = {path.relative_to(finished.folder).as_posix() for path in finished.folder.rglob("*") if path.is_file()}
    assert files == {
        "recipe.yaml", "data.json", "split.json", "draft.flawscope", "tiny.flawscope", "metrics.json",
        "report/index.html",
        "scores/validation.csv", "scores/calibration.csv", "scores/test.csv", "training/history.csv",
        "training/best.json", "training/best.safetensors", "training/last.json", "training/last.safetensors",
        "training/done.json",
    }  # fmt: skip
    page = (finished.folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "LEAK NOT CHECKED" in page
    assert str(finished.folder.parent) not in page


def test_the_numbers_are_those_of_the_scores_and_of_the_evidence(finished: Any) -> None:
    metrics, contents = document(finished.folder / "metrics.json"), read_bundle(finished.bundle)
    assert contents.evidence["test"] == metrics | {"seal": contents.manifest.seal}
    assert metrics["bundle"]["seal"] == contents.manifest.seal
    split = load_split(finished.folder / "split.json")
    rows = told(finished.folder)
    assert set(rows) == set(split.ids("test"))
    assert metrics["n"] == len(rows)
    true, decided, score = zip(*rows.values(), strict=True)
    shown = {entry["name"]: entry["interval"]["value"] for entry in metrics["headline"]}
    assert shown["accuracy"] == pytest.approx(np.mean([a == b for a, b in zip(true, decided, strict=True)]))
    assert shown["AUROC"] == pytest.approx(roc_auc_score([label == "nok" for label in true], score))
    assert metrics["confusion"]["matrix"] == confusion_matrix(true, decided, labels=["ok", "nok"]).tolist()
    for part in PARTS:
        known = contents.evidence["provenance"]["contents"][part]
        assert len(known) == len(split.ids(part))


def test_calibrator_and_thresholds_follow_from_validation_and_calibration_scores(finished: Any) -> None:
    sealed = read_bundle(finished.bundle).manifest.sealed
    assert sealed.calibrator and sealed.decision
    fitted_on = "" if sealed.calibrator.method == "identity" else "validation"  # this tiny task is told apart fully
    assert (sealed.calibrator.fitted_on, sealed.decision.fitted_on) == (fitted_on, "calibration")
    run = Run.at(finished.folder)
    truth = run.part("calibration").target_nk[:, 0] == 1
    score = np.array([row.probability[0] for row in read_results(run.scores("calibration")).rows])
    best = max(f1_score(truth, score >= cut) for cut in np.unique(score))
    assert f1_score(truth, score >= sealed.decision.thresholds[0]) == pytest.approx(best)


def test_the_steps_one_by_one_give_the_same_seal(finished: Any, tmp_path: Path) -> None:
    folder = tmp_path / "by hand"
    flawscope.split(finished.recipe, tmp_path / "split.json")
    made = flawscope.train(finished.recipe, folder, split=tmp_path / "split.json")
    with pytest.raises(UserError, match=r"draft.flawscope is missing(?s:.)*flawscope export"):
        flawscope.decide(folder)
    parity = flawscope.export(folder)
    assert parity.images == len(made.split.ids("validation"))
    with pytest.raises(UserError, match=r"tiny.flawscope is missing(?s:.)*flawscope decide"):
        flawscope.evaluate(folder)
    manifest = flawscope.decide(folder)
    with pytest.raises(UserError, match=r"metrics.json is missing"):
        flawscope.report(folder)
    result = flawscope.evaluate(folder)
    assert flawscope.report(folder).is_file()
    assert manifest.seal == seal(finished.folder) == seal(folder)
    again, before = (document(place / "metrics.json") for place in (folder, finished.folder))
    assert {k: v for k, v in again.items() if k != "provenance"} == {
        k: v for k, v in before.items() if k != "provenance"
    }
    assert result.metrics == again


# --- folds ------------------------------------------------------------------------------------------------------


def test_two_folds_of_three_classes(tmp_path: Path, draw: Draw, write_recipe: Write) -> None:
    for seed in range(36):
        draw(tmp_path / "data" / "abc"[seed % 3] / f"{seed}.png", seed, [seed % 3])
    recipe = write_recipe(tmp_path / "r.yaml", "{kind: folders, root: data}")
    said: list[str] = []
    folder = flawscope.run(recipe, tmp_path / "cv", folds=2, overrides=["train.epochs=1"], say=said.append)
    assert sorted(path.name for path in folder.iterdir()) == ["fold-0", "fold-1", "metrics.json", "report"]
    one, other = told(folder / "fold-0"), told(folder / "fold-1")
    assert not one.keys() & other.keys()
    rows = one | other
    assert len(rows) == 36
    metrics = document(folder / "metrics.json")
    true, decided, _ = zip(*rows.values(), strict=True)
    assert metrics["confusion"]["matrix"] == confusion_matrix(true, decided, labels=list("abc")).tolist()
    assert metrics["n"] == 36
    assert metrics["notes"][0].startswith("pooled over folds")
    assert "bundle" not in metrics
    assert [fold["seal"] for fold in metrics["folds"]] == [seal(folder / "fold-0"), seal(folder / "fold-1")]
    assert metrics["folds"][0]["seal"] != metrics["folds"][1]["seal"]
    assert {row.name for row in read_results(folder / "fold-0" / "scores" / "calibration.csv").rows} <= other.keys()
    assert (folder / "report" / "index.html").is_file()


# --- several labels, and who may see what -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, draw: Draw, write_recipe: Write) -> Path:
    """A run on a table with two labels that do not exclude each other; the recipe's folder is its grandparent."""
    root = tmp_path_factory.mktemp("labelled")
    lines = ["bild;kratzer;loch"]
    for seed in range(40):
        corners = [corner for corner in (0, 3) if seed >> (corner // 3) & 1]
        draw(root / f"{seed}.png", seed, corners)
        lines.append(f"{seed}.png;{int(0 in corners)};{int(3 in corners)}")
    (root / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    recipe = write_recipe(root / "r.yaml", "{kind: csv, table: labels.csv, label_columns: [kratzer, loch]}")
    asked = ["train.epochs=1", "export.average_over=turns", "model.normalise.source=training"]
    return flawscope.run(recipe, root / "runs" / "tiny", overrides=asked)


def test_the_answer_does_not_hang_on_how_the_part_lay(labelled: Path, tmp_path: Path) -> None:
    source = Image.open(Run.at(labelled).part("test").rows[0].path)
    for turn in Image.Transpose:
        source.transpose(turn).save(tmp_path / f"{turn.name}.png")
    source.save(tmp_path / "AS_IT_IS.png")
    found = flawscope.inspect(labelled / "tiny.flawscope", tmp_path, tmp_path / "results.csv")
    assert found.images == 8
    rows = read_results(tmp_path / "results.csv").rows
    spread = np.ptp([row.probability for row in rows], axis=0).max()
    assert spread < 2e-3, "only what shrinking 40 pixels to 32 makes of turned ones is left"
    told = flawscope.show(labelled / "tiny.flawscope")
    assert any("mean over 8 views (8 times the computing)" in line for line in told)


def test_the_training_parts_own_normalisation(labelled: Path) -> None:
    pictures = [np.asarray(Image.open(row.path).resize((32, 32))) for row in Run.at(labelled).part("train").rows]
    network, _ = load_checkpoint(labelled / "training" / "best")
    assert network.mean_1c11.item() == pytest.approx(np.mean(pictures) / 255, abs=0.01)
    assert network.std_1c11.item() == pytest.approx(np.std(pictures) / 255, abs=0.01)


def test_a_table_of_several_labels(labelled: Path) -> None:
    metrics = document(labelled / "metrics.json")
    assert metrics["task"] == {"kind": "multilabel", "classes": ["kratzer", "loch"], "negative": "ok"}
    assert metrics["confusion"] is None
    rows = told(labelled)
    assert {true for true, _, _ in rows.values()} == {"ok", "kratzer", "loch", "kratzer + loch"}
    shown = {entry["name"]: entry["interval"]["value"] for entry in metrics["headline"]}
    assert shown["exact match"] == pytest.approx(np.mean([true == decided for true, decided, _ in rows.values()]))


def test_the_seal_sees_calibration_labels_and_never_test_labels(
    labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "check_data", lambda run, samples: None)  # which would refuse the changed labels
    table, run = labelled.parents[1] / "labels.csv", Run.at(labelled)
    original, before = table.read_text(encoding="utf-8"), seal(labelled)

    def decided_after_flipping(part: str) -> str:
        flipped = set(run.split.ids(part))
        with table.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream, delimiter=";"))
        changed = [[row[0], *("10"[int(cell)] for cell in row[1:])] if row[0] in flipped else row for row in rows]
        table.write_text("\n".join(";".join(row) for row in changed), encoding="utf-8")
        try:
            return flawscope.decide(labelled).seal
        finally:
            table.write_text(original, encoding="utf-8")

    assert decided_after_flipping("test") == before
    assert decided_after_flipping("train") == before
    assert decided_after_flipping("calibration") != before
    assert flawscope.decide(labelled).seal == before


# --- what is refused --------------------------------------------------------------------------------------------


def test_an_existing_run_is_replaced_only_when_asked(finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match=r"tiny exists already\n.*--overwrite"):
        flawscope.run(finished.recipe, finished.folder)
    with pytest.raises(OutputError, match=r"tiny exists already\n.*--overwrite"):
        flawscope.train(finished.recipe, finished.folder)
    monkeypatch.setattr("flawscope.steps.run.train_in", lambda run: 1 / 0)
    before = sorted(finished.folder.rglob("*"))
    with pytest.raises(ZeroDivisionError):
        flawscope.run(finished.recipe, finished.folder, overwrite=True)
    assert sorted(finished.folder.rglob("*")) == before


def test_a_folder_that_is_no_run_is_not_replaced(finished: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(OutputError, match="is not a run folder, it will not be replaced"):
        flawscope.run(finished.recipe, tmp_path, overwrite=True)
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_a_folder_that_holds_a_run_somewhere_is_not_replaced(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "project").mkdir(parents=True)
    (home / "project" / "recipe.yaml").write_text("name: mine")
    with pytest.raises(OutputError), working_folder(home, overwrite=True, resume=False):
        pass
    assert (home / "project" / "recipe.yaml").is_file()


def test_train_does_not_replace_a_folder_that_is_no_run(
    finished: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("precious")
    monkeypatch.setattr(import_module("flawscope.steps.train"), "train_in", lambda run: None)
    with pytest.raises(OutputError):
        flawscope.train(finished.recipe, tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "precious.txt").is_file()


def test_the_present_folder_as_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError), working_folder(Path(), overwrite=True, resume=False):
        pass


@pytest.fixture
def begun(finished: Any, copied: Copy, write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recipe of a run that was interrupted after training; going on would fail in export."""
    _, data = copied()
    recipe, module = (
        write_recipe(tmp_path / "r.yaml", "{kind: folders, root: data, positive: nok}"),
        "flawscope.steps.run",
    )
    monkeypatch.setattr(f"{module}.train_in", lambda run: write_json(run.trained, {"best_epoch": 1, "epochs": 1}))
    monkeypatch.setattr(f"{module}.export", lambda run: pytest.fail("went on"))
    with pytest.raises(pytest.fail.Exception):
        flawscope.run(recipe, tmp_path / "begun")
    with pytest.raises(pytest.fail.Exception):
        flawscope.run(recipe, tmp_path / "begun", resume=True)
    assert data.is_dir()
    return recipe


def test_resume_refuses_another_recipe_or_split(begun: Path, tmp_path: Path) -> None:
    for change in ("train.rate=0.5", "split.seed=9"):
        with pytest.raises(RecipeError, match=r"begun with another recipe, data or split(?s:.)*--resume"):
            flawscope.run(begun, tmp_path / "begun", resume=True, overrides=[change])


def test_resume_refuses_other_data(begun: Path, tmp_path: Path, draw: Draw) -> None:
    draw(next((tmp_path / "data" / "ok").iterdir()), seed=999)
    with pytest.raises(UserError):
        flawscope.run(begun, tmp_path / "begun", resume=True)


def folders(root: Path, draw: Draw, **counts: int) -> Path:
    for start, (name, n) in enumerate(counts.items()):
        for seed in range(n):
            draw(root / "data" / name / f"{seed}.png", 1000 * start + seed)
    return root / "data"


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        ({"ok": 9}, "images in one class folder only: 'ok'"),
        ({"ok": 2, "nok": 1}, r"3 groups \(3 images, .*\) cannot fill 4 parts"),
        ({}, "the folder does not exist"),
    ],
)
def test_too_little_data(tmp_path: Path, draw: Draw, write_recipe: Write, counts: dict[str, int], problem: str) -> None:
    folders(tmp_path, draw, **counts)
    recipe = write_recipe(tmp_path / "r.yaml", "{kind: folders, root: data}")
    with pytest.raises((DataError, SplitError), match=problem):
        flawscope.run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "absent",
    [
        "nok",
        pytest.param("ok"),
    ],
)  # fmt: skip
def test_a_training_part_without_one_of_the_answers(
    finished: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: str
) -> None:
    from flawscope.data.split_file import save_split

    made = flawscope.split(finished.recipe)[0]
    part = {id: "test" if id.startswith(f"{absent}/") and p == "train" else p for id, p in made.part.items()}
    save_split(replace(made, part=part), tmp_path / "split.json")
    monkeypatch.setattr(import_module("flawscope.steps.train"), "fit", lambda *given, **named: None)
    with pytest.raises(SplitError, match=f"the training part holds no image of {absent}"):
        flawscope.train(finished.recipe, tmp_path / "run", split=tmp_path / "split.json")
    assert not (tmp_path / "run").exists()


def test_a_split_file_of_other_data(finished: Any, tmp_path: Path, draw: Draw, write_recipe: Write) -> None:
    folders(tmp_path, draw, ok=6, nok=6)
    recipe = write_recipe(tmp_path / "r.yaml", "{kind: folders, root: data}")
    with pytest.raises(SplitError, match="the split does not fit the data"):
        flawscope.train(recipe, tmp_path / "run", split=finished.folder / "split.json")


@pytest.mark.parametrize(
    "change", [["train.batch_size=1"], ["model.name=timm:vit_tiny_patch16_224", "image.channels=3"]]
)
def test_recipes_that_torch_stumbles_over(finished: Any, tmp_path: Path, change: list[str]) -> None:
    with pytest.raises(UserError):
        flawscope.train(finished.recipe, tmp_path / "run", overrides=change)


def test_no_folds(finished: Any) -> None:
    with pytest.raises(SplitError, match="at least 2 folds"):
        flawscope.split(finished.recipe, folds=0)


def test_a_partial_folder_of_the_users_is_never_removed(write_recipe: Write, tmp_path: Path) -> None:
    mine = tmp_path / "proj.partial" / "work.txt"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    recipe = write_recipe(tmp_path / "r.yaml", "{kind: folders, root: data}")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=r"proj.partial is not a run folder"):
            flawscope.run(recipe, tmp_path / "proj", overwrite=overwrite)
    assert mine.read_text(encoding="utf-8") == "mine"


def test_a_finished_training_in_a_partial_folder_is_not_thrown_away_unasked(
    write_recipe: Write, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path / "r.yaml", "{kind: folders, root: data}")
    done = tmp_path / "proj.partial" / "training" / "best.safetensors"
    done.parent.mkdir(parents=True)
    for path in (done, tmp_path / "proj.partial" / "recipe.yaml", tmp_path / "proj.partial" / "split.json"):
        path.write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match=r"already\n.*--resume"):
        flawscope.run(recipe, tmp_path / "proj")
    assert done.is_file()
