"""The labels of a part of a challenge: `labels.csv` beside a folder `images`, and the record that scores are made from.

Columns, parted by semicolons: file, group, then one column of 0 and 1 for each class; of a multi-class task one column
`class` that holds its name. Shapes: n images, k classes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flawscope.challenge.spec import RESERVED, Challenge, PartName, hidden
from flawscope.errors import DataError
from flawscope.records import BoolArray, Task, fingerprint
from flawscope.storage import sha256_file, write_text

LABELS, IMAGES = "labels.csv", "images"
REMEDY = "restore the challenge from a backup: its labels must be those that it was made with"
FILE, GROUP, CLASS = RESERVED


@dataclass(frozen=True)
class Labels:
    """What is true of each image of a part: its file, its group, and which classes it shows (bool, n x k)."""

    files: tuple[str, ...]
    groups: tuple[str, ...]
    truth_nk: BoolArray

    def __post_init__(self) -> None:
        n = len(self.files)
        if len(self.groups) != n or self.truth_nk.ndim != 2 or len(self.truth_nk) != n:
            raise ValueError(f"expected groups and truth of {n} files, got {len(self.groups)}, {self.truth_nk.shape}")
        if self.truth_nk.dtype != np.bool_ or len(set(self.files)) != n or not n:
            raise ValueError("expected boolean truth, and file names that differ")

    def __len__(self) -> int:
        return len(self.files)


def as_csv(labels: Labels, task: Task) -> str:
    """The text of labels.csv.

    >>> labels = Labels(("1.png", "2.png"), ("a", "b"), np.array([[True], [False]]))
    >>> as_csv(labels, Task("binary", ("bad",)))
    'file;group;bad\\n1.png;a;1\\n2.png;b;0\\n'
    """
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=";", lineterminator="\n")
    writer.writerow([FILE, GROUP, *columns_of(task)])
    for file, group, row in zip(labels.files, labels.groups, labels.truth_nk.tolist(), strict=True):
        cells = [task.describe(row)] if task.kind == "multiclass" else list(map(int, row))
        writer.writerow([file, group, *cells])
    return stream.getvalue()


def columns_of(task: Task) -> tuple[str, ...]:
    """The columns of labels.csv that hold labels."""
    return (CLASS,) if task.kind == "multiclass" else task.classes


def write_labels(folder: Path, labels: Labels, task: Task) -> None:
    """Write labels.csv into a part's folder.

    Raises:
        OutputError: the place cannot be written to.
    """
    write_text(folder / LABELS, as_csv(labels, task))


def read_labels(path: Path, task: Task) -> Labels:
    """Read a labels.csv.

    Raises:
        DataError: missing, or not such a table of this task.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            head, *rows = csv.reader(stream, delimiter=";")
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}", REMEDY) from None
    wanted = [FILE, GROUP, *columns_of(task)]
    if head != wanted:
        raise DataError(f"{path} has the columns {'; '.join(head)}; expected {'; '.join(wanted)}", REMEDY)
    known: Mapping[str, Sequence[bool]] = (
        {name: [name == other for other in task.classes] for name in task.classes} if task.kind == "multiclass" else {}
    )
    truth = []
    for number, row in enumerate(rows, 2):
        cells = row[2:]
        fits = cells[0] in known if known and len(cells) == 1 else set(cells) <= {"0", "1"}
        if len(row) != len(wanted) or not fits:
            raise DataError(f"{path}, row {number}: {'; '.join(row)} is no row of labels", REMEDY)
        truth.append(known[cells[0]] if known else [cell == "1" for cell in cells])
    try:
        truth_nk = np.array(truth, dtype=np.bool_).reshape(len(rows), len(task.classes))
        return Labels(tuple(row[0] for row in rows), tuple(row[1] for row in rows), truth_nk)
    except ValueError as error:
        raise DataError(f"{path}: {error}", REMEDY) from None


def part_hash(labels: Labels, images: Iterable[Path]) -> str:
    """The hash over the images and labels of a part: files by their bytes, in the order of the labels.

    Raises:
        OSError: an image is gone.
    """
    rows = zip(labels.files, labels.groups, labels.truth_nk.tolist(), images, strict=True)
    return fingerprint([[file, group, row, sha256_file(image)] for file, group, row, image in rows])


def labels_hash(labels: Labels) -> str:
    """The hash over the labels of a part alone: it is checked without a look at the images."""
    return fingerprint(list(map(list, zip(labels.files, labels.groups, labels.truth_nk.tolist(), strict=True))))


@dataclass(frozen=True)
class HiddenPart:
    """The images of a hidden part, in the order of its labels."""

    images: tuple[Path, ...]
    labels: Labels


def read_part_labels(folder: str | Path, challenge: Challenge, part: PartName) -> Labels:
    """The labels of a hidden part, checked against the hash of their own in challenge.json. Images are not read.

    A challenge that was made before there was such a hash is checked as a whole, as `read_part` does.

    Raises:
        DataError: they are not what the challenge was made with.
    """
    wanted = challenge.parts[part].labels_hash
    if wanted is None:
        return read_part(folder, challenge, part).labels
    place = hidden(folder, part) / LABELS
    labels = read_labels(place, challenge.task)
    if labels_hash(labels) != wanted:
        raise DataError(f"{place} is not what the challenge was made with: a label has changed", REMEDY)
    return labels


def read_part(folder: str | Path, challenge: Challenge, part: PartName) -> HiddenPart:
    """The images and labels of a hidden part, checked against the hash in challenge.json.

    Raises:
        DataError: they are not what the challenge was made with.
    """
    place = hidden(folder, part)
    labels = read_labels(place / LABELS, challenge.task)
    images = tuple(place / IMAGES / file for file in labels.files)
    try:
        found = part_hash(labels, images)
    except OSError as error:
        raise DataError(f"{place}: {error.filename} cannot be read: {error.strerror}", REMEDY) from None
    if found != challenge.parts[part].hash:
        raise DataError(f"{place} is not what the challenge was made with: an image or a label has changed", REMEDY)
    return HiddenPart(images, labels)
