"""Does it help to tell the network the module type (mono or poly)? ELPV, the 5 benchmark folds, pooled out of fold.

The same recipe twice, with and without `model.metadata: {type: category}`: a head on frozen MobileNetV2 features, so
that the backbone runs once a fold and the head learns in seconds. This measures what the type adds to features that
were learnt on other pictures; a fine-tuned network may find the type in the pixels by itself. The interval of the
difference is that of `flawscope compare`: paired, over the groups of benchmarks/groups/elpv.json.

    python benchmarks/metadata_elpv.py [--weights FILE | --weights imagenet] [--trial]

Runs are resumed where an interrupted one stopped. The result is appended to benchmarks/results/metadata-elpv.json,
unless `--trial` is given, which takes 300 cells at 96 pixels, for a few epochs of two folds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import flawscope
from entries import DEFAULT_WEIGHTS, append, ends, of_weights
from flawscope.steps.workspace import fold_runs, read_json

HERE = Path(__file__).resolve().parent
RECIPE = HERE.parent / "recipes" / "solar-binary.yaml"
RESULTS = HERE / "results" / "metadata-elpv.json"
# Fixed before the first run, and the same for both: nothing here was tuned for either.
FROZEN = (
    "model.freeze=true",
    "train.epochs=60",
    "train.rate=0.003",
    "train.augment={flip_horizontal: false, flip_vertical: false, brightness: 0}",
)
TRIAL = (
    "data.limit=300", "image.size=96", "train.epochs=4", "split.file=null", "split.twins=identical",
)  # fmt: skip
ARMS = {"without": "model.metadata={}", "with": "model.metadata={type: category}"}


def main() -> None:
    """Run both, compare them, and append what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--trial", action="store_true", help="few cells and epochs, two folds, nothing is appended")
    asked = parser.parse_args()
    overrides = [*of_weights(asked.weights), *FROZEN]
    if asked.trial:
        overrides += TRIAL
    suffix = "-trial" if asked.trial else ""
    folders = {}
    for arm, metadata in ARMS.items():
        folders[arm] = Path("runs") / f"bench-metadata-elpv-{arm}{suffix}"
        if not folders[arm].exists():
            flawscope.run(
                RECIPE,
                folders[arm],
                folds=2 if asked.trial else 5,
                overrides=[*overrides, metadata],
                resume=True,
                say=print,
            )
    compared = flawscope.compare(
        [folders["without"], folders["with"]],
        Path("runs") / f"bench-metadata-elpv-compared{suffix}",
        overwrite=True,
        say=print,
    )
    result = measured(folders, compared.document, [f"model.weights={Path(asked.weights).name}", *overrides[1:]])
    print(json.dumps({key: result[key] for key in ("arms", "differences", "sentences")}, indent=1))
    if not asked.trial:
        append(RESULTS, result)


def measured(folders: dict[str, Path], document: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """The numbers of both, their differences, and all that is needed to make them again."""
    metrics = {arm: read_json(folder / "metrics.json") for arm, folder in folders.items()}
    facts = metrics["with"]["provenance"]
    return {
        "benchmark": "metadata-elpv",
        "protocol": "5 folds of benchmarks/groups/elpv.json, pooled out of fold; a head on frozen MobileNetV2 "
        "features, with and without the module type; paired differences over groups",
        "command": "python benchmarks/metadata_elpv.py",
        "recipe": RECIPE.name,
        "overrides": overrides,
        "code": facts["code"],
        "date": facts["date"],
        "machine": facts["machine"],
        "versions": facts["versions"],
        "data": facts["data"],
        "arms": {
            arm: {
                "override": ARMS[arm],
                "recipe_hash": found["recipe"]["hash"],
                "split": found["split"],
                "seals": [read_json(run.metrics)["bundle"]["seal"] for run in fold_runs(folders[arm])],
                "n": found["n"],
                "groups": found["groups"],
                "headline": {entry["name"]: ends(entry["interval"]) for entry in found["headline"]},
            }
            for arm, found in metrics.items()
        },
        "differences": differences(document),
        "sentences": document["sentences"],
        "notes": [*document["warnings"], *document["notes"]],
    }


def differences(document: dict[str, Any]) -> dict[str, list[float]]:
    """With minus without: value, low and high of each measure."""
    return {row["measure"]: ends(row["difference"]) for row in document["differences"]}


if __name__ == "__main__":
    main()
