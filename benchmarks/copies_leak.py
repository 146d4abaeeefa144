"""What reference system B's protocol hides: a split after turning and mirroring, beside one of whole groups of modules.

    python benchmarks/copies_leak.py [--weights FILE | imagenet] [--trial]

The original made six pictures of each cell (as it is, three turns, two mirrors) and then split the pictures at random,
so that each test picture had turned copies of itself in training. Here its pictures are made again, below runs/, of the
cells whose labels are at hand, and one network is trained twice with the same budget on five folds:

- leaky: the pictures are dealt out at random, stratified on their labels, as the original did;
- clean: all pictures of the cells of one benchmark group stay in one fold.

For the sake of time at 96 pixels, with MobileNetV2 in place of ResNet-34, for three epochs as the original reports.
Both are appended to benchmarks/results/copies-leak.json, with what lies between them: each picture is tested once in
both, and the interval of the difference is over the groups.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

import flawscope
from entries import DEFAULT_WEIGHTS, TO_FIT_BY, append, ends, of_weights, two_labels
from flawscope.data.group_file import load_groups
from flawscope.data.progress import watched
from flawscope.data.read import read
from flawscope.evaluation.paired import OVERALL
from flawscope.records import Samples
from flawscope.steps.provenance import command, machine, today, versions
from flawscope.steps.workspace import fold_runs, read_json
from flawscope.storage import new_folder
from flawscope.training.history import FILE, read_history
from flawscope.training.recipe import load_recipe
from reference_systems import BACKBONE, HERE, RECIPES

RECIPE = RECIPES / "solar-multilabel-faithful.yaml"
RESULTS = HERE / "results" / "copies-leak.json"
RUNS = Path("runs") / "bench-copies"
FOLDS, EPOCHS, SIZE = 5, 3, 96
Turn = Image.Transpose
COPIES = {
    "": None,
    "rot_": Turn.ROTATE_90,
    "rot2_": Turn.ROTATE_180,
    "rot3_": Turn.ROTATE_270,
    "mirrh_": Turn.FLIP_LEFT_RIGHT,
    "mirrv_": Turn.FLIP_TOP_BOTTOM,
}
"""The original's names. Which of its mirrors is which is not stated: both are there."""

# Found, not searched for: the pictures are copies of each other by construction, and groups say which.
SAME = (
    *("split.file=null", "split.fold=0", "split.twins=identical", "data.groups={}", "data.group_column=group"),
    *TO_FIT_BY,
)
ARMS = {"leaky": ("split.groups=none",), "clean": ("split.groups=data",)}


def main() -> None:
    """Train both, and append what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--trial", action="store_true", help="one epoch, two folds; nothing is appended")
    asked = parser.parse_args()
    table = pictures()
    changes = [f"train.epochs={1 if asked.trial else EPOCHS}", f"image.size={SIZE}", *SAME]
    changes += [f"model.name={BACKBONE}", *of_weights(asked.weights)[:2]]  # normalised by the training part, as stated
    arms = {arm: trained(arm, table, changes, trial=asked.trial) for arm in ARMS}
    result = {
        "benchmark": "copies-leak",
        "what": f"{FOLDS} folds each, pooled; {SIZE} pixels, {EPOCHS} epochs, MobileNetV2 in place of ResNet-34",
        "command": command(),
        "recipe": RECIPE.name,
        "overrides": [change.replace(asked.weights, Path(asked.weights).name) for change in changes],
        "machine": machine(),
        "date": today(),
        "versions": versions(),
        "arms": arms,
        "over_groups": over_groups(*(folder_of(arm, trial=asked.trial) for arm in ARMS)),
    }
    print(json.dumps({arm: found["headline"] for arm, found in arms.items()}, indent=1), result["over_groups"])
    if not asked.trial:
        append(RESULTS, result)


def pictures() -> Path:
    """The table of all pictures, each made once: file, labels, cell, benchmark group."""
    folder = RUNS / "pictures"
    if not folder.exists():
        samples = cells()
        group_of = load_groups(HERE / "groups" / "solar-multilabel.json").of(samples)[0]
        rows = [["file", *samples.task.classes, "cell", "group"]]
        with new_folder(folder) as beside:
            for row in watched(samples.rows, len(samples), "turning and mirroring"):
                for prefix, turn in COPIES.items():
                    name = prefix + Path(row.path).name
                    with Image.open(row.path) as cell:
                        (cell if turn is None else cell.transpose(turn)).save(beside / name)
                    rows.append([name, *(f"{value:g}" for value in row.target), row.id, group_of[row.id]])
            with (beside / "labels.csv").open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream).writerows(rows)
    return folder / "labels.csv"


def folder_of(arm: str, *, trial: bool = False) -> Path:
    """Where the runs of an arm lie."""
    return RUNS / (f"{arm}-trial" if trial else arm)


def over_groups(leaky: Path, clean: Path) -> dict[str, list[float]]:
    """Mean F1 of the leaky arm, of the clean one, and what the first has more, drawn over the groups of the clean one.

    Both have tested the same pictures. Copies, and cells of one module, are drawn together.
    """
    with tempfile.TemporaryDirectory() as folder:
        rows = flawscope.compare([clean, leaky], Path(folder) / "compared").document["differences"]
    mean = next(row for row in rows if row["class_name"] == OVERALL and row["measure"] == "mean F1")
    names = {"leaky": "other", "clean": "baseline", "leaky, less clean": "difference"}
    return {name: ends(mean[side]) for name, side in names.items()}


def cells() -> Samples:
    """The labelled cells."""
    return read(load_recipe(RECIPE, two_labels()).data, Path.cwd())


def trained(arm: str, table: Path, changes: list[str], *, trial: bool) -> dict[str, Any]:
    """The pooled numbers of one arm, and the mean F1 of the validation parts after each epoch."""
    folder = folder_of(arm, trial=trial)
    if not folder.exists():
        data = [f"data.table={table}", f"data.images={table.parent}"]
        own = [*changes, *ARMS[arm]]
        flawscope.run(RECIPE, folder, folds=2 if trial else FOLDS, overrides=[*data, *own], resume=True, say=print)
    metrics = read_json(folder / "metrics.json")
    runs = fold_runs(folder)
    histories = [read_history(run.training / FILE) for run in runs]
    return {
        "code": metrics["provenance"]["code"],
        "data": metrics["provenance"]["data"],
        "split": metrics["split"],
        "seals": [read_json(run.metrics)["bundle"]["seal"] for run in runs],
        "trained_on": [len(run.split.ids("train")) for run in runs],
        "n": metrics["n"],
        "groups": metrics["groups"],
        "headline": {entry["name"]: ends(entry["interval"]) for entry in metrics["headline"]},
        "mean_f1_on_validation_by_epoch": [
            round(sum(rows[epoch]["val_f1"] for rows in histories) / len(histories), 4)
            for epoch in range(len(histories[0]))
        ],
    }


if __name__ == "__main__":
    main()
