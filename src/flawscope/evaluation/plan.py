"""How many parts a promise needs: "with 95 % confidence, at most 1 % of the defective parts pass".

Of n independent defective parts k may pass unseen. The bound on the true rate is exact (Clopper & Pearson, 1934):
n parts are enough if P(Binomial(n, max_escape) <= k) <= 1 - confidence. The same numbers hold where the threshold is
set by the parts themselves, as the (k + 1)-th lowest of their n scores: the share of defective parts below it is
Beta(k + 1, n - k), whatever the scores are (order statistics; Wilks, 1941).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy import special, stats

MOST = 10**9
"""More parts than these are never planned for."""
_ROUNDING = 1e-12

Proof = Callable[[float, float, float], float]
"""The p-value of "more than this rate pass" where so many of so many have passed: proof(passed, n, rate)."""


class TooManyError(ValueError):
    """More than `MOST` parts would be needed."""


@dataclass(frozen=True)
class Needed:
    """How many independent parts are needed, and how many of them may pass."""

    parts: int
    escapes: int

    def __post_init__(self) -> None:
        if not 0 <= self.escapes < self.parts:
            raise ValueError(f"expected 0 <= escapes < parts, got {self.escapes} of {self.parts}")


def binomial(passed: float, n: float, rate: float) -> float:
    """The exact `Proof` for independent parts, P(Binomial(n, rate) <= passed); neither need be whole.

    >>> round(binomial(0, 299, 0.01), 4), round(binomial(1, 10, 0.5), 4)
    (0.0495, 0.0107)
    """
    return 1.0 if n <= passed else float(special.betaincc(passed + 1, n - passed, rate))


def proven(p: float, confidence: float) -> bool:
    """Whether a p-value is small enough for this confidence, but for rounding.

    >>> proven(1 - 0.95, 0.95), proven(0.0501, 0.95)
    (True, False)
    """
    return p <= (1 - confidence) * (1 + _ROUNDING)


def best_promise(n: float, confidence: float = 0.95, escapes: float = 0) -> float:
    """The smallest escape rate that can be promised after `escapes` among n independent parts; 1 where n is too small.

    Neither need be whole: an effective number seldom is.

    >>> round(best_promise(164), 4), round(best_promise(299), 4)
    (0.0181, 0.01)

    Raises:
        ValueError: the confidence is not in (0, 1), or n or the escapes are negative.
    """
    _check(confidence=confidence)
    if n < 0 or escapes < 0:
        raise ValueError(f"counts are not negative, got {escapes} of {n}")
    return 1.0 if n <= escapes else float(special.betaincinv(escapes + 1, n - escapes, confidence))


def defects_needed(max_escape: float, confidence: float = 0.95, escapes: float = 0, proof: Proof = binomial) -> int:
    """The fewest independent defective parts that allow the promise although `escapes` of them pass.

    Of groups that pass in part the escapes need not be whole; `proof` is then `group_bound.p_of_groups`.

    >>> defects_needed(0.01), defects_needed(0.005), defects_needed(0.01, escapes=1)
    (299, 598, 473)

    Raises:
        ValueError: a share is not in (0, 1), or the escapes are negative.
        TooManyError: more than `MOST`.
    """
    _check(max_escape=max_escape, confidence=confidence)
    if escapes < 0:
        raise ValueError(f"counts are not negative, got {escapes}")

    return fewest(lambda n: proven(proof(escapes, n, max_escape), confidence), math.floor(escapes) + 1)


def escapes_allowed(n: int, max_escape: float, confidence: float = 0.95, proof: Proof = binomial) -> int:
    """How many of n independent defective parts may pass so that the promise still holds; -1: not even none.

    >>> escapes_allowed(298, 0.01), escapes_allowed(299, 0.01), escapes_allowed(473, 0.01)
    (-1, 0, 1)

    Raises:
        ValueError: a share is not in (0, 1).
    """
    _check(max_escape=max_escape, confidence=confidence)
    # The quantile is the least k with P(<= k) >= 1 - confidence: one below it the promise holds, or at it, if equal.
    # No proof allows more than the exact one.
    k = int(stats.binom.ppf(1 - confidence, n, max_escape)) + 1
    while k >= 0 and not proven(proof(k, n, max_escape), confidence):
        k -= 1
    return k


def power(n: int, expected: float, max_escape: float, confidence: float = 0.95, proof: Proof = binomial) -> float:
    """The probability that n defective parts allow the promise at a threshold where truly `expected` of them pass.

    The threshold itself can always be lowered until so few pass, at the price of overkill. So this is also the
    probability that the promise costs no more overkill than that threshold does.

    >>> round(power(299, 0.002, 0.01), 3), round(power(628, 0.002, 0.01), 3)
    (0.55, 0.867)

    Raises:
        ValueError: a share is not in (0, 1); `expected` may be 0.
    """
    if not 0 <= expected < 1:
        raise ValueError(f"an expected escape rate lies in [0, 1), got {expected}")
    allowed = escapes_allowed(n, max_escape, confidence, proof)
    return 0.0 if allowed < 0 else float(stats.binom.cdf(allowed, n, expected))


def needed_with_power(
    expected: float, max_escape: float, confidence: float = 0.95, target: float = 0.8, proof: Proof = binomial
) -> Needed:
    """The fewest defective parts with which the promise can be made with at least this probability, see `power`.

    The power rises in teeth: at each n that allows one escape more it jumps, and then falls a little until the next
    (Chernick & Liu, 2002, The American Statistician 56:149). The answer is the foot of a tooth.

    >>> needed_with_power(0.002, 0.01)
    Needed(parts=628, escapes=2)

    Raises:
        ValueError: a share is not in (0, 1), or `expected` is not below `max_escape`.
        TooManyError: more than `MOST`.
    """
    _check(max_escape=max_escape, confidence=confidence, target=target)
    if not 0 <= expected < max_escape:
        raise ValueError(f"expected an escape rate from 0 to below {max_escape}, got {expected}")

    def good(escapes: int) -> bool:
        n = defects_needed(max_escape, confidence, escapes, proof)
        return float(stats.binom.cdf(escapes, n, expected)) >= target

    escapes = 0 if good(0) else fewest(good, 1)
    return Needed(defects_needed(max_escape, confidence, escapes, proof), escapes)


def design_effect(size: float, correlation: float) -> float:
    """By how much more correlated parts are needed than independent ones: 1 + (size - 1) x correlation (Kish, 1965).

    `size` is how many parts stand in a group; of groups of unequal size the mean over parts, sum(size^2) / sum(size).
    `correlation` is that of two parts of one group: 0 if they know nothing of each other, 1 if they are one part.

    >>> design_effect(5, 0.3)
    2.2

    Raises:
        ValueError: the size is below 1 or the correlation not in [0, 1].
    """
    if not (size >= 1 and 0 <= correlation <= 1):
        raise ValueError(f"expected a size of at least 1 and a correlation in [0, 1], got {size}, {correlation}")
    return 1 + (size - 1) * correlation


def in_all(counted: float, share: float) -> int:
    """How many are needed so that this share of them are as many as `counted`.

    >>> in_all(299, 0.2), in_all(0, 0.2)
    (1495, 0)

    Raises:
        ValueError: the share is not in (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share lies in (0, 1], got {share}")
    return math.ceil(counted / share * (1 - _ROUNDING))


def fewest(good: Callable[[int], bool], start: int) -> int:
    """The smallest number from `start` on that is good, where all above it are good as well.

    >>> fewest(lambda n: n * n > 50, 1)
    8

    Raises:
        TooManyError: more than `MOST`.
    """
    if good(start):
        return start
    low, high = start, 2 * start
    while not good(high):
        low, high = high, 2 * high
        if high > MOST:
            raise TooManyError(f"more than {MOST:,} would be needed")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle, high)
    return high


def _check(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 < share < 1:
            raise ValueError(f"{name} lies in (0, 1), got {share}")
