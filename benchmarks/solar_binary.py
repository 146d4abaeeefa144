"""Reference system A on real cells: cross-validation on the 5 benchmark folds, and the same recipe on a random split.

The random split is the one that published numbers rest on: sister cells of one module stand on both sides of it. The
difference between the two numbers is what the leak is worth.

    python benchmarks/solar_binary.py [--weights FILE | --weights imagenet] [--protocol grouped|random|all]

Runs are resumed where an interrupted one stopped, by fold and by step, and each finished protocol is appended to
benchmarks/results/solar-binary.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import flawscope
from entries import DEFAULT_WEIGHTS, append, ends, of_weights
from flawscope.steps.workspace import Run, fold_runs, read_json

HERE = Path(__file__).resolve().parent
RECIPE = HERE.parent / "recipes" / "solar-binary.yaml"
RESULTS = HERE / "results" / "solar-binary.json"
PROTOCOLS = {"grouped": 5, "random": 0}


def main() -> None:
    """Run what was asked for and append it to the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--protocol", choices=[*PROTOCOLS, "all"], default="all")
    asked = parser.parse_args()
    overrides = of_weights(asked.weights)
    for protocol in PROTOCOLS if asked.protocol == "all" else [asked.protocol]:
        result = measured(protocol, overrides, Path(asked.weights).name)
        append(RESULTS, result)
        print(json.dumps(result["headline"], indent=1))


def measured(protocol: str, overrides: list[str], weights: str) -> dict[str, Any]:
    """One protocol: the numbers, and all that is needed to make them again."""
    folds = PROTOCOLS[protocol] or None
    more = [] if protocol == "grouped" else ["split.groups=none", "split.twins=identical", "split.file=null"]
    folder = Path("runs") / f"bench-solar-binary-{protocol}"
    if not folder.exists():
        flawscope.run(RECIPE, folder, folds=folds, overrides=[*overrides, *more], resume=True, say=print)
    metrics = read_json(folder / "metrics.json")
    facts = metrics["provenance"]
    runs = fold_runs(folder) or [Run.at(folder)]
    recipe = runs[0].recipe
    return {
        "benchmark": "solar-binary",
        "protocol": "5 folds of benchmarks/groups/elpv.json, pooled" if folds else "one random split (leaky)",
        "command": f"python benchmarks/solar_binary.py --protocol {protocol}",
        "recipe": RECIPE.name,
        "recipe_hash": recipe.hash,
        "train": {"size": list(recipe.image.size), "epochs": recipe.train.epochs, "rate": recipe.train.rate},
        "overrides": [f"model.weights={weights}", *overrides[1:], *more],
        "code": facts["code"],
        "date": facts["date"],
        "machine": facts["machine"],
        "versions": facts["versions"],
        "data": facts["data"],
        "split": metrics["split"],
        "seals": [read_json(run.metrics)["bundle"]["seal"] for run in runs],
        "n": metrics["n"],
        "groups": metrics["groups"],
        "headline": {entry["name"]: ends(entry["interval"]) for entry in metrics["headline"]},
        "folds": metrics.get("folds", []),
        "notes": metrics["notes"],
    }


if __name__ == "__main__":
    main()
