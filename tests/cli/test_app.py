"""The command line: what a user sees. Bad input ends with exit code 2 and a remedy, never with a traceback."""

from __future__ import annotations

import os
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
from cli_answers import names, refused

Draw = Callable[..., Path]
Cli = Callable[..., Any]

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
