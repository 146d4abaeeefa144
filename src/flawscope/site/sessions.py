"""Sessions: who is logged in. They live in the database; the browser has nothing but a random id."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from flawscope.site.database import Database
from flawscope.site.people import Person, person_of
from flawscope.site.signing import secret_sha256
from flawscope.site.tables import PersonRow, SessionRow

SEEN_EVERY = timedelta(minutes=10)
"""How exactly it is known when somebody was last seen: not every page shall write."""


@dataclass(frozen=True)
class Sessions:
    """The sessions of a site, each of so many hours."""

    database: Database
    hours: float

    def begin(self, person: Person, at: datetime) -> str:
        """Log somebody in: the id of a new session. What has run out is swept away."""
        number = secrets.token_urlsafe(32)

        def work(session: Session) -> None:
            session.execute(sa.delete(SessionRow).where(SessionRow.expires <= at))
            until = at + timedelta(hours=self.hours)
            session.add(
                SessionRow(sha256=secret_sha256(number), person_id=person.id, created=at, seen=at, expires=until)
            )

        self.database.change(work)
        return number

    def person(self, number: str, at: datetime) -> Person | None:
        """Whose session it is; nobody's if it has ended."""

        def work(session: Session) -> tuple[Person, datetime] | None:
            row = session.get(SessionRow, secret_sha256(number))
            if row is None or row.expires <= at:
                return None
            return person_of(session.get_one(PersonRow, row.person_id)), row.seen

        found = self.database.read(work)
        if found is None:
            return None
        if at - found[1] > SEEN_EVERY:
            this = SessionRow.sha256 == secret_sha256(number)
            self.database.change(lambda session: session.execute(sa.update(SessionRow).where(this).values(seen=at)))
        return found[0]

    def end(self, number: str) -> None:
        """Log out."""
        this = SessionRow.sha256 == secret_sha256(number)
        self.database.change(lambda session: session.execute(sa.delete(SessionRow).where(this)))

    def end_all(self, person: Person) -> None:
        """Log out everywhere."""
        theirs = SessionRow.person_id == person.id
        self.database.change(lambda session: session.execute(sa.delete(SessionRow).where(theirs)))
