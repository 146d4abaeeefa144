"""A text table beside the images: one image a row, with labels, and group and metadata where there are."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from flawscope.data.labels import Target, code_labels
from flawscope.data.spec import CsvSpec
from flawscope.data.table import ALONE, Row, Table, check_parts_named, name_it, published_part, walk_images
from flawscope.data.table_file import TextTable, read_table
from flawscope.errors import DataError
from flawscope.metadata import missing, number
from flawscope.preprocess import IMAGE_SUFFIXES
from flawscope.records import Skipped, Task


class ImageFinder:
    """Finds the image that a cell names: a path below the folder, or a bare name, also without its suffix.

    Case and the two ways to write an umlaut do not count. The folders that a cell names must agree with those on disk.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._by_name: dict[str, list[Path]] | None = None

    def find(self, cell: str) -> Path | str:
        """The image, or in words why there is none."""
        name = cell.strip().replace("\\", "/")
        try:
            if name and (self.root / name).is_file():
                return self.root / name
        except OSError:
            return f"no image {cell[:80]!r}"
        wanted = _plain(PurePosixPath(name))
        found = [path for path in self._named(wanted.name) if self._agrees(path, wanted)]
        if len(found) == 1:
            return found[0]
        if found:
            places = ", ".join(path.relative_to(self.root).as_posix() for path in found[:3])
            return f"several images are called {cell!r}: {places}"
        return f"no image {cell!r} in {self.root}"

    def _named(self, name: str) -> list[Path]:
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for path in walk_images(self.root):
                plain = _plain(path)
                self._by_name[plain.name].append(path)
                self._by_name[plain.stem].append(path)
        return self._by_name.get(name, []) if name else []

    def _agrees(self, path: Path, wanted: PurePosixPath) -> bool:
        have = _plain(path.relative_to(self.root))
        ours, theirs = have.parts[:-1], wanted.parts[:-1]
        shared = min(len(ours), len(theirs))
        return ours[len(ours) - shared :] == theirs[len(theirs) - shared :]


def _plain(path: Path | PurePosixPath) -> PurePosixPath:
    return PurePosixPath(unicodedata.normalize("NFC", path.as_posix()).casefold())


def find_image_column(table: TextTable, finder: ImageFinder, without: Sequence[str] = ()) -> str | None:
    """The column whose cells have image suffixes, or else name existing images; nothing if there is none."""
    names = [name for name in dict.fromkeys(table.columns) if name not in without and table.columns.count(name) == 1]
    some = {name: [cell for cell in table.column(name) if not missing(cell)][:50] for name in names}
    for name, cells in some.items():
        if cells and sum(cell.lower().endswith(IMAGE_SUFFIXES) for cell in cells) >= 0.5 * len(cells):
            return name
    for name, cells in some.items():
        if cells and sum(isinstance(finder.find(cell), Path) for cell in cells) >= 0.5 * len(cells):
            return name
    return None


def load_csv(spec: CsvSpec, base: Path) -> Table:
    """One sample a row. Rows without image or label, ragged and duplicate rows become `bad`.

    Raises:
        DataError: the table cannot be read, lacks a column, or its labels make no task.
    """
    path = base / spec.table
    if not path.exists():
        raise DataError(f"{path}: the table does not exist (data.table)", name_it("table", "FILE"))
    table = read_table(path, spec.delimiter)
    root = base / spec.images if spec.images else path.parent
    if not root.is_dir():
        raise DataError(f"{root}: the folder of images does not exist (data.images)", name_it("images", "FOLDER"))
    finder = ImageFinder(root)
    labels = [table.column(name) for name in spec.label_columns]
    by = spec.grouped_by
    groups = table.column(by, "data.group_column" if spec.group_column else "data.groups.column") if by else None
    parts = table.column(spec.part_column, "data.part_column") if spec.part_column else None
    check_parts_named((cell for cell in parts or () if not missing(cell)), "data.part_column")
    metas = {name: table.column(name, "data.meta_columns") for name in spec.meta_columns}
    numeric = {name for name, cells in metas.items() if all(missing(c) or number(c) is not None for c in cells)}
    names = table.column(_image_column(spec, table, finder), "data.image_column")
    task, targets = code_labels(spec, labels, path.name)

    rows: list[tuple[int, Row]] = []
    bad = list(table.ragged)
    for index, (cell, target) in enumerate(zip(names, targets, strict=True)):
        image = finder.find(cell)
        if isinstance(image, str) or isinstance(target, str):
            bad.append(Skipped(table.where(index), image if isinstance(image, str) else str(target)))
            continue
        if groups is not None and missing(groups[index]):
            bad.append(Skipped(table.where(index), f"{by} is empty"))
            continue
        if parts is not None and missing(parts[index]):
            bad.append(Skipped(table.where(index), f"{spec.part_column} is empty"))
            continue
        id = image.relative_to(root).as_posix() if image.is_relative_to(root) else cell.replace("\\", "/")
        meta = {key: _meta(cells[index], key in numeric) for key, cells in metas.items() if not missing(cells[index])}
        part = published_part(parts[index]) if parts is not None else None
        rows.append((index, Row(id, image, target, groups[index] if groups is not None else id, meta, index, part)))
    kept, double = _once(rows, task, table)
    return Table(
        name=path.stem,
        task=task,
        rows=tuple(kept),
        bad=tuple(bad + double),
        grouping=f"the column {by!r}" if by else ALONE,
        source=f"{path.name}, {'columns' if len(labels) > 1 else 'column'} {', '.join(spec.label_columns)}",
    )


def _image_column(spec: CsvSpec, table: TextTable, finder: ImageFinder) -> str:
    known = (*spec.label_columns, *spec.meta_columns)
    name = spec.image_column or find_image_column(table, finder, without=known)
    if name is None:
        raise DataError(
            f"{table.path}: no column names images of {finder.root}",
            f"set data.image_column (one of {', '.join(table.columns)}), and data.images to the folder of the images",
        )
    return name


def _meta(cell: str, numeric: bool) -> str | float:
    value = number(cell) if numeric else None
    return cell if value is None else value


def _once(rows: Sequence[tuple[int, Row]], task: Task, table: TextTable) -> tuple[list[Row], list[Skipped]]:
    """Each image once. Where its rows contradict each other, none of them is kept."""
    first: dict[str, tuple[int, Row]] = {}
    bad: list[Skipped] = []
    contradicted: set[str] = set()
    for index, row in rows:
        earlier, other = first.setdefault(row.id, (index, row))
        if earlier == index:
            continue
        reason = f"{row.id} stands in row {table.lines[earlier]} already"
        if other.target != row.target:
            contradicted.add(row.id)
            reason += f", as {_said(other.target, task)!r} there and {_said(row.target, task)!r} here"
        bad.append(Skipped(table.where(index), reason))
    return [row for _, row in first.values() if row.id not in contradicted], bad


def _said(target: Target, task: Task) -> str:
    return task.describe(target)
