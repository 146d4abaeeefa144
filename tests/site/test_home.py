"""The list of challenges, a challenge's front page, its starter kit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flawscope.challenge.contest import change_contest
from flawscope.errors import UserError

from .conftest import Running

Make = Callable[..., Running]
WHEN = {"opens": "2027-01-30T00:00Z", "deadline": "2027-02-02T14:30Z"}


def test_a_front_page_says_what_it_is_about(fill_challenge: Any, make_site: Make, tmp_path: Path) -> None:
    title = "Grey <parts> & more"
    folder = fill_challenge(tmp_path / "a", title=title, licence="CC BY 4.0", **WHEN)
    site = make_site(folder)
    for path in ("/", "/c/grey"):
        page = site.browser().get(path).text
        assert "Grey &lt;parts&gt; &amp; more" in page and title not in page
        assert "Open.</b> 2 days and 2 hours left, until" in page and "2 February 2027, 14:30 UTC" in page
    for words in (
        "<b>defective</b>", "<b>functional</b>", "Share of the images of which every label is right", "accuracy", "0.6",
        "5 a day (UTC) and team", "At most 512 MB", "CC BY 4.0", "better by more than 0.01", "Log in",
    ):  # fmt: skip
        assert words in page, words
    assert "Starter kit</a>" not in page


@pytest.mark.parametrize(
    ("kind", "classes", "words"),
    [
        ("multilabel", ["crack", "inactive"], "It may be several, or none: then it is <b>ok</b>"),
        ("multiclass", ["ok", "crack", "hole"], "Which one of 3 kinds"),
    ],
)
def test_other_kinds_of_tasks(
    fill_challenge: Any, make_site: Make, tmp_path: Path, kind: str, classes: list[str], words: str
) -> None:
    site = make_site(fill_challenge(tmp_path / "a", kind=kind, classes=classes, negative="ok", metric="mean_f1"))
    page = site.browser().get("/c/grey").text
    assert words in page and all(f"<li>{each}" in page for each in classes)
    assert site.browser().get("/api/v1/challenges/grey").json()["classes"] == classes


def test_before_and_after(fill_challenge: Any, make_site: Make, tmp_path: Path) -> None:
    site = make_site(fill_challenge(tmp_path / "a", **WHEN))
    (tmp_path / "a" / "grey-starter-kit.zip").write_bytes(b"PK")
    ada, organiser = site.browser().sign_up("Ada"), site.organiser()

    def state() -> str:
        return str(site.browser().get("/api/v1/challenges/grey").json()["state"])

    site.clock.now = datetime(2027, 1, 29, 23, tzinfo=UTC)
    ada.log_in("Ada")
    assert "Not open yet.</b> It opens in 1 hour" in ada.get("/c/grey").text and state() == "not open yet"
    assert ada.get("/c/grey/starter-kit").status_code == 409
    assert organiser.get("/c/grey/starter-kit").content == b"PK"
    site.clock.now = datetime(2027, 1, 31, tzinfo=UTC)
    kit = ada.get("/c/grey/starter-kit")
    assert kit.content == b"PK" and 'filename="grey-starter-kit.zip"' in kit.headers["content-disposition"]
    assert site.browser().get("/c/grey/starter-kit").url.path == "/login"
    site.clock.now = datetime(2027, 2, 3, tzinfo=UTC)
    assert "Closed.</b>" in ada.get("/c/grey").text and state() == "closed"
    hosted = site.site.hosted["grey"]
    change_contest(hosted.store, hosted.made, goes_on=True)
    assert "It goes on.</b>" in ada.get("/c/grey").text and state() == "goes on"
    change_contest(hosted.store, hosted.made, deadline=datetime(2027, 2, 4, tzinfo=UTC))
    assert "Open.</b> 1 day left" in ada.get("/c/grey").text and state() == "open"


def test_without_a_kit(contest: Path, make_site: Make) -> None:
    ada = make_site(contest).browser().sign_up("Ada")
    assert "not on this server" in ada.get("/c/grey").text
    assert ada.get("/c/grey/starter-kit").status_code == 404


def test_several_challenges_have_teams_of_their_own(fill_challenge: Any, make_site: Make, tmp_path: Path) -> None:
    folders = [fill_challenge(tmp_path / name, name=name, title=f"The {name} ones") for name in ("red", "blue")]
    with pytest.raises(UserError, match="several challenges need one database"):
        make_site(*folders)
    site = make_site(*folders, database=f"sqlite:///{tmp_path / 'all.sqlite'}")
    ada = site.browser().sign_up("Ada")
    ada.post("/c/red/team", team="Bolts")
    page = ada.get("/").text
    assert "The red ones" in page and "Your team: <b>Bolts</b>" in page and page.count("You are in no team.") == 1
    assert "Create a team" in ada.get("/c/blue/team").text
    assert [each["name"] for each in ada.get("/api/v1/challenges").json()] == ["red", "blue"]
    with pytest.raises(UserError, match="two of these challenges are called red"):
        make_site(folders[0], folders[0], database=f"sqlite:///{tmp_path / 'all.sqlite'}")


def test_it_is_said_loudly_that_nothing_is_judged(site: Running) -> None:
    ada, organiser = site.browser().sign_up("Ada"), site.organiser()
    assert "Nothing is judged" not in ada.get("/c/grey").text
    site.site.trouble["grey"] = "bubblewrap is not installed"
    assert "Nothing is judged at present." in ada.get("/c/grey").text and "bubblewrap" not in ada.get("/c/grey").text
    assert "bubblewrap is not installed" in organiser.get("/c/grey").text
    assert "Nothing is judged" not in ada.get("/").text
