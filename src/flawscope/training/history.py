"""history.csv: what a training has measured, one row an epoch. Torch-free, so that reports can read it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from flawscope.storage import new_file

FILE = "history.csv"


def write_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write all rows. A column that some lack, as a version before did not measure it, is no number there.

    Raises:
        OutputError: the place cannot be written to.
    """
    with new_file(path) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(dict.fromkeys(key for row in history for key in row)), restval="nan")
        table.writeheader()
        table.writerows(history)


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows that `write_history` wrote.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_history(Path(folder) / FILE, [{"epoch": 1, "train_loss": 0.5}])
    ...     read_history(Path(folder) / FILE)
    [{'epoch': 1.0, 'train_loss': 0.5}]
    """
    with path.open(encoding="utf-8", newline="") as stream:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]
