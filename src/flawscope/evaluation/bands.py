"""The decision by costs of a task: class by class the two thresholds with the least expected cost (see `costs`).

Binary and multi-label: each class has its own score and band, with the same costs, as if it were decided alone. Where
bad or good parts are missing, the threshold stays at 0.5, and nobody looks.

Shapes: n samples, k classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from flawscope.errors import RecipeError
from flawscope.evaluation import metrics
from flawscope.evaluation.cost_words import (
    decision_words,
    measured_words,
    missing_words,
    saving_words,
    unmeasured_words,
)
from flawscope.evaluation.costs import Band, Costs, cheapest, cost_curve, fit_band, measured
from flawscope.evaluation.decisions import FIXED
from flawscope.evaluation.intervals import proportion
from flawscope.records import HUMAN, BoolArray, FloatArray, Task
from flawscope.wording import CALIBRATION

RULE = "costs"


@dataclass(frozen=True)
class ClassBand:
    """The band of one class, in numbers, words, and as the curve of cost over one threshold.

    `costs` hold the share of the class at the line that was reckoned with, `share` is that of these parts. `single` is
    the best threshold where nobody looks. Without a band nothing is known: the thresholds are not chosen by data.
    """

    name: str
    costs: Costs
    share: float | None
    low: float
    high: float
    single: float
    band: Band | None
    words: tuple[str, ...]
    curve: dict[str, list[float]]


@dataclass(frozen=True)
class Bands:
    """The upper and the lower threshold of each class; no lower ones where nobody looks at any."""

    thresholds: tuple[float, ...]
    looked_at: tuple[float, ...]
    each: tuple[ClassBand, ...]


def check_task(task: Task, costs: Costs) -> None:
    """Refuse a task that cannot be decided by costs.

    Raises:
        RecipeError: a multi-class task, or a class with the name of the third answer.
    """
    if task.kind == "multiclass":
        raise RecipeError(
            f"decide.costs: the classes {', '.join(task.classes)} exclude each other, and for several kinds of "
            "mistakes one cost of an escape and one of an overkill do not say enough",
            "learn good against bad (data.positive names the bad folders' class), label classes that do not exclude "
            "each other, or use decide.rule or decide.max_escape",
        )
    if costs.review is not None and HUMAN in (*task.classes, task.negative):
        raise RecipeError(
            f"decide.costs: a class is called {HUMAN!r}, which is the answer that a person has to look",
            "give the class another name, or leave out decide.costs.review",
        )


def fit_bands(
    task: Task,
    probability_nk: FloatArray,
    target_nk: FloatArray,
    groups: Sequence[str],
    costs: Costs,
    *,
    where: str = CALIBRATION,
) -> Bands:
    """The thresholds with the least expected cost, class by class; the words call the samples `where`.

    >>> probability_nk = np.array([[0.1], [0.2], [0.4], [0.6], [0.7], [0.9]])
    >>> target_nk = np.array([[0.0], [0], [1], [0], [1], [1]])
    >>> costs = Costs(escape=100, overkill=10, review=1)
    >>> found = fit_bands(Task("binary", ("bad",)), probability_nk, target_nk, list("abcdef"), costs)
    >>> [round(low, 2) for low in found.looked_at], [round(high, 2) for high in found.thresholds]
    ([0.3], [0.65])

    Raises:
        RecipeError: see `check_task`.
        ValueError: shapes that do not fit, or probabilities outside [0, 1].
    """
    check_task(task, costs)
    n, k = len(groups), len(task.classes)
    if probability_nk.shape != target_nk.shape or probability_nk.shape != (n, k):
        raise ValueError(f"expected arrays {n} x {k}, got {probability_nk.shape}, {target_nk.shape}")
    truth_nk = metrics.truth(task.kind, target_nk)
    each = []
    for c, name in enumerate(task.classes):
        score_n, truth_n = probability_nk[:, c].astype(np.float64), truth_nk[:, c]
        good = task.negative if task.kind == "binary" else ""
        share = float(truth_n.mean()) if n else None
        band = fit_band(score_n, truth_n, groups, costs) if n else None
        if band is None:
            words = missing_words(costs, name, good, bad_there=bool(truth_n.any()), threshold=FIXED, where=where)
            each.append(ClassBand(name, costs, share, FIXED, FIXED, FIXED, None, words, {}))
            continue
        asked = replace(costs, prevalence=band.prevalence)
        single = cheapest(score_n, truth_n, replace(asked, review=None))[0]
        words = decision_words(band, costs, name, good, share=float(truth_n.mean()), where=where)
        curve = cost_curve(score_n, truth_n, asked)
        each.append(ClassBand(name, asked, share, band.low, band.high, single, band, words, curve))
    somebody = any(found.low < found.high for found in each)
    return Bands(
        thresholds=tuple(found.high for found in each),
        looked_at=tuple(found.low for found in each) if somebody else (),
        each=tuple(each),
    )


@dataclass(frozen=True)
class Chosen:
    """What was decided for one class: the costs with the share at the line, both thresholds, and the single one."""

    costs: Costs
    low: float
    high: float
    single: float


def measured_costs(
    task: Task,
    probability_nk: FloatArray,
    target_nk: FloatArray,
    groups: Sequence[str],
    *,
    human_n: BoolArray,
    chosen_k: Sequence[Chosen],
) -> dict[str, Any]:
    """What a decision by costs costs on parts that had no say in it: the block `three_answers` of the metrics.

    `human_n`: for which parts the answer was that a person has to look; `person` is their share among these parts,
    mixed as they are, and `review` of a class that at the line. A class of which bad or good parts are missing has
    words in place of numbers. `saving` says where the network saves nothing on these parts.
    """
    truth_nk = metrics.truth(task.kind, target_nk)
    classes: dict[str, Any] = {}
    for c, (name, chosen) in enumerate(zip(task.classes, chosen_k, strict=True)):
        good = task.negative if task.kind == "binary" else ""
        band = measured(
            probability_nk[:, c], truth_nk[:, c], groups, chosen.costs, (chosen.low, chosen.high),
            chosen_without=chosen.single,
        )  # fmt: skip
        numbers = band.as_dict() if band else {"low": chosen.low, "high": chosen.high}
        words = measured_words(band, name, good) if band else unmeasured_words(name, good, bool(truth_nk[:, c].any()))
        saving = saving_words(band) if band else ""
        classes[name] = {**numbers, "costs": asdict(chosen.costs), "words": words, "saving": saving}
    return {"schema": 1, "person": proportion(human_n, groups).as_dict(), "classes": classes}
