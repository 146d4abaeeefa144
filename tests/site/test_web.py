"""What holds for every page: the token in each form, the headers, words that are said once, errors in words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute

from flawscope.errors import DataError, OutputError, StoreError, UserError
from flawscope.site import web
from flawscope.site.app import PAGES
from flawscope.site.guard import SMALL_BODY

from .conftest import PASSWORD, Browser, Running

ROUTES = [route for router in PAGES for route in router.routes if isinstance(route, APIRoute)]
UNSAFE = sorted(
    (method, route.path)
    for route in ROUTES
    for method in route.methods - {"GET", "HEAD"}  # all others change something
)
FILL = {"{action}": "close", "{name}": "grey", "{number}": "1", "{code}": "x"}


def address(path: str) -> str:
    return re.sub(r"\{\w+\}", lambda found: FILL[found[0]], path)


def test_there_are_pages_that_change_something() -> None:
    assert len(UNSAFE) > 10 and {method for method, _ in UNSAFE} == {"POST"}


@pytest.fixture(scope="module")
def open_site(make_site: Any, fill_challenge: Any, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """A site for tests that change nothing."""
    found: Running = make_site(fill_challenge(tmp_path_factory.mktemp("site") / "contest"))
    return found


@pytest.fixture(scope="module")
def ada(open_site: Running) -> Browser:
    return open_site.browser().sign_up("Ada")


@pytest.mark.parametrize(("method", "path"), UNSAFE)
def test_no_form_is_taken_without_the_token_of_its_session(
    open_site: Running, ada: Browser, method: str, path: str
) -> None:
    other = open_site.browser()
    tokens = [None, "", "x", "ü", other.token("/login"), open_site.site.signing.token("")]
    for token in tokens:
        answer = ada.client.request(method, address(path), data={} if token is None else {"token": token})
        assert answer.status_code == 403 and "out of date" in answer.text, (path, token)
    own = ada.token("/account")
    for more in ({"json": {"token": own}}, {"files": {"token": ("x", own)}}, {"params": {"token": own}}):
        assert ada.client.request(method, address(path), **more).status_code == 403, (path, more)
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site}
        answer = ada.client.request(method, address(path), data={"token": own}, headers=headers)
        assert answer.status_code == 403 and "another site" in answer.text
    stranger = open_site.browser()  # has no cookie at all, but a token that was made somewhere
    assert stranger.client.request(method, address(path), data={"token": own}).status_code == 403


def test_the_token_of_before_the_log_in_is_worth_nothing_after_it(site: Running) -> None:
    browser = site.browser()
    before = browser.token("/signup")
    browser.sign_up("Ada")
    assert browser.client.post("/account/tokens", data={"token": before, "label": "x"}).status_code == 403


@pytest.mark.parametrize(
    "path", ["/", "/c/grey", "/login", "/nix", "/account", "/static/style.css", "/api/v1/challenges"]
)
def test_browsers_are_told_to_refuse_what_is_not_ours(open_site: Running, path: str) -> None:
    answer = open_site.browser().client.get(path, follow_redirects=False)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == ("public, max-age=3600" if "static" in path else "no-store")


PUBLIC = ["/", "/c/grey", "/login", "/signup", "/nix"]


@pytest.mark.parametrize("path", [*PUBLIC, "/account", "/c/grey/team"])
def test_pages_can_be_used_by_everybody(open_site: Running, ada: Browser, path: str) -> None:
    text = (open_site.browser() if path in PUBLIC else ada).get(path).text
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">') and "viewport" in text
    assert (
        "<script" not in text
        and " style=" not in text
        and " onclick" not in text
        and "http://" not in text.partition("<main")[0]
    )
    assert 'href="#main"' in text and 'id="main"' in text and text.count("<h1>") == 1
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for one in re.findall(r"<input [^>]*>", text):
        if 'type="hidden"' not in one and " hidden" not in one:
            named = re.search(r' id="([^"]+)"', one)
            assert named and f'<label for="{named[1]}">' in text, one
    for each in re.findall(r'aria-(?:describedby|labelledby)="([^"]+)"', text):
        assert each in ids


def test_words_are_said_once(site: Running) -> None:
    browser = site.browser()
    assert "Welcome, Ada." in browser.sign_up("Ada").seen.text
    assert "Welcome, Ada." not in browser.get("/").text


def test_what_is_no_page_is_said_in_words(open_site: Running, ada: Browser) -> None:
    for path in ("/nix", "/c/nix", "/c/nix/team", "/static/nix", "/static/../app.py", "/setup/%00", "/link/%ff"):
        answer = ada.get(path)
        assert answer.status_code == 404 and 'role="alert"' in answer.text, path
    for path, allowed in (
        ("/login", "GET, HEAD, POST"),
        ("/api/v1/challenges/grey/team", "GET, HEAD, POST"),
        ("/static/x", "GET, HEAD"),
    ):
        answer = ada.client.put(path)
        assert answer.status_code == 405 and answer.headers["allow"] == allowed
    assert open_site.browser().get("/api/v1/nix").json()["problem"] == "there is no such page"


@pytest.mark.parametrize("error", [StoreError, OutputError, DataError, UserError, RuntimeError, KeyError])
def test_no_error_shows_what_is_inside(
    site: Running, monkeypatch: pytest.MonkeyPatch, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    secret = "postgresql://me:hunter2@db/x"
    browser = site.browser().sign_up("Ada")

    def broken(*_: object) -> None:
        raise error(secret)

    monkeypatch.setattr(type(site.site.hosted["grey"]), "desk", broken)
    for path in ("/", "/api/v1/challenges"):
        answer = browser.get(path)
        status = 400 if error is UserError else 503 if issubclass(error, UserError) else 500
        assert answer.status_code == status, path
        assert (secret in answer.text) is (error is UserError) and "Traceback" not in answer.text
        assert "content-security-policy" in answer.headers
        assert (answer.headers.get("retry-after") is not None) is (status == 503)
    if error is not UserError and issubclass(error, UserError):
        assert secret in caplog.text  # the log has it


def test_more_than_a_form_is_not_taken(open_site: Running, ada: Browser) -> None:
    token = ada.token("/account")
    answer = ada.client.post("/account/tokens", data={"token": token, "label": "x" * SMALL_BODY})
    assert answer.status_code == 413 and f"more than {SMALL_BODY:,} bytes" in answer.text

    def pieces() -> Any:
        yield f"token={token}&label=".encode()
        for _ in range(80):
            yield b"x" * 1024

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ada.client.post("/account/tokens", content=pieces(), headers=headers).status_code == 413
    program = open_site.api("Ada")
    answer = program.post("/api/v1/challenges/grey/team", json={"name": "x" * SMALL_BODY})
    assert answer.status_code == 413 and set(answer.json()) == {"problem", "remedy"}
    many = "&".join(f"a{i}=1" for i in range(2000))
    assert ada.client.post("/account/tokens", content=many, headers=headers).status_code == 400


def test_a_broken_form_is_refused_in_words(ada: Browser) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    assert ada.client.post("/account/tokens", content=b"--x", headers=headers).status_code in (400, 403)
    files = {"label": ("x", b"x")}
    answer = ada.client.post("/account/tokens", data={"token": ada.token("/account")}, files=files)
    assert answer.status_code == 422 and "does not fit" in answer.text


NUMBERED = [path for _, path in UNSAFE if "{number}" in path]


@pytest.mark.parametrize("path", NUMBERED)
def test_a_number_that_nothing_has_is_no_page(site: Running, path: str) -> None:
    organiser = site.organiser()
    token = organiser.token("/account")
    organiser.post("/c/grey/team", team="A")
    for number in ("0", "-1", "x", "1e3", "999999999", "9" * 20, "-" + "9" * 20, "9" * 5000):
        there = path.format(name="grey", number=number)
        answer = organiser.client.post(there, data={"token": token})
        assert answer.status_code == 404 and 'role="alert"' in answer.text, number
    assert len(NUMBERED) > 3


def test_a_page_that_a_form_has_answered_can_be_loaded_anew(open_site: Running, ada: Browser) -> None:
    for path, page in (
        ("/c/grey/team/join", "/c/grey/team"),
        ("/c/grey/submissions/3/note", "/c/grey/submissions"),
        ("/account/tokens/3/revoke", "/account"),
        ("/logout", "/"),
    ):
        answer = ada.client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, page)
    assert ada.get("/account/password").status_code == 200
    answer = open_site.api("Ada").get("/api/v1/challenges/grey/team/join")
    assert answer.status_code == 405 and answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/", "/healthz", "/c/grey", "/nix", "/static/style.css", "/api/v1/challenges"])
def test_the_head_alone_can_be_asked_for(open_site: Running, path: str) -> None:
    client = open_site.browser().client
    whole, head = client.get(path), client.head(path)
    assert head.content == b"" and whole.content
    assert head.status_code == whole.status_code and head.headers["content-type"] == whole.headers["content-type"]


def test_the_site_is_well_or_says_that_it_is_not(site: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = site.browser()
    assert browser.get("/healthz").json() == {"status": "ok"}

    def broken(*_: object) -> None:
        raise StoreError("away")

    monkeypatch.setattr(type(site.site.database), "read", broken)
    assert browser.get("/healthz").status_code == 503


def test_who_organises_is_asked_for_each_page(site: Running) -> None:
    assert web.organiser_of.__doc__ and site.organiser().get("/people").status_code == 200
    assert site.browser().sign_up("Ada", PASSWORD).get("/people").status_code == 403
