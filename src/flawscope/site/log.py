"""The log of the organisers: who has done what, when and why. Lines are added and never changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from flawscope.challenge.store import Store
from flawscope.errors import UserError
from flawscope.site.database import Database
from flawscope.site.people import Person
from flawscope.site.tables import ActRow, PersonRow

WHOLE_SITE = ""
REASON_LENGTH = 500
SHOWN = 200
_Out = TypeVar("_Out")


@dataclass(frozen=True)
class Act:
    """A line of the log."""

    at: datetime
    who: str
    what: str
    why: str


@dataclass(frozen=True)
class Note:
    """A line to be added."""

    person: Person
    at: datetime
    what: str
    why: str = ""
    challenge: str = WHOLE_SITE

    def add(self, session: Session) -> None:
        """Add it, with whatever else this transaction does: both, or neither."""
        session.add(
            ActRow(challenge=self.challenge, person_id=self.person.id, at=self.at, what=self.what, why=self.why)
        )


class Noted(Store):
    """A store of which every change adds this line to the log; where one changes nothing, `nothing` is raised."""

    def __init__(self, store: Store, note: Note, nothing: UserError | None = None) -> None:
        super().__init__(store.engine, store.challenge, store.patience)
        self._note, self._nothing = note, nothing

    def do(self, work: Callable[[Session], _Out]) -> _Out:
        """Do a piece of work and add the line, in one transaction."""

        def both(session: Session) -> _Out:
            found = work(session)
            if self._nothing is not None and not found:
                raise self._nothing
            self._note.add(session)
            return found

        return super().do(both)


def checked_reason(why: str) -> str:
    """A reason as it is kept; it may be none.

    >>> checked_reason("  twice \\n the same ")
    'twice the same'

    Raises:
        UserError: it is too long, or holds what cannot be read.
    """
    found = " ".join(why.split())
    if len(found) > REASON_LENGTH:
        raise UserError(f"the reason has {len(found)} characters", f"write at most {REASON_LENGTH}")
    if not found.isprintable():
        raise UserError("the reason holds characters that cannot be seen", "type it anew")
    return found


def log_of(database: Database, challenge: str, shown: int | None = SHOWN) -> list[Act]:
    """The lines of a challenge and of the whole site, the newest first; None: all of them."""

    def work(session: Session) -> list[Act]:
        wanted = (
            sa.select(ActRow, PersonRow.name)
            .join(PersonRow, PersonRow.id == ActRow.person_id)
            .where(ActRow.challenge.in_((challenge, WHOLE_SITE)))
            .order_by(ActRow.id.desc())
        )
        return [Act(row.at, name, row.what, row.why) for row, name in session.execute(wanted.limit(shown))]

    return database.read(work)
