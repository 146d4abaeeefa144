"""Which metadata a network is given, and how they are coded: fitted on the training part alone. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from flawscope.errors import DataError, MetadataError, RecipeError, choices, listing
from flawscope.metadata import MetaColumn, TableRow, category, encode, known, number
from flawscope.records import Sample, Samples, Split, fingerprint
from flawscope.wording import counted

Asked = Literal["auto", "category", "number"]

MOST_CATEGORIES = 100
RESOLUTION = 1e-5
"""float32 holds seven digits: a deviation below this share of the largest number would be rounding."""

BEFORE = "complete the data, or leave the column out of model.metadata"


def fit_columns(asked: Mapping[str, Asked], training: Samples) -> tuple[MetaColumn, ...]:
    """How each column is coded: categories in sorted order, or mean and deviation, as the training part has them.

    Args:
        asked: for each column what it holds; auto: numbers, if every value of the training part is one.
        training: the samples of the training part, and no others.

    Raises:
        RecipeError: there is no such column, an image has no value, or all have the same.
    """
    return tuple(_fitted(name, kind, training) for name, kind in asked.items())


def _fitted(name: str, kind: Asked, training: Samples) -> MetaColumn:
    values = {row.id: known(row.meta, name) for row in training.rows}
    without = [id for id, value in values.items() if value is None]
    if len(without) == len(values):
        names = dict.fromkeys(column for row in training.rows for column in row.meta)
        valid = choices(name, names) if names else "these data bring no metadata"
        raise RecipeError(
            f"model.metadata: no column {name!r} beside the images",
            f"{valid}. Of a table the recipe must name the column: data.meta_columns: [{name}]",
        )
    if without:
        raise RecipeError(
            f"model.metadata: {len(without)} of {len(values)} training images have no {name!r}:\n{listing(without, 5)}",
            BEFORE,
        )
    present = {id: value for id, value in values.items() if value is not None}
    numbers = {id: number(value) if isinstance(value, str) else value for id, value in present.items()}
    no_number = [f"{id}: {present[id]!r}" for id, value in numbers.items() if value is None]
    if kind == "number" and no_number:
        raise RecipeError(
            f"model.metadata: {name} is to be a number, but of {len(no_number)} training images it is none:\n"
            f"{listing(no_number, 5)}",
            f"mend them, or set model.metadata: {{{name}: category}}",
        )
    if kind == "category" or no_number:
        return _of_categories(name, sorted({category(value) for value in present.values()}))
    return _of_numbers(name, np.array([value for value in numbers.values() if value is not None]))


def _of_categories(name: str, categories: list[str]) -> MetaColumn:
    if len(categories) < 2:
        raise RecipeError(
            f"model.metadata: {name} is {categories[0]!r} for every training image: nothing can be learnt from it",
            "leave the column out of model.metadata",
        )
    if len(categories) > MOST_CATEGORIES:
        raise RecipeError(
            f"model.metadata: {name} has {len(categories)} different values in the training part, such as "
            f"{', '.join(categories[:5])}",
            f"it looks like a name or number of each part, of which nothing can be learnt for new ones; at most "
            f"{MOST_CATEGORIES} categories are taken",
        )
    return MetaColumn(name, tuple(categories))


def _of_numbers(name: str, value_n: np.ndarray[tuple[int], np.dtype[np.float64]]) -> MetaColumn:
    largest = float(np.abs(value_n).max())
    if largest > float(np.finfo(np.float32).max):
        raise RecipeError(f"model.metadata: {name} is up to {largest:g}: too large", "change its unit")
    mean, std = float(value_n.mean()), float(value_n.std())
    if not std > RESOLUTION * largest:
        same = value_n.min() == value_n.max()
        raise RecipeError(
            f"model.metadata: {name} is {value_n[0]:g} for every training image: nothing can be learnt from it"
            if same
            else f"model.metadata: {name} differs too little for numbers of {largest:g} (deviation {std:g})",
            "leave the column out of model.metadata" if same else "subtract a constant, for example from a date",
        )
    return MetaColumn(name, mean=mean, std=std)


def table_of(samples: Samples, split: Split, columns: tuple[MetaColumn, ...]) -> TableRow | None:
    """The coded metadata of all samples, n x m, NaN for those in no part; none where no columns are asked for.

    The line goes on past an image whose metadata cannot be coded. Here it would be missing from what is decided or
    measured, so it is said before the training and not hours later.

    Raises:
        DataError: an image of any part has no value, or one that the training part does not have.
    """
    if not columns:
        return None
    table_nm = np.full((len(samples), len(columns)), np.nan, dtype=np.float32)
    problems = []
    for place, row in enumerate(samples.rows):
        if row.id in split.part:
            try:
                table_nm[place] = encode(row.meta, columns)
            except MetadataError as error:
                problems.append(f"{row.id} ({split.part[row.id]} part): {error.problem}")
    if problems:
        raise DataError(
            f"model.metadata: {counted(len(problems), 'images')} cannot be coded as the training part is:\n"
            + listing(problems),
            f"{BEFORE}; categories that are too rare for every part can be joined to one in the table",
        )
    return table_nm


def hash_of(asked: Mapping[str, Asked], samples: Samples) -> str:
    """Hash of the values that are learnt from; empty where none are. The hash of the samples does not hold them.

    >>> from flawscope.records import Task
    >>> hash_of({}, Samples("x", Task("binary", ("bad",)), ()))
    ''
    """

    def text(row: Sample, name: str) -> str | None:
        value = known(row.meta, name)
        return None if value is None else category(value)

    rows = sorted(samples.rows, key=lambda row: row.id)
    return fingerprint([[row.id, *(text(row, name) for name in asked)] for row in rows]) if asked else ""
