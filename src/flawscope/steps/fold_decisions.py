"""What the folds of a cross-validation promised or expected to cost, and what their test parts say of it.

Each fold has sealed its own bundles, with thresholds of their own. Each is held against the test part of its fold; all
test parts together say how often a promise is kept that is made like this, and are no promise of any one bundle.

Letters: n test images of a fold, k classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.bundle.archive import read_bundle
from flawscope.bundle.postprocess import three_answers
from flawscope.bundle.rules import DecisionRule
from flawscope.evaluation import metrics
from flawscope.evaluation.costs import Costs, measured
from flawscope.evaluation.intervals import proportion
from flawscope.inspection.tables import read_results
from flawscope.records import BoolArray, Interval
from flawscope.steps.decide_options import asked_words, named
from flawscope.steps.workspace import Run

PASSED, LOOKED, CALLED = 0.0, 0.5, 1.0
"""The three answers as a score, so that answers of several thresholds are measured together."""
BETWEEN = (0.25, 0.75)


@dataclass(frozen=True)
class _Tested:
    """The answers of one fold's bundle for one class, or for all defects together: a score of each test image."""

    fold: str
    rule: DecisionRule
    evidence: Mapping[str, Any]
    answer_n: npt.NDArray[np.float64]
    bad_n: BoolArray
    groups: tuple[str, ...]

    def rates(self) -> dict[str, Any]:
        """Counts of its test part, plain data."""
        return {
            "fold": self.fold,
            "bad": int(self.bad_n.sum()),
            "escapes": int((self.answer_n[self.bad_n] == PASSED).sum()),
            "good": int((~self.bad_n).sum()),
            "overkill": int((self.answer_n[~self.bad_n] == CALLED).sum()),
            "review": int((self.answer_n == LOOKED).sum()),
        }


def fold_decisions(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Each promise and each decision by costs of the recipe, fold by fold and with all test parts together."""
    recipe = runs[0].recipe
    found = []
    for place, spec in enumerate((recipe.decide, *recipe.decide_also)):
        bundles = [run.bundle if not place else named(run.bundle, spec) for run in runs]
        if (spec.max_escape is None and spec.costs is None) or not all(bundle.is_file() for bundle in bundles):
            continue
        task = runs[0].samples.task
        together = task.kind == "multiclass"
        folds = [list(_tested(run, bundle)) for run, bundle in zip(runs, bundles, strict=True)]
        if not (folds[0][0].rule.contracts or folds[0][0].rule.costs):
            continue
        for c, name in enumerate(["all defects"] if together else task.classes):
            entry: dict[str, Any] = {"name": name, "asked": asked_words(spec)}
            each = [classes[c] for classes in folds]
            if spec.costs is not None:
                entry |= _of_costs(each, c, Costs(**spec.costs.model_dump()))
            else:
                entry |= _of_promises(each, c)
            found.append(entry)
    return found


def _tested(run: Run, bundle: Path) -> Iterator[_Tested]:
    """What a bundle of a fold says of the fold's test part, class by class; multi-class: defects together."""
    contents = read_bundle(bundle)
    rule, task = contents.manifest.sealed.decision, contents.manifest.sealed.task.task()
    assert rule is not None
    rows = {row.name: row for row in read_results(run.need(run.scores("test"), "evaluate"), task).rows}
    samples = run.part("test")
    probability_nk = np.array([rows[row.id].probability for row in samples.rows])
    made = three_answers(task, rule.thresholds, rule.looked_at, probability_nk)
    flag_nk = np.array([each.flags for each in made])
    unsure_nk = np.array([each.unsure or (False,) * flag_nk.shape[1] for each in made])
    truth_nk = metrics.truth(task.kind, samples.target_nk)
    groups = tuple(run.split.group[row.id] for row in samples.rows)
    evidence = contents.evidence.get("test", {})
    if task.kind == "multiclass":
        good = task.classes.index(task.negative)
        answer_n = np.where(flag_nk[:, good], PASSED, CALLED)
        yield _Tested(run.folder.name, rule, evidence, answer_n, ~truth_nk[:, good], groups)
        return
    answer_nk = np.where(flag_nk, CALLED, np.where(unsure_nk, LOOKED, PASSED))
    for c in range(len(task.classes)):
        yield _Tested(run.folder.name, rule, evidence, answer_nk[:, c], truth_nk[:, c], groups)


def _of_promises(folds: Sequence[_Tested], c: int) -> dict[str, Any]:
    rows = []
    for fold in folds:
        contract = fold.rule.contracts[c]
        rows.append({**fold.rates(), "kept": contract.kept, "threshold": contract.threshold, "bound": contract.bound})
    return {"kind": "promise", "folds": rows, "pooled": _pooled(folds)}


def _of_costs(folds: Sequence[_Tested], c: int, costs: Costs) -> dict[str, Any]:
    rows = []
    for fold in folds:
        cost = fold.rule.costs[c]
        tested = fold.evidence.get("three_answers", {}).get("classes", {}).get(cost.name, {})
        rows.append(
            {
                **fold.rates(),
                "low": cost.low,
                "high": cost.high,
                "expected": cost.cost.as_dict() if cost.cost else None,
                "cost": tested.get("cost"),
            }
        )
    answer_n, bad_n, groups = _joined(folds)
    band = measured(answer_n, bad_n, groups, costs, BETWEEN)
    return {"kind": "costs", "folds": rows, "pooled": _pooled(folds) | {"cost": band.cost.as_dict() if band else None}}


def _pooled(folds: Sequence[_Tested]) -> dict[str, Any]:
    """The rates over all test parts, with intervals by groups; None where there are no such parts."""
    answer_n, bad_n, groups = _joined(folds)

    def rate(chosen_n: BoolArray, of_n: BoolArray) -> dict[str, Any] | None:
        found: Interval | None = proportion(chosen_n[of_n], groups[of_n]) if of_n.any() else None
        return found.as_dict() if found else None

    return {
        "escape": rate(answer_n == PASSED, bad_n),
        "overkill": rate(answer_n == CALLED, ~bad_n),
        "review": rate(answer_n == LOOKED, np.ones_like(bad_n)),
    }


def _joined(folds: Sequence[_Tested]) -> tuple[npt.NDArray[np.float64], BoolArray, npt.NDArray[Any]]:
    answer_n = np.concatenate([fold.answer_n for fold in folds])
    bad_n = np.concatenate([fold.bad_n for fold in folds])
    return answer_n, bad_n, np.array([group for fold in folds for group in fold.groups])
