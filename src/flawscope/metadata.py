"""What is known of an image beside its pixels, as numbers for a network: one definition for training and the line.

A category becomes its place in the list of categories, a number stays what it is; one-hot code and normalisation are
inside the network, so that no runtime can forget them. Letters: n images, m columns.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from flawscope.errors import MetadataError

MISSING = frozenset(("", "nan", "na", "n/a", "null", "?"))
"""What stands in a cell where nobody knows."""

Values = Mapping[str, str | float]
"""The metadata of one image, by column."""

TableRow = npt.NDArray[np.float32]
"""m values, or n x m."""

_SHOWN = 10


class Encoded(Protocol):
    """What the code of a column needs to know of it: no categories mean a number."""

    @property
    def name(self) -> str:
        """What the column is called."""

    @property
    def categories(self) -> tuple[str, ...]:
        """What may stand in it; nothing for a number."""


@dataclass(frozen=True)
class MetaColumn:
    """A column as the training part has it: `categories` in sorted order, or mean and deviation of its numbers."""

    name: str
    categories: tuple[str, ...] = ()
    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        if self.categories and len(set(self.categories)) < 2:
            raise ValueError(f"{self.name}: expected at least two categories, got {self.categories}")
        if len(set(self.categories)) != len(self.categories):
            raise ValueError(f"{self.name}: categories must be distinct, got {self.categories}")
        if not (math.isfinite(self.mean) and 0 < self.std < math.inf):
            raise ValueError(
                f"{self.name}: expected a finite mean and a positive deviation, got {self.mean}, {self.std}"
            )

    @property
    def width(self) -> int:
        """How many numbers the network makes of it."""
        return len(self.categories) or 1


def number(text: str) -> float | None:
    """A finite number, or nothing. A comma is a decimal comma, whatever stands behind it.

    >>> number("3,5"), number("nan"), number("1,234"), number("1_000")
    (3.5, None, 1.234, None)
    """
    if "_" in text:  # Python's own way to part thousands, which no table means
        return None
    try:
        value = float(text.strip().replace(",", ".", 1))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def composed(text: str) -> str:
    """Text with each letter and its marks as one character (Unicode NFC): both ways to write it look alike.

    >>> len("o\u0308"), composed("o\u0308") == "\u00f6"
    (2, True)
    """
    return unicodedata.normalize("NFC", text)


def missing(text: str) -> bool:
    """Whether a cell says that nobody knows.

    >>> missing(" n/a"), missing("0")
    (True, False)
    """
    return text.strip().casefold() in MISSING


def known(values: Values, name: str) -> str | float | None:
    """What is known of a column: trimmed text, a finite number, or nothing.

    >>> known({"type": " mono ", "age": float("nan")}, "type"), known({"age": float("nan")}, "age")
    ('mono', None)
    """
    value: Any = values.get(name)  # numbers of numpy among them
    if value is None:
        value = next((each for key, each in values.items() if composed(key) == composed(name)), None)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    return None if value is None or missing(str(value)) else str(value).strip()


def category(value: str | float) -> str:
    """The category that a value names. Numbers count by their value, however they are written.

    >>> category(2.0), category("2,50"), category(" mono ")
    ('2', '2.5', 'mono')
    """
    found = number(value) if isinstance(value, str) else float(value)
    if found is None:
        return composed(str(value).strip())
    return str(int(found)) if found == int(found) else repr(found)


def encode(values: Values, columns: Sequence[Encoded]) -> TableRow:
    """One row of a table input, m float32: a category as its index, a number as it is; never NaN nor infinite.

    Raises:
        MetadataError: a value is missing, is none of the categories, or is no number that float32 can hold.

    >>> encode({"type": "poly", "age": "3,5"}, [MetaColumn("type", ("mono", "poly")), MetaColumn("age")]).tolist()
    [1.0, 3.5]
    """
    return np.array([_code(known(values, column.name), column) for column in columns], dtype=np.float32)


def encode_all(rows: Sequence[Values], columns: Sequence[Encoded]) -> TableRow:
    """The rows of several images, n x m. Raises as `encode` does.

    >>> encode_all([{"age": 1.0}, {"age": "2"}], [MetaColumn("age")]).tolist()
    [[1.0], [2.0]]
    """
    return np.array([encode(row, columns) for row in rows], dtype=np.float32).reshape(len(rows), len(columns))


def _code(value: str | float | None, column: Encoded) -> float:
    if value is None:
        raise MetadataError(f"no value for {column.name!r}", "every image needs one")
    if column.categories:
        text = category(value)
        if text not in column.categories:
            listed = ", ".join(column.categories[:_SHOWN])
            more = f" and {len(column.categories) - _SHOWN} more" if len(column.categories) > _SHOWN else ""
            raise MetadataError(f"{column.name}: {text!r} is none of {listed}{more}", "these have been learnt")
        return float(column.categories.index(text))
    found = number(value) if isinstance(value, str) else value
    if found is None:
        raise MetadataError(f"{column.name}: {value!r} is no number", "a number such as 3.5 or 3,5")
    if abs(found) > float(np.finfo(np.float32).max):
        raise MetadataError(f"{column.name}: {found:g} is too large", "a number below 3e38")
    return found
