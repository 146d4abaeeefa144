"""Which rule for thresholds is best on groups that it has not seen, by validation and calibration parts alone.

    python benchmarks/threshold_rules.py RUN... [--trial]

RUN is a finished cross-validation of a task of one or of several labels, decided by best_f1 after the standard
calibrator. Where it is not there, it is made: recipes/solar-multilabel.yaml, with parts to fit by. In each fold every
group of the calibration part is left out once; thresholds come from the others, and call the images of that group. All
these answers together are measured:

- `rule`: as bundles are decided: calibrator of the validation part, thresholds of the calibration part (without the
  group) by the rule of one standard error;
- `best` and `half of the best F1`: the same probabilities, by the threshold that is best on those groups, and by the
  one that is best in theory;
- `0.5`: the same probabilities, by one half;
- `0.5, no calibrator`: the sigmoid of what the network gives, by one half: nothing is fitted;
- `rule, both parts` and `best, both parts`: calibrator and thresholds of both parts (without the group).

Mean F1 over the classes, and the F1 of each, with 95 % intervals over groups; differences from `rule` are paired. An
image may be in the calibration parts of several folds: how many there are, and in how many groups, is told. No test
part is read. Appends to benchmarks/results/threshold-rules.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np

import flawscope
from entries import DEFAULT_WEIGHTS, ROOT, TO_FIT_BY, append, of_weights, provenance, runs_asked, two_labels
from flawscope.bundle.archive import read_bundle
from flawscope.evaluation.calibration import fit
from flawscope.evaluation.decisions import FIXED, fit_thresholds, widest_middle
from flawscope.evaluation.metrics import counts_by_threshold, truth
from flawscope.inspection.tables import read_results
from flawscope.probability import calibrate
from flawscope.records import BoolArray, FloatArray, Part, Task
from flawscope.steps.workspace import Run, fold_runs
from reference_systems import FOLDS, RECIPES
from threshold_cost import SIGMOID, Answers, bounded_logit, measured, of_run

RESULTS = ROOT / "benchmarks" / "results" / "threshold-rules.json"
RECIPE = RECIPES / "solar-multilabel.yaml"
FITTED = ("calibrate.method=standard", "decide.rule=best_f1", *TO_FIT_BY)
RULE, BEST, THEORY, HALF = "rule", "best", "half of the best F1", "0.5"
RULE_BOTH, BEST_BOTH = "rule, both parts", "best, both parts"


@dataclass(frozen=True)
class Scored:
    """What a bundle said of one part: probability and target, n x k, group and name of each image."""

    probability_nk: FloatArray
    target_nk: FloatArray
    group_n: tuple[str, ...]
    id_n: tuple[str, ...]

    @classmethod
    def of(cls, run: Run, part: Part) -> Scored:
        """Of a finished run."""
        said = {row.name: row.probability for row in read_results(run.scores(part)).rows}
        rows = run.part(part).rows
        return cls(
            np.array([said[row.id] for row in rows]),
            np.array([row.target for row in rows]),
            tuple(run.split.group[row.id] for row in rows),
            tuple(row.id for row in rows),
        )

    def only(self, keep_n: BoolArray) -> Scored:
        """Some of its images."""
        group_n, id_n = (tuple(compress(of_n, keep_n)) for of_n in (self.group_n, self.id_n))
        return Scored(self.probability_nk[keep_n], self.target_nk[keep_n], group_n, id_n)

    def and_(self, other: Scored) -> Scored:
        """The images of both."""
        return Scored(
            np.vstack([self.probability_nk, other.probability_nk]),
            np.vstack([self.target_nk, other.target_nk]),
            (*self.group_n, *other.group_n),
            (*self.id_n, *other.id_n),
        )


def best_each(task: Task, known: Scored, of: Callable[[float, float], float]) -> FloatArray:
    """For each class `of(best F1, its threshold)` on these images; 0.5 where all or none show it."""
    found = []
    truth_nk = truth(task.kind, known.target_nk)
    for truth_n, score_n in zip(truth_nk.T, known.probability_nk.T, strict=True):
        if truth_n.all() or not truth_n.any():
            found.append(FIXED)
            continue
        tp_c, fp_c, score_c = counts_by_threshold(truth_n, score_n)
        f1_c = 2 * tp_c / (tp_c + fp_c + truth_n.sum())
        found.append(of(float(f1_c.max()), widest_middle(f1_c == f1_c.max(), score_c, np.append(score_c[1:], 0.0))))
    return np.array(found)


def by_rule(task: Task, known: Scored) -> FloatArray:
    """The thresholds of the rule that bundles are decided by."""
    return np.array(fit_thresholds(task, known.probability_nk, known.target_nk, "best_f1", known.group_n).values)


def by_best(task: Task, known: Scored) -> FloatArray:
    """The thresholds with the highest F1 on what is known, in the middle of the widest range of them."""
    return best_each(task, known, lambda _, threshold: threshold)


def calls(
    task: Task, validation: Scored, known: Scored, unknown: Scored, middle_k: FloatArray
) -> Mapping[str, BoolArray]:
    """What each way calls of `unknown`, which is of the same part as `known`; see `left_out`."""
    both = validation.and_(known)
    fitted = fit(task.kind, bounded_logit(both.probability_nk), both.target_nk, task.classes, groups=both.group_n)
    again_nk, new_nk = (
        calibrate(task.kind, fitted.knots, bounded_logit(each.probability_nk)) for each in (both, unknown)
    )  # fmt: skip
    again = replace(both, probability_nk=again_nk)
    plain_nk = unknown.probability_nk
    return {
        RULE: plain_nk >= by_rule(task, known),
        BEST: plain_nk >= by_best(task, known),
        THEORY: plain_nk >= best_each(task, known, lambda most, _: most / 2),
        HALF: plain_nk >= FIXED,
        SIGMOID: plain_nk >= middle_k,
        RULE_BOTH: new_nk >= by_rule(task, again),
        BEST_BOTH: new_nk >= by_best(task, again),
    }


def left_out(task: Task, folds: Sequence[tuple[Scored, Scored, FloatArray]]) -> tuple[Answers, dict[str, BoolArray]]:
    """Each group of the calibration part of each fold, called by thresholds of the others.

    Args:
        task: of one or of several labels.
        folds: validation and calibration part of each, and what its calibrator makes of a sigmoid of one half.
    """
    held: list[Scored] = []
    fold_n: list[int] = []
    called: list[Mapping[str, BoolArray]] = []
    for fold, (validation, calibration, middle_k) in enumerate(folds):
        for group in sorted(set(calibration.group_n)):
            out_n = np.array([each == group for each in calibration.group_n])
            held.append(calibration.only(out_n))
            fold_n += [fold] * int(out_n.sum())
            called.append(calls(task, validation, calibration.only(~out_n), held[-1], middle_k))
    answers = Answers(
        task.classes,
        np.vstack([each.probability_nk for each in held]),
        truth(task.kind, np.vstack([each.target_nk for each in held])),
        np.vstack([each[RULE] for each in called]),
        np.array(fold_n),
        tuple(group for each in held for group in each.group_n),
    )
    return answers, {name: np.vstack([each[name] for each in called]) for name in called[0]}


def stood_on(task: Task, parts: Sequence[Scored]) -> dict[str, Any]:
    """How many answers there are, of how many images in how many groups; of each class those that show it."""
    truth_nk = truth(task.kind, np.vstack([part.target_nk for part in parts]))
    id_n = [name for part in parts for name in part.id_n]
    group_n = [name for part in parts for name in part.group_n]

    def counts(of_n: BoolArray) -> dict[str, int]:
        images, groups = (len(set(compress(names, of_n))) for names in (id_n, group_n))
        return {"answers": int(of_n.sum()), "images": images, "groups": groups}

    each = {name: counts(truth_n) for name, truth_n in zip(task.classes, truth_nk.T, strict=True)}
    return {**counts(np.ones(len(id_n), dtype=bool)), "shown": each}


def main() -> None:
    """Measure each folder, and append."""
    asked = runs_asked(__doc__, "a cross-validation")
    for folder in asked.runs:
        if not folder.exists():
            changes = [*two_labels(), *of_weights(DEFAULT_WEIGHTS), *FITTED]
            flawscope.run(RECIPE, folder, folds=FOLDS, overrides=changes, resume=True, say=print)
        runs = fold_runs(folder)
        if not all(comparable(run) for run in runs) or not runs:
            raise SystemExit(f"{folder} is no cross-validation decided by best_f1 after the standard calibrator")
        task = runs[0].samples.task
        folds = [(Scored.of(run, "validation"), Scored.of(run, "calibration"), middle_of(run)) for run in runs]
        answers, called = left_out(task, folds)
        found = measured(answers, called, RULE)
        for name, of in found.items():
            print(f"{folder.name}, {name}: {of}")
        facts = {key: value for key, value in of_run(folder).items() if key != "n"}  # of the test parts
        if not asked.trial:
            seen = stood_on(task, [calibration for _, calibration, _ in folds])
            append(RESULTS, {**provenance(), **facts, **seen, "ways": found})


def middle_of(run: Run) -> FloatArray:
    """What the calibrator of a run makes of a logit of 0, which is a sigmoid of one half, in each class."""
    sealed = read_bundle(run.bundle).manifest.sealed
    assert sealed.calibrator is not None
    knots = sealed.calibrator.knots
    return np.asarray(calibrate(sealed.task.kind, knots, np.zeros((1, len(knots))))[0])


def comparable(run: Run) -> bool:
    """Whether a run was decided in the way that is called `rule` here."""
    asked = run.recipe
    several = run.samples.task.kind == "multiclass"
    return not several and asked.decide.rule == "best_f1" and asked.calibrate.method == "standard"


if __name__ == "__main__":
    main()
