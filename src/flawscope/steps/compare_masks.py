"""The part of a comparison that only runs with masks have: where flaws are, pixel by pixel and flaw by flaw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flawscope.bundle.archive import read_bundle
from flawscope.errors import UserError, listing
from flawscope.evaluation.mask_facts import MaskFacts, appended
from flawscope.evaluation.mask_measures import RULE
from flawscope.evaluation.mask_paired import MaskAnswers, mask_answers, mask_differences
from flawscope.pages.words import verdict
from flawscope.steps.mask_store import read_masks
from flawscope.steps.tested import Key, Side
from flawscope.steps.workspace import Run

TOLD = ("mean IoU", "mean Dice on flawed", "flaw recall")
"""The measures that are said in sentences."""


def compared_masks(sides: Sequence[Side], keys: Sequence[Key], groups: Sequence[str], where: str) -> dict[str, Any]:
    """Differences and sentences; empty unless all of the runs make masks. The first side is the baseline.

    Raises:
        UserError: what was counted is not what the bundle carries, or the true masks of an image differ.
        DataError: the files of a run are missing or damaged.
    """
    if not all(side.task.pixels for side in sides):
        return {}
    base = sides[0]
    facts = [_facts(side, base, keys) for side in sides]
    measured: list[MaskAnswers] = []
    for side, each in zip(sides, facts, strict=True):
        differ_n = (each.truth_nc != facts[0].truth_nc).any(axis=1)
        if differ_n.any():
            raise UserError(
                f"{base.name} and {side.name} have different masks for {int(differ_n.sum())} of the same images:\n"
                + listing([keys[i][0] for i in np.flatnonzero(differ_n).tolist()]),
                "correct the masks, and run anew what had the wrong ones",
            )
        measured.append(mask_answers(base.task.classes, each, groups))
    document: dict[str, Any] = {"differences": [], "sentences": [], "rule": RULE}
    for side, made in zip(sides[1:], measured[1:], strict=True):
        rows = [each.as_dict() for each in mask_differences(measured[0], made)]
        document["differences"] += [{"run": side.name, "against": base.name, **row} for row in rows]
        by = {row["measure"]: row["difference"] for row in reversed(rows)}
        document["sentences"] += [
            verdict((base.name, side.name), key, by[key], None, where) for key in TOLD if key in by
        ]
    return document


def _facts(side: Side, base: Side, keys: Sequence[Key]) -> MaskFacts:
    """What was counted of these images, the classes in the order of the baseline."""
    told = [(read_masks(part.masks("test")), part) for part in side.parts]
    for (_, facts), part in told:
        _check(part, facts)
    every = [(number, row.name) for number, ((rows, _), _) in enumerate(told) for row in rows]
    place = {key: i for i, key in enumerate(every)}
    chosen = [place[side.answers[key].part, key[0]] for key in keys]
    classes = [side.task.classes.index(name) for name in base.task.classes]
    return appended([facts for (_, facts), _ in told]).of(chosen, classes)


def _check(part: Run, facts: MaskFacts) -> None:
    """Refuse counts that are not those that the sealed bundle carries the measures of."""
    stated = read_bundle(part.bundle).evidence.get("test", {}).get("masks")
    counted = [
        [int(each.sum()) for each in (facts.truth_nc[:, c], facts.marked_nc[:, c], facts.both_nc[:, c])]
        for c in range(facts.classes + 1)
    ]
    if stated is None or counted != [[row["pixels"], row["marked"], row["both"]] for row in stated["classes"].values()]:
        raise UserError(
            f"{part.folder}: {part.masks('test').name}.npz is not that of its sealed bundle",
            f"measure it anew: flawscope evaluate {part.folder}",
        )
