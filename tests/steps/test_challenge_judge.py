"""From a submission to the boards and tables, through the real sandbox, in the library and on the command line."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import flawscope
from flawscope.challenge.answers import unpacked
from flawscope.challenge.worker import answers_path
from flawscope.errors import BundleError, DataError, SandboxError, UserError
from flawscope.steps.challenge_judge import AS_ROOT, hear_ctrl_c

Make = Callable[..., Path]
AFTER = datetime(2099, 1, 2, tzinfo=UTC)


@pytest.mark.usefixtures("sandbox")
def test_submissions_are_judged_ranked_and_exported(contest: Path, make_bundle: Make, tmp_path: Path) -> None:
    thresholds = {"sharp": 0.5, "blunt": 0.97, "=cmd()": 0.03}
    for team, threshold in thresholds.items():
        bundle = make_bundle(thresholds=(threshold,), name=f"{threshold}.flawscope")
        made = flawscope.challenge_submit(contest, bundle, f"  {team} ")
        assert (made.submitted.team, made.submitted.state, made.late) == (team, "waiting", False)
    other = make_bundle(flawscope.records.Task("binary", ("crack",), "ok"), name="other.flawscope")
    flawscope.challenge_submit(contest, other, "lost")
    said: list[str] = []
    assert flawscope.challenge_judge(contest, say=said.append) == {"judged": 3, "refused": 1}
    said = [words for words in said if words.startswith("submission")]
    assert said[3].startswith("submission 4: refused, the bundle decides about crack (binary); the challenge asks for")
    assert flawscope.challenge_judge(contest) == {}
    board = flawscope.challenge_board(contest)
    assert board.states == {"judged": 3, "refused": 1}
    assert board.lines[0].team == "sharp"
    assert board.lines[0].passed and not board.lines[2].passed
    assert all(line.low < line.high for line in board.lines)
    with pytest.raises(UserError, match="before it nothing is told of the private part"):
        flawscope.challenge_board(contest, final=True)
    final = flawscope.challenge_board(contest, final=True, at=AFTER)
    assert {line.team for line in final.lines} == set(thresholds)
    assert all(line.shift is not None for line in final.lines)

    folder = flawscope.challenge_export(contest, tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir()) == ["board.csv", "results.json", "submissions.csv"]
    flawscope.challenge_export(contest, folder, overwrite=True, at=AFTER)
    with (folder / "submissions.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["team"] for row in rows] == ["sharp", "blunt", "'=cmd()", "lost"]
    assert [row["state"] for row in rows] == ["judged", "judged", "judged", "refused"]
    assert float(rows[0]["private_metric"]) > float(rows[1]["private_metric"]) and rows[3]["public_metric"] == ""
    with (folder / "final.csv").open(encoding="utf-8", newline="") as stream:
        assert {"rank", "team", "value", "shift_value"} <= set(next(csv.DictReader(stream)))
    document = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    measures = document["submissions"][0]["measures"]["public"]["classes"]["defective"]
    assert {"accuracy", "recall", "precision", "specificity", "F1"} <= set(measures)
    assert "seed" not in json.dumps(document["challenge"])

    answers = answers_path(contest, 1, "public")
    answers.write_bytes(answers.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="not what was stored"):
        flawscope.challenge_board(contest)


def test_what_is_not_taken(contest: Path, make_bundle: Make, tmp_path: Path, fill_challenge: Make) -> None:
    bundle = make_bundle(thresholds=(0.99,))
    with pytest.raises(UserError, match="is no challenge"):
        flawscope.challenge_submit(tmp_path, bundle, "a")
    for name in ("", "   ", "x" * 101, "a\x1bb"):
        with pytest.raises(UserError, match="is no name of a team"):
            flawscope.challenge_submit(contest, bundle, name)
    with pytest.raises(BundleError, match="no zip"):
        (tmp_path / "x.flawscope").write_text("nothing of the kind")
        flawscope.challenge_submit(contest, tmp_path / "x.flawscope", "a")
    early = fill_challenge(tmp_path / "early", opens="2098-01-01T00:00Z")
    with pytest.raises(UserError, match="opens on 1 January 2098, 00:00 UTC"):
        flawscope.challenge_submit(early, bundle, "a")
    assert not (contest / "submissions").exists() and not (early / "submissions").exists()
    for day in range(2):
        for number in range(5):
            other = make_bundle(thresholds=(0.1 * (1 + number + 0.1 * day),), name=f"{number}.flawscope")
            flawscope.challenge_submit(contest, other, "a", at=datetime(2027, 1, 1 + day, tzinfo=UTC))
        with pytest.raises(UserError, match="has made its 5 submissions"):
            flawscope.challenge_submit(contest, bundle, "a", at=datetime(2027, 1, 1 + day, 23, tzinfo=UTC))


def test_without_a_sandbox_nothing_is_judged(contest: Path, make_bundle: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    flawscope.challenge_submit(contest, make_bundle(), "a")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SandboxError, match="bwrap is not installed"):
        flawscope.challenge_judge(contest)
    assert flawscope.challenge_board(contest).states == {"waiting": 1}


@pytest.mark.usefixtures("sandbox")
def test_labels_that_have_changed_stop_the_judge(contest: Path, make_bundle: Make) -> None:
    flawscope.challenge_submit(contest, make_bundle(), "a")
    labels = contest / "hidden" / "private" / "labels.csv"
    text = labels.read_text(encoding="utf-8")
    labels.write_text(text[:-2] + ("0" if text[-2] == "1" else "1") + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="is not what the challenge was made with"):
        flawscope.challenge_judge(contest)
    labels.write_text(text, encoding="utf-8")
    assert flawscope.challenge_judge(contest) == {"judged": 1}


def test_a_late_submission_is_taken_and_said_to_be_late(contest: Path, make_bundle: Make) -> None:
    made = flawscope.challenge_submit(contest, make_bundle(), "a", at=AFTER)
    assert made.late
    assert flawscope.challenge_board(contest, final=True, at=AFTER + timedelta(days=1)).lines == ()
    again = flawscope.challenge_submit(contest, make_bundle(thresholds=(0.3,)), "a", at=AFTER, ticket="t")
    assert flawscope.challenge_submit(contest, make_bundle(thresholds=(0.3,)), "a", at=AFTER, ticket="t") == again
    assert len(list((contest / "submissions").iterdir())) == 2


def test_the_store_may_be_elsewhere(contest: Path, make_bundle: Make, tmp_path: Path) -> None:
    url: Any = f"sqlite:///{tmp_path / 'else.sqlite'}"
    flawscope.challenge_submit(contest, make_bundle(), "a", store=url)
    assert not (contest / "store.sqlite").exists()
    assert flawscope.challenge_board(contest, store=url).states == {"waiting": 1}


def test_what_is_refused_is_not_kept(contest: Path, make_bundle: Callable[..., Path]) -> None:
    for number in range(6):
        bundle = make_bundle(thresholds=(0.3 + number / 20,), name=f"{number}.flawscope")
        if number < 5:
            flawscope.challenge_submit(contest, bundle, "greedy")
        else:
            with pytest.raises(UserError, match="5 submissions of"):
                flawscope.challenge_submit(contest, bundle, "greedy")
    assert len(list((contest / "submissions").iterdir())) == 5


@pytest.mark.usefixtures("sandbox")
def test_an_organiser_changes_what_counts(contest: Path, make_bundle: Make) -> None:
    for team, thresholds in (("a", (0.5, 0.97)), ("b", (0.6,))):
        for threshold in thresholds:
            flawscope.challenge_submit(
                contest, make_bundle(thresholds=(threshold,), name=f"{threshold}.flawscope"), team
            )
    flawscope.challenge_judge(contest)
    with pytest.raises(UserError, match="no team is named"):
        flawscope.challenge_change(contest, disqualified="why")
    with pytest.raises(UserError, match="with a reason, or reinstated"):
        flawscope.challenge_change(contest, team="a", disqualified=" ")

    _, teams = flawscope.challenge_change(contest, team="b", disqualified="learnt from the test")
    assert [team.disqualified for team in teams] == ["", "learnt from the test"]
    for final in (False, True):
        board = flawscope.challenge_board(contest, final=final, at=AFTER)
        assert [line.team for line in board.lines] == ["a"] and board.out == {"b": "learnt from the test"}
        assert "Disqualified: b: learnt from the test" in board.notes
    flawscope.challenge_change(contest, team="b", reinstated=True)

    best = {line.team: line.number for line in flawscope.challenge_board(contest, final=True, at=AFTER).lines}
    assert best == {"a": 1, "b": 3}
    flawscope.challenge_change(contest, team="a", chosen=2)
    chosen = {line.team: line.number for line in flawscope.challenge_board(contest, final=True, at=AFTER).lines}
    assert chosen == {"a": 2, "b": 3}
    assert {line.number for line in flawscope.challenge_board(contest).lines} == {1, 3}, "the ladder shows the best"
    flawscope.challenge_change(contest, team="a", chosen=0)

    later, _ = flawscope.challenge_change(contest, deadline="2099-06-01")
    assert later.deadline == datetime(2099, 6, 1, 23, 59, 59, tzinfo=UTC)
    with pytest.raises(UserError, match="the deadline is 1 June 2099"):
        flawscope.challenge_board(contest, final=True, at=AFTER)


@pytest.mark.usefixtures("sandbox")
def test_a_board_reads_no_image(contest: Path, make_bundle: Make) -> None:
    flawscope.challenge_submit(contest, make_bundle(), "a")
    flawscope.challenge_judge(contest)
    for image in contest.glob("hidden/*/images/*.png"):
        image.unlink()
    assert [line.team for line in flawscope.challenge_board(contest).lines] == ["a"]
    with pytest.raises(DataError, match="cannot be read"):  # while a worker that starts misses them
        flawscope.challenge_judge(contest)
    labels = contest / "hidden" / "public" / "labels.csv"
    labels.write_text(labels.read_text(encoding="utf-8").replace(";1\n", ";0\n", 1), encoding="utf-8")
    with pytest.raises(DataError, match="a label has changed"):
        flawscope.challenge_board(contest)


@pytest.mark.usefixtures("sandbox")
def test_a_refusal_is_judged_again(contest: Path, make_bundle: Make, tmp_path: Path) -> None:
    kept = make_bundle(flawscope.records.Task("binary", ("crack",), "ok"), name="other.flawscope")
    flawscope.challenge_submit(contest, kept, "a")
    assert flawscope.challenge_judge(contest) == {"refused": 1}
    for again, words in ((["x"], "--again x: expected the number"), ([2], "no submission 2")):
        with pytest.raises(UserError, match=words):
            flawscope.challenge_judge(contest, again=again)
    said: list[str] = []
    assert flawscope.challenge_judge(contest, again=["stuck", "1"], say=said.append) == {"refused": 1}
    assert [words for words in said if words != AS_ROOT][:2] == [
        "waiting again: 1 submission",
        "given up before, waiting again: 0",
    ]
    folder = flawscope.challenge_export(contest, tmp_path / "out")
    with (folder / "submissions.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["reason"].count("decides about crack") == 2 and "(judged again; before: the bundle" in row["reason"]


@pytest.mark.usefixtures("sandbox")
def test_a_judge_that_is_root_is_told(contest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for user, told in ((0, [AS_ROOT]), (1000, [])):
        said: list[str] = []
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        flawscope.challenge_judge(contest, say=said.append)
        assert said == told


@pytest.mark.usefixtures("sandbox")
def test_measures_of_each_class(contest: Path, make_bundle: Make) -> None:
    for team, threshold in (("a", 0.5), ("b", 1.0)):  # b never calls anything
        flawscope.challenge_submit(contest, make_bundle(thresholds=(threshold,), name=f"{team}.flawscope"), team)
    flawscope.challenge_judge(contest)
    assert flawscope.challenge_board(contest).classes == ()
    for final in (False, True):
        part = "private" if final else "public"
        board = flawscope.challenge_board(contest, final=final, classes=True, at=AFTER)
        assert {(line.team, line.number, line.name) for line in board.classes} == {
            ("a", 1, "defective"), ("b", 2, "defective"),
        }  # fmt: skip
        for line in board.classes:
            assert list(line.measures) == ["accuracy", "recall", "precision", "specificity", "F1"]
            _, decided_nk = unpacked(answers_path(contest, line.number, part).read_bytes(), 24, 1)
            with (contest / "hidden" / part / "labels.csv").open(encoding="utf-8", newline="") as stream:
                truth_n = [row["defective"] == "1" for row in csv.DictReader(stream, delimiter=";")]
            recall, precision = line.measures["recall"], line.measures["precision"]
            assert recall and recall["value"] == pytest.approx(decided_nk[truth_n, 0].mean())
            assert (precision is None) == (line.team == "b")


def test_a_judge_that_a_shell_began_in_the_background_hears_ctrl_c() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        hear_ctrl_c()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
