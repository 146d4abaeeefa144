"""Worlds with known truth for the escape contract: scores of parts in groups, and the true escape and overkill rate.

A latent number stands behind each score; the score is 1 / (1 + exp(-latent)), so that every threshold has a known true
rate. Defective parts have the latent distribution of the world, good ones are normal around `GOOD`.

| world | how the defective parts of a group are alike |
|---|---|
| alike | normal, correlation `strength` inside a group |
| tails | Student's t with 3 degrees of freedom, `strength` inside a group: extremes come together |
| mixed | normal; in a share `strength` of the groups all parts score 2.5 lower |
| rare | normal; a share `strength` of the groups passes as a whole, whatever the threshold is |

Letters: n parts, g groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from scipy.special import expit, logit

from flawscope.evaluation.contract import Contract
from flawscope.evaluation.intervals import IndexArray
from flawscope.records import FloatArray

World = Literal["alike", "tails", "mixed", "rare"]
GOOD, SHIFT, NEVER, DEGREES = -3.0, 2.5, 12.0, 3


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
    """Defective parts of each group: all alike, or log-normal with the same mean (the largest is tens of times it)."""
    if not design.uneven:
        return np.full(design.groups, design.size)
    drawn_g = random.lognormal(0, 1, design.groups) * design.size / np.exp(0.5)
    return np.asarray(np.maximum(1, np.rint(drawn_g)), dtype=np.int64)


def draw(design: Design, random: np.random.Generator) -> Drawn:
    """One calibration part. Good parts stand in groups of their own, one each."""
    latent_n, code_n = draw_defective(design, random)
    good = round(len(code_n) * (1 - design.prevalence) / design.prevalence)
    good_n = random.normal(GOOD, 1, good)
    return Drawn(
        expit(np.append(latent_n, good_n)),
        np.append(np.ones(len(code_n)), np.zeros(good)).astype(np.int64),
        np.append(code_n, design.groups + np.arange(good)),
    )


def draw_defective(design: Design, random: np.random.Generator) -> tuple[FloatArray, IndexArray]:
    """The latent numbers of the defective parts, and their groups."""
    code_n = np.repeat(np.arange(design.groups), sizes(design, random))
    return _latent(design, code_n, random), code_n


def _latent(design: Design, code_n: IndexArray, random: np.random.Generator) -> FloatArray:
    own_n: FloatArray = random.normal(size=len(code_n))
    group_g = random.normal(size=design.groups)
    if design.world in ("mixed", "rare"):
        bad_g = random.random(design.groups) < design.strength
        return np.asarray(own_n - (SHIFT if design.world == "mixed" else NEVER) * bad_g[code_n])
    alike_n: FloatArray = np.sqrt(design.strength) * group_g[code_n] + np.sqrt(1 - design.strength) * own_n
    if design.world == "alike":
        return alike_n
    return np.asarray(alike_n * np.sqrt(DEGREES / random.chisquare(DEGREES, design.groups))[code_n])


def escape_rate(design: Design, latent: float) -> float:
    """The true share of defective parts below a threshold.

    >>> round(escape_rate(Design("mixed", 0.1, 9, 9, False, 0.5), 0.0), 4)
    0.5494
    """
    if design.world == "tails":
        return float(stats.t.cdf(latent, DEGREES))
    normal = float(stats.norm.cdf(latent))
    if design.world == "alike":
        return normal
    shift = SHIFT if design.world == "mixed" else NEVER
    return (1 - design.strength) * normal + design.strength * float(stats.norm.cdf(latent + shift))


def overkill_rate(latent: float) -> float:
    """The true share of good parts at or above a threshold."""
    return float(stats.norm.sf(latent, GOOD))


def least_overkill(design: Design) -> float:
    """Overkill at the threshold that somebody would choose who knows the truth."""
    low, high = -40.0, 40.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if escape_rate(design, middle) <= design.max_escape else (low, middle)
    return overkill_rate(low)


def truth_of(design: Design, contract: Contract) -> tuple[float, float]:
    """The true escape and overkill rate of the threshold of a contract."""
    latent = float(logit(contract.threshold)) if contract.threshold < 1 else np.inf
    return escape_rate(design, latent), overkill_rate(latent)
