"""`flawscope decide` for bundles that make masks: levels and least areas from the calibration part, then the seal.

They are fitted on what the gate lets pass, if there is a gate: an image that it stops has no marks whatever the rule of
masks says. So the gate is decided first, in its own run (RUN/gate), and its rule is put into the one bundle of both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from flawscope.bundle.archive import Contents, write_bundle
from flawscope.bundle.manifest import Manifest, Sealed, Step
from flawscope.bundle.mask_runtime import Look, MaskRuntime
from flawscope.bundle.rules import Gate, MaskRule
from flawscope.bundle.tiles import overlap_of
from flawscope.errors import RecipeError, UserError
from flawscope.evaluation.mask_fit import FEWEST, FittedMasks, Grid, Tally, fit_masks, grid_of, summed, tally
from flawscope.records import BoolArray, FloatArray, Sample, Samples
from flawscope.steps.deciding import Again, check_target, provenance, rule
from flawscope.steps.mask_samples import looked_at
from flawscope.steps.new_groups import NOTHING_SAID, SaidGroups
from flawscope.steps.new_images import Search
from flawscope.steps.workspace import Run
from flawscope.training.decide_spec import DecideSpec
from flawscope.training.mask_spec import MaskSpec


def decide_masks(run: Run, draft: Contents, gate: Contents | None = None) -> Manifest:
    """Fit the rule of masks of a run's draft on its calibration part, as its recipe says, and seal the bundle.

    `gate` is the decided bundle of the gate's own run, whose graph is in the draft already.

    Raises:
        RecipeError: the recipe gives thresholds or areas for another number of classes.
        DataError: an image cannot be read, or is not of the size of its masks.
    """
    sealed, spec = draft.manifest.sealed, run.recipe.masks or MaskSpec()
    if gate is not None:
        sealed = _behind(gate.manifest.sealed, sealed)
    grid = _grid(spec, len(sealed.task.classes))
    runtime = MaskRuntime(sealed, draft.graphs, overlap=overlap_of(spec.overlap, tile_of(sealed)))
    samples = run.part("calibration")
    fitted = _fitted(runtime, samples, grid)
    masks = MaskRule(
        levels=fitted.levels,
        min_areas=fitted.min_areas,
        overlap=runtime.overlap,
        mm_per_pixel=spec.mm_per_pixel,
        fitted_on="calibration" if "fit" in (spec.thresholds, spec.min_area) else "",
        notes=fitted.notes,
    )
    return write_bundle(
        run.bundle,
        draft.manifest.model_copy(update={"sealed": Sealed(**{**dict(sealed), "masks": masks})}),
        draft.graphs,
        draft.golden,
        {"provenance": provenance(run), "masks": evidence(sealed, samples, fitted), **(_of_gate(gate) if gate else {})},
    )


def decide_masks_again(
    bundle: Path,
    contents: Contents,
    data: str | Path,
    target: Path,
    spec: DecideSpec | None,
    *,
    known: str | Path | None,
    twins: Search,
    groups: SaidGroups = NOTHING_SAID,
    overwrite: bool,
) -> Manifest:
    """Fit the rule of masks of a sealed bundle anew; with a contract or costs also its gate, which comes first.

    Raises:
        UserError: a contract or costs, and the bundle has no gate; see also `Again.of`.
        OutputError: the new bundle exists already.
        DataError: see `decide_masks`; or the data cannot be used.
    """
    sealed = contents.manifest.sealed
    if spec is not None and sealed.gate is None:
        raise UserError(
            f"{bundle} has no gate: an escape contract or costs decide whether an image is let pass, and masks are "
            "marked pixel by pixel",
            "leave --max-escape and the costs out: the rule of masks is fitted anew; or train with a gate "
            "(section gate of the recipe)",
        )
    check_target(target, bundle, overwrite)
    runtime = MaskRuntime.of(contents)
    again = Again.of(bundle, contents, data, runtime.task, known=known, twins=twins, groups=groups)
    proof: dict[str, dict[str, Any]] = {}
    if spec is not None:
        gate, proof = _gate_again(runtime, again, spec)
        sealed = Sealed(**{**dict(sealed), "gate": gate})
        runtime = MaskRuntime(sealed, contents.graphs)
    fitted = _fitted(runtime, again.samples, grid_of(len(sealed.task.classes)))
    before = sealed.masks
    assert before is not None  # it is no draft
    masks = MaskRule(
        levels=fitted.levels,
        min_areas=fitted.min_areas,
        overlap=before.overlap,
        mm_per_pixel=before.mm_per_pixel,
        fitted_on=again.fitted_on,
        notes=(*again.notes, *fitted.notes),
    )
    proof |= {"masks": evidence(sealed, again.samples, fitted)}
    return again.write(target, Sealed(**{**dict(sealed), "masks": masks}), proof)


def _behind(gate: Sealed, sealed: Sealed) -> Sealed:
    """The draft with the gate's rule and its step, before that of the masks."""
    assert gate.calibrator is not None and gate.decision is not None  # it has been decided
    rule_of_gate = Gate(task=gate.task, calibrator=gate.calibrator, decision=gate.decision)
    steps = (Step(name="gate", kind="gate", graph="gate"), *sealed.steps)
    return Sealed(**{**dict(sealed), "steps": steps, "gate": rule_of_gate})


def _of_gate(gate: Contents) -> dict[str, dict[str, Any]]:
    """What the gate's own bundle holds of its contract or costs, for the page."""
    wanted = {name: gate.evidence[name] for name in ("contract", "costs") if name in gate.evidence}
    return {name: {key: each for key, each in found.items() if key != "seal"} for name, found in wanted.items()}


def tile_of(sealed: Sealed) -> tuple[int, int]:
    """Height and width of the tiles that the graph of masks takes."""
    step = next(each for each in sealed.steps if each.kind == "mask")
    (picture,) = sealed.graph(step.graph).inputs
    assert picture.kind == "image"  # networks that make masks take the picture alone
    return picture.preprocess.size


def evidence(sealed: Sealed, samples: Samples, fitted: FittedMasks) -> dict[str, Any]:
    """What the bundle keeps of the fit: for each class how good it is, and how good its neighbours are."""
    return {
        "schema": 1,
        "images": len(samples),
        "classes": {
            name: {
                "level": level,
                "min_area": area,
                "fitted": shown >= FEWEST,
                "dice": quality,
                "images": shown,
                **curve,
            }
            for name, level, area, quality, shown, curve in zip(
                sealed.task.classes,
                fitted.levels,
                fitted.min_areas,
                fitted.quality,
                samples.target_nk.sum(axis=0).astype(int).tolist(),
                fitted.curve,
                strict=True,
            )
        },
    }


def _grid(spec: MaskSpec, k: int) -> Grid:
    try:
        return grid_of(k, spec.thresholds, spec.min_area)
    except ValueError as error:
        raise RecipeError(
            f"masks.thresholds or masks.min_area: {error}", "give one number, or one for each class, in their order"
        ) from None


def _fitted(runtime: MaskRuntime, samples: Samples, grid: Grid) -> FittedMasks:
    def counted(row: Sample, look: Look, truth_khw: BoolArray) -> Tally:
        return tally(truth_khw, None if look.stopped else look.level_khw, grid)

    if not len(samples):
        raise UserError(
            "the calibration part is empty, and thresholds and least areas are fitted on it",
            f"give it a share (split.calibration), with at least {FEWEST} images of each class",
        )
    total = summed(looked_at(runtime, samples, counted, "fitting masks"))
    return fit_masks(runtime.task.classes, total, grid)


def _gate_again(runtime: MaskRuntime, again: Again, spec: DecideSpec) -> tuple[Gate, dict[str, dict[str, Any]]]:
    """The gate, decided anew by its calibrated probabilities, and the evidence of its contract or costs."""
    gate = runtime.sealed.gate
    assert gate is not None  # asked for above

    def probability(row: Sample, look: Look, truth_khw: BoolArray) -> float:
        assert look.gate is not None
        return look.gate.probability[0]

    found = list(looked_at(runtime, again.samples, probability, "asking the gate"))
    decision, proof = rule(
        gate.task.task(),
        np.array(found, dtype=np.float64)[:, None],
        flawed(again.samples),
        again.groups,
        spec,
        fitted_on=again.fitted_on,
        where=again.where,
        notes=again.notes,
    )
    return gate.model_copy(update={"decision": decision}), proof


def flawed(samples: Samples) -> FloatArray:
    """What a gate is to find, n x 1: 1 for each sample that shows any class."""
    return np.asarray(samples.target_nk.max(axis=1, keepdims=True))
