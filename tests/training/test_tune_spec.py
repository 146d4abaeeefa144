"""Which keys may be searched, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from flawscope.errors import RecipeError
from flawscope.training.recipe import Recipe, load_recipe, parse_recipe
from flawscope.training.tune_spec import integers, put

ROOT = Path(__file__).parents[2]


def asked(space: dict[str, Any], **more: Any) -> Recipe:
    base: dict[str, Any] = {"name": "a", "data": {"kind": "elpv"}, "train": {"watch": "auroc"}}
    return parse_recipe(base | more | {"tune": {"space": space}})


RATE = {"low": 1e-4, "high": 1e-1, "log": True}


def test_the_section_changes_no_hash_and_no_dump_where_it_is_absent() -> None:
    demo = load_recipe(ROOT / "recipes" / "demo.yaml")
    assert "tune" not in yaml.safe_load(demo.dump())
    searched = asked({"train.rate": RATE})
    assert searched.hash == parse_recipe({"name": "a", "data": {"kind": "elpv"}, "train": {"watch": "auroc"}}).hash
    assert searched.hash == asked({"train.rate": RATE | {"low": 1e-5}}).hash
    assert "tune" not in yaml.safe_load(searched.changed({"train.rate": 0.5}).dump())
    assert parse_recipe(yaml.safe_load(searched.dump())) == searched


def test_any_key_and_any_value_can_be_searched() -> None:
    space = {
        "train.rate": RATE,
        "train.batch_size": {"low": 8, "high": 32, "step": 8},
        "train.schedule": {"choices": ["cosine", {"kind": "cosine", "warm_up": 2}]},
        "train.augment.zoom": {"choices": [[1, 1], [0.8, 1.2]]},
        "train.soft_labels": {"choices": [None, "labelled"]},
        "image.size": {"low": 64, "high": 128, "step": 32},
        "model.arguments.drop_rate": {"low": 0, "high": 0.5},
        "model.name": {"choices": ["timm:resnet34", "table:resnet18"]},
    }
    tune = asked(space).tune
    assert tune
    assert list(tune.space) == list(space)
    whole = {key for key, searched in tune.space.items() if integers(key, searched, Recipe)}
    assert whole == {"train.batch_size", "image.size"}


def test_a_range_of_whole_numbers_for_a_fraction_is_no_range_of_whole_numbers() -> None:
    tune = asked({"train.augment.rotate": {"low": 0, "high": 90}}).tune
    assert tune
    assert not integers("train.augment.rotate", tune.space["train.augment.rotate"], Recipe)


@pytest.mark.parametrize(
    ("space", "problem"),
    [
        ({"train.raet": RATE}, r"tune.space.train.raet: unknown key, did you mean 'rate'\?"),
        ({"trian.rate": RATE}, r"unknown key, did you mean 'train'\?"),
        ({"train.rate.x": RATE}, "'x' leads nowhere"),
        ({"train": RATE}, "name a key of this section"),
        ({"train.rate": {"low": 1, "high": 0.1}}, "low must be below high, got 1 and 0.1"),
        ({"train.rate": {"low": 0, "high": 0.1, "log": True}}, "log needs a positive low, got 0"),
        ({"train.rate": {"low": 0.1, "high": 0.2, "step": 0.5}}, "a step of 0.5 leads out"),
        ({"train.rate": RATE | {"step": 0.1}}, "log and step exclude each other"),
        ({"train.rate": {"low": 0.1}}, "expected low and high, or choices"),
        ({"train.rate": RATE | {"choices": [1, 2]}}, "either choices, or low and high"),
        ({"train.rate": {"choices": [0.1]}}, "choices are at least two"),
        ({"train.rate": {"choices": [0.1, 0.1]}}, "stands twice"),
        ({"train.rate": {"hihg": 1}}, "unknown key, did you mean 'high'"),
        ({"train.rate": {"low": -1, "high": 1}}, "train.rate: -1 does not do: train.rate: expected above 0, got -1"),
        ({"train.optimiser": {"choices": ["adamw", "adamx"]}}, "adamx does not do: train.optimiser: 'adamx' is none"),
        ({"train.optimiser": RATE}, "is no number: give choices"),
        ({"train.batch_size": {"low": 8, "high": 9.5}}, "holds whole numbers"),
        ({"train.schedule": {"choices": ["cosine", "constant"]}, "train.schedule.warm_up": RATE}, "leave out one"),
        ({"train.rate": {"low": float("-inf"), "high": 1}}, "low: expected a finite number, got -inf"),
        ({"train.rate": {"low": "a", "high": 1}}, "low: expected a whole number or number or null, got 'a'"),
        ({"train.rate": 3}, "tune.space.train.rate: expected a section, got 3"),
        ({"train.unfreeze.after": {"low": 1, "high": 2}}, "nothing is frozen, set model.freeze"),
        ({}, "at least 1 item"),
    ],
)
def test_spaces_that_cannot_be_searched(space: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        asked(space)


@pytest.mark.parametrize(
    "key",
    ["name", "data.root", "split.seed", "split.validation", "calibrate.method", "decide.rule", "export.engine",
     "tune.seed", "image.crop", "train.watch", "train.seed", "train.device", "train.workers"],
)  # fmt: skip
def test_what_would_make_trials_incomparable_is_refused_with_the_reason(key: str) -> None:
    with pytest.raises(RecipeError, match=f"tune.space.{key}: cannot be searched: [a-z ]+"):
        asked({key: {"choices": [1, 2]}})


def test_keys_of_the_loss_are_refused_only_where_the_loss_is_watched() -> None:
    space = {"train.loss": {"choices": ["bce", "focal"]}}
    asked(space)
    with pytest.raises(RecipeError, match=r"set train\.watch to another measure"):
        asked(space, train={"watch": "loss"})


def test_weights_that_are_searched_count_from_the_recipes_folder(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    content = {
        "name": "a",
        "data": {"kind": "elpv"},
        "tune": {"space": {"model.weights": {"choices": ["none", "w.x"]}}},
    }
    recipe.write_text(yaml.safe_dump(content), encoding="utf-8")
    tune = load_recipe(recipe).tune
    assert tune
    assert tune.space["model.weights"].choices == ["none", str(tmp_path / "w.x")]


def test_keys_that_are_wrong_together_are_told_without_a_traceback() -> None:
    with pytest.raises(RecipeError, match=r"train\.unfreeze: nothing is frozen"):
        parse_recipe({"name": "a", "data": {"kind": "elpv"}, "train": {"unfreeze": {}}})


def test_put_leaves_what_it_was_given() -> None:
    content = {"train": {"rate": 0.1}}
    assert put(content, {"train.rate": 1, "model.arguments.a": [1]}) == {
        "train": {"rate": 1},
        "model": {"arguments": {"a": [1]}},
    }
    assert content == {"train": {"rate": 0.1}}
