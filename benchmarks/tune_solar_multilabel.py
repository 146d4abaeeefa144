"""The search for the best settings on real cells with two labels: fold 0 of the benchmark, validation part only.

    python benchmarks/tune_solar_multilabel.py [--trials N] [--weights FILE | imagenet] [--storage URL] [--trial]

The study goes on where an interrupted one stopped. When it has as many trials as were asked for, it is appended to
benchmarks/results/tune-solar-multilabel.json, unless `--trial` is given, which trains for one epoch only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flawscope
from entries import DEFAULT_WEIGHTS, append, of_weights, two_labels

HERE = Path(__file__).resolve().parent
RECIPE = HERE.parent / "recipes" / "solar-multilabel-tune.yaml"
RESULTS = HERE / "results" / "tune-solar-multilabel.json"


def main() -> None:
    """Search, and append what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=None)
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--storage", default=None)
    parser.add_argument("--trial", action="store_true", help="one epoch, nothing is appended")
    asked = parser.parse_args()
    weights = of_weights(asked.weights)
    overrides = [*weights, *two_labels()]
    if asked.trial:
        overrides += ["train.epochs=1", "name=solar-multilabel-tune-trial"]
    folder = Path("runs") / f"bench-tune-solar-multilabel{'-trial' if asked.trial else ''}"
    made = flawscope.tune(
        RECIPE, folder, trials=asked.trials, storage=asked.storage, overrides=overrides, resume=True, say=print
    )
    result = measured(made.document, [f"model.weights={Path(asked.weights).name}", *weights[1:]])
    print(json.dumps({key: result[key] for key in ("counts", "best", "importance")}, indent=1))
    if not asked.trial:
        append(RESULTS, result, by=("recipe_hash", "trials"))  # the date is that of the last look


def measured(document: Mapping[str, Any], overrides: list[str]) -> dict[str, Any]:
    """The study, and all that is needed to make it again."""
    facts = document["provenance"]
    return {
        "benchmark": "tune-solar-multilabel",
        "protocol": "fold 0 of benchmarks/groups/solar-multilabel.json: trained on the training part, compared on the "
        "validation part; calibration and test parts not opened",
        "command": "python benchmarks/tune_solar_multilabel.py",
        "recipe": RECIPE.name,
        "recipe_hash": document["recipe"]["hash"],
        "overrides": overrides,
        **{name: facts[name] for name in ("code", "date", "machine", "versions")},
        "data": document["data"],
        "split": document["split"],
        "watch": document["watch"],
        "tune": document["tune"],
        "counts": document["counts"],
        "best": {key: document["best"][key] for key in ("number", "value", "best_epoch", "epochs", "settings")},
        "importance": document["importance"],
        "seconds": round(sum(row["seconds"] or 0 for row in document["trials"])),
        "trials": [
            {
                key: row[key]
                for key in ("number", "state", "value", "best_epoch", "epochs", "seconds", "settings", "reason")
            }
            for row in document["trials"]
        ],
        "notes": [
            "numbers of the validation part, the best of them chosen: too good; only a run measures on the test part"
        ],
    }


if __name__ == "__main__":
    main()
