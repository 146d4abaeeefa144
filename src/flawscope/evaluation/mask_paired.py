"""Two runs that make masks on the same images: the difference of each measure of masks, with its interval.

As for decisions (`paired`): whole groups are drawn, the same for both, so that what makes an image hard is hard for
both. Shapes: n images, k classes, c = k + 1 columns (the classes, and any of them as one), d bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from flawscope.evaluation.intervals import bootstrap_sums
from flawscope.evaluation.mask_facts import SHARE, MaskFacts
from flawscope.evaluation.mask_measures import (
    ANY,
    DRAWS,
    OF_A_CLASS,
    OVER_ALL,
    drawn_values,
    hangs_on,
    measure_masks,
    units_of,
)
from flawscope.evaluation.paired import OVERALL, Difference, paired_difference
from flawscope.records import FloatArray, Interval

RECALL, FALSE = "flaw recall", "false flaws an image"
COMPARED = ("mean IoU", "mean Dice", "mean Dice on flawed", "mean Dice over images")
"""Of all classes together; what no marks would get is the same for both."""

Column = tuple[str, int | None]
"""A measure, and its column of classes; none for a mean over them."""


@dataclass(frozen=True)
class MaskAnswers:
    """What one run has marked on the images, measured: `document` is that of `measure_masks`, `drawn` each measure on
    d draws.
    """

    classes: tuple[str, ...]
    facts: MaskFacts
    groups: tuple[str, ...]
    document: dict[str, Any]
    drawn: Mapping[Column, FloatArray]


def mask_answers(classes: Sequence[str], facts: MaskFacts, groups: Sequence[str], *, seed: int = 0) -> MaskAnswers:
    """Measure the masks of one run, and draw the measures. The same groups and seed give the same draws for each run.

    Raises:
        ValueError: the classes or groups do not fit the facts.
    """
    document = measure_masks(classes, facts, groups, seed=seed)
    _, value_dm, keys = drawn_values(facts, groups, seed)
    drawn = dict(zip(keys, value_dm.T, strict=True)) | _flaws_drawn(facts, groups, seed)
    return MaskAnswers(tuple(classes), facts, tuple(map(str, groups)), document, drawn)


def _flaws_drawn(facts: MaskFacts, groups: Sequence[str], seed: int) -> dict[Column, FloatArray]:
    """Flaw recall and false flaws an image on the draws, of each class and of all together."""
    n, k = len(facts), facts.classes
    counts = [np.ones(n)]
    for c in range(k + 1):
        flaws, regions = (
            each if c == k else each.of(np.asarray(each.kind == c)) for each in (facts.flaws, facts.regions)
        )
        for side, chosen in (
            (flaws, flaws.covered >= SHARE),
            (flaws, flaws.covered >= 0),
            (regions, regions.covered < SHARE),
        ):
            counts.append(np.bincount(side.image[chosen], minlength=n).astype(np.float64))
    sums_dm = bootstrap_sums(np.stack(counts, axis=1), groups, seed, DRAWS)
    drawn: dict[Column, FloatArray] = {}
    for c in range(k + 1):
        found_d, flaws_d, false_d = sums_dm[:, 3 * c + 1 : 3 * c + 4].T
        drawn[RECALL, c] = np.where(flaws_d > 0, found_d / np.maximum(flaws_d, 1), np.nan)
        drawn[FALSE, c] = false_d / sums_dm[:, 0]
    return drawn


def mask_differences(baseline: MaskAnswers, other: MaskAnswers) -> list[Difference]:
    """Every measure of masks that both runs have, other minus baseline: over all classes first, then class by class.

    A measure of marks hangs on the groups that show the class, and on those where the two have marked differently: the
    tails of the interval are widened for the fewer of them. Of a single class, what is over all classes says all.

    Raises:
        ValueError: the two were not measured on the same images, with the same classes, in the same groups.
    """
    same = (baseline.classes, baseline.groups) == (other.classes, other.groups)
    if not (same and np.array_equal(baseline.facts.truth_nc, other.facts.truth_nc)):
        raise ValueError("both runs must be measured on the same images with the same masks, in the same groups")
    return list(_differences(baseline, other))


def _differences(baseline: MaskAnswers, other: MaskAnswers) -> Iterator[Difference]:
    classes, k = baseline.classes, len(baseline.classes)
    shown: list[tuple[tuple[str, str], Column]] = [((OVERALL, key), (key, None)) for key in COMPARED]
    if k > 1:
        shown.insert(1, ((OVERALL, f"IoU of {ANY}"), ("IoU", k)))
    shown += [((OVERALL, key), (key, k)) for key in (RECALL, FALSE)]
    if k > 1:
        shown += [((name, key), (key, c)) for c, name in enumerate(classes) for key in (*OF_A_CLASS, RECALL, FALSE)]
    for name, column in shown:
        ends = [_end(each, column) for each in (baseline, other)]
        if ends[0] and ends[1]:
            yield _difference(name, column, (ends[0], ends[1]), baseline, other)


def _end(answers: MaskAnswers, column: Column) -> Interval | None:
    """One measure of one run with its interval, if it has one."""
    (measure, c), document = column, answers.document
    if c is None:
        assert measure in OVER_ALL
        entry = document["measures"]
    else:
        name = (*answers.classes, ANY)[c]
        entry = (document["flaws"] if measure in (RECALL, FALSE) else document)["classes"][name]["measures"]
    return Interval(**entry[measure]) if measure in entry else None


def _difference(
    name: tuple[str, str],
    column: Column,
    ends: tuple[Interval, Interval],
    baseline: MaskAnswers,
    other: MaskAnswers,
) -> Difference:
    measure, c = column
    facts, k = baseline.facts, len(baseline.classes)
    units_c = units_of(facts, baseline.groups)
    columns = slice(0, k) if c in (None, k) else slice(c, c + 1)
    differ_n = np.any(
        (facts.marked_nc != other.facts.marked_nc)[:, columns] | (facts.both_nc != other.facts.both_nc)[:, columns],
        axis=1,
    )
    changed = len(np.unique(np.asarray(baseline.groups)[differ_n]))
    units = None if measure == FALSE else hangs_on(measure, units_c) if c is None else int(units_c[c])
    drawn_d = other.drawn[column] - baseline.drawn[column]
    # Counts may be above 1: they are measured in units of the largest.
    scale = max(1.0, *(each.high for each in ends), float(np.nanmax(np.abs(drawn_d), initial=0.0)))
    found = paired_difference(
        name,
        (_scaled(ends[0], 1 / scale), _scaled(ends[1], 1 / scale)),
        drawn_d / scale,
        np.asarray(baseline.groups),
        hangs_on=(units, changed),
        what="marks",
    )
    return Difference(*name, *ends, _scaled(found.difference, scale))


def _scaled(interval: Interval, scale: float) -> Interval:
    value, low, high = (scale * end for end in (interval.value, interval.low, interval.high))
    return replace(interval, value=value, low=min(low, value), high=max(high, value)) if scale != 1.0 else interval
