from __future__ import annotations

import pickle

import pytest

from flawscope import errors
from flawscope.errors import UserError, choices, listing

KINDS = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, UserError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_says_problem_and_remedy_and_survives_a_worker_process(kind: type[UserError]) -> None:
    error = pickle.loads(pickle.dumps(kind("no column 'a'", "name one")))
    assert (type(error), error.problem, error.remedy) == (kind, "no column 'a'", "name one")
    assert str(error) == "no column 'a'\n  -> name one"
    assert str(kind("alone")) == "alone"


def test_listing_counts_what_it_leaves_out() -> None:
    lines = listing([f"row {i}" for i in range(25)]).splitlines()
    assert lines[0] == "  row 0"
    assert (len(lines), lines[-1]) == (21, "  ... and 5 more")
    assert len(listing(["a"] * 20).splitlines()) == 20


@pytest.mark.parametrize(
    ("given", "expected"),
    [("epohcs", "did you mean 'epochs'? "), ("zzz", ""), ("", ""), (3, "")],
)
def test_choices_names_the_nearest_only_if_it_is_near(given: str, expected: str) -> None:
    assert choices(given, ["rate", "epochs"]) == f"{expected}Valid: rate, epochs"
