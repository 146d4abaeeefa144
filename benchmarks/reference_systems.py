"""The recipes of the reference systems, measured on real data through the bundles that they seal.

    python benchmarks/reference_systems.py RECIPE... [--protocol folds | seeds | random | easy]
        [--weights FILE | imagenet] [--seed N] [--set KEY=VALUE]

- folds: the five folds of the benchmark groups, pooled: each image is decided by a bundle that has not seen its group.
- seeds: the recipe's own fold, or its own split, three times, with other first weights and draws: how far chance alone
  moves the numbers; with --seed one of them.
- random: one random split that nobody searched, 20 % of it for the test: how the originals measured.
- easy: the recipe's own split of easy synthetic coils: whether a recipe learns at all.

A run that was stopped goes on after its last finished epoch; one that is finished is not run again. Everything is
appended to benchmarks/results/reference-systems.json.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import coil_exam
import flawscope
from entries import DEFAULT_WEIGHTS, SHARED, append, ends, of_weights, two_labels
from flawscope.evaluation.metrics import truth
from flawscope.records import PARTS
from flawscope.steps.workspace import Run, fold_runs, read_json
from flawscope.training.history import FILE, read_history
from flawscope.training.recipe import Recipe, load_recipe

HERE = Path(__file__).resolve().parent
RECIPES = HERE.parent / "recipes"
RESULTS = HERE / "results" / "reference-systems.json"
RUNS = Path("runs") / "bench"
BACKBONE = "timm:mobilenetv2_100"
"""The one whose weights may lie on this machine as a file."""

FOLDS, SEEDS = 5, (0, 1, 2)
PROTOCOLS = {
    "folds": f"{FOLDS} folds of the benchmark groups, pooled",
    "seeds": "the recipe's own fold of the benchmark groups, or its own split",
    "random": "one random split that nobody searched (leaky), a fifth for the test",
    "easy": "the recipe's own split, of easy synthetic coils",
}
RANDOM = (
    *("split.groups=none", "split.twins=identical", "split.file=null", "split.fold=0", "split.test=0.2"),
    *("split.validation=0.05", "split.calibration=0.05"),  # the originals learnt from all that is not for the test
)


def main() -> None:
    """Run what was asked for and append it to the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="names of files in recipes/, such as solar-binary")
    parser.add_argument("--protocol", choices=list(PROTOCOLS), default="folds")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--seed", type=int, help="of the protocol `seeds`: this one alone")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="what else of the recipes changes"
    )
    parser.add_argument("--trial", action="store_true", help="one epoch, two folds or one seed; nothing is appended")
    asked = parser.parse_args()
    if asked.protocol == "easy" and not all(name.startswith("coil") for name in asked.recipes):
        parser.error("easy: only coils are drawn as hard or easy ones")
    some: Sequence[int] = SEEDS if asked.seed is None else (asked.seed,)
    for name in asked.recipes:
        for seed in some[: 1 if asked.trial else None] if asked.protocol == "seeds" else (None,):
            result = measured(name, asked.protocol, asked.weights, seed, asked.set, trial=asked.trial)
            print(json.dumps({key: result[key] for key in ("recipe", "protocol", "headline")}, indent=1))
            if not asked.trial:
                append(RESULTS, result)


def measured(
    name: str, protocol: str, weights: str, seed: int | None, more: Sequence[str] = (), *, trial: bool = False
) -> dict[str, Any]:
    """One recipe under one protocol: the numbers, and all that is needed to make them again."""
    path = RECIPES / f"{name}.yaml"
    changes = [*changes_for(load_recipe(path), weights), *(RANDOM if protocol == "random" else ())]
    changes += [] if seed is None else [f"train.seed={seed}"]
    changes += [*more, *(["train.epochs=1"] if trial else [])]
    folds = (2 if trial else FOLDS) if protocol == "folds" else None
    place = RUNS / "-".join([name, protocol, *([] if seed is None else [str(seed)]), *(["trial"] if trial else [])])
    asked = [*(coils("easy") if protocol == "easy" else data_of(name)), *changes]
    if not place.exists():
        flawscope.run(path, place, folds=folds, overrides=asked, resume=True, say=print)
    metrics = read_json(place / "metrics.json")
    facts = metrics["provenance"]
    runs = fold_runs(place) or [Run.at(place)]
    if runs[0].recipe.hash != load_recipe(path, asked).hash:
        raise SystemExit(f"{place} was made with another form of the recipe: move it away, and this is measured anew")
    return {
        "benchmark": "reference-systems",
        "recipe": path.name,
        "protocol": protocol,
        "what": PROTOCOLS[protocol],
        "seed": seed,
        "command": shlex.join(
            ["python", "benchmarks/reference_systems.py", name, "--protocol", protocol]
            + [word for change in more for word in ("--set", change)]
        ),
        "overrides": [change.replace(weights, Path(weights).name) for change in changes],
        **{key: facts[key] for key in ("code", "date", "machine", "versions", "data")},
        **facts_of(runs),
        "split": metrics["split"],
        "n": metrics["n"],
        "groups": metrics["groups"],
        "headline": {entry["name"]: ends(entry["interval"]) for entry in metrics["headline"]},
        "classes": {key: classes_of(entry) for key, entry in metrics["classes"].items()},
        **of_masks(metrics),
        "folds": metrics.get("folds", []),
        "notes": metrics["notes"],
    }


def facts_of(runs: Sequence[Run]) -> dict[str, Any]:
    """What was trained, and how long that took: the seconds of each epoch are those of a machine that may be shared."""
    recipe = runs[0].recipe
    histories = [read_history(run.training / FILE) for run in runs]
    return {
        "recipe_hash": recipe.hash,
        "fold": [run.split.fold for run in runs],
        "network": recipe.model.name,
        "size": list(recipe.image.size),
        "trained_on": [len(run.split.ids("train")) for run in runs],
        "shown": [shown(run) for run in runs],
        "epochs": [len(rows) for rows in histories],
        "minutes_of_training": [round(sum(row["seconds"] for row in rows) / 60, 1) for rows in histories],
        "seals": [read_json(run.metrics)["bundle"]["seal"] for run in runs],
    }


def shown(run: Run) -> dict[str, dict[str, list[int]]]:
    """How many images of each part show a class, and how many groups: how little a threshold may rest on."""
    found: dict[str, dict[str, list[int]]] = {}
    for part in PARTS:
        samples = run.part(part)
        for name, target_n in zip(samples.task.classes, truth(samples.task.kind, samples.target_nk).T, strict=True):
            groups = {run.split.group[row.id] for row, there in zip(samples.rows, target_n, strict=True) if there}
            found.setdefault(part, {})[name] = [int(target_n.sum()), len(groups)]
    return found


def classes_of(entry: dict[str, Any]) -> dict[str, list[float]]:
    """The measures of one class that are defined."""
    return {name: ends(interval) for name, interval in entry["measures"].items() if interval and "value" in interval}


def of_masks(metrics: dict[str, Any]) -> dict[str, Any]:
    """Where flaws are, of each class; whether an image shows any, by the whole bundle and by its gate alone."""
    if "masks" not in metrics:
        return {}
    found: dict[str, Any] = {"pixels": {name: classes_of(entry) for name, entry in metrics["masks"]["classes"].items()}}
    for key in ("cascade", "gate"):
        if key in metrics:
            (flawed,) = metrics[key]["classes"].values()
            found[key] = classes_of(flawed)
    if "time" in metrics.get("gate", {}):
        found["gate_time"] = metrics["gate"]["time"]
    return found


def changes_for(recipe: Recipe, weights: str) -> list[str]:
    """What a file of weights asks of a recipe that begins from ImageNet.

    The file is of MobileNetV2. Recipes with another backbone get this one, and the result says so.
    """
    gate = recipe.gate
    if gate is not None and gate.model.weights == "imagenet":
        other = Path(weights).is_file() and gate.model.name != BACKBONE
        of_gate = [*of_weights(weights), *([f"model.name={BACKBONE}"] if other else [])]
    else:
        of_gate = []
    found = [f"gate.{change}" for change in of_gate]
    if recipe.model.weights != "imagenet":
        return found
    own = of_weights(weights)
    decoded = recipe.model.name.startswith("smp:")  # a decoder on this backbone
    if Path(weights).is_file() and not decoded and recipe.model.name != BACKBONE:
        own.append(f"model.name={BACKBONE}")
    if recipe.model.normalise is not None:  # the recipe's own choice stays
        own = [change for change in own if not change.startswith("model.normalise")]
    return [*own, *found]


def elpv() -> list[str]:
    """ELPV is found in its package."""
    return []


def castings() -> list[str]:
    """Both parts of the published split: they are pooled."""
    return [f"data.root={SHARED / 'data' / 'casting'}"]


def coils(difficulty: str = "hard") -> list[str]:
    """The 626 synthetic coils of the exam (`coil_exam.py`), its measuring half."""
    return [f"data.root={coil_exam.pictures(difficulty, coil_exam.SEEDS['measuring'])[0].parents[1].resolve()}"]


def masks(name: str) -> list[str]:
    """Images, and masks beside them or in a folder of their own."""
    place = SHARED / "data" / name
    if name == "magnetic-tile":
        return [f"data.images={place}"]
    return [f"data.images={place / 'images'}", f"data.masks={place / 'masks'}"]


def strips() -> list[str]:
    """600 hard synthetic strips, of a seed that the generator was not tuned on."""
    place = Path("runs") / "strips"
    if not place.exists():
        flawscope.synth("steel", place, 600, 20, "hard")
    files = {"images": "images", "table": "train.csv", "facts": "truth.csv"}
    return [f"data.{key}={(place / file).resolve()}" for key, file in files.items()]


DATA: dict[str, Callable[[], list[str]]] = {
    "solar-binary": elpv,
    "solar-multilabel": two_labels,
    "solar-challenge": two_labels,
    "casting": castings,
    "coil": coils,
    "neu-seg": partial(masks, "neu-seg"),
    "magnetic-tile": partial(masks, "magnetic-tile"),
    "steel": strips,
}


def data_of(name: str) -> list[str]:
    """Where the data of a recipe lie on this machine."""
    for start, find in DATA.items():
        if name.startswith(start):
            return find()
    raise SystemExit(f"{name}: no data are known for it, only for {', '.join(DATA)}")


if __name__ == "__main__":
    main()
