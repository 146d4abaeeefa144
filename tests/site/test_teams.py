"""Teams, as a browser sees them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from .conftest import Running


def code_of(page: str) -> str:
    found = re.search(r"<code>([a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4})</code>", page)
    assert found
    return found[1]


def test_from_creating_to_leaving(site: Running) -> None:
    ada, bob = site.browser().sign_up("Ada"), site.browser().sign_up("Bob")
    made = ada.post("/c/grey/team", team='<script>alert("x")</script> & Co')
    assert "&lt;script&gt;" in made.text and "<script" not in made.text
    assert f"http://testserver/c/grey/team?code={code_of(made.text)}" in made.text and "Ada" in made.text
    assert 'value="abcd"' in bob.get("/c/grey/team?code=abcd").text
    joined = bob.post("/c/grey/team/join", "/c/grey/team", code=code_of(made.text))
    assert "You are in the team &lt;script&gt;" in joined.text and "Make a new code" not in joined.text
    assert "(captain)" in joined.text and "&lt;script&gt;" in bob.get("/c/grey").text
    assert bob.post("/c/grey/team/code", "/c/grey/team").status_code == 403
    renewed = ada.post("/c/grey/team/code", "/c/grey/team")
    assert code_of(renewed.text) != code_of(made.text)
    assert "You have left the team" in bob.post("/c/grey/team/leave", "/c/grey/team").text
    answer = bob.post("/c/grey/team/join", "/c/grey/team", code=code_of(made.text))
    assert answer.status_code == 404 and "no team of this challenge has this code" in answer.text
    answer = bob.post("/c/grey/team", team='<script>ALERT("x")</script> & co')
    assert answer.status_code == 409 and "there is a team called" in answer.text
    assert bob.post("/c/grey/team", team=" ").status_code == 400
    assert bob.post("/c/grey/team/leave", "/c/grey/team").status_code == 403


def test_the_captain_takes_somebody_out(site: Running) -> None:
    ada, bob = site.browser().sign_up("Ada"), site.browser().sign_up("<b>Bob")
    code = code_of(ada.post("/c/grey/team", team="Bolts").text)
    assert "Take " not in bob.post("/c/grey/team/join", "/c/grey/team", code=code).text
    assert bob.post("/c/grey/team/out", "/c/grey/team", member="Ada").status_code == 403
    page = ada.get("/c/grey/team").text
    assert "Take &lt;b&gt;Bob out" in page and 'name="member" value="&lt;b&gt;Bob"' in page and "Take Ada" not in page
    assert ada.post("/c/grey/team/out", "/c/grey/team", member="Eve").status_code == 404
    told = ada.post("/c/grey/team/out", "/c/grey/team", member="<b>Bob").text
    assert "&lt;b&gt;Bob is in the team no more. It has a new code" in told and code_of(told) != code
    assert "Join a team" in bob.get("/c/grey/team").text


def test_another_team_shows_nothing(site: Running) -> None:
    ada, eve = site.browser().sign_up("Ada"), site.browser().sign_up("Eve")
    code = code_of(ada.post("/c/grey/team", team="Bolts").text)
    eve.post("/c/grey/team", team="Nuts")
    for path in ("/", "/c/grey", "/c/grey/team"):
        page = eve.get(path).text
        assert code not in page and "Ada" not in page and "Bolts" not in page


def test_nobody_joins_after_the_deadline(site: Running) -> None:
    ada, bob = site.browser().sign_up("Ada"), site.browser().sign_up("Bob")
    code = code_of(ada.post("/c/grey/team", team="Bolts").text)
    site.clock.now = datetime(2099, 1, 2, tzinfo=UTC)
    for each in (ada, bob):
        each.log_in("Ada" if each is ada else "Bob")
    assert "nobody can join any more" in ada.get("/c/grey/team").text
    answer = bob.post("/c/grey/team/join", "/c/grey/team", code=code)
    assert answer.status_code == 409 and "the deadline has passed" in answer.text
    assert "After the deadline nobody joins it." in bob.post("/c/grey/team", team="Nuts").text


def test_who_is_not_logged_in_has_no_team(site: Running) -> None:
    stranger = site.browser()
    assert stranger.get("/c/grey/team").url.path == "/login"
    answer = stranger.post("/c/grey/team", "/login", team="Bolts")
    assert answer.url.path == "/login" and site.site.hosted["grey"].members.database is site.site.database
