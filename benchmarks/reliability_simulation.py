"""Do the intervals of the calibration measures hold the truth as often as they promise? Right probabilities known.

    python benchmarks/reliability_simulation.py [--draws 1000] [--trial]

A bundle says probabilities whose log odds are normal around -1. What is true is another curve of them (`CURVES`), so
that the expected calibration error, the Brier score and the log loss are known. Images of a group are alike in truth by
a correlation. Each design is drawn 1,000 times; told is how often the 95 % interval holds the truth (of the expected
calibration error: that of the same bins), the mean of the value beside the truth, and of the error as it is usually
given. The result is appended to benchmarks/results/reliability-simulation.json, unless `--trial` is given. Stopped, it
goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from flawscope.evaluation.intervals import IndexArray
from flawscope.evaluation.reliability import equal_count_bins, reliability
from flawscope.records import BoolArray, FloatArray

sys.path.append(str(Path(__file__).resolve().parent))

from entries import append, draws_asked, one_by_one, provenance, share

RESULT = Path(__file__).resolve().parent / "results" / "reliability-simulation.json"
SEED, MEAN, SPREAD = 6, -1.0, 2.0
ERROR, BRIER, LOSS = MEASURES = ("expected calibration error", "Brier score", "log loss")
CURVES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "right": lambda logit_n: logit_n,
    "twice too sure": lambda logit_n: logit_n / 2,
    "shifted": lambda logit_n: logit_n - 1.5,
}
"""The right log odds for those that are said."""
SIZES = ((100, 1, 0.0), (300, 1, 0.0), (1000, 1, 0.0), (300, 3, 0.5), (400, 10, 0.3), (400, 40, 0.1))
"""Images, images in a group, and how alike these are."""


@dataclass(frozen=True)
class Case:
    """How truth and probabilities are drawn."""

    curve: str
    n: int
    per: int
    alike: float

    @property
    def name(self) -> str:
        """The case in one line.

        >>> Case("right", 400, 10, 0.3).name
        'right: 400 images, 10 a group, alike 0.3'
        """
        return f"{self.curve}: {self.n} images, {self.per} a group, alike {self.alike:g}"


def draw(case: Case, random: np.random.Generator) -> tuple[BoolArray, FloatArray, FloatArray, IndexArray]:
    """Truth, the probability that is said, the right one, and the group."""
    group_n = np.arange(case.n) // case.per
    logit_n = random.normal(MEAN, SPREAD, case.n)
    right_n = expit(CURVES[case.curve](logit_n))
    common_g = random.normal(size=group_n[-1] + 1)
    hidden_n = np.sqrt(case.alike) * common_g[group_n] + np.sqrt(1 - case.alike) * random.normal(size=case.n)
    return norm.cdf(hidden_n) < right_n, expit(logit_n), right_n, group_n


@cache
def expected(curve: str) -> dict[str, float]:
    """The true Brier score and log loss, over all log odds.

    >>> round(expected("right")["Brier score"], 3) < round(expected("shifted")["Brier score"], 3)
    True
    """
    logit_j = np.linspace(MEAN - 8 * SPREAD, MEAN + 8 * SPREAD, 20_001)
    weight_j = norm.pdf(logit_j, MEAN, SPREAD)
    said_j, right_j = expit(logit_j), expit(CURVES[curve](logit_j))
    square_j = right_j * (1 - said_j) ** 2 + (1 - right_j) * said_j**2
    loss_j = right_j * np.logaddexp(0, -logit_j) + (1 - right_j) * np.logaddexp(0, logit_j)
    return {name: float(np.average(each, weights=weight_j)) for name, each in ((BRIER, square_j), (LOSS, loss_j))}


def simulate(case: Case, draws: int) -> dict[str, Any]:
    """How often the intervals hold the truth in so many draws, and how far the values are from it."""
    random = np.random.default_rng([SEED, *case.name.encode()])
    held = dict.fromkeys(MEASURES, 0)
    value: dict[str, list[float]] = {name: [] for name in MEASURES}
    true_error, plain = [], []
    for seed in range(draws):
        truth_n, said_n, right_n, group_n = draw(case, random)
        found = reliability(truth_n, said_n, group_n, seed=seed)
        off_b = np.bincount(equal_count_bins(said_n), weights=right_n - said_n)
        true_error.append(float(np.abs(off_b).sum() / case.n))
        plain.append(found["plain error"])
        for name, true in ({ERROR: true_error[-1]} | expected(case.curve)).items():
            interval = found["measures"][name]
            held[name] += interval["low"] <= true <= interval["high"]
            value[name].append(interval["value"])
    true_means = {ERROR: float(np.mean(true_error))} | expected(case.curve)
    return {
        "case": case.name,
        "curve": case.curve,
        "n": case.n,
        "groups": -(-case.n // case.per),
        "alike": case.alike,
        "measures": {
            name: {
                "held": share(held[name], draws),
                "true": round(true_means[name], 4),
                "mean_value": round(float(np.mean(value[name])), 4),
            }
            for name in MEASURES
        },
        "plain_error": round(float(np.mean(plain)), 4),
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """For each measure: least, mean and greatest share held, and in how many cases significantly too few."""
    found = {}
    for name in MEASURES:
        held = [row["measures"][name]["held"] for row in rows]
        shares = [each[0] for each in held]
        found[name] = {
            "least": min(shares),
            "mean": round(float(np.mean(shares)), 4),
            "most": max(shares),
            "too_seldom": sum(each[2] < 0.95 for each in held),
            "of": len(held),
        }
    return found


def main() -> None:
    """Draw all cases, and write what was found."""
    asked = draws_asked(__doc__, "case").parse_args()
    facts, about = provenance(), {"level": 0.95, "draws": asked.draws, "seed": SEED}
    cases = {case.name: case for curve in CURVES for size in SIZES for case in [Case(curve, *size)]}
    rows = one_by_one("reliability-simulation", about, cases, lambda name: simulate(cases[name], asked.draws))
    for row in rows:
        words = ", ".join(f"{name} {each['held'][0]:.3f}" for name, each in row["measures"].items())
        print(f"{row['case']}: held {words}; {row['measures'][ERROR]}, plain error {row['plain_error']}")
    said = summary(rows)
    print(said)
    if not asked.trial:
        append(RESULT, {"provenance": facts, "asked": about, "summary": said, "cases": rows}, ("asked", "cases"))


if __name__ == "__main__":
    main()
