"""What is judged again, and what is put off, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flawscope.challenge.store import Store
from flawscope.challenge.submitted import PartResult
from flawscope.errors import UserError

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
LEASE = timedelta(seconds=60)
BOTH = tuple(PartResult(part, "a" * 64, 0.7, 0.6, 0.8, {}, 1.5) for part in ("public", "private"))


def sha(number: int) -> str:
    return f"{number:064x}"


@pytest.fixture
def store(place: str | Path) -> Store:
    return Store.open(place, "cells")


def test_one_that_was_refused_is_judged_again_and_its_first_reason_is_kept(store: Store) -> None:
    for number in (1, 2):
        store.submit("a", sha(number), NOW, daily=5)
    for reason in ("NaN", "too slow"):
        claim = store.claim(NOW, LEASE)
        assert claim and store.refuse(claim, reason, NOW)
    assert store.again() == 0  # without its number only what is stuck
    for number, words in ((3, "there is no submission 3"), (0, "no submission 0")):
        with pytest.raises(UserError, match=words):
            store.again([1, number])
    assert [each.state for each in store.submissions()] == ["refused", "refused"]
    assert store.again([1, 2]) == 2
    with pytest.raises(UserError, match="submission 1 is waiting"):
        store.again([1])
    first, second = (store.claim(NOW, LEASE) for _ in range(2))
    assert first and second and store.finish(first, BOTH, NOW) and store.refuse(second, "crashed", NOW)
    found = [(each.state, each.reason, len(each.results)) for each in store.submissions()]
    assert found == [
        ("judged", "judged again; before: NaN", 2),
        ("refused", "crashed (judged again; before: too slow)", 0),
    ]
    with pytest.raises(UserError, match=r"submission 1 is judged(?s:.)*never replaced"):
        store.again([1])


def test_one_that_is_put_off_comes_after_all_others_and_not_for_ever(store: Store) -> None:
    for number in (1, 2, 3):
        store.submit("a", sha(number), NOW, daily=5)
    claims = []
    for _ in range(2):
        claim = store.claim(NOW, LEASE)
        assert claim and store.put_off(claim)
        assert store.put_off(claim)  # its end was not known
        claims.append(claim)
    assert not store.renew(claims[0], NOW, LEASE)
    order = [store.claim(NOW, LEASE) for _ in range(3)]
    assert [(claim.number, claim.attempt) for claim in order if claim] == [(3, 1), (1, 4), (2, 4)]
    assert not store.put_off(claims[0]), "it is another worker's by now"
