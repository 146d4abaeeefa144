"""Confidence intervals that know which samples belong together, and never have zero width.

Images of one group (a cell, a block, a shift) resemble each other, so n images are worth fewer than n independent
ones. Proportions: Wilson interval on the effective sample size. All else: bootstrap over whole groups.

Shapes: n samples, g groups, d bootstrap draws, c columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from flawscope.records import BoolArray, FloatArray, Interval

FEW_GROUPS = 20
"""An interval over fewer groups than this carries a note: its own width is poorly known."""

BOOTSTRAP = "expanded percentile bootstrap over groups"
"""The `method` of an interval that the bootstrap alone gave."""

IndexArray = npt.NDArray[np.int64]
_TINY = 1e-9
_CHUNK = 100


def wilson(value: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Score interval of a proportion seen on n independent samples (Wilson, 1927); n need not be whole.

    >>> tuple(round(end, 4) for end in wilson(0.8, 10))
    (0.4902, 0.9433)

    Raises:
        ValueError: the value lies outside [0, 1], n is not positive, or the level lies outside (0, 1).
    """
    if not (0.0 <= value <= 1.0 and n > 0 and 0.0 < level < 1.0):
        raise ValueError(f"expected a value in [0, 1], n > 0 and a level in (0, 1), got {value}, {n}, {level}")
    z = _z(level)
    centre = value + z * z / (2 * n)
    half = z * math.sqrt(value * (1 - value) / n + (z / (2 * n)) ** 2)
    low, high = ((centre + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    # At 0 and 1 the end meets the value but for rounding.
    return max(0.0, min(low, value)), min(1.0, max(high, value))


def proportion(success_n: BoolArray, groups: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Wilson interval of a proportion on its effective sample size.

    n_eff = n / deff x (z / t)^2, at least 1. `deff` is the design effect, at least 1: the between-group linearised
    variance of the ratio sum(successes) / sum(samples) over the binomial variance (Kish, 1965). The factor with
    Student's t at g - 1 degrees of freedom pays for estimating it (Korn & Graubard, 1998).

    - Each sample its own group: n_eff = n, the plain Wilson interval.
    - The proportion is 0 or 1: the design effect cannot be estimated, so each group counts as one sample. That is
      conservative: a single failure more can make the interval narrower.
    - One group only: nothing is known about other groups; it counts as one sample.

    >>> print(proportion(np.array([True] * 8 + [False] * 2), range(10)))
    0.800 (0.490 to 0.943)

    Raises:
        ValueError: there are no samples, or the lengths differ.
    """
    code_n, group_count = _codes(groups, len(success_n))
    n, value = len(success_n), float(np.mean(success_n))
    notes = []
    if group_count == n:
        effective = float(n)
    elif group_count == 1:
        effective = 1.0
        notes.append("one group only: it counts as one sample")
    elif value in (0.0, 1.0):
        effective = float(group_count)
        notes.append("all alike: each group counts as one sample")
    else:
        t = float(stats.t.isf((1 - level) / 2, group_count - 1))
        effective = max(1.0, n / design_effect(success_n, code_n) * (_z(level) / t) ** 2)
    if group_count < FEW_GROUPS:
        notes.append(f"fewer than {FEW_GROUPS} groups ({group_count}): rough")
    low, high = wilson(value, effective, level)
    method = "Wilson" if effective == n else "Wilson on the effective sample size"
    return Interval(value, low, high, level, method, n, effective, group_count, "; ".join(notes))


def bootstrap(
    measure: Callable[[IndexArray], float],
    groups: npt.ArrayLike,
    seed: int,
    *,
    draws: int = 1000,
    level: float = 0.95,
    units: int | None = None,
) -> Interval:
    """Interval of any measure in [0, 1], from drawing whole groups with replacement (Efron & Tibshirani, 1993).

    `measure` gets rising sample indices, with repeats, and gives NaN where it is undefined. The rest as in
    `bootstrap_interval`.

    >>> value_n = np.array([0.1, 0.4, 0.5, 0.7, 0.9])
    >>> bootstrap(lambda index: float(value_n[index].mean()), range(5), seed=0).value
    0.52

    Raises:
        ValueError: there are no samples, the lengths differ, or the measure is undefined on all samples.
    """
    n = np.size(np.asarray(groups))
    value = measure(np.arange(n))
    drawn_d = bootstrap_draws(lambda index: [measure(index)], groups, seed, draws)[:, 0]
    return bootstrap_interval(value, drawn_d, groups, level, units)


def bootstrap_draws(
    measures: Callable[[IndexArray], list[float]], groups: npt.ArrayLike, seed: int, draws: int = 1000
) -> FloatArray:
    """Draw several measures on the same draws of whole groups, with replacement: draws x measures.

    Samples sorted by score stay sorted in each draw, because the indices rise.

    >>> bootstrap_draws(lambda index: [float(len(index))], ["a", "a", "b", "b"], seed=0, draws=2).tolist()
    [[4.0], [4.0]]

    Raises:
        ValueError: there are no samples.
    """
    code_n, group_count = _codes(groups, np.size(np.asarray(groups)))
    random = np.random.default_rng(seed)
    index_n = np.arange(len(code_n))
    rows = []
    for _ in range(draws):
        times_g = np.bincount(random.integers(group_count, size=group_count), minlength=group_count)
        rows.append(measures(np.repeat(index_n, times_g[code_n])))
    return np.array(rows, dtype=np.float64)


def bootstrap_sums(value_nc: FloatArray, groups: npt.ArrayLike, seed: int, draws: int = 1000) -> FloatArray:
    """The sum of each column over the samples of each draw: the draws of `bootstrap_draws`, much faster.

    For what is made of sums, as means and ratios are: only the sums of the groups are added up.

    >>> bootstrap_sums(np.array([[1.0], [2.0], [3.0]]), ["a", "a", "a"], seed=0, draws=2).tolist()
    [[6.0], [6.0]]

    Raises:
        ValueError: there are no samples, or the lengths differ.
    """
    code_n, group_count = _codes(groups, len(value_nc))
    sums_gc = group_sums(value_nc, code_n)
    return np.concatenate([times_dg @ sums_gc for times_dg in drawn_times(group_count, seed, draws)])


def drawn_times(group_count: int, seed: int, draws: int = 1000) -> Iterator[IndexArray]:
    """How often each group is in each draw of `bootstrap_draws`, d x g, in pieces that fit into memory.

    >>> [times_dg.sum(axis=1).tolist() for times_dg in drawn_times(5, seed=0, draws=3)]
    [[5, 5, 5]]
    """
    random = np.random.default_rng(seed)
    for size in chunks(draws):
        number_dg = random.integers(group_count, size=(size, group_count))
        number_dg += group_count * np.arange(size)[:, None]  # each draw its own numbers: all are counted at once
        yield np.bincount(number_dg.ravel(), minlength=size * group_count).reshape(size, group_count)


def group_sums(value_nc: FloatArray, code_n: IndexArray) -> FloatArray:
    """The sum of each column over each group, g x c; `code_n` numbers the groups 0 ... g-1.

    >>> group_sums(np.array([[1.0, 0.0], [2.0, 1.0], [4.0, 1.0]]), np.array([1, 0, 1])).tolist()
    [[2.0, 1.0], [5.0, 1.0]]
    """
    return np.stack([np.bincount(code_n, weights=value_n) for value_n in value_nc.T], axis=1).astype(np.float64)


def chunks(draws: int) -> Iterator[int]:
    """So many draws in pieces that fit into memory.

    >>> list(chunks(250))
    [100, 100, 50]
    """
    return (min(_CHUNK, draws - start) for start in range(0, draws, _CHUNK))


def bootstrap_interval(
    value: float,
    drawn_d: FloatArray,
    groups: npt.ArrayLike,
    level: float = 0.95,
    units: int | None = None,
    *,
    edge: float = 0.0,
) -> Interval:
    """The interval that bootstrap draws give for a value in [0, 1]. Undefined draws (NaN) are left out and counted.

    The tails are widened for few groups (expanded percentile interval; Hesterberg, 2015, The American Statistician
    69:371). `units` is the number of groups that the measure hangs on, for example those that hold the rarer class;
    by default all. Where the draws cannot tell the spread (all alike as with perfect scores, fewer than two units, or
    the value outside of its own interval) the interval is stretched over Wilson's on as many samples as there are
    units, and `method` says so. So it is where it lies within `edge` of 0 or of 1 as a whole: that nearly all groups
    are as bad, or as good, as can be says no more about others than if all were.

    >>> bootstrap_interval(1.0, np.ones(100), range(30)).method
    'Wilson, each group counted as one sample'

    Raises:
        ValueError: there are no samples, or the value is not in [0, 1].
    """
    n = np.size(np.asarray(groups))
    _, group_count = _codes(groups, n)
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"expected a value in [0, 1], got {value}")
    units = max(1, min(group_count, group_count if units is None else units))
    defined_d = drawn_d[np.isfinite(drawn_d)]
    low = high = value
    if units >= 2 and defined_d.size:
        tail = expanded_tail(level, units)
        low, high = (float(end) for end in np.quantile(defined_d, [tail, 1 - tail]))
    method, effective, notes = BOOTSTRAP, 0.0, []
    at_the_edge = high < edge or low > 1 - edge
    if at_the_edge or high - low < _TINY or not low - _TINY <= value <= high + _TINY:
        lowest, highest = wilson(value, units, level)
        low, high, effective = min(low, lowest), max(high, highest), float(units)
        method = "Wilson, each group counted as one sample"
        notes.append("the bootstrap cannot tell the spread here")
    if defined_d.size < drawn_d.size:
        notes.append(f"{drawn_d.size - defined_d.size} of {drawn_d.size} draws undefined and left out")
    if group_count < FEW_GROUPS:
        notes.append(f"fewer than {FEW_GROUPS} groups ({group_count}): rough")
    elif units < FEW_GROUPS:
        notes.append(f"the rarer class stands in fewer than {FEW_GROUPS} groups ({units}): rough")
    return Interval(
        value, min(low, value), max(high, value), level, method, n, effective, group_count, "; ".join(notes)
    )


def expanded_tail(level: float, units: int) -> float:
    """The share of draws to leave out at each end, smaller for few units (at least two): Hesterberg (2015).

    >>> round(expanded_tail(0.95, 10), 4), round(expanded_tail(0.95, 10_000), 4)
    (0.0086, 0.025)
    """
    return float(stats.norm.sf(math.sqrt(units / (units - 1)) * stats.t.isf((1 - level) / 2, units - 1)))


def difference_interval(
    first: Interval, second: Interval, drawn_d: FloatArray, groups: npt.ArrayLike, units: int | None = None
) -> Interval:
    """The interval of first minus second, in [-1, 1], from draws of the difference on the same groups.

    Both are measured on the same samples, so each draw must hold the same groups for both. The rules of
    `bootstrap_interval` are for [0, 1], and the difference is mapped there. Where the draws cannot tell the spread
    (all alike, as where both always agree), it reaches to the far ends of the two intervals: that is conservative.

    >>> alike = Interval(0.9, 0.8, 0.95)
    >>> print(difference_interval(alike, alike, np.zeros(100), range(30)))
    0.000 (-0.150 to 0.150)

    Raises:
        ValueError: there are no samples.
    """
    value = first.value - second.value
    half = bootstrap_interval((value + 1) / 2, (drawn_d + 1) / 2, groups, first.level, units)
    if half.method == BOOTSTRAP:
        return replace(half, value=value, low=min(2 * half.low - 1, value), high=max(2 * half.high - 1, value))
    low, high = first.low - second.high, first.high - second.low
    return replace(half, value=value, low=low, high=high, method="the far ends of the two intervals", effective=0.0)


def _z(level: float) -> float:
    return float(stats.norm.isf((1 - level) / 2))


def _codes(groups: npt.ArrayLike, n: int) -> tuple[IndexArray, int]:
    """Groups as whole numbers 0 ... g-1, and g."""
    name_n = np.asarray(groups)
    if name_n.shape != (n,) or n == 0:
        raise ValueError(f"expected one group for each of at least one sample, got {name_n.shape} for {n} samples")
    name_g, code_n = np.unique(name_n, return_inverse=True)
    return code_n.astype(np.int64), len(name_g)


def design_effect(success_n: BoolArray, code_n: IndexArray) -> float:
    """Between-group variance of the ratio over the binomial one, at least 1; exactly 1 for groups of one sample.

    `code_n` numbers the groups 0 ... g-1; at least two of them, and some samples of each outcome.

    >>> design_effect(np.array([True, True, False, False]), np.array([0, 0, 1, 1]))
    3.0
    """
    n, value = len(success_n), float(np.mean(success_n))
    residual_g = np.bincount(code_n, weights=success_n - value)
    groups = len(residual_g)
    between = groups / (groups - 1) * float(np.sum(residual_g**2)) / n**2
    return max(1.0, between / (value * (1 - value) / (n - 1)))
