"""Scores of a challenge and the ranks that they allow: pure functions of arrays.

Every score has an interval from draws of whole groups (grouped bootstrap). All entries see the same draws, so two of
them are compared image for image, and what makes an image hard is hard for both.

The rule of ranks: an entry's rank is 1 and one more for each entry that is shown to be better, that is, whose
difference has a 95 % interval that leaves 0 out. So entries that nobody is shown to be better than share rank 1. Where
A is better than C and B can be told from neither, B shares the rank of A: no order can keep both pairs together.

Letters: n images, k classes, d draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from flawscope.challenge.labels import Labels
from flawscope.challenge.spec import Challenge, Metric
from flawscope.evaluation import metrics
from flawscope.evaluation.intervals import (
    IndexArray,
    bootstrap_draws,
    bootstrap_interval,
    bootstrap_sums,
    difference_interval,
    proportion,
)
from flawscope.records import BoolArray, FloatArray, Interval

DRAWS = 1000
SEED = 0
LEVEL = 0.95
OF_DECISIONS: tuple[Metric, ...] = ("mean_f1", "accuracy")
"""Metrics that hang on the decisions alone; the others hang on the order of the scores."""
MEASURES = ("accuracy", "recall", "precision", "specificity", "F1")
"""What is told of each class."""


class Answered(Protocol):
    """What an entry has said of each image of a part, in the order of its labels."""

    @property
    def scores_nk(self) -> FloatArray:
        """The higher, the surer that an image shows a class."""

    @property
    def decided_nk(self) -> BoolArray:
        """Which classes an image is said to show."""


@dataclass(frozen=True)
class Score:
    """What an entry has reached on a part.

    `classes` holds for each class the measures of `MEASURES`; None where one cannot be computed, as precision where
    nothing was called. `passed`: the metric reaches the pass mark; `surely`: so does the low end of its interval.
    The rest is for comparisons: the metric on each draw, which images are decided how, and the groups.
    """

    metric: Interval
    classes: Mapping[str, Mapping[str, Interval | None]]
    passed: bool
    surely: bool
    drawn_d: FloatArray
    decided_nk: BoolArray
    group_n: IndexArray
    units: int
    of_decisions: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain data for the store and for JSON: all but what is for comparisons."""
        rows = {
            name: {key: None if found is None else found.as_dict() for key, found in measures.items()}
            for name, measures in self.classes.items()
        }
        return {"metric": self.metric.as_dict(), "passed": self.passed, "surely": self.surely, "classes": rows}


def scored(challenge: Challenge, labels: Labels, answers: Answered, *, draws: int = DRAWS) -> Score:
    """Measure the answers of an entry to a part: the metric of the challenge, and each class.

    The value is 0/0 never: `flawscope challenge new` sees to it that each part holds images with and without each
    class. Draws without one of them are left out, and the interval's note counts them.

    Raises:
        ValueError: answers of another shape, scores that are not finite, or a multi-class image without exactly one
            decision.
    """
    scores_nk, decided_nk, truth_nk = answers.scores_nk, answers.decided_nk, labels.truth_nk
    if scores_nk.shape != truth_nk.shape or decided_nk.shape != truth_nk.shape or decided_nk.dtype != np.bool_:
        raise ValueError(f"expected scores and decisions {truth_nk.shape}, got {scores_nk.shape}, {decided_nk.shape}")
    if not np.isfinite(scores_nk).all():
        raise ValueError("scores must be finite")
    if challenge.kind == "multiclass" and not (decided_nk.sum(axis=1) == 1).all():
        raise ValueError("a multi-class image has exactly one decision")
    group_n = np.unique(labels.groups, return_inverse=True)[1].astype(np.int64)
    sums_c = _outcomes(truth_nk, decided_nk)
    drawn_dc = bootstrap_sums(sums_c, group_n, SEED, draws)
    f1_k, f1_dk = _f1(sums_c.sum(axis=0)[None])[0], _f1(drawn_dc)
    units_k = [min(len(np.unique(group_n[kind_n])) for kind_n in (t_n, ~t_n) if kind_n.any()) for t_n in truth_nk.T]
    units = min(units_k)
    if challenge.metric == "mean_f1":
        value, drawn_d = float(f1_k.mean()), f1_dk.mean(axis=1)
    elif challenge.metric == "accuracy":
        value, drawn_d = float(sums_c[:, -1].mean()), drawn_dc[:, -1] / drawn_dc[:, :4].sum(axis=1)
        units = len(np.unique(group_n))
    else:
        value, drawn_d = _ranks(challenge.metric, truth_nk, scores_nk, group_n, draws)
    found = bootstrap_interval(value, drawn_d, group_n, LEVEL, units)
    rows = {
        name: _class(truth_nk[:, c], decided_nk[:, c], group_n, (float(f1_k[c]), f1_dk[:, c], units_k[c]))
        for c, name in enumerate(challenge.classes)
    }
    return Score(
        metric=found,
        classes=rows,
        passed=found.value >= challenge.pass_mark,
        surely=found.low >= challenge.pass_mark,
        drawn_d=drawn_d,
        decided_nk=decided_nk,
        group_n=group_n,
        units=units,
        of_decisions=challenge.metric in OF_DECISIONS,
    )


def _outcomes(truth_nk: BoolArray, decided_nk: BoolArray) -> FloatArray:
    """Found, called wrongly, missed and let pass for each class, 4 columns each; last whether every label is right."""
    parts = (truth_nk & decided_nk, ~truth_nk & decided_nk, truth_nk & ~decided_nk, ~truth_nk & ~decided_nk)
    four_n4k = np.stack(parts, axis=2).reshape(len(truth_nk), -1)
    right_n = (truth_nk == decided_nk).all(axis=1)
    return np.column_stack([four_n4k, right_n]).astype(np.float64)


def _f1(sums_dc: FloatArray) -> FloatArray:
    """F1 of each class, d x k; NaN where no image shows it, as in `evaluation.measure`."""
    tp_dk, fp_dk, fn_dk = (sums_dc[:, column:-1:4] for column in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(tp_dk + fn_dk > 0, 2 * tp_dk / (2 * tp_dk + fp_dk + fn_dk), np.nan)


def _ranks(
    metric: Metric, truth_nk: BoolArray, scores_nk: FloatArray, group_n: IndexArray, draws: int
) -> tuple[float, FloatArray]:
    """AUROC or average precision, the mean over the classes, on all images and on each draw."""
    of = metrics.auroc if metric == "mean_auroc" else metrics.average_precision
    values, drawn = [], []
    for truth_n, score_n in zip(truth_nk.T, scores_nk.T, strict=True):
        order_n = np.argsort(score_n, kind="stable")  # sorted once, each draw is sorted, too
        t_n, s_n = truth_n[order_n], score_n[order_n]

        def value(index: IndexArray, t_n: BoolArray = t_n, s_n: FloatArray = s_n) -> list[float]:
            picked_n = t_n[index]
            return [of(picked_n, s_n[index]) if picked_n.any() and not picked_n.all() else math.nan]

        values.append(value(np.arange(len(order_n)))[0])
        drawn.append(bootstrap_draws(value, group_n[order_n], SEED, draws)[:, 0])
    return float(np.mean(values)), np.mean(drawn, axis=0)


def _class(
    truth_n: BoolArray, flag_n: BoolArray, group_n: IndexArray, f1: tuple[float, FloatArray, int]
) -> dict[str, Interval | None]:
    """The measures of one class: proportions on the images in their denominator, F1 from the draws."""
    rows = {
        "accuracy": (truth_n == flag_n, np.ones_like(truth_n)),
        "recall": (flag_n, truth_n),
        "precision": (truth_n, flag_n),
        "specificity": (~flag_n, ~truth_n),
    }
    found: dict[str, Interval | None] = {
        key: proportion(hit_n[among_n], group_n[among_n], LEVEL) if among_n.any() else None
        for key, (hit_n, among_n) in rows.items()
    }
    value, drawn_d, units = f1
    found["F1"] = bootstrap_interval(value, drawn_d, group_n, LEVEL, units) if math.isfinite(value) else None
    return found


def difference(first: Score, second: Score) -> Interval:
    """First minus second, in [-1, 1], with its interval from the draws that both have seen.

    A metric of decisions hangs on the groups where the two decide differently: its tails are widened for their number.
    Where the draws cannot tell the spread, as of equal answers, the interval reaches over both scores' own.

    Raises:
        ValueError: the two were not scored on the same images.
    """
    if first.decided_nk.shape != second.decided_nk.shape or not np.array_equal(first.group_n, second.group_n):
        raise ValueError("both entries must be scored on the same images, in the same groups")
    units = min(first.units, second.units)
    if first.of_decisions:
        differs_n = (first.decided_nk != second.decided_nk).any(axis=1)
        units = min(units, len(np.unique(first.group_n[differs_n])))
    return difference_interval(first.metric, second.metric, first.drawn_d - second.drawn_d, first.group_n, units)


@dataclass(frozen=True)
class Entry:
    """A team or a submission, and its score on the part that is ranked."""

    name: str
    score: Score


@dataclass(frozen=True)
class Ranked:
    """The place of an entry. It could as well have any place from `rank` to `worst`.

    `beaten_by` names the entries that are shown to be better, `beats` those that it is shown to be better than; from
    all others it cannot be told. `shared`: another entry has the same rank.
    """

    name: str
    score: Score
    rank: int
    worst: int
    beaten_by: tuple[str, ...]
    beats: tuple[str, ...]
    shared: bool = False


def ranked(entries: Sequence[Entry], compare: Callable[[Score, Score], Interval] = difference) -> list[Ranked]:
    """The entries by rank, within a rank by their value, then as they were given. For the rule see above.

    `compare` is `difference`, or one that remembers what it has found.

    Of 20 comparisons of entries that are equal in truth, one is taken for different: the level holds for each pair.

    Raises:
        ValueError: two entries of one name, or not scored on the same images.
    """
    names = [entry.name for entry in entries]
    if len(set(names)) != len(names):
        raise ValueError("each entry needs a name of its own")
    better: dict[str, list[str]] = {name: [] for name in names}
    worse: dict[str, list[str]] = {name: [] for name in names}
    for place, one in enumerate(entries):
        for other in entries[place + 1 :]:
            found = compare(one.score, other.score)
            if found.low > 0 or found.high < 0:
                first, second = (one.name, other.name) if found.low > 0 else (other.name, one.name)
                better[second].append(first)
                worse[first].append(second)
    made = [
        Ranked(
            name=entry.name,
            score=entry.score,
            rank=1 + len(better[entry.name]),
            worst=len(entries) - len(worse[entry.name]),
            beaten_by=tuple(better[entry.name]),
            beats=tuple(worse[entry.name]),
        )
        for entry in entries
    ]
    ranks = [each.rank for each in made]
    made = [replace(each, shared=ranks.count(each.rank) > 1) for each in made]
    return sorted(made, key=lambda each: (each.rank, -each.score.metric.value))


def ladder(best_so_far: float | None, new: float, step: float) -> float:
    """What the board shows after a submission that has scored `new`: the Ladder (Blum & Hardt, ICML 2015).

    A team's score moves only if the new one is better than what the board shows by more than `step`, and then to the
    nearest multiple of it; else what stood there stays. So nearly every submission of somebody who probes tells
    nothing. Their paper speaks of losses; here more is better. A step of 0 shows the best score as it is: no ladder.

    >>> ladder(None, 0.7234, 0.01), ladder(0.72, 0.7299, 0.01), ladder(0.72, 0.7341, 0.01), ladder(0.72, 0.5, 0.01)
    (0.72, 0.72, 0.73, 0.72)

    Raises:
        ValueError: a score outside [0, 1], or a negative step.
    """
    if not 0 <= new <= 1 or step < 0:
        raise ValueError(f"expected a score in [0, 1] and a step of at least 0, got {new} and {step}")
    if best_so_far is not None and new <= best_so_far + step + (1e-12 if step else 0.0):
        return best_so_far
    # Rounded once more, so that a multiple of 0.01 reads 0.73 and not 0.7300000000000001.
    return min(1.0, round(round(new / step) * step, 12)) if step else new


def shift(public: Interval, private: Interval) -> Interval:
    """How far the final score lies from that of the board, private minus public, with its interval.

    The two parts share no group, so the two are independent: the interval is that of a difference of independent
    estimates from their own intervals (method of variance estimates recovery; Zou & Donner, 2008, Statistics in
    Medicine 27:1693). An entry that has learnt the public part falls: its shift lies below 0.

    >>> print(shift(Interval(0.8, 0.7, 0.9), Interval(0.7, 0.6, 0.8)))
    -0.100 (-0.241 to 0.041)
    """
    value = private.value - public.value
    low = value - math.hypot(private.value - private.low, public.high - public.value)
    high = value + math.hypot(private.high - private.value, public.value - public.low)
    return replace(
        private,
        value=value,
        low=low,
        high=high,
        n=private.n + public.n,
        groups=private.groups + public.groups,
        effective=0.0,
        method="two independent parts, from their intervals",
        note="",
    )
