"""Recipes, data, bundles and places that cannot be used: exit code 2 and a remedy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cli_answers import refused

Write = Callable[[Path, str], Path]
Cli = Callable[..., Any]
FOLDERS = "{kind: folders, root: data}"

# --- recipes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "train", "split"])
def test_recipes_that_cannot_be_used(cli: Cli, command: str, data: Path, write_recipe: Write, tmp_path: Path) -> None:
    write_recipe(tmp_path / "r.yaml", FOLDERS)
    refused(cli(command, "none.yaml"), "there is no recipe none.yaml", "flawscope new")
    refused(cli(command, "r.yaml", "--set", "train.epohcs=1"), "train.epohcs: unknown key, did you mean 'epochs'?")
    refused(cli(command, "r.yaml", "--set", "train.epochs"), "expected key=value")
    (tmp_path / "bad.yaml").write_text("name: [")
    refused(cli(command, "bad.yaml"), "not valid YAML")
    shutil.rmtree(data)
    refused(cli(command, "r.yaml"), "data: the folder does not exist", "FOLDER/ok/part1.png")
    data.mkdir()
    refused(cli(command, "r.yaml"), "no images in class folders")
    (data / "ok").mkdir()
    Image.new("L", (20, 20)).save(data / "ok" / "a.png")
    refused(cli(command, "r.yaml"), "one class folder only: 'ok'")
    assert not [path for path in tmp_path.iterdir() if path.name in ("runs", "split.json") and any(path.glob("tiny"))]


@pytest.fixture
def damaged(data: Path) -> Path:
    (data / "ok" / "0.png").write_bytes(b"")
    whole = (data / "nok" / "1.png").read_bytes()
    (data / "nok" / "1.png").write_bytes(whole[: len(whole) // 2])
    return data


def test_damaged_images_are_all_listed(cli: Cli, damaged: Path, write_recipe: Write, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "r.yaml", FOLDERS)
    answer = cli("split", recipe)
    refused(answer, "2 bad rows or unreadable images", "ok/0.png: the file is empty", "nok/1.png: cannot be", "skip")
    assert not (tmp_path / "split.json").exists()


def test_damaged_images_are_left_out_where_that_is_asked_for(
    cli: Cli, damaged: Path, write_recipe: Write, tmp_path: Path
) -> None:
    answer = cli("split", write_recipe(tmp_path / "r.yaml", FOLDERS), "--set", "data.on_bad=skip")
    assert answer.code == 0, answer
    assert "22 groups" in answer.out


@pytest.mark.usefixtures("damaged")
def test_skipped_images_are_counted(cli: Cli, write_recipe: Write, tmp_path: Path) -> None:
    answer = cli("split", write_recipe(tmp_path / "r.yaml", FOLDERS), "--set", "data.on_bad=skip")
    assert "skipped" in answer.out + answer.err


def test_a_table_with_missing_and_unknown_labels(cli: Cli, data: Path, write_recipe: Write, tmp_path: Path) -> None:
    rows = [f"{path.relative_to(data)},{path.parent.name}" for path in sorted(data.rglob("*.png"))]
    (data / "l.csv").write_text("\n".join(["image,label", *rows[:-2], rows[-2].replace(",ok", ",NaN"), "none.png,ok"]))
    spec = "{kind: csv, table: data/l.csv, label_columns: [label], classes: [ok, nok], positive: nok}"
    recipe = write_recipe(tmp_path / "r.yaml", spec)
    refused(
        cli("split", recipe), "2 bad rows", "row 24: label is 'NaN', expected one of ok, nok", "no image 'none.png'"
    )
    only = ["data.classes=[ok, scratched]", "data.positive=scratched"]
    refused(cli("split", recipe, "--set", only[0], "--set", only[1]), "label is 'nok', expected one of ok, scratched")
    refused(cli("split", recipe, "--set", "data.label_columns=[lable]"), "no column 'lable'", "did you mean 'label'?")


# --- bundles and places -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["inspect"], ["evaluate"], ["show"]])
def test_what_is_no_bundle(cli: Cli, data: Path, tmp_path: Path, command: list[str]) -> None:
    rest = [] if command == ["show"] else [data]
    (tmp_path / "text.flawscope").write_text("not a bundle")
    (tmp_path / "empty.flawscope").touch()
    for name, words in (("text", "is not a bundle"), ("empty", "is empty"), ("none", "does not exist")):
        refused(cli(*command, f"{name}.flawscope", *rest), words)
    refused(cli(*command, data, *rest), "is a folder, not a bundle")
    assert not (tmp_path / "results.csv").exists()


def test_a_flipped_byte_anywhere_is_refused(cli: Cli, finished: Any, data: Path, tmp_path: Path) -> None:
    content = finished.bundle.read_bytes()
    for at in [0, 30, *range(1000, len(content), len(content) // 12), len(content) - 100, len(content) - 1]:
        spoilt = bytearray(content)
        spoilt[at] ^= 1
        (tmp_path / "spoilt.flawscope").write_bytes(spoilt)
        refused(cli("inspect", "spoilt.flawscope", data), "spoilt.flawscope")
    refused(cli("show", "spoilt.flawscope"), "is refused")
    assert not (tmp_path / "results.csv").exists()


def test_folders_that_cannot_be_inspected_or_measured(cli: Cli, finished: Any, data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for command in ("inspect", "evaluate"):
        refused(cli(command, finished.bundle, "none"), "does not exist")
        refused(cli(command, finished.bundle, "empty"), "no ")
    (data / "nok").rename(data / "scratched")
    refused(cli("evaluate", finished.bundle, data), "knows nok, ok")
    refused(cli("inspect", finished.folder / "draft.flawscope", data), "draft", "flawscope decide")


def test_an_unreadable_picture_is_a_row_and_the_run_goes_on(
    cli: Cli, finished: Any, damaged: Path, tmp_path: Path
) -> None:
    answer = cli("inspect", finished.bundle, damaged)
    assert answer.code == 0
    assert "2  could not be decided" in answer.out
    assert (tmp_path / "results.csv").read_text(encoding="utf-8").count("the file is empty") == 1


@pytest.mark.parametrize("command", ["export", "decide", "evaluate", "report"])
def test_folders_that_are_no_run(cli: Cli, command: str, data: Path) -> None:
    refused(cli(command, data), "is not a run folder")


def test_places_that_cannot_be_written_to(
    cli: Cli, finished: Any, data: Path, write_recipe: Write, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path / "r.yaml", FOLDERS)
    (tmp_path / "file").write_text("mine")
    refused(cli("inspect", finished.bundle, data, "-o", "file/x.csv"), "cannot write file/x.csv")
    refused(cli("inspect", finished.bundle, data, "-o", "data"), "name a .csv file")
    refused(cli("evaluate", finished.bundle, data, "-o", "file"), "cannot write")
    refused(cli("split", recipe, "-o", "file/s.json"), "cannot write")
    refused(cli("run", recipe, "-o", "file/run"), "cannot write")
    refused(cli("train", recipe, "-o", "file/run"), "cannot write")
    refused(cli("synth", "coil", "file/coils"), "cannot write")
    refused(cli("new", "data", "-o", "file/r.yaml"), "cannot write")
    refused(cli("audit", "data", "-o", "file/a"), "cannot write file/a: ")
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "locked").mkdir(mode=0o500)
    if not os.access(tmp_path / "locked", os.W_OK):
        refused(cli("inspect", finished.bundle, data, "-o", "locked/x.csv"), "that you may write to")
        refused(cli("audit", "data", "-o", "locked/a"), "cannot write locked/a: ", "that you may write to")
