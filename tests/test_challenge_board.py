"""The benchmark of a whole challenge: what teams are given, and where the rare class is."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import challenge_board
import flawscope
from flawscope.challenge.spec import load_challenge
from flawscope.training.recipe import load_recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A challenge of the same two labels: noise in 24 groups, brighter where a label is on."""
    place = tmp_path_factory.mktemp("data")
    (place / "images").mkdir()
    rng = np.random.default_rng(0)
    rows = [["file", "group", "crack", "inactive"]]
    for number in range(96):
        group = number // 4
        crack, inactive = number % 2, int(number % 4 == 3)
        pixels = rng.integers(0, 120, (24, 24)) + 60 * crack + 60 * inactive
        Image.fromarray(pixels.astype(np.uint8)).save(place / "images" / f"{number}.png")
        rows.append([f"images/{number}.png", f"g{group}", str(crack), str(inactive)])
    with (place / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    data = {
        "kind": "csv", "table": "labels.csv", "label_columns": ["crack", "inactive"], "negative": "functional",
        "group_column": "group",
    }  # fmt: skip
    (place / "r.yaml").write_text(yaml.safe_dump({"name": "r", "data": data}))
    opens, deadline = challenge_board.OPENS, challenge_board.DEADLINE
    return flawscope.challenge_new(place / "r.yaml", place / "cells", opens=opens, deadline=deadline, seed=0).folder


@pytest.mark.parametrize("name", ["alexnet", "resnet18"])
def test_a_team_has_the_data_of_the_kit_and_everything_else_of_the_recipe(folder: Path, name: str) -> None:
    path, overrides = challenge_board.asked_of(folder, name)
    there, asked = load_recipe(path), load_recipe(path, overrides)
    for section in ("image", "model", "train", "calibrate", "decide", "export"):
        assert getattr(asked, section) == getattr(there, section)
    assert asked.data.kind == "csv" and asked.data.group_column == "group"
    assert Path(str(asked.data.table)).is_relative_to(folder / "handout")
    assert Path(str(asked.data.images)).is_relative_to(folder / "handout")
    assert asked.split.file is None and asked.split.groups == "data" and asked.split.twins == "find"
    samples = flawscope.split(path, overrides=overrides)[0]
    assert set(samples.part) <= {f"{number:05d}.png" for number in range(1, 97)}
    assert len(set(samples.group.values())) > 4


def test_the_baseline_is_taken_as_the_kit_has_it(folder: Path) -> None:
    assert challenge_board.asked_of(folder, "baseline") == (folder / "handout" / "recipe.yaml", [])


def test_where_the_rare_class_is(folder: Path) -> None:
    found = [challenge_board.spread(folder, part) for part in ("training", "public", "private")]
    assert np.sum(found, axis=0).tolist() == [24, 24]  # one in each group
    facts = load_challenge(folder).parts
    assert [groups for _, groups in found] == [facts[part].groups for part in ("training", "public", "private")]


def test_other_settings_have_other_folders() -> None:
    keys = [challenge_board._key(changes) for changes in ([], ["train.epochs=1"], ["train.epochs=2"])]
    assert keys[0] == "" and len(set(keys)) == 3
