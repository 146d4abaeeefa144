"""Variants of a recipe compared on development images alone: the test part of its split is never opened.

    python benchmarks/recipe_variants.py RECIPE [--gate] [--fold 0] [--tag NAME] [--set KEY=VALUE]...

All images but those of the recipe's test part are dealt into four folds by their groups. One variant learns from three
of them and is measured on the fourth, by the torch network: as it is, and as the mean over the eight turns of each
picture. Training and choosing never see the fold that is measured, except for the choice of an epoch, which is made on
it where `train.keep` is `best`: compare variants with this, and quote what `reference_systems.py` measures.

For networks that answer about whole images (of a recipe with masks: `--gate`). A variant is appended to
benchmarks/results/recipe-variants.json.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from entries import DEFAULT_WEIGHTS, append, provenance
from flawscope.models.views import Averaged
from flawscope.records import PARTS, Part, Samples, Split
from flawscope.steps import train
from flawscope.steps.material import pixels_of
from flawscope.steps.split import Proven, split_samples
from flawscope.steps.workspace import Run, samples_of
from flawscope.training.checkpoint import load_checkpoint
from flawscope.training.input import PartDataset, loader, rows_of
from flawscope.training.mask_recipe import gate_samples
from flawscope.training.recipe import Recipe, gate_recipe, load_recipe
from reference_systems import RECIPES, changes_for, data_of

RESULTS = Path(__file__).resolve().parent / "results" / "recipe-variants.json"
CACHE = Path("runs") / "bench" / ".cache"
FOLDS, SEEDS = 4, 30


def main() -> None:
    """Train one variant on development images, measure it, print and append."""
    parser = options(__doc__)
    parser.add_argument("--gate", action="store_true", help="the gate of a recipe with masks")
    asked = parser.parse_args()
    recipe, samples, made = material(asked)
    if asked.gate:
        recipe, samples = gate_recipe(recipe), gate_samples(samples)
    entry = {
        "benchmark": "recipe-variants",
        "recipe": f"{asked.recipe}.yaml",
        "network": "gate" if asked.gate else "the one",
        "model": recipe.model.name,
        "recipe_hash": recipe.hash,
        "variant": asked.tag,
        "changes": asked.changes,
        "fold": asked.fold,
        **measured(recipe, samples, development(samples, made, asked.fold)),
        **provenance(),
    }
    print({key: entry[key] for key in ("variant", "fold", "n", "plain", "turned")})
    append(RESULTS, entry)


def options(text: str | None) -> argparse.ArgumentParser:
    """What both benchmarks of variants are asked: the recipe, the fold that is held out, and what is changed."""
    parser = argparse.ArgumentParser(description=(text or "").splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--fold", type=int, default=0, choices=range(FOLDS))
    parser.add_argument("--tag", default="as it is")
    parser.add_argument("--set", action="append", default=[], dest="changes", metavar="KEY=VALUE")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    return parser


def material(asked: argparse.Namespace, *always: str) -> tuple[Recipe, Samples, Split]:
    """The recipe with its changes, its images, and the split whose test part stays closed."""
    path = RECIPES / f"{asked.recipe}.yaml"
    given = [*changes_for(load_recipe(path), asked.weights), *always]
    recipe = load_recipe(path, [*data_of(asked.recipe), *given, *asked.changes])
    samples = samples_of(recipe, print)
    return recipe, samples, split_samples(recipe, samples, cache=CACHE)[0].split


def development(samples: Samples, made: Split, fold: int) -> Split:
    """Three development folds to train on, and one that is measured; the test part is left out.

    Of 30 ways to deal the groups the one whose folds are most alike in size and in the rarest class is taken.
    """
    target = {row.id: tuple(value >= 0.5 for value in row.target) for row in samples.rows}
    names = [name for name, part in made.part.items() if part != "test"]
    combined, groups = [str(target[name]) for name in names], [made.group[name] for name in names]
    shown_nk = np.array([target[name] for name in names])

    def dealt(seed: int) -> tuple[float, list[np.ndarray[Any, Any]]]:
        folds = [
            held
            for _, held in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(names, combined, groups)
        ]
        n_f, shown_fk = (
            np.array([len(held) for held in folds]),
            np.array([shown_nk[held].sum(axis=0) for held in folds]),
        )
        return float((shown_fk.std(axis=0) / shown_fk.mean(axis=0)).max() + n_f.std() / n_f.mean()), folds

    held = {names[place] for place in min((dealt(seed) for seed in range(SEEDS)), key=lambda way: way[0])[1][fold]}
    first, second, *_ = sorted(held)  # no part may be empty: of the fold two stand elsewhere, and are measured as well
    elsewhere: dict[str, Part] = {first: "calibration", second: "test"}
    part: dict[str, Part] = {name: elsewhere.get(name, "validation") if name in held else "train" for name in names}
    left_out = {row.id: "not of the development images" for row in samples.rows if row.id not in part}
    each_alone = {row.id: row.id for row in samples.rows}
    return Split(part, each_alone, {}, 0, f"development fold {fold}", left_out=left_out)


def measured(recipe: Recipe, samples: Samples, split: Split) -> dict[str, Any]:
    """The measures of each class on the fold that was held out."""

    def look(run: Run) -> dict[str, Any]:
        score_nk, turned_nk, truth_nk = scores(run, samples)
        return {
            "n": len(truth_nk),
            "shown": truth_nk.sum(axis=0).astype(int).tolist(),
            "plain": qualities(truth_nk, score_nk),
            "turned": qualities(truth_nk, turned_nk),
        }

    return trained(recipe, samples, split, look)


def trained(recipe: Recipe, samples: Samples, split: Split, look: Callable[[Run], dict[str, Any]]) -> dict[str, Any]:
    """How a training went, and what a look at its run finds before its folder is gone."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        run = train.prepare_run(Path(folder) / "run", recipe, Proven(split), CACHE, samples)
        fitted = train.train_in(run)
        return {
            "trained_on": len(split.ids("train")),
            "epochs": len(fitted.history),
            "minutes": round(sum(row["seconds"] for row in fitted.history) / 60, 1),
            **look(run),
        }


def scores(run: Run, samples: Samples) -> tuple[Any, Any, Any]:
    """Logits of the fold's images, their mean over all turns or mirrors, and the truth, n x k each."""
    network = load_checkpoint(run.training / "best")[0].eval()
    rows = {part: rows_of(samples, run.split.ids(part)) for part in PARTS}
    held = sorted(row for part, some in rows.items() if part != "train" for row in some)
    pixels = pixels_of(run, rows)
    plain, turned, truth = [], [], []
    with torch.no_grad():
        for image_bchw, target_bk in loader(PartDataset(pixels, samples.target_nk, held, None, 0), 16, 0):
            square = image_bchw.shape[-1] == image_bchw.shape[-2]
            plain.append(network(image_bchw).numpy())
            turned.append(Averaged(network, "turns" if square else "mirrors")(image_bchw).numpy())
            truth.append(target_bk.numpy() >= 0.5)
    return np.concatenate(plain), np.concatenate(turned), np.concatenate(truth)


def qualities(truth_nk: Any, score_nk: Any) -> dict[str, list[float]]:
    """Of each class: ranks of the logits, and what one gets who asks for a probability of 0.5."""

    def each(measure: Any) -> list[float]:
        return [round(float(measure(of_n, by_n)), 4) for of_n, by_n in zip(truth_nk.T, score_nk.T, strict=True)]

    return {
        "AUROC": each(roc_auc_score),
        "average precision": each(average_precision_score),
        "accuracy at 0.5": each(lambda of_n, by_n: accuracy_score(of_n, by_n >= 0)),
    }


if __name__ == "__main__":
    main()
