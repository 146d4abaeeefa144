"""Teams: one person in one of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from flawscope.challenge.store import Store
from flawscope.errors import UserError
from flawscope.site.database import Database
from flawscope.site.members import Members, shown_code
from flawscope.site.people import People, Person
from flawscope.site.refusals import ConflictError, ForbiddenError, NotFoundError
from together import at_once

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
DEADLINE = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.fixture
def members(database: Database) -> Members:
    return Members(database, "cells")


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database.engine, "cells", 1)


@pytest.fixture
def person(people: People) -> Callable[[str], Person]:
    return lambda name: people.sign_up(name, "correct horse battery", NOW)


def submit(store: Store, team: str, at: datetime = NOW) -> None:
    store.submit(team, f"{at.timestamp():064.0f}", at, daily=5)


def names(members: Members, who: Person) -> list[tuple[str, bool]]:
    team = members.team_of(who)
    return [(each.name, each.captain) for each in team.members] if team else []


def test_create_invite_join(members: Members, person: Callable[[str], Person], database: Database) -> None:
    ada, bob, eve = person("Ada"), person("Bob"), person("Eve")
    made = members.create(ada, "  Bolts  & Nuts ", NOW)
    assert (made.name, names(members, ada)) == ("Bolts & Nuts", [("Ada", True)])
    assert made.has_captain(ada) and len(made.code) == 12
    joined = members.join(bob, f" {shown_code(made.code).upper()} ", NOW + timedelta(days=1), DEADLINE)
    assert joined.id == made.id and names(members, bob) == [("Ada", True), ("Bob", False)]
    assert members.team_of(eve) is None
    with pytest.raises(ForbiddenError, match="in no team"):
        members.my_team(eve)
    for code in ("", "abcd-efgh-2345", "a\0b", "%", made.code[:-1], made.name):
        with pytest.raises(NotFoundError, match="no team"):
            members.join(eve, code, NOW, DEADLINE)
    with pytest.raises(NotFoundError):  # that of another challenge
        Members(database, "tiles").join(eve, made.code, NOW, DEADLINE)
    with pytest.raises(ConflictError, match="deadline has passed"):
        members.join(eve, made.code, DEADLINE + timedelta(seconds=1), DEADLINE)
    assert Members(database, "tiles").create(bob, "Bolts & Nuts", NOW).name == "Bolts & Nuts"  # another challenge


def test_nobody_is_in_two_teams(members: Members, person: Callable[[str], Person]) -> None:
    ada, bob = person("Ada"), person("Bob")
    members.create(ada, "A", NOW)
    other = members.create(bob, "B", NOW)
    with pytest.raises(ConflictError, match="you are in a team"):
        members.join(ada, other.code, NOW, DEADLINE)
    with pytest.raises(ConflictError, match="you are in a team"):
        members.create(ada, "C", NOW)


def test_nor_by_being_quick(members: Members, person: Callable[[str], Person]) -> None:
    ada = person("Ada")
    codes = [members.create(person(f"P{i}"), f"T{i}", NOW).code for i in range(4)]
    found = at_once(4, lambda i: members.join(ada, codes[i], NOW, DEADLINE))
    assert sum(isinstance(each, ConflictError) for each in found) == 3


@pytest.mark.parametrize("name", ["bolts", "ＢＯＬＴＳ", " Bolts "])
def test_names_of_teams_are_told_apart(members: Members, person: Callable[[str], Person], name: str) -> None:
    members.create(person("Ada"), "Bolts", NOW)
    bob = person("Bob")
    with pytest.raises(ConflictError, match="there is a team called"):
        members.create(bob, name, NOW)
    assert members.team_of(bob) is None


def test_a_team_of_the_command_line_is_nobodys_to_take(
    members: Members, person: Callable[[str], Person], store: Store
) -> None:
    submit(store, "Bolts")
    with pytest.raises(ConflictError):
        members.create(person("Ada"), "Bolts", NOW)


def test_what_is_no_name_of_a_team(members: Members, person: Callable[[str], Person]) -> None:
    ada = person("Ada")
    for name in ("", "x" * 101, "a\0b", "\u202eevil"):
        with pytest.raises(UserError, match="is no name of a team"):
            members.create(ada, name, NOW)


def test_leaving(members: Members, person: Callable[[str], Person], store: Store) -> None:
    ada, bob = person("Ada"), person("Bob")
    code = members.create(ada, "Bolts", NOW).code
    members.join(bob, code, NOW + timedelta(hours=1), DEADLINE)
    assert members.leave(ada, NOW) == "Bolts"
    assert names(members, bob) == [("Bob", True)]  # somebody leads
    with pytest.raises(ForbiddenError):
        members.leave(ada, NOW)
    assert members.join(ada, code, NOW, DEADLINE).name == "Bolts"
    members.leave(ada, NOW)
    members.leave(bob, NOW)
    with pytest.raises(NotFoundError):  # nothing was submitted: it is gone, and its name is free
        members.join(ada, code, NOW, DEADLINE)
    assert members.create(bob, "Bolts", NOW).name == "Bolts"


def test_a_team_that_has_submitted_stays(members: Members, person: Callable[[str], Person], store: Store) -> None:
    ada, bob = person("Ada"), person("Bob")
    made = members.create(ada, "Bolts", NOW)
    submit(store, "Bolts", NOW - timedelta(days=2))
    members.leave(ada, NOW)
    assert [each.team for each in store.submissions()] == ["Bolts"]
    with pytest.raises(ConflictError, match="there is a team called Bolts"):
        members.create(bob, "Bolts", NOW)
    assert members.create(ada, "Nuts", NOW).name == "Nuts"  # it has not submitted today
    assert members.join(bob, made.code, NOW, DEADLINE).has_captain(bob)


def test_what_a_team_may_submit_in_a_day_does_not_count_twice(
    members: Members, person: Callable[[str], Person], store: Store
) -> None:
    ada, bob = person("Ada"), person("Bob")
    made, other = members.create(ada, "Bolts", NOW), members.create(bob, "Nuts", NOW)
    submit(store, "Bolts")
    members.leave(ada, NOW)
    with pytest.raises(ConflictError, match="would count twice"):
        members.create(ada, "Screws", NOW)
    with pytest.raises(ConflictError, match="would count twice"):
        members.join(ada, other.code, NOW + timedelta(hours=11), DEADLINE)
    assert members.join(ada, made.code, NOW, DEADLINE).name == "Bolts"  # back to the same one
    members.leave(ada, NOW)
    assert members.join(ada, other.code, NOW + timedelta(hours=12), DEADLINE).name == "Nuts"


def test_a_new_code_makes_the_old_one_worthless(members: Members, person: Callable[[str], Person]) -> None:
    ada, bob, eve = person("Ada"), person("Bob"), person("Eve")
    old = members.create(ada, "Bolts", NOW).code
    members.join(bob, old, NOW, DEADLINE)
    for other in (bob, eve):
        with pytest.raises(ForbiddenError, match="only the captain"):
            members.renew_code(other)
    new = members.renew_code(ada).code
    with pytest.raises(NotFoundError):
        members.join(eve, old, NOW, DEADLINE)
    assert members.join(eve, new, NOW, DEADLINE).name == "Bolts"


def test_the_captain_takes_members_out(members: Members, person: Callable[[str], Person], store: Store) -> None:
    ada, bob, eve = person("Ada"), person("Bob"), person("Eve")
    old = members.create(ada, "Bolts", NOW).code
    for each in (bob, eve):
        members.join(each, old, NOW, DEADLINE)
    with pytest.raises(ForbiddenError, match="only the captain of a team can take members out"):
        members.take_out(bob, "Eve", NOW, DEADLINE)
    with pytest.raises(ForbiddenError):
        members.take_out(person("Mallory"), "Eve", NOW, DEADLINE)
    for name in ("Mallory", "Ada", "", "x" * 300):  # nor oneself
        with pytest.raises(NotFoundError, match="nobody else in the team is called"):
            members.take_out(ada, name, NOW, DEADLINE)
    with pytest.raises(ConflictError, match="deadline has passed"):
        members.take_out(ada, "Bob", DEADLINE + timedelta(seconds=1), DEADLINE)
    left = members.take_out(ada, "bob", NOW, DEADLINE)
    assert [each.name for each in left.members] == ["Ada", "Eve"] and left.code != old
    assert members.team_of(bob) is None
    with pytest.raises(NotFoundError):
        members.join(bob, old, NOW, DEADLINE)
    assert members.create(bob, "Nuts", NOW).name == "Nuts"  # nobody had submitted
    submit(store, "Bolts")
    members.take_out(ada, "Eve", NOW, DEADLINE)
    with pytest.raises(ConflictError, match="would count twice"):
        members.create(eve, "Screws", NOW)
    assert members.create(eve, "Screws", NOW + timedelta(days=1)).has_captain(eve)
