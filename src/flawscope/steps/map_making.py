"""Heat maps of a run's own samples, each asked for one answer, and the proof that they show what the network uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.errors import ImageError, MetadataError
from flawscope.evaluation.heat_maps import Areas, Removed, areas, aside, centre_prior, removed
from flawscope.explanation.default import ALIGNED
from flawscope.explanation.explained import Explained
from flawscope.explanation.removal import blurred, grey, probability_of
from flawscope.records import FloatArray, Sample
from flawscope.steps.loaded import Loaded
from flawscope.steps.seen import Seen

BATCH = 8
STEPS = 10
"""Of each curve of deletion and insertion: coarser than in the benchmark, the areas differ by some hundredths."""


@dataclass(frozen=True)
class Asked:
    """A sample, the answer that is asked about, and its group: those of one group are not independent."""

    sample: Sample
    of: str
    group: str


@dataclass(frozen=True)
class Mapped:
    """What speaks for the answer: a map h x w of the size that the network sees, relative to its largest value.

    `empty` says that nothing speaks for it.
    """

    asked: Asked
    seen: Seen
    map_hw: FloatArray
    layer: str
    empty: bool


def mapped(
    loaded: Loaded,
    asked: Sequence[Asked],
    method: str,
    layer: str | None = None,
    *,
    aligned: bool = ALIGNED,
    smooth: float | None = None,
) -> Iterator[Mapped]:
    """The maps of samples, in any order; what cannot be read any more is passed over.

    Raises:
        UserError: the network gives no maps, or there is no such layer.
    """
    explain = partial(loaded.explain, method=method, layer=layer, aligned=aligned, smooth=smooth)
    for of in dict.fromkeys(each.of for each in asked):
        waiting: list[tuple[Asked, Seen]] = []
        for each in (each for each in asked if each.of == of):
            try:
                seen = loaded.see(Path(each.sample.path), each.sample.id, each.sample.meta)
            except (ImageError, MetadataError):
                continue
            if waiting and waiting[0][1].pixels.shape != seen.pixels.shape:
                yield from _batch(explain, waiting)
                waiting = []
            waiting.append((each, seen))
            if len(waiting) == BATCH:
                yield from _batch(explain, waiting)
                waiting = []
        if waiting:
            yield from _batch(explain, waiting)


def _batch(explain: Callable[..., Explained], waiting: Sequence[tuple[Asked, Seen]]) -> Iterator[Mapped]:
    made = explain([seen for _, seen in waiting], of=waiting[0][0].of)
    for row, (each, seen) in enumerate(waiting):
        yield Mapped(each, seen, made.map_bhw[row].astype(np.float64), made.layer, not made.largest_b[row] > 0)


def areas_of(loaded: Loaded, one: Mapped, map_hw: FloatArray, steps: int = STEPS) -> Areas:
    """Deletion and insertion with a map of a picture, which need not be its own."""
    _, *table = loaded.inputs([one.seen])
    scores = probability_of(loaded.network, loaded.task, one.asked.of, table[0] if table else None)
    image: npt.NDArray[Any] = one.seen.pixels
    return areas(scores, image, map_hw, (grey(loaded.network, image), blurred(image)), steps)


def proven(pairs: Iterable[tuple[Loaded, Mapped]]) -> Removed:
    """Whether maps show what the networks use, by deletion and insertion.

    Raises:
        ValueError: there are no maps.
    """
    own, moved, centre, groups = [], [], [], []
    for loaded, one in pairs:
        own.append(areas_of(loaded, one, one.map_hw))
        moved.append(areas_of(loaded, one, aside(one.map_hw)))
        centre.append(areas_of(loaded, one, centre_prior(*one.map_hw.shape)))
        groups.append(one.asked.group)
    return removed(own, moved, groups, centre)
