"""Runs side by side: only what sealed bundles have said of common, unseen images; each number against the scores."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import recall_score, roc_auc_score

import flawscope
from flawscope.errors import OutputError, UserError
from flawscope.records import Decision, Prediction, Sample, Task
from flawscope.steps.tested import Answer, Side, check_tasks, common, short_names
from flawscope.steps.workspace import Run

Finish = Callable[..., Path]
NOK = Task("binary", ("nok",), "ok")


@dataclass(frozen=True)
class Made:
    """Two runs of one split, one of three folds, and the comparison of all three."""

    top: Path
    base: Path
    other: Path
    folds: Path
    comparison: Any

    @property
    def document(self) -> dict[str, Any]:
        return json.loads((self.comparison.folder / "compare.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def made(finish_run: Finish, parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    top = tmp_path_factory.mktemp("Läufe")
    base = finish_run(top / "base", parts)
    changed = ["image.crop=[0, 0, 5, 5]", "train.seed=3", "train.watch=f1"]
    other = finish_run(top / "other", parts, cut=0.45, overrides=changed)
    folds = finish_run(top / "folds", parts, cut=0.41, folds=3)
    return Made(top, base, other, folds, flawscope.compare([base, other, folds], top / "out" / "c"))


def told(run: Path) -> dict[str, tuple[float, bool]]:
    """Probability and decision of each test image as the table of scores has them."""
    with (run / "scores" / "test.csv").open(encoding="utf-8", newline="") as stream:
        return {
            row["name"]: (float(row["nok_probability"]), row["decision"] == "nok") for row in csv.DictReader(stream)
        }


def test_every_number_is_that_of_the_scores(made: Made) -> None:
    document, scores = made.document, [told(made.base), told(made.other)]
    ids = sorted(scores[0])
    assert document["n"] == len(ids) == len(set(scores[0]) & set(scores[1]))
    true = [name.startswith("nok/") for name in ids]
    flags = [[table[name][1] for name in ids] for table in scores]
    rows = {row["measure"]: row for row in document["differences"] if row["run"] == "other"}
    accuracy = [sum(a == b for a, b in zip(true, flag, strict=True)) / len(ids) for flag in flags]
    recall = [recall_score(true, flag) for flag in flags]
    auroc = [roc_auc_score(true, [table[name][0] for name in ids]) for table in scores]
    for measure, (first, second) in {"accuracy": accuracy, "recall": recall, "AUROC": auroc}.items():
        assert rows[measure]["baseline"]["value"] == pytest.approx(first)
        assert rows[measure]["other"]["value"] == pytest.approx(second)
        assert rows[measure]["difference"]["value"] == pytest.approx(second - first)
    assert accuracy[0] != accuracy[1]
    only = [sum(a == t != b for t, a, b in zip(true, *pair, strict=True)) for pair in (flags, flags[::-1])]
    test = next(row for row in document["mcnemar"] if row["run"] == "other")
    assert [test["baseline_only"], test["other_only"]] == only
    differing = [row for row in document["disagreements"] if row["run"] == "other"]
    assert [sum(row["right"] == name for row in differing) for name in ("base", "other")] == only
    for row in differing:
        wrong = row["decided"][1 if row["right"] == "base" else 0]
        assert row["true"] != wrong
        assert row["probability"] == [table[row["image"]][0] for table in scores]


def test_pooled_folds_are_compared_image_by_image_with_the_bundle_that_had_not_seen_it(made: Made) -> None:
    document = made.document
    pooled = {name: both for fold in made.folds.glob("fold-*") for name, both in told(fold).items()}
    ids = sorted(told(made.base))
    true = [name.startswith("nok/") for name in ids]
    rows = {row["measure"]: row for row in document["differences"] if row["run"] == "folds"}
    assert rows["AUROC"]["other"]["value"] == pytest.approx(roc_auc_score(true, [pooled[name][0] for name in ids]))
    assert any("folds: pooled over 3 folds" in note for note in document["notes"])
    assert document["left_out"]["runs"] == {"base": 0, "other": 0, "folds": len(pooled) - len(ids)}
    for row in document["disagreements"]:
        for fold in made.folds.glob("fold-*"):
            part = Run.at(fold).split.part[row["image"]]
            assert part == "test" or row["image"] not in told(fold)


def test_the_page_shows_it_and_names_no_place(made: Made) -> None:
    page, document = made.comparison.page.read_text(encoding="utf-8"), made.document
    for words in document["sentences"]:
        assert words.replace("&", "&amp;") in page
    assert "image.crop" in page
    assert "[0, 0, 5, 5]" in page
    assert page.count('src="data:image/jpeg;base64,') == sum(
        min(24, sum((row["run"], row["right"]) == key for row in document["disagreements"]))
        for key in (("other", "other"), ("other", "base"), ("folds", "folds"), ("folds", "base"))
    )
    assert "LEAK NOT CHECKED" in page
    for name in ("index.html", "compare.json", "differences.csv"):
        text = (made.comparison.folder / name).read_text(encoding="utf-8")
        assert str(made.top) not in text
        assert "Teile ä" not in text
    assert "F1 on validation" in page.replace("f1", "F1")  # watched by one run only


def test_only_keys_that_differ_are_named(made: Made) -> None:
    changes = {row["key"]: row["values"] for row in made.document["recipe_changes"]}
    assert changes == {
        "name": ["base", "other", "folds"],
        "image.crop": ["null", "[0, 0, 5, 5]", "null"],
        "train.seed": ["0", "3", "0"],
        "train.watch": ["loss", "f1", "loss"],
    }
    assert [run["seed"] for run in made.document["runs"]] == [0, 3, 0]
    seals = [run["seals"] for run in made.document["runs"]]
    assert [len(each) for each in seals] == [1, 1, 3]
    stated = json.loads((made.base / "metrics.json").read_text(encoding="utf-8"))
    assert seals[0] == [stated["bundle"]["seal"]]


def test_the_table_holds_every_difference(made: Made) -> None:
    with (made.comparison.folder / "differences.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    wanted = made.document["differences"]
    assert [(row["run"], row["measure"]) for row in rows] == [(row["run"], row["measure"]) for row in wanted]
    assert float(rows[3]["difference_low"]) == wanted[3]["difference"]["low"]
    for row in wanted:
        assert row["difference"]["low"] < row["difference"]["high"]


def test_folders_are_replaced_only_if_asked_and_only_comparisons(made: Made, tmp_path: Path) -> None:
    there = shutil.copytree(made.comparison.folder, tmp_path / "c")
    with pytest.raises(OutputError, match="exists already"):
        flawscope.compare([made.base, made.other], there)
    flawscope.compare([made.other, made.base], there, overwrite=True)
    document = json.loads((there / "compare.json").read_text(encoding="utf-8"))
    assert document["names"] == ["other", "base"]
    before = {
        row["measure"]: row["difference"]["value"] for row in made.document["differences"] if row["run"] == "other"
    }
    for row in document["differences"]:
        assert row["difference"]["value"] == pytest.approx(-before[row["measure"]])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not a comparison"):
        flawscope.compare([made.base, made.other], tmp_path / "mine", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "mine"]


def test_a_run_that_knows_the_groups_of_the_others_is_named(made: Made, finish_run: Finish, parts: Path) -> None:
    loose = finish_run(made.top / "loose", parts, overrides=["split.groups=none", "split.seed=1"])
    document = flawscope.compare([made.base, loose], made.top / "out" / "loose").document
    assert 0 < document["n"] < len(told(made.base))
    warned = [words for words in document["warnings"] if words.startswith("loose: its training")]
    assert len(warned) == 1
    assert not any(words.startswith("base: its training") for words in document["warnings"])
    assert document["groups"] < document["n"]


def test_what_cannot_be_compared(made: Made, finish_run: Finish, tmp_path: Path) -> None:
    def refused(match: str, *runs: Path) -> None:
        with pytest.raises(UserError, match=match):
            flawscope.compare(list(runs), tmp_path / "out")
        assert not (tmp_path / "out").exists()

    refused("at least two runs, got 1", made.base)
    refused("is named twice", made.base, made.other, made.base)
    refused("is not a run folder", made.base, tmp_path / "none")
    stopped = shutil.copytree(made.other, tmp_path / "stopped")
    for name in ("metrics.json", "other.flawscope", "training/done.json"):
        (stopped / name).unlink()
    refused("not finished: stopped after epoch 5 of 5", made.base, stopped)
    half = shutil.copytree(made.folds, tmp_path / "half")
    (half / "fold-1" / "metrics.json").unlink()
    refused("not finished: 2 of 3 folds finished; fold-1 sealed, not tested yet", made.base, half)


def test_scores_that_the_bundle_did_not_give_are_refused(made: Made, tmp_path: Path) -> None:
    spoilt = shutil.copytree(made.other, tmp_path / "spoilt")
    table = spoilt / "scores" / "test.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace(",ok,", ",nok,", 1), encoding="utf-8")
    with pytest.raises(UserError, match="not those of its sealed bundle"):
        flawscope.compare([made.base, spoilt], tmp_path / "out")
    table.write_text("\n".join(text.splitlines()[:-1]), encoding="utf-8")
    with pytest.raises(UserError, match="not those of its sealed bundle"):
        flawscope.compare([made.base, spoilt], tmp_path / "out")


# --- which images, by hand --------------------------------------------------------------------------------------


def side(name: str, images: dict[str, str], seen: str = "", task: Task = NOK, bad: str = "") -> Side:
    """A run that has tested images of these names and contents; `seen` and `bad` list contents, a letter each."""
    rows = {
        (id, content): Answer(
            Sample(id, id, (float(content in bad),), id, content),
            Prediction(id, probability=(0.1,), decision=Decision((False,), "ok")),
            0,
        )
        for id, content in images.items()
    }
    return Side(name, Path(name), (), task, rows, (frozenset(seen),), ("s",))


def test_images_are_the_same_by_name_and_content() -> None:
    keys, left = common([side("a", {"1": "x", "2": "y", "3": "z"}), side("b", {"1": "x", "2": "other", "4": "z"})])
    assert keys == [("1", "x")]
    assert left == {"seen": 0, "other_content": 1, "runs": {"a": 2, "b": 2}}


def test_an_image_that_any_bundle_has_learnt_from_is_never_compared() -> None:
    images = {"1": "x", "2": "y", "3": "z"}
    keys, left = common([side("a", images), side("b", images, seen="y"), side("c", images, seen="q")])
    assert keys == [("1", "x"), ("3", "z")]
    assert left["seen"] == 1
    with pytest.raises(UserError, match="no test image is common to all of a, b; 3 were seen"):
        common([side("a", images, seen="xyz"), side("b", images)])


def test_nothing_in_common_and_moved_pictures() -> None:
    with pytest.raises(UserError, match="no test image is common to all of a, b; 1 have the same content under other"):
        common([side("a", {"1": "x"}), side("b", {"2": "x"})])


def test_labels_that_differ_are_refused() -> None:
    images = {"1": "x", "2": "y"}
    with pytest.raises(UserError, match=r"different labels for 1 of the same images:\n  2: nok and ok"):
        common([side("a", images, bad="y"), side("b", images)])


def test_other_tasks_are_refused_and_another_order_of_classes_is_not() -> None:
    base = side("a", {"1": "x"})
    for task in (Task("binary", ("bad",), "ok"), Task("binary", ("nok",), "good"), Task("multilabel", ("nok",), "ok")):
        with pytest.raises(UserError, match="decide different things"):
            check_tasks([base, replace(base, name="b", task=task)])
    three = [Task("multiclass", tuple(names)) for names in ("abc", "cab")]
    check_tasks([replace(base, task=task) for task in three])


def test_names_tell_runs_apart() -> None:
    assert short_names([Path("x/a"), Path("y/b")]) == ["a", "b"]
    assert short_names([Path("x/a"), Path("y/a"), Path("z/fold-0")]) == ["x/a", "y/a", "z/fold-0"]
