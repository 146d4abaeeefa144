"""Which samples must stay together, said by the data or by identical files; and files that contradict each other."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Literal

from flawscope.data.spec import GroupSpec
from flawscope.data.table import ALONE, Row, Table
from flawscope.errors import DataError, listing
from flawscope.records import Sample, Samples

Grouping = Literal["data", "none"]
_PATTERN = "the pattern {!r} in the name"


class Union:
    """Sets that grow together. `top` names the set of a member: its first member in the order that was given.

    >>> sets = Union("abc")
    >>> sets.join("c", "b")
    True
    >>> sets.top("c"), sets.join("b", "c")
    ('b', False)
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.rank = {name: rank for rank, name in enumerate(dict.fromkeys(names))}
        self._above = {name: name for name in self.rank}

    def top(self, name: str) -> str:
        """The first member of the set that a name is in."""
        above = self._above
        while above[name] != name:
            above[name] = name = above[above[name]]
        return name

    def join(self, a: str, b: str) -> bool:
        """Make one set of two; says whether they were two."""
        first, later = sorted((self.top(a), self.top(b)), key=self.rank.__getitem__)
        self._above[later] = first
        return first != later


def joined(keys: Sequence[str], more: Sequence[str]) -> list[str]:
    """Join two ways to group the same n things: those that share a key of either way are together.

    A group bears the first way's name of its first member.

    >>> joined(["a", "b", "c", "c"], ["x", "x", "y", "z"])
    ['a', 'a', 'c', 'c']
    """
    sets = Union(keys)
    first_with: dict[str, str] = {}
    for key, other in zip(keys, more, strict=True):
        sets.join(key, first_with.setdefault(other, key))
    return [sets.top(key) for key in keys]


def grouped(table: Table, spec: GroupSpec) -> Table:
    """The table with the groups that `data.groups` asks for, joined with those that the importer knows.

    Raises:
        DataError: names the images that the pattern does not match, or that have no number.
    """
    ways: list[tuple[str, list[str]]] = []
    if table.grouping != ALONE:
        ways.append((table.grouping, [row.group for row in table.rows]))
    if spec.pattern is not None:
        ways.append((_PATTERN.format(spec.pattern), _by_pattern(table.rows, spec.pattern, table.name, "data.groups")))
    if spec.block is not None and spec.block_by == "order":
        names = [f"block-{row.position // spec.block:02d}" for row in table.rows]
        ways.append((f"blocks of {spec.block} images in order", names))
    elif spec.block is not None:
        words = f"blocks of {spec.block} by the number in the file name"
        ways.append((words, [f"block-{max(number - 1, 0) // spec.block:02d}" for number in _numbers(table)]))
    if not ways:
        return table
    group = ways[0][1]
    for _, names in ways[1:]:
        group = joined(group, names)
    rows = tuple(replace(row, group=name) for row, name in zip(table.rows, group, strict=True))
    return replace(table, rows=rows, grouping=" joined with ".join(words for words, _ in ways))


def by_pattern(samples: Samples, pattern: str, key: str) -> Samples:
    """The samples with the groups that a pattern finds in their names, joined with those that the data say.

    `key` is what an error calls the pattern.

    Raises:
        DataError: names the images that the pattern does not match.
    """
    own = None if samples.grouping == ALONE else [row.group for row in samples.rows]
    found, words = _by_pattern(samples.rows, pattern, samples.name, key), _PATTERN.format(pattern)
    names = found if own is None else joined(own, found)
    rows = tuple(replace(row, group=name) for row, name in zip(samples.rows, names, strict=True))
    return replace(samples, rows=rows, grouping=words if own is None else f"{samples.grouping} joined with {words}")


def _by_pattern(rows: Sequence[Row | Sample], pattern: str, name: str, key: str) -> list[str]:
    found = [re.search(pattern, row.id) for row in rows]
    words = f"{'data.groups.pattern' if key == 'data.groups' else key} {pattern!r} does not match"
    _all_have(rows, found, words, name, key)
    return [" ".join(text or "" for text in match.groups()) for match in found if match]


def _numbers(table: Table) -> list[int]:
    """The last number in each file name, its suffix and its folders left out."""
    found = [re.findall(r"[0-9]+", PurePosixPath(row.id).stem) for row in table.rows]
    _all_have(table.rows, found, "data.groups.block_by is number, but no number stands in the name of", table.name)
    return [int(digits[-1]) for digits in found]


def _all_have(
    rows: Sequence[Row | Sample], found: Sequence[object], problem: str, name: str, key: str = "data.groups"
) -> None:
    without = [row.id for row, some in zip(rows, found, strict=True) if not some]
    if without:
        raise DataError(
            f"{name}: {problem} {len(without)} of {len(rows)} images:\n{listing(without)}",
            f"change {key} so that it fits every name, or write a table with a column that names the group",
        )


def identical_groups(samples: Samples, groups: Grouping = "data") -> dict[str, str]:
    """The group of each sample id, byte-identical files joined.

    With "data" two samples stand in one group if the data set says so or if their files are the same byte for byte,
    and so on along the chain. With "none" only the files count. A joined group bears the name of its first member.
    """
    own = [row.group if groups == "data" else row.id for row in samples.rows]
    joint = joined(own, [row.sha256 for row in samples.rows])
    return {row.id: name for row, name in zip(samples.rows, joint, strict=True)}


def identical_files(samples: Samples) -> list[list[Sample]]:
    """Samples whose files are the same byte for byte: each list has at least two."""
    same = defaultdict(list)
    for row in samples.rows:
        same[row.sha256].append(row)
    return [rows for rows in same.values() if len(rows) > 1]


def contradictions(samples: Samples) -> tuple[str, ...]:
    """Byte-identical files with different labels or masks, in words: at most one of them can be right."""
    found = []
    for rows in identical_files(samples):
        if len({row.target for row in rows}) > 1:
            said = ", ".join(f"{row.id} ({samples.task.describe(row.target)})" for row in rows)
            found.append(f"the same file with different labels: {said}")
        elif len({row.masks for row in rows}) > 1:
            found.append(f"the same file with different masks: {', '.join(row.id for row in rows)}")
    return tuple(found)
