"""Groups of samples that must stay together, and byte-identical files that contradict each other."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

from flawscope.records import Sample, Samples

Grouping = Literal["data", "none"]


def identical_groups(samples: Samples, groups: Grouping = "data") -> dict[str, str]:
    """The group of each sample id, byte-identical files joined.

    With "data" two samples stand in one group if the data set says so or if their files are the same byte for byte,
    and so on along the chain. With "none" only the files count. A joined group bears the name of its first member.
    """
    parent: dict[str, str] = {}

    def top(name: str) -> str:
        while parent[name] != name:
            parent[name] = name = parent[parent[name]]
        return name

    own = {row.id: row.group if groups == "data" else row.id for row in samples.rows}
    first_with: dict[str, str] = {}
    rank: dict[str, int] = {}
    for row in samples.rows:
        name = own[row.id]
        parent.setdefault(name, name)
        rank.setdefault(name, len(rank))
        a, b = top(name), top(first_with.setdefault(row.sha256, name))
        first, later = sorted((a, b), key=rank.__getitem__)
        parent[later] = first
    return {row.id: top(own[row.id]) for row in samples.rows}


def identical_files(samples: Samples) -> list[list[Sample]]:
    """Samples whose files are the same byte for byte: each list has at least two."""
    same = defaultdict(list)
    for row in samples.rows:
        same[row.sha256].append(row)
    return [rows for rows in same.values() if len(rows) > 1]


def contradictions(samples: Samples) -> tuple[str, ...]:
    """Byte-identical files with different labels, in words: at most one of the labels can be right."""
    found = []
    for rows in identical_files(samples):
        if len({row.target for row in rows}) > 1:
            said = ", ".join(f"{row.id} ({samples.task.describe(row.target)})" for row in rows)
            found.append(f"the same file with different labels: {said}")
    return tuple(found)
