"""Precision and recall of found pairs in a pool of hosts and their planted copies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Verdict = Literal["same", "different"]
Judged = dict[frozenset[str], Verdict]
"""What a person said of two pictures, named by the SHA-256 of their files."""

HostPair = tuple[str, str]


@dataclass(frozen=True)
class Score:
    """What was found in one pool.

    `copies` are the files to be found and `found` those that stand in a pair with their host; `right` counts pairs of
    one host. Pairs of two hosts: `twins` counts those of hosts that a person called the same, `wrong` all others by
    host pair.
    """

    copies: frozenset[str]
    found: frozenset[str]
    right: int
    twins: int = 0
    wrong: Counter[HostPair] = field(default_factory=Counter)

    @property
    def pairs(self) -> int:
        """Pairs that count for precision."""
        return self.right + self.wrong.total()


def score(
    pairs: Iterable[tuple[str, str]], origin: Mapping[str, str], same: Collection[HostPair] = frozenset()
) -> Score:
    """Score pairs of files of a pool.

    Args:
        pairs: two file names each; a pair counts once, whichever comes first.
        origin: the host of each file of the pool; the file of the host itself is the one that is no copy.
        same: pairs of hosts (sorted) that show the same thing by a person's judgement: neither right nor wrong.
    """
    copies = frozenset(name for name in origin if is_copy(name))
    found, right, twins, wrong = set(), 0, 0, Counter[HostPair]()
    for a, b in sorted({(min(pair), max(pair)) for pair in pairs}):
        hosts = (min(origin[a], origin[b]), max(origin[a], origin[b]))
        if hosts[0] == hosts[1]:
            right += 1
            if is_copy(a) != is_copy(b):
                found.add(a if is_copy(a) else b)
        elif hosts in same:
            twins += 1
        else:
            wrong[hosts] += 1
    return Score(copies, frozenset(found), right, twins, wrong)


def is_copy(name: str) -> bool:
    """Is this file of a pool a planted copy? As `exam.plant_pool` names them."""
    return Path(name).stem.endswith("-copy")


def read_judged(path: Path) -> Judged:
    """What was judged by eye: a list of [SHA-256 of a, SHA-256 of b, "same" or "different", note].

    Raises:
        ValueError: an entry is not of this form.
    """
    judged: Judged = {}
    for number, entry in enumerate(json.loads(path.read_text(encoding="utf-8")) if path.is_file() else [], 1):
        if len(entry) != 4 or entry[2] not in ("same", "different") or len({*map(len, entry[:2])}) != 1:
            raise ValueError(f"{path.name}, entry {number}: expected [hash, hash, same|different, note], got {entry}")
        judged[frozenset(entry[:2])] = entry[2]
    return judged
