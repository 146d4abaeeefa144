"""What labels, files, groups and the court's pairs say about a data set, as plain data for JSON and pages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from flawscope.data.groups import identical_files
from flawscope.data.linkage import link_samples
from flawscope.records import PAIR_KINDS, Pair, Samples, Twins

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


def pair_rows(samples: Samples, twins: Twins) -> list[dict[str, Any]]:
    """Each pair with labels and published parts, the plainest kind first, within a kind the strongest first."""
    label = samples.combination_of
    published = {row.id: row.published or "" for row in samples.rows}
    order = sorted(twins.pairs, key=lambda pair: (PAIR_KINDS.index(pair.kind), -pair.measure, pair.a, pair.b))
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


def court_facts(samples: Samples, twins: Twins) -> dict[str, Any]:
    """The court's verdict in numbers: pairs by kind, images concerned, pairs whose labels differ."""
    label = samples.combination_of
    counted = Counter(pair.kind for pair in twins.pairs)
    return {
        "method": twins.method,
        "n": twins.n,
        "pairs": len(twins.pairs),
        "kinds": {kind: counted[kind] for kind in PAIR_KINDS if counted[kind]},
        "images": len({id for pair in twins.pairs for id in (pair.a, pair.b)}),
        "contrary": sum(label[pair.a] != label[pair.b] for pair in twins.pairs),
        "facts": dict(twins.facts),
    }


def group_facts(samples: Samples, twins: Twins, share: float) -> tuple[dict[str, Any], dict[str, str]]:
    """Number and size of groups, from the data alone, with all pairs joined, and with chains cut; and these last.

    `share` of all images is what chains of pairs may make one group of (`split.largest_group`).
    """
    chained, linked = link_samples(samples, twins, 1.0), link_samples(samples, twins, share)
    facts = {
        "grouping": samples.grouping,
        "limit": linked.limit,
        "data": _sizes({row.id: row.group for row in samples.rows}),
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
    for pair in pairs:
        for one, other in ((pair.a, pair.b), (pair.b, pair.a)):
            if part[one] == "test" and part[other] == "train":
                found[pair.kind].add(one)
    contents = {row.sha256 for row in samples.rows if row.published == "train"}
    return {
        "parts": dict(Counter(name or "none" for name in part.values())),
        "test": len(test),
        "with_twin": len(set().union(*found.values())),
        "identical_files": sum(row.sha256 in contents for row in samples.rows if row.id in test),
        "kinds": {kind: len(found[kind]) for kind in PAIR_KINDS if found[kind]},
    }


def examples(samples: Samples) -> dict[str, list[str]]:
    """Some sample ids of each label combination, spread evenly over the table; the largest combination first."""
    members: defaultdict[str, list[str]] = defaultdict(list)
    for id, words in samples.combination_of.items():
        members[words].append(id)
    chosen = {}
    for words in sorted(members, key=lambda words: -len(members[words])):
        ids = members[words]
        n = min(EXAMPLES, len(ids))
        chosen[words] = [ids[i * len(ids) // n] for i in range(n)]
    return chosen
