"""What is said of the trials of a study: in a line, in a table, as plain data."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flawscope.spreadsheet import safe_cell
from flawscope.storage import new_file
from flawscope.training.recipe import Recipe
from flawscope.training.study import TrialRecord
from flawscope.training.tune_spec import label, number_or_label


def sentence(trial: TrialRecord, best: TrialRecord | None, watch: str) -> str:
    """What has come of a trial, in one line."""
    value = ""
    if trial.best is not None:
        value = f" val_{watch} {trial.best[1]:.4f} in epoch {trial.best[0]}"
    ended = {"finished": "", "pruned": f", pruned after epoch {len(trial.curve)}", "failed": f" failed: {trial.reason}"}
    so_far = f", best {best.best[1]:.4f} (trial {best.number})" if best is not None and best.best else ""
    time_taken = f", {trial.seconds:.0f} s" if trial.seconds is not None else ""
    words = ", ".join(f"{key} {number_or_label(value)}" for key, value in trial.settings.items())
    return f"trial {trial.number}:{value}{ended.get(trial.state, '')}{time_taken}{so_far}; {words}"


def row_of(trial: TrialRecord) -> dict[str, Any]:
    """A trial as plain data."""
    row = asdict(trial)
    for name in ("minimise", "chosen"):
        del row[name]
    best = trial.best or (None, None)
    return row | {"value": best[1], "best_epoch": best[0], "epochs": len(trial.curve)}


def value_at(recipe: Recipe, key: str) -> Any:
    """What the recipe itself says for a key; none below a section that is not there.

    Of a section its kind, and what is not as it is by itself.

    >>> from flawscope.training.recipe import parse_recipe
    >>> schedule = {"every": 3, "kind": "step"}
    >>> recipe = parse_recipe({"name": "a", "data": {"kind": "elpv"}, "train": {"schedule": schedule}})
    >>> value_at(recipe, "train.schedule"), value_at(recipe, "train.schedule.factor")
    ({'kind': 'step', 'every': 3}, 0.1)
    """
    value: Any = recipe.model_dump(mode="json")
    less: Any = recipe.model_dump(mode="json", exclude_defaults=True)
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
        less = less.get(part) if isinstance(less, dict) else None
    if isinstance(value, dict) and "kind" in value:
        return {"kind": value["kind"], **(less or {})}
    return value


def write_table(path: Path, made: Mapping[str, Any]) -> None:
    """Write one row a trial, with a column for each key that is searched.

    Raises:
        OutputError: the folder cannot be written to.
    """
    keys = list(made["tune"]["space"])
    columns = ["number", "state", "value", "best_epoch", "epochs", "seconds"]
    with new_file(path) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow([*columns, *keys, "reason"])
        for row in made["trials"]:
            given = [label(row["settings"][key]) if key in row["settings"] else "" for key in keys]
            table.writerow(
                [*("" if row[name] is None else row[name] for name in columns), *given, safe_cell(row["reason"])]
            )
