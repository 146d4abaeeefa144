"""Draw the picture of docs/costs.md from invented scores, and write its tables: python docs/make_costs_picture.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.evaluation.bands import ClassBand, fit_bands
from flawscope.evaluation.costs import Costs
from flawscope.pages.costs import CostContent, picture
from flawscope.pages.figures import png
from flawscope.records import Task
from flawscope.storage import write_bytes

TARGET = Path(__file__).parent / "images" / "costs.png"
RESULTS = Path(__file__).parents[1] / "benchmarks" / "results" / "cost-simulation.json"
BAD, GOOD = 300, 900
KINDS = {
    "alone": "each part stands alone",
    "alike": "`alike`: normal, correlation 0.1 to 0.6",
    "alike, together": "the same, bad and good parts in one group",
    "tails": "`tails`: extremes come together",
    "mixed": "`mixed`: a tenth of the groups is worse",
    "rare": "`rare`: one group in 20 passes as a whole",
}


def band() -> ClassBand:
    """The decision by costs of an invented calibration part."""
    random = np.random.default_rng(3)
    bad_n = np.arange(BAD + GOOD) < BAD
    probability_n = 1 / (1 + np.exp(2.4 - 4.4 * bad_n - 1.5 * random.normal(size=BAD + GOOD)))
    parts = [f"part {number}" for number in range(BAD + GOOD)]
    costs = Costs(escape=100, overkill=10, review=2, prevalence=0.02)
    task = Task("binary", ("defective",), "good")
    return fit_bands(task, probability_n[:, None], bad_n[:, None].astype(float), parts, costs).each[0]


def drawn() -> bytes:
    """The picture as a PNG."""
    made = band()
    assert made.band is not None
    return png(picture(CostContent({**made.band.as_dict(), "name": made.name}, made.curve)), 6.4, 4.2)


def entry() -> Any:
    """The last results of benchmarks/cost_simulation.py."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))[-1]


def held() -> list[str]:
    """How often the intervals held the truth: the rows of the first table."""
    columns = ("cost", "review", "calibration_cost", "calibration_review")
    return [
        f"| {KINDS[kind]} | "
        + " | ".join(f"{100 * found[key]['mean']:.1f} % ({100 * found[key]['worst']:.1f} %)" for key in columns)
        + " |"
        for kind, found in entry()["summary"].items()
    ]


def too_good() -> list[str]:
    """What the calibration part shows of the true cost, and the price of not knowing: the rows of the second table."""
    rows = []
    for each in entry()["designs"]:
        if each["strength"] == 0:
            good = round(each["bad"] * (1 - each["share_of_bad"]) / each["share_of_bad"])
            cells = (
                f"{100 * each[answers]['optimism']:.0f} % | {1 + each[answers]['regret']:.1f} times"
                for answers in ("two answers", "three answers")
            )
            rows.append(f"| {each['bad']} and {good:,} | {' | '.join(cells)} |")
    return rows


if __name__ == "__main__":
    write_bytes(TARGET, drawn())
    sys.stdout.write(f"wrote {TARGET}\n" + "\n".join(band().words) + "\n")
    sys.stdout.write("\n".join([*held(), *too_good()]) + "\n")
