"""How long reference system D's ResUNet learns on NEU-Seg until it is near its best.

    python benchmarks/resunet_time.py [--epochs 22] [--device cpu | cuda] [--set KEY=VALUE] [--trial]

It learns from scratch by its own loss, from the training part of the split of `recipes/neu-seg.yaml`. The mean IoU of
the validation part is noted after each epoch, with the minutes of the processor until then, all threads together, from
the decoding of the pictures on; how long all of it took on the clock stands beside. The test part is not opened. Called
once with as many epochs as fit an hour of two cores, and once with many more (on a GPU where one is at hand), it says
how near the short training comes to the best that is known. Each training is appended to
benchmarks/results/resunet-time.json.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

from entries import append
from flawscope.steps.split import split_samples
from flawscope.steps.workspace import samples_of
from flawscope.training.recipe import load_recipe
from reference_systems import HERE, RECIPES, RUNS, data_of
from time_to_number import Case, sources, trained

RECIPE = "neu-seg"
RESULTS = HERE / "results" / "resunet-time.json"
RESUNET = (
    "model.name=table:resunet",
    "model.weights=none",
    "model.arguments={}",
    "image.channels=1",
    "masks.loss=focal_tversky",
    "train.rate=0.001",
    "train.batch_size=16",
)
"""Network, channels and loss of the original; rate and batch as in `recipes/steel-faithful.yaml`."""


def main() -> None:
    """Train once and append what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=22, help="with a rate that falls to nothing at their end")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="what else of the recipe changes"
    )
    parser.add_argument("--trial", action="store_true", help="one epoch; nothing is appended")
    asked = parser.parse_args()
    epochs = 1 if asked.trial else asked.epochs
    entry = one([*RESUNET, *asked.set, f"train.device={asked.device}", f"train.epochs={epochs}"])
    print(json.dumps({key: entry[key] for key in ("device", "epochs", "best", "minutes_on_the_clock")}))
    if not asked.trial:
        append(RESULTS, entry)


def one(changes: list[str]) -> dict[str, Any]:
    """One training to its end: after each epoch the minutes until then, and the mean IoU of the validation part."""
    recipe = load_recipe(RECIPES / f"{RECIPE}.yaml", [*data_of(RECIPE), *changes])
    samples = samples_of(recipe, print)
    proven = split_samples(recipe, samples, cache=RUNS / ".cache")[0]
    found = trained(recipe, Case(samples, proven, "iou", math.inf, math.inf), to_the_end=True)
    return {
        "benchmark": "resunet-time",
        "recipe": f"{RECIPE}.yaml",
        "overrides": changes,
        "device": recipe.train.device,
        "best": max(value for _, value in found["curve"]),
        **{key: found[key] for key in ("network", "size", "epochs", "minutes", "minutes_on_the_clock", "curve")},
        **sources(samples, proven),
    }


if __name__ == "__main__":
    main()
