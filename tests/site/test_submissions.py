"""Handing in by page and by API: what is taken, what is refused, and what is told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from flawscope.challenge.contest import change_contest, disqualify
from flawscope.challenge.store import Store
from flawscope.challenge.submitted import PartResult
from flawscope.errors import StoreError, UserError
from flawscope.site import uploads
from flawscope.site.app import create_app

PAGE, API = "/c/grey/submissions", "/api/v1/challenges/grey/submissions"
Make = Callable[..., Path]
Bundles = Callable[[float], bytes]


@pytest.fixture
def bundle(make_bundle: Make) -> Bundles:
    """`bundle(0.5)`: the bytes of a bundle; each threshold is another one."""
    return lambda threshold: make_bundle(thresholds=(threshold,), name=f"{threshold}.flawscope").read_bytes()


@pytest.fixture
def ada(site: Any) -> Any:
    """A browser of somebody who is in a team."""
    browser = site.browser().sign_up("Ada")
    browser.post("/c/grey/team", team="Wire")
    return browser


@pytest.fixture
def program(site: Any, ada: Any) -> TestClient:
    """A program of the same person."""
    return site.api("Ada")  # type: ignore[no-any-return]


def hand_in(browser: Any, content: bytes, name: str = "a b.flawscope", **fields: str) -> Response:
    """By the form, as a browser sends it: the fields first."""
    data = {"token": browser.token(PAGE), "ticket": "t", "note": "", **fields}
    browser.seen = browser.client.post(PAGE, data=data, files={"bundle": (name, content)})
    return browser.seen


def judged(store: Store, public: float, at: datetime) -> None:
    """The next one of the queue is judged, by hand."""
    claim = store.claim(at, timedelta(seconds=60))
    assert claim
    parts = [PartResult(part, "0" * 64, public, 0.0, 1.0, {}, 1.0) for part in ("public", "private")]
    assert store.finish(claim, parts, at)


def kept(contest: Path) -> list[str]:
    folder = contest / "submissions"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_from_the_form_to_the_result(site: Any, ada: Any, contest: Path, bundle: Bundles) -> None:
    assert "Nothing yet" in ada.get(PAGE).text and "<b>5 of 5</b>" in ada.seen.text
    hand_in(ada, bundle(0.5), note="<b>wider</b>\nnet")
    assert "Submission 1 is in the queue." in ada.seen.text and "<b>4 of 5</b>" in ada.seen.text
    assert "Yours is next." in ada.seen.text and "by Ada" in ada.seen.text and "a b.flawscope" in ada.seen.text
    assert "&lt;b&gt;wider&lt;/b&gt;\nnet" in ada.seen.text and "live.js" in ada.seen.text
    hand_in(ada, bundle(0.6), ticket="u")
    hand_in(ada, bundle(0.7), ticket="v")
    assert "1 submission is before yours" in ada.seen.text and "2 submissions are before yours" in ada.seen.text
    assert len(kept(contest)) == 3 and all(name.endswith(".flawscope") for name in kept(contest))

    store, now = site.site.hosted["grey"].store, site.clock()
    judged(store, 0.7312, now)
    judged(store, 0.7, now)
    claim = store.claim(now, timedelta(seconds=60))
    assert claim and "Being judged" in ada.get(PAGE).text
    store.refuse(claim, "it <i>answers</i> nothing", now)
    text = ada.get(PAGE).text
    assert "The board shows <b>0.73</b> since" in text and "The board stays as it is." in text
    assert "Refused:</b> it &lt;i&gt;answers&lt;/i&gt; nothing" in text
    assert "0.7312" not in text and "0.7<" not in text and "live.js" not in text


def test_nothing_is_told_of_what_moves_nothing(site: Any, program: TestClient, bundle: Bundles) -> None:
    store, now = site.site.hosted["grey"].store, site.clock()
    for each, public in ((0.5, 0.81234), (0.6, 0.815), (0.7, 0.9)):
        assert program.post(API, content=bundle(each)).status_code == 201
        judged(store, public, now)
    found = program.get(API).json()
    assert [each["score"] for each in found["submissions"]] == [0.9, None, 0.81]
    assert "0.8123" not in str(found) and "0.815" not in str(found)


def test_the_same_form_twice_is_one_submission(ada: Any, contest: Path, bundle: Bundles) -> None:
    content = bundle(0.5)
    for _ in range(2):
        assert "Submission 1 is in the queue." in hand_in(ada, content).text
    assert "submitted this bundle already, as number 1" in hand_in(ada, content, ticket="other").text
    assert ada.seen.status_code == 409
    assert "Submission 2 is in the queue." in hand_in(ada, bundle(0.6)).text, "another file, by the page of before"
    assert len(kept(contest)) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"PK nothing", "it is not a bundle"), (b"", "it is not a bundle"), (b"x" * 3_000_000, "it is not a bundle")],
)
def test_what_is_no_bundle_is_refused_and_does_not_count(ada: Any, contest: Path, content: bytes, words: str) -> None:
    answer = hand_in(ada, content, note="keep <this>")
    assert answer.status_code == 400 and words in answer.text and "<b>5 of 5</b>" in answer.text
    assert "keep &lt;this&gt;</textarea>" in answer.text
    assert kept(contest) == []


def test_forms_that_are_none(ada: Any, contest: Path, bundle: Bundles) -> None:
    assert hand_in(ada, b"", name="").status_code == 400 and "no file was chosen" in ada.seen.text
    token = ada.token(PAGE)
    without = ada.client.post(PAGE, data={"token": token, "ticket": "t"})
    assert without.status_code == 403, "no form with a file"
    content = bundle(0.5)
    for files in ({"bundle": ("a", content)}, {"one": ("a", content), "two": ("b", content)}):
        assert ada.client.post(PAGE, data={"token": "0" * 64}, files=files).status_code == 403
    two = ada.client.post(PAGE, data={"token": token}, files={"one": ("a", content), "two": ("b", content)})
    assert two.status_code == 400 and "two files" in two.text
    head = {"Content-Type": "multipart/form-data; boundary=x"}
    start = f'--x\r\nContent-Disposition: form-data; name="token"\r\n\r\n{token}\r\n--x\r\n'.encode()
    file = b'Content-Disposition: form-data; name="bundle"; filename="a"\r\n\r\n'
    for body, words in (
        (b"--y\r\n", "cannot be read"),
        (start + file + content, "broke off"),
        (start + b'Content-Disposition: form-data; name="note"\r\n\r\n' + b"x" * 70_000, "too large"),
        (start + b'Content-Disposition: form-data; name="n"\r\n\r\n\r\n--x\r\n' * 2_000, "too large"),
    ):
        answer = ada.client.post(PAGE, content=body, headers=head)
        assert answer.status_code in (400, 413) and words in answer.text, answer.text
    late = b'--x\r\nContent-Disposition: form-data; name="bundle"; filename="a"\r\n\r\nPK\r\n' + start[:-2] + b"--\r\n"
    assert ada.client.post(PAGE, content=late, headers=head).status_code == 403, "the token comes after the file"
    other = ada.client.post(
        PAGE, data={"token": token}, files={"bundle": ("a", content)}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert other.status_code == 403
    assert kept(contest) == []
    assert ada.client.post(PAGE, content=start, headers={"Content-Type": "multipart/form-data"}).status_code == 400


def test_too_large(
    fill_challenge: Callable[..., Path], make_site: Callable[..., Any], tmp_path: Path, bundle: Bundles
) -> None:
    folder = fill_challenge(tmp_path / "small", limits={"bundle_mb": 1})
    site = make_site(folder)
    ada = site.browser().sign_up("Ada")
    ada.post("/c/grey/team", team="Wire")
    program = site.api("Ada")

    def endless() -> Any:
        for _ in range(40):
            yield b"x" * 65536

    assert hand_in(ada, b"x" * 2**21).status_code == 413 and "at most 1 MB" in ada.seen.text
    for content in (b"x" * 2**21, b"x" * (2**20 + 1), endless()):
        answer = program.post(API, content=content)
        assert answer.status_code == 413, answer.text
        assert "at most 1 MB" in answer.json()["problem"] or "bytes were sent" in answer.json()["problem"]
    lies = program.build_request("POST", API, content=endless(), headers={"Content-Length": "100"})
    assert program.send(lies).status_code in (400, 413)
    assert kept(folder) == []
    assert program.post("/api/v1/challenges/grey/team/join", content=b"x" * 2**20).status_code == 413
    assert program.post(API, content=bundle(0.5)).status_code == 201


def test_the_budget_of_a_day(site: Any, ada: Any, program: TestClient, contest: Path, bundle: Bundles) -> None:
    for number in range(5):
        assert program.post(API, content=bundle(0.3 + number / 20)).status_code == 201
    answer = program.post(API, content=bundle(0.9))
    assert answer.status_code == 429 and "its 5 submissions of 31 January 2027 (UTC)" in answer.json()["problem"]
    assert answer.headers["Retry-After"] == str(12 * 3600) and "1 February 2027, 00:00 UTC" in answer.json()["remedy"]
    assert program.post(API, content=bundle(0.9), params={"ticket": "x"}).status_code == 409
    text = ada.get(PAGE).text
    assert "Your team has made its 5 submissions" in text and 'type="file"' not in text
    assert len(kept(contest)) == 5
    found = program.get(API).json()
    assert (found["left"], found["daily"], found["next_day"]) == (0, 5, "2027-02-01T00:00:00Z")
    site.clock.forward(hours=12)
    assert program.post(API, content=bundle(0.9)).status_code == 201
    assert program.get(API).json()["left"] == 4


def test_nobody_hands_in_outside_of_the_time(
    site: Any, ada: Any, program: TestClient, contest: Path, bundle: Bundles
) -> None:
    hosted, now = site.site.hosted["grey"], site.clock()
    change_contest(hosted.store, hosted.made, deadline=now - timedelta(seconds=1))
    answer = program.post(API, content=bundle(0.5))
    assert answer.status_code == 409 and "was closed on" in answer.json()["problem"]
    assert hand_in(ada, bundle(0.5)).status_code == 409 and 'type="file"' not in ada.seen.text
    assert kept(contest) == []
    change_contest(hosted.store, hosted.made, goes_on=True)
    assert program.post(API, content=bundle(0.5)).json()["late"] is True
    assert "After the deadline: not for the final board" in ada.get(PAGE).text
    site.clock.now = datetime(2019, 1, 1, tzinfo=UTC)
    assert "opens on 1 January 2020" in site.api("Ada").post(API, content=bundle(0.6)).json()["problem"]


def test_the_deadline_passes_while_the_bytes_come(
    site: Any, program: TestClient, contest: Path, bundle: Bundles
) -> None:
    hosted = site.site.hosted["grey"]
    change_contest(hosted.store, hosted.made, deadline=site.clock() + timedelta(minutes=1))

    def slow() -> Any:
        content = bundle(0.5)
        yield content[:100]
        site.clock.forward(minutes=2)
        yield content[100:]

    assert program.post(API, content=slow()).status_code == 409
    assert kept(contest) == [] and hosted.store.submissions() == []


def test_who_is_in_no_team_or_out_hands_nothing_in(site: Any, ada: Any, contest: Path, bundle: Bundles) -> None:
    bob = site.browser("192.0.2.2").sign_up("Bob")
    assert "You are in no team" in bob.get(PAGE).text and 'type="file"' not in bob.seen.text
    answer = bob.client.post(PAGE, data={"token": bob.token(PAGE)}, files={"bundle": ("a", bundle(0.5))})
    assert answer.status_code == 403 and "you are in no team" in answer.text
    program = site.api("Bob")
    for call in (program.post(API, content=bundle(0.5)), program.get(API), program.get(f"{API}/1")):
        assert call.status_code == 403
    stranger = site.browser("192.0.2.3")
    assert stranger.get(PAGE).url.path == "/login"
    assert stranger.client.post(PAGE, files={"bundle": ("a", b"x")}).url.path == "/login"
    assert TestClient(site.app).post(API, content=b"x").status_code == 401

    site.api("Ada").post(API, content=bundle(0.5))
    disqualify(site.site.hosted["grey"].store, "Wire", "learnt from the test")
    answer = site.api("Ada").post(API, content=bundle(0.6))
    assert answer.status_code == 403 and "learnt from the test" in answer.json()["problem"]
    assert "Your team was disqualified: learnt from the test" in ada.get(PAGE).text
    assert hand_in(ada, bundle(0.6)).status_code == 403
    assert len(kept(contest)) == 1


def test_other_teams_submissions_are_not_there(site: Any, program: TestClient, bundle: Bundles) -> None:
    assert program.post(API, content=bundle(0.5), params={"ticket": "same"}).json()["number"] == 1
    judged(site.site.hosted["grey"].store, 0.7, site.clock())
    bob = site.browser("192.0.2.2").sign_up("Bob")
    bob.post("/c/grey/team", team="Tape")
    other = site.api("Bob")
    assert other.get(API).json()["submissions"] == []
    for call in (
        other.get(f"{API}/1"),
        other.patch(f"{API}/1", json={"note": "mine"}),
        other.put("/api/v1/challenges/grey/chosen", json={"number": 1}),
    ):
        assert call.status_code == 404 and call.json()["problem"] == "your team has no submission 1"
        assert call.json() == other.get(f"{API}/1").json()
    assert other.get(f"{API}/2").json()["problem"] == "your team has no submission 2"
    for page in (f"{PAGE}/1/note", f"{PAGE}/choose"):
        assert bob.post(page, PAGE, note="mine", number="1").status_code == 404
    assert other.get(f"{API}/{2**40}").status_code == 422
    assert bob.post(f"{PAGE}/choose", PAGE, number="9" * 30).status_code == 404
    same = other.post(API, content=bundle(0.5), params={"ticket": "same"})
    assert same.status_code == 201 and same.json()["number"] == 2, "a ticket is a team's own"


def test_notes(site: Any, ada: Any, program: TestClient, bundle: Bundles) -> None:
    made = program.post(API, content=bundle(0.5), params={"note": " a\u202e b ", "file_name": "../x/\u202ey.flawscope"})
    assert (made.json()["note"], made.json()["file_name"]) == ("a b", "y.flawscope")
    assert "The note on submission 1 is kept" in ada.post(f"{PAGE}/1/note", PAGE, note="one\r\ntwo").text
    assert program.get(f"{API}/1").json()["note"] == "one\ntwo"
    assert program.patch(f"{API}/1", json={"note": ""}).json()["note"] == ""
    for answer in (
        program.patch(f"{API}/1", json={"note": "x" * 501}),
        too_long := ada.post(f"{PAGE}/1/note", PAGE, note="x" * 501),
        program.post(API, content=bundle(0.6), params={"note": "x" * 501}),
    ):
        assert answer.status_code == 400 and "501 characters" in answer.text
    assert "<details open>" in too_long.text and "x" * 501 in too_long.text, "nobody types it twice"
    assert len(program.get(API).json()["submissions"]) == 1


def test_one_is_chosen_until_the_deadline(site: Any, ada: Any, program: TestClient, bundle: Bundles) -> None:
    hosted, now = site.site.hosted["grey"], site.clock()
    program.post(API, content=bundle(0.5))
    chosen = "/api/v1/challenges/grey/chosen"
    assert program.put(chosen, json={"number": 1}).status_code == 409, "not judged yet"
    judged(hosted.store, 0.7, now)
    assert "Submission 1 stands for your team" in ada.post(f"{PAGE}/choose", PAGE, number="1").text
    assert "submission 1, which you have chosen" in ada.seen.text and "stands for you" in ada.seen.text
    assert program.get(API).json()["chosen"] == 1
    assert "best public score stands" in ada.post(f"{PAGE}/choose", PAGE, number="").text
    assert program.put(chosen, json={"number": 1}).json()["chosen"] == 1
    site.clock.now = datetime(2099, 1, 1, 0, 0, 1, tzinfo=UTC)
    late = site.browser("192.0.2.9")
    late.log_in("Ada")
    assert late.post(f"{PAGE}/choose", PAGE, number="").status_code == 409
    assert "is settled" in late.seen.text
    assert program.put(chosen, json={"number": None}).status_code == 409
    assert program.get(API).json()["chosen"] == 1


def test_uploads_of_a_team_at_a_time(ada: Any, program: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "AT_ONCE", 0)
    assert program.post(API, content=b"x").status_code == 429
    assert hand_in(ada, b"x").status_code == 429 and "under way" in ada.seen.text
    turns = uploads.Turns()
    monkeypatch.setattr(uploads, "AT_ONCE", 1)
    for _ in range(2):
        with turns.taken(7), pytest.raises(uploads.TooManyError), turns.taken(7):
            pass


def test_who_is_gone_without_a_word_holds_no_place(site: Any, contest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "IDLE_SECONDS", 0.01)

    async def silent() -> Any:
        yield b"x"
        await asyncio.Event().wait()

    with pytest.raises(UserError, match="nothing has come for"):
        asyncio.run(uploads.taken_in(site.site.hosted["grey"], silent(), str))
    assert kept(contest) == []


def test_a_full_disk_and_a_database_that_is_away_queue_nothing(
    ada: Any, program: TestClient, contest: Path, bundle: Bundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("flawscope.challenge.receive.os.write", full)
        answer = program.post(API, content=bundle(0.5))
    assert answer.status_code == 503 and "flawscope" not in answer.text and str(contest) not in answer.text

    def away(*given: Any, **more: Any) -> None:
        raise StoreError("the store does not answer", "start it")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "submit", away)
        assert hand_in(ada, bundle(0.5)).status_code == 503
    assert kept(contest) == [] and program.get(API).json()["submissions"] == []
    assert program.post(API, content=bundle(0.5)).status_code == 201


def test_it_is_described(site: Any) -> None:
    found = create_app(site.site.settings).openapi()["paths"][API.replace("grey", "{name}")]["post"]
    assert list(found["requestBody"]["content"]) == ["application/octet-stream"]
    assert {"201", "400", "401", "403", "404", "409", "413", "429"} <= set(found["responses"])
    assert re.search("ticket", str(found["parameters"]))
