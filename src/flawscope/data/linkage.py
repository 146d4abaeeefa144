"""From pairs of images of the same thing to groups: single linkage, with chains cut where a group would be too large.

Single linkage puts two images into one group if a chain of pairs leads from one to the other. Where sister cells
resemble each other a little, such chains melt most of a data set into one group that fits into no part. So pairs are
taken in order, the plainest kind first and the highest measure first, and one that would make a group of more than
`limit` images is cut. What a cut pair would leak is taken out of the split later: see `flawscope.data.purge`.

A chain is thin. Where one part was photographed forty times, nearly every picture is like every other: that is no chain
but a cluster, one thing, and it stays whole however large it is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from flawscope.data.groups import Grouping, Union, identical_files
from flawscope.records import PAIR_KINDS, Pair, Sample, Samples, Twins

COPY_KINDS = frozenset(("identical", "re-encoded", "turned", "mirrored"))
CERTAIN = 0.97
"""Pairs of these kinds, from this measure on, are the same picture: a copy of a copy is a copy."""

PARTNERS = 12
"""Of each image the search keeps so many others: no image of a cluster need have more partners."""

DENSE = 0.6
"""Share of the pairs that there could be from which on images are a cluster."""


@dataclass(frozen=True)
class Linked:
    """The group of each sample id, and what was done to get there.

    `cut` holds the refused pairs that still lead from one group to another; `unbounded` is the size of the largest
    group of plain single linkage, `largest` that of the largest one now.
    """

    group: Mapping[str, str]
    cut: tuple[Pair, ...]
    unbounded: int
    largest: int
    limit: int

    @property
    def words(self) -> str:
        """What became of the chains, in a sentence for page and notes."""
        n = len(self.group)
        if not self.cut:
            return f"the largest group holds {self.largest} of {n} images; no chain of pairs had to be cut"
        pairs = f"{len(self.cut)} pair{'s' if len(self.cut) > 1 else ''}"
        return (
            f"chains of pairs would make a group of {self.unbounded} of {n} images; they were cut at {self.limit} "
            f"images: the largest group holds {self.largest} now, {pairs} lead from one group to another"
        )


def limit_of(n: int, share: float) -> int:
    """How many of n images the pairs may chain into one group: a share of them, at least 2.

    >>> limit_of(2624, 0.1), limit_of(5, 0.1)
    (262, 2)
    """
    return max(2, int(share * n + 1e-9))


def link(base: Mapping[str, str], pairs: Sequence[Pair], limit: int) -> Linked:
    """Join groups along pairs, as long as none gets more than `limit` images.

    Pairs are taken by kind in the order of `PAIR_KINDS`, then by falling measure, then in the order of `base`; so the
    order in which they are given does not count. Four rules:

    1. A pair whose join would make a group of more than `limit` images is refused.
    2. Copies beyond doubt (identical; re-encoded, turned, mirrored from a measure of 0.97 on) always join as long as
       all images concerned stand alone in `base`: any number of copies of one picture is one thing.
    3. Groups of `base` are never torn apart, also where they hold more than `limit` images.
    4. In the end groups join that make a cluster: of the pairs that there could be within both together, and between
       the two, at least 60 % are there. An image counts with at most `PARTNERS` others.

    Args:
        base: the group of each sample id that the data themselves give; its own id for an image by itself.
        pairs: pairs of ids of `base`.
        limit: images in a group; see `limit_of`.

    Returns: groups that bear the name of the group of their first member, and the pairs that were cut.

    Raises:
        ValueError: a pair names an id that is not in `base`.

    >>> pairs = [Pair("a", "b", "sister", 0.9), Pair("b", "c", "sister", 0.8)]
    >>> linked = link({"a": "a", "b": "b", "c": "c"}, pairs, limit=2)
    >>> linked.group["b"], linked.group["c"], [pair.b for pair in linked.cut], linked.unbounded, linked.largest
    ('a', 'c', ['c'], 3, 2)
    """
    unknown = {name for pair in pairs for name in (pair.a, pair.b)} - set(base)
    if unknown:
        raise ValueError(f"pairs of samples that are not in the table: {sorted(unknown)[:3]}")
    size = Counter(base.values())
    alone = {name for name, n in size.items() if n == 1}
    sets, chained = Union(size), Union(size)
    refused = []
    for pair in ordered(pairs, base):
        chained.join(base[pair.a], base[pair.b])
        a, b = sets.top(base[pair.a]), sets.top(base[pair.b])
        if a == b:
            continue
        total, both_alone = size[a] + size[b], a in alone and b in alone
        if total > limit and not (both_alone and is_copy(pair)):
            refused.append(pair)
            continue
        sets.join(a, b)
        size[sets.top(a)] = total
        if not both_alone:
            alone -= {a, b}
    if refused:
        _join_clusters(base, pairs, sets, size)
    group = {name: sets.top(own) for name, own in base.items()}
    return Linked(
        group=group,
        cut=tuple(pair for pair in refused if group[pair.a] != group[pair.b]),
        unbounded=_largest(chained.top(own) for own in base.values()),
        largest=_largest(group.values()),
        limit=limit,
    )


def _join_clusters(base: Mapping[str, str], pairs: Sequence[Pair], sets: Union, size: Counter[str]) -> None:
    """Join what makes a cluster, sweep after sweep, until there is none."""
    distinct = {frozenset((pair.a, pair.b)) for pair in pairs}
    joined = True
    while joined:
        joined = False
        both = [{sets.top(base[name]) for name in names} for names in distinct]
        tops = [tuple(sorted(each, key=sets.rank.__getitem__)) for each in both]
        inside = Counter(each[0] for each in tops if len(each) == 1)
        between = Counter(each for each in tops if len(each) == 2)
        changed: set[str] = set()
        for (a, b), n in sorted(between.items(), key=lambda item: [sets.rank[top] for top in item[0]]):
            total = size[a] + size[b]
            share = DENSE * min(1.0, PARTNERS / (total - 1))  # of all pairs of images
            cluster = n >= share * size[a] * size[b] and inside[a] + inside[b] + n >= share * total * (total - 1) / 2
            if cluster and not {a, b} & changed:
                sets.join(a, b)
                size[sets.top(a)] = total
                changed |= {a, b}
                joined = True


def is_copy(pair: Pair) -> bool:
    """Do the two go back to one picture, beyond doubt?"""
    return pair.kind in COPY_KINDS and pair.measure >= CERTAIN


def ordered(pairs: Iterable[Pair], base: Mapping[str, str]) -> list[Pair]:
    """Pairs in the order in which they are taken: kind, falling measure, place in `base`."""
    place = {name: number for number, name in enumerate(base)}

    def key(pair: Pair) -> tuple[int, float, list[int]]:
        return PAIR_KINDS.index(pair.kind), -pair.measure, sorted((place[pair.a], place[pair.b]))

    return sorted(pairs, key=key)


def link_samples(samples: Samples, twins: Twins, share: float, groups: Grouping = "data") -> Linked:
    """Link the groups of the data by the pairs of the court and by identical files; see `link`.

    `share` is the largest group that chains may make, as a share of all images; with `groups="none"` the groups of
    the data are forgotten.
    """
    base = {row.id: row.group if groups == "data" else row.id for row in samples.rows}
    return link(base, [*identical_pairs(samples), *twins.pairs], limit_of(len(samples), share))


def identical_pairs(samples: Samples) -> list[Pair]:
    """Byte-identical files as pairs, each with the next of its kind."""
    return [Pair(a.id, b.id, "identical", 1.0) for rows in identical_files(samples) for a, b in pairwise(rows)]


def spread(samples: Samples, pairs: Iterable[Pair]) -> list[tuple[Pair, list[Sample], list[Sample]]]:
    """Pairs of contents: each pair with all samples of the one content and all samples of the other.

    The court looks at one of several identical files only; what it finds is true of all of them. Identical files come
    once, with the same list twice. Lists are shared: a file that is there 1,000 times does not make 1,000 pairs of one.

    >>> from flawscope.records import Task
    >>> rows = [Sample(id, id, (0.0,), id, sha) for id, sha in (("a", "x"), ("b", "x"), ("c", "y"))]
    >>> found = spread(Samples("made", Task("binary", ("bad",)), tuple(rows)), [Pair("a", "c", "turned", 0.99)])
    >>> [(pair.kind, [row.id for row in a], [row.id for row in b]) for pair, a, b in found]
    [('identical', ['a', 'b'], ['a', 'b']), ('turned', ['a', 'b'], ['c'])]
    """
    content = {row.id: row.sha256 for row in samples.rows}
    files: defaultdict[str, list[Sample]] = defaultdict(list)
    for row in samples.rows:
        files[row.sha256].append(row)
    found: dict[frozenset[str], tuple[Pair, list[Sample], list[Sample]]] = {}
    for pair in (*identical_pairs(samples), *pairs):
        a, b = content[pair.a], content[pair.b]
        found.setdefault(frozenset((a, b)), (pair, files[a], files[b]))
    return list(found.values())


def copy_classes(base: Mapping[str, str], pairs: Iterable[Pair]) -> dict[str, str]:
    """Join the groups of `base` along all pairs of copies, however many images that brings together."""
    sets = Union(base.values())
    for pair in pairs:
        if is_copy(pair):
            sets.join(base[pair.a], base[pair.b])
    return {name: sets.top(own) for name, own in base.items()}


def _largest(names: Iterable[str]) -> int:
    return max(Counter(names).values(), default=0)
