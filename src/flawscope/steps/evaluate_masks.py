"""Measures bundles that make masks: where flaws are, what the gate is worth, and what images as a whole are called.

Each image goes through both networks once. Where the gate has stopped it, what the other one says is dropped, as at the
line; only the time that this would have cost is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from flawscope.bundle.archive import read_bundle
from flawscope.bundle.mask_runtime import Look, MaskRuntime
from flawscope.bundle.rules import Gate
from flawscope.evaluation.mask_facts import ImageFacts, MaskFacts, appended, gathered, image_facts
from flawscope.evaluation.mask_measures import ANY, headline, measure_masks
from flawscope.evaluation.mask_time import time_saved
from flawscope.evaluation.measure import measure
from flawscope.inspection.tables import read_results
from flawscope.masks import mask_array
from flawscope.records import BoolArray, Prediction, Sample, Samples, Task
from flawscope.steps.mask_samples import looked_at
from flawscope.steps.mask_store import MaskRow, read_masks
from flawscope.steps.metrics_document import Evaluation, document

if TYPE_CHECKING:
    from flawscope.steps.workspace import Run

FLAWED = "flawed"
"""What an image is called on which any flaw is found: by the gate, or by gate and masks together."""


@dataclass(frozen=True)
class MaskEvaluation(Evaluation):
    """An evaluation of masks, with what it was computed from: a row an image, and what was counted of all."""

    rows: tuple[MaskRow, ...] = ()
    counted: MaskFacts | None = None

    @property
    def facts(self) -> MaskFacts:
        """What was counted."""
        assert self.counted is not None
        return self.counted


def evaluate_masks(runtime: MaskRuntime, samples: Samples, groups: Any, left_out: Sequence[str] = ()) -> MaskEvaluation:
    """Inspect samples with masks and measure; `groups` gives the group of each sample id, for the intervals.

    Raises:
        DataError: an image cannot be read, or is not of the size of its masks.
    """
    found = list(looked_at(runtime, samples, _measured(runtime), "inspecting", always=True))
    answers, rows = tuple(answer for answer, _, _ in found), tuple(row for _, row, _ in found)
    facts, sealed = gathered(counted for _, _, counted in found), runtime.sealed
    scale = sealed.masks.mm_per_pixel if sealed.masks else None
    metrics = mask_document(samples, answers, rows, facts, groups, gate=sealed.gate, mm_per_pixel=scale)
    return MaskEvaluation(metrics, samples, answers, tuple(left_out), rows, facts)


def _measured(runtime: MaskRuntime) -> Callable[[Sample, Look, BoolArray], tuple[Prediction, MaskRow, ImageFacts]]:
    def measured(row: Sample, look: Look, truth_khw: BoolArray) -> tuple[Prediction, MaskRow, ImageFacts]:
        assert look.level_khw is not None  # they were asked for in any case
        mask_seconds = look.seconds - look.gate_seconds
        if look.stopped:
            # As at the line: nobody has looked for flaws, and nobody has spent the time.
            look = replace(look, level_khw=np.zeros_like(look.level_khw), seconds=look.gate_seconds)
        prediction, decision = runtime.decided(look), look.gate.decision if look.gate else None
        assert prediction.masks is not None and look.level_khw is not None  # an error was raised before
        told = MaskRow(
            row.id,
            prediction.masks,
            prediction.gate,
            called=bool(decision and any(decision.flags)),
            unsure=bool(decision and decision.human),
            stopped=look.stopped,
            gate_seconds=look.gate_seconds,
            mask_seconds=mask_seconds,
        )
        counted = image_facts(truth_khw, mask_array(prediction.masks), look.level_khw)
        return replace(prediction.answer, name=row.id), told, counted

    return measured


def mask_document(
    samples: Samples,
    answers: Sequence[Prediction],
    rows: Sequence[MaskRow],
    facts: MaskFacts,
    groups: Any,
    *,
    gate: Gate | None = None,
    pooled: bool = False,
    mm_per_pixel: float | None = None,
) -> dict[str, Any]:
    """The metrics document of images with masks: that of the images as a whole, and beside it `masks` and `cascade`.

    `masks` holds where flaws are (see `measure_masks`), `cascade` whether images are good or flawed by all that the
    bundle does. With a gate, `gate` holds the same of the gate alone, and the time that it saves. `pooled`: several
    bundles have decided, whose thresholds differ.
    """
    metrics = document(samples, answers, groups, None)
    names = [groups[row.id] for row in samples.rows]
    metrics["masks"] = measure_masks(samples.task.classes, facts, names, mm_per_pixel=mm_per_pixel)
    metrics["headline"] = [*headline(metrics["masks"]), *metrics["headline"]]
    flawed_n1 = np.asarray(samples.target_nk.max(axis=1, keepdims=True))
    called_n1 = np.array([[bool(each.decision and any(each.decision.flags))] for each in answers])
    highest_n1 = np.array([[max(each.probability)] for each in answers])
    called = FLAWED if samples.task.negative != FLAWED else f"not {FLAWED}"
    task = Task("binary", (called,), samples.task.negative)
    metrics["cascade"] = measure(task, flawed_n1, highest_n1, called_n1, names, thresholds=None)
    if gate:
        metrics["gate"] = _gate(gate, rows, flawed_n1, names, pooled=pooled)
    if not metrics["masks"]["classes"][ANY]["images"]:
        metrics["notes"].append("no image shows any flaw: IoU, and Dice on flawed images, cannot be computed")
    return metrics


def _gate(gate: Gate, rows: Sequence[MaskRow], flawed_n1: Any, names: Sequence[str], *, pooled: bool) -> dict[str, Any]:
    """The gate by itself, and the seconds that it saves."""
    decision = gate.decision
    three = bool(decision.looked_at)
    stopped_n = np.array([row.stopped for row in rows])
    measured = measure(
        gate.task.task(),
        flawed_n1,
        np.array([[row.gate or 0.0] for row in rows]),
        np.array([[row.called] for row in rows]),
        names,
        thresholds=None if pooled else decision.thresholds,
        unsure_nk=np.array([[row.unsure] for row in rows]) if three else None,
        looked_at=decision.looked_at if three and not pooled else None,
    )
    gate_n, mask_n = (np.array([getattr(row, key) for row in rows]) for key in ("gate_seconds", "mask_seconds"))
    return measured | {"time": time_saved(gate_n, mask_n, stopped_n, names)}


def pooled_masks(runs: Sequence[Run], samples: Samples, groups: Any) -> dict[str, Any]:
    """The metrics document of all folds: each image as the bundle that had not seen its group has said of it.

    Raises:
        DataError: a fold has not been evaluated, or its files are damaged.
    """
    told = [read_masks(run.masks("test")) for run in runs]
    rows = [row for each, _ in told for row in each]
    answers = {row.name: row for run in runs for row in read_results(run.scores("test"), samples.task).rows}
    row_of = {row.id: row for row in samples.rows}
    in_order = replace(samples, rows=tuple(row_of[row.name] for row in rows))
    sealed = read_bundle(runs[0].bundle).manifest.sealed
    return mask_document(
        in_order,
        [answers[row.name] for row in rows],
        rows,
        appended([facts for _, facts in told]),
        groups,
        gate=sealed.gate,
        pooled=True,
        mm_per_pixel=sealed.masks.mm_per_pixel if sealed.masks else None,
    )
