"""The escape contract on real scores: what a promise made on one half of the groups is worth on the other.

    python benchmarks/contract_resplits.py RUN... [--max-escape 0.02 0.05] [--draws 1000] [--pooled] [--trial]

RUN is a finished run folder, or a cross-validation's. What its sealed bundle said of the calibration and the test part
is pooled, and the groups are dealt into two halves many times: one is decided on, the other is new. Nothing is trained
or scored. In each class and for each way of counting it is told

- in how many deals a promise was made, and in how many of all deals the new half lets more than that through. This is
  not the broken share of the promise, which speaks of the unknown true rate: a new half of few defective parts is above
  a promise by chance of its own, and the halves share one pool. It is what a customer would see;
- in how many it is above by more than chance: the exact 95 % lower limit of the new half, its groups as units (units
  "parts": that of the share of all parts);
- of units "groups" in how many the share of all parts of the new half is above what was promised of groups;
- the mean escape rate of the new half (units "groups": the mean over groups of the share that passes, as promised);
- the mean overkill of the new half, and that of the first half at the threshold without proof (at most this share of
  the parts seen to pass).

With `--pooled` the test parts of all folds are one pool: more groups, scored by several bundles. That measures the way
of deciding; it is no promise of any one bundle. The result is appended to benchmarks/results/contract-resplits.json,
unless `--trial` is given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from flawscope.data.progress import watched
from flawscope.evaluation.contract import Units, escape_contract
from flawscope.evaluation.intervals import IndexArray, wilson
from flawscope.evaluation.metrics import truth
from flawscope.evaluation.parts_bound import PartsPassed
from flawscope.records import BoolArray, FloatArray, Part
from flawscope.steps.provenance import code_version, command, machine, today, versions
from flawscope.steps.workspace import Run, fold_runs

sys.path.append(str(Path(__file__).resolve().parent))

from entries import append
from threshold_rules import Scored

RESULT = Path(__file__).resolve().parent / "results" / "contract-resplits.json"
CONFIDENCE, SEED = 0.95, 6
WAYS: tuple[Units, ...] = ("groups", "parts", "effective")


@dataclass(frozen=True)
class Pool:
    """Scores of one class from calibration and test part, which show it, and groups as whole numbers."""

    name: str
    score_n: FloatArray
    truth_n: BoolArray
    code_n: IndexArray


def pools(runs: Sequence[Run], parts: Sequence[Part]) -> list[Pool]:
    """These parts of all runs together, one pool a class; classes that exclude each other are not measured here."""
    task = runs[0].samples.task
    if task.kind == "multiclass":
        raise SystemExit(f"{runs[0].folder}: a multi-class run has one score for several classes, not measured here")
    scored = [Scored.of(run, part) for run in runs for part in parts]
    truth_nk = truth(task.kind, np.vstack([each.target_nk for each in scored]))
    groups = [group for each in scored for group in each.group_n]
    code_n = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    score_nk = np.vstack([each.probability_nk for each in scored])
    return [Pool(name, score_nk[:, c], truth_nk[:, c], code_n) for c, name in enumerate(task.classes)]


def dealt(pool: Pool, units: Units, max_escape: float, draws: int) -> dict[str, Any]:
    """What so many deals of the groups into two halves say."""
    random = np.random.default_rng(SEED)
    groups = int(pool.code_n.max()) + 1
    found = []
    for _ in range(draws):
        first_n = (random.permutation(groups) < groups // 2)[pool.code_n]
        asked: dict[str, Any] = {"max_escape": max_escape, "confidence": CONFIDENCE, "units": units}
        contract = escape_contract(pool.score_n[first_n], pool.truth_n[first_n], pool.code_n[first_n], **asked)
        new_n = ~first_n
        passes_n = pool.score_n[new_n & pool.truth_n] < contract.threshold
        good_n = pool.score_n[new_n & ~pool.truth_n]
        passing_g, size_g = _by_group(passes_n, pool.code_n[new_n & pool.truth_n])
        of_parts = float(passes_n.mean()) if passes_n.size else 0.0
        share = float((passing_g / size_g).mean()) if passes_n.size and units == "groups" else of_parts
        too_many = _lower(passing_g, size_g, units) > max_escape
        overkill = float((good_n >= contract.threshold).mean()) if good_n.size else np.nan
        bare = contract.overkill_unproven
        bare = np.nan if bare is None else bare
        found.append((contract.kept, share, of_parts, too_many, overkill, bare, contract.effective))
    kept, share_d, parts_d, surely, overkill_d, bare_d, worth_d = (np.array(each) for each in zip(*found, strict=True))
    above = kept & (share_d > max_escape)
    value = float(above.mean())
    return {
        "class": pool.name,
        "units": units,
        "max_escape": max_escape,
        "defective": int(pool.truth_n.sum()),
        "groups": len(np.unique(pool.code_n[pool.truth_n])),
        "effective": round(float(worth_d.mean()), 1),
        "promised": round(float(kept.mean()), 4),
        "new_half_above": [round(number, 4) for number in (value, *wilson(value, draws))],
        "new_half_surely_above": round(float((kept & surely).mean()), 4),
        "new_half_parts_above": round(float((kept & (parts_d > max_escape)).mean()), 4),
        "escape_of_new_half": round(float(share_d[kept].mean()), 4) if kept.any() else None,
        "overkill_of_new_half": round(float(np.nanmean(overkill_d[kept])), 4) if kept.any() else None,
        "overkill_without_proof": round(float(np.nanmean(bare_d[kept])), 4) if kept.any() else None,
    }


def _by_group(passes_n: BoolArray, code_n: IndexArray) -> tuple[FloatArray, IndexArray]:
    """How many parts of each group pass, and how many it holds."""
    code_n = np.unique(code_n, return_inverse=True)[1].astype(np.int64)
    return np.bincount(code_n, weights=passes_n).astype(np.float64), np.bincount(code_n)


def _lower(passing_g: FloatArray, size_g: IndexArray, units: Units) -> float:
    """The lower limit of the escape rate, groups as units: by groups the exact one, their shares rounded down."""
    if units == "parts":
        return 1 - PartsPassed(size_g - passing_g, size_g).bound(CONFIDENCE)
    x = int(np.floor((passing_g / size_g).sum() + 1e-9))
    return float(stats.beta.ppf(1 - CONFIDENCE, x, len(size_g) - x + 1)) if x else 0.0


def main() -> None:
    """Deal the groups of each run, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--max-escape", type=float, nargs="+", default=[0.02, 0.05])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument(
        "--pooled", action="store_true", help="of a cross-validation: the test parts of all folds as one"
    )
    parser.add_argument("--trial", action="store_true", help="print only, write nothing")
    asked = parser.parse_args()
    pooled: list[tuple[str, list[Run], tuple[Part, ...]]] = []
    for folder in asked.runs:
        folds = fold_runs(folder)
        if folds and asked.pooled:
            pooled.append(("test parts of all folds", folds, ("test",)))
        else:
            pooled += [(f"fold {run.split.fold}", [run], ("calibration", "test")) for run in folds or [Run.at(folder)]]
    for words, runs, parts in watched(pooled, len(pooled), "dealing"):
        rows = [
            dealt(pool, units, most, asked.draws)
            for pool in pools(runs, parts)
            for units in WAYS
            for most in asked.max_escape
        ]
        for row in rows:
            print(words, row)
        if not asked.trial:
            facts = {"command": command(), "date": today(), "code": code_version(), "machine": machine()}
            run = {"recipe": runs[0].recipe.name, "scores": words, "split": [each.split.hash for each in runs]}
            entry = {
                "provenance": {**facts, "versions": versions()},
                "run": {**run, "draws": asked.draws},
                "deals": rows,
            }
            append(RESULT, entry, ("run", "deals"))


if __name__ == "__main__":
    main()
