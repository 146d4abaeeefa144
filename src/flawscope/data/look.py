"""A first look at somebody's images: what they are, how a recipe should read them, and what to mind.

Letters: w, h are width and height in pixels.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from flawscope.data.class_folders import LAYOUT, load_folders
from flawscope.data.csv_table import load_csv
from flawscope.data.elpv import load_elpv
from flawscope.data.layout import guess_folders
from flawscope.data.mask_guess import guess_masks, why_none
from flawscope.data.progress import watched
from flawscope.data.spec import CsvSpec, DataSpec, ElpvSpec, FoldersSpec
from flawscope.data.table import ALONE, Row, Table, walk_images
from flawscope.data.table_file import TABLE_SUFFIXES
from flawscope.data.table_guess import TO_SPLIT, guess_table
from flawscope.data.words import meaning
from flawscope.errors import DataError, ImageError, listing
from flawscope.preprocess import IMAGE_SUFFIXES, SIXTEEN_BIT, open_image
from flawscope.storage import sha256_file
from flawscope.wording import class_called, counted

DECODED = 200
"""How many images are decoded to see whether colour files hold colour; of the others only the header is read."""
LONGER_SIDE = 160
FEW = 50
CLASSES_ONLY = (
    "The masks are learnt: where each flaw is. To decide about images only, read their classes from folders or a table "
    "(data.kind: folders or csv)."
)

MEND_MASKS = "mend the masks, or leave them out and say by folders or by a table what each image shows"


@dataclass(frozen=True)
class Finding:
    """What `look` found: the spec to read the data with, counts of label combinations, sentences for the user.

    `sizes` counts (width, height); `size_hint` is (height, width) for the network, in multiples of 32.
    """

    spec: DataSpec
    counts: Mapping[str, int]
    sentences: tuple[str, ...]
    sizes: Mapping[tuple[int, int], int]
    depth: Literal[8, 16]
    channels_hint: Literal[1, 3]
    size_hint: tuple[int, int]

    @property
    def unused(self) -> tuple[str, ...]:
        """Of the sentences, those that name what is there and is not used: columns, tables, pictures."""
        return tuple(words for words in self.sentences if "are not used" in words)


def look(
    path: str | Path, images: str | Path | None = None, *, masks: bool = True, fewest_groups: int = TO_SPLIT
) -> Finding:
    """Look at a folder, a table, or the word "elpv", and say what is there.

    `images` is the folder of the images of a table that does not lie beside them. With `masks` those that are there are
    used, and the images read; without, folders and tables only say what an image shows. A column that is named like a
    group is one if it holds `fewest_groups`: the default is for a split, and where nothing is split 1 will do.

    Raises:
        DataError: nothing there that could be learnt from; says what was expected.
    """
    spec, said, table = _found(path, Path(images) if images is not None else None, masks, fewest_groups)
    sizes, modes, unreadable = _headers(table.rows)
    if not sizes:
        raise DataError(f"{path}: no image of {len(table.rows)} can be read", "are they image files?")
    grey, highest, damaged = _pixels([row for row in table.rows if row.id in modes])
    sixteen = sum(mode in SIXTEEN_BIT for mode in modes.values()) > 0.5 * len(modes)
    counts = Counter(table.task.describe(row.target) for row in table.rows)
    sentences = (
        _how_many(table, counts),
        *said,
        _sizes(sizes),
        *_values(set(modes.values()), sixteen, grey, highest),
        *_problems(table, unreadable + damaged),
        *_identical(table),
        *_balance(table),
    )
    return Finding(spec, counts, sentences, sizes, 16 if sixteen else 8, 1 if grey else 3, size_hint(sizes))


def size_hint(sizes: Mapping[tuple[int, int], int], longer: int = LONGER_SIDE) -> tuple[int, int]:
    """Height and width for the network: the aspect of the typical picture, in multiples of 32.

    >>> size_hint({(300, 300): 5}), size_hint({(700, 400): 5}), size_hint({(50, 20): 1})
    ((160, 160), (96, 160), (32, 64))
    """
    every = [size for size, n in sizes.items() for _ in range(n)]
    w, h = (statistics.median(size[side] for size in every) for side in (0, 1))
    scale = min(1.0, longer / max(w, h))
    return max(32, 32 * round(h * scale / 32)), max(32, 32 * round(w * scale / 32))


def _found(path: str | Path, images: Path | None, masks: bool, fewest: int) -> tuple[DataSpec, Sequence[str], Table]:
    """How to read what is there, what to tell the user, and all rows."""
    masked = guess_masks(Path(path), images, fewest) if masks and Path(path).exists() else None
    if masked is not None:
        samples = masked.samples
        rows = tuple(
            Row(row.id, Path(row.path), row.target, row.group, row.meta, place, row.published)
            for place, row in enumerate(samples.rows)
        )
        table = Table(samples.name, samples.task, rows, samples.skipped, grouping=samples.grouping)
        return masked.spec, (*masked.said, CLASSES_ONLY), table
    try:
        spec, said = _guess(path, images, fewest)
    except DataError as error:
        reasons = why_none(Path(path), images, fewest) if masks and Path(path).exists() else []
        if not reasons:
            raise
        raise DataError(f"{error.problem}\n{listing(reasons)}", MEND_MASKS) from None
    if isinstance(spec, ElpvSpec):
        return spec, said, load_elpv(spec, Path.cwd())
    if isinstance(spec, CsvSpec):
        return spec, said, load_csv(spec, Path.cwd())
    return spec, said, load_folders(spec, Path.cwd())


def _guess(path: str | Path, images: Path | None, fewest: int) -> tuple[ElpvSpec | CsvSpec | FoldersSpec, list[str]]:
    place = Path(path)
    if str(path) == "elpv" and not place.exists():
        return ElpvSpec(), ["ELPV: electroluminescence images of solar cells, CC BY-NC-SA 4.0, not for redistribution."]
    if not place.exists():
        raise DataError(f"{path}: does not exist", LAYOUT)
    if place.is_file():
        if place.suffix.lower() not in TABLE_SUFFIXES:
            raise DataError(f"{path}: a single file that is no table ({', '.join(TABLE_SUFFIXES)})", LAYOUT)
        return guess_table(place, images, fewest)
    if next(walk_images(place), None) is None:
        raise DataError(f"{path}: no images below this folder ({' '.join(IMAGE_SUFFIXES)})", LAYOUT)
    folders = guess_folders(place)
    if folders and any(map(meaning, folders[0].classes or [])):
        return folders
    tables, reasons = _tables(place, fewest)
    if tables:
        spec, said = tables[0]
        others = [other.table.name for other, _ in tables[1:]]
        return spec, said + ([f"Other tables are not used: {', '.join(others)}."] if others else [])
    if folders:
        return folders
    within = sorted({image.parent.relative_to(place).as_posix() for image in walk_images(place)})
    found = f"images lie in {', '.join('the folder itself' if name == '.' else name for name in within[:5])}"
    raise DataError(f"{path}: nothing says what the images show\n{listing([found, *reasons])}", _table_beside(place))


def _table_beside(place: Path) -> str:
    """What to do where a folder holds images alone: name the table that lies beside it, if one does."""
    beside: list[Path] = []
    with suppress(OSError):  # it need not be ours to list
        beside = _table_files(place.absolute().parent)
    if not beside:
        return LAYOUT
    return (
        f"if {' or '.join(path.name for path in beside[:3])} beside this folder says what they show, name that table "
        f"and this folder (`flawscope new TABLE --images {place}` writes a recipe, which other commands take as their "
        f"data); else {LAYOUT}"
    )


def _table_files(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in TABLE_SUFFIXES and path.is_file() and not path.name.startswith(".")
    ]


def _tables(folder: Path, fewest: int) -> tuple[list[tuple[CsvSpec, list[str]]], list[str]]:
    """The tables in a folder that label its images, and why the others do not."""
    found, reasons = [], []
    for path in _table_files(folder):
        try:
            found.append(guess_table(path, fewest_groups=fewest))
        except DataError as error:
            reasons.append(error.problem)
    return found, reasons


def _headers(rows: Sequence[Row]) -> tuple[Counter[tuple[int, int]], dict[str, str], list[str]]:
    """Sizes, the mode of each readable image, and those that are not readable."""
    sizes: Counter[tuple[int, int]] = Counter()
    modes, unreadable = {}, []
    for row in watched(rows, len(rows), "looking at images"):
        try:
            with Image.open(row.path) as image:
                sizes[image.size] += 1
                modes[row.id] = image.mode
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            unreadable.append(row.id)
    return sizes, modes, unreadable


def _pixels(rows: Sequence[Row]) -> tuple[bool, int, list[str]]:
    """Whether a sample of the images holds no colour, the highest value in it, and those that are damaged."""
    grey, highest, damaged = True, 0, []
    some = rows[:: max(1, -(-len(rows) // DECODED))]
    for row in watched(some, len(some), "decoding some of them"):
        try:
            image = open_image(row.path)
        except ImageError:
            damaged.append(row.id)
            continue
        if image.mode in ("P", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "PA", "RGBX", "RGBa"):
            image = image.convert("RGB")
        values = np.asarray(image)
        highest = max(highest, int(values.max(initial=0)))
        if image.mode == "RGB" and grey:
            wide = values.astype(np.int16)
            grey = bool(np.ptp(wide, axis=2).max(initial=0) <= 3)  # JPEG rounds grey by a step or two
    return grey, highest, damaged


def _how_many(table: Table, counts: Counter[str]) -> str:
    if table.task.pixels:
        shown = ", ".join(f"{name} ({n:,})" for name, n in counts.most_common())
        return f"{len(table.rows):,} images with masks, which show: {shown}."
    each = ", ".join(f"{n:,} {name}" for name, n in counts.items())
    kind = {"binary": "two classes", "multiclass": "classes that exclude each other", "multilabel": "labels"}
    return f"{len(table.rows):,} images, {kind[table.task.kind]}: {each}."


def _sizes(sizes: Counter[tuple[int, int]]) -> str:
    (w, h), n = sizes.most_common(1)[0]
    if len(sizes) == 1:
        return f"All are {w} x {h} pixels."
    widths, heights = zip(*sizes, strict=True)
    return (
        f"{len(sizes):,} different sizes, {min(widths)} to {max(widths)} pixels wide and {min(heights)} to "
        f"{max(heights)} high; the most common is {w} x {h} ({n:,} images)."
    )


def _values(modes: set[str], sixteen: bool, grey: bool, highest: int) -> list[str]:
    stored = modes - {"1", "L", "LA", *SIXTEEN_BIT}
    what = "colour" if not grey else "grey, stored as colour" if stored else "grey"
    said = [f"{'16' if sixteen else '8'} bits, {what}."]
    if sixteen and highest < 2**15:
        said.append(f"The highest value is {highest} of 65535: the pictures use a part of the range only.")
    if not sixteen and modes & set(SIXTEEN_BIT):
        said.append("Some have 16 bits: they are narrowed to 8.")
    return said


def _problems(table: Table, unreadable: Sequence[str]) -> list[str]:
    bad = [f"{problem.where} ({problem.reason})" for problem in table.bad] + list(unreadable)
    said = []
    if bad:
        some = "; ".join(bad[:5]) + (f"; and {len(bad) - 5} more" if len(bad) > 5 else "")
        said.append(f"Cannot be used: {some}. Mend or remove them, or set data.on_bad: skip.")
    if table.strays:
        some = ", ".join(stray.where for stray in table.strays[:3])
        said.append(f"{counted(len(table.strays), 'images', 'lie')} in no class folder, which is not used: {some}.")
    return said


def _identical(table: Table) -> list[str]:
    """Byte-identical files; only files of equal length are read."""
    by_length = defaultdict(list)
    for row in table.rows:
        if row.path.is_file():
            by_length[row.path.stat().st_size].append(row)
    alike = [row for rows in by_length.values() if len(rows) > 1 for row in rows]
    by_hash: defaultdict[str, list[Row]] = defaultdict(list)
    for row in watched(alike, len(alike), "looking for copies"):
        by_hash[sha256_file(row.path)].append(row)
    copies = [rows for rows in by_hash.values() if len(rows) > 1]
    if not copies:
        return []
    spare = sum(len(rows) - 1 for rows in copies)
    copies_of = "is a byte for byte copy of another" if spare == 1 else "are byte for byte copies of others"
    said = [f"{counted(spare, 'images')} {copies_of}: they stay on one side of every split."]
    contrary = [rows for rows in copies if len({row.target for row in rows}) > 1]
    if contrary:
        some = " = ".join(row.id for row in contrary[0])
        said.append(f"{len(contrary)} of these files carry different labels, such as {some}: check them.")
    return said


def _balance(table: Table) -> list[str]:
    said = []
    n_k = {name: sum(row.target[k] >= 0.5 for row in table.rows) for k, name in enumerate(table.task.classes)}
    if table.task.kind == "binary":
        n_k[table.task.negative] = len(table.rows) - sum(n_k.values())
    few = [
        f"{counted(n, 'images')} of {class_called(name)}" if table.task.pixels else f"{n} {class_called(name)}"
        for name, n in n_k.items()
        if n < FEW
    ]
    if few:
        said.append(f"Only {', '.join(few)}: only a part of them is tested, so the intervals will be wide.")
    if min(n_k.values()) < 4:
        said.append("Fewer than 4 images of a class cannot stand in all four parts of the split: add some.")
    if table.grouping == ALONE:
        said.append(
            "Nothing says which images show the same part: each is taken by itself. If several do, say so: by a "
            "pattern in the file names or blocks of files in order (data.groups), or by a column of a table "
            "(data.group_column). Images that look the same are searched for in any case (split.twins)."
        )
    return said
