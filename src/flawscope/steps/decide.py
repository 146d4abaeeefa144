"""`flawscope decide`: calibrator from the validation split, thresholds from the calibration split, then the seal.

Both from the scores that the exported graph gives in the runtime of the line; neither ever sees the test split.
With data, a sealed bundle is decided again: the same graph and calibrator, other thresholds, another seal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.bundle.archive import Contents, read_bundle, write_bundle
from flawscope.bundle.asked import AskedDecision
from flawscope.bundle.contract import EscapeContract
from flawscope.bundle.cost import ExpectedCost
from flawscope.bundle.manifest import Calibrator, DecisionRule, Manifest, Sealed
from flawscope.bundle.runtime import Runtime
from flawscope.data.progress import watched
from flawscope.errors import BundleError, OutputError, UserError
from flawscope.evaluation.bands import RULE as BY_COSTS
from flawscope.evaluation.bands import ClassBand, fit_bands
from flawscope.evaluation.calibration import fit
from flawscope.evaluation.contract import Units
from flawscope.evaluation.costs import Costs
from flawscope.evaluation.decisions import fit_thresholds
from flawscope.evaluation.promises import RULE, fit_promises
from flawscope.inspection.folder import Pictures, inspect_folder
from flawscope.inspection.tables import write_results
from flawscope.probability import calibrate
from flawscope.records import PARTS, FloatArray, Samples, Task
from flawscope.steps.decide_options import asked_spec, named
from flawscope.steps.known_decisions import all_asked, listed
from flawscope.steps.new_images import Search, new_images, run_of
from flawscope.steps.provenance import command, machine, today, versions
from flawscope.steps.workspace import Run
from flawscope.training.decide_spec import DecideSpec
from flawscope.wording import CALIBRATION, counted

NOT_FOR_DECIDING = ("train", "validation", "test")
"""Parts of a bundle's data that it is not decided on again: it knows the first two, and the third is its test."""
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
    overwrite: bool = False,
) -> Manifest:
    """Decide and seal a run's draft by its recipe; or, with data, decide a sealed bundle again.

    Of a run: writes RUN/NAME.flawscope and the scores of validation and calibration. Of a bundle: writes a new one with
    the thresholds of an escape contract or of costs, which names its parent's seal.

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
        overwrite: replace a file that exists.

    Raises:
        UserError: no such run, or not exported yet; a bundle without data, or data without `max_escape` or `costs`; see
            also `asked_spec`.
        BundleError: the draft or the bundle is damaged.
        DataError: the data cannot be used.
        OutputError: the new bundle exists already.
    """
    spec = asked_spec(max_escape, confidence, units, costs)
    if data is None and spec is None and (isinstance(run, Run) or not Path(run).is_file()):
        return _decide_run(Run.at(run))
    if isinstance(run, Run) or Path(run).is_dir():
        folder = run.folder if isinstance(run, Run) else run
        raise UserError(
            f"{folder} is a run, and a run is decided as its recipe says",
            f"leave out everything else; or name its bundle: {AGAIN}",
        )
    if data is None or spec is None:
        missing = [*(["DATA"] if data is None else []), *(["what is asked for"] if spec is None else [])]
        raise UserError(
            f"to decide {run} again, {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            f"{AGAIN}, or --cost-escape 100 --cost-overkill 10; DATA are labelled images that are new to the bundle, "
            "or the folder of its run: its calibration part",
        )
    return _decide_again(
        Path(run), data, None if output is None else Path(output), spec, known=known, twins=twins, overwrite=overwrite
    )


def decide_also(run: Run, spec: DecideSpec) -> Path:
    """Another decision of a run's sealed bundle on the same calibration part: the new bundle, beside it.

    One that is there already, of the same parent, is left as it is.

    Raises:
        UserError: the run has not been decided yet.
        RecipeError: see `rule`.
    """
    parent = run.need(run.bundle, "decide")
    target = named(parent, spec)
    if not target.is_file() or read_bundle(target).manifest.parent != read_bundle(parent).manifest.seal:
        asked = all_asked(run)
        _decide_again(parent, run.folder, target, spec, asked, known=None, twins="find", overwrite=True)
    return target


def _decide_run(run: Run) -> Manifest:
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


def rule(
    task: Task,
    probability_nk: FloatArray,
    target_nk: FloatArray,
    groups: Sequence[str],
    spec: DecideSpec,
    *,
    fitted_on: str = "calibration",
    notes: Sequence[str] = (),
    where: str = CALIBRATION,
) -> tuple[DecisionRule, dict[str, dict[str, Any]]]:
    """The decision that a recipe asks for, and the evidence of its escape contracts or costs (none for other rules).

    The words call the samples `where`.

    Raises:
        RecipeError: see `fit_promises` and `fit_bands`.
    """
    if spec.costs is not None:
        bands = fit_bands(task, probability_nk, target_nk, groups, Costs(**spec.costs.model_dump()), where=where)
        decision = DecisionRule(
            rule=BY_COSTS,
            fitted_on=fitted_on,
            thresholds=bands.thresholds,
            looked_at=bands.looked_at,
            notes=tuple(notes),
            costs=tuple(map(_sealed_cost, bands.each)),
        )
        return decision, {"costs": {"schema": 1, "curves": {found.name: found.curve for found in bands.each}}}
    if spec.max_escape is None:
        chosen = fit_thresholds(task, probability_nk, target_nk, spec.rule)
        notes = (*chosen.notes, *notes)
        return DecisionRule(rule=chosen.rule, fitted_on=fitted_on, thresholds=chosen.values, notes=tuple(notes)), {}
    asked: dict[str, Any] = {"max_escape": spec.max_escape, "confidence": spec.confidence, "units": spec.units}
    found = fit_promises(task, probability_nk, target_nk, groups, where=where, **asked)
    contracts = []
    for promise in found.each:
        values = {key: value for key, value in promise.contract.as_dict().items() if key in EscapeContract.model_fields}
        contracts.append(EscapeContract(**values, name=promise.name, words=promise.words))
    decision = DecisionRule(
        rule=RULE, fitted_on=fitted_on, thresholds=found.thresholds, notes=tuple(notes), contracts=tuple(contracts)
    )
    curves = {promise.name: promise.curve for promise in found.each}
    return decision, {"contract": {"schema": 1, "curves": curves}}


def _sealed_cost(found: ClassBand) -> ExpectedCost:
    """What a bundle keeps of the band of a class."""
    costs = {f"{key}_cost": getattr(found.costs, key) for key in ("escape", "overkill", "review")}
    values = found.band.as_dict() if found.band else {}
    return ExpectedCost(
        name=found.name,
        prevalence=found.costs.prevalence,
        prevalence_data=found.share,
        low=found.low,
        high=found.high,
        single=found.single,
        words=found.words,
        **costs,
        **{key: value for key, value in values.items() if key not in ("low", "high", "prevalence")},
    )


def _checked_place(target: Path, bundle: Path, overwrite: bool) -> Path:
    """Where the new bundle is written, if it may be.

    Raises:
        OutputError: it is the old one, or exists.
    """
    if target.exists() and target.resolve() == bundle.resolve():
        raise OutputError(f"{target} is the bundle that is decided again", "name another file (-o)")
    if target.exists() and (target.is_dir() or not overwrite):
        raise OutputError(f"{target} exists already", "choose another name (-o), or replace it with --overwrite")
    return target


def _decide_again(
    bundle: Path,
    data: str | Path,
    output: Path | None,
    spec: DecideSpec,
    asked: tuple[AskedDecision, ...] = (),
    *,
    known: str | Path | None,
    twins: Search,
    overwrite: bool,
) -> Manifest:
    target = _checked_place(output or named(bundle, spec), bundle, overwrite)
    contents = read_bundle(bundle)
    runtime, parent = Runtime.of(contents), contents.manifest
    if parent.sealed.calibrator is None or not parent.seal:
        raise BundleError(f"{bundle} is a draft", "decide its run first: flawscope decide RUN")
    own = (Path(data) / "recipe.yaml").is_file()
    if own and (known is not None or twins != "find"):
        raise UserError(f"--known and --twins are for new images, and {data} is a run", "leave them out")
    samples, groups, notes = (
        _own_images(data, contents) if own else _new_images(data, bundle, contents, runtime, known=known, twins=twins)
    )
    fitted = parent.sealed.calibrator
    logit_nk = scores(runtime, samples, "scoring")
    probability_nk = calibrate(runtime.task.kind, fitted.knots, logit_nk, fitted.against_rest)
    earlier = contents.evidence.get("provenance", {})
    asked_before = [each.model_dump(mode="json") for each in listed(bundle, parent)]
    before = {"seal": parent.seal, "decided_on": earlier.get("decided_on"), "asked": asked_before}
    history = [*earlier.get("history", ()), before]
    times = f", {len(history)} times since its run was decided" if len(history) > 1 else ""
    decision, proof = rule(
        runtime.task,
        probability_nk,
        samples.target_nk,
        groups,
        spec,
        fitted_on="calibration" if own else "",
        where=CALIBRATION if own else f"the data set {samples.name!r}",
        notes=(f"Decided again on {counted(len(samples), 'images')} of {samples.name}{times}", *notes),
    )
    sealed = Sealed(**{**dict(parent.sealed), "decision": decision.model_copy(update={"asked": asked})})
    made = {
        "command": command(),
        "machine": machine(),
        "versions": versions(),
        "parent": parent.seal,
        "history": history,
        "contents": _contents(earlier.get("contents", {}), samples),
        "decided_on": {"name": samples.name, "source": samples.source, "hash": samples.hash},
    }
    return write_bundle(
        target,
        parent.model_copy(update={"sealed": sealed, "parent": parent.seal, "created": today()}),
        contents.graphs,
        contents.golden,
        {"provenance": {**earlier, **made}, **proof},
    )


ForDeciding = tuple[Samples, list[str], tuple[str, ...]]
"""Labelled images that may decide, the group of each, and what is to be said of them."""


def _own_images(folder: str | Path, contents: Contents) -> ForDeciding:
    """The calibration part of the bundle's run.

    Raises:
        UserError: a run of other data than the bundle's.
    """
    run = run_of(folder, contents, "name its run, or other images")
    samples = run.part("calibration")
    return samples, [run.split.group[row.id] for row in samples.rows], ()


def _new_images(
    data: str | Path, bundle: Path, contents: Contents, runtime: Runtime, *, known: str | Path | None, twins: Search
) -> ForDeciding:
    """Those that the bundle was not trained, validated or tested with.

    Raises:
        DataError: see `new_images`; or none is left.
    """
    remedy = "name labelled images that are new to it, or its run folder: the calibration part"
    found = new_images(data, bundle, contents, runtime, NOT_FOR_DECIDING, known=known, twins=twins, remedy=remedy)
    notes = [*found.left_out, *found.checked]
    if not contents.evidence.get("provenance", {}).get("contents"):
        notes.append("the bundle does not say which images it has learnt from: make sure that none of these is one")
    return found.samples, [found.group[row.id] for row in found.samples.rows], tuple(notes)


def _contents(known: Mapping[str, Sequence[str]], samples: Samples) -> dict[str, list[str]]:
    """What the new bundle was made with: as its parent, and these images count as calibration."""
    calibration = {*known.get("calibration", ()), *(row.sha256 for row in samples.rows)}
    return {**{part: list(hashes) for part, hashes in known.items()}, "calibration": sorted(calibration)}


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
