"""The recipes of the repository: each loads, builds its network, and says what the reference systems say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from flawscope.data.spec import MasksSpec
from flawscope.models.build import Network, NetworkPlan, build, check_forward
from flawscope.training.recipe import Recipe, load_recipe

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "recipes").glob("*.yaml"))
NAMES = [file.stem for file in FILES]
REFERENCE = (ROOT / "docs" / "reference-systems.md").read_text(encoding="utf-8")


def recipe_of(name: str, *overrides: str) -> Recipe:
    return load_recipe(ROOT / "recipes" / f"{name}.yaml", ["model.weights=none", *overrides])


def network_of(name: str, outputs: int | None = None) -> Network:
    """What `flawscope train` builds, without pretrained weights; with other outputs than the task has, if asked.

    On torch's device without memory: shapes are computed, numbers are not, which takes no time.
    """
    recipe = recipe_of(name)
    given = recipe.model.normalise
    with torch.device("meta"):
        return build(
            NetworkPlan(
                recipe.model.name,
                outputs or outputs_of(recipe),
                channels=recipe.image.channels,
                size=recipe.image.size,
                head=recipe.model.head,
                freeze=recipe.model.freeze,
                mean=given.mean if given else None,
                std=given.std if given else None,
            )
        )


def outputs_of(recipe: Recipe) -> int:
    """A score a class; where values of masks stand for classes, one for the background as well."""
    if isinstance(recipe.data, MasksSpec):
        return len(recipe.data.classes or ["one"]) + (recipe.data.masks is not None)
    return len(getattr(recipe.data, "label_columns", ["one"]))


def learning(network: Network) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def with_statistics(network: Network) -> int:
    """As Keras counts: running means and variances are parameters, too."""
    statistics = [b for name, b in network.body.named_buffers() if name.endswith(("running_mean", "running_var"))]
    return sum(tensor.numel() for tensor in (*network.parameters(), *statistics))


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_loads_and_is_called_like_its_file(name: str) -> None:
    recipe = load_recipe(ROOT / "recipes" / f"{name}.yaml")
    assert recipe.name == name
    assert recipe.split.file is None or recipe.split.file.is_file()
    text = (ROOT / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")
    assert re.search(rf"^# +(flawscope (run|tune) recipes/{name}.yaml|.*make {name}$)", text, re.MULTILINE), (
        "its command"
    )
    assert set(re.findall(r"recipes/[\w-]+\.yaml", text)) <= {f"recipes/{file.name}" for file in FILES}


@pytest.mark.parametrize("name", NAMES)
def test_other_images_are_grouped_anew_as_its_comment_says(name: str) -> None:
    recipe = load_recipe(ROOT / "recipes" / f"{name}.yaml")
    text = (ROOT / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")
    changes = re.findall(r"--set (split\.\w+=\w+)", text)
    assert bool(changes) == (recipe.split.file is not None)
    assert load_recipe(ROOT / "recipes" / f"{name}.yaml", changes).split.file is None


@pytest.mark.parametrize("name", NAMES)
def test_its_network_takes_its_pictures(name: str) -> None:
    recipe, network = recipe_of(name), network_of(name)
    with torch.device("meta"):
        check_forward(network, recipe.image.shape, masks=recipe.data.kind == "masks")


@pytest.mark.parametrize("name", NAMES)
def test_the_rare_class_is_not_counted_twice(name: str) -> None:
    train = recipe_of(name).train
    assert train.sampling == "all" or train.class_weights == "none"


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_the_reference_systems_names_it(name: str) -> None:
    assert name == "demo" or f"recipes/{name}.yaml" in REFERENCE


def test_system_a_has_the_published_parameters() -> None:
    two, one = network_of("solar-binary-faithful", outputs=2), network_of("solar-binary-faithful")
    assert (with_statistics(two), learning(two)) == (8_783_456, 8_450), "as its author prints, with two outputs"
    assert (with_statistics(one), learning(one)) == (8_782_047, 7_041), "as its recipe says"


def test_system_e_has_the_published_parameters() -> None:
    assert learning(network_of("coil-faithful", outputs=2)) == 32_036_214, "as its author prints, with two outputs"
    assert learning(network_of("coil-faithful")) == 32_036_093, "as its recipe says"
    assert learning(network_of("casting-faithful")) == 9_956_093, "as its recipe says"


def test_two_outputs_and_one_are_the_same_function() -> None:
    """Softmax of two logits is a sigmoid of their difference, and so are the losses."""
    logit_b2 = torch.tensor([[0.3, -1.2], [2.0, 0.5]])
    torch.testing.assert_close(logit_b2.softmax(dim=1)[:, 1], (logit_b2[:, 1] - logit_b2[:, 0]).sigmoid())


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        (
            "solar-binary-faithful",
            {
                "model.freeze": True, "model.head": "norm", "image.size": [224, 224], "model.normalise": None,
                "train.optimiser": "adam", "train.rate": 1e-5, "train.weight_decay": 0, "train.epochs": 18,
                "train.batch_size": 32, "train.class_weights": [3.0], "train.watch": "accuracy",
                "train.schedule.kind": "divide_by_3", "train.schedule.after": [7, 9, 11, 13, 15, 17],
                "train.augment.rotate": 30, "train.augment.shear": 0.2, "train.augment.zoom": [0.8, 1.2],
                "train.augment.flip_horizontal": True, "train.augment.flip_vertical": True,
                "train.augment.brightness": 0, "train.augment.crop": 1, "train.augment.shift": 0,
            },
        ),
        (
            "solar-multilabel-faithful",
            {
                "train.optimiser": "sgd", "train.momentum": 0.9, "train.rate": 0.01, "train.weight_decay": 1e-4,
                "train.batch_size": 16, "train.class_weights": "none", "model.normalise.source": "training",
                "model.name": "timm:resnet34", "model.weights": "imagenet", "model.freeze": False,
                "train.schedule.kind": "multi_step",
                "train.schedule.after": {
                    "10": 0.1, "20": 0.1, "30": 0.1, "40": 0.1, "60": 0.5, "80": 0.5, "100": 0.5, "130": 0.5
                },
                "train.epochs": 40, "train.watch": "f1", "train.keep": "best",
                "calibrate.method": "none", "decide.rule": "fixed",
                "train.augment.flip_horizontal": True, "train.augment.flip_vertical": True,
                "train.augment.rotate": 3, "train.augment.shift": 0.02, "train.augment.crop": 0.98,
                "train.augment.brightness": 0,
            },
        ),
        (
            "coil-faithful",
            {
                "image.crop": [50, 60, 750, 460], "image.size": [400, 700], "image.channels": 1,
                "model.normalise.mean": [0.5], "model.normalise.std": [0.5], "train.optimiser": "sgd",
                "train.momentum": 0, "train.rate": 0.01, "train.weight_decay": 0, "train.schedule.kind": "constant",
                "train.epochs": 60, "train.batch_size": 10, "train.sampling": "balanced", "data.positive": "0_nio",
                "train.augment.flip_horizontal": False, "train.augment.flip_vertical": False,
                "train.augment.brightness": 0,
            },
        ),
        (
            "casting-faithful",
            {
                "image.crop": None, "image.size": [300, 300], "image.channels": 1, "model.name": "table:coil",
                "model.weights": "none", "model.normalise.mean": [0.5], "model.normalise.std": [0.5],
                "train.optimiser": "sgd", "train.momentum": 0, "train.rate": 0.01, "train.weight_decay": 0,
                "train.schedule.kind": "constant", "train.epochs": 60, "train.batch_size": 10,
                "train.sampling": "balanced", "train.watch": "accuracy", "data.positive": "def_front",
                "train.augment.flip_horizontal": False, "train.augment.flip_vertical": False,
            },
        ),
        *(
            (
                f"solar-challenge-{name}",
                {
                    "model.name": f"table:{name}", "model.weights": "none", "image.size": [224, 224],
                    "image.channels": 1, "train.sampling": "classes", "train.class_weights": "none",
                    "data.label_columns": ["crack", "inactive"],
                },
            )
            for name in ("alexnet", "resnet18")
        ),
    ],
)  # fmt: skip
def test_what_a_reference_system_states_is_in_its_recipe(name: str, stated: dict[str, Any]) -> None:
    content = load_recipe(ROOT / "recipes" / f"{name}.yaml").model_dump(mode="json")
    assert {key: at(content, key) for key in stated} == stated


@pytest.mark.parametrize("name", ["solar-challenge-alexnet", "solar-challenge-resnet18"])
def test_the_challenge_draws_alike_and_keeps_the_last_epoch(name: str) -> None:
    recipe = recipe_of(name)
    assert (recipe.image.size, recipe.image.channels) == ((224, 224), 1)
    assert (recipe.train.sampling, recipe.train.keep, recipe.train.patience) == ("classes", "last", 0)


@pytest.mark.parametrize("kind", ["solar-binary", "solar-multilabel", "coil"])
def test_faithful_and_own_recipes_share_the_split(kind: str) -> None:
    own, faithful = recipe_of(kind), recipe_of(f"{kind}-faithful")
    assert own.data == faithful.data
    more = {"validation": 0.1} if kind == "solar-multilabel" else {}  # the faithful one chooses its epoch
    assert own.split.model_copy(update=more) == faithful.split


def test_b_fits_nothing_and_so_keeps_little_to_fit_by() -> None:
    own, faithful = recipe_of("solar-multilabel"), recipe_of("solar-multilabel-faithful")
    for recipe in (own, faithful):
        assert (recipe.decide.rule, recipe.calibrate.method, recipe.split.calibration) == ("fixed", "none", 0.05)
    assert (own.train.keep, own.split.validation) == ("last", 0.05)
    assert (faithful.train.keep, faithful.split.validation) == ("best", 0.1)


def test_the_two_recipes_of_system_a_decide_by_one_rule() -> None:
    assert recipe_of("solar-binary").decide.rule == recipe_of("solar-binary-faithful").decide.rule == "best_accuracy"


def test_castings_share_the_test_part() -> None:
    own, faithful = recipe_of("casting"), recipe_of("casting-faithful")
    assert own.data == faithful.data
    assert (own.split.file, own.split.fold) == (faithful.split.file, faithful.split.fold)


def test_the_fine_tuning_of_system_a_can_be_taken_in(tmp_path: Path) -> None:
    text = (ROOT / "recipes" / "solar-binary-faithful.yaml").read_text(encoding="utf-8")
    lines = [re.sub(r"^  # (unfreeze:|  (after|layer):)", r"  \1", line) for line in text.splitlines()]
    file = tmp_path / "recipe.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    unfreeze = load_recipe(file, ["split.file=null"]).train.unfreeze
    assert unfreeze is not None
    network = network_of("solar-binary-faithful")
    frozen = learning(network)
    network.learn_from(unfreeze.layer)
    assert frozen < learning(network) < sum(p.numel() for p in network.parameters())


def at(content: Any, key: str) -> Any:
    """The value at `section.key`."""
    for part in key.split("."):
        content = content[part]
    return content
