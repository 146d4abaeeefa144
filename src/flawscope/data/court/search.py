"""Which pairs are worth a closer look: nearest neighbours among whitened small pictures.

Every picture is put into the index once, as it is. It is looked up in all eight turns, and each of them also a little
moved and cropped. The descriptor is the picture at 32 x 32, the set's mean taken out, its principal components brought
to one variance (whitening, Jegou & Chum 2012): what all pictures share counts little, what is rare counts much.

Letters: n images, d descriptor values, v views, k neighbours, m candidates kept for an image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from flawscope.data.court.fair import Fair, fair_sample
from flawscope.data.court.pictures import ENOUGH, SIDE, STAYS, TURNS, Float, Grey, Ints, even, turned
from flawscope.data.progress import watched

MOST_DIMENSIONS = 128
FITTED_ON = 2000
RIDGE = 0.3
EXACT_UP_TO = 12_000
"""Images up to which every descriptor is compared with every other."""

KEPT_UP_TO = 12_000
"""Images up to which the descriptors of all views are kept in memory: 250 MB at most."""

NEIGHBOURS = 6
KEPT = 12
BLOCK = 16_384


@dataclass(frozen=True)
class View:
    """One way to look a picture up: turned, then seen through a 2 x 3 map (pixels of the view to pixels of it)."""

    turn: int
    map: Float


@dataclass(frozen=True)
class Candidates:
    """For each image its most similar others: index (-1: none), similarity, and the view that met them, n x m.

    Row i, column j says: picture `other[i, j]` is met when picture i is seen through `views[view[i, j]]`.
    """

    other_nm: Ints
    score_nm: Float
    view_nm: Ints
    views: tuple[View, ...]
    method: str


def windows(shift: float = 0.05, keep: float = 0.9) -> list[Float]:
    """As it is; moved in four directions; and cropped, the middle and the four corners kept."""
    step, rest = shift * SIDE, (1 - keep) * SIDE
    moved = [[[1, 0, right * step], [0, 1, down * step]] for down in (1, -1) for right in (1, -1)]
    places = ((0.5, 0.5), (0, 0), (0, 1), (1, 0), (1, 1))
    cropped = [[[keep, 0, right * rest], [0, keep, down * rest]] for down, right in places]
    return [STAYS, *(np.array(window, dtype=np.float32) for window in (*moved, *cropped))]


def all_views() -> tuple[View, ...]:
    """Every turn with every window, the plain turns first."""
    return tuple(View(turn, window) for window in windows() for turn in range(len(TURNS)))


@dataclass(frozen=True)
class Descriptor:
    """From pictures to unit vectors: mean (SMALL x SMALL), and the whitening (pixels x d)."""

    mean_p: Float
    whiten_pd: Float

    @classmethod
    def fit(cls, grey_nhw: Grey, seed: int = 0) -> Descriptor:
        """From at most `FITTED_ON` pictures, each in all turns, so that turning is nothing special."""
        some = np.random.default_rng(seed).permutation(len(grey_nhw))[:FITTED_ON]
        mean_p = even(grey_nhw[some]).mean(axis=0) * (len(some) >= ENOUGH)
        turns_np = np.concatenate([even(turned(grey_nhw[some], t)) - mean_p for t in range(len(TURNS))])
        covariance_pp = turns_np.T @ turns_np / len(turns_np)
        value, vector_pk = np.linalg.eigh(covariance_pp.astype(np.float64))
        d = max(1, min(MOST_DIMENSIONS, 4 * len(some)))
        value, vector_pk = value[::-1][:d].clip(0), vector_pk[:, ::-1][:, :d]
        scale = np.sqrt(value + RIDGE * value.mean() + 1e-12)
        return cls(mean_p, (vector_pk / scale).astype(np.float32))

    def of(self, grey_nhw: Grey, view: View | None = None) -> Float:
        """Unit vectors, n x d."""
        if view is not None:
            grey_nhw = turned(grey_nhw, view.turn)
            if view.map is not STAYS:
                grey_nhw = np.stack([seen(picture, view.map) for picture in grey_nhw])
        vector_nd = (even(grey_nhw) - self.mean_p) @ self.whiten_pd
        return np.asarray(vector_nd / np.maximum(np.linalg.norm(vector_nd, axis=1, keepdims=True), 1e-9))


def seen(grey_hw: Grey, window: Float) -> Grey:
    """A picture through a window; what lies outside repeats the border."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(grey_hw, window, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE))


@dataclass
class Searcher:
    """The descriptors of a set of pictures, as they are and through every view, for any number of searches."""

    grey_nhw: Grey
    fair: Fair
    describe: Descriptor
    vector_nd: Float
    views: tuple[View, ...]
    seen: dict[int, Float] = field(default_factory=dict)

    @classmethod
    def of(cls, grey_nhw: Grey) -> Searcher:
        """Describe the pictures."""
        fair = fair_sample(grey_nhw)
        describe = Descriptor.fit(grey_nhw[fair.places_s])
        vector_nd = np.concatenate([describe.of(block) for block in _blocks(grey_nhw)])
        return cls(grey_nhw, fair, describe, vector_nd, all_views())

    def through(self, asked: Ints, v: int) -> Float:
        """Descriptors of some pictures through one view; kept for the next search where memory allows."""
        if len(self.grey_nhw) > KEPT_UP_TO:
            return self.describe.of(self.grey_nhw[asked], self.views[v])
        if v not in self.seen:
            self.seen[v] = self.describe.of(self.grey_nhw, self.views[v]).astype(np.float16)
        return self.seen[v][asked].astype(np.float32)

    def find(self, *, exact: bool | None = None, side_n: Ints | None = None) -> Candidates:
        """The `KEPT` most similar others of every picture, over all views.

        Up to `EXACT_UP_TO` images by comparing all descriptors, beyond that through a graph of neighbours (HNSW,
        Malkov & Yashunin 2018, as faiss has it), whose time grows with n log n.

        With `side_n`, the number of the side on which each image stands, only images of other sides count; those below
        0 do not take part.
        """
        n = len(self.grey_nhw)
        exact = n <= EXACT_UP_TO if exact is None else exact
        found = Candidates(
            np.full((n, KEPT), -1, np.int64),
            np.full((n, KEPT), -2.0, np.float32),
            np.zeros((n, KEPT), np.int64),
            self.views,
            "exact" if exact else "approximate: HNSW graph",
        )
        jobs = []
        for asked, others in _sides(n, side_n):
            index = _index(self.vector_nd[others], exact)
            starts = range(0, len(asked), BLOCK)
            jobs += [(index, asked[at : at + BLOCK], others, v) for at in starts for v in range(len(self.views))]
        for index, asked, others, v in watched(jobs, len(jobs), "looking for twins"):
            score, place = index.search(self.through(asked, v), min(NEIGHBOURS + 1, len(others)))
            other = np.where(place < 0, -1, others[place])
            _merge(found, asked, np.where(other == asked[:, None], -1, other), score, v)
        return found


def _sides(n: int, side_n: Ints | None) -> list[tuple[Ints, Ints]]:
    """Who looks, and among whom."""
    if side_n is None:
        return [(np.arange(n), np.arange(n))]
    sides = [side for side in np.unique(side_n) if side >= 0]
    pairs = [(np.flatnonzero(side_n == side), np.flatnonzero((side_n != side) & (side_n >= 0))) for side in sides]
    return [(asked, others) for asked, others in pairs if len(others)]


def _blocks(grey_nhw: Grey) -> Iterator[Grey]:
    for start in range(0, len(grey_nhw), BLOCK):
        yield grey_nhw[start : start + BLOCK]


def _index(vector_nd: Float, exact: bool) -> Any:
    import faiss

    index: Any = faiss.IndexFlatIP(vector_nd.shape[1])
    if not exact:
        index = faiss.IndexHNSWFlat(vector_nd.shape[1], 24, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 80
        index.hnsw.efSearch = 48
    index.add(vector_nd)
    return index


def _merge(found: Candidates, asked: Ints, other_qk: Ints, score_qk: Float, v: int) -> None:
    """Put new neighbours of the images asked about among those kept, each once with its best view."""
    others = np.concatenate([found.other_nm[asked], other_qk], axis=1)
    scores = np.concatenate([found.score_nm[asked], np.where(other_qk < 0, -2.0, score_qk).astype(np.float32)], axis=1)
    views = np.concatenate([found.view_nm[asked], np.full_like(other_qk, v)], axis=1)
    best = np.argsort(-scores, axis=1, kind="stable")
    others, scores, views = (np.take_along_axis(each, best, axis=1) for each in (others, scores, views))
    alike = np.argsort(others, axis=1, kind="stable")
    run = np.take_along_axis(others, alike, axis=1)
    again = np.zeros_like(others, dtype=bool)
    np.put_along_axis(again, alike[:, 1:], run[:, 1:] == run[:, :-1], axis=1)
    scores = np.where(again | (others < 0), -2.0, scores)
    best = np.argsort(-scores, axis=1, kind="stable")[:, : found.other_nm.shape[1]]
    scores = np.take_along_axis(scores, best, 1)
    found.other_nm[asked] = np.where(scores > -2, np.take_along_axis(others, best, 1), -1)
    found.score_nm[asked] = scores
    found.view_nm[asked] = np.take_along_axis(views, best, 1)
