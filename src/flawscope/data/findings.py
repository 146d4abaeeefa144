"""What labels, files, groups and the court's pairs say about a data set, as plain data for JSON and pages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import Any

from flawscope.data.groups import Grouping, identical_files
from flawscope.data.linkage import link_samples, spread
from flawscope.data.table import ALONE
from flawscope.records import PAIR_KINDS, Pair, Sample, Samples, Twins

EXAMPLES = 6


def class_members(samples: Samples) -> dict[str, list[str]]:
    """The sample ids of each class, the good answer among them; in a multi-label task an image may stand twice."""
    members: dict[str, list[str]] = {name: [] for name in _class_names(samples)}
    for row in samples.rows:
        shown = [name for name, on in zip(samples.task.classes, row.target, strict=True) if on >= 0.5]
        for name in shown or [samples.task.negative]:
            members.setdefault(name, []).append(row.id)
    return members


def _class_names(samples: Samples) -> tuple[str, ...]:
    task = samples.task
    return task.labels if task.kind != "multilabel" else (*task.classes, task.negative)


def copies(samples: Samples) -> list[dict[str, Any]]:
    """Byte-identical files, those with different labels first."""
    label = samples.combination_of
    found = [
        {"ids": [row.id for row in rows], "labels": [label[row.id] for row in rows]}
        for rows in identical_files(samples)
    ]
    return sorted(found, key=lambda entry: len(set(entry["labels"])) == 1)


def pair_rows(samples: Samples, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Each pair with labels and published parts, the plainest kind first, within a kind the strongest first."""
    label = samples.combination_of
    published = {row.id: row.published or "" for row in samples.rows}
    order = sorted(pairs, key=lambda pair: (PAIR_KINDS.index(pair.kind), -pair.measure, pair.a, pair.b))
    return [
        {
            "a": pair.a,
            "b": pair.b,
            "kind": pair.kind,
            "measure": round(pair.measure, 6),
            "needed": round(pair.needed, 6),
            "turn": pair.turn,
            "shift": [round(part, 4) for part in pair.shift],
            "label_a": label[pair.a],
            "label_b": label[pair.b],
            "published_a": published[pair.a],
            "published_b": published[pair.b],
        }
        for pair in order
    ]


def contrary(samples: Samples, pairs: Sequence[Pair]) -> tuple[list[Pair], int]:
    """Pairs whose labels differ, the most alike first, and how many pairs of images that makes.

    All identical files count; of those with the same label the first is named.
    """
    label = samples.combination_of
    named, count = [], 0
    for pair, a, b in spread(samples, pairs):
        of_a, of_b = _by_label(a, label), _by_label(b, label)
        for one, other in combinations(of_a, 2) if a is b else product(of_a, of_b):
            if one != other:
                named.append(replace(pair, a=of_a[one][0], b=of_b[other][0]))
                count += len(of_a[one]) * len(of_b[other])
    return sorted(named, key=lambda pair: -pair.measure), count


def _by_label(rows: Sequence[Sample], label: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(label[row.id], []).append(row.id)
    return found


def court_facts(samples: Samples, twins: Twins) -> dict[str, Any]:
    """The court's verdict in numbers: pairs by kind, images concerned, pairs whose labels differ."""
    from flawscope.data.court.closer import HIGHEST  # where a court has sat, its packages are there
    from flawscope.data.court.threshold import CERTAIN, DOUBTFUL, LOWEST, UNREAD

    counted = Counter(pair.kind for pair in twins.pairs)
    return {
        "method": twins.method,
        "n": twins.n,
        "pairs": len(twins.pairs),
        "kinds": {kind: counted[kind] for kind in PAIR_KINDS if counted[kind]},
        "images": len({id for pair in twins.pairs for id in (pair.a, pair.b)}),
        "contrary": contrary(samples, twins.pairs)[1],
        "facts": dict(twins.facts),
        "bounds": {
            "least": LOWEST,
            "doubtful": DOUBTFUL,
            "most_closely": HIGHEST,
            "certain": CERTAIN,
            "unread": UNREAD,
        },
    }


def group_facts(
    samples: Samples, twins: Twins, share: float, groups: Grouping = "data"
) -> tuple[dict[str, Any], dict[str, str]]:
    """Number and size of groups, from the data alone, with all pairs joined, and with chains cut; and these last.

    `share` of all images is what chains of pairs may make one group of (`split.largest_group`); with `groups="none"`
    the groups of the data are forgotten (`split.groups`).
    """
    chained, linked = link_samples(samples, twins, 1.0, groups), link_samples(samples, twins, share, groups)
    facts = {
        "grouping": samples.grouping if groups == "data" else ALONE,
        "limit": linked.limit,
        "data": _sizes({row.id: row.group if groups == "data" else row.id for row in samples.rows}),
        "chained": _sizes(chained.group),
        "linked": _sizes(linked.group),
        "cut": len(linked.cut),
    }
    return facts, dict(linked.group)


def _sizes(group: Mapping[str, str]) -> dict[str, int]:
    size = Counter(group.values())
    return {"number": len(size), "largest": max(size.values()), "alone": sum(n == 1 for n in size.values())}


def published_facts(samples: Samples, pairs: Sequence[Pair]) -> dict[str, Any] | None:
    """How many test images of the split that the data came with have a twin in its training part; by kind.

    None if the data came without a split, or without a test part.
    """
    part = {row.id: row.published for row in samples.rows}
    test = {id for id, name in part.items() if name == "test"}
    if not test:
        return None
    found: defaultdict[str, set[str]] = defaultdict(set)
    for pair, a, b in spread(samples, pairs):
        for these, others in ((a, b), (b, a)):
            if any(row.published == "train" for row in others):
                found[pair.kind].update(row.id for row in these if row.published == "test")
    contents = {row.sha256 for row in samples.rows if row.published == "train"}
    return {
        "parts": dict(Counter(name or "none" for name in part.values())),
        "test": len(test),
        "with_twin": len(set().union(*found.values())),
        "identical_files": sum(row.sha256 in contents for row in samples.rows if row.id in test),
        "kinds": {kind: len(found[kind]) for kind in PAIR_KINDS if found[kind]},
    }


def examples(samples: Samples, most: int = EXAMPLES, combinations: int | None = None) -> dict[str, list[str]]:
    """Some sample ids of each label combination, or of so many, spread evenly over the table; the largest first."""
    members: defaultdict[str, list[str]] = defaultdict(list)
    for id, words in samples.combination_of.items():
        members[words].append(id)
    chosen = {}
    for words in sorted(members, key=lambda words: -len(members[words]))[:combinations]:
        ids = members[words]
        n = min(most, len(ids))
        chosen[words] = [ids[i * len(ids) // n] for i in range(n)]
    return chosen


def spread_sample(samples: Samples, most: int) -> Samples:
    """All samples, or about `most` of them: as many of each label combination where there are enough, spread evenly."""
    if len(samples) <= most:
        return samples
    combinations = examples(samples, most)
    rest, chosen = most, []
    for left, ids in zip(range(len(combinations), 0, -1), reversed(combinations.values()), strict=True):
        taken = min(len(ids), max(1, rest // left))  # what the rare ones leave is for the common ones
        chosen += [ids[i * len(ids) // taken] for i in range(taken)]
        rest = max(0, rest - taken)
    return samples.select(chosen)
