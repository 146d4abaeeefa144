"""How long until a recipe reaches what the original reports: our own beside the faithful one, same cells, same machine.

    python benchmarks/time_to_number.py [RECIPE...] [--limit MINUTES] [--weights FILE | imagenet] [--trial]

Both learn on the CPU, one after the other, from the training part of one leak-free split, that of our own recipe, and
are asked after each epoch on its validation part. The faithful recipe goes on until the measure that the original
reports is reached, or for `--limit` minutes; our own to its end, which tells how long a whole training takes. Minutes
are those of the processor, all threads together, from the decoding of the pictures on; those on the clock stand beside
them. Other work beside a training makes both longer, up to twice on two threads of one core: measure where it is quiet,
and compare the two of one entry only. The test part is not opened. Each pair is appended to
benchmarks/results/time-to-number.json as soon as it is measured.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from entries import DEFAULT_WEIGHTS, TO_FIT_BY, append, provenance
from flawscope.records import Samples
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
"""What each original reports of its own validation part. That of `casting` is the coils', whose stand-in it is."""
WATCHED = {"solar-multilabel": TO_FIT_BY}
"""Of a recipe that keeps few images for validation: more, as the number is to be shown there."""
ONLY_TRIED = ("train.epochs=1", "image.size=64")
"""A trial shows that the script works, within a minute or so of the processor."""


class _Enough(Exception):
    """The number is reached, or the time is over."""


@dataclass(frozen=True)
class Case:
    """What both trainings share: images, their split, the number wanted; and how long the faithful one may take."""

    samples: Samples
    proven: Proven
    measure: str
    wanted: float
    minutes: float


def main() -> None:
    """Train both of each pair and append what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", default=list(REPORTED), help=", ".join(REPORTED))
    parser.add_argument("--limit", type=float, default=30, help="minutes of the processor for the faithful one")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--trial", action="store_true", help="one epoch each of small pictures; nothing is appended")
    asked = parser.parse_args()
    for name in asked.recipes:
        entry = side_by_side(name, asked.weights, asked.limit, trial=asked.trial)
        print(json.dumps({key: entry[key] for key in ("recipe", "wanted", "faithful_over_ours", "trainings")}))
        if not asked.trial:
            append(RESULTS, entry)


def side_by_side(name: str, weights: str, limit: float, *, trial: bool) -> dict[str, Any]:
    """Our own recipe and the faithful one."""
    if name not in REPORTED:
        raise SystemExit(f"{name}: expected one of {', '.join(REPORTED)}")
    changes = {each: changed(each, weights, trial=trial) for each in (name, f"{name}-faithful")}
    ours, faithful = (load_recipe(RECIPES / f"{each}.yaml", [*data_of(name), *changes[each]]) for each in changes)
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
        "overrides": {
            each: [change.replace(weights, Path(weights).name) for change in some] for each, some in changes.items()
        },
        "trainings": trainings,
        "faithful_over_ours": round(other / first, 2) if first and other else None,
        **sources(samples, proven),
    }


def sources(samples: Samples, proven: Proven) -> dict[str, Any]:
    """What a training came from: command, code, machine; data, split, and how many images of each part it saw."""
    return {
        **provenance(),
        "data": {"name": samples.name, "hash": samples.hash},
        "split": {"hash": proven.split.hash, "stamp": proven.split.stamp, "fold": proven.split.fold},
        "n": {part: len(proven.split.ids(part)) for part in SEEN},
    }


def changed(name: str, weights: str, *, trial: bool) -> list[str]:
    """What is asked on top of a recipe here."""
    of_weights = changes_for(load_recipe(RECIPES / f"{name}.yaml"), weights)
    return ["train.device=cpu", *of_weights, *WATCHED.get(name, ()), *(ONLY_TRIED if trial else [])]


def trained(recipe: Recipe, case: Case, *, to_the_end: bool) -> dict[str, Any]:
    """Processor minutes and the validation measure after each epoch, and when it first was what is wanted."""
    curve: list[list[float]] = []
    begin, on_the_clock = time.process_time(), time.perf_counter()

    def look(live: Live) -> None:
        if not live.row:
            return
        minutes, value = (time.process_time() - begin) / 60, live.row[f"val_{case.measure}"]
        curve.append([round(minutes, 3), round(value, 4)])
        print(f"{recipe.name}: epoch {live.epoch} of {live.epochs}, {minutes:.1f} minutes, {value:.4f}", flush=True)
        over = minutes > case.minutes or value >= case.wanted
        if over and not to_the_end and live.epoch < live.epochs:
            raise _Enough

    ended = True
    with TemporaryDirectory(prefix="flawscope-") as scratch:
        run = prepare_run(Path(scratch), recipe, case.proven, Path(scratch), case.samples)  # nothing decoded before
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
        "minutes_on_the_clock": round((time.perf_counter() - on_the_clock) / 60, 2),
        "epochs": f"{len(curve)} of {recipe.train.epochs}",
        "ended": ended,
        "curve": curve,
    }


if __name__ == "__main__":
    main()
