"""What is proven of an escape rate where whole groups are the units.

Nothing is assumed of how alike the parts of a group are. x is the sum over g groups of the share of a group that
passes. The probability of x or less is at most exp(-g kl(x / g, rate)) (Hoeffding, 1963; at x = 0 the exact
(1 - rate)^g), and at most twice that of a Binomial at x rounded up: let each share be a coin of that mean, then the sum
of coins is Binomial, and at or below x rounded up at least half of the time (Jogdeo and Samuels, 1968). Both rise with
x, so the smaller of the two is a p-value. Where most groups are single parts, each group of which any part passes
counts in full instead, and the Binomial is exact.

It speaks of a part drawn at random from a group drawn at random. For a part drawn at random of all: `parts_bound`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from flawscope.evaluation.intervals import IndexArray
from flawscope.evaluation.plan import Proof, best_promise, binomial

MOSTLY_SINGLE = 1.5
"""Below this mean size of the groups each group that lets a part pass counts in full."""


@dataclass(frozen=True)
class Passed:
    """Of so many groups these have passed; `exact`: each of which any part passes was counted in full.

    >>> Passed(100, 0.25).p(0.05) < 2 * Passed(100, 1, exact=True).p(0.05)
    True
    """

    groups: float
    passed: float
    exact: bool = False

    @classmethod
    def of(cls, passing_g: npt.NDArray[Any], size_g: IndexArray) -> Passed:
        """Of the number of parts of each group that pass, and its size.

        >>> Passed.of(np.array([1, 0, 2]), np.array([2, 2, 2])), Passed.of(np.array([1, 0, 1]), np.array([2, 1, 1]))
        (Passed(groups=3, passed=1.5, exact=False), Passed(groups=3, passed=2.0, exact=True))
        """
        if size_g.sum() < MOSTLY_SINGLE * len(size_g):
            return cls(len(size_g), float(np.count_nonzero(passing_g)), exact=True)
        return cls(len(size_g), float(np.sum(passing_g / size_g)))

    @classmethod
    def at_most(cls, parts: int, size_g: IndexArray) -> Passed:
        """If so many parts pass, of groups of these sizes: as if they were where they weigh most, in the smallest.

        >>> Passed.at_most(3, np.array([4, 2, 4])), Passed.at_most(2, np.array([1, 1, 2]))
        (Passed(groups=3, passed=1.25, exact=False), Passed(groups=3, passed=2.0, exact=True))
        """
        size_g = np.sort(size_g)
        if size_g.sum() < MOSTLY_SINGLE * len(size_g):
            return cls(len(size_g), float(min(parts, len(size_g))), exact=True)
        before_g = np.cumsum(size_g) - size_g
        return cls.of(np.clip(parts - before_g, 0, size_g), size_g)

    def p(self, rate: float) -> float:
        """The p-value of "more than this rate pass"."""
        if self.exact or not self.groups:
            return binomial(self.passed, self.groups, rate)
        return min(2 * binomial(self._up, self.groups, rate), _hoeffding(self.passed / self.groups, self.groups, rate))

    def bound(self, confidence: float) -> float:
        """The upper limit of the rate."""
        if self.exact or not self.groups:
            return best_promise(self.groups, confidence, self.passed)
        return min(
            best_promise(self.groups, (1 + confidence) / 2, self._up),
            _hoeffding_bound(self.passed / self.groups, self.groups, 1 - confidence),
        )

    @property
    def _up(self) -> int:
        """Rounded up; a little down first: a sum of thirds is no more than the whole number that it is."""
        return math.ceil(self.passed - 1e-9)

    @property
    def proof(self) -> Proof:
        """What proves a rate of more such groups."""
        return binomial if self.exact else p_of_groups


def p_of_groups(passed: float, groups: float, rate: float) -> float:
    """The p-value where so many groups have passed, in parts or as a whole; see `plan.Proof`."""
    return Passed(int(groups), passed).p(rate)


def _hoeffding(share: float, g: float, rate: float) -> float:
    """The probability of at most this mean of g shares whose true mean is `rate`, at most (Hoeffding, 1963)."""
    return math.exp(-g * _divergence(share, rate)) if share < rate else 1.0


def _hoeffding_bound(share: float, g: float, probability: float) -> float:
    """The rate at which so small a mean has this probability, at most."""
    if share >= 1:
        return 1.0
    top = 1 - 1e-12
    if g * _divergence(share, top) <= -math.log(probability):
        return 1.0
    return float(optimize.brentq(lambda rate: g * _divergence(share, rate) + math.log(probability), share, top))


def _divergence(share: float, rate: float) -> float:
    """Relative entropy of two coins, kl(share, rate)."""
    return float(special.rel_entr(share, rate) + special.rel_entr(1 - share, 1 - rate))
