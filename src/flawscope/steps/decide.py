"""`flawscope decide`: calibrator from the validation split, thresholds from the calibration split, then the seal.

Both from the scores that the exported graph gives in the runtime of the line; neither ever sees the test split.
With data, a sealed bundle is decided again: the same graph and calibrator, other thresholds, another seal.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.bundle.archive import Contents, read_bundle, write_bundle
from flawscope.bundle.asked import AskedDecision
from flawscope.bundle.manifest import Manifest, Sealed
from flawscope.bundle.rules import Calibrator
from flawscope.bundle.runtime import Runtime
from flawscope.data.progress import watched
from flawscope.errors import UserError
from flawscope.evaluation.calibration import fit
from flawscope.evaluation.contract import Units
from flawscope.inspection.folder import Pictures, inspect_folder
from flawscope.inspection.tables import write_results
from flawscope.probability import calibrate
from flawscope.records import FloatArray, Samples
from flawscope.steps.decide_masks import decide_masks, decide_masks_again
from flawscope.steps.decide_options import asked_spec, named
from flawscope.steps.deciding import Again, check_target, provenance, rule
from flawscope.steps.known_decisions import all_asked
from flawscope.steps.new_groups import NOTHING_SAID, SaidGroups
from flawscope.steps.new_images import Search
from flawscope.steps.workspace import Run
from flawscope.training.decide_spec import DecideSpec

AGAIN = "flawscope decide NAME.flawscope DATA --max-escape 0.02"


def decide(
    run: str | Path | Run,
    data: str | Path | None = None,
    output: str | Path | None = None,
    *,
    max_escape: float | None = None,
    confidence: float = 0.95,
    units: Units = "groups",
    costs: Mapping[str, float | None] | None = None,
    known: str | Path | None = None,
    twins: Search = "find",
    group_pattern: str | None = None,
    group_column: str | None = None,
    overwrite: bool = False,
) -> Manifest:
    """Decide and seal a run's draft by its recipe; or, with data, decide a sealed bundle again.

    Of a run: writes RUN/NAME.flawscope and the scores of validation and calibration. Of a bundle: writes a new one with
    the thresholds of an escape contract or of costs, which names its parent's seal. Of a bundle that makes masks
    contract and costs are those of its gate; its rule of masks is fitted anew in any case.

    Args:
        run: a run folder; or a sealed bundle.
        data: of a bundle: labelled images, named as for `evaluate`, or a run folder: its calibration part. Images that
            the bundle was trained, validated or tested with are left out; those of the same thing count together.
        output: where the new bundle is written; by default beside the old one.
        max_escape: the share of defective parts that may pass, in [0, 1).
        confidence: of that promise, in (0, 1).
        units: what counts as independent, see `evaluation.contract`.
        costs: in place of `max_escape`: what an `escape`, an `overkill` and, if a person may look, a `review` cost, and
            the `prevalence` of bad parts at the line.
        known: the run that the bundle comes from: images of what it was trained, validated or tested with are left
            out as well. The run is known already where the bundle lies in its folder.
        twins: "find" images of the same thing among the data; or "identical" files only.
        group_pattern: regular expression on the names of new images: what its parentheses hold names the part, whose
            images count together. Without, the data say it, or the recipe of the bundle's run where it fits the names.
        group_column: of a table of new images: rows of equal value count together.
        overwrite: replace a file that exists.

    Raises:
        UserError: no such run, or not exported yet; a bundle without data, or data without `max_escape` or `costs`; see
            also `asked_spec`.
        BundleError: the draft or the bundle is damaged.
        DataError: the data cannot be used.
        OutputError: the new bundle exists already.
    """
    spec = asked_spec(max_escape, confidence, units, costs)
    groups = SaidGroups(group_pattern, group_column)
    if data is None and spec is None and not groups and (isinstance(run, Run) or not Path(run).is_file()):
        return _decide_run(Run.at(run))
    if isinstance(run, Run) or Path(run).is_dir():
        folder = run.folder if isinstance(run, Run) else run
        raise UserError(
            f"{folder} is a run, and a run is decided as its recipe says",
            f"leave out everything else; or name its bundle: {AGAIN}",
        )
    bundle = Path(run)
    contents = read_bundle(bundle) if data is not None and (spec is not None or bundle.is_file()) else None
    masks = contents is not None and bool(contents.manifest.sealed.task.pixels)
    if data is None or contents is None or (spec is None and not masks):
        missing = [*(["DATA"] if data is None else []), *(["what is asked for"] if spec is None else [])]
        raise UserError(
            f"to decide {run} again, {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            f"{AGAIN}, or --cost-escape 100 --cost-overkill 10; DATA are labelled images that are new to the bundle, "
            "or the folder of its run: its calibration part",
        )
    target = named(bundle, spec) if output is None else Path(output)
    again = decide_masks_again if masks else _decide_again
    return again(bundle, contents, data, target, spec, known=known, twins=twins, groups=groups, overwrite=overwrite)


def decide_also(run: Run, spec: DecideSpec) -> Path:
    """Another decision of a run's sealed bundle on the same calibration part: the new bundle, beside it.

    One that is there already, of the same parent, is left as it is.

    Raises:
        UserError: the run has not been decided yet.
        RecipeError: see `rule`.
    """
    parent = run.need(run.bundle, "decide")
    target, contents = named(parent, spec), read_bundle(parent)
    if not target.is_file() or read_bundle(target).manifest.parent != contents.manifest.seal:
        options: dict[str, Any] = {"known": None, "twins": "find", "overwrite": True}
        if contents.manifest.sealed.task.pixels:
            decide_masks_again(parent, contents, run.folder, target, spec, **options)
        else:
            _decide_again(parent, contents, run.folder, target, spec, asked=all_asked(run), **options)
    return target


def _decide_run(run: Run) -> Manifest:
    contents = read_bundle(run.need(run.draft, "export"))
    draft = contents.manifest
    if draft.sealed.task.pixels:
        return decide_masks(run, contents, _decided_gate(run))
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
    groups = [run.split.group[row.id] for row in calibration.rows]
    decision, proof = rule(task, probability_nk, calibration.target_nk, groups, run.recipe.decide)
    decision = decision.model_copy(update={"asked": all_asked(run)})
    calibrator = Calibrator(
        method=fitted.method,
        fitted_on="" if fitted.method in ("identity", "none") else "validation",
        knots=fitted.knots,
        against_rest=fitted.against_rest,
        note=fitted.note,
    )
    sealed = Sealed(**{**dict(draft.sealed), "calibrator": calibrator, "decision": decision})
    manifest = write_bundle(
        run.bundle,
        draft.model_copy(update={"sealed": sealed}),
        contents.graphs,
        contents.golden,
        {"provenance": provenance(run), **proof},
    )
    sealed_runtime = Runtime.open(run.bundle)
    for part, samples in (("validation", validation), ("calibration", calibration)):
        write_results(run.scores(part), task, inspect_folder(sealed_runtime, Pictures.of(samples)))
    return manifest


def _decided_gate(run: Run) -> Contents | None:
    """The bundle of the gate that stands before masks, decided in its own run by its own section of the recipe."""
    if run.gate is None:
        return None
    if not run.gate.bundle.is_file():
        _decide_run(run.gate)
    return read_bundle(run.gate.bundle)


def _decide_again(
    bundle: Path,
    contents: Contents,
    data: str | Path,
    target: Path,
    spec: DecideSpec | None,
    *,
    asked: tuple[AskedDecision, ...] = (),
    known: str | Path | None,
    twins: Search,
    groups: SaidGroups = NOTHING_SAID,
    overwrite: bool,
) -> Manifest:
    assert spec is not None  # asked for above: without masks there is nothing else to decide
    check_target(target, bundle, overwrite)
    runtime, parent = Runtime.of(contents), contents.manifest
    again = Again.of(bundle, contents, data, runtime.task, runtime.columns, known=known, twins=twins, groups=groups)
    fitted = parent.sealed.calibrator
    assert fitted is not None  # it is no draft
    logit_nk = scores(runtime, again.samples, "scoring")
    probability_nk = calibrate(runtime.task.kind, fitted.knots, logit_nk, fitted.against_rest)
    decision, proof = rule(
        runtime.task,
        probability_nk,
        again.samples.target_nk,
        again.groups,
        spec,
        fitted_on=again.fitted_on,
        where=again.where,
        notes=again.notes,
    )
    decision = decision.model_copy(update={"asked": asked})
    return again.write(target, Sealed(**{**dict(parent.sealed), "decision": decision}), proof)


def scores(runtime: Runtime, samples: Samples, words: str) -> FloatArray:
    """Raw logits of the runtime, n x k, with a progress bar."""
    pieces = [samples.rows[start : start + 64] for start in range(0, len(samples), 64)]
    found = [
        runtime.scores([row.path for row in piece], [row.meta for row in piece])
        for piece in watched(pieces, len(pieces), words)
    ]
    return np.concatenate(found)
