"""What a recipe may say of decisions: the escape contract, costs, and several of them."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import yaml

from flawscope.errors import RecipeError
from flawscope.evaluation.contract import Units
from flawscope.records import fingerprint
from flawscope.training.recipe import parse_recipe

ELPV = {"name": "a", "data": {"kind": "elpv"}}


def test_a_contract_takes_the_place_of_a_rule_and_comes_back_from_the_resolved_recipe() -> None:
    recipe = parse_recipe(ELPV | {"decide": {"max_escape": 0.02}})
    assert (recipe.decide.rule, recipe.decide.confidence, recipe.decide.units) == ("max_escape", 0.95, "groups")
    again = parse_recipe(yaml.safe_load(recipe.dump()))
    assert again.decide == recipe.decide
    assert recipe.hash != parse_recipe(ELPV).hash
    assert parse_recipe(ELPV).decide.rule == "best_f1"


def test_recipes_without_a_contract_keep_their_hash() -> None:
    recipe = parse_recipe(ELPV)
    content = recipe.model_dump(mode="json", exclude={"tune", "decide_also", "masks", "gate"})
    del content["data"]["root"], content["model"]["metadata"], content["calibrate"], content["train"]["keep"]
    del content["export"]["maps"], content["train"]["every_epoch"]
    content["decide"] = {"rule": "best_f1"}
    assert recipe.hash == fingerprint(content)


@pytest.mark.parametrize("units", get_args(Units))
def test_a_recipe_takes_each_way_of_counting(units: Units) -> None:
    assert parse_recipe(ELPV | {"decide": {"max_escape": 0.1, "units": units}}).decide.units == units


@pytest.mark.parametrize(
    ("decide", "words"),
    [
        ({"rule": "best_f1", "max_escape": 0.02}, "rule and max_escape exclude each other"),
        ({"rule": "max_escape"}, "needs the share that may pass"),
        ({"confidence": 0.9}, "belong to the escape contract"),
        ({"max_escape": 2}, "decide.max_escape"),
        ({"max_escape": 0.1, "confidence": 95}, "decide.confidence"),
        ({"max_escape": 0.1, "units": "images"}, "decide.units"),
    ],
)
def test_contracts_that_cannot_be(decide: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        parse_recipe(ELPV | {"decide": decide})


def test_costs_take_the_place_of_a_rule_and_come_back_from_the_resolved_recipe() -> None:
    recipe = parse_recipe(ELPV | {"decide": {"costs": {"escape": 100, "overkill": 10, "review": 2}}})
    assert recipe.decide.rule == "costs"
    assert parse_recipe(yaml.safe_load(recipe.dump())).decide == recipe.decide
    cheaper = parse_recipe(ELPV | {"decide": {"costs": {"escape": 100, "overkill": 10, "review": 1}}})
    assert len({recipe.hash, cheaper.hash, parse_recipe(ELPV).hash}) == 3


@pytest.mark.parametrize(
    ("decide", "words"),
    [
        ({"rule": "best_f1", "costs": {"escape": 1, "overkill": 1}}, "rule and costs exclude each other"),
        ({"max_escape": 0.1, "costs": {"escape": 1, "overkill": 1}}, "max_escape and costs exclude each other"),
        ({"rule": "costs"}, "rule: costs needs the costs"),
        ({"costs": {"escape": 0, "overkill": 1}}, "decide.costs.escape: expected above 0"),
        ({"costs": {"escape": 1e308, "overkill": 1e-308}}, "decide.costs.escape: expected at most 1e.09"),
        ({"costs": {"escape": 1, "overkill": -1}}, "decide.costs.overkill: expected above 0"),
        ({"costs": {"escape": float("nan"), "overkill": 1}}, "decide.costs.escape"),
        ({"costs": {"escape": 1, "overkill": 1, "prevalence": 2}}, "not percent"),
        ({"costs": {"escape": 1}}, "decide.costs.overkill: this key is missing"),
    ],
)
def test_costs_that_cannot_be(decide: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        parse_recipe(ELPV | {"decide": decide})


def test_other_decisions_do_not_change_what_was_asked_of_the_network() -> None:
    recipe = parse_recipe(ELPV)
    also = parse_recipe(ELPV | {"decide_also": [{"max_escape": 0.1}, {"rule": "best_accuracy"}]})
    assert also.hash == recipe.hash
    assert parse_recipe(yaml.safe_load(also.dump())).decide_also == also.decide_also
    with pytest.raises(RecipeError, match="decide_also: a decision stands there twice"):
        parse_recipe(ELPV | {"decide_also": [{"max_escape": 0.1}, {"max_escape": 0.1}]})
    with pytest.raises(RecipeError, match="decide_also: a decision stands there twice"):
        parse_recipe(ELPV | {"decide_also": [{"rule": "best_f1"}]})
    with pytest.raises(RecipeError, match=r"decide_also(?s:.)*max_escap"):
        parse_recipe(ELPV | {"decide_also": [{"max_escap": 0.1}]})
