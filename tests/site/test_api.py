"""The API: tokens alone, typed answers, refusals in words."""

from __future__ import annotations

import pytest

from .conftest import Running


def test_a_team_by_programs(site: Running) -> None:
    for name in ("Ada", "Bob"):
        site.browser().sign_up(name)
    ada, bob, team = site.api("Ada"), site.api("Bob"), "/api/v1/challenges/grey/team"
    assert ada.get(team).status_code == 404
    made = ada.post(team, json={"name": "Bolts"})
    assert made.status_code == 201
    assert made.json()["members"] == [{"name": "Ada", "captain": True}]
    assert bob.post(f"{team}/join", json={"code": "x"}).status_code == 404
    joined = bob.post(f"{team}/join", json={"code": made.json()["code"]})
    assert joined.status_code == 200 and len(joined.json()["members"]) == 2
    again = bob.post(team, json={"name": "Nuts"})
    assert again.status_code == 409
    assert again.json() == {"problem": "you are in a team of this challenge", "remedy": "leave it first"}
    assert bob.post(f"{team}/code").status_code == 403
    assert ada.post(f"{team}/code").json()["code"] != made.json()["code"]
    assert bob.post(f"{team}/out", json={"name": "Ada"}).status_code == 403
    alone = ada.post(f"{team}/out", json={"name": "Bob"})
    assert alone.json()["members"] == made.json()["members"]
    assert bob.post(f"{team}/join", json={"code": alone.json()["code"]}).status_code == 200
    left = bob.post(f"{team}/leave")
    assert (left.status_code, left.content) == (204, b"")
    assert bob.get(team).status_code == 404 and ada.get(team).json()["name"] == "Bolts"


def test_cookies_count_for_nothing(site: Running) -> None:
    browser = site.browser().sign_up("Ada")
    answer = browser.client.get("/api/v1/me")
    assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["problem"] == "the token is missing, or not valid"
    assert browser.client.post("/api/v1/challenges/grey/team", json={"name": "x"}).status_code == 401


@pytest.mark.parametrize("head", ["", "Bearer", "Bearer x", "Basic QWRhOng=", "Bearer fsc_" + "a" * 43, "Bearer \xff"])
def test_what_is_no_token(site: Running, head: str) -> None:
    answer = site.browser().client.get("/api/v1/me", headers={"Authorization": head.encode("latin-1")})
    assert answer.status_code == 401


def test_a_token_opens_no_page(site: Running) -> None:
    site.browser().sign_up("Ada")
    assert site.api("Ada").get("/account").url.path == "/login"


def test_what_does_not_fit_is_refused_in_words(site: Running) -> None:
    site.browser().sign_up("Ada")
    ada = site.api("Ada")
    for more in ({"json": {}}, {"json": {"name": 1}}, {"json": []}, {"content": b"{"}, {"json": {"name": "x" * 401}}):
        answer = ada.post("/api/v1/challenges/grey/team", **more)
        assert answer.status_code == 422 and set(answer.json()) == {"problem", "remedy"}
    lone = ada.post("/api/v1/challenges/grey/team", content=b'{"name": "\\ud800"}')
    assert lone.status_code in (400, 422) and lone.json()["problem"]


def test_the_description_names_all_refusals(site: Running) -> None:
    document = site.browser().get("/api/v1/openapi.json").json()
    assert document["paths"] and all(path.startswith("/api/v1/") for path in document["paths"])
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            refusals = {status: each for status, each in operation["responses"].items() if not status.startswith("2")}
            assert {"422", "503"} <= set(refusals), (path, method)
            for each in refusals.values():
                assert each["content"]["application/json"]["schema"]["$ref"].endswith("/Problem")
            public = path in ("/api/v1/challenges", "/api/v1/challenges/{name}")
            assert ("401" in refusals) is not public and bool(operation.get("security")) is not public
            assert ("413" in refusals) is ("requestBody" in operation)
    assert "HTTPValidationError" not in str(document)
