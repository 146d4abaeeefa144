"""Masks from a table of run-length codes, as Severstal's contest has them: one row an image and class.

Two forms: columns ImageId, ClassId and EncodedPixels (only rows with a flaw, or empty codes for none), and the older
one, where `ImageId_ClassId` holds both: image.jpg_3. Shapes: k classes, h x w pixels.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from flawscope.data.table import natural
from flawscope.data.table_file import TextTable, read_table
from flawscope.errors import DataError, choices, listing
from flawscope.masks import decode_rle, no_mask
from flawscope.metadata import missing
from flawscope.records import BoolArray
from flawscope.spreadsheet import plain_cell
from flawscope.wording import counted

IMAGE, CLASS, CODE, BOTH = "ImageId", "ClassId", "EncodedPixels", "ImageId_ClassId"


@dataclass(frozen=True)
class Code:
    """One run-length code and the row that it stands in, in words."""

    text: str
    where: str


@dataclass(frozen=True)
class MaskTable:
    """For each image of the table, as it is called there, the codes of each class that it shows; none: no flaw.

    A class may have several codes in an image: one for each flaw. `notes` says what else is to be known.
    """

    path: Path
    classes: tuple[str, ...]
    codes: Mapping[str, Mapping[str, tuple[Code, ...]]]
    notes: tuple[str, ...] = ()


@dataclass
class _Found:
    """What has been read up to now."""

    codes: dict[str, dict[str, list[Code]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    empty: dict[tuple[str, str], str] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)


def read_mask_table(path: str | Path, classes: Sequence[str] | None = None) -> MaskTable:
    """Read the codes of all images; they are decoded later, when the size of each image is known.

    Rows of one image and class are taken together; a row that is there twice counts once. Columns that are not needed
    are passed over. Without `classes` they are those that the rows with a code name, in natural order.

    Raises:
        DataError: no such table or columns, or rows without an image, without a class, with a class that is not one of
            `classes`, with too few cells, or with and without a mask for the same image and class; lists them.
    """
    table = read_table(Path(path))
    used, cells = _columns(table)
    found = _Found(bad=[f"{each.where}: {each.reason}" for each in table.ragged])
    for row, cell in enumerate(cells):
        _add(found, table.where(row), cell, classes)
    if found.bad:
        raise DataError(
            f"{path}: {counted(len(found.bad), 'rows')} cannot be used:\n" + listing(found.bad),
            "mend or remove them, and try again",
        )
    if not cells:
        raise DataError(f"{path}: the table has no rows", "expected one row an image and class")
    named = {name for of_image in found.codes.values() for name in of_image}
    if classes is None and not named:
        raise DataError(f"{path}: no row has a mask: {CODE} is empty everywhere", f"is {CODE} the right column?")
    several = [image for image, of in found.codes.items() if any(len(codes) > 1 for codes in of.values())]
    notes = []
    passed = [name for name in table.columns if name not in used]
    if passed:
        notes.append(f"columns that are not used: {', '.join(passed)}")
    if found.double:
        notes.append(f"{counted(len(found.double), 'rows')} said again what another says, such as {found.double[0]}")
    if several:
        notes.append(
            f"several codes of one class, which are united, in {counted(len(several), 'images')}, such as {several[0]}"
        )
    return MaskTable(
        path=Path(path),
        classes=tuple(classes) if classes is not None else tuple(sorted(named, key=natural)),
        codes={image: {name: tuple(codes) for name, codes in of.items()} for image, of in found.codes.items()},
        notes=tuple(notes),
    )


def table_masks(table: MaskTable, image: str, height: int, width: int) -> BoolArray:
    """The masks of one image, in the order of `table.classes`; all empty where the table does not name the image.

    Raises:
        DataError: a bad code, with its row, image and class; see `decode_rle`.
    """
    mask_khw = np.zeros((len(table.classes), height, width), dtype=np.bool_)
    for name, codes in table.codes.get(image, {}).items():
        for code in codes:
            where = f"{code.where}, {image}, class {name}"
            mask_khw[table.classes.index(name)] |= decode_rle(code.text, height, width, where)
    return mask_khw


def split_name(cell: str) -> tuple[str, str] | None:
    """Image and class of a cell of the older form; nothing where it does not hold both.

    >>> split_name("a_b.jpg_3"), split_name("a.jpg")
    (('a_b.jpg', '3'), None)
    """
    image, mark, name = cell.rpartition("_")
    return (image, name) if mark and image and name and "." not in name else None


def is_mask_table(path: Path) -> bool:
    """Whether a file is a table with the columns of masks.

    Raises:
        DataError: it is no table.
    """
    columns = {name.casefold() for name in read_table(path).columns}
    forms = ({IMAGE, CLASS, CODE}, {BOTH, CODE})
    return any({name.casefold() for name in form} <= columns for form in forms)


def _columns(table: TextTable) -> tuple[list[str], list[tuple[str, str, str]]]:
    """The names of the columns that are used, and image, class and code of each row."""
    by_name = {name.casefold(): name for name in table.columns}

    def column(name: str) -> list[str]:  # as `flawscope inspect` writes it, or anyone else
        cells = table.column(by_name.get(name.casefold(), name), "the columns of a table of masks")
        return [plain_cell(cell) for cell in cells]

    if BOTH.casefold() in by_name and CLASS.casefold() not in by_name:
        parts = [split_name(cell) or (cell, "") for cell in column(BOTH)]
        used, images, names = [BOTH, CODE], [image for image, _ in parts], [name for _, name in parts]
    else:
        if not {IMAGE.casefold(), CLASS.casefold(), CODE.casefold()} <= set(by_name):
            raise DataError(
                f"{table.path}: expected the columns {IMAGE}, {CLASS} and {CODE}, or {BOTH} and {CODE}; "
                f"found {', '.join(table.columns)}",
                "name them so in the first line of the table",
            )
        used, images, names = [IMAGE, CLASS, CODE], column(IMAGE), [_plain(name) for name in column(CLASS)]
    cells = list(zip(images, names, column(CODE), strict=True))
    return [by_name[name.casefold()] for name in used], cells


def _plain(name: str) -> str:
    """A class as a whole number, where a table has been through a program that makes 3.0 of 3."""
    whole = re.fullmatch(r"(\d+)\.0+", name)
    return whole[1] if whole else name


def _add(found: _Found, where: str, cell: tuple[str, str, str], classes: Sequence[str] | None) -> None:
    """Note one row: a code, that there is none, or why the row cannot be used."""
    image, name, code = cell
    image = image.replace("\\", "/")
    if missing(image):
        found.bad.append(f"{where}: {IMAGE} is empty")
        return
    of_image = found.codes[image]  # so that an image without a flaw is known, too
    here = f"{where}: {image}, class {name}"
    if no_mask(code):
        if name in of_image:
            found.bad.append(f"{here}: no mask here, but a code in {of_image[name][0].where}")
        found.empty[image, name] = where
    elif missing(name):
        found.bad.append(f"{where}: {image} has a code, but no class")
    elif classes is not None and name not in classes:
        found.bad.append(f"{here}: no such class; {choices(name, classes)}")
    elif (image, name) in found.empty:
        found.bad.append(f"{here}: a code here, but no mask in {found.empty[image, name]}")
    elif any(code == earlier.text for earlier in of_image.get(name, ())):
        found.double.append(f"{where} ({image}, class {name})")
    else:
        of_image[name].append(Code(code, where))
