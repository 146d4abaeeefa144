"""`flawscope decide`: calibrator from the validation split, thresholds from the calibration split, then the seal.

Both from the scores that the exported graph gives in the runtime of the line; neither ever sees the test split.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flawscope.bundle.archive import read_bundle, write_bundle
from flawscope.bundle.manifest import Calibrator, DecisionRule, Manifest, Sealed
from flawscope.bundle.runtime import Runtime
from flawscope.data.progress import watched
from flawscope.evaluation.calibration import fit
from flawscope.evaluation.decisions import fit_thresholds
from flawscope.inspection.folder import Pictures, inspect_folder
from flawscope.inspection.tables import write_results
from flawscope.probability import calibrate
from flawscope.records import PARTS, FloatArray, Samples
from flawscope.steps.provenance import command, machine, versions
from flawscope.steps.workspace import Run


def decide(run: str | Path | Run) -> Manifest:
    """Decide and seal a run's draft: writes RUN/NAME.flawscope and the scores of validation and calibration.

    Raises:
        UserError: no such run, or not exported yet.
        BundleError: the draft is damaged.
    """
    run = Run.at(run)
    contents = read_bundle(run.need(run.draft, "export"))
    draft = contents.manifest
    runtime = Runtime(draft.sealed, contents.graphs)
    task = runtime.task
    validation, calibration = run.part("validation"), run.part("calibration")
    fitted = fit(
        task.kind,
        scores(runtime, validation, "scoring validation"),
        validation.target_nk,
        task.classes,
        method=run.recipe.calibrate.method,
        groups=[run.split.group[row.id] for row in validation.rows],
    )
    logit_nk = scores(runtime, calibration, "scoring calibration")
    probability_nk = calibrate(task.kind, fitted.knots, logit_nk, fitted.against_rest)
    chosen = fit_thresholds(task, probability_nk, calibration.target_nk, run.recipe.decide.rule)
    calibrator = Calibrator(
        method=fitted.method,
        fitted_on="" if fitted.method in ("identity", "none") else "validation",
        knots=fitted.knots,
        against_rest=fitted.against_rest,
        note=fitted.note,
    )
    decision = DecisionRule(rule=chosen.rule, fitted_on="calibration", thresholds=chosen.values, notes=chosen.notes)
    sealed = Sealed(**{**dict(draft.sealed), "calibrator": calibrator, "decision": decision})
    manifest = write_bundle(
        run.bundle,
        draft.model_copy(update={"sealed": sealed}),
        contents.graphs,
        contents.golden,
        {"provenance": provenance(run)},
    )
    sealed_runtime = Runtime.open(run.bundle)
    for part, samples in (("validation", validation), ("calibration", calibration)):
        write_results(run.scores(part), task, inspect_folder(sealed_runtime, Pictures.of(samples)))
    return manifest


def scores(runtime: Runtime, samples: Samples, words: str) -> FloatArray:
    """Raw logits of the runtime, n x k, with a progress bar."""
    pieces = [samples.rows[start : start + 64] for start in range(0, len(samples), 64)]
    found = [
        runtime.scores([row.path for row in piece], [row.meta for row in piece])
        for piece in watched(pieces, len(pieces), words)
    ]
    return np.concatenate(found)


def provenance(run: Run) -> dict[str, object]:
    """Where the bundle comes from; file hashes of each part, so that nobody measures on what was trained on."""
    by_id = {row.id: row.sha256 for row in run.samples.rows}
    return {
        "command": command(),
        "machine": machine(),
        "versions": versions(),
        "split": {"method": run.split.method, "stamp": run.split.stamp, "hash": run.split.hash, "seed": run.split.seed},
        "contents": {part: sorted(by_id[name] for name in run.split.ids(part)) for part in PARTS},
    }
