"""How long until a recipe reaches what the original reports: our own beside the faithful one, same cells, same machine.

    python benchmarks/time_to_number.py [RECIPE...] [--limit MINUTES] [--weights FILE | imagenet] [--trial]

Both learn from the training part of one leak-free split, that of our own recipe, and are asked after each epoch on its
validation part, until the measure that the original reports is reached, or the limit. Our own recipe goes on to its
end, which tells how long a whole training takes. Times are those of the processor, all threads together, so that other
work on the machine matters little; the test part is not opened. Appends to benchmarks/results/time-to-number.json.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from entries import DEFAULT_WEIGHTS, append
from flawscope.records import Samples
from flawscope.steps.provenance import code_version, command, machine, today, versions
from flawscope.steps.split import Proven, split_samples
from flawscope.steps.train import prepare_run, train_in
from flawscope.steps.tune import SEEN
from flawscope.steps.workspace import samples_of
from flawscope.training.loop import Live
from flawscope.training.recipe import Recipe, load_recipe
from reference_systems import HERE, RECIPES, RUNS, changes_for, data_of

RESULTS = HERE / "results" / "time-to-number.json"
REPORTED = {
    "solar-binary": ("accuracy", 0.836),
    "solar-multilabel": ("f1", 0.8889),
    "casting": ("accuracy", 0.984),
    "coil": ("accuracy", 0.984),
}
"""What each original reports of its own validation part. Those of `casting` are the coils', whose stand-in it is."""


class _Enough(Exception):
    """The number is reached, or the time is over."""


@dataclass(frozen=True)
class Case:
    """What both trainings share: the cells, their split, the number wanted; and how long one may take, in minutes."""

    samples: Samples
    proven: Proven
    measure: str
    wanted: float
    limit: float


def main() -> None:
    """Train both of each pair and append what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", default=list(REPORTED), help=", ".join(REPORTED))
    parser.add_argument("--limit", type=float, default=30, help="minutes of processor time")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--trial", action="store_true", help="one epoch each; nothing is appended")
    asked = parser.parse_args()
    for name in asked.recipes:
        entry = side_by_side(name, asked.weights, asked.limit, trial=asked.trial)
        print(json.dumps(entry["trainings"], indent=1))
        if not asked.trial:
            append(RESULTS, entry)


def side_by_side(name: str, weights: str, limit: float, *, trial: bool) -> dict[str, Any]:
    """Our own recipe and the faithful one."""
    ours, faithful = (of(each, weights, trial=trial) for each in (name, f"{name}-faithful"))
    samples = samples_of(ours, print)
    proven = split_samples(ours, samples, cache=RUNS / ".cache")[0]
    case = Case(samples, proven, *REPORTED[name], limit)
    trainings = {
        "ours": trained(ours, case, to_the_end=True),
        "faithful": trained(faithful, case, to_the_end=False),
    }
    first, other = (each["minutes_to_it"] for each in trainings.values())
    return {
        "benchmark": "time-to-number",
        "recipe": f"{name}.yaml",
        "wanted": f"val_{case.measure} of {case.wanted}",
        "limit_minutes": limit,
        "trainings": trainings,
        "faithful_over_ours": round(other / first, 2) if first and other else None,
        "command": command(),
        "code": code_version(),
        "machine": machine(),
        "versions": versions(),
        "date": today(),
        "data": {"name": samples.name, "hash": samples.hash},
        "split": {"hash": proven.split.hash, "stamp": proven.split.stamp, "fold": proven.split.fold},
    }


def of(name: str, weights: str, *, trial: bool) -> Recipe:
    """A recipe as it runs here."""
    path = RECIPES / f"{name}.yaml"
    changes = [*data_of(name), *changes_for(load_recipe(path), weights), *(["train.epochs=1"] if trial else [])]
    return load_recipe(path, changes)


def trained(recipe: Recipe, case: Case, *, to_the_end: bool) -> dict[str, Any]:
    """Processor minutes and the validation measure after each epoch, and when it first was what is wanted."""
    curve: list[list[float]] = []
    begin = 0.0

    def look(live: Live) -> None:
        nonlocal begin
        begin = begin or time.process_time()
        minutes = (time.process_time() - begin) / 60
        if not live.row:
            return
        curve.append([round(minutes, 2), round(live.row[f"val_{case.measure}"], 4)])
        print(f"{recipe.name}: epoch {live.epoch} of {live.epochs}, {minutes:.1f} minutes, {curve[-1][1]}", flush=True)
        over = minutes > case.limit or (curve[-1][1] >= case.wanted and not to_the_end)
        if over and live.epoch < live.epochs:
            raise _Enough

    ended = True
    with TemporaryDirectory(prefix="flawscope-") as scratch:
        run = prepare_run(Path(scratch), recipe, case.proven, RUNS / ".cache", case.samples)
        try:
            train_in(run, parts=SEEN, show=look)
        except _Enough:
            ended = False
    reached = next((minutes for minutes, value in curve if value >= case.wanted), None)
    return {
        "recipe": recipe.name,
        "recipe_hash": recipe.hash,
        "network": recipe.model.name,
        "size": list(recipe.image.size),
        "minutes_to_it": reached,
        "minutes": curve[-1][0],
        "epochs": f"{len(curve)} of {recipe.train.epochs}",
        "ended": ended,
        "curve": curve,
    }


if __name__ == "__main__":
    main()
