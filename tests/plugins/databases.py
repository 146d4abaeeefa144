"""Databases of our own: files, and a PostgreSQL that is started once."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa


class Postgres:
    """A PostgreSQL server of our own: as its own user if we are root, in a folder of its own, on a socket there."""

    def __init__(self) -> None:
        places = [*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, os.environ.get("PATH", "").split(os.pathsep))]
        found = next((place for place in places if (place / "initdb").exists()), None)
        if found is None:
            pytest.skip("THE STORE IS NOT TESTED ON POSTGRESQL: it is not there (apt-get install postgresql)")
        self.programs = found
        self.user = "postgres" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="flawscope-pg-"))
        if self.user:
            shutil.chown(self.folder, self.user)
        self.run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync")
        self.start()

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}"

    def run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self.programs / program, *words],
            user=self.user, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off"
        self.run("pg_ctl", "-D", self.data, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """As if the machine had failed."""
        self.run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Started once; skips, and says so, where there is none."""
    pytest.importorskip("psycopg", reason="THE STORE IS NOT TESTED ON POSTGRESQL: psycopg is not installed")
    server = Postgres()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def emptied(postgres: Postgres) -> Iterator[Postgres]:
    """The same, empty for each test."""
    yield postgres
    engine = sa.create_engine(sa.make_url(postgres.url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where a store is kept, empty: in a file, and in PostgreSQL."""
    return tmp_path / "store.sqlite" if request.param == "sqlite" else request.getfixturevalue("emptied").url
