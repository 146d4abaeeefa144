"""`flawscope audit`, as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli_answers import names, refused
from flawscope.records import Pair, Samples, Twins

Write = Callable[[Path, str], Path]
Cli = Callable[..., Any]
FOLDERS = "{kind: folders, root: data}"


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
