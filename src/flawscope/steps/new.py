"""`flawscope new`: look at somebody's images and write a commented recipe for them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flawscope.data.look import Finding, look
from flawscope.data.spec import CsvSpec, DataSpec, ElpvSpec, FoldersSpec, MasksSpec
from flawscope.errors import OutputError, WeightsError
from flawscope.steps import new_masks
from flawscope.storage import write_text
from flawscope.training.recipe import DATA_PATHS
from flawscope.training.spec import IMAGE_WATCHES

HEAD = """\
# {title}
# Written by `flawscope new`. Run it with: flawscope run {file}
{found}

name: {name}

data:
{data}
{groups}  # error: stop and list every unreadable image and bad row. skip: leave them out and count them.
  on_bad: error

"""
IMAGE = """\
image:
  # Height and width in pixels that pictures are resized to. Larger finds smaller flaws and takes longer.
  size: [{height}, {width}]
  # 1: grey, 3: colour.
  channels: {channels}
  # Bits of each value: 8 or 16.
  depth: {depth}
  # Cut the part out first: [left, top, right, bottom] in pixels of the original picture.
  crop: null
"""
SPLIT = """
split:
  seed: 0
  # Shares of the images; the rest is for training. Validation chooses the best epoch and fits the calibrator,
  # calibration sets the thresholds, test is looked at once, for the report.
  validation: {validation}
  calibration: {calibration}
  test: {test}
  # find: pictures of the same thing are searched for and kept on one side. identical: only identical files are.
  twins: find
{published}
"""
LEARNING = """\
model:
  # table:resnet18 is small and learns from scratch; any timm model works too, for example timm:mobilenetv2_100.
  name: {model}
  # Pretrained weights make timm models far better: `imagenet` downloads them, or name a .safetensors file.
  weights: {weights}

train:
  epochs: {epochs}
  batch_size: 32
  # The learning rate at its peak. If the loss jumps about, divide it by 3.
  rate: {rate}
  # The measure on the validation split that chooses the best epoch: {watches}.
  watch: {watch}
  # Stop after so many epochs without a better one; 0 never stops early.
  patience: 0
  augment:
    # Leave out what would turn a good part into a bad one, or what never happens at your line.
    flip_horizontal: true
    flip_vertical: true
    quarter_turns: false
    rotate: 5
    brightness: 0.2

decide:
  # best_f1, best_accuracy, or fixed (0.5 for each class). In place of it a proven escape rate, max_escape: 0.02
  rule: best_f1
"""
GROUPS = """\
  # Pictures of one part must stay on one side of the split. If the file names tell the part, put parentheses around
  # what names it; or keep blocks of so many files in order together.
  # groups:
  #   pattern: '(part[0-9]+)'
  #   block: 60
"""
GROUP_COLUMN = """\
  # Or a column names the part.
  # group_column: serial
"""
PUBLISHED = """\
  # ignore: all images are pooled and split anew. keep: the published test part stays the test part, and images of the
  # other parts that would leak are left out.
  published: ignore
"""
STEPS_WANTED = {"scratch": 800, "pretrained": 400}
"""Optimiser steps of 32 images that training needs, roughly; never fewer than 12 epochs, never more than 60."""


@dataclass(frozen=True)
class New:
    """The recipe that was written, and what was found, in sentences."""

    recipe: Path
    finding: Finding


def new(
    folder: str | Path,
    output: str | Path | None = None,
    *,
    weights: str = "none",
    images: str | Path | None = None,
    overwrite: bool = False,
) -> New:
    """Look at class folders, a table of labels or images with masks, and write a recipe that runs as it stands.

    Args:
        folder: class folders, a table (CSV) or a folder with one, images with masks, or the word "elpv".
        output: the recipe; by default NAME.yaml in the present folder.
        weights: "none" trains a small network from scratch; "imagenet" or a .safetensors file of
            timm's mobilenetv2_100 fine-tunes that, or a decoder on it where there are masks.
        images: the folder of the images of a table that does not lie beside them.
        overwrite: replace a recipe that exists.

    Raises:
        DataError: nothing there that could be learnt from.
        OutputError: the recipe exists and `overwrite` is off, or cannot be written.
    """
    if weights not in ("none", "imagenet") and not Path(weights).is_file():
        raise WeightsError(f"there is no file {weights}", "weights are none, imagenet, or a .safetensors file")
    finding = look(folder, images)
    if isinstance(finding.spec, MasksSpec):
        new_masks.check_marks(finding, folder)
    stem = _name(output or folder)
    path = Path(output) if output else Path(f"{stem}.yaml")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already", "choose another name (-o), or replace it with --overwrite")
    write_text(path, _recipe(finding, stem, path, weights))
    return New(path, finding)


def _name(folder: str | Path) -> str:
    """A name that suits runs and files: letters, digits, dots, dashes and underscores.

    >>> _name("Prüf teile/")
    'Pr-f-teile'
    """
    path = Path(folder)
    stem = path.stem if path.is_file() or path.suffix in (".yaml", ".yml") else (path.name or path.resolve().name)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "inspection"


def _recipe(finding: Finding, name: str, path: Path, weights: str) -> str:
    n = sum(finding.counts.values())
    pretrained = weights != "none"
    # With few images each part needs a larger share to be worth anything.
    validation, calibration, test = (0.15, 0.2, 0.25) if n < 1000 else (0.1, 0.2, 0.2)
    steps = max(1, round(n * (1 - validation - calibration - test) / 32))
    wanted = STEPS_WANTED["pretrained" if pretrained else "scratch"]
    epochs = min(60, max(12, round(wanted / steps)))
    values: dict[str, Any] = {
        "title": f"Inspection of {name}",
        "file": path.name,
        "found": "\n".join(f"# - {sentence}" for sentence in _wrapped(finding.sentences)),
        "name": name,
        "data": _data(finding, path.resolve().parent),
        "groups": _groups(finding.spec),
        "published": _published(finding.spec),
        "height": finding.size_hint[0],
        "width": finding.size_hint[1],
        "channels": 3 if pretrained else finding.channels_hint,
        "depth": finding.depth,
        "validation": validation,
        "calibration": calibration,
        "test": test,
        "model": "timm:mobilenetv2_100" if pretrained else "table:resnet18",
        "weights": weights
        if weights in ("none", "imagenet")
        else _quoted(_relative(Path(weights), path.resolve().parent)),
        "epochs": epochs,
        "rate": "0.0003" if pretrained else "0.001",
        "watch": "auroc",
        "watches": ", ".join(("loss", *IMAGE_WATCHES)),
    }
    if isinstance(finding.spec, MasksSpec):
        values |= new_masks.mask_values(finding, n, 1 - validation - calibration - test, pretrained=pretrained)
        return (HEAD + new_masks.IMAGE + SPLIT + new_masks.LEARNING + new_masks.gate(finding)).format(**values)
    return (HEAD + IMAGE + SPLIT + LEARNING).format(**values)


def _wrapped(sentences: tuple[str, ...]) -> list[str]:
    return [re.sub(r"\s*\n\s*", " ", sentence) for sentence in sentences]


def _data(finding: Finding, base: Path) -> str:
    """The `data:` section: what differs from the defaults, paths relative to the recipe."""
    given: dict[str, Any] = finding.spec.model_dump(mode="json", exclude_defaults=True, exclude={"on_bad"})
    for key in DATA_PATHS:
        if given.get(key):
            given[key] = _relative(Path(given[key]), base)
    content = {"kind": finding.spec.kind, **given}
    # Lists on one line, but never the whole section: PyYAML would write one that holds no list as {kind: elpv}.
    style = None if any(isinstance(value, list | dict) for value in content.values()) else False
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=style, width=100)
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())


def _groups(spec: DataSpec) -> str:
    """How to say what belongs together, as comments; nothing where the data say it already."""
    if isinstance(spec, ElpvSpec) or (isinstance(spec, CsvSpec | MasksSpec) and spec.grouped_by):
        return ""
    return GROUPS + (GROUP_COLUMN if isinstance(spec, CsvSpec) else "")


def _published(spec: DataSpec) -> str:
    """What is done with the split that the data came with, if they came with one."""
    folders = isinstance(spec, FoldersSpec | MasksSpec) and spec.part_level is not None
    return PUBLISHED if folders or (isinstance(spec, CsvSpec) and spec.part_column) else ""


def _relative(path: Path, base: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), base)).as_posix()
    except ValueError:  # another drive on Windows
        return path.resolve().as_posix()


def _quoted(text: str) -> str:
    return yaml.safe_dump(text, default_style='"', allow_unicode=True).strip()
