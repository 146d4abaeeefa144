from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from flawscope.challenge.answers import Answers, packed
from flawscope.challenge.database import connect
from flawscope.challenge.desk import HIDDEN, Desk
from flawscope.challenge.submitted import PartResult
from flawscope.challenge.worker import answers_path
from flawscope.site.app import create_app
from flawscope.site.attempts import Attempts
from flawscope.site.database import Database
from flawscope.site.hosted import Hosted, Site
from flawscope.site.passwords import Passwords
from flawscope.site.people import People
from flawscope.site.settings import Argon2, Settings
from flawscope.storage import write_bytes

CHEAP = Argon2(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"


@dataclass
class Clock:
    """The time of a site; a test moves it."""

    now: datetime = datetime(2027, 1, 31, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class Browser:
    """One browser: keeps its cookies, follows redirects, fills in the hidden token of the page that it looked at."""

    client: TestClient
    seen: Any = None
    hidden: dict[str, str] = field(default_factory=dict)

    def get(self, address: str, **more: Any) -> Any:
        self.seen = self.client.get(address, **more)
        return self.seen

    def post(self, address: str, page: str | None = None, **fields: str) -> Any:
        """Send the form of a page (by default the one that it is sent to)."""
        token = self.token(page or address)
        self.seen = self.client.post(address, data={"token": token, **fields})
        return self.seen

    def token(self, page: str) -> str:
        found = re.search(r'name="token" value="([0-9a-f]{64})"', self.client.get(page).text)
        assert found, f"{page} has no form"
        return found[1]

    def sign_up(self, name: str, password: str = PASSWORD) -> Browser:
        answer = self.post("/signup", name=name, password=password, again=password)
        assert f"Welcome, {name}." in html.unescape(answer.text), answer.text
        return self

    def log_in(self, name: str, password: str = PASSWORD) -> Any:
        return self.post("/login", name=name, password=password)


@dataclass
class Running:
    """A site that runs inside of the test."""

    app: Any
    clock: Clock

    @property
    def site(self) -> Site:
        found: Site = self.app.state.site
        return found

    def browser(self, address: str = "192.0.2.1") -> Browser:
        base = "https://testserver" if self.site.settings.secure_cookies else "http://testserver"
        client = TestClient(self.app, base_url=base, client=(address, 50000), raise_server_exceptions=False)
        return Browser(client)

    def organiser(self) -> Browser:
        """The first organiser, logged in."""
        browser, code = self.browser(), self.site.people.new_setup_code()
        answer = browser.post(f"/setup/{code}", name="Olga", password=PASSWORD, again=PASSWORD)
        assert answer.status_code == 200, answer.text
        return browser

    def api(self, name: str) -> TestClient:
        """A program of somebody who has signed up."""
        person = next(each for each in self.site.people.everybody() if each.name == name)
        token = self.site.tokens.make(person, "test", self.clock())
        client = TestClient(self.app, raise_server_exceptions=False)
        client.headers["Authorization"] = f"Bearer {token}"
        return client


def hand_in(
    hosted: Hosted, team: str, at: datetime, wrong: tuple[int, int] | None = (0, 0), desk: Desk | None = None
) -> int:
    """A submission of a team, judged without a sandbox: it errs on so many public and private images; None: it waits.

    Returns its number.
    """
    desk = desk or hosted.desk()
    sha256 = hashlib.sha256(f"{team} {at} {wrong}".encode()).hexdigest()
    number = desk.store.submit(team, sha256, at, daily=1000).number
    if wrong is None:
        return number
    claim = desk.store.claim(at, timedelta(minutes=1))
    assert claim and claim.number == number
    results = []
    for part, most in zip(HIDDEN, wrong, strict=True):
        truth_nk = desk.hidden[part].labels.truth_nk
        order_n = np.random.default_rng(number).permutation(len(truth_nk))
        decided_nk = truth_nk ^ (order_n < most)[:, None]
        content = packed(decided_nk.astype(float), decided_nk)
        metric, measures = desk.bench().parts[part].score(Answers(decided_nk.astype(float), decided_nk, 1.0))
        write_bytes(answers_path(desk.folder, number, part), content)
        results.append(
            PartResult(part, hashlib.sha256(content).hexdigest(), metric.value, metric.low, metric.high, measures, 1.0)
        )
    assert desk.store.finish(claim, results, at)
    return number


@pytest.fixture(name="hand_in", scope="session")
def hand_in_fixture() -> Callable[..., int]:
    """`hand_in(hosted, "a", at, wrong=(3, 2))`: see there."""
    return hand_in


@pytest.fixture(scope="session")
def make_site() -> Callable[..., Running]:
    """`make_site(folder, secure_cookies=True)`: a site of challenges, with settings changed."""

    def make(*folders: Path, **changes: Any) -> Running:
        clock = Clock()
        settings = {"argon2": CHEAP, "clock": clock, "patience": 1} | changes
        return Running(create_app(Settings(challenges=folders, **settings)), clock)

    return make


@pytest.fixture
def site(contest: Path, make_site: Callable[..., Running]) -> Running:
    """The site of one challenge, "grey"."""
    (contest / "grey-starter-kit.zip").write_bytes(b"PK the kit")
    return make_site(contest)


@pytest.fixture
def database(place: str | Path) -> Database:
    """An empty database, SQLite and PostgreSQL."""
    return Database(connect(place, 1), 1)


@pytest.fixture
def people(database: Database) -> People:
    """Its people; passwords cost nothing."""
    return People(database, Passwords(CHEAP, 4), Attempts(database))
