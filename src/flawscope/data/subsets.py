"""Nested subsets of a training part by whole groups: what a learning curve is measured on."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from flawscope.errors import SplitError
from flawscope.records import Samples
from flawscope.wording import counted


def nested_subsets(
    samples: Samples, group: Mapping[str, str], fractions: Sequence[float], seed: int
) -> dict[float, list[str]]:
    """The sample ids of each fraction, each subset contained in the next larger one, no group cut.

    Groups are shuffled within each stratum (the rarest label combination that a group holds) and the strata are then
    dealt side by side, so that every subset mixes the labels nearly as the whole does.

    Raises:
        SplitError: a subset holds none of a label that the whole has, or is as large as the next one.
    """
    order = _order(samples, group, seed)
    size = Counter(group[row.id] for row in samples.rows)
    chosen: dict[float, list[str]] = {}
    for fraction in sorted(fractions):
        total = 0
        kept: set[str] = set()
        for name in order:
            # A group more, if that comes nearer to the fraction.
            if kept and total + size[name] / 2 > fraction * len(samples):
                break
            kept.add(name)
            total += size[name]
        chosen[fraction] = [row.id for row in samples.rows if group[row.id] in kept]
    _check(samples, chosen)
    return chosen


def _order(samples: Samples, group: Mapping[str, str], seed: int) -> list[str]:
    """All groups, every beginning of the list a fair mix."""
    words = samples.combination_of
    total = Counter(words.values())
    members: dict[str, list[str]] = defaultdict(list)
    for row in samples.rows:
        members[group[row.id]].append(words[row.id])
    strata: dict[str, list[str]] = defaultdict(list)
    for name, held in members.items():
        strata[min(held, key=lambda word: (total[word], word))].append(name)
    place: dict[str, tuple[float, bytes]] = {}
    for names in strata.values():
        names.sort(key=lambda name: _hash(f"{seed}/{name}"))
        whole, before = sum(len(members[name]) for name in names), 0
        for name in names:
            place[name] = ((before + len(members[name]) / 2) / whole, _hash(name))
            before += len(members[name])
    return sorted(place, key=place.__getitem__)


def _check(samples: Samples, chosen: Mapping[float, Sequence[str]]) -> None:
    every = _labels(samples)
    before = 0
    for fraction, ids in chosen.items():
        missing = sorted(every - _labels(samples.select(ids)))
        if missing:
            raise SplitError(
                f"{fraction:g} of the training part, {counted(len(ids), 'images')} in whole groups, holds none of "
                f"{', '.join(missing)}",
                "begin with a larger fraction",
            )
        if len(ids) <= before:
            raise SplitError(
                f"{fraction:g} of the training part is no more than the fraction before it: the groups are too large",
                "ask for fewer fractions, farther apart",
            )
        before = len(ids)


def _labels(samples: Samples) -> set[str]:
    """All labels that are there, the good answer among them."""
    task = samples.task
    shown_nk = samples.target_nk >= 0.5
    found = {name for name, shown_n in zip(task.classes, shown_nk.T, strict=True) if shown_n.any()}
    if task.kind != "multiclass" and not shown_nk.any(axis=1).all():
        found.add(task.negative)
    return found


def _hash(words: str) -> bytes:
    return hashlib.sha256(words.encode()).digest()
