"""Pictures about which nothing is known but that they are there: an audit can look at them all the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from flawscope.data.check import check_images
from flawscope.data.class_folders import LAYOUT
from flawscope.data.layout import CONTAINERS, PARTITIONS
from flawscope.data.table import Row, walk_images
from flawscope.data.table_file import TABLE_SUFFIXES
from flawscope.data.words import meaning
from flawscope.errors import DataError
from flawscope.preprocess import IMAGE_SUFFIXES
from flawscope.records import Samples, Task

UNLABELLED = "not labelled"
NONE = "(nothing to be found)"
"""A task needs a class; no image is ever of this one."""


def read_unlabelled(root: str | Path) -> Samples:
    """All pictures below a folder as samples of one and the same label; what cannot be read is skipped with a reason.

    If all of them lie in one folder below `root`, as where a set has one class only, its name is the label.

    Raises:
        DataError: there is no folder, or no picture in it that can be read.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise DataError(f"{folder}: {'not a folder' if folder.exists() else 'does not exist'}", LAYOUT)
    paths = list(walk_images(folder))
    if not paths:
        raise DataError(f"{folder}: no images below this folder ({' '.join(IMAGE_SUFFIXES)})", LAYOUT)
    within = {"".join(path.relative_to(folder).parts[:-1][:1]) for path in paths}
    only = within.pop() if len(within) == 1 else ""
    label = UNLABELLED if only.casefold() in {"", *CONTAINERS, *PARTITIONS} else only
    rows = []
    for path in paths:
        id = path.relative_to(folder).as_posix()
        rows.append(Row(id, path, (0.0,), id))
    samples, skipped = check_images(rows)
    if not samples:
        raise DataError(f"{folder}: none of the {len(paths)} images can be read", f"the first: {skipped[0].reason}")
    name = folder.resolve().name
    task = Task("binary", (NONE,), negative=label)
    return Samples(name, task, tuple(samples), tuple(skipped), source=f"pictures of {name}")


def read_one_kind(root: str | Path) -> Samples | None:
    """All pictures below a folder as good ones, or as bad ones, where they lie in one folder whose name says so.

    None where there are no pictures, where no name speaks of good or bad, or where a table may say more.
    """
    folder = Path(root)
    if not folder.is_dir() or any(path.suffix.lower() in TABLE_SUFFIXES for path in folder.iterdir()):
        return None
    try:
        found = read_unlabelled(folder)
    except DataError:
        return None
    name = found.name if found.task.negative == UNLABELLED else found.task.negative
    kind = meaning(name) if len({PurePosixPath(row.id).parts[:-1][:1] for row in found.rows}) == 1 else ""
    if not kind:
        return None
    task = Task("binary", ("defective",), name) if kind == "good" else Task("binary", (name,), "ok")
    rows = tuple(replace(row, target=(float(kind == "bad"),)) for row in found.rows)
    return replace(found, task=task, rows=rows)
