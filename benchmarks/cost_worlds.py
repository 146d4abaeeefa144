"""Worlds with known truth for decisions by costs: those of the escape contract, where good parts stand in groups too.

A part is what `contract_worlds.py` draws. Good parts are alike within groups as well: in groups of their own, or, where
`together`, each group holds bad and good parts that share what they have in common, as the cells of one module do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.special import expit, logit

from contract_worlds import GOOD, Design, Drawn, World, draw_defective, escape_rate, overkill_rate
from flawscope.evaluation.costs import Costs

ANSWERS = {"two answers": None, "three answers": 1.0}
"""What a look by a person costs; None: nobody looks."""
ESCAPE, OVERKILL = 100.0, 10.0
SHARES, LINES = (0.5, 0.2, 0.05), (0.02, 0.002, 0.1, None)
"""Of bad parts, in the data and at the line (None: as in the data)."""
ALONE = ((20, 0.5), (20, 0.2), (20, 0.05), (60, 0.5), (60, 0.2), (60, 0.05), (200, 0.5), (200, 0.2))
"""Number of bad parts that each stand alone, and their share in the data."""
GROUPS = ((8, 10), (20, 5), (60, 3))
"""Number of groups of bad parts, and how many are in each."""
STRENGTHS: dict[World, tuple[float, ...]] = {
    "alike": (0.1, 0.3, 0.6),
    "tails": (0.5,),
    "mixed": (0.1,),
    "rare": (0.05,),
}
ALIKE = 0.3
"""Correlation of good parts in worlds whose strength is a share of bad groups."""


@dataclass(frozen=True)
class Line:
    """How a part of the data is drawn, and what holds at the line: costs, and the share of bad parts."""

    design: Design
    together: bool
    prevalence: float | None
    escape: float = ESCAPE
    overkill: float = OVERKILL

    @property
    def name(self) -> str:
        """The design in one line.

        >>> Line(Design("alike", 0.3, 8, 10, False, 0.2), True, 0.02).name
        'alike 0.3, together: 8 groups of 10, 20 % defective; 2 % at the line'
        """
        world, _, rest = self.design.name.partition(":")
        there = "as many" if self.prevalence is None else f"{100 * self.prevalence:g} %"
        drawn = rest.rpartition(", at most")[0]
        return f"{world}{', together' if self.together else ''}:{drawn}; {there} at the line"


@dataclass(frozen=True)
class Truth:
    """The true rates of two thresholds at the line."""

    cost: float
    review: float
    escape: float
    overkill: float


def designs() -> Iterator[Line]:
    """All that are drawn: parts that stand alone, then groups; shares of bad parts and unevenness take turns."""
    for turn, (n, share) in enumerate(ALONE):
        yield Line(Design("alike", 0.0, n, 1, False, share), False, LINES[turn % len(LINES)])
    turn = 0
    for world, strengths in STRENGTHS.items():
        for together in (False, True) if world == "alike" else (False,):
            for strength in strengths:
                for groups, size in GROUPS:
                    turn += 1
                    design = Design(world, strength, groups, size, not together and turn % 2 == 0, SHARES[turn % 2])
                    yield Line(design, together, LINES[turn % len(LINES)])


def draw(line: Line, random: np.random.Generator) -> Drawn:
    """Bad and good parts with their groups."""
    design = line.design
    times = (1 - design.prevalence) / design.prevalence
    if line.together:
        good = round(design.size * times)
        latent_n, code_n = draw_defective(replace(design, size=design.size + good), random)
        bad_n = np.tile(np.arange(design.size + good) < design.size, design.groups)
        return Drawn(expit(latent_n + np.where(bad_n, 0.0, GOOD)), bad_n.astype(np.int64), code_n)
    strength = design.strength if design.world in ("alike", "tails") else ALIKE
    alike = replace(design, world="alike", strength=strength, groups=round(design.groups * times))
    bad_latent_n, bad_code_n = draw_defective(design, random)
    good_latent_n, good_code_n = draw_defective(alike, random)
    return Drawn(
        expit(np.append(bad_latent_n, good_latent_n + GOOD)),
        np.repeat([1, 0], [len(bad_code_n), len(good_code_n)]),
        np.append(bad_code_n, design.groups + good_code_n),
    )


def truth(line: Line, costs: Costs, low: float, high: float) -> Truth:
    """The true rates of the thresholds `low` and `high`, at the share of bad parts that `costs` name.

    >>> line = Line(Design("alike", 0.3, 8, 10, False, 0.2), True, 0.02)
    >>> found = truth(line, Costs(100, 10, 1, 0.02), 0.5, 0.5)
    >>> round(found.escape, 3), round(found.overkill, 5), found.review, round(found.cost, 4)
    (0.5, 0.00135, 0.0, 1.0132)
    """
    assert costs.prevalence is not None
    at_low, at_high = (float(logit(t)) if t < 1 else np.inf for t in (low, high))
    escape, caught = escape_rate(line.design, at_low), 1 - escape_rate(line.design, at_high)
    overkill, passed = overkill_rate(at_high), 1 - overkill_rate(at_low)
    bad, good = costs.prevalence, 1 - costs.prevalence
    review = max(0.0, bad * (1 - escape - caught) + good * (1 - overkill - passed))
    cost = bad * costs.escape * escape + good * costs.overkill * overkill + review * (costs.review or 0.0)
    return Truth(cost, review, escape, overkill)


@cache
def least(line: Line, costs: Costs) -> float:
    """What a part costs with the thresholds of somebody who knows the truth: on a grid of latent values."""
    assert costs.prevalence is not None
    at_j = np.linspace(-14, 6, 801)
    bad_j = np.array([escape_rate(line.design, at) for at in at_j])
    good_j = np.array([1 - overkill_rate(at) for at in at_j])
    bad, good, look = costs.prevalence, 1 - costs.prevalence, costs.review or 0.0
    of_low_j = bad * (costs.escape - look) * bad_j - good * look * good_j
    of_high_j = bad * look * bad_j + good * (costs.overkill * (1 - good_j) + look * good_j)
    together_j = (of_low_j if costs.review is None else np.minimum.accumulate(of_low_j)) + of_high_j
    return float(together_j.min())
