"""Pairs of pictures that are known to be different, looked at as the candidates are: what the thresholds rest on.

Letters: n images, q pairs, s images asked about, g images of the gallery, d descriptor values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from flawscope.data.court.align import Alignment, Common
from flawscope.data.court.measure import Suspect, measured
from flawscope.data.court.pictures import Float, Ints
from flawscope.data.court.search import Searcher
from flawscope.data.court.threshold import FEWEST, NEAREST, TAIL, similar

ASKED, PAIRS = 1000, 5000
"""At most so many images are asked about, and about so many pairs measured."""

FEWEST_EACH = 5
TWINS = 0.9
"""If more than the 2 % of the pairs that are passed over reach this, they are twins, and not different."""

SMALL_SET = 10 * NEAREST
"""With fewer things the most similar others, which are passed over, are too large a share to tell a rate."""

GALLERY = 5000
ALIKE = 80
"""A picture's threshold comes from the different pairs of so many asked-about images that resemble it most."""


@dataclass(frozen=True)
class Different:
    """Different pictures: the pairs, how they lie on each other, the `measure_q` of each.

    `things` is the number of pictures in the set, of those that plainly show the same only a few counted. `asked_q`
    says which of the images asked about a pair has, `alike_na` for every image of the set which of the images asked
    about resemble it most.
    """

    things: int
    pairs: tuple[Suspect, ...]
    found: tuple[Alignment, ...]
    asked_q: Ints
    alike_na: Ints

    @cached_property
    def measure_q(self) -> Float:
        """The measure of each pair."""
        return np.array([found.measure for found in self.found], np.float32)

    @cached_property
    def unread(self) -> str:
        """Why these pairs cannot tell what different things reach; nothing where they can."""
        if len(self.measure_q) < FEWEST:
            return "too few different images to read from them what is different: one cautious threshold"
        if np.quantile(self.measure_q, TAIL[1]) >= TWINS:
            return (
                "many pictures of few things, or things that all look alike: what is different cannot be read from "
                "them, one cautious threshold"
            )
        return ""

    @property
    def note(self) -> str:
        """What to say of the thresholds; nothing where they were read from enough pictures."""
        if not self.unread and self.things < SMALL_SET:
            return f"fewer than {SMALL_SET} different images: how many of the pairs are false cannot be said"
        return self.unread

    def places_of(self, image: int) -> Ints:
        """The places of the pairs that say how alike different pictures of this sort are."""
        return np.flatnonzero(np.isin(self.asked_q, self.alike_na[image]))

    def of(self, image: int) -> Float:
        """The measures of these pairs."""
        return self.measure_q[self.places_of(image)]


def known_different(searcher: Searcher, groups: Sequence[str], common: Common, seed: int = 0) -> Different:
    """For some images others that are similar, but not among the most similar, and of another group: measured.

    Each pair is looked at in the view in which the two are most alike. Without pairs where there are too few images.
    """
    fair_s = searcher.fair.places_s
    things = round(len(fair_s) * searcher.fair.stands_for)
    rng = np.random.default_rng(seed)
    asked_s, gallery_g = rng.permutation(fair_s)[:ASKED], np.sort(rng.permutation(fair_s)[:GALLERY])
    share = len(gallery_g) / things
    nearest, near = math.ceil(NEAREST * share), round(similar(things) * share)
    suspects: list[Suspect] = []
    asked: list[int] = []
    each = min(near, max(FEWEST_EACH, round(PAIRS / max(1, len(asked_s)))))
    if near >= FEWEST_EACH:
        score_sg, view_sg = _best_views(searcher, asked_s, gallery_g)
        for row, b in enumerate(asked_s.tolist()):
            order = [place for place in np.argsort(-score_sg[row], kind="stable") if gallery_g[place] != b]
            for place in rng.permutation(order[nearest : nearest + near])[:each].tolist():
                a = int(gallery_g[place])
                if groups[a] != groups[b]:
                    suspects.append(Suspect(a, b, searcher.views[int(view_sg[row, place])]))
                    asked.append(row)
    found = tuple(measured(searcher.grey_nhw, suspects, common, "what is different"))
    return Different(things, tuple(suspects), found, np.array(asked, np.int64), _alike(searcher, asked_s))


def _best_views(searcher: Searcher, asked_s: Ints, gallery_g: Ints) -> tuple[Float, npt.NDArray[np.int16]]:
    gallery_dg = searcher.vector_nd[gallery_g].T
    score_sg = np.full((len(asked_s), len(gallery_g)), -2.0, np.float32)
    view_sg = np.zeros(score_sg.shape, np.int16)
    for number, view in enumerate(searcher.views):
        seen_sg = searcher.describe.of(searcher.grey_nhw[asked_s], view) @ gallery_dg
        better = seen_sg > score_sg
        score_sg[better], view_sg[better] = seen_sg[better], number
    return score_sg, view_sg


def _alike(searcher: Searcher, asked_s: Ints) -> Ints:
    asked_ds = searcher.vector_nd[asked_s].T
    k = min(ALIKE, len(asked_s))
    blocks = []
    for start in range(0, len(searcher.vector_nd), 8192):
        score = searcher.vector_nd[start : start + 8192] @ asked_ds
        blocks.append(np.argpartition(-score, k - 1, axis=1)[:, :k])
    return np.concatenate(blocks)
