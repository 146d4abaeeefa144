"""Links for a new password: made by organisers, told once, good once and for a day."""

from __future__ import annotations

import re
from typing import Any

NEW = "four other plain words"


def person(site: Any, name: str) -> int:
    return next(each.id for each in site.site.people.everybody() if each.name == name)


def link_for(site: Any, organiser: Any, name: str) -> str:
    answer = organiser.post(f"/people/{person(site, name)}/password", page="/people")
    found = re.search(r"<code>http://testserver(/reset/[\w-]+)</code>", answer.text)
    assert found, answer.text
    return found[1]


def test_a_link_is_good_for_one_password(site: Any) -> None:
    organiser, ada = site.organiser(), site.browser().sign_up("Ada")
    link = link_for(site, organiser, "Ada")
    assert link not in organiser.get("/people").text, "it is told once"
    assert "a link for a new password for Ada" in organiser.get("/people").text
    other = site.browser()
    answer = other.post(link, password=NEW, again="something else now")
    assert answer.status_code == 400 and "not the same" in answer.text
    assert other.post(link, password="short", again="short").status_code == 400
    assert "Your password is changed" in other.post(link, password=NEW, again=NEW).text
    assert ada.get("/account").url.path == "/login", "other sessions end"
    assert other.get("/account").url.path == "/account"
    assert site.browser().get(link).status_code == 404
    assert "logged in as Ada" in site.browser().log_in("Ada", NEW).text
    assert "do not belong together" in site.browser().log_in("Ada").text


def test_until_it_is_used_the_old_password_is_good(site: Any) -> None:
    organiser = site.organiser()
    site.browser().sign_up("Ada")
    link_for(site, organiser, "Ada")
    assert "logged in as Ada" in site.browser().log_in("Ada").text


def test_a_link_runs_out_and_a_second_one_takes_its_place(site: Any) -> None:
    organiser = site.organiser()
    site.browser().sign_up("Ada")
    first, second = (link_for(site, organiser, "Ada") for _ in range(2))
    assert site.browser().get(first).status_code == 404
    form = site.browser()
    token = form.token(second)
    site.clock.forward(hours=24)
    assert form.client.post(second, data={"token": token, "password": NEW, "again": NEW}).status_code == 404
    assert form.get("/reset/nonsense").status_code == 404


def test_only_organisers_make_them_and_each_is_in_the_log(site: Any) -> None:
    organiser, ada = site.organiser(), site.browser().sign_up("Ada")
    token = ada.token("/account")
    for action in ("password", "organiser"):
        answer = ada.client.post(f"/people/{person(site, 'Olga')}/{action}", data={"token": token})
        assert answer.status_code == 403
    assert organiser.post("/people/999/password", page="/people").status_code == 404
    organiser.post(f"/people/{person(site, 'Ada')}/organiser", page="/people")
    assert (
        "made Ada an organiser" in ada.get("/people").text and "made Ada an organiser" in ada.get("/c/grey/office").text
    )
    assert "for a new password" not in ada.get("/people").text.split('id="log"')[1]
