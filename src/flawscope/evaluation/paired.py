"""Two runs on the same images: the difference of each measure with its interval, and whether chance explains it.

Both runs have decided the same images, so what makes an image hard is hard for both. The interval of the difference
comes from draws of whole groups that are the same for both (paired bootstrap; Efron & Tibshirani, 1993), and is
narrower than two intervals side by side suggest.

Shapes: n samples, k classes, g groups, d bootstrap draws, m measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from flawscope.evaluation import metrics
from flawscope.evaluation.intervals import (
    FEW_GROUPS,
    IndexArray,
    bootstrap_draws,
    bootstrap_interval,
    difference_interval,
)
from flawscope.evaluation.measure import AVERAGED, DRAWS, for_a_person, measure, sampled_values
from flawscope.records import BoolArray, FloatArray, Interval, Task
from flawscope.wording import counted

COUNTED = ("accuracy", "recall", "precision", "specificity", "F1")
"""What hangs on the decisions alone: it differs only where the decisions do."""
RANKED = ("AUROC", "average precision")
MEASURES = (*COUNTED, *RANKED)
SURE = 0.05
OVERALL = ""
"""In place of a class: over all classes."""

_RARER = "the rarer class stands in fewer than"


@dataclass(frozen=True)
class McNemar:
    """How often only one of two runs is right, and how probable that is by chance alone.

    `p_images` is McNemar's exact test (binomial on the images where only one is right): it takes images for
    independent, which those of one group are not. `p_groups` flips whole groups, and is the one to believe.
    """

    both_right: int
    baseline_only: int
    other_only: int
    both_wrong: int
    groups: int
    groups_differing: int
    p_images: float
    p_groups: float
    note: str = ""


@dataclass(frozen=True)
class Difference:
    """One measure of two runs on the same samples; `difference` is other minus baseline, in [-1, 1]."""

    class_name: str
    measure: str
    baseline: Interval
    other: Interval
    difference: Interval

    @property
    def apart(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.difference.low > 0 or self.difference.high < 0

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Answers:
    """What one run has answered on the samples, measured: see `answers`.

    `document` is that of `measure`. For each class `value` holds the m measures on all samples, `drawn` the same on d
    draws.
    """

    task: Task
    truth_nk: BoolArray
    flag_nk: BoolArray
    group_n: IndexArray
    document: dict[str, Any]
    value: dict[str, list[float]]
    drawn: dict[str, FloatArray]
    right_drawn: FloatArray
    unsure_nk: BoolArray

    @property
    def human_n(self) -> BoolArray:
        """Which samples are for a person."""
        return for_a_person(self.flag_nk, self.unsure_nk)

    @property
    def right_n(self) -> BoolArray:
        """Whether every label of a sample is right; what is for a person is not decided, so neither rightly."""
        return _right(self.truth_nk, self.flag_nk, self.unsure_nk)

    def right_of(self, c: int) -> BoolArray:
        """Whether the answer for one class is right; where it is unsure there is none."""
        right_n: BoolArray = (self.truth_nk[:, c] == self.flag_nk[:, c]) & ~self.unsure_nk[:, c]
        return right_n


def answers(
    task: Task,
    target_nk: FloatArray,
    probability_nk: FloatArray,
    flag_nk: BoolArray,
    groups: Sequence[str],
    *,
    unsure_nk: BoolArray | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Answers:
    """Measure one run, and draw its measures over groups. The same groups and seed give the same draws for each run.

    `unsure_nk`: of a run with three answers, see `measure`.

    >>> target_nk = np.array([[0.0], [0], [1], [1]])
    >>> score_nk = np.array([[0.1], [0.6], [0.7], [0.9]])
    >>> made = answers(Task("binary", ("bad",)), target_nk, score_nk, score_nk >= 0.5, list("abcd"), draws=10)
    >>> [round(value, 3) for value in made.value["bad"]]
    [0.75, 1.0, 0.667, 0.5, 0.8, 1.0, 1.0]

    Raises:
        ValueError: as `measure` does, or there are no samples.
    """
    document = measure(
        task, target_nk, probability_nk, flag_nk, groups, thresholds=None, unsure_nk=unsure_nk, seed=seed
    )
    unsure_nk = np.zeros_like(flag_nk) if unsure_nk is None else unsure_nk
    truth_nk = metrics.truth(task.kind, target_nk)
    group_n = np.unique([str(group) for group in groups], return_inverse=True)[1].astype(np.int64)
    value, drawn = {}, {}
    for c, name in enumerate(task.classes):
        order_n = np.argsort(probability_nk[:, c], kind="stable")  # Sorted once, each draw is sorted too.
        truth_n, flag_n, unsure_n = (nk[order_n, c] for nk in (truth_nk, flag_nk, unsure_nk))
        values = partial(_values, truth_n, flag_n, unsure_n, probability_nk[order_n, c])
        value[name] = values(np.arange(len(order_n)))
        drawn[name] = bootstrap_draws(values, group_n[order_n], seed, draws)
    right_n = _right(truth_nk, flag_nk, unsure_nk)
    right_drawn = bootstrap_draws(lambda index: [float(right_n[index].mean())], group_n, seed, draws)[:, 0]
    return Answers(task, truth_nk, flag_nk, group_n, document, value, drawn, right_drawn, unsure_nk)


def _right(truth_nk: BoolArray, flag_nk: BoolArray, unsure_nk: BoolArray) -> BoolArray:
    right_n: BoolArray = (truth_nk == flag_nk).all(axis=1) & ~for_a_person(flag_nk, unsure_nk)
    return right_n


def _values(
    truth_n: BoolArray, flag_n: BoolArray, unsure_n: BoolArray, score_n: FloatArray, index: IndexArray
) -> list[float]:
    """The measures of `MEASURES` on these samples; NaN where one is undefined."""
    found = dict(zip(AVERAGED, sampled_values(truth_n, flag_n, unsure_n, score_n, index), strict=True))
    return [found[measure] for measure in MEASURES]


def differences(baseline: Answers, other: Answers) -> list[Difference]:
    """Every measure that both runs have, other minus baseline: over all classes first, then class by class.

    A mean is over the classes for which both have the measure. A measure of decisions hangs on the groups where the two
    decide differently: its tails are widened for their number.

    Raises:
        ValueError: the two were not measured on the same samples in the same groups.
    """
    same = baseline.truth_nk.shape == other.truth_nk.shape and baseline.right_drawn.shape == other.right_drawn.shape
    if not (same and (baseline.truth_nk == other.truth_nk).all() and (baseline.group_n == other.group_n).all()):
        raise ValueError("both runs must be measured on the same samples, in the same groups, with as many draws")
    by_class = [found for name in baseline.task.classes for found in _of_class(baseline, other, name)]
    return [*_overall(baseline, other), *by_class] if len(baseline.task.classes) > 1 else by_class


def _differ(baseline: Answers, other: Answers) -> BoolArray:
    """Where the two answer differently."""
    return np.asarray((baseline.flag_nk != other.flag_nk) | (baseline.unsure_nk != other.unsure_nk))


def _of_class(baseline: Answers, other: Answers, name: str) -> Iterator[Difference]:
    c = baseline.task.classes.index(name)
    truth_n, group_n = baseline.truth_nk[:, c], baseline.group_n
    units = min(len(np.unique(group_n[kind_n])) for kind_n in (truth_n, ~truth_n) if kind_n.any())
    changed = _groups(group_n, _differ(baseline, other)[:, c])
    for m, key in enumerate(MEASURES):
        ends = [each.document["classes"][name]["measures"].get(key) for each in (baseline, other)]
        if None not in ends:
            first, second = (Interval(**end) for end in ends)
            drawn_d = other.drawn[name][:, m] - baseline.drawn[name][:, m]
            known = None if key == "accuracy" else units
            yield paired_difference((name, key), (first, second), drawn_d, group_n, hangs_on=(known, changed))


def _overall(baseline: Answers, other: Answers) -> Iterator[Difference]:
    """The share of samples that are right, and the mean of each other measure over the classes."""
    group_n, classes = baseline.group_n, baseline.task.classes
    changed = _groups(group_n, np.asarray(_differ(baseline, other).any(axis=1)))
    heads = [
        {entry["name"]: Interval(**entry["interval"]) for entry in each.document["headline"]}
        for each in (baseline, other)
    ]
    key = "accuracy" if baseline.task.kind == "multiclass" else "exact match"
    drawn_d = other.right_drawn - baseline.right_drawn
    yield paired_difference((OVERALL, key), (heads[0][key], heads[1][key]), drawn_d, group_n, hangs_on=(None, changed))
    for m, key in enumerate(MEASURES):
        known = [name for name in classes if np.isfinite([baseline.value[name][m], other.value[name][m]]).all()]
        if key == "accuracy" or not known:
            continue
        truths = [baseline.truth_nk[:, classes.index(name)] for name in known]
        units = min(len(np.unique(group_n[kind_n])) for t_n in truths for kind_n in (t_n, ~t_n) if kind_n.any())
        values = [float(np.mean([each.value[name][m] for name in known])) for each in (baseline, other)]
        drawn = [np.mean([each.drawn[name][:, m] for name in known], axis=0) for each in (baseline, other)]
        ends = [
            head.get(f"mean {key}") or bootstrap_interval(value, drawn_d, group_n, units=units)
            for head, value, drawn_d in zip(heads, values, drawn, strict=True)
        ]
        name = (OVERALL, f"mean {key}")
        yield paired_difference(name, (ends[0], ends[1]), drawn[1] - drawn[0], group_n, hangs_on=(units, changed))


def paired_difference(
    name: tuple[str, str],
    ends: tuple[Interval, Interval],
    drawn_d: FloatArray,
    group_n: npt.ArrayLike,
    *,
    hangs_on: tuple[int | None, int],
    what: str = "decisions",
) -> Difference:
    """One measure of two runs, each between 0 and 1.

    Args:
        name: the class, and the measure.
        ends: the measure of the baseline, and of the other run.
        drawn_d: the other's minus the baseline's, on the same draws.
        group_n: the group of each sample.
        hangs_on: the groups that the measure itself hangs on (none: all), and those where the two differ.
        what: in what they differ there.
    """
    units, changed = len(np.unique(group_n)) if hangs_on[0] is None else hangs_on[0], hangs_on[1]
    of_ranks = name[1].removeprefix("mean ") in RANKED
    fewest = units if of_ranks else min(units, changed)
    interval = difference_interval(ends[1], ends[0], drawn_d, group_n, fewest)
    if fewest < units:  # the note that it comes with speaks of classes
        notes = [text for text in interval.note.split("; ") if text and not text.startswith(_RARER)]
        if changed < FEW_GROUPS:
            notes.append(f"the {what} differ in fewer than {FEW_GROUPS} groups ({changed}): rough")
        interval = replace(interval, note="; ".join(notes))
    return Difference(*name, ends[0], ends[1], interval)


def _groups(group_n: IndexArray, where_n: BoolArray) -> int:
    return len(np.unique(group_n[where_n]))


def mcnemar(baseline_right_n: BoolArray, other_right_n: BoolArray, groups: npt.ArrayLike) -> McNemar:
    """Whether one of two runs is right more often on the same samples than chance would have it; two-sided.

    - `p_images`: McNemar (1947), exact: binomial on the samples where only one of the two is right.
    - `p_groups`: the same question with whole groups as what is exchanged: if the two were alike, which run is which
      could be swapped in each group by itself, so the gain of each group (right answers of the other run minus those
      of the baseline) could as well have the other sign. The exact probability, over all signs, of a total as large as
      the one that was seen (sign-flipping; Winkler et al., 2014, NeuroImage 92:381). Where each sample is its own group
      this is McNemar's test. Samples of one group are not independent: believe this one. Durkalski et al. (2003,
      Statistics in Medicine 22:2417) have an approximation of it for many groups.

    >>> right_n = np.array([True, False, False, False, False, False, False, False, False, True])
    >>> found = mcnemar(right_n, ~right_n, range(10))
    >>> (found.baseline_only, found.other_only, round(found.p_images, 4), round(found.p_groups, 4))
    (2, 8, 0.1094, 0.1094)

    Raises:
        ValueError: the lengths differ, or there are no samples.
    """
    group_n = np.asarray(groups)
    if not (baseline_right_n.shape == other_right_n.shape == group_n.shape) or not group_n.size:
        raise ValueError(
            f"expected right answers and groups of the same samples, got {baseline_right_n.shape}, "
            f"{other_right_n.shape}, {group_n.shape}"
        )
    counts = metrics.confusion(baseline_right_n, other_right_n)
    baseline_only, other_only = counts.fn, counts.fp
    code_n = np.unique(group_n, return_inverse=True)[1]
    gain_n = other_right_n.astype(np.int64) - baseline_right_n
    gain_g = np.bincount(code_n, weights=gain_n).astype(np.int64)
    unequal = baseline_only + other_only
    differing, least = int(np.count_nonzero(gain_g)), 6  # 2 of 2^5 signs are 0.06
    note = (
        f"the two differ in {counted(differing, 'groups')}: fewer than {least} cannot reach {SURE}"
        if differing < least
        else ""
    )
    return McNemar(
        both_right=counts.tp,
        baseline_only=baseline_only,
        other_only=other_only,
        both_wrong=counts.tn,
        groups=len(gain_g),
        groups_differing=differing,
        p_images=float(stats.binomtest(other_only, unequal).pvalue) if unequal else 1.0,
        p_groups=sign_flip(gain_g),
        note=note,
    )


def sign_flip(gain_g: npt.NDArray[np.int64]) -> float:
    """The share of all 2^g choices of signs whose total is at least as far from 0 as that of the signs as they are.

    Exact: the distribution of the total is built up group by group.

    >>> sign_flip(np.array([1, 1, 1, 1, 1, 1])), sign_flip(np.array([3, -3])), sign_flip(np.array([5, 0]))
    (0.03125, 1.0, 1.0)
    """
    sizes = np.abs(gain_g[gain_g != 0])
    reach = int(sizes.sum())
    share = np.zeros(2 * reach + 1)
    share[reach] = 1.0
    for size in sizes:
        # No total so far has come within `size` of either end: nothing is rolled over the edge.
        share = (np.roll(share, size) + np.roll(share, -size)) / 2
    total = np.arange(-reach, reach + 1)
    return float(min(1.0, share[np.abs(total) >= abs(int(gain_g.sum()))].sum()))
