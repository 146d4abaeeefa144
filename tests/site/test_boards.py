"""Boards on the site: what they show, to whom, when they are made anew, and what is not told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flawscope.challenge import board as board_module
from flawscope.challenge.contest import change_contest, choose, disqualify
from flawscope.errors import DataError
from flawscope.site import boards as boards_module
from flawscope.site.boards import Boards, Made
from flawscope.site.refusals import ConflictError

HandIn = Callable[..., int]
DEADLINE = "2027-02-01T00:00Z"


@pytest.fixture
def running(tmp_path: Path, fill_challenge: Any, make_site: Any) -> Any:
    """A site of "grey", which ends half a day after the clock begins."""
    return make_site(fill_challenge(tmp_path / "contest", deadline=DEADLINE))


def boards(running: Any) -> Boards:
    found: Boards = running.site.boards["grey"]
    return found


def test_a_board_of_nobody_of_one_and_of_names_that_are_markup(running: Any, hand_in: HandIn) -> None:
    hosted, at = running.site.hosted["grey"], running.clock()
    browser = running.browser()
    assert "No submission is judged yet" in browser.get("/c/grey/board").text
    hand_in(hosted, "alone", at, (3, 3))
    text = browser.get("/c/grey/board").text
    assert "alone" in text and "Progress" in text and 'class="interval"' in text and "shared" not in text
    odd = '<b onmouseover="x">bold</b> 🚀 {{ 7 * 7 }}'
    hand_in(hosted, odd, at, (3, 3))
    text = browser.get("/c/grey/board").text
    assert "<b onmouse" not in text and "&lt;b onmouseover=&#34;x&#34;&gt;bold&lt;/b&gt; 🚀 {{ 7 * 7 }}" in text
    assert '<span aria-hidden="true">=</span>1<span class="unseen">, shared</span>' in text
    assert " style=" not in text and "<script" not in text


def test_own_team_disqualified_late_and_stuck_ones_are_said(running: Any, hand_in: HandIn) -> None:
    hosted, at = running.site.hosted["grey"], running.clock()
    ada = running.browser().sign_up("Ada")
    ada.post("/c/grey/team", team="mine")
    for team, wrong in (("mine", 2), ("other", 12), ("cheats", 0)):
        hand_in(hosted, team, at, (wrong, wrong))
    hand_in(hosted, "other", at + timedelta(days=2), (0, 0))
    hand_in(hosted, "other", at, None)
    disqualify(hosted.store, "cheats", "it knew <the> labels")
    text = ada.get("/c/grey/board").text
    assert "(your team)" in text and "it knew &lt;the&gt; labels" in text
    assert '<span class="small">late</span>' in text and "1 submission in the queue" in text
    out = running.browser().get("/api/v1/challenges/grey/board").json()
    assert out["disqualified"] == {"cheats": "it knew <the> labels"} and out["in_the_queue"] == 1
    assert {line["team"]: line["late"] for line in out["lines"]} == {"mine": False, "other": True}


def test_nothing_is_told_of_the_private_part_before_the_deadline(running: Any, hand_in: HandIn) -> None:
    hosted, at = running.site.hosted["grey"], running.clock()
    hand_in(hosted, "a", at, (6, 1))
    browser = running.browser()
    assert "comes at the deadline" in browser.get("/c/grey/final").text
    answer = browser.get("/api/v1/challenges/grey/final")
    assert answer.status_code == 409 and "after the deadline, 1 February 2027" in answer.json()["problem"]
    private = next(iter(hosted.store.submissions())).results["private"].metric
    for address in (
        "/c/grey/board",
        "/c/grey/final",
        "/api/v1/challenges/grey/board",
        "/api/v1/challenges/grey/progress",
    ):
        assert f"{private:.3f}" not in browser.get(address).text
    hand_in(hosted, "a", at, None)
    running.clock.forward(days=1)
    assert "1 submission of before the deadline must be judged first" in browser.get("/c/grey/final").text
    assert browser.get("/api/v1/challenges/grey/final").status_code == 409


def test_the_final_board_goes_by_the_private_part_and_by_the_choice(running: Any, hand_in: HandIn) -> None:
    hosted, at = running.site.hosted["grey"], running.clock()
    hand_in(hosted, "a", at, (1, 10))
    chosen = hand_in(hosted, "a", at + timedelta(minutes=1), (5, 1))
    hand_in(hosted, "b", at, (2, 5))
    running.clock.forward(days=1)
    browser = running.browser()
    out = browser.get("/api/v1/challenges/grey/final").json()
    assert [line["team"] for line in out["lines"]] == ["b", "a"]
    assert out["lines"][1]["score"]["value"] == pytest.approx(14 / 24)
    assert out["lines"][1]["shift"]["value"] == pytest.approx(14 / 24 - 23 / 24)
    choose(hosted.store, "a", chosen)
    lines = browser.get("/api/v1/challenges/grey/final").json()["lines"]
    assert [line["team"] for line in lines] == ["a", "b"] and lines[0]["score"]["value"] == pytest.approx(23 / 24)
    text = browser.get("/c/grey/final").text
    assert "+0.167" in text and "0.958" in text


def test_what_is_told_while_it_runs_moves_in_steps(running: Any, hand_in: HandIn) -> None:
    hosted, at = running.site.hosted["grey"], running.clock()
    for minute, wrong in enumerate((7, 12, 3)):
        hand_in(hosted, "a", at + timedelta(minutes=minute), (wrong, 0))
    browser = running.browser()
    (line,) = browser.get("/api/v1/challenges/grey/board").json()["lines"]
    assert line["score"]["value"] == 0.88 and line["submissions"] == 3
    told = [found for measures in line["classes"].values() for found in measures.values() if found]
    assert len(told) == 5
    for found in told:
        assert found["low"] <= found["value"] <= found["high"]
        for value in found.values():
            assert value / 0.05 == pytest.approx(round(value / 0.05)), "finer than five steps of the ladder"
    moves = browser.get("/api/v1/challenges/grey/progress").json()["teams"][0]["moves"]
    assert [move["score"] for move in moves] == [0.71, 0.88]


def test_boards_may_be_for_people_alone(tmp_path: Path, fill_challenge: Any, make_site: Any) -> None:
    running = make_site(fill_challenge(tmp_path / "contest"), public_boards=False)
    browser = running.browser()
    for page in ("board", "final"):
        assert browser.get(f"/c/grey/{page}").url.path == "/login"
        assert browser.get(f"/api/v1/challenges/grey/{page}").status_code == 401
    browser.sign_up("Ada")
    assert "No submission is judged yet" in browser.get("/c/grey/board").text
    assert running.api("Ada").get("/api/v1/challenges/grey/progress").status_code == 200


def test_a_token_that_is_sent_must_be_good(running: Any) -> None:
    answer = running.browser().get("/api/v1/challenges/grey/board", headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401


def test_a_board_is_made_once_and_anew_when_something_has_changed(
    running: Any, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted, at, compared = running.site.hosted["grey"], running.clock(), list[int]()
    real = boards_module.difference
    monkeypatch.setattr(boards_module, "difference", lambda first, second: (compared.append(1), real(first, second))[1])
    for place in range(4):
        hand_in(hosted, f"team {place}", at, (2 + 4 * place, 0))
    first = boards(running).running(at)
    assert first.fresh and len(compared) == 6
    assert boards(running).running(at).made is first.made
    hand_in(hosted, "team 0", at, None)
    waits = boards(running).running(at)
    assert waits.made is not first.made and waits.made.open_ones == 1 and len(compared) == 6
    disqualify(hosted.store, "team 1", "why")
    assert [line.team for line in boards(running).running(at).made.board.lines] == ["team 0", "team 2", "team 3"]
    disqualify(hosted.store, "team 1", "")
    assert len(boards(running).running(at).made.board.lines) == 4
    assert len(compared) == 9, "the three pairs of the team that was out, and no other, are compared again"


def test_while_a_board_is_made_the_one_before_is_shown(
    running: Any, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted, at = running.site.hosted["grey"], running.clock()
    slow = Boards(hosted.desk, hosted.reads, patience=0.0)
    hand_in(hosted, "a", at, (2, 0))
    first = slow.running(at)
    begun, go = threading.Event(), threading.Event()
    real = slow._made

    def held(*arguments: Any, **options: Any) -> Made:
        begun.set()
        assert go.wait(30)
        return real(*arguments, **options)

    monkeypatch.setattr(slow, "_made", held)
    hand_in(hosted, "b", at, (3, 0))
    stale = slow.running(at + timedelta(seconds=1))
    assert stale.made is first.made and not stale.fresh
    assert begun.wait(30)
    making = slow._making[False]
    assert slow.running(at).made is first.made and slow._making[False] is making, "it is made once"
    go.set()
    making.result(30)
    assert len(slow.running(at).made.board.lines) == 2


def test_a_stale_board_says_of_when_it_is(running: Any, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_in(running.site.hosted["grey"], "a", running.clock(), (2, 0))
    shown = boards(running).running(running.clock())
    monkeypatch.setattr(boards(running), "running", lambda at: replace(shown, fresh=False))
    assert "As of" in running.browser().get("/c/grey/board").text
    assert running.browser().get("/api/v1/challenges/grey/board").json()["up_to_date"] is False


def test_what_breaks_while_a_board_is_made_is_told_in_words(
    running: Any, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(running.site.hosted["grey"], "a", running.clock(), (2, 0))

    def broken(*_: Any, **__: Any) -> None:
        raise DataError("/secret/place cannot be read", "restore it")

    with monkeypatch.context() as patched:
        patched.setattr(boards_module, "board_of", broken)
        answer = running.browser().get("/c/grey/board")
        assert answer.status_code == 503 and "/secret/place" not in answer.text
    assert board_module.board_of is boards_module.board_of
    assert running.browser().get("/c/grey/board").status_code == 200


def test_an_extended_deadline_takes_the_final_board_back(running: Any, hand_in: HandIn) -> None:
    hosted = running.site.hosted["grey"]
    hand_in(hosted, "a", running.clock(), (2, 0))
    running.clock.forward(days=1)
    assert boards(running).final(running.clock()).fresh
    change_contest(hosted.store, hosted.made, deadline=running.clock() + timedelta(days=1))
    with pytest.raises(ConflictError, match="comes after the deadline"):
        boards(running).final(running.clock())


def test_help_says_why_two_share_a_rank(running: Any) -> None:
    text = running.browser().get("/help").text
    assert "A team's rank is 1 and one more for each team that is shown to be better" in text
