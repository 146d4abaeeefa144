"""Sister cells with opposite labels: how often, where, and how many of them can be seen to differ.

Shapes: n cells, p pairs, q readings (each pair from both sides).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import noise_statistics as noise
from flawscope.evaluation.intervals import bootstrap_draws, bootstrap_interval, proportion
from flawscope.evaluation.metrics import IntArray
from flawscope.records import BoolArray, FloatArray, Samples
from noise_cells import DRAWS, KINDS, SEED, Cells, Pairs, road, rounded, weighted_share

JUDGED = Path(__file__).resolve().parent / "judged-sisters.json"
THRESHOLDS = (0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Readings:
    """Each pair from both sides: the own cell, the label of the other one, and so much that each cell counts once."""

    own_q: IntArray
    other_q: IntArray
    weight_q: FloatArray

    @classmethod
    def of(cls, pairs: Pairs) -> Readings:
        """Both sides."""
        own_q, other_q = np.concatenate([pairs.place_p2, pairs.place_p2[:, ::-1]]).T
        return cls(own_q, other_q, noise.weight_of_cells(own_q))


def opposite(cells: Cells, pairs: Pairs, groups: IntArray | None = None) -> dict[str, Any]:
    """How often a sister carries the opposite label, each cell counted once; over benchmark groups, or others."""
    readings = Readings.of(pairs)
    differs_q = cells.defective_n[readings.own_q] != cells.defective_n[readings.other_q]
    group_q = (cells.group_n if groups is None else groups)[readings.own_q]
    found = weighted_share(differs_q, readings.weight_q, group_q)
    return {
        "pairs": len(pairs.place_p2),
        "opposite": int(differs_q.sum()) // 2,
        "cells": len(np.unique(readings.own_q)),
        "groups": found.groups,
        "rate": rounded(found),
    }


def by_stratum(cells: Cells, pairs: Pairs) -> dict[str, Any]:
    """Opposite labels by how alike, by kind, by type and by certainty."""
    kind_p2, grade_p2 = cells.kind_n[pairs.place_p2], cells.grade_n[pairs.place_p2]
    unsure_p = np.isin(grade_p2, (1, 2)).sum(axis=1)
    chosen = {
        **{f"measure >= {least}": pairs.measure_p >= least for least in THRESHOLDS},
        "called a copy (re-encoded, exposure, shifted)": ~pairs.sister_p,
        "called a sister": pairs.sister_p,
        **{kind: (kind_p2 == number).all(axis=1) for number, kind in enumerate(KINDS)},
        "both sure": unsure_p == 0,
        "one unsure": unsure_p == 1,
        "both unsure": unsure_p == 2,
    }
    return {name: opposite(cells, pairs.where(chosen_p)) for name, chosen_p in chosen.items() if chosen_p.any()}


def weighted_by_likeness(cells: Cells, pairs: Pairs) -> list[float]:
    """Each pair counted r^2 / (1 - r^2): what the two share, over what is each one's own."""
    differs_p = np.not_equal(*cells.defective_n[pairs.place_p2].T)
    weight_p = pairs.measure_p**2 / (1 - pairs.measure_p**2)
    group_p = cells.group_n[pairs.place_p2[:, 0]]
    return rounded(weighted_share(differs_p, weight_p, group_p))


def other_is_defective(cells: Cells, pairs: Pairs) -> list[dict[str, Any]]:
    """For each grade: how often the sister of such a cell is called defective."""
    readings, found = Readings.of(pairs), []
    for grade in range(4):
        own = cells.grade_n[readings.own_q] == grade
        defective_q, weight_q = cells.defective_n[readings.other_q[own]], readings.weight_q[own]
        rate = weighted_share(defective_q, weight_q, cells.group_n[readings.own_q[own]])
        found.append({"grade": grade, "cells": len(np.unique(readings.own_q[own])), "rate": rounded(rate)})
    return found


def looked_at(samples: Samples, cells: Cells) -> tuple[dict[str, Any], BoolArray, IntArray]:
    """What a reviewer said of a sample of pairs, and for those of opposite labels whether that explains the labels.

    Explained: the reviewer, who was not told the labels, saw a defect in the one that is called defective, not in the
    other.
    """
    place = {row.sha256: number for number, row in enumerate(samples.rows)}
    judged = [(place[a], place[b], said) for a, b, said in json.loads(JUDGED.read_text(encoding="utf-8"))]
    labels = [(bool(cells.defective_n[a]), bool(cells.defective_n[b]), said) for a, b, said in judged]
    told = [(said == "first" and a) or (said == "second" and b) for a, b, said in labels if a != b]
    controls = [said != "alike" for a, b, said in labels if a == b]
    unexplained_p = ~np.array(told, np.bool_)
    group_p = np.array([cells.group_n[a] for a, b, _ in judged if cells.defective_n[a] != cells.defective_n[b]])
    return (
        {
            "opposite": len(told),
            "explained": int(sum(told)),
            "the_other_way_round": sum(said != "alike" for a, b, said in labels if a != b) - int(sum(told)),
            "unexplained": rounded(proportion(unexplained_p, group_p)),
            "same_label": len(controls),
            "same_label_but_differ": int(sum(controls)),
        },
        unexplained_p,
        group_p,
    )


def as_repeats(
    cells: Cells, pairs: Pairs, kinds: Sequence[int], unexplained_p: BoolArray, seen_p: IntArray
) -> dict[str, Any]:
    """Opposite labels of poly sisters, in the mix of grades of the whole set, less what can be seen.

    With `kinds` of both types, mono cells are taken to be like poly cells of the same grade: next to none have a twin.
    """
    readings = Readings.of(pairs.where((cells.kind_n[pairs.place_p2] == KINDS.index("poly")).all(axis=1)))
    differs_q = cells.defective_n[readings.own_q] != cells.defective_n[readings.other_q]
    grade_q, group_q = cells.grade_n[readings.own_q], cells.group_n[readings.own_q]
    share = cells.of_grades(kinds)

    def rate(i: IntArray) -> float:
        return noise.poststratified(differs_q[i], readings.weight_q[i], grade_q[i], share)

    everywhere = np.arange(len(differs_q))
    drawn_d = bootstrap_draws(lambda i: [rate(i)], group_q, SEED, DRAWS)[:, 0]
    # The reviewer's sample is drawn anew by itself: another seed.
    left_d = bootstrap_draws(lambda i: [float(unexplained_p[i].mean())], seen_p, SEED + 1, DRAWS)[:, 0]
    left = float(unexplained_p.mean())
    whole = bootstrap_interval(rate(everywhere), drawn_d, group_q)
    unseen = bootstrap_interval(rate(everywhere) * left, drawn_d * left_d, group_q, units=len(np.unique(seen_p)))
    return {"opposite": rounded(whole), "road": road(unseen, cells.prevalence), "note": unseen.note}
