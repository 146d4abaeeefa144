"""People: who they are, how they prove it, and who organises."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flawscope.errors import UserError
from flawscope.site.attempts import Attempts
from flawscope.site.database import Database, alone
from flawscope.site.passwords import Passwords
from flawscope.site.refusals import ConflictError, NotFoundError
from flawscope.site.signing import secret_sha256
from flawscope.site.tables import PersonRow, SecretRow, SessionRow

NAME_LENGTH = 50
SETUP, LINK = "setup", "link"
LINK_LASTS = timedelta(days=1)
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters to Unicode, and nothing to the eye."""


@dataclass(frozen=True)
class Person:
    """Somebody with an account."""

    id: int
    name: str
    organiser: bool
    created: datetime


Also = Callable[[Session, Person], None]
"""What is done beside a change of this person, so that both are done or neither."""


def tidy(name: str) -> str:
    """A name as it is kept: one form of each character, single blanks.

    >>> tidy("  Ada \\t Lovelace"), tidy("\\ufb01sh")
    ('Ada Lovelace', 'fish')
    """
    return " ".join(unicodedata.normalize("NFKC", name).split())


def key(name: str) -> str:
    """A name as it is compared: small and large letters are one.

    >>> key("ADA") == key(" ada"), key("Straße") == key("STRASSE")
    (True, True)
    """
    return unicodedata.normalize("NFKC", tidy(name).casefold())


def checked_name(name: str, longest: int = NAME_LENGTH, what: str = "name") -> str:
    """A name as it is kept.

    Raises:
        UserError: it is none.
    """
    found = tidy(name)
    shows = any(unicodedata.category(letter)[0] in "LNPS" for letter in found)
    if not shows or len(found) > longest or not found.isprintable() or set(found) & BLANK:
        raise UserError(f"{found[:40]!r} is no {what}", f"1 to {longest} letters that can be read")
    return found


class People:
    """The people of a site."""

    def __init__(self, database: Database, passwords: Passwords, attempts: Attempts) -> None:
        self._database, self._passwords, self._attempts = database, passwords, attempts

    def sign_up(self, name: str, password: str, at: datetime) -> Person:
        """Make an account.

        Raises:
            UserError: no name, or no password.
            ConflictError: the name is taken.
        """
        return self._make(name, password, at, organiser=False, code=None)

    def set_up(self, code: str, name: str, password: str, at: datetime) -> Person:
        """Make the account of the first organiser, with the code that was told at the start. It is good for one.

        Raises:
            NotFoundError: there is no such code, or no longer.
            UserError, ConflictError: see `sign_up`.
        """
        if not self.set_up_waits(code):
            raise _no_code()
        return self._make(name, password, at, organiser=True, code=code)

    def _make(self, name: str, password: str, at: datetime, *, organiser: bool, code: str | None) -> Person:
        kept = checked_name(name)
        self._database.read(lambda session: _refuse_taken(session, kept))  # before the hash, which costs
        hashed = self._passwords.made(password, kept)

        def work(session: Session) -> Person:
            alone(session, "people")
            if code is not None:
                waiting = session.get(SecretRow, SETUP)
                if waiting is None or waiting.value != secret_sha256(code):
                    raise _no_code()
                session.delete(waiting)
            _refuse_taken(session, kept)
            row = PersonRow(name=kept, key=key(kept), password=hashed, organiser=organiser, created=at)
            session.add(row)
            session.flush()
            return person_of(row)

        try:
            return self._database.change(work)
        except IntegrityError:
            raise _taken(kept) from None

    def authenticate(self, name: str, password: str, address: str, at: datetime) -> Person:
        """Whose name and password these are. Unknown names take as long as wrong passwords, and are told alike.

        Raises:
            UserError: they do not belong together.
            TooManyError: too many have failed, of this name or from this address.
        """
        attempt = self._attempts.begin(key(name), address, at)
        found = self._database.read(lambda session: _known(session, name))
        if not self._passwords.fits(found[1] if found else None, password) or found is None:
            raise UserError("name and password do not belong together", "look for a typing error, or sign up")
        person, stored = found
        self._attempts.succeeded(attempt)
        if self._passwords.outdated(stored):
            self._keep_password(person, self._passwords.made(password), stored)
        return person

    def change_password(self, person: Person, old: str, new: str, address: str, at: datetime) -> None:
        """Give a person another password; all their sessions end.

        Raises:
            UserError: the old one is not theirs, or the new one is none.
            TooManyError: too many have failed.
        """
        self.authenticate(person.name, old, address, at)
        if old == new:
            raise UserError("the new password is the old one", "choose another one")
        hashed = self._passwords.made(new, person.name)

        def work(session: Session) -> None:
            row = session.get_one(PersonRow, person.id)
            row.password = hashed
            session.execute(sa.delete(SessionRow).where(SessionRow.person_id == person.id))

        self._database.change(work)

    def everybody(self) -> list[Person]:
        """All of them, by name."""
        return self._database.read(
            lambda session: [person_of(row) for row in session.scalars(sa.select(PersonRow).order_by(PersonRow.key))]
        )

    def make_organiser(self, number: int, also: Also = lambda session, person: None) -> Person:
        """Make somebody an organiser; `also` is done in the same transaction.

        Raises:
            NotFoundError: there is nobody of this number.
        """

        def work(session: Session) -> Person:
            row = session.get(PersonRow, number)
            if row is None:
                raise _nobody()
            row.organiser = True
            also(session, person_of(row))
            return person_of(row)

        return self._database.change(work)

    def end_organiser(self, number: int, by: Person, also: Also = lambda session, person: None) -> Person:
        """Let an organiser be one no more; `by` is another one, so that one always remains. `also`: as above.

        Raises:
            NotFoundError: there is nobody of this number.
            ConflictError: `by` asks it of themselves, or has just ceased to be an organiser.
        """

        def work(session: Session) -> Person:
            alone(session, "people")
            row, asks = session.get(PersonRow, number), session.get(PersonRow, by.id)
            if row is None or asks is None:
                raise _nobody()
            if number == by.id or not asks.organiser:
                raise ConflictError("one organiser must remain, and takes it from others", "ask another organiser")
            row.organiser = False
            also(session, person_of(row))
            return person_of(row)

        return self._database.change(work)

    def new_link(self, number: int, at: datetime, also: Also = lambda session, person: None) -> str:
        """A code with which somebody who has forgotten their password sets a new one: once, within a day.

        `also` is done in the same transaction.

        Raises:
            NotFoundError: there is nobody of this number.
        """
        code = f"{number}-{secrets.token_urlsafe(24)}"

        def work(session: Session) -> str:
            row = session.get(PersonRow, number)
            if row is None:
                raise _nobody()
            also(session, person_of(row))
            until = (at + LINK_LASTS).isoformat()
            session.merge(SecretRow(name=f"{LINK} {number}", value=f"{secret_sha256(code)} {until}"))
            return code

        return self._database.change(work)

    def linked(self, code: str, at: datetime) -> Person:
        """Whose link this is.

        Raises:
            NotFoundError: it is nobody's, or good no more.
        """
        return self._database.read(lambda session: person_of(_linked(session, code, at)))

    def set_password(self, code: str, new: str, at: datetime) -> Person:
        """Give the person of a link another password; all their sessions end, and the link is good no more.

        Raises:
            NotFoundError: it is good no more.
            UserError: the password is none.
        """
        hashed = self._passwords.made(new, self.linked(code, at).name)

        def work(session: Session) -> Person:
            alone(session, "people")
            row = _linked(session, code, at)
            session.delete(session.get_one(SecretRow, f"{LINK} {row.id}"))
            row.password = hashed
            session.execute(sa.delete(SessionRow).where(SessionRow.person_id == row.id))
            return person_of(row)

        return self._database.change(work)

    def new_setup_code(self) -> str | None:
        """A code with which the first organiser makes their account, in place of one before; None if there is one."""
        code = secrets.token_urlsafe(24)

        def work(session: Session) -> str | None:
            alone(session, "people")
            if session.scalar(sa.select(PersonRow.id).where(PersonRow.organiser).limit(1)) is not None:
                return None
            session.merge(SecretRow(name=SETUP, value=secret_sha256(code)))
            return code

        return self._database.change(work)

    def set_up_waits(self, code: str) -> bool:
        """Whether this code is the one that the first organiser is waited for with."""

        def work(session: Session) -> bool:
            row = session.get(SecretRow, SETUP)
            return row is not None and secrets.compare_digest(row.value, secret_sha256(code))

        return self._database.read(work)

    def _keep_password(self, person: Person, hashed: str, stored: str) -> None:
        same = sa.and_(PersonRow.id == person.id, PersonRow.password == stored)
        self._database.change(lambda session: session.execute(sa.update(PersonRow).where(same).values(password=hashed)))


def person_of(row: PersonRow) -> Person:
    """The person of a row."""
    return Person(row.id, row.name, row.organiser, row.created)


def _by_name(session: Session, name: str) -> PersonRow | None:
    wanted = key(name)
    if not wanted.isprintable():  # a database may refuse to look for it
        return None
    return session.scalar(sa.select(PersonRow).where(PersonRow.key == wanted))


def _known(session: Session, name: str) -> tuple[Person, str] | None:
    row = _by_name(session, name)
    return (person_of(row), row.password) if row else None


def _linked(session: Session, code: str, at: datetime) -> PersonRow:
    number = code.partition("-")[0]
    known = number.isascii() and number.isdigit() and len(number) < 10
    row = session.get(SecretRow, f"{LINK} {int(number)}") if known else None
    sha256, _, until = row.value.partition(" ") if row else ("", "", "")
    if not until or not secrets.compare_digest(sha256, secret_sha256(code)) or at > datetime.fromisoformat(until):
        raise NotFoundError("this link is good no more", "ask the organiser for another one")
    return session.get_one(PersonRow, int(number))


def _refuse_taken(session: Session, name: str) -> None:
    if _by_name(session, name) is not None:
        raise _taken(name)


def _taken(name: str) -> ConflictError:
    return ConflictError(f"the name {name} is taken", "choose another one; if it is yours, log in")


def _nobody() -> NotFoundError:
    return NotFoundError("there is no such person", "look at the list of people")


def _no_code() -> NotFoundError:
    return NotFoundError("this link is good no more", "start the site anew: without an organiser it tells another one")
