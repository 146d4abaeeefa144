"""The tables of the site, beside those of the store. A change here needs a migration (`challenge/migrations/`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from flawscope.challenge.tables import Base, Moment


class PersonRow(Base):
    """A person. `key` is the name as it is compared; `password` what argon2 makes of it."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    key: Mapped[str] = mapped_column(String(200), unique=True)
    password: Mapped[str] = mapped_column(String(200))
    organiser: Mapped[bool]
    created: Mapped[datetime] = mapped_column(Moment)


class SessionRow(Base):
    """Somebody who is logged in, in one browser. `sha256` is of the id in the cookie: who reads this has no session."""

    __tablename__ = "sessions"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    created: Mapped[datetime] = mapped_column(Moment)
    seen: Mapped[datetime] = mapped_column(Moment)
    expires: Mapped[datetime] = mapped_column(Moment)


class TokenRow(Base):
    """A key of a person's programs. A revoked one is taken out."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    label: Mapped[str] = mapped_column(String(50))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[datetime] = mapped_column(Moment)
    used: Mapped[datetime | None] = mapped_column(Moment)


class MemberRow(Base):
    """A person's place in a challenge: in one team, never in two. Who has left keeps the row, without a team.

    `until`: before that moment they may join no other team than `left_id`, which they have left, see `members`.
    """

    __tablename__ = "members"
    __table_args__ = (UniqueConstraint("challenge", "person_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    challenge: Mapped[str] = mapped_column(String(120))
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"), index=True)
    captain: Mapped[bool]
    joined: Mapped[datetime] = mapped_column(Moment)
    left_id: Mapped[int | None]
    until: Mapped[datetime | None] = mapped_column(Moment)


class AttemptRow(Base):
    """A log-in that has failed, or is not decided yet; one row for its name, one for its address."""

    __tablename__ = "attempts"
    __table_args__ = (Index(None, "who", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    who: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(Moment)


class SecretRow(Base):
    """What the site keeps for itself: the key that it signs with, and the hash of the code for its first organiser."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class ActRow(Base):
    """What an organiser has done: a line of the log. `challenge` is its key in the store; "" is for the whole site."""

    __tablename__ = "acts"

    id: Mapped[int] = mapped_column(primary_key=True)
    challenge: Mapped[str] = mapped_column(String(120), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    at: Mapped[datetime] = mapped_column(Moment)
    what: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)
