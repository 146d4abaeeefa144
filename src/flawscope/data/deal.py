"""Dealing groups to parts, stratified on labels, and where that ends up beside what was wanted.

Groups are dealt out whole, one after the other, each to the part where the deviation from the wanted counts of every
label, sum (count - wanted)^2 / wanted, grows least (a chi-square statistic). Two orders of dealing:

- Largest first. Within one size the order is that of a hash of seed and group name, so that a split is the same on
  every machine and with every numpy.
- Rarest first: the idea of iterative stratification (Sechidis et al., On the stratification of multi-label data, 2011),
  carried to groups. A group weighs sum count^2 / total over its labels: much where it is large, or holds much of a
  rare label. Groups go by falling weight in steps of half an octave, within a step by the hash; several orders are
  tried and the deal of the least deviation is taken. In multi-label data single labels count beside combinations.

Letters: p parts, c labels (or label combinations).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

from flawscope.records import Part, Samples

Name = TypeVar("Name", bound=str)
Counts = Mapping[str, Counter[str]]
TRIES = 10
MANY_GROUPS = 5_000
"""From so many groups on every deal comes near to what is wanted: one try is enough."""


def counted(samples: Samples, group: Mapping[str, str], *, single_labels: bool = False) -> dict[str, Counter[str]]:
    """How many samples of each label combination every group holds; in multi-label data also of each label."""
    counts: dict[str, Counter[str]] = {}
    more = single_labels and samples.task.kind == "multilabel"
    for row, combination in zip(samples.rows, samples.combinations(), strict=True):
        count = counts.setdefault(group[row.id], Counter())
        count[combination] += 1
        if more:
            count.update(f"any {name}" for name, on in zip(samples.task.classes, row.target, strict=True) if on >= 0.5)
    return counts


def deal_largest_first(counts: Counts, shares: Mapping[Name, float], seed: int) -> dict[str, Name]:
    """The part of each group. Every part gets at least one group."""
    order = sorted(counts, key=lambda name: (-counts[name].total(), _hash(f"{seed}/{name}")))
    return _deal(order, counts, shares)[0]


def deal_rarest_first(counts: Counts, shares: Mapping[Name, float], seed: int) -> dict[str, Name]:
    """The part of each group, the best of several deals. Every part gets at least one group."""
    total = _total(counts)

    def weight(name: str) -> int:
        return round(2 * math.log2(sum(n * n / total[c] for c, n in counts[name].items())))

    steps = {name: weight(name) for name in counts}
    deals = []
    for number in range(TRIES if len(counts) < MANY_GROUPS else 1):
        key = {name: (-steps[name], _hash(f"{seed}/{number}/{name}")) for name in counts}
        deals.append(_deal(sorted(counts, key=key.__getitem__), counts, shares))
    return min(deals, key=lambda deal: deal[1])[0]


def _hash(words: str) -> bytes:
    return hashlib.sha256(words.encode()).digest()


def _total(counts: Counts) -> Counter[str]:
    total: Counter[str] = Counter()
    for count in counts.values():
        total.update(count)
    return total


def _deal(order: Sequence[str], counts: Counts, shares: Mapping[Name, float]) -> tuple[dict[str, Name], float]:
    """The part of each group, dealt in this order, and the deviation from what was wanted."""
    total, scale, parts = _total(counts), sum(shares.values()), list(shares)
    wanted_pc = [{c: n * shares[part] / scale for c, n in total.items()} for part in parts]
    count_pc: list[Counter[str]] = [Counter() for _ in parts]

    def growth(p: int, group: Counter[str]) -> float:
        have_c, want_c = count_pc[p], wanted_pc[p]
        return sum(n * (2 * (have_c[c] - want_c[c]) + n) / want_c[c] for c, n in group.items())

    chosen: dict[str, Name] = {}
    empty = set(range(len(parts)))
    for left, name in zip(range(len(order), 0, -1), order, strict=True):
        open_to = sorted(empty) if left <= len(empty) else range(len(parts))
        best = min(open_to, key=lambda p: growth(p, counts[name]))
        count_pc[best].update(counts[name])
        empty.discard(best)
        chosen[name] = parts[best]
    deviation = sum((count_pc[p][c] - n) ** 2 / n for p, wanted in enumerate(wanted_pc) for c, n in wanted.items())
    return chosen, deviation


def deviations(
    samples: Samples, part: Mapping[str, Part], wanted: Mapping[Part, float], group: Mapping[str, str]
) -> list[str]:
    """Where the split is not what was wanted, in words. `part` lacks the samples that are left out."""
    n = len(samples)
    size = Counter(part.values())
    why = "groups stay whole" if len(part) == n else "groups stay whole, and images were left out"
    notes = [
        f"{name}: {size[name]} of {n} images ({size[name] / n:.1%}) instead of {share:.1%} ({why})"
        for name, share in wanted.items()
        if abs(size[name] - share * n) > max(1.0, 0.1 * share * n)
    ]
    notes += _largest_group(part, wanted, group, n)
    total = Counter(samples.combinations())
    for name in wanted:
        here = Counter(samples.combination_of[sample] for sample in part if part[sample] == name)
        missing = [_said(samples, combination) for combination in total if not here[combination]]
        if missing:
            notes.append(f"{name} holds no image of {_and(missing)}: what depends on it cannot be measured there")
        notes += [
            f"{name}: {here[combination] / size[name]:.1%} are {_said(samples, combination)}, {count / n:.1%} in all "
            "the data"
            for combination, count in total.items()
            if here[combination] and abs(here[combination] / size[name] - count / n) > 0.05
        ]
    return notes


def _largest_group(
    part: Mapping[str, Part], wanted: Mapping[Part, float], group: Mapping[str, str], n: int
) -> list[str]:
    """A group that is larger than a part was to be, and what became of it."""
    held = Counter(group[name] for name in part)
    largest, count = held.most_common(1)[0]
    small = [name for name, share in wanted.items() if count > max(1.0, share * n)]
    where = next(its for name, its in part.items() if group[name] == largest)
    if not small:
        return []
    return [f"the largest group, {count} of {n} images, is larger than {_and(small)} should be: it is whole in {where}"]


def _said(samples: Samples, combination: str) -> str:
    """A combination of labels in words: a label that others do not exclude may still be there beside another."""
    task = samples.task
    alone = task.kind == "multilabel" and combination in task.classes
    return f"{combination!r}{' alone' if alone else ''}"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
