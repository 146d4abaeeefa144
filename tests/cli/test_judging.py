"""`flawscope challenge submit | judge | board | export`, as they are typed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flawscope.errors import UserError

Cli = Callable[..., Any]


@pytest.mark.usefixtures("sandbox")
def test_from_submission_to_export(cli: Cli, contest: Path, make_bundle: Callable[..., Path], tmp_path: Path) -> None:
    for team, threshold in (("[red]sharp", 0.5), ("blunt", 0.97)):
        bundle = make_bundle(thresholds=(threshold,), name=f"{threshold}.flawscope")
        answer = cli("challenge", "submit", "contest", bundle, "--team", team)
        assert answer.code == 0, answer
        assert f"of team {team} is waiting" in answer.out and "flawscope challenge judge contest" in answer.out
    answer = cli("challenge", "judge", "contest")
    assert answer.code == 0, answer
    assert "submission 1: judged\nsubmission 2: judged\n2 judged\nnext: flawscope challenge board contest" in answer.out
    assert "nothing waits" in cli("challenge", "judge", "contest", "--again", "stuck").out
    answer = cli("challenge", "judge", "contest", "--again", "1", "--again", "2")
    assert answer.code == 2 and "submission 1 is judged" in answer.err
    answer = cli("challenge", "board", "contest")
    assert answer.code == 0, answer
    assert "Grey parts: board, accuracy, pass mark 0.6" in answer.out
    assert "[red]sharp" in answer.out and "submissions: 2 judged" in answer.out
    assert "1 to 2 =" in answer.out and "could as well be third" in answer.out
    assert "recall" not in answer.out
    answer = cli("challenge", "board", "contest", "--classes")
    assert answer.code == 0 and "[red]sharp, submission 1\nclass" in answer.out, answer
    assert "specificity" in answer.out and "for the organiser" in answer.out
    answer = cli("challenge", "board", "contest", "--final")
    assert answer.code == 2 and "before it nothing is told" in answer.err and "-> " in answer.err
    assert cli("challenge", "export", "contest", "-o", "out").code == 0
    assert (tmp_path / "out" / "board.csv").is_file()
    again = cli("challenge", "export", "contest", "-o", "out")
    assert again.code == 2 and "--overwrite" in again.err


def test_refusals_have_a_remedy(
    cli: Cli, contest: Path, make_bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = cli("challenge", "submit", "nowhere", make_bundle(), "--team", "a")
    assert answer.code == 2 and "is no challenge" in answer.err
    answer = cli("challenge", "board", "contest", "--store", "mongodb://x/y")
    assert answer.code == 2 and "mongodb" in answer.err
    answer = cli("challenge", "board", "contest")
    assert answer.code == 0 and "no submission is judged yet" in answer.out
    monkeypatch.setattr(shutil, "which", lambda name: None)
    answer = cli("challenge", "judge", "contest")
    assert answer.code == 2 and "nothing is judged" in answer.err


def test_without_its_packages(contest: Path) -> None:
    # In a process of its own: what is imported anew here would stand beside what other tests hold.
    code = "import sys; sys.modules['sqlalchemy'] = None; from flawscope.cli.app import main; main()"
    line = [sys.executable, "-c", code, "challenge", "board", str(contest)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "`flawscope challenge board` needs sqlalchemy" in done.stderr and 'flawscope[challenge]"' in done.stderr


def test_change(cli: Cli, contest: Path, make_bundle: Callable[..., Path]) -> None:
    cli("challenge", "submit", "contest", make_bundle(), "--team", "[red]a")
    answer = cli("challenge", "change", "contest", "--deadline", "2099-06-01", "--goes-on", "--team", "[red]a",
                 "--disqualify", "learnt from the test")  # fmt: skip
    assert answer.code == 0, answer
    assert "deadline: 2099-06-01T23:59:59Z\nafter it: submissions are taken" in answer.out
    assert "team [red]a: disqualified: learnt from the test" in answer.out
    assert "disqualified" not in cli("challenge", "change", "contest", "--team", "[red]a", "--reinstate").out
    answer = cli("challenge", "change", "contest", "--team", "nobody", "--choose", "1")
    assert answer.code == 2 and "no team nobody" in answer.err


def test_submit_here_or_to_a_site(
    cli: Cli, contest: Path, make_bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAWSCOPE_TOKEN", "fsc_of_a_site")
    assert cli("challenge", "submit", "contest", make_bundle(), "--team", "a").code == 0
    monkeypatch.setenv("FLAWSCOPE_STORE", "sqlite:///of-an-organiser.sqlite")
    nowhere = ("--url", "http://127.0.0.1:1")
    for words, expected in {
        ("contest", "x"): "it is not said where the bundle goes",
        ("x",): "expected CHALLENGE BUNDLE, or BUNDLE --url",
        ("contest", "x", *nowhere): "expected one BUNDLE beside --url",
        ("x", *nowhere, "--team", "a"): "are for a challenge here",
        ("contest", "x", "--team", "a", "--wait"): "are for a site",
        ("contest", "x", "--team", "a", "--challenge", "b"): "--challenge is the name of one on a site",
        ("x", *nowhere): "http://127.0.0.1:1 cannot be reached",
        ("x", *nowhere, "--store", "sqlite://"): "are for a challenge here",
    }.items():
        answer = cli("challenge", "submit", *words)
        assert answer.code == 2 and expected in answer.err.replace("\n", " "), (words, answer)


def test_the_site_without_its_packages(contest: Path) -> None:
    code = "import sys; sys.modules['fastapi'] = None; from flawscope.cli.app import main; main()"
    line = [sys.executable, "-c", code, "challenge", "serve", str(contest)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2 and "`flawscope challenge serve` needs fastapi" in done.stderr
    assert 'flawscope[site]"' in done.stderr


def test_what_is_asked_of_a_new_challenge(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(*given: Any, **named: Any) -> None:
        raise UserError(repr(sorted((key, value) for key, value in named.items() if key in wanted)), "go on")

    wanted = ("group_block", "group_block_by", "limits", "overrides")
    monkeypatch.setattr("flawscope.steps.challenge_new.challenge_new", made)
    line = ("challenge", "new", "data", "--deadline", "2099-01-01")
    answer = cli(*line)
    assert "('group_block', None), ('group_block_by', 'order'), ('limits', {}), ('overrides', ())" in answer.err, answer
    blocks = ("--group-block", "60", "--group-block-by", "number", "--set", "split.seed=1", "--set", "split.test=0.5")
    answer = cli(*line, *blocks, "--bundle-mb", "20", "--seconds-per-image", "0.5")
    assert "('group_block', 60), ('group_block_by', 'number')" in answer.err, answer
    assert "{'bundle_mb': 20, 'seconds_per_image': 0.5}" in answer.err
    assert "['split.seed=1', 'split.test=0.5']" in answer.err
    answer = cli(*line, "--input-side", "320", "--memory-mb", "1500")
    assert "{'input_side': 320, 'memory_mb': 1500}" in answer.err
