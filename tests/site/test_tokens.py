"""Tokens of programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from flawscope.errors import UserError
from flawscope.site.database import Database
from flawscope.site.people import People, Person
from flawscope.site.refusals import ConflictError, NotFoundError
from flawscope.site.tokens import MOST, Tokens

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def ada(people: People) -> Person:
    return people.sign_up("Ada", "correct horse battery", NOW)


@pytest.fixture
def tokens(database: Database) -> Tokens:
    return Tokens(database)


def test_a_token_is_its_owner_until_it_is_revoked(tokens: Tokens, ada: Person, people: People) -> None:
    token = tokens.make(ada, "laptop", NOW)
    assert token.startswith("fsc_") and len(token) == 47
    assert tokens.of(ada)[0].used is None
    later = NOW + timedelta(hours=1)
    assert tokens.person(token, later) == ada
    (kept,) = tokens.of(ada)
    assert (kept.label, kept.created, kept.used) == ("laptop", NOW, later)
    bob = people.sign_up("Bob", "correct horse battery", NOW)
    assert tokens.of(bob) == []
    with pytest.raises(NotFoundError):  # another one's is not there
        tokens.revoke(bob, kept.id)
    tokens.revoke(ada, kept.id)
    assert tokens.person(token, later) is None and tokens.of(ada) == []


@pytest.mark.parametrize("token", ["", "fsc_", "fsc_" + "a" * 43, "x\0", "fsc_" + "ä" * 43, "fsc_" + "a" * 10**5])
def test_what_is_no_token_is_nobody(tokens: Tokens, ada: Person, token: str) -> None:
    tokens.make(ada, "x", NOW)
    assert tokens.person(token, NOW) is None


def test_twenty_are_enough_and_each_has_a_label(tokens: Tokens, ada: Person) -> None:
    with pytest.raises(UserError, match="no label"):
        tokens.make(ada, " ", NOW)
    for i in range(MOST):
        tokens.make(ada, f"number {i}", NOW)
    with pytest.raises(ConflictError, match="you have 20 tokens"):
        tokens.make(ada, "one more", NOW)


def test_who_reads_the_database_has_no_token(tokens: Tokens, ada: Person, database: Database) -> None:
    token = tokens.make(ada, "x", NOW)
    with database.engine.begin() as connection:
        row = connection.execute(text("SELECT * FROM tokens")).one()
    assert token not in str(row) and token[4:] not in str(row)
    assert tokens.person(row.sha256, NOW) is None
