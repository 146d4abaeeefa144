"""What an attacker may try on the site as a whole. docs/site-security.md lists all attacks with their tests."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
import uvicorn
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from flawscope.challenge.tables import Base
from flawscope.site.app import API, APIS, PAGES, UPLOADS
from flawscope.site.members import CODE_LENGTH, LETTERS
from flawscope.steps import challenge_serve

from .conftest import PASSWORD, Browser, Running

HandIn = Callable[..., int]
EVIL = ('<script>alert("x")</script>', '"><img src=x onerror=alert(1)>', "'-alert(1)-'", "</title><b>", "{{ 7*191 }}")
HIDDEN_LETTERS = ("\u202egnp.exe", "a\u200b\u202eb", "a\x00b", "\u2066a")
SQL = ("'; DROP TABLE people; --", "' OR '1'='1", "%", 'x" UNION SELECT password FROM people --', "\\'")
GETS = sorted(
    {
        f"{prefix}{route.path}"
        for prefix, routers in (("", (*PAGES, *UPLOADS)), (API, APIS))
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in route.methods
    }
)
UNSAFE = sorted(
    {
        route.path
        for router in (*PAGES, *UPLOADS)
        for route in router.routes
        if isinstance(route, APIRoute) and route.methods == {"POST"}
    }
)


def filled(path: str, **values: str) -> str:
    given = {"name": "grey", "number": "1", "code": "x", "action": "disqualify", **values}
    return re.sub(r"\{(\w+)\}", lambda found: given[found[1]], path)


def everything(who: Any) -> dict[str, str]:
    """All that somebody can read: each address that is there, and what it answers."""
    return {path: who.get(filled(path)).text for path in GETS}


def kept(running: Running) -> dict[str, list[Any]]:
    """The database, without when somebody was last seen."""
    with running.site.database.engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(*table.c))]
            for table in Base.metadata.sorted_tables
            if table.name not in ("sessions", "tokens")
        }


def team_of(running: Running, who: str, team: str) -> Browser:
    browser = running.browser().sign_up(who)
    browser.post("/c/grey/team", team=team)
    return browser


# --- what people type -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("evil", EVIL)
def test_markup_in_whatever_is_typed_is_text(site: Running, hand_in: HandIn, evil: str) -> None:
    organiser, ada = site.organiser(), team_of(site, evil[:50], evil)
    hosted = site.site.hosted["grey"]
    hand_in(hosted, evil, site.clock(), (3, 2))
    ada.post("/account/tokens", "/account", label=evil[:50])
    ada.post("/c/grey/submissions/1/note", "/c/grey/submissions", note=evil)
    organiser.post("/c/grey/office/disqualify", f"/c/grey/office/disqualify?team={quote(evil)}", team=evil, why=evil)
    seen = [
        page
        for who in (organiser, ada, site.browser())
        for path, page in everything(who).items()
        if not path.startswith(API)
    ]
    seen += [ada.get(f"/login?next={quote(evil)}").text, ada.get(f"/c/grey/team?code={quote(evil)}").text]
    seen += [organiser.get(f"/c/grey/office/disqualify?team={quote(evil)}").text, ada.get(f"/{quote(evil)}").text]
    if evil == EVIL[-1]:
        assert not [page for page in seen if re.search(r"\b1337\b", page)]  # a template of the site it is not
    else:
        assert not [page for page in seen if evil in page]
    answer = site.api(evil[:50]).get(f"{API}/challenges/grey/submissions")
    assert (
        answer.headers["content-type"] == "application/json" and answer.headers["x-content-type-options"] == "nosniff"
    )


@pytest.mark.parametrize("name", HIDDEN_LETTERS)
def test_letters_that_turn_or_hide_others_are_no_names(site: Running, hand_in: HandIn, name: str) -> None:
    assert site.browser().post("/signup", name=name, password=PASSWORD, again=PASSWORD).status_code == 400
    ada = team_of(site, "Ada", "Wire")
    assert ada.post("/c/grey/team/leave", "/c/grey/team").status_code == 200
    assert ada.post("/c/grey/team", team=name).status_code == 400
    assert ada.post("/account/tokens", "/account", label=name).status_code == 400


@pytest.mark.parametrize("words", SQL)
def test_sql_is_a_name_like_any_other(site: Running, words: str) -> None:
    ada = team_of(site, words[:50], words)
    assert words[:50] in {each.name for each in site.site.people.everybody()}
    assert site.browser().log_in(words[:50]).status_code == 200
    assert site.browser().log_in(f"nobody{words}"[:50], words).status_code == 400
    stranger = site.browser().sign_up("Eve")
    assert stranger.post("/c/grey/team/join", "/c/grey/team", code=words).status_code == 404
    assert ada.get(f"/c/{quote(words)}").status_code == 404
    assert len(site.site.people.everybody()) == 2


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "next_",
    [
        "///evil.example",
        "/\t/evil.example",
        "/%5cevil.example/..//",
        "http:evil.example",
        "\u2028//evil.example",
        " //x",
    ],
)
@pytest.mark.parametrize("form", ["/login", "/signup"])
def test_a_log_in_leads_nowhere_else(site: Running, form: str, next_: str) -> None:
    browser = site.browser()
    if form == "/login":
        site.browser().sign_up("Ada")
    fields = {"token": browser.token(form), "name": "Ada", "password": PASSWORD, "again": PASSWORD, "next": next_}
    place = browser.client.post(form, data=fields, follow_redirects=False).headers["location"]
    assert place.startswith("/") and not place.startswith(("//", "/\\")) and "\t" not in place, place


@pytest.mark.parametrize(
    "path",
    [
        "/c/..%2f..%2fetc",
        "/c/%2e%2e/starter-kit",
        "/c/grey%00/starter-kit",
        "/c/../contest/starter-kit",
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/....//app.py",
        "/static//etc/passwd",
        "/c/grey/starter-kit/..%2fhidden%2fprivate%2flabels.csv",
        "/c/grey/hidden/private/labels.csv",
        "/c/grey/store.sqlite",
    ],
)
def test_no_path_leads_out(site: Running, path: str) -> None:
    answer = site.organiser().get(path)
    assert answer.status_code == 404 and "private" not in answer.text.partition("<main")[2]


def test_file_names_of_uploads_are_words_alone(site: Running, make_bundle: Callable[..., Path], contest: Path) -> None:
    ada, page = team_of(site, "Ada", "Wire"), "/c/grey/submissions"
    name = '../../../../tmp/<b>"x\r\nSet-Cookie: a=b.flawscope'
    program = site.api("Ada")
    content = make_bundle().read_bytes()
    answer = program.post(f"{API}/challenges/grey/submissions", content=content, params={"file_name": name})
    assert answer.status_code == 201 and "/" not in answer.json()["file_name"]
    assert "set-cookie" not in answer.headers and '<b>"x' not in ada.get(page).text
    assert [path.name for path in (contest / "submissions").iterdir()] == [f"{answer.json()['sha256']}.flawscope"]


def bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("manifest.json", b"{}")
        file.writestr("graphs/main.onnx", b"\0" * 50_000_000)
    return stream.getvalue()


def climber() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("manifest.json", b"{}")
        file.writestr("../../evil", b"x")
    return stream.getvalue()


@pytest.mark.parametrize("made", [bomb, climber])
def test_hostile_zips_are_refused_at_the_door(site: Running, made: Callable[[], bytes], contest: Path) -> None:
    team_of(site, "Ada", "Wire")
    answer = site.api("Ada").post(f"{API}/challenges/grey/submissions", content=made())
    assert answer.status_code == 400, answer.text
    assert not list((contest / "submissions").iterdir()) and not list(contest.parent.rglob("evil"))


@pytest.mark.parametrize("path", ["/account/", "/c/grey/", "/static", "/login/", "/"])
def test_another_host_in_the_head_is_led_nowhere(site: Running, path: str) -> None:
    answer = site.browser().client.get(path, headers={"Host": "evil.example"}, follow_redirects=False)
    assert "evil.example" not in answer.headers.get("location", ""), answer.headers
    assert "evil.example" not in answer.text and answer.headers["cache-control"] != "public"


@pytest.mark.parametrize(("proxy", "sender", "believed"), [(None, "192.0.2.1", False), ("10.0.0.1", "192.0.2.1", False),
                                                             ("10.0.0.1", "10.0.0.1", True)])  # fmt: skip
def test_the_address_of_the_browser_is_believed_from_the_proxy_alone(
    site: Running, monkeypatch: pytest.MonkeyPatch, proxy: str | None, sender: str, believed: bool
) -> None:
    monkeypatch.setattr("flawscope.site.attempts.OF_AN_ADDRESS", 12)
    made: list[uvicorn.Config] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets: made.append(server.config))
    challenge_serve._serve(site.app, None, proxy)  # type: ignore[arg-type]
    made[0].load()
    client = TestClient(made[0].loaded_app, client=(sender, 1))
    for i in range(13):
        head = {"X-Forwarded-For": f"203.0.113.{i}"}
        token = re.search(r'name="token" value="(\w+)"', client.get("/login", headers=head).text)
        assert token
        fields = {"token": token[1], "name": f"nobody {i}", "password": "wrong " * 3}
        last = client.post("/login", data=fields, headers=head)
    assert last.status_code == (400 if believed else 429)


# --- forms and cookies ------------------------------------------------------------------------------------------------


def test_looking_changes_nothing(site: Running, hand_in: HandIn) -> None:
    organiser, ada = site.organiser(), team_of(site, "Ada", "Wire")
    hand_in(site.site.hosted["grey"], "Wire", site.clock(), None)
    before = kept(site)
    for who in (organiser, ada):
        for path in (*GETS, *UNSAFE):
            assert who.client.get(filled(path, action="close"), follow_redirects=False).status_code < 500, path
            who.client.head(filled(path, action="close"), follow_redirects=False)
    assert kept(site) == before
    assert ada.get("/account").url.path == "/account"  # not logged out, either


def test_a_cookie_that_was_changed_is_nobodys(site: Running) -> None:
    ada = site.browser().sign_up("Ada")
    cookie = dict(ada.client.cookies.items())["flawscope-session"]
    for place in range(0, len(cookie), 7):
        letter = "A" if cookie[place] != "A" else "B"
        if place == len(cookie) - 1:
            continue  # the last letter of base 64 holds bits that mean nothing
        thief = site.browser()
        thief.client.cookies.set("flawscope-session", f"{cookie[:place]}{letter}{cookie[place + 1 :]}")
        assert thief.get("/account").url.path == "/login", place


def test_a_stolen_cookie_is_worth_nothing_after_another_password(site: Running) -> None:
    ada, thief = site.browser().sign_up("Ada"), site.browser()
    thief.client.cookies.update(dict(ada.client.cookies.items()))
    assert thief.get("/account").url.path == "/account"
    new = "another horse battery"
    ada.post("/account/password", "/account", old=PASSWORD, password=new, again=new)
    assert thief.get("/account").url.path == "/login" and ada.get("/account").url.path == "/account"


def test_a_token_that_is_revoked_hands_nothing_in(site: Running, make_bundle: Callable[..., Path]) -> None:
    ada = team_of(site, "Ada", "Wire")
    program, path = site.api("Ada"), f"{API}/challenges/grey/submissions"
    ada.post("/account/tokens/1/revoke", "/account")
    assert program.post(path, content=make_bundle().read_bytes()).status_code == 401
    assert program.get(path).status_code == 401 and not site.site.hosted["grey"].reads.submissions()


# --- what is to stay hidden -------------------------------------------------------------------------------------------


def test_codes_cannot_be_guessed(site: Running) -> None:
    assert len(LETTERS) ** CODE_LENGTH > 2**59
    eve = site.browser().sign_up("Eve")
    team_of(site, "Ada", "Wire")
    said = {
        eve.post("/c/grey/team/join", "/c/grey/team", code=code).text.partition("<main")[2].partition("</div>")[0]
        for code in ("aaaa-bbbb-cccc", "", "a" * 99)
    }
    assert len(said) == 1 and "no team of this challenge has this code" in said.pop()


def test_private_scores_are_nowhere_before_the_deadline(site: Running, hand_in: HandIn) -> None:
    ada, bob = team_of(site, "Ada", "Wire"), team_of(site, "Bob", "Tape")
    hosted = site.site.hosted["grey"]
    hand_in(hosted, "Wire", site.clock(), (4, 13))
    hand_in(hosted, "Tape", site.clock(), (5, 14))
    results = [each.results["private"] for each in hosted.reads.submissions()]
    private = {f"{found.metric:.3f}" for found in results}
    assert private == {"0.458", "0.417"}
    for who in (ada, bob, site.browser(), site.api("Ada")):
        for path, text in everything(who).items():
            assert not [value for value in private if value in text], path
            assert "answers_sha256" not in text and not [
                each.answers_sha256 for each in results if each.answers_sha256 in text
            ]
    assert ada.post("/c/grey/office/export", "/account").status_code == 404
    site.clock.now = datetime(2099, 1, 2, tzinfo=UTC)
    assert "0.458" in site.browser().get("/c/grey/final").text  # the test would find it


def test_the_office_is_nobody_elses(site: Running, hand_in: HandIn) -> None:
    ada = team_of(site, "Ada", "Wire")
    hand_in(site.site.hosted["grey"], "Wire", site.clock(), (4, 13))
    before = kept(site)
    for path in UNSAFE:
        if "/office" in path or path.startswith("/people"):
            for action in ("close", "deadline", "go-on", "disqualify", "again"):
                fields = {"team": "Wire", "why": "x", "number": "1", "deadline": "2030-01-01"}
                assert ada.post(filled(path, action=action), "/account", **fields).status_code in (403, 404)
    assert kept(site) == before
