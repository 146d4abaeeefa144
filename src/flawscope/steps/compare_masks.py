"""The part of a comparison that only runs with masks have: where flaws are, pixel by pixel and flaw by flaw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from flawscope.bundle.archive import read_bundle
from flawscope.errors import UserError, listing
from flawscope.evaluation.mask_facts import MaskFacts, appended
from flawscope.evaluation.mask_measures import RULE
from flawscope.evaluation.mask_paired import mask_answers, mask_differences
from flawscope.pages.masks import MaskGallery, MaskPicture
from flawscope.pages.words import verdict
from flawscope.records import Task
from flawscope.steps.mask_pictures import Shown, outlined_panels
from flawscope.steps.mask_store import MaskRow, read_masks
from flawscope.steps.tested import Key, Side
from flawscope.steps.workspace import Run

TOLD = ("mean IoU", "mean Dice on flawed", "flaw recall")
"""The measures that are said in sentences."""
SHOWN = 8
"""Pictures of each kind; each is there three times."""


def shown_by(sides: Sequence[Side], keys: Sequence[Key]) -> list[Shown]:
    """What each side has marked on these images, the classes in the order of the first; empty unless all make masks.

    Raises:
        UserError: what was counted is not what the bundle carries, or the true masks of an image differ.
        DataError: the files of a run are missing or damaged.
    """
    if not all(side.task.pixels for side in sides):
        return []
    base = sides[0]
    shown = [_shown(side, base, keys) for side in sides]
    for side, each in zip(sides, shown, strict=True):
        differ_n = (each.facts.truth_nc != shown[0].facts.truth_nc).any(axis=1)
        if differ_n.any():
            raise UserError(
                f"{base.name} and {side.name} have different masks for {int(differ_n.sum())} of the same images:\n"
                + listing([keys[i][0] for i in np.flatnonzero(differ_n).tolist()]),
                "correct the masks, and run anew what had the wrong ones",
            )
    return shown


def compared_masks(sides: Sequence[Side], shown: Sequence[Shown], groups: Sequence[str], where: str) -> dict[str, Any]:
    """Differences, sentences, and the images that are marked differently; empty where nothing is shown.

    The first side is the baseline.
    """
    if not shown:
        return {}
    base = sides[0]
    measured = [mask_answers(base.task.classes, each.facts, groups) for each in shown]
    document: dict[str, Any] = {"differences": [], "sentences": [], "images": [], "rule": RULE}
    for side, made, each in zip(sides[1:], measured[1:], shown[1:], strict=True):
        names = {"run": side.name, "against": base.name}
        rows = [row.as_dict() for row in mask_differences(measured[0], made)]
        document["differences"] += [{**names, **row} for row in rows]
        by = {row["measure"]: row["difference"] for row in reversed(rows)}
        document["sentences"] += [
            verdict((base.name, side.name), key, by[key], None, where) for key in TOLD if key in by
        ]
        document["images"] += [
            {**names, "image": each.samples[i].id, "dice": [float(shown[0].dice_n[i]), float(each.dice_n[i])]}
            for i in _most_different(shown[0], each)
        ]
    return document


def compared_pictures(
    sides: Sequence[Side], shown: Sequence[Shown], document: Mapping[str, Any]
) -> Iterator[MaskGallery]:
    """Of each run and the baseline: the images that one marks better, and those that only one calls rightly.

    Each is shown with the true outlines and those of both runs, in the order of the document of compare.json.
    """
    base = sides[0].name
    for side, made in zip(sides[1:], shown[1:], strict=True):
        place = {sample.id: i for i, sample in enumerate(made.samples)}
        both = {base: shown[0], side.name: made}
        marked = [row for row in document["masks"]["images"] if row["run"] == side.name]
        called = [row for row in document["disagreements"] if row["run"] == side.name]
        pairs = ((side.name, base, 1), (base, side.name, -1))
        for better, worse, sign in pairs:
            chosen = [place[row["image"]] for row in marked if sign * (row["dice"][1] - row["dice"][0]) > 0]
            title = f"{better} fits better than {worse}"
            yield _gallery(side.task, both, chosen, title, "The largest difference of the Dice index first.")
        for better, worse, _ in pairs:
            chosen = [place[row["image"]] for row in called if row["right"] == better]
            title = f"Only {better} is right about which classes show, {worse} is wrong"
            yield _gallery(side.task, both, chosen, title, "Whatever the outlines.")


def _most_different(baseline: Shown, other: Shown) -> list[int]:
    """The images that fit differently: the largest difference of Dice first, among equals the most marks."""
    gain_n = np.abs(other.dice_n - baseline.dice_n)
    marks_n = (baseline.facts.marked_nc + other.facts.marked_nc)[:, -1]
    return sorted(np.flatnonzero(gain_n > 0).tolist(), key=lambda i: (-gain_n[i], -marks_n[i]))


def _gallery(task: Task, both: Mapping[str, Shown], chosen: Sequence[int], title: str, explained: str) -> MaskGallery:
    """Some images, each with the true outlines and those of both runs."""
    first, pictures = next(iter(both.values())), []
    for i in chosen[:SHOWN]:
        sample = first.samples[i]
        assert sample.masks is not None  # samples of a task with masks have some
        marks = {f"marked by {name}": each.rows[i].masks for name, each in both.items()}
        said = [
            f"is {task.describe(sample.target)}",
            *(
                f"{name}: {task.describe(each.rows[i].masks.shown)}, Dice {each.dice_n[i]:.3f}"
                for name, each in both.items()
            ),
        ]
        panels = outlined_panels(sample.path, {"true flaws": sample.masks, **marks})
        pictures.append(MaskPicture(sample.id, panels, said))
    return MaskGallery(title, explained, len(chosen), "images", pictures)


def _shown(side: Side, base: Side, keys: Sequence[Key]) -> Shown:
    """What a run has marked on these images, the classes in the order of the baseline."""
    told = [(read_masks(part.masks("test")), part) for part in side.parts]
    for (_, facts), part in told:
        _check(part, facts)
    every = [(number, row) for number, ((rows, _), _) in enumerate(told) for row in rows]
    place = {(number, row.name): i for i, (number, row) in enumerate(every)}
    chosen = [place[side.answers[key].part, key[0]] for key in keys]
    classes = [side.task.classes.index(name) for name in base.task.classes]
    rows = [_in_order(every[i][1], classes) for i in chosen]
    return Shown(
        [base.answers[key].sample for key in keys],
        rows,
        appended([facts for (_, facts), _ in told]).of(chosen, classes),
    )


def _in_order(row: MaskRow, classes: Sequence[int]) -> MaskRow:
    return replace(row, masks=replace(row.masks, codes=tuple(row.masks.codes[c] for c in classes)))


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
