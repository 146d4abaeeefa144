"""From candidates to measured pairs, and what was done to one picture to make the other.

Letters: n images, h and w rows and columns, q pairs, m candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from flawscope.data.court.align import Alignment, Common, aligned, laid_on
from flawscope.data.court.pictures import SIDE, TURNS, Float, Grey, turned
from flawscope.data.court.search import Candidates, View
from flawscope.data.progress import on_all_cores
from flawscope.machine import cores
from flawscope.records import Pair, PairKind, Samples

GATE = 0.4
"""Similarity of the descriptors below which no pair is looked at closer."""

SAME_PICTURE = 0.8
LIKE = 0.15
"""One photograph: a measure from here on, and what brightness and contrast leave unexplained is at most this share."""

CODING = 2.7
"""Grey values: differences that JPEG and its like leave; larger ones are not put down to them."""

STAYS_WITHIN = 0.015
"""Moves below this share of the side are not called a shift."""

GAIN, OFFSET = 0.06, 8.0
"""Differences of contrast (share) and brightness (grey values) that are not called another exposure."""


@dataclass(frozen=True)
class Suspect:
    """A pair to be measured: picture b, turned and seen through a window, may be picture a."""

    a: int
    b: int
    view: View = field(hash=False, compare=False)


def suspects_of(candidates: Candidates, most: int | None = None) -> list[Suspect]:
    """Each candidate pair once, from the side that saw it better, a before b; of each image the `most` likely ones."""
    best: dict[tuple[int, int], tuple[float, int, int]] = {}
    likely_nm = (candidates.other_nm >= 0) & (candidates.score_nm >= GATE)
    if most is not None:
        likely_nm[:, most:] = False
    for i, j in zip(*(place.tolist() for place in np.nonzero(likely_nm)), strict=True):
        other, score = int(candidates.other_nm[i, j]), float(candidates.score_nm[i, j])
        key = (min(i, other), max(i, other))
        if key not in best or score > best[key][0]:
            best[key] = (score, i, int(candidates.view_nm[i, j]))
    suspects = []
    for (a, b), (_, seen_from, number) in sorted(best.items()):
        view = candidates.views[number]
        suspects.append(Suspect(a, b, view if seen_from == b else backwards(view)))
    return suspects


def measured(
    grey_nhw: Grey, suspects: Sequence[Suspect], common: Common, text: str = "comparing pairs"
) -> Iterator[Alignment]:
    """The alignment of each suspect, in order, on all cores."""
    cv2.setNumThreads(1)  # one picture a core

    def measure(suspect: Suspect) -> Alignment:
        b = turned(grey_nhw[suspect.b], suspect.view.turn)
        return aligned(grey_nhw[suspect.a], b, common, suspect.view.map, suspect.view.turn)

    return on_all_cores(measure, suspects, text, most=cores())


def pair_of(samples: Samples, grey_nhw: Grey, suspect: Suspect, found: Alignment, needed: float) -> Pair:
    """What is reported of a pair."""
    b_hw = turned(grey_nhw[suspect.b], suspect.view.turn)
    kind = kind_of(grey_nhw[suspect.a], b_hw, suspect.view.turn, found)
    down, right = found.moved
    a, b = samples.rows[suspect.a].id, samples.rows[suspect.b].id
    turn = TURNS[suspect.view.turn]
    return Pair(a, b, kind, round(found.measure, 4), turn, (round(down, 3), round(right, 3)), round(needed, 4))


def kind_of(a_hw: Grey, b_hw: Grey, turn: int, found: Alignment) -> PairKind:
    """The plainest explanation of a pair: what was done to b, which is turned already, to make a.

    Where none will do, the two show things that are only much alike: sisters.
    """
    laid, inside = laid_on(b_hw.astype(np.float32), found.map)
    a, b = a_hw.astype(np.float64)[inside], laid.astype(np.float64)[inside]
    gain, offset = np.polyfit(b, a, 1) if b.std() > 1 else (1.0, 0.0)
    left = float((a - gain * b - offset).std())
    if found.measure < SAME_PICTURE or left > LIKE * max(float(a.std()), 1.0):
        return "sister"
    if turn:
        return "mirrored" if turn % 2 else "turned"
    if found.distortion > STAYS_WITHIN:
        return "shifted"
    if abs(gain - 1) > GAIN or abs(float(b.mean() - a.mean())) > OFFSET:
        return "exposure"
    return "re-encoded" if left <= CODING else "sister"


def backwards(view: View) -> View:
    """The view from the other side: if b through `view` shows a, then a through the result shows b."""
    turn_33 = _turn_map(view.turn)
    window_33 = np.vstack([view.map, [0, 0, 1]])
    back_33 = turn_33 @ np.linalg.inv(window_33) @ np.linalg.inv(turn_33)
    turn = view.turn if view.turn % 2 else (8 - view.turn) % 8
    return View(turn, back_33[:2].astype(np.float32))


def _turn_map(turn: int) -> Float:
    """Pixels (x, y, 1) of a turned picture to pixels of the picture, 3 x 3."""
    place = turned(np.arange(SIDE * SIDE).reshape(SIDE, SIDE), turn)

    def at(row: int, column: int) -> Float:
        return np.array(divmod(int(place[row, column]), SIDE)[::-1], dtype=np.float32)

    origin = at(0, 0)
    return np.vstack([np.column_stack([at(0, 1) - origin, at(1, 0) - origin, origin]), [0, 0, 1]]).astype(np.float32)
