"""The site's state: its settings, its database, who is known, and the challenges that it hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from flawscope.challenge.contest import contest_of
from flawscope.challenge.database import connect
from flawscope.challenge.desk import Desk, store_key
from flawscope.challenge.receive import sweep
from flawscope.challenge.spec import STORE, Challenge, load_challenge
from flawscope.challenge.store import Store
from flawscope.errors import UserError
from flawscope.site.attempts import Attempts
from flawscope.site.boards import Boards
from flawscope.site.database import Database
from flawscope.site.members import Members
from flawscope.site.passwords import Passwords
from flawscope.site.people import People
from flawscope.site.sessions import Sessions
from flawscope.site.settings import Settings
from flawscope.site.signing import Signing, kept_secret
from flawscope.site.tokens import Tokens

State = Literal["not open yet", "open", "closed", "goes on"]


@dataclass(frozen=True)
class Hosted:
    """A challenge that the site hosts: its folder, what it was made as, its store, and who is in which team.

    `reads` is the same store for what only reads: it waits for no one who writes.
    """

    folder: Path
    made: Challenge
    store: Store
    reads: Store
    members: Members

    @property
    def name(self) -> str:
        """As it stands in addresses."""
        return self.made.name

    @property
    def kit(self) -> Path:
        """The starter kit."""
        return self.folder / f"{self.made.name}-starter-kit.zip"

    def desk(self) -> Desk:
        """The desk with what was changed until now: ask once for each page.

        Raises:
            StoreError: the database is away.
        """
        return Desk(self.folder, self.made, contest_of(self.reads), self.store)


@dataclass(frozen=True)
class Site:
    """What every route may use. `trouble` is by challenge: why it is not judged at present; pages say so."""

    settings: Settings
    database: Database
    signing: Signing
    people: People
    sessions: Sessions
    tokens: Tokens
    hosted: Mapping[str, Hosted]
    boards: Mapping[str, Boards]
    trouble: dict[str, str]

    def now(self) -> datetime:
        """What time it is."""
        return self.settings.clock()


def state_of(desk: Desk, at: datetime) -> State:
    """Whether a challenge takes submissions; it goes on if it takes them after its deadline."""
    if at < desk.challenge.opens:
        return "not open yet"
    if at <= desk.challenge.deadline:
        return "open"
    return "goes on" if desk.contest.goes_on else "closed"


def opened(settings: Settings) -> Site:
    """The site of these settings: its database is brought up to date, its challenges are looked at.

    Uploads that a kill has left unfinished are swept away.

    Raises:
        UserError: a folder is no challenge, two have one name, or several have no database in common.
        DataError: a challenge cannot be read.
        StoreError: the database cannot be reached.
    """
    challenges = [(folder, load_challenge(folder)) for folder in settings.challenges]
    names = [challenge.name for _, challenge in challenges]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UserError(f"two of these challenges are called {twice}", "serve them one at a time, on two ports")
    if settings.database is None and len(challenges) > 1:
        raise UserError(
            "several challenges need one database for all",
            "name it: --database sqlite:///challenges.sqlite or postgresql://USER@HOST/NAME",
        )
    engine = connect(settings.database or settings.challenges[0] / STORE, settings.patience)
    database = Database(engine, settings.patience)
    secret = settings.secret.get_secret_value() if settings.secret else kept_secret(database)
    passwords = Passwords(settings.argon2, settings.hashers)
    hosted = {}
    for folder, challenge in challenges:
        key = store_key(challenge)
        hosted[challenge.name] = Hosted(
            folder,
            challenge,
            Store(engine, key, settings.patience),
            Store(database.reads, key, settings.patience),
            Members(database, key),
        )
        sweep(folder)
    return Site(
        settings=settings,
        database=database,
        signing=Signing(secret),
        people=People(database, passwords, Attempts(database)),
        sessions=Sessions(database, settings.session_hours),
        tokens=Tokens(database),
        hosted=hosted,
        boards={name: Boards(each.desk, each.reads) for name, each in hosted.items()},
        trouble={},
    )
