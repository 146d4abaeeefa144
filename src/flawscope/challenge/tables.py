"""The tables of the store. A change here needs a migration (`migrations/`); a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, DateTime, Double, ForeignKey, MetaData, String, Text, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from flawscope.challenge.submitted import STATES, TEAM_NAME_LENGTH


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, also where the database keeps no zone (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From it."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Names of constraints are fixed, so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class ContestRow(Base):
    """What an organiser has changed in a challenge since it was made; without a row, nothing."""

    __tablename__ = "contests"

    challenge: Mapped[str] = mapped_column(String(120), primary_key=True)
    deadline: Mapped[datetime | None] = mapped_column(Moment)
    goes_on: Mapped[bool]


class TeamRow(Base):
    """A team in one challenge.

    `code` is what lets a person join it on a site; `disqualified` is why it is out of the ranking, empty if it is not;
    `chosen` is the number of the submission that shall stand for it, none for the best one.
    """

    __tablename__ = "teams"
    __table_args__ = (UniqueConstraint("challenge", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    challenge: Mapped[str] = mapped_column(String(120))
    name: Mapped[str] = mapped_column(String(TEAM_NAME_LENGTH))
    created: Mapped[datetime] = mapped_column(Moment)
    code: Mapped[str | None] = mapped_column(String(32), index=True, unique=True)
    disqualified: Mapped[str] = mapped_column(Text, server_default="")
    chosen: Mapped[int | None]


class SubmissionRow(Base):
    """A submission: the queue of record. No row is ever taken out.

    `ticket` is made by whoever submits: the same ticket is the same submission, however often it is handed in.
    `token` names the worker that holds the lease, or held the last one. `person_id`: who has handed it in on a site.
    """

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("team_id", "sha256"),
        CheckConstraint(f"state IN ({', '.join(repr(state) for state in STATES)})", name="state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), index=True)
    ticket: Mapped[str] = mapped_column(String(32), unique=True)
    sha256: Mapped[str] = mapped_column(String(64))
    received: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(String(10), index=True)
    attempt: Mapped[int]
    token: Mapped[str | None] = mapped_column(String(32))
    leased_until: Mapped[datetime | None] = mapped_column(Moment)
    ended: Mapped[datetime | None] = mapped_column(Moment)
    reason: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text, server_default="")
    file_name: Mapped[str] = mapped_column(String(200), server_default="")
    person_id: Mapped[int | None]

    team: Mapped[TeamRow] = relationship(lazy="raise")
    results: Mapped[list[ResultRow]] = relationship(lazy="raise", order_by="ResultRow.id")


class ResultRow(Base):
    """What a submission has reached on one part: one a submission and part, never a second."""

    __tablename__ = "results"
    __table_args__ = (UniqueConstraint("submission_id", "part"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"))
    part: Mapped[str] = mapped_column(String(10))
    answers_sha256: Mapped[str] = mapped_column(String(64))
    metric: Mapped[float] = mapped_column(Double)
    low: Mapped[float] = mapped_column(Double)
    high: Mapped[float] = mapped_column(Double)
    measures: Mapped[dict[str, Any]] = mapped_column(JSON)
    seconds: Mapped[float] = mapped_column(Double)
