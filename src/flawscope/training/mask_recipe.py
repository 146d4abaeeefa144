"""What a recipe may say where the data have masks, and what the gate before the masks is trained with. Torch-free."""

from __future__ import annotations

from dataclasses import replace

from flawscope.errors import RecipeError, listing
from flawscope.records import Samples, Task
from flawscope.training.decide_spec import DecideSpec
from flawscope.training.mask_spec import MaskSpec, mask_loss_without_effect
from flawscope.training.recipe import Recipe
from flawscope.training.spec import IMAGE_WATCHES, CalibrateSpec, TrainSpec

FLAWED = "flawed"
"""What the gate looks for: an image of any class."""


def check_masks(recipe: Recipe, task: Task) -> None:
    """See that a recipe fits its data: those with masks, or those without.

    Raises:
        RecipeError: every key that does not.
    """
    problems = _with_masks(recipe, task) if task.pixels else _without_masks(recipe)
    if problems:
        what = f"these data have {'masks' if task.pixels else 'no masks'}"
        raise RecipeError(f"{what}, the recipe does not fit:\n{listing(problems)}")


def _without_masks(recipe: Recipe) -> list[str]:
    told = (
        (recipe.masks is not None, "masks: there are none to be learnt; remove this section"),
        (recipe.gate is not None, "gate: it stands before masks only; remove this section"),
        (recipe.image.resize == "none", "image.resize: none is for networks that make masks; use bilinear"),
        (recipe.train.watch == "dice", "train.watch: dice is measured on masks; use loss, auroc or another measure"),
    )
    return [words for true, words in told if true]


def _with_masks(recipe: Recipe, task: Task) -> list[str]:
    watch, spec, gate, k = recipe.train.watch, recipe.masks or MaskSpec(), recipe.gate, len(task.classes)
    given = {"thresholds": spec.thresholds, "min_area": spec.min_area, "loss.class_weights": spec.loss.class_weights}
    lists = {key: len(value) for key, value in given.items() if isinstance(value, list) and len(value) != k}
    told = (
        (recipe.image.resize != "none", "image.resize: masks are as large as their pictures; use none"),
        (recipe.image.crop is not None, "image.crop: the masks are those of whole pictures; leave it out"),
        (watch in IMAGE_WATCHES, f"train.watch: {watch} is of answers about whole images; use dice or loss"),
        (recipe.train.soft_labels is not None, "train.soft_labels: masks are learnt as they are; leave it out"),
        (bool(recipe.model.metadata), "model.metadata: networks that make masks take none; leave it out"),
        (recipe.train.augment.policy != "none",
         "train.augment.policy: it changes pictures without their masks; use none, and name turns, zooms and shifts"),
        (bool(recipe.decide_also), "decide_also: masks are decided by `masks`, and once; leave it out"),
        *((True, f"masks.{key}: expected {k} numbers, one a class, got {n}") for key, n in lists.items()),
    )  # fmt: skip
    found = [words for true, words in told if true]
    if gate is None:
        return found
    told = (
        (gate.image.resize == "none", "gate.image.resize: the gate sees pictures of one size; use bilinear"),
        (gate.image.crop is not None, "gate.image.crop: the gate is asked about whole pictures; leave it out"),
        (gate.train.watch == "dice", "gate.train.watch: dice is measured on masks; use loss, auroc or another measure"),
        (bool(gate.model.metadata), "gate.model.metadata: the gate sees the picture alone; leave it out"),
        (task.negative == FLAWED, f"gate: no image can be called {FLAWED!r} where nothing is found"),
    )
    return found + [words for true, words in told if true]


def masks_without_effect(recipe: Recipe) -> list[str]:
    """Keys of a recipe for masks that have another value than their default and change nothing, one line each.

    >>> from flawscope.training.recipe import parse_recipe
    >>> masks_without_effect(parse_recipe({"name": "a", "data": {"kind": "elpv"}, "train": {"loss": "focal"}}))
    ['train.loss: the loss of masks is masks.loss']
    """
    default, train = TrainSpec(), recipe.train
    of_loss = {"loss": "is masks.loss", "focal_gamma": "has masks.loss.gamma", "label_smoothing": "takes none",
               "class_weights": "has masks.loss.class_weights"}  # fmt: skip
    found = [
        f"train.{key}: the loss of masks {words}"
        for key, words in of_loss.items()
        if getattr(train, key) not in (getattr(default, key), "none")
    ]
    if recipe.calibrate != CalibrateSpec():
        found.append("calibrate: the levels of masks are taken as they are; the gate has gate.calibrate")
    if recipe.decide != DecideSpec():
        found.append("decide: masks are decided by masks.thresholds and masks.min_area; the gate has gate.decide")
    return found + [f"masks.loss.{words}" for words in mask_loss_without_effect((recipe.masks or MaskSpec()).loss)]


def gate_samples(samples: Samples) -> Samples:
    """The same images for the gate: flawed if they show any class, without masks.

    >>> from flawscope.records import Masks, Sample
    >>> row = Sample("a.png", "a.png", (0.0, 1.0), "a", "a", masks=Masks(2, 2, ("", "1 2")))
    >>> some = gate_samples(Samples("a", Task("multilabel", ("pit", "scratch"), pixels="multilabel"), (row,)))
    >>> some.task.classes, some.rows[0].target, some.rows[0].masks
    (('flawed',), (1.0,), None)
    """
    rows = tuple(replace(row, target=(max(row.target),), masks=None) for row in samples.rows)
    task = Task("binary", (FLAWED,), samples.task.negative)
    return replace(samples, task=task, rows=rows)
