"""One database for all that the site keeps, and a piece of work in it as one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from flawscope.challenge.database import in_transaction

LARGEST = 2**31 - 1
"""Of the numbers of rows: what every database can look for."""
_Out = TypeVar("_Out")


@dataclass(frozen=True)
class Database:
    """A database whose schema is up to date (`challenge.database.connect`)."""

    engine: Engine
    patience: float

    def change(self, work: Callable[[Session], _Out]) -> _Out:
        """Do work that may change something: all of it or nothing. It must be such that twice is as good as once.

        Raises:
            StoreError, OutputError: the database is away, or its disk is full.
        """
        return in_transaction(self.engine, work, self.patience)

    def read(self, work: Callable[[Session], _Out]) -> _Out:
        """Do work that only reads: it waits for no one who writes, and keeps no one from it.

        Raises:
            StoreError, OutputError: the database is away.
        """
        return in_transaction(self.reads, work, self.patience)

    @property
    def reads(self) -> Engine:
        """The same database, for transactions that only read."""
        return self.engine.execution_options(reads=True)


def alone(session: Session, *names: str) -> None:
    """Let nobody else do work of these names until this transaction ends. In SQLite one writes at a time anyway."""
    if session.get_bind().dialect.name == "postgresql":
        for name in sorted(names):
            session.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 7))"), {"name": name})
