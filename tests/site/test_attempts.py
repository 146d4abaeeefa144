"""How often a log-in may fail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from flawscope.site.attempts import OF_A_NAME, OF_AN_ADDRESS, WINDOW, Attempts
from flawscope.site.database import Database
from flawscope.site.refusals import TooManyError
from together import at_once

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def attempts(database: Database) -> Attempts:
    return Attempts(database)


def test_ten_of_a_name_from_wherever(attempts: Attempts) -> None:
    for i in range(OF_A_NAME):
        attempts.begin("ada", f"192.0.2.{i}", NOW + timedelta(minutes=i))
    with pytest.raises(TooManyError) as error:
        attempts.begin("ada", "198.51.100.1", NOW + timedelta(minutes=10))
    assert error.value.seconds == 300 and error.value.remedy == "wait for 5 minutes"
    attempts.begin("bob", "198.51.100.1", NOW + timedelta(minutes=10))
    attempts.begin("ada", "198.51.100.1", NOW + WINDOW)  # the first one is forgotten
    with pytest.raises(TooManyError):
        attempts.begin("ada", "198.51.100.1", NOW + WINDOW)


def test_so_many_of_an_address_whatever_the_names(attempts: Attempts) -> None:
    for i in range(OF_AN_ADDRESS):
        attempts.begin(f"name {i}", "2001:db8:1:2::5", NOW)
    with pytest.raises(TooManyError):
        attempts.begin("another", "2001:db8:1:2:ffff::9", NOW)  # the same network
    attempts.begin("another", "2001:db8:1:3::5", NOW)


def test_what_has_succeeded_does_not_count(attempts: Attempts) -> None:
    for _ in range(OF_A_NAME + 1):
        attempts.succeeded(attempts.begin("ada", "192.0.2.1", NOW))


def test_many_at_once_are_not_more(attempts: Attempts) -> None:
    found = at_once(16, lambda i: attempts.begin("ada", f"192.0.2.{i}", NOW))
    assert sum(isinstance(each, TooManyError) for each in found) == 16 - OF_A_NAME


def test_several_servers_share_the_count(attempts: Attempts, database: Database) -> None:
    for _ in range(OF_A_NAME):
        attempts.begin("ada", "192.0.2.1", NOW)
    with pytest.raises(TooManyError):
        Attempts(database).begin("ada", "192.0.2.2", NOW)


def test_what_was_typed_is_not_kept_and_old_attempts_are_swept_away(attempts: Attempts, database: Database) -> None:
    attempts.begin("my secret password", "192.0.2.1", NOW)
    with database.engine.begin() as connection:
        assert "secret" not in str(connection.execute(text("SELECT * FROM attempts")).all())
    attempts.begin("ada", "192.0.2.1", NOW + timedelta(days=1))
    with database.engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM attempts")) == 2
