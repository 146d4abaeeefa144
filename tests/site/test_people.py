"""Accounts, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from flawscope.errors import UserError
from flawscope.site.attempts import Attempts
from flawscope.site.database import Database
from flawscope.site.passwords import Passwords
from flawscope.site.people import LINK_LASTS, People, checked_name, key, tidy
from flawscope.site.refusals import ConflictError, NotFoundError, TooManyError
from flawscope.site.sessions import Sessions
from flawscope.site.settings import Argon2
from together import at_once

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
WORD, OTHER = "correct horse battery", "another horse battery"


def log_in(people: People, name: str, password: str, at: datetime = NOW) -> Any:
    return people.authenticate(name, password, "192.0.2.1", at)


def test_sign_up_and_log_in(people: People) -> None:
    made = people.sign_up("  Ada   Lovelace ", WORD, NOW)
    assert (made.name, made.organiser, made.created) == ("Ada Lovelace", False, NOW)
    assert log_in(people, "ada LOVELACE", WORD) == made
    assert people.everybody() == [made]


@pytest.mark.parametrize("name", ["", "   ", "x" * 51, "a\0b", "a\u200bb", "a\u202eb", "\u3164", "\ud800", "\u0301"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(UserError, match="is no name"):
        checked_name(name)
    with pytest.raises(UserError, match="is no name of a team"):
        checked_name(name, 50, "name of a team")


def test_what_is_no_name_is_nobodys(people: People) -> None:
    for name in ("", "a\0b", "\ud800", "x" * 10**4):
        with pytest.raises(UserError, match="do not belong together"):
            log_in(people, name, WORD)
        with pytest.raises(UserError, match="is no name"):
            people.sign_up(name, WORD, NOW)


@pytest.mark.parametrize(("password", "words"), [("x" * 9, "9 characters"), ("x" * 201, "201 characters")])
def test_what_is_no_password(people: People, password: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        people.sign_up("Ada", password, NOW)
    assert people.everybody() == []


def test_the_name_is_no_password(people: People) -> None:
    with pytest.raises(UserError, match="is the name"):
        people.sign_up("Ada Lovelace", "ADA LOVELACE", NOW)


@pytest.mark.parametrize("name", ["ADA", " ada ", "\uff21da", "Ａｄａ"])
def test_a_name_is_taken_however_it_is_written(people: People, name: str) -> None:
    people.sign_up("Ada", WORD, NOW)
    with pytest.raises(ConflictError, match="is taken"):
        people.sign_up(name, WORD, NOW)


def test_one_name_signed_up_for_at_once_is_one_person(people: People) -> None:
    found = at_once(4, lambda i: people.sign_up("Ada", WORD, NOW))
    assert sum(isinstance(each, ConflictError) for each in found) == 3 and len(people.everybody()) == 1


def test_wrong_names_and_wrong_passwords_are_told_alike(people: People) -> None:
    people.sign_up("Ada", WORD, NOW)
    told = []
    for name, password in (("Ada", OTHER), ("Bob", OTHER)):
        with pytest.raises(UserError) as error:
            log_in(people, name, password)
        told.append(str(error.value))
    assert told[0] == told[1]


def test_an_unknown_name_costs_a_hash_as_well(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    people.sign_up("Ada", WORD, NOW)
    tried: list[str] = []
    passwords = people._passwords
    verify = passwords._hasher.verify
    monkeypatch.setattr(
        passwords, "_hasher", type("Spy", (), {"verify": lambda self, *a: tried.append(a[0]) or verify(*a)})()
    )
    for name in ("Ada", "Bob", "a\0b"):
        with pytest.raises(UserError):
            log_in(people, name, OTHER)
    assert len(tried) == 3 and {each.split("$")[3] for each in tried} == {"m=8,t=1,p=1"}


def test_a_password_is_the_same_however_a_keyboard_makes_its_letters(people: People) -> None:
    people.sign_up("Ada", "u\u0308ber alle Berge", NOW)
    assert log_in(people, "Ada", "\u00fcber alle Berge").name == "Ada"


def test_passwords_are_kept_as_argon2_alone(people: People, database: Database) -> None:
    people.sign_up("Ada", WORD, NOW)
    with database.engine.begin() as connection:
        kept = str(connection.execute(text("SELECT * FROM people")).all())
    assert "$argon2id$" in kept and WORD not in kept


def test_a_hash_of_another_cost_is_made_anew_at_the_next_log_in(people: People, database: Database) -> None:
    people.sign_up("Ada", WORD, NOW)
    dearer = People(database, Passwords(Argon2(time_cost=2, memory_cost=16, parallelism=1), 1), Attempts(database))
    log_in(dearer, "Ada", WORD)
    with database.engine.begin() as connection:
        assert "m=16,t=2" in connection.scalar(text("SELECT password FROM people"))
    assert log_in(people, "Ada", WORD).name == "Ada"


def test_another_password(people: People, database: Database) -> None:
    person, sessions = people.sign_up("Ada", WORD, NOW), Sessions(database, 1)
    number = sessions.begin(person, NOW)
    for old, new, words in ((OTHER, OTHER, "do not belong"), (WORD, "short", "5 characters"), (WORD, WORD, "old one")):
        with pytest.raises(UserError, match=words):
            people.change_password(person, old, new, "192.0.2.1", NOW)
    assert sessions.person(number, NOW) == person
    people.change_password(person, WORD, OTHER, "192.0.2.1", NOW)
    assert sessions.person(number, NOW) is None
    assert log_in(people, "Ada", OTHER) == person
    with pytest.raises(UserError):
        log_in(people, "Ada", WORD)


def test_the_present_password_cannot_be_guessed_in_a_session(people: People) -> None:
    person = people.sign_up("Ada", WORD, NOW)
    for _ in range(10):
        with pytest.raises(UserError, match="do not belong"):
            people.change_password(person, OTHER, OTHER, "192.0.2.1", NOW)
    with pytest.raises(TooManyError):
        people.change_password(person, WORD, OTHER, "192.0.2.1", NOW)


# --- organisers ---------------------------------------------------------------------------------------------------


def test_the_first_organiser(people: People) -> None:
    old, code = people.new_setup_code(), people.new_setup_code()
    assert old and code and not people.set_up_waits(old) and people.set_up_waits(code)
    for wrong in (old, "", "x"):
        with pytest.raises(NotFoundError, match="good no more"):
            people.set_up(wrong, "Eve", WORD, NOW)
    with pytest.raises(UserError, match="5 characters"):  # a typing error does not use it up
        people.set_up(code, "Olga", "short", NOW)
    assert people.set_up(code, "Olga", WORD, NOW).organiser
    with pytest.raises(NotFoundError):
        people.set_up(code, "Eve", WORD, NOW)
    assert people.new_setup_code() is None


def test_the_link_of_the_first_organiser_is_good_for_one(people: People) -> None:
    code = people.new_setup_code()
    assert code
    found = at_once(4, lambda i: people.set_up(code, f"Olga {i}", WORD, NOW))
    assert sum(isinstance(each, NotFoundError) for each in found) == 3
    assert len(people.everybody()) == 1


def test_organisers_make_others_organisers(people: People) -> None:
    ada = people.sign_up("Ada", WORD, NOW)
    assert people.make_organiser(ada.id).organiser and people.everybody()[0].organiser
    with pytest.raises(NotFoundError):
        people.make_organiser(99)


def test_of_organisers_one_always_remains(people: People) -> None:
    ada, bob = (people.make_organiser(people.sign_up(name, WORD, NOW).id) for name in ("Ada", "Bob"))
    with pytest.raises(ConflictError, match="one organiser must remain"):
        people.end_organiser(ada.id, ada)
    with pytest.raises(NotFoundError):
        people.end_organiser(99, ada)
    each_other = [(ada.id, bob), (bob.id, ada)]
    found = at_once(2, lambda i: people.end_organiser(*each_other[i]))
    assert sum(isinstance(each, ConflictError) for each in found) == 1
    assert [each.organiser for each in people.everybody()].count(True) == 1


# --- forgotten passwords ------------------------------------------------------------------------------------------


def test_a_link_sets_a_password_once(people: People, database: Database) -> None:
    ada, bob = people.sign_up("Ada", WORD, NOW), people.sign_up("Bob", WORD, NOW)
    number = Sessions(database, 1).begin(ada, NOW)
    old, code = people.new_link(ada.id, NOW), people.new_link(ada.id, NOW)
    assert people.linked(code, NOW) == ada
    swapped = f"{bob.id}-{code.partition('-')[2]}"
    for wrong in (old, swapped, "", "-", "1-", "9" * 30 + "-x", "²-x"):
        with pytest.raises(NotFoundError, match="good no more"):
            people.linked(wrong, NOW)
    with pytest.raises(NotFoundError):
        people.set_password(code, OTHER, NOW + LINK_LASTS + timedelta(seconds=1))
    with pytest.raises(UserError, match="5 characters"):
        people.set_password(code, "short", NOW)
    assert people.set_password(code, OTHER, NOW) == ada
    assert Sessions(database, 1).person(number, NOW) is None
    assert log_in(people, "Ada", OTHER) == ada and log_in(people, "Bob", WORD) == bob
    with pytest.raises(NotFoundError):
        people.set_password(code, WORD, NOW)
    with pytest.raises(NotFoundError, match="no such person"):
        people.new_link(99, NOW)


@pytest.mark.parametrize("name", ["Ada", "Straße", "ﬁsh", "İstanbul", "ǅ", "ΐ", "K"])  # the last is the sign of kelvin
def test_the_key_of_a_name_is_that_of_what_is_kept(name: str) -> None:
    assert key(name) == key(tidy(name)) == key(name.upper()) == key(key(name))
