"""Options that ask for another decision: what is wrong with them is said in their own words."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from flawscope.errors import UserError
from flawscope.steps.decide_options import asked_spec, asked_words
from flawscope.training.decide_spec import DecideSpec


def asked(
    max_escape: float | None = None, confidence: float = 0.95, units: str = "groups", **costs: float | None
) -> DecideSpec | None:
    return asked_spec(max_escape, confidence, units, costs or None)


def test_what_is_asked_is_what_a_recipe_says() -> None:
    assert asked() is None
    assert asked(0.02, 0.9, "effective") == DecideSpec(max_escape=0.02, confidence=0.9, units="effective")
    assert asked(0.02, units="parts") == DecideSpec(max_escape=0.02, units="parts")
    assert asked(0.0) == DecideSpec(max_escape=0.0)
    costs = {"escape": 100, "overkill": 10, "review": None, "prevalence": 0.02}
    assert asked(**costs) == DecideSpec.model_validate({"costs": costs})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"max_escape": 0.02, "escape": 10},
            "--max-escape and --cost-escape: the escape contract and the costs are two",
        ),
        ({"max_escape": 0.02, "prevalence": 0.1}, "--prevalence belongs to the costs"),
        ({"max_escape": 2}, "--max-escape 2: expected a share"),
        ({"max_escape": -0.1}, "--max-escape -0.1: expected a share"),
        ({"max_escape": math.nan}, "--max-escape nan: expected a share"),
        ({"max_escape": math.inf}, "--max-escape inf: expected a share"),
        ({"max_escape": 0.1, "confidence": 95}, "--confidence 95: expected a share"),
        ({"max_escape": 0.1, "confidence": math.nan}, "--confidence nan: expected a share"),
        ({"max_escape": 0.1, "units": "group"}, "did you mean 'groups'"),
        ({"confidence": 0.9}, "--confidence belongs to the escape contract"),
        ({"units": "effective", "escape": 10, "overkill": 1}, "--units belongs to the escape contract"),
        ({"escape": 100}, "--cost-overkill is missing"),
        ({"overkill": 100, "review": 1}, "--cost-escape is missing"),
        ({"prevalence": 0.1}, "--cost-escape and --cost-overkill are missing"),
        ({"escape": math.nan, "overkill": 1}, "--cost-escape nan: expected a number above 0"),
        ({"escape": math.inf, "overkill": 1}, "--cost-escape inf: expected a number above 0"),
        ({"escape": 1, "overkill": 0}, "--cost-overkill 0: expected a number above 0"),
        ({"escape": 1, "overkill": 1, "review": -1}, "--cost-review -1: expected a number above 0"),
        ({"escape": 1, "overkill": 1, "prevalence": 2}, "--prevalence 2: expected a share"),
        ({"escape": 1, "overkill": 1, "prevalence": math.nan}, "--prevalence nan: expected a share"),
        ({"escape": 1, "overkil": 1}, "did you mean 'overkill'"),
    ],
)
def test_what_cannot_be_is_refused_with_the_option_and_a_remedy(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        asked(**given)
    assert caught.value.remedy


def test_how_parts_are_counted_is_said_in_words() -> None:
    said = [asked_words(DecideSpec(max_escape=0.02, units=units)) for units in ("groups", "parts", "effective")]
    assert said == [
        "at most 2 % escape, 95 % confidence",
        "at most 2 % escape, 95 % confidence, each part counted alike",
        "at most 2 % escape, 95 % confidence, counted by how alike groups are",
    ]
