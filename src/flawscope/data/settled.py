"""What the masks of a set mean, once all of them have been read: the task, and the masks of each image by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from flawscope.data.mask_values import (
    MOST_CLASSES,
    Shades,
    binary_code,
    check_palettes,
    counted,
    index_codes,
    told_from,
    white_of,
)
from flawscope.data.masked import Masked, asked_values
from flawscope.data.spec import GOOD, MasksSpec
from flawscope.data.table import Row
from flawscope.data.words import good_class
from flawscope.errors import DataError, choices
from flawscope.records import Masks, PixelKind, Task

FLAW = "flaw"


@dataclass(frozen=True)
class Settled:
    """The task, and for each image its masks or, in words, why it cannot be used."""

    task: Task
    masks: tuple[Masks | str, ...]


def settle(spec: MasksSpec, masked: Masked, rows: Sequence[Row], drawn: Sequence[Masks | Shades]) -> Settled:
    """The task that the masks pose, and the masks of each row by its classes.

    Raises:
        DataError: what the values mean cannot be told, or folders do not fit the classes.
    """
    if masked.classes is not None:
        kind: PixelKind = "multiclass" if spec.pixels == "multiclass" else "multilabel"
        return Settled(_task(spec, masked.classes, kind), tuple(each for each in drawn if isinstance(each, Masks)))
    shades = [each for each in drawn if isinstance(each, Shades)]
    check_palettes(shades)
    count = counted(shades)
    values = asked_values(spec)
    if values == "auto":
        values = _told(shades, count)
    if values == "index":
        return _by_value(spec, shades, count)
    codes = [binary_code(each, white_of(count)) for each in shades]
    if spec.level is not None:
        return _by_folder(spec, [masked.folder[row.id] for row in rows], shades, codes)
    classes = spec.classes or [spec.flaw or FLAW]
    if len(classes) > 1:
        raise DataError(
            f"the masks are binary, data.classes names {len(classes)}: {', '.join(classes)}",
            "name one, or say which folder names the class (data.level)",
        )
    masks = tuple(Masks(each.height, each.width, (code,)) for each, code in zip(shades, codes, strict=True))
    return Settled(_task(spec, classes, _kind(spec, several=False)), masks)


def _told(shades: Sequence[Shades], count: Mapping[int, int]) -> Literal["binary", "index"]:
    """What the values mean; where they mean nothing, the mask with the most values is named: one may spoil all."""
    try:
        return told_from(count, lossy=any(each.lossy for each in shades))
    except DataError as error:
        raise DataError(f"{error.problem}; {_richest(shades)}", error.remedy) from None


def _richest(shades: Sequence[Shades]) -> str:
    """The mask with the most values, in words."""
    worst = max(shades, key=lambda each: len(each.count))
    return f"{worst.path} has {len(worst.count)} of them, the most of all {len(shades):,} masks"


def _kind(spec: MasksSpec, *, several: bool) -> PixelKind:
    if spec.pixels == "auto":
        return "multiclass" if several else "multilabel"
    return spec.pixels


def _task(spec: MasksSpec, classes: Sequence[str], pixels: PixelKind, negative: str | None = None) -> Task:
    try:
        return Task("multilabel", tuple(classes), negative or spec.negative or GOOD, pixels)
    except ValueError as error:
        raise DataError(str(error), "give the good answer another name (data.negative)") from None


def _by_value(spec: MasksSpec, shades: Sequence[Shades], count: Mapping[int, int]) -> Settled:
    """Each value is a class: by place in the names, or all values that there are."""
    present = sorted(value for value in count if value)
    named = spec.classes or list(spec.of_colours)
    values = list(range(1, len(named) + 1)) if named else present
    classes = named or [str(value) for value in present]
    if not classes:
        raise DataError("no mask marks anything", "are these the masks?")
    if not named and len(present) > MOST_CLASSES:
        raise DataError(
            f"data.values is index, but the masks have {len(present)} different values; {_richest(shades)}",
            f"at most {MOST_CLASSES} stand for classes that nobody has named: mend that mask, or set data.values: "
            "binary if bright simply means flawed",
        )
    masks: list[Masks | str] = []
    for each in shades:
        try:
            masks.append(Masks(each.height, each.width, index_codes(each, values, classes)))
        except DataError as error:
            masks.append(error.problem)
    return Settled(_task(spec, classes, _kind(spec, several=len(classes) > 1)), tuple(masks))


def _by_folder(spec: MasksSpec, folders: Sequence[str], shades: Sequence[Shades], codes: Sequence[str]) -> Settled:
    """The folder names the class, or, with `spec.flaw`, only whether there must be a mask."""
    size = Counter(folders)
    good = spec.negative or good_class(sorted(size)) or GOOD
    named = spec.classes or sorted(name for name in size if name != good)
    _check_folders(spec, size, Counter(name for name, code in zip(folders, codes, strict=True) if code), good, named)
    classes = [spec.flaw] if spec.flaw is not None else named
    masks: list[Masks | str] = []
    for name, each, code in zip(folders, shades, codes, strict=True):
        if code and name == good:
            masks.append(f"lies in {good}, the folder of good images, but its mask marks a flaw")
        elif name != good and not code:
            masks.append(f"lies in {name}, but its mask marks nothing: is the image good, or the flaw not drawn?")
        else:
            k = 0 if spec.flaw is not None or name == good else classes.index(name)
            masks.append(Masks(each.height, each.width, tuple(code if i == k else "" for i in range(len(classes)))))
    return Settled(_task(spec, classes, _kind(spec, several=len(classes) > 1), good), tuple(masks))


def _check_folders(
    spec: MasksSpec, size: Mapping[str, int], marked: Mapping[str, int], good: str, named: Sequence[str]
) -> None:
    unlisted = sorted(set(size) - {good, *named})
    if unlisted:
        raise DataError(
            f"the folders {', '.join(unlisted)} are not among data.classes ({', '.join(named)})",
            "add them to data.classes, or to data.ignore; data.negative names the folder of good images",
        )
    if spec.negative is not None and spec.negative not in size and not set(named) & set(size):
        raise DataError(f"data.negative is {spec.negative!r}, no such folder", choices(spec.negative, size))
    for name in size:
        if name != good and not marked.get(name):
            raise DataError(
                f"none of the {size[name]:,} masks in the folder {name} marks anything",
                f"if it is the folder of good images, set data.negative: {name}; else look at its masks",
            )
