"""From the bytes of a text table to named columns: encoding, delimiter, header line, ragged rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flawscope.errors import DataError, choices
from flawscope.metadata import composed
from flawscope.preprocess import IMAGE_SUFFIXES
from flawscope.records import Skipped

DELIMITERS = (";", "\t", ",", "|")
SPACES = "whitespace"
TABLE_SUFFIXES = (".csv", ".tsv", ".txt")
# The run-length code of a large image is longer than the 131,072 characters that Python takes for a damaged file.
csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True)
class TextTable:
    """The cells of a table file as text; `lines` holds the line of the file that each row ends in."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    ragged: tuple[Skipped, ...]
    delimiter: str
    header: bool

    def column(self, name: str, key: str = "data.label_columns") -> list[str]:
        """All cells of one column, without blanks around them; `key` is what the recipe calls it.

        Raises:
            DataError: no column of this name, or several.
        """
        name = composed(name)
        if self.columns.count(name) != 1:
            what = "no column" if name not in self.columns else "several columns"
            raise DataError(f"{self.path}: {what} {name!r} ({key})", choices(name, self.columns))
        index = self.columns.index(name)
        return [row[index] for row in self.rows]

    def where(self, index: int) -> str:
        """How a message calls a row."""
        return f"{self.path.name}, row {self.lines[index]}"


def read_table(path: Path, delimiter: str = "auto") -> TextTable:
    """Read a table with a header line; a first line that names an image already is taken for data.

    Raises:
        DataError: missing, empty, no text, or no delimiter that splits its lines alike.
    """
    text = composed(_decode(path).removeprefix("\ufeff"))
    first, _, rest = text.partition("\n")
    skipped = 0
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:  # Excel's own hint
        delimiter = first.strip()[4] if delimiter == "auto" else delimiter
        text, skipped = rest, 1
    if delimiter == "auto":
        delimiter = _delimiter(path, text)
    elif delimiter != SPACES and len(delimiter) != 1:
        raise DataError(
            f"data.delimiter is {delimiter!r}", f'expected one character, "{SPACES}" or "auto" for {path.name}'
        )
    lines = [(number + skipped, cells) for number, cells in _cells(path, text, delimiter) if any(cells)]
    if not lines:
        raise DataError(f"{path}: the table is empty", "expected a header line and one row an image")
    head = lines[0][1]
    header = not any(cell.lower().endswith(IMAGE_SUFFIXES) for cell in head)
    columns = tuple(name if header and name else f"column {i}" for i, name in enumerate(head, 1))
    rows, numbers, ragged = [], [], []
    for number, cells in lines[1:] if header else lines:
        while len(cells) > len(columns) and not cells[-1]:
            cells.pop()
        if len(cells) == len(columns):
            rows.append(tuple(cells))
            numbers.append(number)
        else:
            reason = f"{len(cells)} cells, the header has {len(columns)}"
            ragged.append(Skipped(f"{path.name}, row {number}", reason))
    return TextTable(path, columns, tuple(rows), tuple(numbers), tuple(ragged), delimiter, header)


def _decode(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: the table does not exist", "give the path of a CSV file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})", "give the path of a CSV file") from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    if content.startswith(b"PK") or b"\0" in content[:4096]:
        utf16 = not content.startswith(b"PK") and len(content) % 2 == 0
        what = "not a text table, or UTF-16 without its byte order mark" if utf16 else "not a text table"
        raise DataError(f"{path}: {what}", "save the sheet as CSV (UTF-8) and give that file")
    for encoding in ("utf-8", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _cells(path: Path, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    if delimiter == SPACES:
        return [(number, line.split()) for number, line in enumerate(text.splitlines(), 1)]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    found = []
    try:
        found = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise DataError(f"{path}, row {reader.line_num}: {error}", "is it a CSV file?") from None
    return found


def _delimiter(path: Path, text: str) -> str:
    """The delimiter that gives the header the most columns and splits most of the rows, best into as many."""
    start = "\n".join(text.splitlines()[:200])

    def quality(delimiter: str) -> tuple[int, int]:
        widths = [len(cells) for _, cells in _cells(path, start, delimiter) if any(cells)]
        if not widths or sum(width > 1 for width in widths) < 0.5 * len(widths):
            return 0, 0
        return widths[0], widths.count(widths[0])

    best = max(DELIMITERS, key=quality)
    if quality(best)[0] > 1:
        return best
    if quality(SPACES)[0] > 1:
        return SPACES
    if not text.strip():
        raise DataError(f"{path}: the table is empty", "expected a header line and one row an image")
    raise DataError(
        f"{path}: no delimiter found that splits the rows into columns",
        f"expected one of {_names(DELIMITERS)} or blanks between the columns, or set data.delimiter",
    )


def _names(delimiters: Sequence[str]) -> str:
    return " ".join("tab" if mark == "\t" else mark for mark in delimiters)
