"""The cells of ELPV and their pairs as arrays, and what all parts of label_noise.py share.

Shapes: n cells in file order, p pairs. Grades are thirds of the defect probability, 0 to 3.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from flawscope.data.group_file import load_groups
from flawscope.evaluation.intervals import bootstrap
from flawscope.evaluation.metrics import IntArray
from flawscope.records import BoolArray, FloatArray, Interval, Samples, Twins

sys.path.append(str(Path(__file__).resolve().parent / "court"))

import noise_statistics as noise
from entries import ends
from record import SHARED

GROUPS = Path(__file__).resolve().parent / "groups" / "elpv.json"
SECOND = SHARED / "data" / "solar-multilabel" / "labels.csv"
SEED, DRAWS = 1, 2000
KINDS = ("mono", "poly")
RUN = 20
"""So many neighbours in a row with their twins at one distance are a module that was photographed twice."""


@dataclass(frozen=True)
class Cells:
    """The cells in file order: grade 0 to 3, type (place in KINDS), benchmark group, and what others said of them.

    `second_n`: crack or inactive in the labels of solar-multilabel (1, 0), -1 where these do not name the cell.
    """

    grade_n: IntArray
    kind_n: IntArray
    group_n: IntArray
    second_n: IntArray

    @property
    def defective_n(self) -> BoolArray:
        """The label of reference system A: a probability of at least 0.5."""
        return self.grade_n >= 2

    @property
    def prevalence(self) -> float:
        """The share of cells that are called defective."""
        return float(self.defective_n.mean())

    def of_grades(self, kinds: Sequence[int]) -> dict[int, float]:
        """How many cells of these types there are of each grade."""
        counts = np.bincount(self.grade_n[np.isin(self.kind_n, kinds)], minlength=4)
        return {grade: float(count) for grade, count in enumerate(counts)}


@dataclass(frozen=True)
class Pairs:
    """Pairs of cells by their places in the file, p x 2."""

    place_p2: IntArray
    measure_p: FloatArray
    sister_p: BoolArray

    def where(self, chosen_p: BoolArray) -> Pairs:
        """Some of them."""
        return Pairs(self.place_p2[chosen_p], self.measure_p[chosen_p], self.sister_p[chosen_p])


def cells_of(samples: Samples) -> Cells:
    """What is known of each cell."""
    group = load_groups(GROUPS).of(samples)[0]
    with SECOND.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    second = {row["filename"]: int(row["crack"] == "1" or row["inactive"] == "1") for row in rows}
    return Cells(
        np.array([round(3 * float(row.meta["labelled"])) for row in samples.rows]),
        np.array([KINDS.index(str(row.meta["type"])) for row in samples.rows]),
        np.unique([group[row.id] for row in samples.rows], return_inverse=True)[1],
        np.array([second.get(row.id, -1) for row in samples.rows]),
    )


def pairs_of(samples: Samples, twins: Twins) -> Pairs:
    """What the court has found."""
    place = {row.id: number for number, row in enumerate(samples.rows)}
    return Pairs(
        np.array([(place[pair.a], place[pair.b]) for pair in twins.pairs]),
        np.array([pair.measure for pair in twins.pairs]),
        np.array([pair.kind == "sister" for pair in twins.pairs]),
    )


def over(groups: npt.ArrayLike, measure: Callable[[IntArray], float]) -> Interval:
    """Bootstrap over groups, with the seed and the draws of this benchmark."""
    return bootstrap(measure, groups, SEED, draws=DRAWS)


def weighted_share(hit_q: BoolArray, weight_q: FloatArray, groups: npt.ArrayLike) -> Interval:
    """The weighted share of hits, with its interval over groups."""
    return over(groups, lambda i: float(np.average(hit_q[i], weights=weight_q[i])))


def rounded(interval: Interval) -> list[float]:
    """Value, low and high."""
    return ends(vars(interval))


def road(disagreement: Interval, prevalence: float) -> dict[str, list[float]]:
    """How often two readings of a cell disagree, and the ceilings: value, low, high.

    `few`: it falls on as few cells as can be, whose labels are tossed by a coin; `alike`: on all cells alike.
    """
    found = (disagreement.value, disagreement.high, disagreement.low)
    return {
        "disagreement": rounded(disagreement),
        "accuracy_few": [round(1 - noise.greatest_error(each), 4) for each in found],
        "accuracy_alike": [round(1 - noise.least_error(each), 4) for each in found],
        "AUROC_few": [round(noise.auroc_if_few(each, prevalence), 4) for each in found],
        "AUROC_alike": [round(noise.auroc_if_alike(each, prevalence), 4) for each in found],
    }
