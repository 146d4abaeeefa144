"""The database below the store: SQLite by default, PostgreSQL by URL; its schema, and what is tried again.

Every change is one transaction. SQLite takes its lock when one begins, so that nobody writes between reading and
writing; PostgreSQL locks the rows that are read for a change.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

from flawscope.errors import OutputError, StoreError, reason

MIGRATIONS = Path(__file__).parent / "migrations"
PATIENCE_SECONDS = 60.0
"""So long a database that does not answer is asked again: it may be starting anew."""
LOCK_SECONDS = 30
_LOCK_KEY = 0x666C6177
"""Of the lock under which one process at a time changes the schema in PostgreSQL."""
_FULL = ("disk is full", "no space left", "disk full")
_Out = TypeVar("_Out")


def connect(url: str | Path, patience: float = PATIENCE_SECONDS) -> Engine:
    """The database of a URL, or of a file (SQLite), with its schema brought up to date.

    Raises:
        StoreError: no such kind of database, it cannot be reached, or its schema is newer than this version.
        OutputError: the disk is full.
    """
    engine = _engine(url)
    patiently(lambda: upgrade(engine), patience)
    return engine


def _engine(url: str | Path) -> Engine:
    try:
        place = URL.create("sqlite", database=str(url)) if isinstance(url, Path) else sa.make_url(url)
        if place.drivername in ("postgresql", "postgres"):
            place = place.set(drivername="postgresql+psycopg")
        if place.get_backend_name() not in ("sqlite", "postgresql"):
            raise StoreError(f"the store cannot be kept in {place.get_backend_name()}", "sqlite or postgresql")
        if place.get_backend_name() == "postgresql":
            return sa.create_engine(place, pool_pre_ping=True)
    except ArgumentError as error:
        raise StoreError(f"{url} is no URL of a database ({reason(error)})", "postgresql://USER@HOST/NAME") from None
    except ModuleNotFoundError as error:
        raise StoreError(
            f"the store needs {error.name}, which is not installed", 'pip install "flawscope[postgresql]"'
        ) from None
    if place.database and not Path(place.database).parent.is_dir():
        raise StoreError(f"{place.database}: there is no such folder", "make the challenge first")
    engine = sa.create_engine(place, connect_args={"timeout": LOCK_SECONDS})
    sa.event.listen(engine, "connect", _leave_transactions_to_us)
    sa.event.listen(engine, "begin", _begin)
    return engine


def place_of(engine: Engine) -> tuple[Path, ...]:
    """The file of a database that is one."""
    return (Path(engine.url.database),) if engine.dialect.name == "sqlite" and engine.url.database else ()


def _leave_transactions_to_us(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: sa.Connection) -> None:
    """Whoever says that they only read (`execution_options(reads=True)`) keeps no one from writing."""
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def upgrade(engine: Engine) -> None:
    """Bring the schema up to date; processes that start at the same time wait for each other.

    Raises:
        StoreError: it is newer than this version.
    """
    script = ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS)])
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})"))
        context = MigrationContext.configure(
            connection,
            opts={"fn": lambda found, _: script._upgrade_revs("head", found), "transaction_per_migration": 0},
        )
        found = context.get_current_revision()
        if found == script.get_current_head():
            return
        try:
            with Operations.context(context):
                context.run_migrations()
        except CommandError as error:
            raise StoreError(
                f"the store has the schema {found}, which this version does not know ({reason(error)})",
                "install a newer flawscope: pip install --upgrade flawscope",
            ) from None


def in_transaction(engine: Engine, work: Callable[[Session], _Out], patience: float = PATIENCE_SECONDS) -> _Out:
    """Do a piece of work in one transaction: all of it or nothing; see `patiently`.

    Raises:
        StoreError, OutputError: see `patiently`; or all connections have been in use for too long.
    """

    def once() -> _Out:
        with Session(engine) as session, session.begin():
            return work(session)

    try:
        return patiently(once, patience)
    except sa.exc.TimeoutError:
        raise StoreError("all connections to the store are in use", "try again later") from None


def patiently(work: Callable[[], _Out], patience: float = PATIENCE_SECONDS) -> _Out:
    """Do a piece of work again while the database does not answer. It must be such that twice is as good as once.

    Raises:
        StoreError: it has not answered for so long.
        OutputError: its disk is full; nothing of the work was kept.
    """
    until, pause = time.monotonic() + patience, 0.05
    while True:
        try:
            return work()
        except DBAPIError as error:
            words = reason(error.orig or error)
            if any(each in str(error.orig).lower() for each in _FULL):
                raise OutputError(
                    f"the database's disk is full ({words})", "free some space; nothing is lost"
                ) from None
            if type(error) not in (OperationalError, DatabaseError) and not error.connection_invalidated:
                raise
            sqlite = type(error.orig).__module__ == "sqlite3"
            if sqlite and "readonly" in words:
                raise StoreError(
                    f"the store cannot be written to: {words}",
                    "SQLite also writes beside its file: the folder of the challenge must be this user's (chown)",
                ) from None
            if time.monotonic() > until or (sqlite and "locked" not in words):
                raise StoreError(
                    f"the store does not answer: {words}", "start the database, or check its URL"
                ) from None
        time.sleep(pause)
        pause = min(2.0, pause * 2)
