"""What a sealed bundle is worth on labelled images: its own test split, or somebody's folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import flawscope
from flawscope.data.split_file import load_split
from flawscope.errors import BundleError, DataError, UserError
from flawscope.records import Masks, Sample, Samples, Task
from flawscope.steps.new_images import renamed

Draw = Callable[..., Path]
Copy = Callable[[], tuple[Path, Path]]


def fresh(root: Path, draw: Draw, n: int = 6, names: tuple[str, str] = ("ok", "nok")) -> Path:
    for seed in range(n):
        draw(root / names[seed % 2] / f"{seed}.png", 5000 + seed, [1] if seed % 2 else ())
    return root


def test_new_images_are_measured_and_written_down(finished: Any, tmp_path: Path, draw: Draw) -> None:
    result = flawscope.evaluate(finished.bundle, fresh(tmp_path / "new", draw), tmp_path / "out")
    assert (result.metrics["n"], result.left_out) == (6, ())
    assert json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8")) == result.metrics
    assert len((tmp_path / "out" / "scores.csv").read_text(encoding="utf-8").splitlines()) == 7
    assert any("leak checked against" in note for note in result.metrics["notes"])
    decided = {each.name: each.decision for each in result.predictions}
    flawscope.inspect(finished.bundle, tmp_path / "new", tmp_path / "results.csv")
    for line in (tmp_path / "results.csv").read_text(encoding="utf-8").splitlines()[1:]:
        name, _, label, *_ = line.split(",")
        assert decided[name].label == label  # type: ignore[union-attr]


def test_images_that_the_bundle_has_learnt_from_are_left_out(finished: Any, tmp_path: Path, draw: Draw) -> None:
    split = load_split(finished.folder / "split.json")
    result = flawscope.evaluate(finished.bundle, finished.data)
    assert {row.id for row in result.samples.rows} == set(split.ids("test"))
    counts = [
        f"{len(split.ids(part))} images left out: the bundle's {part}"
        for part in ("train", "validation", "calibration")
    ]  # type: ignore[arg-type]
    assert [said.startswith(count) for said, count in zip(result.left_out, counts, strict=True)] == [True] * 3
    assert set(result.left_out) <= set(result.metrics["notes"])
    for id in split.ids("train"):  # under other names: what counts are the bytes
        (tmp_path / "seen" / id.split("/")[0]).mkdir(parents=True, exist_ok=True)
        shutil.copy(finished.data / id, tmp_path / "seen" / id.split("/")[0] / f"other {Path(id).name}")
    with pytest.raises(DataError, match=r"all \d+ images were used to make the bundle"):
        flawscope.evaluate(finished.bundle, tmp_path / "seen")
    fresh(tmp_path / "seen", draw, 4)
    assert flawscope.evaluate(finished.bundle, tmp_path / "seen").metrics["n"] == 4


def test_one_class_only_is_measured_as_far_as_that_goes(finished: Any, tmp_path: Path, draw: Draw) -> None:
    fresh(tmp_path, draw)
    shutil.rmtree(tmp_path / "nok")
    measured = flawscope.evaluate(finished.bundle, tmp_path).metrics["classes"]["nok"]
    assert (measured["positives"], measured["negatives"]) == (0, 3)
    assert "AUROC" in measured["undefined"]


@pytest.mark.parametrize("names", [("ok", "scratched"), ("gut", "schlecht")])
def test_classes_that_the_bundle_does_not_know(
    finished: Any, tmp_path: Path, draw: Draw, names: tuple[str, str]
) -> None:
    with pytest.raises(DataError, match=r"the bundle is binary and knows nok, ok(?s:.)*name the folders"):
        flawscope.evaluate(finished.bundle, fresh(tmp_path, draw, names=names))


def test_what_cannot_be_evaluated(finished: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        flawscope.evaluate(finished.bundle, tmp_path / "none")
    with pytest.raises(UserError, match=r"which data should(?s:.)*evaluate BUNDLE DATA"):
        flawscope.evaluate(finished.bundle)
    with pytest.raises(UserError, match="is not a run folder"):
        flawscope.evaluate(tmp_path)
    with pytest.raises(BundleError, match="draft"):
        flawscope.evaluate(finished.folder / "draft.flawscope", finished.data)
    with pytest.raises(BundleError, match="not a bundle"):
        flawscope.evaluate(finished.recipe, finished.data)


def test_a_test_image_that_can_no_longer_be_read(copied: Copy) -> None:
    run, data = copied()
    (data / load_split(run / "split.json").ids("test")[0]).write_bytes(b"")
    with pytest.raises(DataError, match=r"1 bad row or unreadable image:(?s:.)*the file is empty"):
        flawscope.evaluate(run)


@pytest.mark.parametrize("how", ["gone", "another picture"])
def test_a_test_split_that_is_no_longer_what_it_was(copied: Copy, draw: Draw, how: str) -> None:
    run, data = copied()
    image = data / load_split(run / "split.json").ids("test")[0]
    image.unlink() if how == "gone" else draw(image, 4321)
    with pytest.raises(UserError):
        flawscope.evaluate(run)


def test_the_output_of_a_runs_own_test_split(copied: Copy, tmp_path: Path) -> None:
    flawscope.evaluate(copied()[0], None, tmp_path / "out")
    assert (tmp_path / "out" / "metrics.json").is_file()


# --- classes in another order -----------------------------------------------------------------------------------


def samples(task: Task, *targets: tuple[float, ...]) -> Samples:
    rows = tuple(Sample(str(i), str(i), target, str(i), str(i)) for i, target in enumerate(targets))
    return Samples("s", task, rows)


def targets(found: Samples) -> list[tuple[float, ...]]:
    return [row.target for row in found.rows]


def test_classes_are_brought_into_the_bundles_order() -> None:
    three = Task("multiclass", ("c", "a", "b"))
    given = samples(Task("multiclass", ("a", "b", "c")), (1, 0, 0), (0, 0, 1))
    assert targets(renamed(given, three)) == [(0, 1, 0), (1, 0, 0)]
    turned = samples(Task("binary", ("good",), "bad"), (1,), (0,))
    assert targets(renamed(turned, Task("binary", ("bad",), "good"))) == [(0,), (1,)]
    both = samples(Task("multilabel", ("a", "b")), (1, 0), (0, 0))
    assert targets(renamed(both, Task("multilabel", ("b", "a")))) == [(0, 1), (0, 0)]
    same = samples(three, (1, 0, 0))
    assert renamed(same, three) is same
    with pytest.raises(DataError, match="the data are multilabel"):
        renamed(both, replace(three, classes=("a", "b")))


def test_several_labels_at_once_in_another_order() -> None:
    both = samples(Task("multilabel", ("a", "b")), (1, 1), (1, 0))
    assert targets(renamed(both, Task("multilabel", ("b", "a")))) == [(1, 1), (0, 1)]


def test_a_label_that_the_data_do_not_have() -> None:
    with pytest.raises(DataError, match="c"):
        renamed(samples(Task("multilabel", ("a", "b")), (1, 0)), Task("multilabel", ("a", "b", "c")))


def test_masks_are_brought_into_the_bundles_order_and_may_lack_a_class() -> None:
    task = Task("multilabel", ("pit", "dent", "crack"), pixels="multiclass")
    mine = Task("multilabel", ("crack", "pit"), pixels="multilabel")
    rows = (Sample("a", "a", (1.0, 0.0), "a", "a", masks=Masks(4, 4, ("1 2", ""))),)
    found = renamed(Samples("s", mine, rows), task)
    assert found.task == task and targets(found) == [(0.0, 0.0, 1.0)]
    assert found.rows[0].masks == Masks(4, 4, ("", "", "1 2"))
    with pytest.raises(DataError, match="the data have masks of crack, pit; the bundle makes masks of pit"):
        renamed(Samples("s", mine, rows), Task("multilabel", ("pit",), pixels="multilabel"))
    with pytest.raises(DataError, match="the data have no masks; the bundle makes masks of pit"):
        renamed(samples(Task("multilabel", ("pit",)), (1,)), Task("multilabel", ("pit",), pixels="multilabel"))
    with pytest.raises(DataError, match="the bundle makes no masks"):
        renamed(Samples("s", mine, rows), Task("multilabel", ("crack", "pit")))
