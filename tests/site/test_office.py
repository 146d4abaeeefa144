"""The organiser's office: to others it is not there; every action asks, does it, and leaves a line in the log."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flawscope.challenge.contest import contest_of, teams_of
from flawscope.site.log import log_of

HandIn = Callable[..., int]
ACTIONS = ("close", "deadline", "go-on", "end", "again", "disqualify", "reinstate", "export")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def hosted(site: Any) -> Any:
    return site.site.hosted["grey"]


def log(site: Any) -> list[tuple[str, str, str]]:
    return [
        (act.who, act.what, act.why) for act in log_of(site.site.database, site.site.hosted["grey"].store.challenge)
    ]


def test_to_everybody_but_organisers_it_is_not_there(site: Any, hosted: Any) -> None:
    site.organiser()
    for browser in (site.browser(), site.browser().sign_up("Ada")):
        assert browser.get("/c/grey/office").status_code == 404
        assert ">Office<" not in browser.get("/c/grey").text
        for action in ACTIONS:
            assert browser.get(f"/c/grey/office/{action}").status_code == 404
            token = (
                browser.token("/account") if browser.get("/account").url.path == "/account" else browser.token("/login")
            )
            answer = browser.client.post(f"/c/grey/office/{action}", data={"token": token, "why": "x", "team": "a"})
            assert answer.status_code == 404
    assert log(site) == [] and contest_of(hosted.store).deadline is None


def test_an_action_without_the_forms_token_is_refused(site: Any, hosted: Any) -> None:
    organiser = site.organiser()
    assert organiser.client.post("/c/grey/office/close", data={"why": "x"}).status_code == 403
    organiser.get("/c/grey/office/close?why=x")
    assert contest_of(hosted.store).deadline is None


def test_it_closes_and_opens_again(site: Any, hosted: Any) -> None:
    organiser = site.organiser()
    assert ">Office<" in organiser.get("/c/grey").text
    assert "the final board is there for everybody" in organiser.get("/c/grey/office/close").text
    assert "The challenge is closed." in organiser.post("/c/grey/office/close", why="  power \n cut ").text
    assert contest_of(hosted.store).deadline == site.clock()
    site.clock.forward(minutes=1)
    answer = organiser.post("/c/grey/office/close")
    assert answer.status_code == 409 and "has passed already" in answer.text
    assert "may know them" in organiser.get("/c/grey/office/deadline").text
    for words, problem in (("soon", "expected a date"), ("2027-01-30", "has passed already")):
        answer = organiser.post("/c/grey/office/deadline", deadline=words, why="kept")
        assert answer.status_code == 400 and problem in answer.text and 'value="kept"' in answer.text
    assert "The deadline is 2 February 2027, 23:59 UTC now." in organiser.post(
        "/c/grey/office/deadline", deadline="2027-02-02"
    ).text  # fmt: skip
    assert "From now on submissions are taken" in organiser.post("/c/grey/office/go-on").text
    assert contest_of(hosted.store).goes_on
    assert "no submissions are taken" in organiser.post("/c/grey/office/end").text
    assert not contest_of(hosted.store).goes_on
    assert [(who, why) for who, _, why in log(site)[::-1]] == [("Olga", "power cut"), *[("Olga", "")] * 3]
    text = organiser.get("/c/grey/office").text
    assert "closed; the deadline was 1 January 2099" in text and "power cut" in text


def test_a_team_is_out_with_a_reason_and_in_again(site: Any, hosted: Any, hand_in: HandIn) -> None:
    organiser, odd = site.organiser(), "a & <b>?team=x#"
    hand_in(hosted, odd, site.clock(), (2, 2))
    text = organiser.get("/c/grey/office").text
    link = re.search(r'href="(/c/grey/office/disqualify\?team=[^"]+)"', text)
    assert link and "a &amp; &lt;b&gt;?team=x#" in organiser.get(link[1]).text
    answer = organiser.post("/c/grey/office/disqualify", page=link[1], team=odd, why="  ")
    assert answer.status_code == 400 and "disqualified with a reason" in answer.text
    assert organiser.post("/c/grey/office/disqualify", page=link[1], team="nobody", why="x").status_code == 404
    organiser.post("/c/grey/office/disqualify", page=link[1], team=odd, why="it <knew> the labels")
    assert [team.disqualified for team in teams_of(hosted.store)] == ["it <knew> the labels"]
    assert "it &lt;knew&gt; the labels" in site.browser().get("/c/grey/board").text
    reinstate = link[1].replace("disqualify", "reinstate")
    assert "is in the ranking again" in organiser.post("/c/grey/office/reinstate", page=reinstate, team=odd).text
    assert organiser.post("/c/grey/office/reinstate", page=reinstate, team=odd).status_code == 409
    assert [what for _, what, _ in log(site)] == [
        f"reinstated: {odd} (was out: it <knew> the labels)",
        f"disqualified: {odd}",
    ]


def test_what_is_stuck_is_judged_again(site: Any, hosted: Any, hand_in: HandIn) -> None:
    organiser, at = site.organiser(), site.clock()
    numbers = [hand_in(hosted, team, at, None) for team in "abc"]
    for _ in numbers:
        hosted.store.give_up(hosted.store.claim(at, MINUTE), "the <disk> was full", at)
    text = organiser.get("/c/grey/office").text
    assert "Stuck" in text and "the &lt;disk&gt; was full" in text and "Judge all again" in text
    page = f"/c/grey/office/again?number={numbers[1]}"
    assert f"Submission {numbers[1]} waits" in organiser.get(page).text
    assert "1 submission waits again" in organiser.post("/c/grey/office/again", number=str(numbers[1])).text
    assert organiser.post("/c/grey/office/again", number="x").status_code == 400
    assert organiser.post("/c/grey/office/again", number=f"{numbers[1]}").status_code in (400, 409)
    assert "2 submissions wait again" in organiser.post("/c/grey/office/again", why="the disk is mended").text
    assert [what for _, what, _ in log(site)] == [
        "to be judged again: all that were stuck",
        f"to be judged again: {numbers[1]}",
    ], "what changed nothing leaves no line"


def test_the_queue_and_its_workers(site: Any, hosted: Any, hand_in: HandIn) -> None:
    organiser, at = site.organiser(), site.clock()
    assert "no worker takes them up" not in organiser.get("/c/grey/office").text
    hand_in(hosted, "a", at, None)
    hand_in(hosted, "b", at, None)
    assert "no worker takes them up" not in organiser.get("/c/grey/office").text
    hosted.store.claim(at, MINUTE)
    assert "until 31 January 2027, 12:01 UTC" in re.sub("<[^>]*>", "", organiser.get("/c/grey/office").text)
    site.clock.forward(minutes=30)
    text = organiser.get("/c/grey/office").text
    assert "ran out 29 minutes ago" in text and "no worker takes them up" in text
    claim = hosted.store.claim(site.clock(), MINUTE)
    assert claim and "no worker takes them up" not in organiser.get("/c/grey/office").text
    hosted.store.refuse(claim, "no zip", site.clock())
    text = organiser.get("/c/grey/office").text
    assert "no zip" in text and "no worker takes them up" not in text


def test_everything_is_downloaded(site: Any, hosted: Any, hand_in: HandIn) -> None:
    organiser = site.organiser()
    ada = site.browser().sign_up("Ada")
    ada.post("/c/grey/team", team="=cmd()")
    hand_in(hosted, "=cmd()", site.clock(), (2, 3))
    answer = organiser.post("/c/grey/office/export", page="/c/grey/office")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="grey-results.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        found = {name: file.read(name).decode() for name in file.namelist()}
    assert sorted(found) == ["board.csv", "log.csv", "people.csv", "results.json", "submissions.csv"]
    assert json.loads(found["results.json"])["no_final_board"].startswith("the final board comes after the deadline")
    assert next(csv.DictReader(io.StringIO(found["people.csv"])))["team"] == "'=cmd()"
    assert float(next(csv.DictReader(io.StringIO(found["submissions.csv"])))["private_metric"]) == pytest.approx(
        21 / 24
    )
    organiser.post("/c/grey/office/close", why="=1+1")
    site.clock.forward(minutes=1)
    answer = organiser.post("/c/grey/office/export", page="/c/grey/office")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        assert "0.875" in file.read("final.csv").decode()
        lines = list(csv.DictReader(io.StringIO(file.read("log.csv").decode())))
    assert [line["what"][:10] for line in lines] == ["downloaded", "closed; th"] and lines[1]["why"] == "'=1+1"


def test_reasons_are_bounded(site: Any) -> None:
    organiser = site.organiser()
    for why, words in (("x" * 501, "has 501 characters"), ("a\x1bb", "cannot be seen")):
        answer = organiser.post("/c/grey/office/close", why=why)
        assert answer.status_code == 400 and words in answer.text
        assert 'href="/c/grey/office" aria-current="page"' in answer.text


def test_who_takes_part_is_listed(site: Any, hosted: Any, hand_in: HandIn) -> None:
    organiser = site.organiser()
    site.browser().sign_up("Ada").post("/c/grey/team", team="lovers")
    hand_in(hosted, "by command", site.clock(), None)
    text = re.sub("<[^>]*>", "", organiser.get("/c/grey/office").text)
    assert "Ada (since 31 January 2027)" in text and "by command" in text


def test_what_is_done_to_people_is_in_the_log_of_the_site(site: Any) -> None:
    organiser, ada = site.organiser(), site.browser().sign_up("Ada")
    number = next(each.id for each in site.site.people.everybody() if each.name == "Ada")
    for action in ("organiser", "link"):
        assert ada.client.post(f"/people/{number}/{action}", data={"token": ada.token("/account")}).status_code == 403
        assert organiser.post(f"/people/999/{action}", page="/people").status_code == 404
    assert log(site) == []
    for action in ("organiser", "link"):
        organiser.post(f"/people/{number}/{action}", page="/people")
    words = ["made a link for a new password for Ada", "made Ada an organiser"]
    assert [what for _, what, _ in log(site)] == words
    for page in ("/people", "/c/grey/office"):
        assert all(each in ada.get(page).text for each in words)
