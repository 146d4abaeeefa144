"""What differs between recipes: only the keys that do, as a table. Torch-free."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from flawscope.training.recipe import Recipe


def changes(recipes: Sequence[Recipe]) -> list[dict[str, Any]]:
    """The keys whose values are not the same in all recipes, with the value of each, "-" where one has no such key.

    Paths keep their last name only. Where one is empty and another is not, the keys within tell it.

    >>> from flawscope.training.recipe import parse_recipe
    >>> data = {"kind": "folders", "root": "parts"}
    >>> changes([parse_recipe({"name": "a", "data": data, "train": {"epochs": n}}) for n in (3, 5)])
    [{'key': 'train.epochs', 'values': ['3', '5']}]
    """
    told = [dict(_flat(yaml.safe_load(recipe.dump(folders=False)))) for recipe in recipes]
    keys = dict.fromkeys(key for each in told for key in each)
    rows = [{"key": key, "values": [each.get(key, "-") for each in told]} for key in keys]
    return [row for row in rows if len(set(row["values"])) > 1 and not {"{}", "-"}.issuperset(row["values"])]


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Every key with the keys above it, and its value as it stands in a recipe."""
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
