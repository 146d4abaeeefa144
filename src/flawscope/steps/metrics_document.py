"""The metrics document of the predictions for some samples, and where its numbers come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flawscope.evaluation.measure import measure
from flawscope.records import BoolArray, Prediction, Samples
from flawscope.steps.provenance import code_version, command, machine, today, versions
from flawscope.wording import class_called, counted

FEW = 10
FOR_A_PERSON = (
    "they are counted apart, neither right nor wrong: an escape is a bad part that passes without a look, overkill a "
    "good one that is rejected without a look"
)


@dataclass(frozen=True)
class Evaluation:
    """The metrics document and what it was computed from. `left_out` says what was not measured, and why."""

    metrics: dict[str, Any]
    samples: Samples
    predictions: tuple[Prediction, ...]
    left_out: tuple[str, ...] = ()


def document(
    samples: Samples,
    predictions: Sequence[Prediction],
    groups: Any,
    thresholds: Sequence[float] | None,
    *,
    three: bool = False,
    looked_at: Sequence[float] | None = None,
) -> dict[str, Any]:
    """The metrics document, with where it comes from; no thresholds where several bundles have decided.

    `three`: a person may be asked to look, from the thresholds `looked_at`.
    """
    flag_nk, unsure_nk = decided(predictions, len(samples.task.classes))
    metrics = measure(
        samples.task,
        samples.target_nk,
        np.array([each.probability for each in predictions]),
        flag_nk,
        [groups[row.id] for row in samples.rows],
        thresholds=thresholds,
        unsure_nk=unsure_nk if three else None,
        looked_at=looked_at,
    )
    for name, found in metrics["classes"].items():
        called = class_called(name)
        shown = f"with {called}" if samples.task.pixels else called  # what is seen on it
        for count, words in ((found["positives"], shown), (found["negatives"], f"without {called}")):
            if 0 < count < FEW:
                metrics["notes"].append(
                    f"only {counted(count, 'test images')} {words}: what is said of them is worth little"
                )
    if three:
        person = metrics["for_a_person"]["n"]
        metrics["notes"].append(f"{person:,} of {len(samples):,} test images are for a person: {FOR_A_PERSON}")
    return metrics | source(samples)


def decided(predictions: Sequence[Prediction], k: int) -> tuple[BoolArray, BoolArray]:
    """Which classes are called, and which are neither called nor ruled out, both n x k; only what is decided."""
    rows = [each.decision for each in predictions if each.decision]
    flags, unsure = [row.flags for row in rows], [row.unsure or (False,) * k for row in rows]
    return np.array(flags, np.bool_).reshape(-1, k), np.array(unsure, np.bool_).reshape(-1, k)


def source(samples: Samples) -> dict[str, Any]:
    """Where numbers come from: command, date, code, machine, versions and data."""
    return {
        "provenance": {
            "command": command(),
            "date": today(),
            "code": code_version(),
            "machine": machine(),
            "versions": versions(),
            "data": {"name": samples.name, "source": samples.source, "hash": samples.hash},
        }
    }
