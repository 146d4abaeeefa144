"""What a recipe may say where the data have masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flawscope.errors import RecipeError
from flawscope.records import Task
from flawscope.training.mask_recipe import check_masks, masks_without_effect
from flawscope.training.recipe import Recipe, gate_recipe, load_recipe, parse_recipe

MASKS = Task("multilabel", ("pit", "scratch"), pixels="multilabel")
PLAIN = Task("multilabel", ("pit", "scratch"))


def recipe(**sections: Any) -> Recipe:
    image = {"size": 32, "resize": "none"} | sections.pop("image", {})
    return parse_recipe({"name": "a", "data": {"kind": "elpv"}, "image": image, **sections})


def test_what_fits() -> None:
    check_masks(recipe(train={"watch": "dice"}, masks={"thresholds": [0.4, 0.5]}, gate={}), MASKS)
    check_masks(recipe(image={"resize": "bilinear"}), PLAIN)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"image": {"resize": "bilinear"}}, "image.resize: masks are as large as their pictures; use none"),
        ({"image": {"crop": [0, 0, 9, 9]}}, "image.crop: "),
        ({"train": {"watch": "auroc"}}, "train.watch: auroc is of answers about whole images; use dice or loss"),
        ({"train": {"soft_labels": "chance"}}, "train.soft_labels: "),
        ({"train": {"augment": {"policy": "rand"}}}, "train.augment.policy: "),
        ({"model": {"metadata": {"age": "auto"}}}, "model.metadata: "),
        ({"decide_also": [{"max_escape": 0.1}]}, "decide_also: "),
        ({"masks": {"thresholds": [0.5]}}, "masks.thresholds: expected 2 numbers, one a class, got 1"),
        ({"masks": {"min_area": [5, 5, 5]}}, "masks.min_area: expected 2 numbers, one a class, got 3"),
        ({"masks": {"loss": {"class_weights": [1]}}}, "masks.loss.class_weights: expected 2 numbers"),
        ({"gate": {"image": {"resize": "none"}}}, "gate.image.resize: "),
        ({"gate": {"image": {"crop": [0, 0, 9, 9]}}}, "gate.image.crop: "),
        ({"gate": {"train": {"watch": "dice"}}}, "gate.train.watch: "),
        ({"gate": {"model": {"metadata": {"age": "auto"}}}}, "gate.model.metadata: "),
    ],
)
def test_what_does_not_fit_masks(asked: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError, match=rf"these data have masks, the recipe does not fit:\n  {problem}"):
        check_masks(recipe(**asked), MASKS)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"masks": {}}, "masks: there are none to be learnt"),
        ({"gate": {}}, "gate: it stands before masks only"),
        ({"image": {"resize": "none"}}, "image.resize: none is for networks that make masks"),
        ({"train": {"watch": "dice"}}, "train.watch: dice is measured on masks"),
    ],
)
def test_what_does_not_fit_data_without_masks(asked: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError, match=rf"these data have no masks, the recipe does not fit:\n  {problem}"):
        check_masks(recipe(**{"image": {"resize": "bilinear"}} | asked), PLAIN)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        check_masks(
            recipe(image={"resize": "bilinear"}, train={"watch": "f1"}, gate={"train": {"watch": "dice"}}), MASKS
        )
    assert len(str(caught.value).splitlines()) == 4


def test_a_name_that_the_gate_needs() -> None:
    with pytest.raises(RecipeError, match="gate: no image can be called 'flawed' where nothing is found"):
        check_masks(recipe(gate={}), Task("multilabel", ("pit",), "flawed", "multilabel"))


def test_keys_without_effect_are_told() -> None:
    asked = recipe(
        train={"class_weights": [1, 2], "label_smoothing": 0.1}, calibrate={"method": "platt"},
        decide={"max_escape": 0.1}, masks={"loss": {"kind": "dice", "gamma": 1.0}},
    )  # fmt: skip
    keys = [words.partition(": ")[0] for words in masks_without_effect(asked)]
    assert keys == ["train.label_smoothing", "train.class_weights", "calibrate", "decide", "masks.loss.gamma"]
    assert masks_without_effect(recipe(masks={}, train={"class_weights": "none"})) == []


def test_the_recipe_of_the_gate() -> None:
    asked = recipe(
        split={"seed": 3}, train={"epochs": 9}, masks={}, gate={"image": {"size": 64}, "train": {"epochs": 2}}
    )
    gate = gate_recipe(asked)
    assert (gate.name, gate.data, gate.split) == ("a-gate", asked.data, asked.split)
    assert (gate.image.size, gate.train.epochs, gate.masks, gate.gate) == ((64, 64), 2, None, None)
    assert parse_recipe(gate.model_dump(mode="json")) == gate


def test_what_the_gate_cannot_be_asked_is_told_with_the_recipe() -> None:
    with pytest.raises(RecipeError) as caught:
        recipe(gate={"train": {"unfreeze": {"after": 1}}, "model": {"normalise": {"mean": [1, 2]}}})
    assert "gate.train.unfreeze: nothing is frozen" in str(caught.value)
    with pytest.raises(RecipeError, match=r"\n  gate\.model\.normalise\.mean: expected one number"):
        recipe(gate={"model": {"normalise": {"mean": [1, 2]}}})


def test_weights_of_the_gate_lie_beside_the_recipe_and_their_place_does_not_count(tmp_path: Path) -> None:
    hashes = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "r.yaml"
        file.write_text("name: a\ndata: {kind: elpv}\ngate: {model: {weights: w.safetensors}}\n", encoding="utf-8")
        asked = load_recipe(file)
        assert gate_recipe(asked).model.weights == str(tmp_path / name / "w.safetensors")
        assert str(tmp_path) not in asked.dump(folders=False)
        hashes.append(asked.hash)
    assert hashes[0] == hashes[1]
