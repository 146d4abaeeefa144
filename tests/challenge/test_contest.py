"""What an organiser changes: it is kept, shown, and counts on the boards; an older store keeps what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from flawscope.challenge.contest import (
    annotate,
    change_contest,
    changed,
    check_open,
    choose,
    contest_of,
    disqualify,
    teams_of,
)
from flawscope.challenge.database import MIGRATIONS
from flawscope.challenge.spec import Challenge
from flawscope.challenge.store import Store
from flawscope.challenge.submitted import Contest, PartResult, Team
from flawscope.errors import UserError

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
LEASE = timedelta(seconds=60)
RESULT = PartResult("public", "a" * 64, 0.7, 0.6, 0.8, {}, 1.5)


@pytest.fixture
def store(place: str | Path) -> Store:
    return Store.open(place, "cells")


def judged(store: Store, team: str, number: int) -> int:
    made = store.submit(team, f"{number:064x}", NOW, daily=9)
    claim = store.claim(NOW, LEASE)
    assert claim and store.finish(claim, [RESULT], NOW)
    return made.number


def test_the_deadline_that_counts(store: Store, make_challenge: Callable[..., Challenge]) -> None:
    made = make_challenge()
    assert contest_of(store) == Contest() and changed(made, Contest()) is made
    later = made.deadline + timedelta(days=7)
    assert change_contest(store, made, deadline=later) == Contest(later, False)
    assert change_contest(store, made, goes_on=True) == Contest(later, True)
    assert contest_of(store) == Contest(later, True)
    assert changed(made, contest_of(store)).deadline == later
    assert contest_of(Store(store.engine, "others")) == Contest()
    with pytest.raises(UserError, match="not after the opening"):
        change_contest(store, made, deadline=made.opens)


def test_when_submissions_are_taken(make_challenge: Callable[..., Challenge]) -> None:
    made = make_challenge()
    check_open(made, Contest(), made.opens)
    check_open(made, Contest(), made.deadline)
    check_open(made, Contest(goes_on=True), made.deadline + timedelta(seconds=1))
    with pytest.raises(UserError, match="opens on"):
        check_open(made, Contest(goes_on=True), made.opens - timedelta(seconds=1))
    with pytest.raises(UserError, match="was closed on"):
        check_open(made, Contest(), made.deadline + timedelta(seconds=1))


def test_teams_that_are_out_or_have_chosen(store: Store) -> None:
    mine, others = judged(store, "a", 1), judged(store, "b", 2)
    disqualify(store, "a", "  learnt from\nthe test ")
    choose(store, "b", others)
    assert teams_of(store) == [Team("a", "learnt from the test"), Team("b", "", others)]
    assert [each.chosen for each in store.submissions()] == [False, True]
    disqualify(store, "a", "")
    choose(store, "b", None)
    assert teams_of(store) == [Team("a"), Team("b")]
    waiting = store.submit("b", "f" * 64, NOW, daily=9).number
    for number in (mine, waiting, 99):
        with pytest.raises(UserError, match=f"submission {number} is not one of team b"):
            choose(store, "b", number)
    with pytest.raises(UserError, match="no team ab"):
        disqualify(store, "ab", "x")


def test_notes(store: Store) -> None:
    made = store.submit("a", "1" * 64, NOW, daily=9, note="first", file_name="net.flawscope")
    store.submit("b", "2" * 64, NOW, daily=9)
    assert (made.note, made.file_name) == ("first", "net.flawscope")
    annotate(store, "a", made.number, " better \n")
    assert store.submissions()[0].note == "better"
    with pytest.raises(UserError, match="team b has no submission 1"):
        annotate(store, "b", made.number, "mine")


@pytest.fixture
def first_version(tmp_path: Path) -> Iterator[Path]:
    """A store of the first schema, with a team, a submission and a result in it."""
    path = tmp_path / "old.sqlite"
    engine = sa.create_engine(f"sqlite:///{path}")
    script = ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS)])
    with engine.begin() as connection:
        context = MigrationContext.configure(
            connection, opts={"fn": lambda found, _: script._upgrade_revs("0001", found)}
        )
        with Operations.context(context):
            context.run_migrations()
        connection.execute(sa.text("INSERT INTO teams VALUES (1, 'cells', 'a', '2027-01-01 00:00:00')"))
        values = f"(1, 1, '{'0' * 32}', '{'1' * 64}', '2027-01-01 00:00:00', 'judged', 1, NULL, NULL, NULL, '')"
        connection.execute(sa.text(f"INSERT INTO submissions VALUES {values}"))
        connection.execute(sa.text("INSERT INTO results VALUES (1, 1, 'public', 'a', 0.5, 0.4, 0.6, '{}', 1.0)"))
    engine.dispose()
    yield path


def test_a_store_of_the_first_version_keeps_what_it_holds(first_version: Path) -> None:
    store = Store.open(first_version, "cells")
    (found,) = store.submissions()
    assert (found.team, found.state, found.results["public"].metric, found.note) == ("a", "judged", 0.5, "")
    disqualify(store, "a", "why")
    assert teams_of(store) == [Team("a", "why")]
