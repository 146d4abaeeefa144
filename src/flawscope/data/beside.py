"""What a table says of pictures that are about to be inspected: no labels, some columns, one row a picture."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flawscope.data.csv_table import ImageFinder, find_image_column
from flawscope.data.table_file import TABLE_SUFFIXES, TextTable, read_table
from flawscope.errors import DataError, choices
from flawscope.metadata import Values


@dataclass(frozen=True)
class Beside:
    """For each picture its values, or in words why there are none; `notes` says what else is to be known."""

    values: tuple[Values | str, ...]
    notes: tuple[str, ...] = ()


def beside(
    path: str | Path,
    root: Path,
    pictures: Sequence[Path],
    columns: Sequence[str],
    image_column: str | None = None,
    *,
    wanted_by: str = "the bundle takes it",
    option: str = "--image-column",
) -> Beside:
    """Find the row of each picture. A picture without one, or with rows that contradict each other, gets the reason.

    Args:
        path: the table; encoding and delimiter are found.
        root: the folder that the names in the table count from.
        pictures: files in that folder.
        columns: what is wanted of the table.
        image_column: the column that names the pictures; found by itself where it is not given.
        wanted_by: what messages say of the columns.
        option: what messages call `image_column`.

    Raises:
        DataError: the table cannot be read, lacks a column, or none of its rows names one of the pictures.
    """
    table = read_table(Path(path))
    cells = [table.column(name, wanted_by) for name in columns]
    finder = ImageFinder(root)
    named = image_column or find_image_column(table, finder, without=columns)
    if named is None:
        raise DataError(f"{path}: no column names pictures of {root}", f"{option}, one of {', '.join(table.columns)}")
    place = {_plain(picture): index for index, picture in enumerate(pictures)}
    rows: dict[int, list[int]] = defaultdict(list)
    strangers = []
    for row, cell in enumerate(table.column(named, option)):
        found = finder.find(cell)
        index = place.get(_plain(found)) if isinstance(found, Path) else None
        if index is None:
            strangers.append(f"{table.where(row)}: {found if isinstance(found, str) else cell}")
        else:
            rows[index].append(row)
    if not rows:
        raise DataError(
            f"{path}: no row names one of the {len(pictures)} pictures: {strangers[0] if strangers else 'it is empty'}",
            f"is it the table of these pictures? Their names were looked for in {named!r}; {option} names "
            f"another, {choices(named, table.columns)}",
        )
    values = tuple(_values(table, columns, cells, rows[index]) for index in range(len(pictures)))
    return Beside(values, tuple(_notes(table, strangers)))


def tables_beside(images: Path) -> Iterator[tuple[TextTable, str]]:
    """The tables in a folder of images, and in the one above it, that name some of them; and the column that does."""
    finder = ImageFinder(images)
    for folder in (images, images.absolute().parent):
        for path in sorted(folder.iterdir() if folder.is_dir() else ()):
            if path.suffix.lower() not in TABLE_SUFFIXES or path.name.startswith(".") or not path.is_file():
                continue
            try:
                table = read_table(path)
            except DataError:
                continue
            named = find_image_column(table, finder)
            if named is not None and any(isinstance(finder.find(cell), Path) for cell in table.column(named)[:1000]):
                yield table, named


def _values(
    table: TextTable, columns: Sequence[str], cells: Sequence[Sequence[str]], rows: Sequence[int]
) -> Values | str:
    """What the rows of one picture say together; rows that say the same count as one."""
    found = {tuple(column[row] for column in cells) for row in rows}
    if not found:
        return f"no row in {table.path.name}"
    if len(found) > 1:
        return f"rows {', '.join(str(table.lines[row]) for row in rows)} of {table.path.name} contradict each other"
    return dict(zip(columns, found.pop(), strict=True))


def _notes(table: TextTable, strangers: Sequence[str]) -> list[str]:
    notes = []
    if strangers:
        plural = "s name none" if len(strangers) > 1 else " names none"
        notes.append(f"{len(strangers)} row{plural} of the pictures, such as {strangers[0]}")
    notes += [f"{row.where} is left out: {row.reason}" for row in table.ragged[:5]]
    if len(table.ragged) > 5:
        notes.append(f"... and {len(table.ragged) - 5} more rows that are left out")
    return notes


def _plain(path: Path) -> str:
    return os.path.normpath(path.absolute())
