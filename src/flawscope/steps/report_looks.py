"""The pictures of a report with their heat maps, where torch and the trained networks are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from flawscope.errors import UserError
from flawscope.masks import mask_array
from flawscope.pages.looked_at import LookedAt
from flawscope.pages.report import Picture
from flawscope.records import BoolArray, Task
from flawscope.steps.workspace import Run

Maps = Mapping[str, tuple[Any, str]]


@dataclass(frozen=True)
class Gallery:
    """The pictures of a report: mistakes, what is for a person, and what was nearly decided otherwise."""

    mistakes: Sequence[Picture] = ()
    for_a_person: Sequence[Picture] = ()
    uncertain: Sequence[Picture] = ()


def with_maps(task: Task, runs: Sequence[Run], gallery: Gallery) -> dict[str, Any]:
    """The gallery, its first pictures with heat maps, and what the network looks at; or why nobody can tell.

    Where the networks make masks, what the gates before them look at, proven by these masks.
    """
    found: dict[str, Any] = {field.name: getattr(gallery, field.name) for field in fields(gallery)}
    if task.pixels:
        gates = [run.gate for run in runs if run.gate is not None]
        masks = {name: mask for run in runs for name, mask in _true_masks(run).items()} if gates else {}
        return {**found, "looked": _looked_at(gates, [], masks or None)[0]} if gates else found
    looked, maps = _looked_at(runs, [each for pictures in found.values() for each in pictures], None)
    for key, pictures in tuple(found.items()):
        beside = [maps.get(each.name, (None, "")) for each in pictures]
        found[key] = [
            replace(each, map=drawn, map_says=words) for each, (drawn, words) in zip(pictures, beside, strict=True)
        ]
    return {**found, "looked": looked}


def _looked_at(
    runs: Sequence[Run], gallery: Sequence[Picture], masks: Mapping[str, BoolArray] | None
) -> tuple[LookedAt, Maps]:
    if not all((run.training / "best.safetensors").is_file() for run in runs):
        return LookedAt(reason="the trained network does not lie in the run folder"), {}
    try:
        from flawscope.steps.report_maps import looked_at
    except ImportError:
        return LookedAt(reason="torch is not installed where this page was written"), {}
    try:
        return looked_at(runs, gallery, masks)
    except UserError as error:
        return LookedAt(reason=error.problem), {}


def _true_masks(run: Run) -> dict[str, BoolArray]:
    """Where the flawed samples of the test part are flawed; none if the gate sees a part of the picture only."""
    if run.gate is None or run.gate.recipe.image.crop is not None:
        return {}
    rows = run.part("test").rows
    flawed = {row.id: row.masks for row in rows if row.masks is not None and any(row.target)}
    return {name: np.asarray(mask_array(masks).any(axis=0)) for name, masks in flawed.items()}
