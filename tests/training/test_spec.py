"""Values of the `train` section that are no numbers, come too late, or change nothing."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from flawscope.errors import RecipeError
from flawscope.training.recipe import load_recipe, parse_recipe, save_recipe
from flawscope.training.spec import without_effect

ELPV = {"name": "a", "data": {"kind": "elpv"}}


def refused(**sections: Any) -> str:
    """What is said of a recipe with these sections."""
    with pytest.raises(RecipeError) as caught:
        parse_recipe({**ELPV, **sections})
    return str(caught.value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize(
    "key",
    ["train.rate", "train.weight_decay", "train.clip", "train.focal_gamma", "train.class_weights.0",
     "train.schedule.after.3", "train.schedule.factor", "train.schedule.warm_up", "train.augment.rotate",
     "train.augment.zoom.1", "model.normalise.mean", "model.normalise.std", "model.normalise.std.0",
     "model.arguments.drop_rate", "model.arguments.drop.0.a"],
)  # fmt: skip
def test_numbers_that_are_none_are_refused_before_anything_begins(key: str, value: float) -> None:
    base: dict[str, Any] = {
        "model": {"arguments": {"drop": [{"a": 1}]}, "normalise": {"std": [0.5]}},
        "train": {
            "class_weights": [1.0],
            "augment": {"zoom": [1.0, 2.0]},
            "schedule": {"kind": "multi_step", "after": {3: 0.1}},
        },
    }
    parse_recipe(ELPV | base)
    *above, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    place: Any = base
    for part in above:
        place = place[part]
    place[last] = value
    told = re.split(r"\.(?:\d|drop)", key)[0]
    assert f"\n  {told}: expected a finite number, got {value}" in refused(**base)


def test_what_would_come_only_after_the_last_epoch_is_a_mistake() -> None:
    frozen = {"model": {"freeze": True}}
    words = "\n  train.unfreeze.after: the backbone would never learn: 3 epochs of 3 train the head alone"
    assert words in refused(**frozen, train={"epochs": 3, "unfreeze": {"after": 3}})
    assert parse_recipe(ELPV | frozen | {"train": {"epochs": 3, "unfreeze": {"after": 2}}}).train.thawed(3)
    warm = {"kind": "cosine", "warm_up": 100}
    assert "\n  train.schedule.warm_up: the rate would never be reached: 100 epochs of 1 warm up" in refused(
        train={"epochs": 1, "schedule": warm}
    )
    parse_recipe(ELPV | {"train": {"epochs": 101, "schedule": warm}})


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ({"patience": 3, "keep": "last"}, "train.patience: keep: last waits for no better epoch"),
        ({"momentum": 0.5}, "train.momentum: only sgd has it, not adamw"),
        ({"focal_gamma": 1, "loss": "bce"}, "train.focal_gamma: loss bce has none"),
        ({"schedule": {"kind": "cosine", "every": 3}}, "train.schedule.every: cosine has none"),
        ({"schedule": {"kind": "cosine", "factor": 0.5}}, "train.schedule.factor: cosine does not use it"),
        (
            {"schedule": {"kind": "multi_step", "after": {3: 0.1}, "factor": 0.5}},
            "train.schedule.factor: `after` with factors of its own does not use it",
        ),
        (
            {"schedule": {"kind": "multi_step", "after": [99]}, "epochs": 3},
            "train.schedule.after: training ends after epoch 3",
        ),
        ({"schedule": "step", "epochs": 10}, "train.schedule.every: training ends after epoch 10"),
    ],
)
def test_what_changes_nothing_is_told_and_allowed(train: dict[str, Any], words: str, tmp_path: Path) -> None:
    recipe = parse_recipe(ELPV | {"train": train})
    assert without_effect(recipe.train) == [words]
    save_recipe(recipe, tmp_path / "r.yaml")
    assert load_recipe(tmp_path / "r.yaml") == recipe  # what is resolved says every key, used or not


@pytest.mark.parametrize(
    "train",
    [
        {},
        {"optimiser": "sgd", "momentum": 0.5},
        {"loss": "focal", "focal_gamma": 1},
        {"schedule": {"kind": "step", "every": 3, "factor": 0.5}},
        {"schedule": {"kind": "multi_step", "after": [3], "factor": 0.5}},
    ],
)
def test_what_is_used_is_not_told_of(train: dict[str, Any]) -> None:
    assert without_effect(parse_recipe(ELPV | {"train": train}).train) == []
