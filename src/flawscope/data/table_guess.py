"""Which columns of an unknown table name the images, the labels and the groups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from flawscope.data.csv_table import ImageFinder, find_image_column
from flawscope.data.labels import is_truth_column, spellings, truth
from flawscope.data.layout import choose_positive
from flawscope.data.mask_table import CLASS, CODE, IMAGE
from flawscope.data.spec import CsvSpec
from flawscope.data.table import names_parts
from flawscope.data.table_file import SPACES, TextTable, read_table
from flawscope.data.words import meaning
from flawscope.errors import DataError
from flawscope.masks import is_rle, no_mask
from flawscope.wording import counted

LABEL_WORDS = frozenset(
    ("label", "labels", "class", "klasse", "category", "target", "result", "ergebnis", "befund", "verdict", "urteil")
)
GROUP_WORDS = frozenset(
    ("group", "gruppe", "part", "teil", "serial", "seriennummer", "module", "modul", "panel", "wafer", "lot", "coil")
)
SPLIT_WORDS = frozenset(("split", "fold", "set", "subset", "partition", "usage"))
MOST_VALUES = 20
AS_MASKS = f"a table of masks calls its columns {IMAGE}, {CLASS} and {CODE}, with one row an image and class"
TO_SPLIT = 4
"""A column of fewer groups is none to split by: there are not enough of them for the parts of a split."""

Guess = tuple[CsvSpec, list[str]]


def guess_table(path: Path, root: Path | None = None, fewest_groups: int = TO_SPLIT) -> Guess:
    """The spec for a table and what to tell the user. `root` is the folder of images, by default the table's.

    `fewest_groups`: see `group_column`.

    Raises:
        DataError: the table cannot be read, names no images, or has no column that looks like labels.
    """
    table = read_table(path)
    finder = ImageFinder(root or path.parent)
    image = find_image_column(table, finder)
    if image is None:
        raise DataError(
            f"{path}: no column names images of {finder.root}",
            f"put the table beside the images, one file name a row; its columns are {', '.join(table.columns)}",
        )
    if not any(isinstance(finder.find(cell), Path) for cell in table.column(image)[:1000]):
        raise DataError(
            f"{path}: column {image!r} names images such as {table.column(image)[0]!r}, none is in {finder.root}",
            "put the table beside the images, or name their folder (data.images in a recipe, `flawscope new --images`)",
        )
    mark = {"\t": "tabs", SPACES: "blanks"}.get(table.delimiter, repr(table.delimiter))
    said = [f"{path.name}: {len(table.rows):,} rows, columns parted by {mark}; the images stand in {image!r}."]
    if not table.header:
        said.append("The table has no header line: its columns are called column 1, column 2, and so on.")
    others = [name for name in table.columns if name != image and table.columns.count(name) == 1]
    group, part = group_column(table, others, fewest_groups), _part_column(table, others)
    codes = [name for name in others if name not in (group, part) and _holds_codes(table.column(name))]
    candidates = [name for name in others if name not in (group, part, *codes) and not _words(name) & SPLIT_WORDS]
    labels = _label_columns(table, candidates)
    if not labels and group is not None and len(set(table.column(group))) < TO_SPLIT:  # then it is the label itself
        labels, group = _label_columns(table, [group]), None
    if not labels and codes:
        raise DataError(
            f"{path}: column {codes[0]!r} holds run-length codes of masks; {AS_MASKS}",
            "rename your columns, and add what is missing",
        )
    if not labels:
        raise DataError(
            f"{path}: no column looks like labels (expected 2 to {MOST_VALUES} different values)",
            f"its columns are {', '.join(table.columns)}: add one that says what each image shows",
        )
    spec, words = _spec(table, labels)
    said += words
    if group:
        said.append(f"Rows with the same {group!r} are kept on one side of every split (data.group_column).")
    if part:
        said.append(
            f"Column {part!r} names a published split (data.part_column). It is not used: nobody has checked it for "
            "images of the same part on both sides. All images are pooled and split anew. To keep it, without the "
            "images that would leak, set split.published: keep."
        )
    if codes:
        said.append(f"Column {codes[0]!r} holds run-length codes of masks, which are not used: {AS_MASKS}.")
    unused = [name for name in others if name not in (*labels, *codes, group, part)]
    if unused:
        said.append(f"Columns that are not used: {', '.join(unused)}.")
    given = {"table": path, "images": root, "image_column": image, "group_column": group, "part_column": part}
    return spec.model_copy(update={key: value for key, value in given.items() if value is not None}), said


def _words(name: str) -> set[str]:
    return set(re.split(r"[\W\d_]+", name.casefold()))


def _holds_codes(cells: Sequence[str]) -> bool:
    """Whether all that cells say are run-length codes, one of them of several runs: two numbers may be anything."""
    filled = [cell for cell in cells if not no_mask(cell)]
    return all(map(is_rle, filled)) and any(len(cell.split()) > 2 for cell in filled)


def group_column(table: TextTable, names: Sequence[str], fewest: int = TO_SPLIT) -> str | None:
    """The column that names the part of each row, such as its coil: as many values as parts, but not one a row.

    `fewest` groups at least. Where nothing is split, one is enough: all images of one lot are worth no more than it.
    """
    for name in names:
        different = len(set(table.column(name)))
        if not _words(name) & GROUP_WORDS or different >= len(table.rows):
            continue
        if different >= TO_SPLIT or (different >= fewest and not _says_more(table, name)):
            return name
    return None


def too_few_groups(table: TextTable, names: Sequence[str]) -> str:
    """The sentence about a column that names parts, but too few of them; nothing where there is none."""
    for name in names:
        different = len(set(table.column(name)))
        if _words(name) & GROUP_WORDS and different < min(TO_SPLIT, len(table.rows)) and not _says_more(table, name):
            parts = counted(different, "parts")
            return f"Column {name!r} of {table.path.name} says what belongs together, but names {parts} only"
    return ""


def _says_more(table: TextTable, name: str) -> bool:
    """Whether a column of few values is a label or a published split, whatever its name has of a group."""
    cells = table.column(name)
    return bool(_words(name) & LABEL_WORDS) or names_parts(cells) or any(map(meaning, (name, *set(cells))))


def _part_column(table: TextTable, names: Sequence[str]) -> str | None:
    """The column whose every cell names a part of a published split."""
    return next((name for name in names if names_parts(table.column(name))), None)


def _label_columns(table: TextTable, names: Sequence[str]) -> list[str]:
    """Words that speak of good and bad first, then names like "label", then 0/1 columns, then any few words."""
    values = {name: spellings(table.column(name)) for name in names}
    few = [name for name in names if 2 <= len(values[name]) <= min(MOST_VALUES, len(table.rows))]
    truths = [name for name in few if is_truth_column(table.column(name))]
    words = [name for name in few if name not in truths]
    telling = [name for name in words if any(map(meaning, values[name]))]
    named = [name for name in few if _words(name) & LABEL_WORDS]
    if telling:
        return [name for name in telling if name in named][:1] or telling[:1]
    if named:
        return named if set(named) <= set(truths) else [name for name in named if name in words][:1]
    return [name for name in truths if meaning(name) != "good"] or truths or words[:1]


def _spec(table: TextTable, labels: Sequence[str]) -> Guess:
    """The label part of the spec, with the words for it."""
    columns = [table.column(name) for name in labels]
    start = CsvSpec(table=table.path, label_columns=list(labels))
    if len(labels) > 1:
        return start, [f"Several columns of 0/1 are labels that do not exclude each other: {', '.join(labels)}."]
    name, cells = labels[0], columns[0]
    if is_truth_column(cells):
        if meaning(name) == "good":
            words = f"Column {name!r} says 1 for good parts: what is to be found is a 0, called 'defective'."
            return start.model_copy(update={"positive": "0", "classes": ["defective"], "negative": name}), [words]
        soft = any(truth(cell) not in (0.0, 1.0, None) for cell in cells)
        words = f"Column {name!r} is the label: {'a probability, 0.5 and more' if soft else 'a 1'} is to be found."
        if _words(name) & LABEL_WORDS or not table.header:
            words += " It is called 'defective' (data.classes)."
            start = start.model_copy(update={"classes": ["defective"]})
        return start, [words]
    values = spellings(cells)
    update: dict[str, object] = {"classes": values}
    said = [f"Column {name!r} is the label, with {len(values)} values: {', '.join(values)}."]
    if len(values) == 2:
        usual = {value.casefold(): value for value in values}
        positive, words = choose_positive(Counter(usual[c.casefold()] for c in cells if c.casefold() in usual))
        update["positive"] = positive
        said.append(words)
    return start.model_copy(update=update), said
