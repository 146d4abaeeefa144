"""Draw the picture of docs/costs.md from invented scores: python docs/make_costs_picture.py."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from flawscope.evaluation.bands import ClassBand, fit_bands
from flawscope.evaluation.costs import Costs
from flawscope.pages.costs import CostContent, picture
from flawscope.pages.figures import png
from flawscope.records import Task
from flawscope.storage import write_bytes

TARGET = Path(__file__).parent / "images" / "costs.png"
BAD, GOOD = 300, 900


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


if __name__ == "__main__":
    write_bytes(TARGET, drawn())
    sys.stdout.write(f"wrote {TARGET}\n" + "\n".join(band().words) + "\n")
