"""Signing up, logging in and out, passwords and tokens, as a browser does it; and what attackers try."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import PASSWORD, Running

OTHER = "another horse battery"


def test_sign_up_log_out_log_in(site: Running) -> None:
    browser = site.browser().sign_up("Ada")
    assert "Ada" in browser.get("/account").text
    assert "You are logged out." in browser.post("/logout", "/account").text
    answer = browser.get("/account")
    assert answer.url.path == "/login" and "log in to see this page" in answer.text
    wrong = browser.log_in("Ada", OTHER)
    assert wrong.status_code == 400 and "name and password do not belong together" in wrong.text
    assert 'value="Ada"' in wrong.text and OTHER not in wrong.text
    assert "You are logged in as Ada." in browser.log_in("Ada").text
    assert browser.get("/login").url.path == "/"  # no need to


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"name": "Ada", "password": PASSWORD, "again": OTHER}, 400, "not the same"),
        ({"name": "Ada", "password": "short", "again": "short"}, 400, "5 characters"),
        ({"name": "", "password": PASSWORD, "again": PASSWORD}, 400, "is no name"),
        ({}, 400, "expected 10 to 200|is no name"),
        ({"name": "BOB", "password": PASSWORD, "again": PASSWORD}, 409, "the name BOB is taken"),
    ],
)
def test_sign_up_says_what_is_wrong(site: Running, fields: dict[str, str], status: int, words: str) -> None:
    site.browser().sign_up("Bob")
    browser = site.browser()
    answer = browser.post("/signup", **fields)
    assert answer.status_code == status and re.search(words, answer.text)
    assert 'role="alert"' in answer.text and PASSWORD not in answer.text
    assert browser.get("/account").url.path == "/login"


def test_after_the_log_in_comes_the_page_that_was_asked_for(site: Running) -> None:
    site.browser().sign_up("Ada")
    browser = site.browser()
    asked = browser.get("/c/grey/team?code=abcd-efgh-2345")
    assert asked.url.path == "/login"
    found = re.search(r'name="next" value="([^"]+)"', asked.text)
    assert found
    answer = browser.post("/login", name="Ada", password=PASSWORD, next=found[1])
    assert answer.url.path == "/c/grey/team" and 'value="abcd-efgh-2345"' in answer.text


@pytest.mark.parametrize(
    "next_", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: y", "evil"]
)
def test_no_other_site_is_gone_to_after_the_log_in(site: Running, next_: str) -> None:
    site.browser().sign_up("Ada")
    browser = site.browser()
    assert "evil" not in browser.get("/login", params={"next": next_}).text
    token = browser.token("/login")
    fields = {"token": token, "name": "Ada", "password": PASSWORD, "next": next_}
    answer = browser.client.post("/login", data=fields, follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/"


# --- brute force --------------------------------------------------------------------------------------------------


def test_the_eleventh_wrong_password_is_not_tried(site: Running) -> None:
    site.browser().sign_up("Ada")
    said = []
    for name in ("Ada", "nobody"):
        browser = site.browser()
        for _ in range(10):
            assert browser.log_in(name, OTHER).status_code == 400
        answer = browser.log_in(name, PASSWORD)  # not even the right one
        assert answer.status_code == 429 and answer.headers["Retry-After"] == "900"
        said.append(re.sub(name, "NAME", answer.text.partition("<main")[2].partition("</div>")[0]))
    assert said[0] == said[1]  # the same words, whether there is such a name or not
    site.clock.forward(minutes=15)
    assert site.browser().log_in("Ada").status_code == 200


@pytest.fixture
def few_from_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flawscope.site.attempts.OF_AN_ADDRESS", 12)


@pytest.mark.usefixtures("few_from_an_address")
def test_many_names_from_one_address(site: Running) -> None:
    browser, elsewhere = site.browser("198.51.100.7"), site.browser("198.51.100.8")
    for i in range(12):
        browser.log_in(f"name {i}", OTHER)
    assert browser.log_in("name 51", OTHER).status_code == 429
    assert elsewhere.log_in("name 51", OTHER).status_code == 400


@pytest.mark.usefixtures("few_from_an_address")
def test_whose_address_it_is_nobody_can_say_themselves(site: Running) -> None:
    browser = site.browser()
    for i in range(12):
        browser.client.headers["X-Forwarded-For"] = f"203.0.113.{i}"
        browser.log_in(f"name {i}", OTHER)
    assert browser.log_in("Ada", OTHER).status_code == 429


# --- sessions -----------------------------------------------------------------------------------------------------


def cookies(browser: object) -> dict[str, str]:
    return dict(browser.client.cookies.items())  # type: ignore[attr-defined]


def test_the_session_gets_a_new_id_at_the_log_in(site: Running) -> None:
    site.browser().sign_up("Ada")
    victim = site.browser()
    victim.get("/login")
    before = cookies(victim)
    victim.log_in("Ada")
    assert not set(before.values()) & set(cookies(victim).values())
    attacker = site.browser()  # who has made the victim's browser begin with these
    attacker.client.cookies.update(before)
    assert attacker.get("/account").url.path == "/login"


def test_a_planted_session_is_not_gone_on_with(site: Running) -> None:
    attacker = site.browser().sign_up("Eve")
    site.browser().sign_up("Ada")
    victim = site.browser()
    victim.client.cookies.update(cookies(attacker))
    victim.post("/logout", "/account")
    victim.client.cookies.update(cookies(attacker))
    assert "Ada" in victim.post("/login", name="Ada", password=PASSWORD).text
    assert attacker.get("/account").url.path == "/login"


def test_logging_out_ends_it_on_the_server(site: Running) -> None:
    browser = site.browser().sign_up("Ada")
    stolen = cookies(browser)
    browser.post("/logout", "/account")
    thief = site.browser()
    thief.client.cookies.update(stolen)
    assert thief.get("/account").url.path == "/login"


@pytest.mark.parametrize("cookie", ["x", "", "W10.x.y", "null", "a" * 5000, "'\"<>"])
def test_made_up_cookies_are_nobody(site: Running, cookie: str) -> None:
    browser = site.browser()
    for name in ("flawscope-session", "flawscope-visit", "flawscope-flash"):
        browser.client.cookies.set(name, cookie)
    assert browser.get("/").status_code == 200
    assert browser.get("/account").url.path == "/login"


def test_what_is_signed_for_one_purpose_is_good_for_no_other(site: Running) -> None:
    browser = site.browser()
    browser.get("/login")
    visit = cookies(browser)["flawscope-visit"]
    browser.client.cookies.set("flawscope-session", visit)
    assert browser.get("/account").url.path == "/login"


def test_a_session_ends_after_its_hours(site: Running) -> None:
    browser = site.browser().sign_up("Ada")
    site.clock.forward(hours=167)
    assert browser.get("/account").url.path == "/account"
    site.clock.forward(hours=2)
    assert browser.get("/account").url.path == "/login"


@pytest.mark.parametrize("secure", [False, True])
def test_cookies_are_for_this_site_alone(contest: Path, make_site: Callable[..., Running], secure: bool) -> None:
    browser = make_site(contest, secure_cookies=secure).browser()
    token = browser.token("/signup")
    fields = {"token": token, "name": "Ada", "password": PASSWORD, "again": PASSWORD}
    answer = browser.client.post("/signup", data=fields, follow_redirects=False)
    made = [each for each in answer.headers.get_list("set-cookie") if "session=" in each or "flash=" in each]
    assert len(made) == 2
    for each in made:
        assert "HttpOnly" in each and "SameSite=lax" in each and "Path=/" in each and "Domain" not in each
        assert ("Secure" in each) is secure and each.startswith("__Host-" if secure else "flawscope-")
    assert ("strict-transport-security" in answer.headers) is secure
    assert "Welcome, Ada." in browser.get("/").text


# --- passwords, tokens --------------------------------------------------------------------------------------------


def test_another_password_ends_all_other_sessions(site: Running) -> None:
    browser, elsewhere = site.browser().sign_up("Ada"), site.browser()
    elsewhere.log_in("Ada")
    before = cookies(browser)["flawscope-session"]
    wrong = browser.post("/account/password", "/account", old=OTHER, password=OTHER, again=OTHER)
    assert wrong.status_code == 400 and elsewhere.get("/account").url.path == "/account"
    answer = browser.post("/account/password", "/account", old=PASSWORD, password=OTHER, again=OTHER)
    assert "Your password is changed." in answer.text and cookies(browser)["flawscope-session"] != before
    assert browser.get("/account").url.path == "/account" and elsewhere.get("/account").url.path == "/login"
    assert elsewhere.log_in("Ada").status_code == 400 and elsewhere.log_in("Ada", OTHER).status_code == 200


def test_logging_out_everywhere(site: Running) -> None:
    browser, elsewhere = site.browser().sign_up("Ada"), site.browser()
    elsewhere.log_in("Ada")
    assert "You are logged out everywhere." in browser.post("/account/sessions", "/account").text
    assert {each.get("/account").url.path for each in (browser, elsewhere)} == {"/login"}


def test_a_token_is_shown_once(site: Running) -> None:
    browser = site.browser().sign_up("Ada")
    made = browser.post("/account/tokens", "/account", label="<i>laptop")
    found = re.search(r"fsc_[\w-]{43}", made.text)
    assert found and made.headers["cache-control"] == "no-store"
    listed = browser.get("/account").text
    assert "fsc_" not in listed and "&lt;i&gt;laptop" in listed
    program = site.browser().client
    program.headers["Authorization"] = f"Bearer {found[0]}"
    assert program.get("/api/v1/me").json() == {"name": "Ada", "organiser": False}
    other = site.browser().sign_up("Bob")
    assert other.post("/account/tokens/1/revoke", "/account").status_code == 404
    assert program.get("/api/v1/me").status_code == 200
    assert "The token is revoked." in browser.post("/account/tokens/1/revoke", "/account").text
    assert program.get("/api/v1/me").status_code == 401
    assert browser.post("/account/tokens", "/account", label=" ").status_code == 400


# --- the first organiser ------------------------------------------------------------------------------------------


def test_the_first_organiser_by_the_link(site: Running) -> None:
    code, browser = site.site.people.new_setup_code(), site.browser()
    assert site.browser().get("/setup/x").status_code == 404
    wrong = browser.post(f"/setup/{code}", name="Olga", password="short", again="short")
    assert wrong.status_code == 400
    answer = browser.post(f"/setup/{code}", name="Olga", password=PASSWORD, again=PASSWORD)
    assert "You organise the challenges of this site." in answer.text and ">People</a>" in answer.text
    assert browser.get(f"/setup/{code}").status_code == 404


# --- people -------------------------------------------------------------------------------------------------------


def test_organisers_see_people_and_help_them(site: Running) -> None:
    organiser, ada, bob = site.organiser(), site.browser().sign_up("Ada"), site.browser().sign_up("<b>Bob")
    page = organiser.get("/people").text
    assert "3 accounts" in page and "&lt;b&gt;Bob" in page and "<b>Bob" not in page
    number = {each.name: each.id for each in site.site.people.everybody()}
    assert "Ada is an organiser now." in organiser.post(f"/people/{number['Ada']}/organiser", "/people").text
    assert ada.get("/people").status_code == 200
    answer = organiser.post(f"/people/{number['<b>Bob']}/link", "/people")
    link = re.search(r"http://testserver(/link/\S+?)<", answer.text)
    assert link
    forgetful = site.browser()
    assert forgetful.post(link[1], password="short", again="short").status_code == 400
    assert "You have a new password, &lt;b&gt;Bob" in forgetful.post(link[1], password=OTHER, again=OTHER).text
    assert bob.get("/account").url.path == "/login"
    assert forgetful.get(link[1]).status_code == 404
    assert organiser.post("/people/99/organiser", "/people").status_code == 404
    (own,) = (each.id for each in site.site.people.everybody() if each.organiser and each.name != "Ada")
    assert f"/people/{own}/organiser/end" not in organiser.get("/people").text, "nobody does it to themselves"
    assert organiser.post(f"/people/{own}/organiser/end", "/people").status_code == 409
    assert organiser.post(f"/people/{number['Ada']}/organiser/end", "/people").status_code == 200
    assert ada.get("/people").status_code == 403 and "Ada is an organiser no more" in organiser.get("/people").text


def test_nobody_else_sees_people(site: Running) -> None:
    ada = site.browser().sign_up("Ada")
    assert ada.get("/people").status_code == 403
    assert ada.post("/people/1/organiser", "/account").status_code == 403
    assert ada.post("/people/1/organiser/end", "/account").status_code == 403
    assert ada.post("/people/1/link", "/account").status_code == 403
    assert not site.site.people.everybody()[0].organiser
    assert site.browser().get("/people").url.path == "/login"
