"""The three sets of `pointing.py`: how each is labelled, trained on, and where its true masks are."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import flawscope
from entries import DEFAULT_WEIGHTS, ROOT, SHARED, of_weights
from flawscope.data.read import read
from flawscope.data.spec import MasksSpec
from flawscope.errors import DataError
from flawscope.records import Samples
from flawscope.steps.workspace import Run
from flawscope.storage import write_text
from flawscope.training.recipe import load_recipe

RUNS = ROOT / "runs" / "bench" / "pointing"
DATA = SHARED / "data"
CLASSES = ("inclusion", "patches", "scratches")
STRIPS, SEED = 600, 31
FLAWED, FREE = "flawed", "free"

RECIPE = """\
name: {name}
data: {{kind: csv, table: labels.csv, images: {images}, label_columns: [{labels}]{more}}}
image: {{size: {size}, channels: 3}}
split: {{seed: 1, validation: 0.1, calibration: 0.2, test: 0.2{split}}}
model: {{name: "timm:mobilenetv2_100", weights: imagenet}}
train:
  epochs: {epochs}
  batch_size: 16
  rate: {rate}
  schedule: one_cycle
  class_weights: balanced
  watch: loss
  augment: {{flip_horizontal: true, flip_vertical: true{turns}, brightness: 0.2}}
"""


@dataclass(frozen=True)
class PointingSet:
    """Images with true masks, as a whole-image classifier is trained on them.

    `whole`: the answer is "flawed or not", and the mask is that of any flaw. `recipe` fills `RECIPE`.
    """

    name: str
    what: str
    whole: bool
    masks: Callable[[], MasksSpec]
    recipe: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """Where its labels, its recipe and the run that is trained here lie."""
        return RUNS / self.name


def strips() -> Path:
    """Easy synthetic strips of steel with exact masks."""
    place = RUNS / "strips"
    if not place.exists():
        flawscope.synth("steel", place, STRIPS, SEED, "easy", size="800x128")
    return place.resolve()


def _tiles() -> MasksSpec:
    return MasksSpec(images=DATA / "magnetic-tile", level=0, flaw=FLAWED, negative="MT_Free", on_bad="skip")


def _steel_plates() -> MasksSpec:
    return MasksSpec(images=DATA / "neu-seg" / "images", masks=DATA / "neu-seg" / "masks", classes=[*CLASSES])


def _strips() -> MasksSpec:
    return MasksSpec(images=strips() / "images", table=strips() / "train.csv")


BINARY = f", positive: {FLAWED}"
GROUP_FILE = f", file: {ROOT / 'benchmarks' / 'groups' / 'magnetic-tile.json'}"
SETS = {
    each.name: each
    for each in (
        PointingSet(
            "magnetic-tile", "magnetic tiles, flawed or not", True, _tiles,
            {"labels": "label", "more": BINARY, "size": "256", "split": GROUP_FILE, "epochs": "10",
             "rate": "0.001", "turns": ", quarter_turns: true"},  # as the gate of recipes/magnetic-tile.yaml
        ),
        PointingSet(
            "neu-seg", "hot-rolled steel: inclusion, patches, scratches, one or several", False, _steel_plates,
            {"labels": ", ".join(CLASSES), "more": "", "size": "224", "split": "", "epochs": "8",
             "rate": "0.0005", "turns": ", quarter_turns: true"},
        ),
        PointingSet(
            "steel", f"{STRIPS} easy synthetic strips (flawscope synth steel, seed {SEED}), flawed or not", True,
            _strips, {"labels": "label", "more": BINARY + ", groups: {pattern: '(coil\\d+)_'}", "size": "[128, 800]",
                      "split": ", twins: identical", "epochs": "12", "rate": "0.0005", "turns": ""},
        ),
    )
}  # fmt: skip


def masked(chosen: PointingSet) -> Samples:
    """All images of a set with their masks."""
    return read(chosen.masks(), Path.cwd())


def prepare(chosen: PointingSet, samples: Samples) -> Path:
    """Write the table of labels and the recipe of the classifier; those are made of the masks alone."""
    spec = chosen.masks()
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["image", *(["label"] if chosen.whole else samples.task.classes)])
    for row in samples.rows:
        shown = [int(on >= 0.5) for on in row.target]
        label = [FLAWED if any(shown) else FREE] if chosen.whole else shown
        writer.writerow([Path(row.path).relative_to(spec.images).as_posix(), *label])
    write_text(chosen.folder / "labels.csv", table.getvalue())
    recipe = chosen.folder / "recipe.yaml"
    write_text(recipe, RECIPE.format(name=f"pointing-{chosen.name}", images=spec.images, **chosen.recipe))
    return recipe


def handed_over(chosen: PointingSet, samples: Samples, folder: Path) -> Run:
    """A run that was trained elsewhere: its images are those of this machine, if they are the same."""
    run = Run.at(folder)
    recipe = load_recipe(prepare(chosen, samples))
    here = read(recipe.data, chosen.folder)
    with suppress(DataError):
        run.check_data(here)
        run.samples = here
    return run


def trained(chosen: PointingSet, samples: Samples, overrides: list[str]) -> Run:
    """The classifier of a set: the one that lies there, or trained now. One that was stopped goes on."""
    place = chosen.folder / "run"
    if not place.is_dir():
        recipe = prepare(chosen, samples)
        given = [*of_weights(DEFAULT_WEIGHTS), *overrides]
        flawscope.train(recipe, place, overrides=given, resume=True, say=print)
    return Run.at(place)
