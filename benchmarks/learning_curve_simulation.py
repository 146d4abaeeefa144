"""Do the intervals of a learning curve hold the truth as often as they promise? Simulated curves with known truth.

Each case is a law, the spread between repeats, how many there are, and how uneven the groups of the calibration part
are. Sizes are 1/8, 1/4, 1/2 and all of 800 images. Counted is how often the 95 % interval at once, twice and four times
the largest size holds the truth, where a forecast was made at all, and how wide it is. The last cases break the law on
purpose.

    python benchmarks/learning_curve_simulation.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from entries import append
from flawscope.data.progress import watched
from flawscope.evaluation import learning_curve
from flawscope.evaluation.intervals import wilson
from flawscope.evaluation.learning_curve import Law, NotSaidError, fit_curve
from flawscope.records import FloatArray
from flawscope.steps.provenance import code_version, command, machine, today, versions

RESULTS = Path(__file__).parent / "results" / "learning-curve-simulation.json"
SIZES = (100, 200, 400, 800)
TIMES = (1, 2, 4)
DRAWS = 300
GROUPS = 40


@dataclass(frozen=True)
class Case:
    """How the measured errors come about; `uneven` is how much the difficulty of evaluation groups varies."""

    name: str
    law: str
    spread: float
    repeats: int
    uneven: float = 0.0
    wilder_when_small: bool = False


LAWS: dict[str, Callable[[float], float]] = {
    "0.1 x^-0.5 + 0.05": Law(0.1, 0.5, 0.05).error,
    "0.1 x^-0.5": Law(0.1, 0.5, 0.0).error,
    "0.1 x^-0.2": Law(0.1, 0.2, 0.0).error,
    "0.05 x^-1 + 0.1": Law(0.05, 1.0, 0.1).error,
    "0.02 x^-0.3 + 0.2": Law(0.02, 0.3, 0.2).error,
    "guessing first, then 0.1 x^-0.8 + 0.02": lambda x: 1 / (1 / 0.45 + 1 / (0.1 * x**-0.8 + 0.02)),
    "0.1 exp(-x) + 0.05": lambda x: float(0.1 * np.exp(-x) + 0.05),
}
CASES = (
    Case("a floor", "0.1 x^-0.5 + 0.05", 0.05, 3),
    Case("a floor, two noisy repeats", "0.1 x^-0.5 + 0.05", 0.15, 2),
    Case("a floor, small sets are wilder", "0.1 x^-0.5 + 0.05", 0.05, 3, wilder_when_small=True),
    Case("a floor, uneven groups", "0.1 x^-0.5 + 0.05", 0.05, 3, uneven=0.8),
    Case("no floor", "0.1 x^-0.5", 0.05, 3),
    Case("no floor, slow", "0.1 x^-0.2", 0.03, 5),
    Case("a floor, fast", "0.05 x^-1 + 0.1", 0.05, 3),
    Case("nearly flat", "0.02 x^-0.3 + 0.2", 0.05, 3),
    Case("another law: little learnt from few", "guessing first, then 0.1 x^-0.8 + 0.02", 0.05, 3),
    Case("another law: exponential", "0.1 exp(-x) + 0.05", 0.05, 3),
)


def measured(case: Case, rng: np.random.Generator) -> tuple[FloatArray, FloatArray | None]:
    """Errors of one simulated learning curve, s x r, and their draws over evaluation groups, d x s x r."""
    x_s = np.array(SIZES) / SIZES[-1]
    mean_s = np.array([LAWS[case.law](x) for x in x_s])
    spread_s = case.spread * (x_s**-0.25 if case.wilder_when_small else np.ones_like(x_s))
    error_sr = mean_s[:, None] * np.exp(spread_s[:, None] * rng.standard_normal((len(x_s), case.repeats)))
    if not case.uneven:
        return error_sr, None
    # The difficulty of each group, 1 in the mean of all groups there are; the same ones for all sizes.
    shape = case.uneven**-2
    hard_g = rng.gamma(shape, 1 / shape, GROUPS)
    drawn_d = hard_g[rng.integers(GROUPS, size=(DRAWS, GROUPS))].mean(axis=1)
    return error_sr * hard_g.mean(), error_sr * drawn_d[:, None, None]


def simulate(case: Case, simulations: int, seed: int = 0) -> dict[str, Any]:
    """How often the intervals hold the truth, and how wide they are, as a share of it."""
    rng = np.random.default_rng(seed)
    truth = {times: LAWS[case.law](times) for times in TIMES}
    held: dict[int, list[bool]] = {times: [] for times in TIMES}
    width: dict[int, list[float]] = {times: [] for times in TIMES}
    for number in watched(range(simulations), simulations, case.name):
        try:
            curve = fit_curve(SIZES, *measured(case, rng), seed=number)
        except NotSaidError:
            continue
        for times, value in truth.items():
            found = curve.interval(times)
            held[times].append(found.low <= value <= found.high)
            width[times].append((found.high - found.low) / value)
    return {
        **asdict(case),
        "not_said": round(1 - len(held[1]) / simulations, 3),
        "held": {
            str(times): dict(
                zip(("value", "low", "high"), (share := float(np.mean(each)), *wilson(share, len(each))), strict=True)
            )
            for times, each in held.items()
        },
        "width": {str(times): round(float(np.median(each)), 3) for times, each in width.items()},
    }


def main() -> None:
    """Simulate every case, print a line each, and append the entry."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--simulations", type=int, default=1000, help="of each case")
    simulations = parser.parse_args().simulations
    learning_curve.DRAWS = DRAWS
    cases = []
    for case in CASES:
        found = simulate(case, simulations)
        cases.append(found)
        shares = ", ".join(f"{times} x {100 * each['value']:.1f} %" for times, each in found["held"].items())
        print(f"{case.name}: not said {found['not_said']}, else held {shares}; widths {found['width']}", flush=True)
    where = {
        "command": command(),
        "code": code_version(),
        "date": today(),
        "machine": machine(),
        "versions": versions(),
    }
    append(
        RESULTS, {**where, "simulations": simulations, "draws": DRAWS, "sizes": SIZES, "level": 0.95, "cases": cases}
    )


if __name__ == "__main__":
    main()
