"""Are the expected costs and the review load of a decision by costs what they are said to be? Known truth.

    python benchmarks/cost_simulation.py [--draws 1000] [--trial]

In each design of `cost_worlds.py` a calibration part and a test part of the same size are drawn, 1,000 times. The
thresholds are fitted on the first, with one threshold and with a band for a person, and measured on the second, as the
product does (`evaluation/costs.py`). Their true cost at the line is known. Told is

- how often the 95 % intervals of the test part hold the truth: expected cost, review load, escape, overkill. Also those
  of the calibration part, which `flawscope show` prints before there is a test;
- optimism: the mean cost that the calibration part shows for the thresholds that it chose, as a share of their true
  cost. Regret: their true cost beyond that of somebody who knows the truth;
- saving: the best rule without a network (let all pass, reject all, look at all) costs what is known exactly, so the
  interval of a saving is that of the cost, turned round. Told is how often a saving is said where there is none in
  truth: by the bare number of the calibration part, and with the whole interval of the test part.

The result is appended to benchmarks/results/cost-simulation.json, unless `--trial` is given. Stopped, it goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.evaluation.costs import Band, Costs, cheapest, fit_band, measured
from flawscope.records import Interval

sys.path.append(str(Path(__file__).resolve().parent))

from cost_worlds import ANSWERS, Line, designs, draw, least, truth
from entries import append, draws_asked, one_by_one, provenance, share

RESULT = Path(__file__).resolve().parent / "results" / "cost-simulation.json"
LEVEL, SEED = 0.95, 6
OF_TEST = ("cost", "review", "escape", "overkill")
OF_CALIBRATION = ("calibration_cost", "calibration_review")
HELD = (*OF_TEST, *OF_CALIBRATION)


def simulate(line: Line, draws: int) -> dict[str, Any]:
    """What is said and what is true in so many draws of a design, for both kinds of answers."""
    random = np.random.default_rng([SEED, *line.name.encode()])
    rows: dict[str, list[dict[str, float]]] = {answers: [] for answers in ANSWERS}
    for _ in range(draws):
        first, new = draw(line, random), draw(line, random)
        for answers, review in ANSWERS.items():
            costs = Costs(line.escape, line.overkill, review, line.prevalence)
            fitted = fit_band(first.score_n, first.truth_n == 1, first.group_n, costs)
            assert fitted is not None
            asked = Costs(line.escape, line.overkill, review, fitted.prevalence)
            single = cheapest(
                first.score_n, first.truth_n == 1, Costs(line.escape, line.overkill, None, line.prevalence)
            )
            band = measured(
                new.score_n, new.truth_n == 1, new.group_n, asked, (fitted.low, fitted.high), chosen_without=single[0]
            )
            assert band is not None
            rows[answers].append(compared(line, asked, fitted, band))
    return {"design": line.name, "world": line.design.world, "together": line.together, "uneven": line.design.uneven,
            "strength": line.design.strength, "bad": line.design.groups * line.design.size,
            "groups": line.design.groups, "share_of_bad": line.design.prevalence, "prevalence": line.prevalence,
            **{answers: summary(found) for answers, found in rows.items()}}  # fmt: skip


def compared(line: Line, costs: Costs, fitted: Band, band: Band) -> dict[str, float]:
    """One draw: which intervals hold the truth, the costs, and whether a saving is said. NaN: nothing is said."""
    true = truth(line, costs, band.low, band.high)
    somebody = band.low < band.high
    best_rule = min(filter(None, (band.cost_all_good, band.cost_all_bad, band.cost_all_reviewed)))
    saves = true.cost < best_rule
    return {
        "cost": _side(band.cost, true.cost),
        "review": _side(band.review, true.review) if somebody else np.nan,
        "escape": _side(band.escape, true.escape),
        "overkill": _side(band.overkill, true.overkill),
        "calibration_cost": _side(fitted.cost, true.cost),
        "calibration_review": _side(fitted.review, true.review) if somebody else np.nan,
        "true": true.cost,
        "said": fitted.cost.value,
        "said_by_test": band.cost.value,
        "least": least(line, costs),
        "width": (band.cost.high - band.cost.low) / true.cost,
        "saves": saves,
        "said_wrongly": fitted.cost.value < best_rule and not saves,
        "surely_wrongly": band.cost.high < best_rule and not saves,
        "surely": band.cost.high < best_rule,
    }


def _side(interval: Interval, value: float) -> int:
    """0 where the interval holds the value, 1 where it lies above (worse than said), -1 where below."""
    return int(value > interval.high + 1e-12) - int(value < interval.low - 1e-12)


def summary(rows: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Shares and means over the draws; of a review load over those in which somebody looks."""
    column = {key: np.array([row[key] for row in rows], dtype=np.float64) for key in rows[0]}
    held = {}
    for key in HELD:
        defined = column[key][~np.isnan(column[key])]
        if len(defined):
            worse = round(float((defined > 0).mean()), 4)
            held[key] = {"share": share(int((defined == 0).sum()), len(defined)), "worse": worse}
    mean = {key: float(values.mean()) for key, values in column.items() if key not in HELD}
    return {
        "held": held,
        "somebody_looks": round(float(np.mean(~np.isnan(column["review"]))), 4),
        "true_cost": round(mean["true"], 5),
        "optimism": round(mean["said"] / mean["true"], 4),
        "test_over_truth": round(mean["said_by_test"] / mean["true"], 4),
        "regret": round(mean["true"] / mean["least"] - 1, 4),
        "width": round(float(np.median(column["width"])), 3),
        **{key: round(mean[key], 4) for key in ("saves", "said_wrongly", "surely_wrongly", "surely")},
    }


def by_world(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For each world: the worst and mean shares held, in how many designs significantly too few, and the optimism."""
    found: dict[str, Any] = {}
    for kind in dict.fromkeys(_kind(row) for row in rows):
        cells = [row[answers] for row in rows if _kind(row) == kind for answers in ANSWERS]
        found[kind] = {"designs": len(cells)}
        for key in HELD:
            held = [cell["held"][key] for cell in cells if key in cell["held"]]
            found[kind][key] = {
                "worst": min(each["share"][0] for each in held),
                "mean": round(float(np.mean([each["share"][0] for each in held])), 4),
                "too_seldom": sum(each["share"][2] < LEVEL for each in held),
                "worse_at_most": max(each["worse"] for each in held),
                "of": len(held),
            }
        optimism = [cell["optimism"] for cell in cells]
        found[kind]["optimism"] = [min(optimism), round(float(np.mean(optimism)), 4), max(optimism)]
        found[kind]["said_wrongly"] = max(cell["said_wrongly"] for cell in cells)
        found[kind]["surely_wrongly"] = max(cell["surely_wrongly"] for cell in cells)
    return found


def _kind(row: dict[str, Any]) -> str:
    if row["strength"] == 0:
        return "alone"
    return f"{row['world']}, together" if row["together"] else str(row["world"])


def main() -> None:
    """Draw all designs, and write what was found."""
    asked = draws_asked(__doc__, "design").parse_args()
    facts, about = provenance(), {"level": LEVEL, "draws": asked.draws, "seed": SEED}
    lines = {line.name: line for line in designs()}
    rows = one_by_one("cost-simulation", about, lines, lambda name: simulate(lines[name], asked.draws))
    for row in rows:
        for answers in ANSWERS:
            cell = row[answers]
            words = ", ".join(f"{key} {held['share'][0]:.3f}" for key, held in cell["held"].items())
            print(f"{row['design']}, {answers}: held {words}; optimism {cell['optimism']}, regret {cell['regret']}")
    said = by_world(rows)
    print(said)
    if not asked.trial:
        append(RESULT, {"provenance": facts, "asked": about, "summary": said, "designs": rows}, ("asked", "designs"))


if __name__ == "__main__":
    main()
