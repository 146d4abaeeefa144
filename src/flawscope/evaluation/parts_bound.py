"""What is proven of the share of all parts that pass, each part counted alike, where whole groups are the units.

Where large groups are worse than small ones, more of all parts pass than of a part of a group taken at random
(`group_bound`). Here the promise is of E[x] / E[S]: a group holds S parts, x of which pass. Nothing is assumed of how
alike they are, but one thing of their number: no group holds more than M, the size of the largest one that was seen.

It is tested by betting (Waudby-Smith and Ramdas, 2024, "Estimating means of bounded random variables by betting"). Let
c in (0, 1]. If at least `rate` of all parts pass, the factor

    1 + c (rate S - x) / (M (1 - rate))

of a group is 1 on average, or less; and as x <= S <= M, it is never negative. So the product over independent groups is
1 on average, or less, and so is any mean of such products: it is at least 1 / p with a probability of p at most
(Markov). The order of the groups does not matter. c = 1 - q is the best bet where truly the share q of `rate` passes;
half of the stake is on q = 0, the rest on `SHARES`. If no part passes, p is at most 2 (1 - rate)^g of g groups of one
size, and groups of any sizes need at most M / mean(S) times as many (log is concave). No test needs much fewer: a rare
group of M parts that passes as a whole is not seen in fewer than 3 M / (rate mean(S)) groups, at 95 %.

More that pass give smaller factors, a higher rate larger ones: d/d(rate) of the factor is c (S - x) / (M (1 - rate)^2),
which is not negative. So p rises with the threshold and falls with the rate, and the bound is where it crosses.

That is proven of a rate that is fixed beforehand, the one that is asked for. The bound, which is the best promise where
what was asked is not proven, depends on the sizes that were drawn, and is not covered by the argument; no break was
found (it was too low in at most 5.6 % of the draws where large groups are no worse than small ones).

If all groups are single parts, this is the exact Binomial. Letters: g groups, b bets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize

from flawscope.evaluation.intervals import IndexArray
from flawscope.evaluation.plan import best_promise, binomial, defects_needed, fewest, proven
from flawscope.records import FloatArray

SHARES = (0.0, 0.125, 0.25, 0.5)
"""The bets: which share of the rate in question truly passes."""
STAKES = (1 / 2, 1 / 6, 1 / 6, 1 / 6)
_BET_B, _LOG_STAKE_B = 1 - np.array(SHARES), np.log(STAKES)
_TOP = 1 - 1e-9


@dataclass(frozen=True)
class PartsPassed:
    """So many parts of each group pass, of so many.

    >>> some = PartsPassed(np.array([0] * 95 + [1] * 5), np.full(100, 4))
    >>> some.p(0.05) < 0.05 < some.p(0.04), round(some.bound(0.95), 3)
    (True, 0.046)
    """

    passing_g: npt.NDArray[Any]
    size_g: IndexArray

    @property
    def worth(self) -> float:
        """How many parts these are worth that stand alone: all of them over those of the largest group.

        >>> PartsPassed(np.zeros(3), np.array([1, 4, 5])).worth
        2.0
        """
        return float(self.size_g.sum() / self.size_g.max()) if len(self.size_g) else 0.0

    def p(self, rate: float) -> float:
        """The p-value of "more than this rate of all parts pass"."""
        if self._single:
            return binomial(float(self.passing_g.sum()), len(self.size_g), rate)
        return math.exp(-max(0.0, self._log_gain(rate)))

    def bound(self, confidence: float) -> float:
        """The upper limit of the rate."""
        if self._single:
            return best_promise(len(self.size_g), confidence, float(self.passing_g.sum()))
        wanted = -math.log(1 - confidence)
        if self._log_gain(_TOP) <= wanted:
            return 1.0
        return float(optimize.brentq(lambda rate: self._log_gain(rate) - wanted, 0.0, _TOP))

    @property
    def _single(self) -> bool:
        return not len(self.size_g) or int(self.size_g.max()) == 1

    def _log_gain(self, rate: float) -> float:
        """The logarithm of the mean of the products."""
        return _log_mean(_log_factors(self.passing_g, self.size_g, rate).sum(axis=1))


def groups_needed(size_g: IndexArray, max_escape: float, confidence: float) -> int:
    """How many groups of sizes such as these, of which no part passes, prove it of all parts.

    >>> groups_needed(np.ones(9), 0.05, 0.95), groups_needed(np.full(9, 4), 0.05, 0.95)
    (59, 65)
    >>> groups_needed(np.array([1, 1, 1, 1, 16]), 0.05, 0.95)  # the largest is 4 times the mean
    259

    Raises:
        ValueError: a share is not in (0, 1).
        plan.TooManyError: more than anybody has.
    """
    if np.max(size_g) == 1:
        return defects_needed(max_escape, confidence)
    growth_b = _log_factors(np.zeros(len(size_g)), size_g, max_escape).mean(axis=1)
    return fewest(lambda g: proven(math.exp(-_log_mean(g * growth_b)), confidence), 1)


def _log_factors(passing_g: npt.NDArray[Any], size_g: IndexArray, rate: float) -> FloatArray:
    """Of each bet on each group: b x g."""
    won_g = (rate * size_g - passing_g) / (size_g.max() * (1 - rate))
    with np.errstate(divide="ignore"):  # a whole group of the largest size that passes ruins the first bet
        return np.asarray(np.log(np.maximum(0.0, 1 + _BET_B[:, None] * won_g)))


def _log_mean(log_product_b: FloatArray) -> float:
    """The logarithm of the mean of these products by their stakes, safe from overflow."""
    each_b = log_product_b + _LOG_STAKE_B
    most = float(each_b.max())
    return most + math.log(float(np.exp(each_b - most).sum()))
