"""The queue of record, on SQLite and on PostgreSQL: nothing is lost, and nothing counts twice."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from flawscope.challenge.database import connect, upgrade
from flawscope.challenge.store import ATTEMPTS, Store
from flawscope.challenge.submitted import PartResult, Submitted
from flawscope.challenge.tables import Base
from flawscope.errors import OutputError, StoreError, UserError
from flawscope.site.tables import PersonRow
from together import at_once

Place = str | Path
TABLES = ("teams", "submissions", "results")
NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
LEASE = timedelta(seconds=60)
LATER = NOW + timedelta(seconds=61)
BOTH = (
    PartResult("public", "a" * 64, 0.7, 0.6, 0.8, {"classes": {"crack": {"recall": None}}}, 1.5),
    PartResult("private", "b" * 64, 0.6, 0.5, 0.7, {}, 2.5),
)


def sha(number: int) -> str:
    return f"{number:064x}"


@pytest.fixture
def store(place: Place) -> Store:
    return Store.open(place, "cells")


def counted(store: Store) -> dict[str, int]:
    with store.engine.begin() as connection:
        return {name: connection.scalar(sa.text(f"SELECT count(*) FROM {name}")) or 0 for name in TABLES}


def test_from_submission_to_results(store: Store, place: Place) -> None:
    made = store.submit("Ü & Co", sha(1), NOW, daily=5)
    assert (made.number, made.state, made.team, made.received) == (1, "waiting", "Ü & Co", NOW)
    claim = store.claim(NOW, LEASE)
    assert claim and (claim.number, claim.sha256, claim.attempt) == (1, sha(1), 1)
    assert store.claim(NOW, LEASE) is None
    assert store.submissions()[0].state == "judging"
    assert store.finish(claim, BOTH, LATER)
    (found,) = Store.open(place, "cells").submissions()
    assert found == Submitted(1, "Ü & Co", sha(1), NOW, "judged", 1, "", LATER, {each.part: each for each in BOTH})
    assert store.claim(LATER, LEASE) is None


def test_refused_given_up_and_put_back(store: Store) -> None:
    for number in (1, 2, 3):
        store.submit("a", sha(number), NOW, daily=5)
    first, second, third = (store.claim(NOW, LEASE) for _ in range(3))
    assert first and second and third
    assert store.refuse(first, "NaN", NOW) and store.give_up(second, "gone", NOW) and store.release(third)
    assert [(each.state, each.reason, each.attempt) for each in store.submissions()] == [
        ("refused", "NaN", 1),
        ("stuck", "gone", 1),
        ("waiting", "", 0),
    ]
    assert not store.release(third)
    assert store.again() == 1
    assert [each.state for each in store.submissions()] == ["refused", "waiting", "waiting"]


def test_a_worker_that_vanishes(store: Store) -> None:
    store.submit("a", sha(1), NOW, daily=5)
    lost = store.claim(NOW, LEASE)
    assert lost and store.renew(lost, NOW + timedelta(seconds=30), LEASE)
    assert store.claim(LATER, LEASE) is None  # it was renewed
    other = store.claim(LATER + timedelta(seconds=60), LEASE)
    assert other and (other.number, other.attempt) == (1, 2)
    # The first one was only slow, and comes back: nothing that it says counts.
    assert not store.renew(lost, LATER, LEASE)
    assert not store.finish(lost, BOTH, LATER)
    assert not store.refuse(lost, "no", LATER)
    assert not store.release(lost)
    assert counted(store)["results"] == 0
    assert store.finish(other, BOTH, LATER)
    assert not store.finish(lost, BOTH, LATER)
    assert counted(store)["results"] == 2


def test_one_that_was_interrupted_keeps_its_place(store: Store) -> None:
    for number in (1, 2):
        store.submit("a", sha(number), NOW, daily=5)
    now = NOW
    for attempt in (1, 2, 3):
        claim = store.claim(now, LEASE)
        assert claim and (claim.number, claim.attempt) == (1, attempt)
        now += 2 * LEASE
    claim = store.claim(now, LEASE)  # three times are enough: now the others
    assert claim and claim.number == 2


def test_one_whose_workers_always_vanish_holds_up_nobody_and_is_given_up(store: Store) -> None:
    store.submit("a", sha(1), NOW, daily=5)
    now = NOW
    for attempt in range(1, ATTEMPTS + 1):
        claim = store.claim(now, LEASE)
        assert claim and claim.attempt == attempt
        now += 2 * LEASE
    store.submit("b", sha(2), NOW, daily=5)
    claim = store.claim(now, LEASE)
    assert claim and claim.number == 2
    assert store.claim(now, LEASE) is None
    stuck = store.submissions()[0]
    assert stuck.state == "stuck" and "interrupted 10 times" in stuck.reason
    assert store.again() == 1
    claim = store.claim(now, LEASE)
    assert claim and (claim.number, claim.attempt) == (1, 1)


def test_results_are_all_or_none_and_files_come_first(store: Store) -> None:
    store.submit("a", sha(1), NOW, daily=5)
    claim = store.claim(NOW, LEASE)
    assert claim

    def full() -> None:
        raise OutputError("no space left", "free some")

    with pytest.raises(OutputError):
        store.finish(claim, BOTH, NOW, full)
    assert counted(store)["results"] == 0
    with pytest.raises(IntegrityError):
        store.finish(claim, (BOTH[0], BOTH[0]), NOW)
    assert counted(store)["results"] == 0
    assert store.submissions()[0].state == "judging"
    assert store.finish(claim, BOTH, NOW)


def test_a_second_result_is_impossible_even_past_the_code(store: Store) -> None:
    store.submit("a", sha(1), NOW, daily=5)
    claim = store.claim(NOW, LEASE)
    assert claim and store.finish(claim, BOTH, NOW)
    copy = sa.text(
        "INSERT INTO results SELECT id + 10, submission_id, part, answers_sha256, metric, low, high, measures, seconds"
        " FROM results"
    )
    with pytest.raises(IntegrityError), store.engine.begin() as connection:
        connection.execute(copy)


def test_what_is_handed_in_twice_because_its_end_was_not_known(store: Store) -> None:
    first = store.submit("a", sha(1), NOW, daily=1, ticket="t")
    assert store.submit("a", sha(1), NOW, daily=1, ticket="t") == first
    claim = store.claim(NOW, LEASE)
    assert claim
    assert store.finish(claim, BOTH, NOW) and store.finish(claim, BOTH, NOW)
    assert not store.refuse(claim, "no", NOW)
    assert counted(store) == {"teams": 1, "submissions": 1, "results": 2}


def test_the_same_bundle_again_and_too_many_a_day(store: Store) -> None:
    store.submit("a", sha(1), NOW, daily=2)
    with pytest.raises(UserError, match="has submitted this bundle already, as number 1"):
        store.submit("a", sha(1), NOW, daily=2)
    store.submit("b", sha(1), NOW, daily=2)
    store.submit("a", sha(2), NOW, daily=2)
    with pytest.raises(UserError, match=r"its 2 submissions of 2027-01-31 \(UTC\)"):
        store.submit("a", sha(3), NOW + timedelta(hours=11, minutes=59), daily=2)
    store.submit("a", sha(3), NOW + timedelta(hours=12), daily=2)


def test_challenges_of_one_database_do_not_see_each_other(place: Place) -> None:
    one, other = (Store.open(place, name) for name in ("one", "other"))
    one.submit("a", sha(1), NOW, daily=1)
    other.submit("a", sha(1), NOW, daily=1)
    assert len(one.submissions()) == len(other.submissions()) == 1
    assert one.claim(NOW, LEASE) and one.claim(NOW, LEASE) is None
    assert other.claim(NOW, LEASE)


def test_many_workers_never_take_the_same_one(place: Place, store: Store) -> None:
    for number in range(6):
        store.submit("a", sha(number), NOW, daily=10)
    stores = [Store.open(place, "cells") for _ in range(4)]
    claims = at_once(8, lambda i: stores[i % 4].claim(NOW, LEASE))
    assert sorted(claim.number for claim in claims if claim) == [1, 2, 3, 4, 5, 6]
    assert claims.count(None) == 2


def test_many_submissions_at_once_stay_within_the_day(place: Place, store: Store) -> None:
    stores = [Store.open(place, "cells") for _ in range(4)]
    found = at_once(6, lambda i: stores[i % 4].submit("new team", sha(i), NOW, daily=3))
    assert sum(isinstance(each, Submitted) for each in found) == 3
    assert [type(each) for each in found if not isinstance(each, Submitted)] == [UserError] * 3
    assert counted(store) == {"teams": 1, "submissions": 3, "results": 0}


def test_two_that_hold_one_claim_hand_in_once(place: Place, store: Store) -> None:
    """However it came about: one result."""
    store.submit("a", sha(1), NOW, daily=5)
    claim = store.claim(NOW, LEASE)
    assert claim
    stores, written = [Store.open(place, "cells") for _ in range(4)], []
    found = at_once(4, lambda i: stores[i].finish(claim, BOTH, NOW, lambda: written.append(i)))
    assert found == [True] * 4
    assert len(written) == 1 and counted(store)["results"] == 2


# --- the database itself ------------------------------------------------------------------------------------------


def test_migrations_make_the_tables_that_the_code_expects(store: Store) -> None:
    with store.engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert PersonRow.metadata is Base.metadata  # the site's tables are among them
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision() == "0005"


def test_several_that_start_at_once_make_them_once(place: Place) -> None:
    found = at_once(4, lambda i: Store.open(place, "cells").submissions())
    assert found == [[]] * 4


def test_a_store_of_a_newer_version_is_refused(place: Place, store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"schema 9999(?s:.)*newer flawscope"):
        Store.open(place, "cells")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("nonsense", "no URL of a database"),
        ("mysql://me@host/x", "cannot be kept in mysql|needs"),
        ("postgresql://me:secret@/x?host=/nowhere", "does not answer"),
        ("sqlite:////nowhere/at/all/x.sqlite", "no such folder"),
    ],
)
def test_places_where_there_is_no_store(url: str, problem: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match=problem) as caught:
        connect(url, patience=0.1)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"no database at all, but of some length" * 100)
    with pytest.raises(StoreError, match="not a database"):
        connect(tmp_path / "x.sqlite")


def test_the_disk_of_the_database_is_full(tmp_path: Path) -> None:
    """SQLite says so itself when it may not have another page."""
    store = Store.open(tmp_path / "store.sqlite", "cells")
    store.submit("a", sha(0), NOW, daily=10**6)
    claim = store.claim(NOW, LEASE)
    assert claim
    sa.event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA max_page_count = 1"))
    store.engine.dispose()
    taken = 0
    with pytest.raises(OutputError, match=r"disk is full(?s:.)*nothing is lost"):
        for number in range(1, 10**4):
            store.submit("a", sha(number), NOW, daily=10**6)
            taken = number
    many = [PartResult(f"p{i}", "a" * 64, 0.7, 0.6, 0.8, {"x": "y" * 4000}, 1.0) for i in range(50)]
    with pytest.raises(OutputError, match="disk is full"):
        store.finish(claim, many, NOW)
    roomy = Store.open(tmp_path / "store.sqlite", "cells")
    found = roomy.submissions()
    assert [each.number for each in found] == list(range(1, taken + 2))
    assert found[0].state == "judging" and not found[0].results
    assert roomy.finish(claim, BOTH, NOW)


def test_a_file_that_this_user_may_not_write_to(tmp_path: Path) -> None:
    """SQLite says so, too, where the file may be written to and its folder may not."""
    store = Store.open(tmp_path / "store.sqlite", "cells")
    sa.event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only = 1"))
    store.engine.dispose()
    with pytest.raises(StoreError, match=r"cannot be written to: .*readonly(?s:.)*must be this user's"):
        store.submit("a", sha(0), NOW, daily=1)


def test_the_database_is_restarted_while_workers_work(emptied: Any) -> None:
    store = Store.open(emptied.url, "restarted", patience=120)
    for number in range(3):
        store.submit("a", sha(number), NOW, daily=10)
    first = store.claim(NOW, LEASE)
    assert first
    emptied.stop()
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(store.finish(first, BOTH, NOW)))
    other = threading.Thread(target=lambda: found.append(store.claim(NOW, LEASE)))
    thread.start()
    other.start()
    time.sleep(0.3)
    assert not found  # they wait
    emptied.start()
    thread.join(120)
    other.join(120)
    assert True in found and len(found) == 2
    states = [(each.number, each.state, sorted(each.results)) for each in store.submissions()]
    assert [state for _, state, _ in states] == ["judged", "judging", "waiting"]
    assert states[0][2] == ["private", "public"]
    emptied.stop()
    impatient = Store(store.engine, "restarted", patience=0.2)
    with pytest.raises(StoreError, match="does not answer"):
        impatient.submissions()
    emptied.start()
    assert len(store.submissions()) == 3


def test_the_word_of_a_commit_is_lost(place: Place, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database has written it, and is gone before it says so: it is asked again, and nothing is there twice."""
    real, lost = Session.__exit__, [1]

    def leave(session: Session, *given: Any) -> None:
        real(session, *given)
        if given == (None, None, None) and lost:
            lost.pop()
            raise OperationalError("COMMIT", {}, ConnectionError("server closed the connection"))

    store.submit("z", sha(9), NOW, daily=5)
    monkeypatch.setattr(Session, "__exit__", leave)
    made = store.submit("a", sha(1), NOW, daily=1)
    assert not lost and made.number == 2
    lost.append(1)
    claim = store.claim(NOW, LEASE)
    assert claim and (claim.number, claim.attempt) == (1, 1)
    lost.append(1)
    assert store.finish(claim, BOTH, NOW)
    assert counted(store) == {"teams": 2, "submissions": 2, "results": 2}


def test_upgrading_again_changes_nothing(store: Store) -> None:
    store.submit("a", sha(1), NOW, daily=5)
    upgrade(store.engine)
    assert len(store.submissions()) == 1


def test_the_queue_in_its_turn_and_by_whom(store: Store) -> None:
    for number in range(4):
        store.submit("ab"[number % 2], f"{number:064x}", NOW, 9, person=number or None)
    first = store.claim(NOW, LEASE)
    assert first and store.queue() == [1, 2, 3, 4]
    assert store.release(first)
    again = [store.claim(NOW, timedelta(0)) for _ in range(2)]
    assert [each and each.number for each in again] == [1, 2] and store.queue() == [1, 2, 3, 4]
    assert all(each and store.refuse(each, "", NOW) for each in again)
    assert store.queue() == [3, 4]
    assert [each.number for each in store.submissions("b")] == [2, 4]
    assert [each.person for each in store.submissions()] == [None, 1, 2, 3]
    assert Store(store.engine, "other").queue() == []


def test_a_file_is_put_into_its_place_only_if_nothing_stands_against_it(store: Store) -> None:
    kept: list[str] = []
    store.submit("a", "1" * 64, NOW, 1, "ticket", keep=lambda: kept.append("first"))
    store.submit("a", "1" * 64, NOW, 1, "ticket", keep=lambda: kept.append("the same"))
    for sha256, words in (("1" * 64, "already, as number 1"), ("2" * 64, "its 1 submissions")):
        with pytest.raises(UserError, match=words):
            store.submit("a", sha256, NOW, 1, keep=lambda: kept.append("refused"))

    def full() -> None:
        raise OutputError("full")

    with pytest.raises(OutputError):
        store.submit("b", "3" * 64, NOW, 1, keep=full)
    assert kept == ["first"] and counted(store)["submissions"] == 1


def test_when_all_connections_are_in_use(tmp_path: Path) -> None:
    Store.open(tmp_path / "store.sqlite", "cells")  # brought up to date
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'store.sqlite'}", pool_size=1, max_overflow=0, pool_timeout=0.01)
    with engine.connect(), pytest.raises(StoreError, match="all connections to the store are in use"):
        Store(engine, "cells").submissions()
