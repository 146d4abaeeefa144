"""Work in the database: who reads waits for nobody; what cannot be done is said in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from flawscope.challenge.database import connect
from flawscope.errors import StoreError
from flawscope.site.database import Database
from flawscope.site.signing import kept_secret
from together import at_once


def test_who_reads_waits_for_no_one_who_writes(tmp_path: Path) -> None:
    engine = connect(tmp_path / "x.sqlite", 1)
    sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=50"))
    database = Database(engine, 0)
    with engine.begin() as writing:
        writing.execute(sa.text("DELETE FROM people"))
        assert database.read(lambda session: session.scalar(sa.text("SELECT count(*) FROM people"))) == 0
        with pytest.raises(StoreError, match="locked"):
            database.change(lambda session: session.scalar(sa.text("SELECT count(*) FROM people")))


def test_when_all_connections_are_in_use(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'x.sqlite'}", pool_size=1, max_overflow=0, pool_timeout=0.05)
    with engine.connect(), pytest.raises(StoreError, match="all connections"):
        Database(engine, 0).read(lambda session: session.scalar(sa.text("SELECT 1")))


def test_servers_that_start_at_once_sign_with_one_key(database: Database) -> None:
    found = at_once(4, lambda i: kept_secret(database))
    assert len(set(found)) == 1 and len(found[0]) == 64
