"""The API against its own description: schemathesis makes calls up, and looks at what is answered."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from .conftest import Running

MANY = settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
FEW = settings(MANY, max_examples=5, phases=[Phase.explicit, Phase.generate])


@pytest.fixture(scope="module")
def fuzzed(
    tmp_path_factory: pytest.TempPathFactory, fill_challenge: Callable[..., Path], make_site: Callable[..., Running]
) -> Running:
    """A site with somebody who calls."""
    site = make_site(fill_challenge(tmp_path_factory.mktemp("fuzzed") / "contest"))
    person = site.site.people.sign_up("Fuzz", "correct horse battery", site.clock())
    site.site.hosted["grey"].members.create(person, "Fuzzy", site.clock())
    return site


def check(running: Running, how: settings) -> None:
    """Each operation of the API, with calls that fit its description and calls that do not."""
    head = {"Authorization": running.api("Fuzz").headers["Authorization"]}
    found = [
        each.ok() for each in schemathesis.openapi.from_asgi("/api/v1/openapi.json", running.app).get_all_operations()
    ]
    called: set[str] = set()
    assert len(found) >= 8
    for operation in found:
        for mode in schemathesis.GenerationMode:

            @how
            @given(case=operation.as_strategy(mode))
            def answers(case: Any) -> None:
                called.add(case.operation.label)
                case.call_and_validate(headers=head)

            with suppress(Unsatisfiable):  # nothing can be wrong with a call that takes nothing
                answers()
    assert len(called) == len(found)


def test_answers_are_those_that_are_described(fuzzed: Running) -> None:
    check(fuzzed, FEW)


@pytest.mark.slow
def test_many_answers_are_those_that_are_described(fuzzed: Running) -> None:
    check(fuzzed, MANY)
