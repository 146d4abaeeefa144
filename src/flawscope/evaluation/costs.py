"""What mistakes cost: the thresholds with the least expected cost, and the band in which a person looks.

A part is called bad at or above `high`, good below `low`, and in between a person looks at it and decides rightly
(Chow, 1970, On Optimum Recognition Error and Reject Tradeoff). The expected cost of a part at the line is

    pi (C_escape P(s < low | bad) + C_review P(low <= s < high | bad))
    + (1 - pi) (C_overkill P(s >= high | good) + C_review P(low <= s < high | good))

with the share pi of bad parts at the line, which is seldom that of the data: the two probabilities are measured in each
kind by itself, so that only pi need be known (Elkan, 2001; Saerens et al., 2002, speak of prior shift: pictures of bad
parts look like before, there are only fewer). The cost splits into one term of `low` and one of `high`, so the best
pair is found exactly, among all thresholds that the scores tell apart.

On the parts that chose them the thresholds look better than they are. What they cost is said by the test part.

Letters: n parts, j cuts between neighbouring scores, rising.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.evaluation import metrics
from flawscope.evaluation.decisions import widest_middle
from flawscope.evaluation.intervals import BOOTSTRAP, bootstrap_interval, bootstrap_sums, proportion
from flawscope.records import BoolArray, FloatArray, Interval

CURVE_POINTS = 200


@dataclass(frozen=True)
class Costs:
    """What an escape, an overkill and a look by a person cost, in one unit of money or effort a part.

    `review` None: nobody looks. `prevalence`: the share of bad parts at the line; None: that of the data.

    Raises:
        ValueError: a cost that is not positive, a look that is not cheaper than both mistakes together allow, or a
            prevalence outside (0, 1).
    """

    escape: float
    overkill: float
    review: float | None = None
    prevalence: float | None = None

    def __post_init__(self) -> None:
        given = [self.escape, self.overkill, *([] if self.review is None else [self.review])]
        if not all(math.isfinite(cost) and cost > 0 for cost in given):
            raise ValueError(f"costs are above 0, got {given}")
        if self.prevalence is not None and not 0 < self.prevalence < 1:
            raise ValueError(f"the prevalence lies in (0, 1), got {self.prevalence}")

    @property
    def review_can_pay(self) -> bool:
        """Whether a look can be cheaper than both mistakes, at some probability of being bad.

        There it must be below p C_escape and (1 - p) C_overkill: that is, below the harmonic sum of both.

        >>> Costs(100, 10, review=2).review_can_pay, Costs(100, 10, review=9.5).review_can_pay
        (True, False)
        """
        return self.review is not None and self.review < self.escape * self.overkill / (self.escape + self.overkill)

    def bayes(self) -> tuple[float, float]:
        """The thresholds on a probability that is true at the line (Chow, 1970): low and high, equal without a band.

        >>> Costs(100, 10, review=2).bayes(), Costs(1, 1).bayes()
        ((0.02, 0.8), (0.5, 0.5))
        """
        if self.review is not None and self.review_can_pay:
            return self.review / self.escape, 1 - self.review / self.overkill
        single = self.overkill / (self.escape + self.overkill)
        return single, single


@dataclass(frozen=True)
class Band:
    """The thresholds with the least expected cost on some parts, and what they cost there.

    `low` equals `high` where nobody looks. `cost` is that of a part at the line; `escape` and `overkill` are shares of
    the bad and of the good parts, `review` of all parts at the line. The last four are what other rules would cost.
    """

    low: float
    high: float
    prevalence: float
    cost: Interval
    review: Interval
    escape: Interval
    overkill: Interval
    cost_without_review: float
    cost_all_good: float
    cost_all_bad: float
    cost_all_reviewed: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def fit_band(score_n: npt.ArrayLike, truth_n: npt.ArrayLike, groups: npt.ArrayLike, costs: Costs) -> Band | None:
    """The thresholds with the least expected cost; None where bad or good parts are missing, so that nothing is known.

    Args:
        score_n: scores in [0, 1], the larger the worse.
        truth_n: which parts are bad.
        groups: what each belongs to; parts of different groups are independent.
        costs: of the mistakes and of a look, and how many parts at the line are bad.

    >>> score_n, truth_n = np.array([0.1, 0.2, 0.4, 0.6, 0.7, 0.9]), np.array([0, 0, 1, 0, 1, 1], bool)
    >>> band = fit_band(score_n, truth_n, range(6), Costs(escape=100, overkill=10, review=1))
    >>> round(band.low, 2), round(band.high, 2), round(band.cost.value, 3), round(band.review.value, 2)
    (0.3, 0.65, 0.333, 0.33)

    Raises:
        ValueError: lengths that differ, or scores outside [0, 1].
    """
    score, truth = _checked(score_n, truth_n, groups)
    if truth.all() or not truth.any():
        return None
    without = cheapest(score, truth, _no_review(costs))[0]
    return measured(score, truth, groups, costs, cheapest(score, truth, costs), chosen_without=without)


def measured(
    score_n: npt.ArrayLike,
    truth_n: npt.ArrayLike,
    groups: npt.ArrayLike,
    costs: Costs,
    thresholds: tuple[float, float],
    *,
    chosen_without: float | None = None,
) -> Band | None:
    """What two thresholds, low and high, cost on some parts; None where bad or good ones are missing.

    `chosen_without` is the threshold of the rule without a look that they are held against; by default `high`.

    Raises:
        ValueError: see `fit_band`.
    """
    score, truth = _checked(score_n, truth_n, groups)
    if truth.all() or not truth.any():
        return None
    low, high = thresholds
    prevalence = float(truth.mean()) if costs.prevalence is None else costs.prevalence
    looked, passed, called = (score >= low) & (score < high), score < low, score >= high
    look = costs.review or 0.0
    most = max(costs.escape, costs.overkill, look)
    code = np.asarray(groups)
    price_n = np.where(truth, passed * costs.escape, called * costs.overkill) + looked * look
    price, review = _drawn(np.stack([price_n / most, looked], axis=1), truth, code, prevalence)
    escape = proportion(passed[truth], code[truth])
    overkill = proportion(called[~truth], code[~truth])
    looks = (
        (prevalence, proportion(looked[truth], code[truth])),
        (1 - prevalence, proportion(looked[~truth], code[~truth])),
    )
    priced = (
        (prevalence * costs.escape, escape),
        ((1 - prevalence) * costs.overkill, overkill),
        *((weight * look, share) for weight, share in looks),
    )
    single = high if chosen_without is None else chosen_without
    without_n = np.where(truth, (score < single) * costs.escape, (score >= single) * costs.overkill)
    return Band(
        low=low,
        high=high,
        prevalence=prevalence,
        cost=_with_rare(_scaled(price, most), priced),
        review=_at_most_all(_with_rare(review, looks)),
        escape=escape,
        overkill=overkill,
        cost_without_review=_at_the_line(without_n, truth, prevalence),
        cost_all_good=prevalence * costs.escape,
        cost_all_bad=(1 - prevalence) * costs.overkill,
        cost_all_reviewed=costs.review,
    )


def cheapest(score: FloatArray, truth: BoolArray, costs: Costs) -> tuple[float, float]:
    """The pair of thresholds with the least cost, each in the middle of the widest range of equally good ones.

    >>> low, high = cheapest(np.array([0.1, 0.4, 0.6, 0.9]), np.array([False, True, False, True]), Costs(9, 9, 1))
    >>> round(low, 2), round(high, 2)
    (0.25, 0.75)
    """
    cuts = _Cuts.of(score, truth, costs)
    one = cuts.of_low + cuts.of_high
    single = widest_middle(_same(one, one.min()), cuts.upper, cuts.lower)
    if not costs.review_can_pay:
        return single, single
    least_low = np.minimum.accumulate(cuts.of_low)
    both = least_low + cuts.of_high
    if both.min() > one.min() - 1e-12:
        return single, single
    last = int(np.argmin(both))
    highs = _same(both, both[last]) & _same(least_low, least_low[last])
    lows = _same(cuts.of_low, least_low[last]) & (np.arange(len(one)) <= last)
    return widest_middle(lows, cuts.upper, cuts.lower), widest_middle(highs, cuts.upper, cuts.lower)


def cost_curve(score_n: npt.ArrayLike, truth_n: npt.ArrayLike, costs: Costs) -> dict[str, list[float]]:
    """The expected cost of a part against one threshold, nobody looking: at most `CURVE_POINTS` points, rising.

    >>> cost_curve([0.2, 0.8], [False, True], Costs(10, 1))
    {'threshold': [0.2, 0.8, 1.0], 'cost': [0.5, 0.0, 5.0]}
    """
    score, truth = _checked(score_n, truth_n, range(np.size(np.asarray(score_n))))
    if truth.all() or not truth.any():
        return {}
    cuts = _Cuts.of(score, truth, _no_review(costs))
    cost = cuts.of_low + cuts.of_high
    spread = np.linspace(0, len(cost) - 1, CURVE_POINTS - 1).round().astype(int)
    some = np.unique(np.append(spread, np.argmin(cost)))  # the least cost is on the curve
    return {"threshold": cuts.upper[some].tolist(), "cost": cost[some].round(12).tolist()}


@dataclass(frozen=True)
class _Cuts:
    """All thresholds that the scores tell apart, rising: lower < threshold <= upper, and both terms of the cost."""

    lower: FloatArray
    upper: FloatArray
    of_low: FloatArray
    of_high: FloatArray

    @classmethod
    def of(cls, score: FloatArray, truth: BoolArray, costs: Costs) -> _Cuts:
        tp, fp, at = (part[::-1] for part in metrics.counts_by_threshold(truth, score))
        upper = np.minimum(at, 1.0)
        lower = np.append(0.0, upper[:-1])
        bad, good = 1 - tp / truth.sum(), 1 - fp / (~truth).sum()  # the shares of both kinds below
        share = float(truth.mean()) if costs.prevalence is None else costs.prevalence
        # Where nobody looks any cost of a look gives the right sum, as long as both thresholds are one.
        look = costs.review or 0.0
        of_low = share * (costs.escape - look) * bad - (1 - share) * look * good
        of_high = share * look * bad + (1 - share) * (costs.overkill * (1 - good) + look * good)
        possible = upper > lower  # a score of exactly 1 is always called, one of exactly 0 never
        return cls(*(part[possible] for part in (lower, upper, of_low, of_high)))


def _same(value_j: FloatArray, value: float) -> BoolArray:
    return np.isclose(value_j, value, rtol=1e-12, atol=1e-12)


def _no_review(costs: Costs) -> Costs:
    return Costs(costs.escape, costs.overkill, None, costs.prevalence)


def _at_the_line(value_n: FloatArray, truth: BoolArray, prevalence: float) -> float:
    """The mean of a part at the line: bad and good parts by their share there; NaN without either."""
    if truth.all() or not truth.any():
        return math.nan
    return float(prevalence * value_n[truth].mean() + (1 - prevalence) * value_n[~truth].mean())


def _drawn(value_nc: FloatArray, truth: BoolArray, code: npt.NDArray[Any], prevalence: float) -> list[Interval]:
    """The mean of each column of a part at the line, each with its interval: whole groups are drawn."""
    columns = value_nc.shape[1]
    bad_n1 = truth[:, None]
    both_nc = np.hstack([value_nc * bad_n1, value_nc * ~bad_n1, bad_n1, ~bad_n1])
    drawn_dc = bootstrap_sums(both_nc, code, seed=0)
    with np.errstate(invalid="ignore"):  # a draw without bad or without good parts is undefined
        bad_dc = drawn_dc[:, :columns] / drawn_dc[:, [2 * columns]]
        good_dc = drawn_dc[:, columns : 2 * columns] / drawn_dc[:, [2 * columns + 1]]
    line_dc = prevalence * bad_dc + (1 - prevalence) * good_dc
    return [
        bootstrap_interval(_at_the_line(value_n, truth, prevalence), line_d, code)
        for value_n, line_d in zip(value_nc.T, line_dc.T, strict=True)
    ]


def _with_rare(drawn: Interval, priced: Sequence[tuple[float, Interval]]) -> Interval:
    """The interval of a cost or a load, at least as wide as its shares ask: what is rare is in no draw, and is dear.

    The limits of the shares, each times its price, put together as if they were independent (Zou & Donner, 2008,
    Statistics in Medicine 27:1693). Where the draws cannot tell the spread they alone count.
    """
    below = math.sqrt(sum((price * (share.value - share.low)) ** 2 for price, share in priced))
    above = math.sqrt(sum((price * (share.high - share.value)) ** 2 for price, share in priced))
    low, high = max(0.0, drawn.value - below), drawn.value + above
    if drawn.method != BOOTSTRAP:
        return replace(drawn, low=low, high=high, method="the limits of the shares put together", effective=0.0)
    method = f"{BOOTSTRAP}, at least the limits of the shares put together"
    return replace(drawn, low=min(drawn.low, low), high=max(drawn.high, high), method=method)


def _at_most_all(share: Interval) -> Interval:
    return replace(share, high=min(share.high, 1.0))


def _scaled(interval: Interval, factor: float) -> Interval:
    return replace(interval, value=interval.value * factor, low=interval.low * factor, high=interval.high * factor)


def _checked(score_n: npt.ArrayLike, truth_n: npt.ArrayLike, groups: npt.ArrayLike) -> tuple[FloatArray, BoolArray]:
    score, truth = np.asarray(score_n, dtype=np.float64), np.asarray(truth_n, dtype=np.bool_)
    if score.ndim != 1 or not score.shape == truth.shape == np.shape(np.asarray(groups)):
        raise ValueError(f"expected n scores, truths and groups, got {score.shape}, {truth.shape}")
    if not ((score >= 0) & (score <= 1)).all():
        raise ValueError("scores lie in [0, 1]")
    return score, truth
