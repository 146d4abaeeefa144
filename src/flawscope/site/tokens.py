"""Tokens: with them a person's programs use the API. Only their hashes are kept."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from flawscope.site.database import Database, alone
from flawscope.site.people import Person, checked_name, person_of
from flawscope.site.refusals import ConflictError, NotFoundError
from flawscope.site.sessions import SEEN_EVERY
from flawscope.site.signing import secret_sha256
from flawscope.site.tables import PersonRow, TokenRow

PREFIX = "fsc_"
MOST = 20
LABEL_LENGTH = 50
_FORM = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True)
class Token:
    """A token as its owner sees it afterwards: not the token."""

    id: int
    label: str
    created: datetime
    used: datetime | None


@dataclass(frozen=True)
class Tokens:
    """The tokens of a site."""

    database: Database

    def make(self, person: Person, label: str, at: datetime) -> str:
        """A new token; it is told once.

        Raises:
            UserError: no label.
            ConflictError: the person has too many.
        """
        kept, token = checked_name(label, LABEL_LENGTH, "label"), f"{PREFIX}{secrets.token_urlsafe(32)}"

        def work(session: Session) -> None:
            alone(session, f"tokens {person.id}")
            theirs = sa.select(sa.func.count()).select_from(TokenRow).where(TokenRow.person_id == person.id)
            if (session.scalar(theirs) or 0) >= MOST:
                raise ConflictError(f"you have {MOST} tokens", "revoke one that you no longer use")
            session.add(TokenRow(person_id=person.id, label=kept, sha256=secret_sha256(token), created=at, used=None))

        self.database.change(work)
        return token

    def of(self, person: Person) -> list[Token]:
        """A person's tokens, in the order in which they were made."""

        def work(session: Session) -> list[Token]:
            rows = session.scalars(sa.select(TokenRow).where(TokenRow.person_id == person.id).order_by(TokenRow.id))
            return [Token(row.id, row.label, row.created, row.used) for row in rows]

        return self.database.read(work)

    def revoke(self, person: Person, number: int) -> None:
        """Make a token worthless.

        Raises:
            NotFoundError: the person has no such token.
        """

        def work(session: Session) -> None:
            row = session.get(TokenRow, number)
            if row is None or row.person_id != person.id:
                raise NotFoundError("you have no such token", "look at the list of your tokens")
            session.delete(row)

        self.database.change(work)

    def person(self, token: str, at: datetime) -> Person | None:
        """Whose token it is."""
        if not _FORM.fullmatch(token):
            return None

        def work(session: Session) -> tuple[Person, int, datetime | None] | None:
            row = session.scalar(sa.select(TokenRow).where(TokenRow.sha256 == secret_sha256(token)))
            return (person_of(session.get_one(PersonRow, row.person_id)), row.id, row.used) if row else None

        found = self.database.read(work)
        if found is None:
            return None
        person, number, used = found
        if used is None or at - used > SEEN_EVERY:
            this = sa.update(TokenRow).where(TokenRow.id == number).values(used=at)
            self.database.change(lambda session: session.execute(this))
        return person
