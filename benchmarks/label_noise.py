"""The ceiling that the labels of ELPV set: what accuracy could anyone reach against them?

    python benchmarks/label_noise.py [--trial]

Three roads to how often two readings of one cell would disagree: what the expert said of his own certainty, one module
that was photographed and labelled twice, and sister cells with opposite labels, of which a sample was looked at
(`judge_sisters.py`). A second reading of the same pictures, by others, checks them. docs/label-noise.md has the
reasoning. The result is appended to benchmarks/results/label-noise.json, unless `--trial` is given. The pairs come from
the leak court (minutes; kept below runs/). Nothing is trained.

Shapes as in noise_statistics.py; grades are thirds of the defect probability, 0 to 3.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.data.court.verdict import find_twins
from flawscope.data.group_file import load_groups
from flawscope.data.read import read
from flawscope.data.spec import ElpvSpec
from flawscope.evaluation.intervals import proportion
from flawscope.evaluation.metrics import IntArray
from flawscope.records import FloatArray, Samples, Twins
from flawscope.steps.provenance import command
from flawscope.steps.workspace import read_json

sys.path.append(str(Path(__file__).resolve().parent / "court"))

import noise_sisters as sisters
import noise_statistics as noise
from groups import components
from noise_cells import DRAWS, GROUPS, KINDS, RUN, SEED, Cells, Pairs, cells_of, over, pairs_of, road, rounded
from record import RESULTS, RUNS, append, provenance

WRONG = {"one in six": 1 / 6, "one in three": 1 / 3, "one in two": 1 / 2}
"""How many of the labels that the expert was not sure of are wrong: as he says one in three, or fewer, or more."""
PUBLISHED = {"Deitsch et al. 2019, CNN": 0.8842, "ResNet-152 with oversampling": 0.9013}


def stated(cells: Cells) -> dict[str, Any]:
    """What the expert said of his own certainty: so many of the unsure labels are wrong, and none of the sure ones."""
    thirds_n = np.array([0, 1 / 3, 2 / 3, 1])[cells.grade_n]
    wrong = over(cells.group_n, lambda i: 1 - noise.right_answers(thirds_n[i]))
    types = {kind: round(noise.right_answers(thirds_n[cells.kind_n == k]), 4) for k, kind in enumerate(KINDS)}
    return {
        "wrong": {name: if_wrong(cells, share) for name, share in WRONG.items()},
        "right_by_type": types,
        "road": road(wrong, cells.prevalence),
    }


def if_wrong(cells: Cells, share: float) -> dict[str, list[float]]:
    """Right labels, and AUROC of the best score, if this share of the unsure labels is wrong."""
    chance_n = np.array([0, share, 1 - share, 1])[cells.grade_n]
    return {
        "right": rounded(over(cells.group_n, lambda i: noise.right_answers(chance_n[i]))),
        "AUROC": rounded(over(cells.group_n, lambda i: noise.expected_auroc(chance_n[i]))),
    }


def repeated(cells: Cells, pairs: Pairs) -> dict[str, Any]:
    """One module that was labelled twice: the two readings of its cells."""
    first_p, again_p = np.sort(pairs.place_p2, axis=1).T
    defective_p2 = cells.defective_n[np.stack([first_p, again_p], axis=1)]
    differs_p = defective_p2[:, 0] != defective_p2[:, 1]
    return {
        "cells": len(first_p),
        "places": [[int(each.min()), int(each.max())] for each in (first_p, again_p)],
        "other_grade": int(np.sum(cells.grade_n[first_p] != cells.grade_n[again_p])),
        "opposite": int(differs_p.sum()),
        "called_defective_once": int(defective_p2.any(axis=1).sum()),
        "called_defective_twice": int(defective_p2.all(axis=1).sum()),
        "road": road(proportion(differs_p, np.arange(len(differs_p))), cells.prevalence),
    }


def second_reading(cells: Cells) -> dict[str, Any]:
    """The same pictures read by others, who were asked for cracks and inactive regions: how far the two agree.

    And what it says of the labels that the expert was not sure of, if those cells are a mixture of cells like the
    surely functional and like the surely defective ones.
    """
    known = cells.second_n >= 0
    grade_n, second_n, group_n = cells.grade_n[known], cells.second_n[known] == 1, cells.group_n[known]
    agree_n = cells.defective_n[known] == second_n

    def chances(i: IntArray) -> FloatArray:
        """The chance of a real defect at each grade."""
        count_4 = np.bincount(grade_n[i], minlength=4)
        rate = np.bincount(grade_n[i], weights=second_n[i], minlength=4) / np.maximum(count_4, 1)
        return np.array([0.0, *(noise.mixture_share(rate[grade], rate[0], rate[3]) for grade in (1, 2)), 1.0])

    def right(i: IntArray) -> float:
        chance_4 = chances(i)
        return float(np.where(np.arange(4) >= 2, chance_4, 1 - chance_4)[cells.grade_n].mean())

    def finds(grade: int) -> dict[str, Any]:
        found = proportion(second_n[grade_n == grade], group_n[grade_n == grade])
        chance = over(group_n, lambda i: float(chances(i)[grade])) if grade in (1, 2) else None
        return {
            "grade": grade,
            "cells": found.n,
            "finds_a_defect": rounded(found),
            "chance": rounded(chance) if chance else None,
        }

    of_kind = {kind: cells.kind_n[known] == number for number, kind in enumerate(KINDS)}
    return {
        "cells": len(agree_n),
        "agreement": rounded(proportion(agree_n, group_n)),
        "by_type": {kind: rounded(proportion(agree_n[of], group_n[of])) for kind, of in of_kind.items()},
        "grades": [finds(grade) for grade in range(4)],
        "right": rounded(over(group_n, right)),
        "AUROC": rounded(over(group_n, lambda i: noise.expected_auroc(chances(i)[cells.grade_n]))),
    }


def ceiling(roads: Mapping[str, Mapping[str, list[float]]]) -> dict[str, list[float]]:
    """From the lowest of the values of all roads to the highest; and the same of the ends of their intervals."""
    found = {}
    for measure in ("accuracy", "AUROC"):
        ways = [each[f"{measure}_{way}"] for each in roads.values() for way in ("few", "alike")]
        found[measure] = [min(way[0] for way in ways), max(way[0] for way in ways)]
        found[f"{measure}, ends of the intervals"] = [min(way[1] for way in ways), max(way[2] for way in ways)]
    return found


def measured(samples: Samples, twins: Twins) -> dict[str, Any]:
    """All numbers."""
    cells, pairs = cells_of(samples), pairs_of(samples, twins)
    again_p = noise.in_a_run(pairs.place_p2, RUN)
    others = pairs.where(~again_p)
    said, twice, of_sisters = stated(cells), repeated(cells, pairs.where(again_p)), all_sisters(samples, cells, others)
    whole = of_sisters["reweighted"]["all, mono taken to be like poly"]
    roads = {"stated": said["road"], "labelled twice": twice["road"], "sisters": whole["road"]}
    return {
        "grades": {kind: np.bincount(cells.grade_n[cells.kind_n == k]).tolist() for k, kind in enumerate(KINDS)},
        "opposite_pairs": int(np.not_equal(*cells.defective_n[pairs.place_p2].T).sum()),
        "stated": said,
        "labelled_twice": twice,
        "sisters": of_sisters,
        "second_reading": second_reading(cells),
        "ceiling": ceiling(roads),
    }


def all_sisters(samples: Samples, cells: Cells, pairs: Pairs) -> dict[str, Any]:
    """Everything about the pairs that are not the module labelled twice."""
    names = [str(place) for place in range(len(samples))]
    joined = components(names, ((str(a), str(b)) for a, b in pairs.place_p2))
    cluster = {name: number for number, group in enumerate(joined) for name in group}
    seen, unexplained_p, group_p = sisters.looked_at(samples, cells)
    kinds = {"poly": (1,), "all, mono taken to be like poly": (0, 1)}
    return {
        "all": sisters.opposite(cells, pairs),
        "all, over clusters alone": sisters.opposite(cells, pairs, np.array([cluster[name] for name in names])),
        "weighted_by_likeness": sisters.weighted_by_likeness(cells, pairs),
        "strata": sisters.by_stratum(cells, pairs),
        "other_is_defective": sisters.other_is_defective(cells, pairs),
        "looked_at": seen,
        "reweighted": {
            name: sisters.as_repeats(cells, pairs, which, unexplained_p, group_p) for name, which in kinds.items()
        },
    }


def compared() -> dict[str, Any]:
    """What has been reached: published on random splits, and by the recipe on folds that keep modules together."""
    wanted = {"recipe": "solar-binary.yaml", "protocol": "folds"}
    entries = read_json(RESULTS / "reference-systems.json")
    ours = next(each for each in reversed(entries) if all(each[key] == value for key, value in wanted.items()))
    return {
        "published": PUBLISHED,
        "ours": {key: ours["headline"][key] for key in ("accuracy", "AUROC")}
        | {"protocol": ours["what"], "code": ours["code"]},
    }


def main() -> None:
    """Measure, say, append."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trial", action="store_true", help="nothing is appended")
    asked = parser.parse_args()
    samples = read(ElpvSpec(), Path.cwd())
    twins = find_twins(samples, cache=RUNS / "audits" / ".cache")
    entry = {
        **provenance("label-noise"),
        "command": f"python benchmarks/{command()}",
        "data": {"name": samples.name, "source": samples.source, "hash": samples.hash},
        "groups": load_groups(GROUPS).hash,
        "pairs": {"method": twins.method, "n": len(twins.pairs)},
        "intervals": f"95 %, over the benchmark groups, {DRAWS} draws, seed {SEED}; Wilson for counts",
        **measured(samples, twins),
        "compared": compared(),
    }
    print(json.dumps(entry, indent=1))
    if not asked.trial:
        append(RESULTS / "label-noise.json", entry)


if __name__ == "__main__":
    main()
