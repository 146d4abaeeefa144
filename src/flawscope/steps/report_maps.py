"""What the networks of a report look at: maps of its worst pictures, the mean of each answer, and their proof.

Made when the report is written, of the checkpoints, by torch: a bundle alone has no such page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw

from flawscope.data.findings import class_members
from flawscope.data.progress import watched
from flawscope.evaluation.heat_maps import Pointed, Removed, pointed
from flawscope.evaluation.map_words import areas_words, proof_words, warnings_of
from flawscope.explanation.default import LAYER, METHOD
from flawscope.explanation.explained import SIGNED
from flawscope.pages.heat_maps import stretched
from flawscope.pages.looked_at import LookedAt, over
from flawscope.pages.report import Picture
from flawscope.preprocess import open_image, viewable
from flawscope.records import BoolArray, Samples, Task
from flawscope.steps.loaded import Loaded
from flawscope.steps.map_making import Asked, Mapped, mapped, proven
from flawscope.steps.map_means import Means
from flawscope.steps.seen import LONGEST
from flawscope.steps.workspace import Run
from flawscope.training.checkpoint import load_checkpoint

Item = TypeVar("Item")
PICTURES = 12
"""Of the gallery so many get a map, the worst of each kind in turn."""
ANSWERS, AVERAGED = 8, 24
"""Answers with a mean map, and pictures that each is the mean of."""
PROVEN = 16
"""Pictures of which places are taken out and put in, to see whether the maps can be trusted."""


def looked_at(
    runs: Sequence[Run], gallery: Sequence[Picture], masks: Mapping[str, BoolArray] | None = None
) -> tuple[LookedAt, dict[str, tuple[Image.Image | None, str]]]:
    """Look at the test parts of runs, each with its own network.

    Args:
        runs: one run, or several folds; all have a checkpoint.
        gallery: pictures with `asked`, in the order in which a page shows them.
        masks: true masks of flawed samples by their names, where they are known.

    Returns: what the page says, and by the names of pictures their maps with a word below.

    Raises:
        UserError: a network gives no maps.
        DataError: a checkpoint is missing or damaged.
    """
    chosen = {each.name: each.asked for each in in_turn(gallery, PICTURES)}
    shown: dict[str, tuple[Image.Image | None, str]] = {}
    means, tested = Means(), list[tuple[Loaded, Mapped]]()
    task, layer = runs[0].samples.task, ""
    for run in runs:
        loaded = Loaded(run, load_checkpoint(run.training / "best")[0], run.samples.task, run.recipe.image)
        part = run.part("test")
        typical = {_key(each): each for each in typical_of(task, part, run, max(1, AVERAGED // len(runs)))}
        flawed = [key for key in typical if key[1] != task.negative]
        proving = set(flawed if masks is not None else spread(flawed, max(1, PROVEN // len(runs))))
        asks = [Asked(row, chosen[row.id], run.split.group[row.id]) for row in part.rows if row.id in chosen]
        wanted = {**typical, **{_key(each): each for each in asks}}
        for one in watched(mapped(loaded, list(wanted.values()), METHOD, LAYER), len(wanted), "drawing heat maps"):
            key, layer = _key(one.asked), layer or one.layer
            if key in typical:
                means.add(one.asked.of, one.seen.view, one.map_hw)
            if key in proving:
                tested.append((loaded, replace(one, seen=replace(one.seen, view=one.seen.view[:1, :1]))))
            if chosen.get(key[0]) == key[1]:
                drawn = None if one.empty else _drawn(one, run.recipe.image.crop)
                shown[key[0]] = drawn, f"{'nothing' if one.empty else 'what'} speaks for {key[1]}"
    found, proof = means.made(answers(task)), proof_of(tested, masks)
    content = LookedAt(
        method=METHOD,
        layer=layer,
        signed=METHOD in SIGNED,
        means=[mean for mean, _ in found],
        proof=proof_words(proof) if proof else "",
        areas=areas_words(proof) if proof else "",
        warnings=[
            *warnings_of(proof),
            *(frame.warning for _, frame in found if frame.warned),
        ],
        shown=len(shown),
    )
    return content, shown


def _drawn(one: Mapped, crop: tuple[int, int, int, int] | None) -> Image.Image:
    """The map over the whole picture, as large as the one beside it; a line is drawn around what the network sees."""
    seen = over(one.seen.view, one.map_hw, signed=METHOD in SIGNED)
    if crop is None:
        return seen
    image = open_image(Path(one.asked.sample.path))
    whole = viewable(image, LONGEST).convert("RGB")
    left, top, right, bottom = (round(side * whole.width / image.width) for side in crop)
    whole.paste(seen.resize((right - left, bottom - top)), (left, top))
    ImageDraw.Draw(whole).rectangle(
        (left, top, right - 1, bottom - 1), outline="white", width=max(1, whole.width // 160)
    )
    return whole


def _key(asked: Asked) -> tuple[str, str]:
    return asked.sample.id, asked.of


def answers(task: Task) -> tuple[str, ...]:
    """The answers that a network can be asked for, at most `ANSWERS`: of a binary task the good one as well.

    >>> answers(Task("binary", ("scrap",), "good"))
    ('scrap', 'good')
    """
    return (task.classes + ((task.negative,) if task.kind == "binary" else ()))[:ANSWERS]


def typical_of(task: Task, part: Samples, run: Run, most: int) -> list[Asked]:
    """For each answer some samples of which it is true, spread evenly over the part."""
    members, by_id = class_members(part), {row.id: row for row in part.rows}
    return [
        Asked(by_id[id], of, run.split.group[id]) for of in answers(task) for id in spread(members.get(of, []), most)
    ]


def spread(ids: Sequence[Item], most: int) -> list[Item]:
    """At most so many, evenly.

    >>> spread("abcdef", 3), spread("ab", 3)
    (['a', 'c', 'e'], ['a', 'b'])
    """
    return [ids[place * len(ids) // most] for place in range(most)] if len(ids) > most else list(ids)


def in_turn(gallery: Iterable[Picture], most: int) -> list[Picture]:
    """The first of each kind, then the second of each, and so on, as long as there are less than `most`."""
    kinds: dict[str | None, list[Picture]] = {}
    for picture in gallery:
        if picture.asked:
            kinds.setdefault(picture.kind, []).append(picture)
    longest = max(map(len, kinds.values()), default=0)
    return [own[place] for place in range(longest) for own in kinds.values() if place < len(own)][:most]


def proof_of(
    tested: Sequence[tuple[Loaded, Mapped]], masks: Mapping[str, BoolArray] | None
) -> Removed | Pointed | None:
    """The pointing game where true masks are known, deletion and insertion otherwise."""
    if masks is None:
        return proven(watched(tested, len(tested), "proving the heat maps")) if tested else None
    known = [one for _, one in tested if one.asked.sample.id in masks]
    truths = [masks[one.asked.sample.id] for one in known]
    maps = [stretched(one.map_hw, mask.shape).astype(np.float64) for one, mask in zip(known, truths, strict=True)]
    return pointed(maps, truths, [one.asked.group for one in known]) if known else None
