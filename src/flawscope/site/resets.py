"""Links with which somebody who has forgotten their password sets a new one; an organiser makes them."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from flawscope.site.database import Database
from flawscope.site.log import Note
from flawscope.site.passwords import Passwords
from flawscope.site.people import Person, person_of
from flawscope.site.refusals import NotFoundError
from flawscope.site.tables import PersonRow, ResetRow, SessionRow

GOOD_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class Resets:
    """The links of a site; only the hashes of their codes are kept."""

    database: Database
    passwords: Passwords

    def make(self, organiser: Person, number: int, at: datetime) -> tuple[Person, str]:
        """A code for a person, in place of one before; it is told once, and is good for a day and one password.

        Raises:
            NotFoundError: there is nobody of this number.
        """
        code = secrets.token_urlsafe(32)

        def work(session: Session) -> Person:
            row = session.get(PersonRow, number)
            if row is None:
                raise NotFoundError("there is no such person", "look at the list of people")
            session.execute(sa.delete(ResetRow).where(sa.or_(ResetRow.person_id == row.id, ResetRow.expires <= at)))
            session.add(ResetRow(sha256=_sha256(code), person_id=row.id, expires=at + GOOD_FOR))
            Note(organiser, at, f"a link for a new password for {row.name}").add(session)
            return person_of(row)

        return self.database.change(work), code

    def person(self, code: str, at: datetime) -> Person:
        """Whose link it is.

        Raises:
            NotFoundError: nobody's, or no longer.
        """
        return self.database.read(lambda session: person_of(_found(session, code, at)))

    def use(self, code: str, password: str, at: datetime) -> Person:
        """Give its person this password; all their sessions end, and the link is good no more.

        Raises:
            NotFoundError: the link is nobody's, or no longer.
            UserError: that is no password.
        """
        hashed = self.passwords.made(password, self.person(code, at).name)

        def work(session: Session) -> Person:
            row = _found(session, code, at)
            row.password = hashed
            session.execute(sa.delete(ResetRow).where(ResetRow.person_id == row.id))
            session.execute(sa.delete(SessionRow).where(SessionRow.person_id == row.id))
            return person_of(row)

        return self.database.change(work)


def _found(session: Session, code: str, at: datetime) -> PersonRow:
    row = session.get(ResetRow, _sha256(code))
    if row is None or row.expires <= at:
        raise NotFoundError("this link is good no more", "ask an organiser for another one")
    return session.get_one(PersonRow, row.person_id)


def _sha256(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
