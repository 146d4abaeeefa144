"""Cells and tables of the page of results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from flawscope.errors import UserError
from flawscope.training.recipe import load_recipe

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
Entry = Mapping[str, Any]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def interval(ends: Sequence[float] | None) -> str:
    """Value, low and high in words; a half of the last place is rounded up.

    >>> interval([0.9, 0.8515, 0.94])
    '0.900 (0.852 to 0.940)'
    """
    if ends is None:
        return "-"
    value, low, high = (Decimal(str(end)).quantize(Decimal("0.001"), ROUND_HALF_UP) for end in ends)
    return f"{value} ({low} to {high})"


def called(entry: Entry) -> str:
    """The name of the recipe, with a star where it is another one today."""
    try:
        same = load_recipe(RECIPES / entry["recipe"], entry["overrides"]).hash == entry["recipe_hash"]
    except UserError:  # a key that is no more
        same = False
    return Path(entry["recipe"]).stem + ("" if same else " \\*")


def networks_of(*entries: Entry) -> str:
    """The names of their networks, without the family.

    >>> networks_of({"network": "timm:resnet34"}, {"network": "table:resnet10"})
    'resnet34, resnet10'
    """
    return ", ".join(entry["network"].partition(":")[2] for entry in entries)


def sizes_of(entry: Entry) -> str:
    """How many images were tested, and how many groups.

    >>> sizes_of({"n": 1594, "groups": 27})
    '1,594, 27'
    """
    return f"{entry['n']:,}, {entry['groups']:,}"


def commit_of(entry: Entry) -> str:
    """The commit that an entry was measured on."""
    found = re.search(r"commit (\w+\+?)", entry["code"])
    return found[1] if found else str(entry["code"])


def hashes_of(split: Entry) -> str:
    """The beginning of the hash of a split, or of those of the folds."""
    hashes = split["hash"]
    return ", ".join(each[:12] for each in ([hashes] if isinstance(hashes, str) else hashes))


def runnable(entry: Entry) -> str:
    """The command of an entry; some keep the name of the script alone."""
    return f"python benchmarks/{entry['command'].removeprefix('python benchmarks/')}"
