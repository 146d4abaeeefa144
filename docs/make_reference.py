"""Write docs/recipe.md from the models that check a recipe: python docs/make_reference.py."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flawscope.data.spec import CsvSpec, ElpvSpec, FoldersSpec, GroupSpec, MasksSpec
from flawscope.data.split import SplitSpec
from flawscope.preprocess import Preprocess
from flawscope.training.decide_spec import CostSpec, DecideSpec
from flawscope.training.mask_spec import MaskLossSpec, MaskSpec, Pieces
from flawscope.training.model_spec import ExportSpec, GateSpec, ModelSpec, Normalise
from flawscope.training.recipe import Recipe
from flawscope.training.recipe_words import kind
from flawscope.training.spec import Augment, CalibrateSpec, Schedule, TrainSpec, Unfreeze
from flawscope.training.tune_spec import Searched, TuneSpec

TARGET = Path(__file__).with_name("recipe.md")
INTRODUCTION = """\
<!-- Made by `python docs/make_reference.py` from the models that check a recipe. Do not edit. -->
# The recipe: every key

A recipe is one YAML file that describes one inspection task. `flawscope new` writes one for your images.

- Every key is checked. An unknown one is refused, and the nearest valid name is given.
- What would come only after the last epoch (`unfreeze`, `warm_up`) is refused. Keys that change nothing beside the
  others, such as `momentum` without `sgd`, are told when training begins.
- A key that is left out takes its default. The resolved recipe, every key with its value, is kept in `recipe.yaml` of
  the run folder and stands in the report.
- `--set train.epochs=3` changes a key for one run. The value is read as YAML: `--set image.size=[96,160]`.
- A name with a year is the paper that an option comes from. Reference systems A to E are published inspection systems
  that recipes of flawscope repeat: A and B solar cells, C a solar cell contest, D steel strips, E coils.
- Paths in a recipe count from the recipe's folder, paths in `--set` from the folder that the command runs in.

The shortest recipe has a name and data:

```yaml
name: castings
data:
  kind: folders
  root: images/castings
```
"""
SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The sections", Recipe),
    ("data, kind: folders", FoldersSpec),
    ("data, kind: csv", CsvSpec),
    ("data, kind: masks", MasksSpec),
    ("data, kind: elpv", ElpvSpec),
    ("data.groups", GroupSpec),
    ("image", Preprocess),
    ("split", SplitSpec),
    ("model", ModelSpec),
    ("model.normalise", Normalise),
    ("train", TrainSpec),
    ("train.schedule", Schedule),
    ("train.unfreeze", Unfreeze),
    ("train.augment", Augment),
    ("masks: for data with masks", MaskSpec),
    ("masks.loss", MaskLossSpec),
    ("masks.pieces", Pieces),
    ("gate: before the masks", GateSpec),
    ("calibrate", CalibrateSpec),
    ("decide", DecideSpec),
    ("decide.costs", CostSpec),
    ("export", ExportSpec),
    ("tune", TuneSpec),
    ("tune.space, for each key", Searched),
)
SIGNS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def reference() -> str:
    """The text of docs/recipe.md."""
    return "\n".join([INTRODUCTION, *(section(title, model) for title, model in SECTIONS)])


def section(title: str, model: type[BaseModel]) -> str:
    """Heading, the model's own words, and a table with one row a key."""
    words = inspect.cleandoc(model.__doc__ or "").partition(">>>")[0].strip()
    rows = [row(name, field) for name, field in model.model_fields.items()]
    return "\n".join(
        [f"## {title}", "", words, "", "| key | value | default | meaning |", "|---|---|---|---|", *rows, ""]
    )


def row(name: str, field: FieldInfo) -> str:
    """One key: what may stand there, what stands there by itself, what it means."""
    limits = [
        f"{words} {limit:g}"
        for rule in field.metadata
        for key, words in SIGNS.items()
        if (limit := getattr(rule, key, None)) is not None
    ]
    value = ", ".join([kind(field.annotation), *limits])
    meaning = field.description or ("which kind of data this is" if name == "kind" else "")
    cells = (f"`{name}`", value, default(field), meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def default(field: FieldInfo) -> str:
    """The default as YAML would write it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "see below"
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`" if value != "" else '`""`'


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
    sys.stdout.write(f"wrote {TARGET}\n")
