"""How much of what an F1 lacks is the threshold's, and how much the network's.

    python benchmarks/threshold_cost.py RUN... [--trial]

RUN is the finished folder of a run or of a cross-validation, of a task of one or of several labels, such as
runs/bench/solar-multilabel-folds. What its sealed bundles said of their test images is called again from the same
probabilities, and pooled:

- `sealed`: as the bundles call, by their own thresholds: what is reported;
- `0.5`: by one half in every fold and class;
- `0.5, no calibrator`: the sigmoid of what the networks give, by one half (where calibrators are straight lines);
- `best of the other folds`: by those that are best on the test images of the other folds, each scored by a network that
  has not seen it, before any calibrator (where these are straight lines). These networks have learnt from this fold: it
  is an estimate of what thresholds from many more images would bring;
- `best, one for all folds` and `best of each fold`: by the thresholds that are best on the test images themselves. No
  bundle can have them: they say how far better thresholds could bring this network at most.

Mean F1 over the classes, and the F1 of each, with 95 % intervals over groups; the differences from `sealed` are paired.
Nothing is trained, scored or chosen. Appends to benchmarks/results/threshold-cost.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logit

from entries import ROOT, append, ends, provenance, runs_asked
from flawscope.bundle.archive import read_bundle
from flawscope.evaluation import paired
from flawscope.evaluation.intervals import IndexArray
from flawscope.evaluation.metrics import counts_by_threshold, truth
from flawscope.probability import Knots
from flawscope.records import BoolArray, FloatArray, Task
from flawscope.steps.metrics_document import decided
from flawscope.steps.tested import side_of
from flawscope.steps.workspace import Run, read_json

RESULTS = ROOT / "benchmarks" / "results" / "threshold-cost.json"
SEALED, HALF, SIGMOID, OTHERS = "sealed", "0.5", "0.5, no calibrator", "best of the other folds"
ALL, EACH = "best, one for all folds", "best of each fold"
CERTAIN = 1e-9
"""Probabilities count as at least this far from 0 and 1 where their logits are asked for."""


def bounded_logit(probability_nk: FloatArray) -> FloatArray:
    """The logits of probabilities, of which 0 and 1 count as nearly so."""
    inside_nk: FloatArray = logit(np.clip(probability_nk, CERTAIN, 1 - CERTAIN))
    return inside_nk


@dataclass(frozen=True)
class Answers:
    """Of n test images and k classes: probability, truth, what the sealed bundles called; fold, group and name.

    `logit_nk` is what stood before the calibrators, where they can be undone.
    """

    classes: tuple[str, ...]
    probability_nk: FloatArray
    truth_nk: BoolArray
    sealed_nk: BoolArray
    fold_n: IndexArray
    group_n: tuple[str, ...]
    id_n: tuple[str, ...] = ()
    logit_nk: FloatArray | None = None

    def only(self, keep_n: BoolArray) -> Answers:
        """About some of the images."""
        return Answers(
            self.classes,
            self.probability_nk[keep_n],
            self.truth_nk[keep_n],
            self.sealed_nk[keep_n],
            self.fold_n[keep_n],
            tuple(compress(self.group_n, keep_n)),
            tuple(compress(self.id_n, keep_n)),
            None if self.logit_nk is None else self.logit_nk[keep_n],
        )


def main() -> None:
    """Measure each folder, and append."""
    asked = runs_asked(__doc__, "a run or of a cross-validation")
    for folder in asked.runs:
        answers = answers_of(folder)
        found = measured(answers, calls(answers))
        for name, of in found.items():
            print(f"{folder.name}, {name}: {of}")
        if not asked.trial:
            append(
                RESULTS, {**provenance(), **of_run(folder), "groups": len(set(answers.group_n)), "thresholds": found}
            )


def answers_of(folder: Path) -> Answers:
    """What the sealed bundles of a run or of a cross-validation have said of their test images."""
    side = side_of(folder.name, folder, {})
    if side.task.kind == "multiclass":
        raise SystemExit(f"{folder}: its classes exclude each other and are weighed, there is no threshold for each")
    rows = list(side.answers.values())
    group = side.group
    knots_p = [knots_of(part) for part in side.parts]
    probability_nk = np.array([row.prediction.probability for row in rows])
    return Answers(
        side.task.classes,
        probability_nk,
        truth(side.task.kind, np.array([row.sample.target for row in rows])),
        decided([row.prediction for row in rows], len(side.task.classes))[0],
        np.array([row.part for row in rows]),
        tuple(group[row.sample.id] for row in rows),
        tuple(row.sample.id for row in rows),
        logits(probability_nk, [knots_p[row.part] for row in rows]),
    )


def knots_of(run: Run) -> Sequence[Knots] | None:
    """The tables of the calibrator of a finished run; none where it weighs the classes against each other."""
    calibrator = read_bundle(run.bundle).manifest.sealed.calibrator
    return None if calibrator is None or calibrator.against_rest else calibrator.knots


def logits(probability_nk: FloatArray, knots_n: Sequence[Sequence[Knots] | None]) -> FloatArray | None:
    """What stood before the calibrators of n images; none where one of these is no rising straight line.

    >>> logits(np.array([[0.5], [0.5]]), [[[(0, 0), (1, 2)]], [[(0, -1), (1, 1)]]])
    array([[0. ],
           [0.5]])
    """
    if any(knots is None or any(len(table) != 2 or table[1][1] <= table[0][1] for table in knots) for knots in knots_n):
        return None
    (x0_nk, y0_nk), (x1_nk, y1_nk) = np.array(knots_n, dtype=np.float64).transpose(2, 3, 0, 1)
    calibrated_nk = bounded_logit(probability_nk)
    return np.asarray(x0_nk + (calibrated_nk - y0_nk) * (x1_nk - x0_nk) / (y1_nk - y0_nk))


def of_run(folder: Path) -> dict[str, Any]:
    """Which run it is: what its bundles were made of."""
    metrics = read_json(folder / "metrics.json")
    facts = metrics["provenance"]
    return {
        "run": folder.name,
        "run_code": facts["code"],
        "run_date": facts["date"],
        "split": metrics["split"],
        "n": metrics["n"],
        "seals": [part["seal"] for part in metrics.get("folds") or [metrics["bundle"]]],
    }


def calls(answers: Answers) -> Mapping[str, BoolArray]:
    """What is called, n x k, in each way."""
    probability_nk, truth_nk = answers.probability_nk, answers.truth_nk
    one_k = [best(truth_n, score_n) for truth_n, score_n in zip(truth_nk.T, probability_nk.T, strict=True)]
    own_nk = np.zeros_like(truth_nk)
    for fold in np.unique(answers.fold_n):
        inside = answers.fold_n == fold
        for k in range(truth_nk.shape[1]):
            own_nk[inside, k] = probability_nk[inside, k] >= best(truth_nk[inside, k], probability_nk[inside, k])
    return {
        SEALED: answers.sealed_nk,
        HALF: probability_nk >= 0.5,
        **({} if answers.logit_nk is None else {SIGMOID: answers.logit_nk >= 0}),
        **by_others(answers),
        ALL: probability_nk >= np.array(one_k),
        EACH: own_nk,
    }


def by_others(answers: Answers) -> Mapping[str, BoolArray]:
    """What is called by the logits that are best on the other folds; nothing of one fold, or without logits."""
    logit_nk, folds = answers.logit_nk, np.unique(answers.fold_n)
    if logit_nk is None or len(folds) < 2:
        return {}
    called_nk = np.zeros_like(answers.truth_nk)
    for fold in folds:
        inside = answers.fold_n == fold
        for k, (truth_n, logit_n) in enumerate(zip(answers.truth_nk.T, logit_nk.T, strict=True)):
            called_nk[inside, k] = logit_n[inside] >= best(truth_n[~inside], logit_n[~inside])
    return {OTHERS: called_nk}


def best(truth_n: BoolArray, score_n: FloatArray) -> float:
    """The threshold with the highest F1 on these very images; above all of them where none shows the class.

    >>> best(np.array([True, False, True]), np.array([0.9, 0.6, 0.3]))
    0.3
    >>> best(np.array([False, False]), np.array([0.9, 0.6]))
    inf
    """
    if not truth_n.any():
        return np.inf
    tp_c, fp_c, score_c = counts_by_threshold(truth_n, score_n)
    return float(score_c[np.argmax(2 * tp_c / (tp_c + fp_c + truth_n.sum()))])


def measured(answers: Answers, called: Mapping[str, BoolArray], base: str = SEALED) -> dict[str, Any]:
    """F1 of each way to call, with intervals, and how far it is from that of `base`."""
    task = Task("multilabel" if len(answers.classes) > 1 else "binary", answers.classes)
    made = {
        name: paired.answers(
            task, answers.truth_nk.astype(np.float64), answers.probability_nk, flag_nk, answers.group_n
        )
        for name, flag_nk in called.items()
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name, of in made.items():
        rows = {row.class_name: row for row in paired.differences(made[base], of) if row.measure.endswith("F1")}
        overall = rows.get(paired.OVERALL, rows.get(answers.classes[0]))
        each = {"mean F1": overall, **{key: row for key, row in rows.items() if key != paired.OVERALL}}
        found[name] = {key: ends(row.other.as_dict()) for key, row in each.items() if row}
        if name != base and overall:
            found[name][f"mean F1, less that of {base}"] = ends(overall.difference.as_dict())
    return found


if __name__ == "__main__":
    main()
