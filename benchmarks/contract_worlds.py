"""Worlds with known truth for the escape contract: scores of parts in groups, and the true escape and overkill rate.

A latent number stands behind each score; the score is 1 / (1 + exp(-latent)), so that every threshold has a known true
rate. Defective parts have the latent distribution of the world, good ones are normal around `GOOD`.

| world | how the defective parts of a group are alike |
|---|---|
| alike | normal, correlation `strength` inside a group |
| tails | Student's t with 3 degrees of freedom, `strength` inside a group: extremes come together |
| mixed | normal; in a share `strength` of the groups all parts score 2.5 lower |
| rare | normal; a share `strength` of the groups passes as a whole, whatever the threshold is |
| tied | normal, correlation 0.3 inside a group; all scores, good ones too, take `strength` different values only |

In these large groups are worse than small ones, so that more of all parts pass than of a group taken at random:

| world | sizes, and how the defective parts of a group are alike |
|---|---|
| larger | as below; normal, correlation 0.3, and lower by `strength` times the log of size over mean size |
| lots | normal; a share `strength` of the groups is 20 times as large, and of these half of the parts score 2.5 lower |
| giants | normal; of so many as large, each second one passes as a whole, whatever the threshold is |

Sizes are all alike, or, of an uneven design, log-normal (the largest is tens of times the mean, and there is no upper
end); of `larger` that is not uneven they are log-normal up to 4 times the mean.

Letters: n parts, g groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from scipy.special import expit, logit, ndtr, ndtri

from flawscope.evaluation.contract import Contract
from flawscope.evaluation.intervals import IndexArray
from flawscope.records import FloatArray

World = Literal["alike", "tails", "mixed", "rare", "larger", "lots", "giants", "tied"]
GOOD, SHIFT, NEVER, DEGREES = -3.0, 2.5, 12.0, 3
LARGE, CAP, LIKENESS = 20, 4, 0.3
"""Large groups of `lots` and `giants` over small ones, and of `larger` the largest over the mean, and a correlation."""
FEW = (0.3, 0.8, 0.9, 1.2)
"""Between which of 5 values the share of the defective parts below lies, as multiples of what may escape: of a few
choices that were tried one at which the bound at the chosen threshold fails often."""


@dataclass(frozen=True)
class Design:
    """How a calibration part is drawn: so many groups of so many defective parts, and good ones to the prevalence."""

    world: World
    strength: float
    groups: int
    size: int
    uneven: bool
    prevalence: float
    max_escape: float = 0.05

    @property
    def name(self) -> str:
        """The design in one line.

        >>> Design("alike", 0.3, 14, 15, True, 0.2).name
        'alike 0.3: 14 groups of 15, uneven, 20 % defective, at most 5 %'
        """
        sizes = f"{self.groups} groups of {self.size}{', uneven' if self.uneven else ''}"
        asked = f"{100 * self.prevalence:g} % defective, at most {100 * self.max_escape:g} %"
        return f"{self.world} {self.strength:g}: {sizes}, {asked}"


@dataclass(frozen=True)
class Drawn:
    """Scores, truths and groups of one calibration part."""

    score_n: FloatArray
    truth_n: IndexArray
    group_n: IndexArray


def sizes(design: Design, random: np.random.Generator) -> IndexArray:
    """Defective parts of each group."""
    if design.world in ("lots", "giants"):
        return design.size * np.where(random.random(design.groups) < design.strength, LARGE, 1)
    spread, most = _log_normal(design)
    if not spread:
        return np.full(design.groups, design.size)
    drawn_g = random.lognormal(0, spread, design.groups) * design.size / np.exp(spread**2 / 2)
    return np.asarray(np.clip(np.rint(drawn_g), 1, most), dtype=np.int64)


def _log_normal(design: Design) -> tuple[float, float]:
    """The spread of the logarithm of the sizes, and the largest size that there may be."""
    if design.uneven:
        return 1.0, np.inf
    return (0.7, float(CAP * design.size)) if design.world == "larger" else (0.0, float(design.size))


def largest(design: Design) -> float:
    """How many defective parts a group can hold."""
    return float(LARGE * design.size) if design.world in ("lots", "giants") else _log_normal(design)[1]


def size_chances(design: Design) -> tuple[IndexArray, FloatArray]:
    """All sizes that there are, and how probable each is; of an unbounded one up to seven times the spread.

    >>> size_s, chance_s = size_chances(Design("lots", 0.06, 100, 2, False, 0.5))
    >>> size_s.tolist(), chance_s.round(2).tolist(), round(float(size_s @ chance_s), 2)
    ([2, 40], [0.94, 0.06], 4.28)
    """
    if design.world in ("lots", "giants"):
        return design.size * np.array([1, LARGE]), np.array([1 - design.strength, design.strength])
    spread, most = _log_normal(design)
    if not spread:
        return np.array([design.size]), np.ones(1)
    middle = np.log(design.size) - spread**2 / 2
    size_s = np.arange(1, int(min(most, np.exp(middle + 7 * spread))) + 1)
    below_s = np.append(ndtr((np.log(size_s[:-1] + 0.5) - middle) / spread), 1.0)
    return size_s, np.diff(below_s, prepend=0.0)


def draw(design: Design, random: np.random.Generator) -> Drawn:
    """One calibration part. Good parts stand in groups of their own, one each."""
    latent_n, code_n = draw_defective(design, random)
    good = round(len(code_n) * (1 - design.prevalence) / design.prevalence)
    good_n = random.normal(GOOD, 1, good)
    return Drawn(
        expit(_tied(design, np.append(latent_n, good_n))),
        np.append(np.ones(len(code_n)), np.zeros(good)).astype(np.int64),
        np.append(code_n, design.groups + np.arange(good)),
    )


def draw_defective(design: Design, random: np.random.Generator) -> tuple[FloatArray, IndexArray]:
    """The latent numbers of the defective parts, and their groups."""
    code_n = np.repeat(np.arange(design.groups), sizes(design, random))
    return _latent(design, code_n, random), code_n


def _edges(design: Design) -> FloatArray:
    """Of tied scores, the latent numbers at which the next value begins: one value less than there are."""
    values = int(design.strength)
    share_e = np.array(FEW) if values == 5 else np.arange(1, values) * 2 / values
    return np.asarray(ndtri(share_e * design.max_escape))


def _tied(design: Design, latent_n: FloatArray) -> FloatArray:
    """Latent numbers as they are seen: of tied scores the lowest of those with the same value (the first: 1 lower)."""
    if design.world != "tied":
        return latent_n
    edge_e = _edges(design)
    return np.asarray(np.append(edge_e[0] - 1, edge_e)[np.searchsorted(edge_e, latent_n, side="right")])


def _from(design: Design, latent: float) -> float:
    """The latent number from which a part is rejected: of tied scores the beginning of a value."""
    if design.world != "tied":
        return latent
    edge_e = _edges(design)
    below = latent - 1e-9  # a threshold is a score, rounded
    return -np.inf if below <= edge_e[0] - 1 else float(np.append(edge_e, np.inf)[np.searchsorted(edge_e, below)])


def _latent(design: Design, code_n: IndexArray, random: np.random.Generator) -> FloatArray:
    own_n: FloatArray = random.normal(size=len(code_n))
    group_g = random.normal(size=design.groups)
    if design.world in ("mixed", "rare"):
        bad_g = random.random(design.groups) < design.strength
        return np.asarray(own_n - (SHIFT if design.world == "mixed" else NEVER) * bad_g[code_n])
    if design.world in ("lots", "giants"):
        large_n = np.bincount(code_n)[code_n] > design.size
        half_n = random.random(len(code_n)) < 0.5
        if design.world == "lots":
            return np.asarray(own_n - SHIFT * (large_n & half_n))
        return np.asarray(own_n - NEVER * (large_n & (random.random(design.groups) < 0.5)[code_n]))
    strength = LIKENESS if design.world in ("larger", "tied") else design.strength
    alike_n: FloatArray = np.sqrt(strength) * group_g[code_n] + np.sqrt(1 - strength) * own_n
    if design.world == "larger":
        return np.asarray(alike_n - design.strength * np.log(np.bincount(code_n)[code_n] / design.size))
    if design.world in ("alike", "tied"):
        return alike_n
    return np.asarray(alike_n * np.sqrt(DEGREES / random.chisquare(DEGREES, design.groups))[code_n])


@dataclass(frozen=True)
class Rates:
    """The true share of defective parts below a threshold: of a group taken at random, and of all parts."""

    of_groups: float
    of_parts: float


def escape_rates(design: Design, latent: float) -> Rates:
    """Both shares, exactly: each size with its probability.

    >>> found = escape_rates(Design("giants", 0.06, 9, 2, False, 0.5), -5.0)  # half of the large groups, nothing else
    >>> round(found.of_groups, 4), round(found.of_parts, 4)
    (0.03, 0.2804)
    """
    latent = _from(design, latent)
    if design.world in ("alike", "tails", "mixed", "rare", "tied"):  # all sizes are equally bad
        size_s, chance_s = np.array([design.size]), np.ones(1)
    else:
        size_s, chance_s = size_chances(design)
    rate_s = _rate(design, latent, size_s)
    weight_s = size_s * chance_s
    return Rates(float(rate_s @ chance_s), float(rate_s @ weight_s / weight_s.sum()))


def escape_rate(design: Design, latent: float) -> float:
    """The true share of all defective parts below a threshold.

    >>> round(escape_rate(Design("mixed", 0.1, 9, 9, False, 0.5), 0.0), 4)
    0.5494
    """
    return escape_rates(design, latent).of_parts


def _rate(design: Design, latent: float, size_s: IndexArray) -> FloatArray:
    """The share below a threshold of groups of each size."""
    if design.world == "tails":
        return np.full(len(size_s), stats.t.cdf(latent, DEGREES))
    if design.world == "larger":
        return np.asarray(ndtr(latent + design.strength * np.log(size_s / design.size)))
    low = float(ndtr(latent + (SHIFT if design.world in ("mixed", "lots") else NEVER)))
    bad_s = {
        "alike": np.zeros(len(size_s)),
        "tied": np.zeros(len(size_s)),
        "mixed": np.full(len(size_s), design.strength),
        "rare": np.full(len(size_s), design.strength),
    }.get(design.world, 0.5 * (size_s > design.size))
    return np.asarray((1 - bad_s) * ndtr(latent) + bad_s * low)


def overkill_rate(latent: float, design: Design | None = None) -> float:
    """The true share of good parts at or above a threshold; of tied scores it takes the design."""
    return float(stats.norm.sf(_from(design, latent) if design else latent, GOOD))


def least_overkill(design: Design, kind: Literal["of_groups", "of_parts"] = "of_parts") -> float:
    """Overkill at the threshold that somebody would choose who knows the truth, of this kind of escape rate."""
    low, high = -40.0, 40.0
    for _ in range(100):
        middle = (low + high) / 2
        rate = getattr(escape_rates(design, middle), kind)
        low, high = (middle, high) if rate <= design.max_escape else (low, middle)
    return overkill_rate(low, design)


def truth_of(design: Design, contract: Contract) -> tuple[Rates, float]:
    """The true escape rates and the overkill rate of the threshold of a contract."""
    latent = float(logit(contract.threshold)) if contract.threshold < 1 else np.inf
    return escape_rates(design, latent), overkill_rate(latent, design)
