"""Precision and recall of pixels over all thresholds, from counts of the 256 levels.

Shapes: n images, c = k + 1 columns (the classes, and any of them as one), d bootstrap draws, 256 levels l.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flawscope.evaluation.intervals import bootstrap_interval, bootstrap_sums
from flawscope.evaluation.mask_facts import LEVELS, MaskFacts
from flawscope.records import FloatArray

DRAWS = 300
"""Enough for the ends of an interval to two digits; each draw adds up 512 counts a class."""


def curves(
    names: Sequence[str],
    facts: MaskFacts,
    groups: Sequence[str],
    units_c: FloatArray,
    *,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Any]:
    """For each class that shows: precision and recall of pixels at each level, and their average precision.

    At a level, all pixels that reach it are marked, small regions among them. Average precision as scikit-learn has it,
    of the levels.
    """
    found: dict[str, Any] = {}
    for c, name in enumerate(names):
        shown_nl, rest_nl = facts.shown_ncl[:, c].astype(np.float64), facts.rest_ncl[:, c].astype(np.float64)
        if not shown_nl.any() or not rest_nl.any():
            continue
        count_nl = np.concatenate([shown_nl, rest_nl], axis=1)
        drawn_dl = bootstrap_sums(count_nl, groups, seed, DRAWS)
        shown_l, rest_l = shown_nl.sum(axis=0), rest_nl.sum(axis=0)
        value = float(average_precision(shown_l[None], rest_l[None])[0])
        drawn_d = average_precision(drawn_dl[:, :LEVELS], drawn_dl[:, LEVELS:])
        interval = bootstrap_interval(value, drawn_d, groups, level, max(1, int(units_c[c])))
        recall_l, precision_l = at_levels(shown_l, rest_l)
        reached_l = np.cumsum((shown_l + rest_l)[::-1])[::-1] > 0
        kept = np.flatnonzero((np.diff(recall_l, append=-1.0) != 0) & reached_l)
        found[name] = {
            "level": kept.tolist(),
            "recall": recall_l[kept].tolist(),
            "precision": precision_l[kept].tolist(),
            "share": float(shown_l.sum() / (shown_l.sum() + rest_l.sum())),
            "average precision": interval.as_dict(),
        }
    return found


def at_levels(shown_l: FloatArray, rest_l: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Recall and precision of pixels if all that reach each level are marked; precision 1 where none does.

    >>> recall, precision = at_levels(np.array([1.0, 1.0]), np.array([2.0, 0.0]))
    >>> recall.tolist(), precision.tolist()
    ([1.0, 0.5], [0.5, 1.0])
    """
    hit_l, false_l = (np.cumsum(count_l[::-1])[::-1] for count_l in (shown_l, rest_l))
    called_l = hit_l + false_l
    return hit_l / hit_l[0], np.where(called_l > 0, hit_l / np.maximum(called_l, 1), 1.0)


def average_precision(shown_dl: FloatArray, rest_dl: FloatArray) -> FloatArray:
    """Average precision of each row of counts, the pixels of one level coming in together; NaN where none shows.

    >>> average_precision(np.array([[0.0, 1.0, 1.0]]), np.array([[1.0, 1.0, 0.0]])).round(4).tolist()
    [0.8333]
    """
    hit_dl, false_dl = (np.cumsum(count_dl[:, ::-1], axis=1) for count_dl in (shown_dl, rest_dl))
    with np.errstate(invalid="ignore", divide="ignore"):
        precision_dl = np.where(hit_dl > 0, hit_dl / (hit_dl + false_dl), 0.0)
        return np.where(hit_dl[:, -1] > 0, (shown_dl[:, ::-1] * precision_dl).sum(axis=1) / hit_dl[:, -1], np.nan)
