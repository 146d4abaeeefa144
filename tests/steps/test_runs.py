"""The index of runs: states, numbers, order, and damaged folders as rows."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import flawscope
from flawscope.errors import UserError
from flawscope.steps.runs import RunRow

Finish = Callable[..., Path]


@pytest.fixture(scope="module")
def top(finish_run: Finish, parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished run, and one of two folds."""
    top = tmp_path_factory.mktemp("index") / "runs"
    finish_run(top / "one", parts)
    finish_run(top / "several" / "folded", parts, folds=2)
    return top


def by_name(top: Path) -> dict[str, RunRow]:
    return {row.name: row for row in flawscope.runs(top)}


def test_finished_runs_with_their_numbers(top: Path) -> None:
    rows = by_name(top)
    assert set(rows) == {"one", "several/folded"}
    metrics = json.loads((top / "one" / "metrics.json").read_text(encoding="utf-8"))
    row = rows["one"]
    assert (row.state, row.test_images, row.seal) == ("finished", metrics["n"], metrics["bundle"]["seal"][:12])
    assert row.interval is not None
    assert {"name": row.measure, "interval": row.interval.as_dict()} == metrics["headline"][0]
    assert (row.data, row.network, row.stamp) == ("parts, 96 images", "timm:test_resnet", "LEAK NOT CHECKED")
    assert (rows["several/folded"].state, rows["several/folded"].seal) == ("finished, 2 folds", "2 seals")
    assert rows["several/folded"].test_images == 96
    assert [each.name for each in flawscope.runs(top / "one")] == ["one"]


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (["metrics.json"], "sealed, not tested yet"),
        (["metrics.json", "one.flawscope"], "trained, not exported yet"),
        (["metrics.json", "one.flawscope", "training/done.json"], "stopped after epoch 5 of 5, or still training"),
        (["metrics.json", "one.flawscope", "training/done.json", "training/history.csv"], "only split"),
        (["metrics.json", "one.flawscope", "training/done.json", "training/history.csv", "split.json"], "only begun"),
    ],
)
def test_how_far_a_run_has_come(top: Path, tmp_path: Path, gone: list[str], words: str) -> None:
    run = shutil.copytree(top / "one", tmp_path / "runs" / "one.partial")
    for name in gone:
        (run / name).unlink()
    row = by_name(tmp_path / "runs")["one.partial"]
    assert (row.state, row.problem, row.interval, row.seal) == (
        f"{words}; unfinished: go on with --resume",
        "",
        None,
        "",
    )


def test_folds_that_lack(top: Path, tmp_path: Path) -> None:
    run = shutil.copytree(top / "several" / "folded", tmp_path / "runs" / "f")
    (run / "metrics.json").unlink()
    assert by_name(tmp_path / "runs")["f"].state == "all folds finished, not pooled yet"
    shutil.rmtree(run / "fold-1")
    assert by_name(tmp_path / "runs")["f"].state == "1 of 2 folds finished"


@pytest.mark.parametrize("file", ["recipe.yaml", "split.json", "data.json", "metrics.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b"\xff\xfe\x00", b'{"n": ', b"3"])
def test_a_damaged_folder_is_a_row_with_the_reason(top: Path, tmp_path: Path, file: str, content: bytes) -> None:
    run = shutil.copytree(top / "one", tmp_path / "runs" / "bad")
    shutil.copytree(top / "one", tmp_path / "runs" / "good")
    (run / file).write_bytes(content)
    rows = by_name(tmp_path / "runs")
    assert rows["good"].state == "finished"
    assert rows["bad"].state == "damaged"
    assert rows["bad"].problem
    assert str(tmp_path) not in rows["bad"].problem


def test_a_lost_recipe_is_said(top: Path, tmp_path: Path) -> None:
    run = shutil.copytree(top / "one", tmp_path / "runs" / "bad")
    (run / "recipe.yaml").unlink()
    row = by_name(tmp_path / "runs")["bad"]
    assert row.state == "damaged"
    assert "recipe.yaml cannot be read" in row.problem


def test_newest_first_and_the_same_as_a_table(top: Path, tmp_path: Path) -> None:
    for name, date in (("a", "2024-05-01T00:00:00+00:00"), ("b", "2025-05-01T00:00:00+00:00")):
        run = shutil.copytree(top / "one", tmp_path / "runs" / name)
        metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        metrics["provenance"]["date"] = date
        (run / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    stopped = shutil.copytree(top / "one", tmp_path / "runs" / "c")
    (stopped / "metrics.json").unlink()
    for file in stopped.rglob("*"):
        os.utime(file, (1.0e9, 1.0e9))  # 2001
    found = flawscope.runs(tmp_path / "runs", tmp_path / "index.csv")
    assert [row.name for row in found] == ["b", "a", "c"]
    with (tmp_path / "index.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == ["b", "a", "c"]
    assert found[0].interval is not None
    assert float(rows[0]["low"]) == found[0].interval.low
    assert (rows[2]["value"], rows[2]["test_images"]) == ("", "")


def test_no_folder_and_no_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a folder"):
        flawscope.runs(tmp_path / "none")
    (tmp_path / "empty" / "data" / "ok").mkdir(parents=True)
    (tmp_path / "empty" / "split.json").write_text("{}")  # of `flawscope split`: no run yet
    assert flawscope.runs(tmp_path / "empty") == ()
