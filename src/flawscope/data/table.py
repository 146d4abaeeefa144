"""What every importer hands to `read`: rows that name an image and its labels, not yet looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flawscope.preprocess import IMAGE_SUFFIXES
from flawscope.records import Skipped, Task

ALONE = "each image by itself"


@dataclass(frozen=True)
class Row:
    """One labelled image before its file is opened."""

    id: str
    path: Path
    target: tuple[float, ...]
    group: str
    meta: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """All rows of a data set. `bad` rows stop the import unless they may be skipped; `strays` never do."""

    name: str
    task: Task
    rows: tuple[Row, ...]
    bad: tuple[Skipped, ...] = ()
    strays: tuple[Skipped, ...] = ()
    grouping: str = ALONE
    source: str = ""


def walk_images(root: Path, ignore: frozenset[str] = frozenset()) -> Iterator[Path]:
    """All image files below a folder, sorted; hidden ones are left out, linked folders entered once."""
    seen: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(root, followlinks=True):
        here = Path(place).stat()
        if (here.st_dev, here.st_ino) in seen:
            folders.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in ignore)
        for name in sorted(files):
            if not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES):
                yield Path(place, name)
