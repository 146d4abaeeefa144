"""Sessions live in the database, and end there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from flawscope.site.database import Database
from flawscope.site.people import People, Person
from flawscope.site.sessions import Sessions

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def ada(people: People) -> Person:
    return people.sign_up("Ada", "correct horse battery", NOW)


def test_a_session_lasts_its_hours(database: Database, ada: Person) -> None:
    sessions = Sessions(database, hours=2)
    number = sessions.begin(ada, NOW)
    assert len(number) == 43
    assert sessions.person(number, NOW + timedelta(minutes=119)) == ada
    assert sessions.person(number, NOW + timedelta(minutes=120)) is None
    assert sessions.person("x", NOW) is None
    sessions.begin(ada, NOW + timedelta(hours=3))
    with database.engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM sessions")) == 1  # the old one is swept away


def test_one_ends_and_all_end(database: Database, ada: Person, people: People) -> None:
    sessions, bob = Sessions(database, 2), people.sign_up("Bob", "correct horse battery", NOW)
    first, second, third, other = *(sessions.begin(ada, NOW) for _ in range(3)), sessions.begin(bob, NOW)
    sessions.end(first)
    assert [sessions.person(each, NOW) for each in (first, second, third, other)] == [None, ada, ada, bob]
    sessions.end_all(ada)
    assert [sessions.person(each, NOW) for each in (second, third, other)] == [None, None, bob]


def test_who_reads_the_database_has_no_session(database: Database, ada: Person) -> None:
    sessions = Sessions(database, 2)
    number = sessions.begin(ada, NOW)
    with database.engine.begin() as connection:
        row = connection.execute(text("SELECT * FROM sessions")).one()
    assert number not in str(row)
    assert sessions.person(row.sha256, NOW) is None


def test_when_somebody_was_last_seen_is_not_written_with_each_page(database: Database, ada: Person) -> None:
    sessions = Sessions(database, 24)
    number = sessions.begin(ada, NOW)

    def seen() -> str:
        with database.engine.begin() as connection:
            return str(connection.scalar(text("SELECT seen FROM sessions")))

    first = seen()
    sessions.person(number, NOW + timedelta(minutes=5))
    assert seen() == first
    sessions.person(number, NOW + timedelta(minutes=11))
    assert seen() != first
