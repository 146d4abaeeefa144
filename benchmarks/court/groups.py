"""Groups of pictures from pairs, by single linkage: nothing is cut here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from flawscope.data.groups import Union
from flawscope.records import PAIR_KINDS, Pair, Samples, Twins


def components(ids: Iterable[str], pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """What hangs together, each in the order of `ids`.

    >>> components("abcd", [("a", "c")])
    [['a', 'c'], ['b'], ['d']]
    """
    sets = Union(ids)
    for a, b in pairs:
        sets.join(a, b)
    groups = defaultdict(list)
    for name in sets.rank:
        groups[sets.top(name)].append(name)
    return list(groups.values())


def by_kind(pairs: Iterable[Pair]) -> dict[str, int]:
    """How many pairs of each kind, from the plainest to the softest."""
    counts = Counter(pair.kind for pair in pairs)
    return {kind: counts[kind] for kind in PAIR_KINDS if counts[kind]}


def grouping(samples: Samples, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Sizes of the groups that pairs make."""
    groups = components((row.id for row in samples.rows), ((pair.a, pair.b) for pair in pairs))
    sizes = Counter(len(group) for group in groups if len(group) > 1)
    return {
        "groups": len(groups),
        "groups_of_two_or_more": sizes.total(),
        "images_in_them": sum(size * n for size, n in sizes.items()),
        "largest": max(map(len, groups)),
        "sizes": {str(size): sizes[size] for size in sorted(sizes)},
    }


def in_short(twins: Twins) -> dict[str, Any]:
    """What the court says of a set, without its histograms."""
    facts = {key: value for key, value in twins.facts.items() if key not in ("null", "found", "kinds")}
    return {
        "images": twins.n,
        "method": twins.method,
        "pairs": len(twins.pairs),
        "kinds": by_kind(twins.pairs),
        **facts,
    }
