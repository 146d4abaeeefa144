"""The starter kit: what participants get beside the data, so that the first answer takes minutes and not days."""

from __future__ import annotations

import json
import re
import shlex
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawscope._version import __version__
from flawscope.challenge import evaluate
from flawscope.challenge.kit_words import README, RECIPE, TARGETS
from flawscope.challenge.labels import columns_of
from flawscope.challenge.pictures import GREY
from flawscope.challenge.spec import METRICS, Challenge, iso
from flawscope.preprocess import SIXTEEN_BIT
from flawscope.records import Task
from flawscope.storage import new_file, write_json, write_text

IMAGE_PASSES = 16_000
"""So many images of 128 x 128 pixels the baseline sees in all: some minutes on two cores."""


@dataclass(frozen=True)
class Handed:
    """What is handed out: how many images in how many groups, how often each size and mode.

    `size` is the height and width that the baseline sees them in, `licence` what may be done with the data.
    """

    images: int
    groups: int
    sizes: Mapping[tuple[int, int], int]
    modes: Mapping[str, int]
    size: tuple[int, int]
    licence: str = ""

    @property
    def channels(self) -> int:
        """1 where all are grey."""
        return 1 if all(mode in GREY for mode in self.modes) else 3

    @property
    def depth(self) -> int:
        """16 where most have 16 bits."""
        wide = sum(count for mode, count in self.modes.items() if mode in SIXTEEN_BIT)
        return 16 if 2 * wide > self.images else 8


def write_kit(folder: Path, challenge: Challenge, handed: Handed) -> None:
    """Write the kit's files into the folder that holds `data/` already.

    Raises:
        OutputError: the place cannot be written to.
    """
    write_json(folder / "task.json", challenge.told())
    write_text(folder / "recipe.yaml", recipe_text(challenge, handed))
    write_text(folder / "evaluate.py", Path(evaluate.__file__).read_text(encoding="utf-8"))
    write_text(folder / "README.md", readme_text(challenge, handed))


def recipe_text(challenge: Challenge, handed: Handed) -> str:
    """The recipe of the baseline."""
    task = challenge.task
    # The recipe's own split leaves half of the images for training.
    epochs = min(60, max(5, round(IMAGE_PASSES / (0.5 * handed.images))))
    classes = f"\n  classes: {_listed(task.classes)}" if task.kind == "multiclass" else ""
    return RECIPE.format(
        title=_line(challenge.title),
        columns=_listed(columns_of(task)),
        kind=task.kind,
        classes=classes,
        negative=json.dumps(task.negative, ensure_ascii=False),
        height=handed.size[0],
        width=handed.size[1],
        channels=handed.channels,
        depth=handed.depth,
        epochs=epochs,
    )


def readme_text(challenge: Challenge, handed: Handed) -> str:
    """The page that tells participants what to do."""
    task = challenge.task
    most = Counter(handed.sizes).most_common(1)[0][0]
    channels = handed.channels
    return README.format(
        title=_line(challenge.title),
        version=pinned(__version__),
        name=challenge.name,
        question=_question(task),
        images=f"{handed.images:,}",
        groups=f"{handed.groups:,}",
        width=most[0],
        height=most[1],
        what=f"{handed.depth}-bit {'grey' if channels == 1 else 'colour'}",
        columns=", ".join(f"`{name}`" for name in columns_of(task)),
        cells="the name of its class" if task.kind == "multiclass" else "1 where it shows the class, else 0",
        metric=challenge.metric,
        metric_words=METRICS[challenge.metric],
        pass_mark=f"{challenge.pass_mark:g}",
        opens=iso(challenge.opens),
        deadline=iso(challenge.deadline),
        daily=challenge.daily,
        ladder=_ladder(challenge.ladder_step),
        limits=_limits(challenge),
        licence=_line(handed.licence) or "ask the organiser before you hand them on",
        **_pack_words(task, channels),
    )


def pinned(version: str) -> str:
    """What a participant installs: this version, as a newer one may make bundles that this judge cannot read.

    A version that nobody can install is not named.

    >>> pinned("1.2.0"), pinned("1.3.0.dev4+g12ab")
    ('==1.2.0', '')
    """
    return f"=={version}" if re.fullmatch(r"[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?", version) else ""


def _question(task: Task) -> str:
    names = ", ".join(f"**{_line(name)}**" for name in task.classes)
    return {
        "binary": f"Is an image {names}, or is it {_line(task.negative)}?",
        "multiclass": f"Which one of these is an image: {names}?",
        "multilabel": f"Which of these does an image show, any number: {names}? None is {_line(task.negative)}.",
    }[task.kind]


def _pack_words(task: Task, channels: int) -> dict[str, Any]:
    """What the examples for Keras and PyTorch say."""
    several = task.kind == "multiclass"
    return {
        "k": len(task.classes),
        "targets": TARGETS["multiclass" if several else ""].format(classes=_listed(task.classes)),
        "channels": channels,
        "activation": "softmax" if several else "sigmoid",
        "keras_loss": "categorical_crossentropy" if several else "binary_crossentropy",
        "torch_loss": "CrossEntropyLoss" if several else "BCEWithLogitsLoss",
        "task_options": " ".join(
            [f"--task {task.kind}", "--classes", shlex.quote(",".join(task.classes))]
            + ([] if several else ["--negative", shlex.quote(task.negative)])
        ),
        "mode": "L" if channels == 1 else "RGB",
    }


def _ladder(step: float) -> str:
    if not step:
        return "The board shows the best score of each team as it is."
    return (
        f"The board moves in steps of {step:g}: a submission that is not better than what it shows by more than that "
        "leaves it as it is. So probing it is of little use."
    )


def _limits(challenge: Challenge) -> str:
    limits = challenge.limits
    return (
        f"at most {limits.bundle_mb:,} MB, an input of at most {limits.input_side:,} pixels a side, on average at most "
        f"{limits.seconds_per_image:g} seconds of one core an image, {limits.memory_mb:,} MB of memory"
    )


def _listed(names: tuple[str, ...]) -> str:
    """Names as a list that YAML reads, whatever stands in them."""
    return json.dumps(list(names), ensure_ascii=False)


def _line(words: str) -> str:
    return " ".join(words.split())


def zip_kit(folder: Path, target: Path) -> None:
    """The kit as one file; the same contents give the same bytes.

    Raises:
        OutputError: the place cannot be written to.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with new_file(target) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}", (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if path.suffix == ".png" else zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
