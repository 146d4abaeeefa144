"""How many parts a promise or an interval needs, as plain data: each by itself, or in groups of one size.

A promise is "at most `max_escape` of the defective parts pass, with this confidence": the counts are those with which
`contract.escape_contract` proves it. An interval is that of a proportion, see `sample_size`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from flawscope.evaluation.group_bound import MOSTLY_SINGLE, p_of_groups
from flawscope.evaluation.parts_bound import groups_needed
from flawscope.evaluation.plan import Proof, TooManyError, binomial, defects_needed, design_effect, in_all, power
from flawscope.evaluation.sample_size import RECALL, needed
from flawscope.evaluation.wanted import COUNTED, Wanted

Way = Literal["images", "groups", "effective", "parts"]
"""How images are counted: each as independent, each group as one, by the design effect of a stated correlation, or all
alike with whole groups as the units."""
LADDER = (0, 1, 2, 5, 10)
"""So many escapes may be allowed: what each of them costs in parts is listed."""
INSTEAD = (0.05, 0.02, 0.01, 0.005)
"""Promises that are worked out where none was asked, or one that no number of parts proves."""


@dataclass(frozen=True)
class Sizes:
    """How many parts stand in a group: on average, averaged over parts (the design effect's), and at least."""

    mean: float
    over_parts: float
    least: int

    @classmethod
    def stated(cls, groups_of: float) -> Sizes:
        """Of groups of one size; where it is not whole, some are smaller."""
        return cls(groups_of, groups_of, math.floor(groups_of))

    @classmethod
    def of(cls, group_n: Iterable[str]) -> Sizes:
        """Of parts of which each names its group; of no part, each is by itself.

        >>> Sizes.of(["a", "a", "a", "b"])
        Sizes(mean=2.0, over_parts=2.5, least=1)
        """
        sizes = list(Counter(group_n).values()) or [1]
        return cls(sum(sizes) / len(sizes), sum(size * size for size in sizes) / sum(sizes), min(sizes))


def promise_sizes(wanted: Wanted, share: float, prevalence: float | None, sizes: Sizes | None = None) -> dict[str, Any]:
    """How many defective parts the calibration part must hold for a promise, and how many that is in all.

    `share` is how much of all parts the calibration part is given. `sizes` are those of the groups of parts that are
    there, by default those that are wanted. `ways` holds one way of counting parts that stand
    alone; of groups the way of a stated correlation, or else each part as independent, and beside it each group as one.
    `of_all_parts` is how many groups of one size prove it of all parts, each counted alike, if none passes.

    >>> promise_sizes(Wanted(max_escape=0.01), 0.2, 0.1)["ways"]["images"]["in_all"]
    {'counted': 1495, 'parts': 14950}
    >>> found = promise_sizes(Wanted(max_escape=0.01, groups_of=5), 0.2, None)["ways"]
    >>> {way: (each["parts"], each["groups"]) for way, each in found.items()}
    {'images': (299, 60), 'groups': (1495, 299)}
    """
    sizes = sizes or Sizes.stated(wanted.groups_of)
    independent, escapes = wanted.promise(wanted.escapes)
    assert wanted.max_escape is not None
    found: dict[str, Any] = {
        "max_escape": wanted.max_escape,
        "confidence": wanted.confidence,
        "independent": independent,
        "escapes": escapes,
        "share": share,
        "prevalence": prevalence,
        "group_size": sizes.mean,
        "ways": {},
        "ladder": [],
        "power": None,
        "of_all_parts": None,
    }
    if wanted.groups_of > 1:
        with suppress(TooManyError):  # the size does not matter where it is the same
            found["of_all_parts"] = groups_needed(np.array([2]), wanted.max_escape, wanted.confidence)
    for way, size in _sizes(wanted, sizes).items():
        passed, proof = _rule(wanted, way, size, sizes)
        units, may_pass = wanted.promise(passed, proof)
        if wanted.expected_escape is None:
            parts_may = wanted.escapes
        else:  # units: so many parts at least
            parts_may = math.floor(may_pass * (sizes.least if way == "groups" else size) + 1e-9)
        grouped = _grouped(sizes, way, size, units)
        found["ways"][way] = {"escapes": parts_may, **grouped, "in_all": _in_all(grouped["parts"], share, prevalence)}
    if wanted.expected_escape is not None:
        chance = power(independent, wanted.expected_escape, wanted.max_escape, wanted.confidence)
        found["power"] = {"expected_escape": wanted.expected_escape, "wanted": wanted.power, "reached": chance}
    elif not escapes:
        ladder = [(k, defects_needed(wanted.max_escape, wanted.confidence, k)) for k in LADDER]
        found["ladder"] = [{"escapes": k, "independent": n} for k, n in ladder]
    return found


def no_escape_at_all(confidence: float) -> dict[str, Any]:
    """The same for the promise that none passes, which no number of parts proves: what so many of them do prove.

    >>> [(row["max_escape"], row["independent"]) for row in no_escape_at_all(0.95)["instead"][:3]]
    [(0.05, 59), (0.02, 149), (0.01, 299)]
    """
    instead = [{"max_escape": rate, "independent": defects_needed(rate, confidence)} for rate in INSTEAD]
    return {"max_escape": 0.0, "confidence": confidence, "independent": None, "instead": instead}


def interval_sizes(
    wanted: Wanted, share: float, prevalence: float | None, sizes: Sizes | None = None
) -> dict[str, Any]:
    """How many parts the test part must hold for an interval, and how many that is in all; `share` is its share.

    `sizes` are those of the groups of the parts that the measure counts, by default those that are wanted.

    >>> found = interval_sizes(Wanted(measure="recall", value=0.95, half_width=0.05), 0.2, 0.1)
    >>> found["independent"], found["ways"]["images"]["in_all"]
    (83, {'counted': 415, 'parts': 4150})
    """
    assert wanted.half_width is not None
    sizes = sizes or Sizes.stated(wanted.groups_of)
    measure, value = wanted.measure or "recall", RECALL if wanted.value is None else wanted.value
    if wanted.value is None and measure in ("escape", "overkill"):
        value = 1 - RECALL
    independent = needed(value, wanted.half_width, wanted.confidence)
    of = COUNTED[measure]
    common = {"defective parts": prevalence, "good parts": None if prevalence is None else 1 - prevalence, "parts": 1.0}
    ways: dict[Way, dict[str, Any]] = {}
    for way, size in _sizes(wanted, sizes).items():
        grouped = _grouped(sizes, way, size, independent)
        # How many are called defective shows only after training.
        foretold = of != "parts called defective"
        every = _in_all(grouped["parts"], share, common.get(of)) if foretold else None
        ways[way] = {**grouped, "in_all": every}
    return {
        "measure": measure,
        "of": of,
        "value": value,
        "half_width": wanted.half_width,
        "confidence": wanted.confidence,
        "independent": independent,
        "share": share,
        "prevalence": common.get(of),
        "group_size": sizes.mean,
        "ways": ways,
    }


def _sizes(wanted: Wanted, sizes: Sizes) -> dict[Way, float]:
    """The ways of counting, and how many parts are one unit."""
    if sizes.mean == 1:
        return {"images": 1.0}
    if wanted.correlation is None:
        return {"images": 1.0, "groups": sizes.mean}
    return {"effective": design_effect(sizes.over_parts, wanted.correlation), "groups": sizes.mean}


def _rule(wanted: Wanted, way: Way, size: float, sizes: Sizes) -> tuple[float, Proof]:
    """How many units have passed if so many parts do as are allowed, and by what it is proven."""
    if way != "groups":
        return wanted.escapes / size, binomial
    # Where groups are not all of one size, the parts that pass may stand in the smaller ones.
    return wanted.escapes / sizes.least, binomial if size < MOSTLY_SINGLE else p_of_groups


def _grouped(sizes: Sizes, way: Way, size: float, units: int) -> dict[str, Any]:
    """So many units as parts and as groups; `size` parts are one unit."""
    parts = in_all(units * size, 1)
    return {"size": size, "parts": parts, "groups": units if way == "groups" else math.ceil(parts / sizes.mean)}


def _in_all(parts: int, share: float, prevalence: float | None) -> dict[str, int | None]:
    every = in_all(parts, share)
    return {"counted": every, "parts": None if prevalence is None else in_all(every, prevalence)}
