"""The command line: what a user sees. Bad input ends with exit code 2 and a remedy, never with a traceback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import flawscope
from flawscope.records import Pair, Samples, Twins

Draw = Callable[..., Path]
Write = Callable[[Path, str], Path]
Cli = Callable[..., Any]
FOLDERS = "{kind: folders, root: data}"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def data(tmp_path: Path, draw: Draw) -> Path:
    """Twelve pictures of each of two classes."""
    for seed in range(24):
        draw(tmp_path / "data" / ("nok" if seed % 2 else "ok") / f"{seed}.png", seed, [1] if seed % 2 else ())
    return tmp_path / "data"


def refused(answer: Any, *words: str) -> None:
    """Exit code 2; the message says all of these words, and what to do."""
    assert answer.code == 2, answer
    assert answer.err.startswith("error: ")
    assert "\n  -> " in answer.err or "problem" in answer.err, f"no remedy: {answer.err}"
    for word in words:
        assert word in answer.err


# --- help -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", flawscope.STEPS)
def test_help_of_each_command(cli: Cli, command: str) -> None:
    words = command.split("_")  # challenge_new is `flawscope challenge new`
    answer = cli(*words, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert f"flawscope {' '.join(words)} [OPTIONS]" in answer.out


def test_help_version_and_mistyped_commands(cli: Cli) -> None:
    overview = cli("--help").out
    assert all(f" {command.partition('_')[0]} " in overview for command in flawscope.STEPS)
    assert cli("--version").out == f"flawscope {flawscope.__version__}\n"
    mistyped = cli("inspekt")
    assert mistyped.code == 2
    assert "inspekt" in mistyped.err
    assert cli("run").code == 2
    assert cli("inspect", "a", "b", "--threads", "0").code == 2


# --- commands that work -----------------------------------------------------------------------------------------


def test_inspect_show_evaluate_and_report_with_blanks_and_umlauts(cli: Cli, finished: Any, tmp_path: Path) -> None:
    answer = cli("inspect", finished.bundle, finished.data, "-o", "Ergeb nisse ü/re sult.csv")
    assert answer.code == 0, answer
    assert "40 images in " in answer.out
    lines = (tmp_path / "Ergeb nisse ü" / "re sult.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 41
    assert lines[1].startswith("nok/Bild ü 1.png,")
    assert "Decides whether an image is nok or ok." in cli("show", finished.bundle).out
    answer = cli("evaluate", finished.bundle, finished.data, "-o", "aus gabe")
    assert answer.code == 0, answer
    assert "escape rate" in answer.out
    assert (tmp_path / "aus gabe" / "metrics.json").is_file()
    answer = cli("report", finished.folder)
    assert (answer.code, answer.err) == (0, "")
    assert "index.html" in answer.out


def test_new_split_and_synth(cli: Cli, data: Path, tmp_path: Path) -> None:
    answer = cli("new", "data", "-o", "mein rezept.yaml")
    assert answer.code == 0, answer
    assert "next: flawscope run 'mein rezept.yaml'" in answer.out
    refused(cli("new", "data", "-o", "mein rezept.yaml"), "exists already", "--overwrite")
    answer = cli(
        "split", "mein rezept.yaml", "-o", "s.json", "--set", "split.test=0.5", "--set", "split.validation=0.1"
    )
    assert answer.code == 0, answer
    assert "test 12; 24 groups; leak checked: leak court" in answer.out
    assert "no chain of pairs had to be cut" in answer.out
    refused(cli("split", "mein rezept.yaml", "-o", "s.json"), "s.json exists already", "--overwrite")
    answer = cli("split", "mein rezept.yaml", "--folds", "2", "-o", "folds", "--set", "split.twins=identical")
    assert answer.out.count("LEAK NOT CHECKED") == 2
    assert names(tmp_path / "folds") == ["fold-0.json", "fold-1.json"]
    assert cli("synth", "coil", "coils", "--n", "2").code == 0
    assert len([*(tmp_path / "coils").rglob("*.bmp")]) == 2
    refused(cli("synth", "coil", "coils", "--n", "2"), "exists already", "--overwrite")
    refused(cli("synth", "coli", "other"), "did you mean 'coil'")
    assert cli("synth", "coil", "hard", "--n", "2", "--difficulty", "hard").code == 0
    refused(cli("synth", "coil", "other", "--difficulty", "harder"), "no difficulty 'harder'", "did you mean 'hard'")
    refused(cli("synth", "coil", "other", "--n", "1"), "at least 2 images")
    refused(cli("synth", "coil", "other", "--size", "800x520"), "--size is for steel")
    assert cli("synth", "steel", "strips", "--n", "2", "--size", "256x64", "--format", "jpg").code == 0
    assert names(tmp_path / "strips") == ["images", "train.csv", "truth.csv"]
    refused(cli("synth", "steel", "strips", "--n", "2"), "exists already", "--overwrite")
    refused(cli("synth", "steel", "other", "--size", "256"), "'256' is no size", "1600x256")
    refused(cli("synth", "steel", "other", "--size", "64x256"), "cannot draw strips of 64 x 256 pixels")


def test_audit(cli: Cli, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(samples: Samples, *, cache: Path | None = None) -> Twins:
        pairs = (Pair("nok/1.png", "ok/2.png", "sister", 0.95), Pair("ok/2.png", "ok/4.png", "turned", 0.99, "90°"))
        there = {row.id for row in samples.rows}
        facts = {"threshold": 0.62, "threshold_low": 0.48, "threshold_high": 0.85, "note": "all is by hand"}
        facts |= {"looked_at_closely": 12, "closely_needed": 0.9345}
        facts |= {"closely_needed_low": 0.9, "closely_needed_high": 0.95}
        return Twins(tuple(pair for pair in pairs if pair.a in there), len(samples), "by hand", facts)

    monkeypatch.setattr("flawscope.data.court.verdict.find_twins", find)
    (data / "ok" / "[0].png").touch()  # brackets are markup to rich
    answer = cli("audit", "data", "--court")
    assert answer.code == 0, answer
    for words in (
        "data: 24 images",
        "too few",
        "2 pairs of the same thing, 3 images concerned",
        "Same thing: correlation reaches 0.48 to 0.85",
        "Doubtful: 12 pairs, compared again; their fine detail must reach 0.90 to 0.95,",
        "Note: all is by hand.",
        "random split",
        "All images are 40 x 40",
        "cannot be used: ok/[0].png: the file is empty",
        "23 groups, the largest of 2 images",
        "Grey values (8 bits): 98 % of all pixels lie between ",
        "review: 1 pair alike but labelled differently",
        "next: flawscope new data",
        "page  audits/data/index.html",
    ):
        assert words in answer.out, answer.out
    assert names(tmp_path / "audits" / "data") == ["audit.json", "index.html", "pairs.csv"]
    refused(cli("audit", "data"), "exists already", "--overwrite")
    assert cli("audit", "data", "--overwrite").code == 0
    refused(cli("audit", "data", "-o", "x", "--set", "split.seed=1"), "nothing to set", "flawscope new data")
    assert "train.epochs" not in cli("audit", "--help").out
    refused(cli("audit", "nowhere"), "does not exist")
    assert not [line for line in answer.out.splitlines() if len(line) > 80 and line.startswith(("│", "┃", "┏"))]
    answer = cli("audit", "data/ok", "-o", "ok")
    assert answer.out.count("audited without labels") == 1
    assert "one folder a class" in answer.out


def test_audit_stopped_by_ctrl_c_promises_nothing(
    cli: Cli, data: Path, write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flawscope.data.court.verdict.find_twins", stop)
    answer = cli("audit", "data")
    assert (answer.code, answer.err) == (130, "stopped; no result is half-written\n")
    assert names(tmp_path) == ["data"]
    write_recipe(tmp_path / "r.yaml", FOLDERS)
    for command in ("run", "train"):
        answer = cli(command, "r.yaml", "--set", "split.twins=find")
        assert f"an unfinished `{command}` goes on with --resume" in answer.err


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


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_ctrl_c_while_inspecting_leaves_nothing(make_bundle: Callable[..., Path], draw: Draw, tmp_path: Path) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    pictures.mkdir()
    Image.effect_noise((1500, 1500), 50).save(tmp_path / "large.png")
    for i in range(2000):  # minutes of work
        (pictures / f"{i}.png").hardlink_to(tmp_path / "large.png")
    # A shell may have started the tests with Ctrl-C switched off; a terminal never does.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code += "\nfrom flawscope.cli.app import main; main()"
    words = ["inspect", str(make_bundle()), str(pictures), "-o", str(out / "results.csv")]
    with subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True) as process:
        try:
            end = time.monotonic() + 60
            while not (out.is_dir() and names(out)) and process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            assert names(out)[0].endswith(".part")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "stopped" in said
    assert names(out) == []


def test_tune_searches_and_says_what_comes_next(
    cli: Cli, data: Path, tmp_path: Path, write_recipe: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import import_module

    from flawscope.training.loop import Fit, Live

    def training(run: Any, *, parts: Any, show: Any) -> Fit:
        rate = run.recipe.train.rate
        show(Live(1, 1, 1, 1, 0.5, row={"epoch": 1, "val_loss": rate}))
        return Fit(best_epoch=1, best_value=rate)

    monkeypatch.setattr(import_module("flawscope.steps.tune"), "train_in", training)
    recipe = write_recipe(tmp_path / "r.yaml", FOLDERS)
    refused(cli("tune", recipe), "no `tune` section")
    space = "tune={space: {train.rate: {low: 0.001, high: 0.1, log: true}}}"
    refused(cli("tune", recipe, "--set", "tune={space: {train.raet: {low: 1, high: 2}}}"), "did you mean 'rate'?")
    secret = ("--storage", "postgresql+nosuch://me:secret@host/x")
    hidden = cli("tune", recipe, "--set", space, *secret)
    refused(hidden, "postgresql+nosuch://me:***@host/x cannot be used")
    assert "secret" not in hidden.err + hidden.out
    assert names(tmp_path) == ["data", "r.yaml", "tunings"]
    answer = cli("tune", recipe, "--set", space, "--trials", 3)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.count("\ntrial ") == 3
    assert "best: trial " in answer.out
    assert "(chosen, so too good)" in answer.out
    assert "next, measured on the test split: flawscope run tunings/tiny/best.yaml" in answer.out
    refused(cli("tune", recipe, "--set", space), "exists already", "--resume")
    assert cli("tune", recipe, "--set", space, "--trials", 4, "--resume").out.count("\ntrial ") == 1


def test_a_bundle_is_decided_again_and_says_what_it_promises(
    cli: Cli, finished: Any, draw: Draw, tmp_path: Path
) -> None:
    for seed in range(500, 524):  # pictures that the bundle does not know
        draw(tmp_path / "data" / ("nok" if seed % 2 else "ok") / f"{seed}.png", seed, [1] if seed % 2 else ())
    words = ("decide", finished.bundle, "data", "--max-escape", "0.3", "-o", "new.flawscope")
    answer = cli(*words)
    assert answer.code == 0
    assert "Escape contract, nok: Of 100 nok images at most 30 pass, 95 % confidence; measured on 12 nok" in answer.out
    parent = cli("show", finished.bundle).out.partition("Seal: ")[2].partition(".")[0]
    assert f"parent {parent}" in answer.out
    refused(cli(*words), "new.flawscope exists already", "--overwrite")
    assert cli(*words, "--overwrite").code == 0
    refused(cli("decide", finished.bundle, "data"), "--max-escape")
    assert "Escape contract, nok" in cli("show", "new.flawscope").out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--max-escape", "0.02", "--cost-escape", "10"], "are two rules for one threshold"),
        (["--cost-escape", "100"], "--cost-overkill is missing"),
        (["--max-escape", "nan"], "--max-escape nan"),
        (["--max-escape", "0.1", "--confidence", "95"], "--confidence 95"),
        (["--cost-escape", "inf", "--cost-overkill", "1"], "--cost-escape inf"),
    ],
)
def test_another_decision_that_cannot_be_is_refused_before_anything_is_read(
    options: list[str], words: str, cli: Cli
) -> None:
    refused(cli("decide", "no.flawscope", "no-data", *options), words, "\n  -> ")
