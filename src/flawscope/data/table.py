"""What every importer hands to `read`: rows that name an image and its labels, not yet looked at."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flawscope.errors import DataError, listing
from flawscope.preprocess import IMAGE_SUFFIXES
from flawscope.records import Part, Skipped, Task
from flawscope.wording import counted

ALONE = "each image by itself"
PART_WORDS: Mapping[str, Part] = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "calib": "calibration", "calibration": "calibration",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One labelled image before its file is opened.

    `position` is its place in the order of the table or of the files, `part` where a published split has put it.
    """

    id: str
    path: Path
    target: tuple[float, ...]
    group: str
    meta: Mapping[str, str | float] = field(default_factory=dict)
    position: int = 0
    part: Part | None = None


@dataclass(frozen=True)
class Table:
    """All rows of a data set. `bad` rows stop the import unless they may be skipped; `strays` never do.

    `notes` says what else is to be known.
    """

    name: str
    task: Task
    rows: tuple[Row, ...]
    bad: tuple[Skipped, ...] = ()
    strays: tuple[Skipped, ...] = ()
    grouping: str = ALONE
    source: str = ""
    notes: tuple[str, ...] = ()


def name_it(key: str, what: str) -> str:
    """What to do where something that the recipe names is not there.

    >>> name_it("root", "FOLDER")
    'name it in the recipe, or on the command line: --set data.root=FOLDER'
    """
    return f"name it in the recipe, or on the command line: --set data.{key}={what}"


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


def natural(name: str) -> list[tuple[str, int]]:
    """A sort key that takes numbers as numbers.

    >>> sorted(["b2.png", "b10.png", "b1.png"], key=natural)
    ['b1.png', 'b2.png', 'b10.png']
    """
    return [(words, int(digits or -1)) for words, digits in re.findall(r"([^0-9]*)([0-9]*)", name)]


def published_part(word: str) -> Part | None:
    """The part that a word of a published split means; None for any other word.

    >>> published_part(" Training"), published_part("val"), published_part("ok")
    ('train', 'validation', None)
    """
    return PART_WORDS.get(word.strip().casefold())


def names_parts(words: Iterable[str]) -> bool:
    """Whether all words name parts of a published split, train and another.

    >>> names_parts(["train", "test"]), names_parts(["train"]), names_parts(["train", "test", "extra"])
    (True, False, False)
    """
    parts = {published_part(word) for word in words}
    return "train" in parts and len(parts) > 1 and None not in parts


def check_parts_named(words: Iterable[str], key: str) -> None:
    """Every word must name a part.

    Raises:
        DataError: lists the words that name none.
    """
    unknown = Counter(word for word in words if published_part(word) is None)
    if unknown:
        raise DataError(
            f"{key}: {counted(len(unknown), 'values', 'name')} no part of a split:\n"
            + listing([f"{word!r} ({counted(n, 'images')})" for word, n in unknown.items()]),
            f"expected {', '.join(PART_WORDS)}: rename or ignore the others, or leave {key} out",
        )
