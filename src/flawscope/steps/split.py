"""`flawscope split`: which sample is for training, validation, calibration and test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flawscope.data.read import read
from flawscope.data.split import check_split, make_folds, make_split
from flawscope.data.split_file import save_split
from flawscope.errors import OutputError, UserError
from flawscope.records import Samples, Split
from flawscope.steps.workspace import Say, notices
from flawscope.training.recipe import Recipe, load_recipe


def split(
    recipe: str | Path | Recipe,
    output: str | Path | None = None,
    *,
    folds: int | None = None,
    overrides: Sequence[str] = (),
    say: Say = lambda words: None,
) -> list[Split]:
    """Split the samples of a recipe by groups and prove that no group crosses.

    Args:
        recipe: a recipe or its file.
        output: a JSON file for one split, a folder for folds; none writes nothing.
        folds: as many splits as this, each sample in the test part of exactly one.
        overrides: `key=value` on top of the recipe.
        say: is told in words what is to be known about the data.

    Returns: one split, or one for each fold.

    Raises:
        RecipeError, DataError, SplitError, OutputError: see there.
    """
    if isinstance(recipe, Recipe) and overrides:
        raise UserError("overrides need the recipe as a file", "pass a path, or change the recipe itself")
    asked = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, overrides)
    samples = read(asked.data, Path.cwd(), crop=asked.image.crop)
    for words in notices(samples):
        say(words)
    splits = split_samples(asked, samples, folds)
    if output is not None:
        if not folds and Path(output).suffix != ".json":
            raise OutputError(f"{output} is no name for a split", "name a .json file")
        for made in splits:
            save_split(made, Path(output) / f"fold-{made.fold}.json" if folds else Path(output))
    return splits


def split_samples(recipe: Recipe, samples: Samples, folds: int | None = None) -> list[Split]:
    """Split samples that have been read already; see `split`."""
    splits = make_folds(samples, recipe.split, folds) if folds is not None else [make_split(samples, recipe.split)]
    for made in splits:
        check_split(made, samples, groups=recipe.split.groups)
    return splits
