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
FEWER = settings(FEW, max_examples=2)


@pytest.fixture(scope="module")
def fuzzed(
    tmp_path_factory: pytest.TempPathFactory, fill_challenge: Callable[..., Path], make_site: Callable[..., Running]
) -> Running:
    """A site with somebody who calls."""
    site = make_site(fill_challenge(tmp_path_factory.mktemp("fuzzed") / "contest"))
    person = site.site.people.sign_up("Fuzz", "correct horse battery", site.clock())
    site.site.hosted["grey"].members.create(person, "Fuzzy", site.clock())
    return site


def check(running: Running, how: settings, who: str) -> None:
    """Each operation of the API, with calls that fit its description and calls that do not."""
    heads = {
        "a member": running.api("Fuzz").headers["Authorization"],
        "no token": f"Bearer fsc_{'x' * 43}",
        "nobody": "",
    }
    head = {"Authorization": heads[who]} if heads[who] else {}
    described = schemathesis.openapi.from_asgi("/api/v1/openapi.json", running.app)
    found = [each.ok() for each in described.get_all_operations()]
    called: set[str] = set()
    assert len(found) >= 16
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


@pytest.mark.parametrize("who", ["a member", "no token", "nobody"])
def test_answers_are_those_that_are_described(fuzzed: Running, who: str) -> None:
    check(fuzzed, FEW if who == "a member" else FEWER, who)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["a member", "no token", "nobody"])
def test_many_answers_are_those_that_are_described(fuzzed: Running, who: str) -> None:
    check(fuzzed, MANY, who)
