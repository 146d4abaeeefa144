"""docs/costs.md says what its script draws and what the benchmark has found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
FLAT = " ".join(PAGE.split())


@pytest.fixture(scope="module")
def script(docs_script: Callable[[str], ModuleType]) -> ModuleType:
    return docs_script("make_costs_picture")


def test_the_words_and_the_picture_are_those_of_the_script(
    script: ModuleType, as_stored: Callable[[ModuleType], None]
) -> None:
    assert f"\n> {script.band().words[0]}\n" in PAGE
    as_stored(script)


def test_the_tables_are_those_of_the_simulation(script: ModuleType) -> None:
    for row in (*script.held(), *script.too_good()):
        assert row in PAGE.splitlines(), "run: python docs/make_costs_picture.py"


def test_the_simulation_is_large_enough_and_its_intervals_of_the_test_part_hold(script: ModuleType) -> None:
    found = script.entry()
    assert f"{found['asked']['draws']:,} draws of each of {len(found['designs'])} designs" in FLAT
    assert found["asked"]["draws"] >= 1000
    assert "+" not in found["provenance"]["code"], "from a clean commit"
    for kind in ("alone", "alike", "alike, together", "tails"):
        assert found["summary"][kind]["cost"]["too_seldom"] == 0, kind


def test_what_the_text_says_is_what_was_found(script: ModuleType) -> None:
    found = script.entry()["summary"]
    least = min(each["cost"]["mean"] for each in found.values())
    assert f"held the truth in {100 * least:.0f} of 100 simulated cases or more" in FLAT
    wrongly = max(each["said_wrongly"] for each in found.values())
    assert f"in up to {100 * wrongly:.0f} of 100 draws of a design" in FLAT
    surely = max(each["surely_wrongly"] for each in found.values())
    assert f"wrongly, in at most {100 * surely:.1f} %" in FLAT
    few = [each[answers] for each in script.entry()["designs"] if each["strength"] == 0 and each["bad"] == 20
           for answers in ("two answers", "three answers")]  # fmt: skip
    ends = [100 * end(each["optimism"] for each in few) for end in (min, max)]
    assert f"{ends[0]:.0f} to {ends[1]:.0f} % of the true one" in FLAT
    assert (
        f"where each part stands alone, it shows from 20 bad parts {ends[0]:.0f} to {ends[1]:.0f} % of the true one"
        in README
    )


def test_how_often_it_is_not_shown_that_the_network_saves_though_it_does(script: ModuleType) -> None:
    """The share of the draws that save in which the interval of the test part does not lie below the best rule."""
    designs = script.entry()["designs"]
    silent = {
        answers: [
            1 - (each[answers]["surely"] - each[answers]["surely_wrongly"]) / each[answers]["saves"] for each in designs
        ]
        for answers in ("two answers", "three answers")
    }
    nearly = {answers: sum(share >= 0.95 for share in shares) for answers, shares in silent.items()}
    assert (
        f"in 95 of 100 draws or more in {nearly['three answers']} of the {len(designs)} designs below with a band, and "
        f"in {nearly['two answers']} of them with one threshold"
    ) in FLAT
    many = [i for i, each in enumerate(designs) if each["strength"] == 0 and each["bad"] == 200]
    low, high = (100 * end(silent["three answers"][i] for i in many) for end in (min, max))
    assert f"it is said in {low:.0f} to {high:.0f} % with a band, in 0 % with one threshold" in FLAT
    assert max(silent["two answers"][i] for i in many) < 0.005
