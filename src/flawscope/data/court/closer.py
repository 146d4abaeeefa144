"""A closer look, where small pictures do not tell.

Castings all look alike: laid on each other, small pictures of different ones correlate by more than `HIGHEST`, and what
would tell them apart for certain is more than copies at another exposure reach. Pairs between the two are doubtful.
They are read again from their files, larger, laid on each other anew, and compared in their fine detail. What
different pictures reach there is read as before from pairs that are known to be different: from those of them that are
more alike than most in the small pictures, for such are the doubtful ones. The very most alike are left out here too:
twins may be among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import cv2
import numpy as np

from flawscope.data.court import pictures
from flawscope.data.court.align import LEAST_SHOWN, Alignment, correlation, detail, refined, usable_on
from flawscope.data.court.different import Different
from flawscope.data.court.measure import Suspect
from flawscope.data.court.pictures import Float, small_picture, turned
from flawscope.data.court.threshold import TAIL, exceeded
from flawscope.data.progress import on_all_cores
from flawscope.records import Samples

SIDE = 192
SOFT, REACH = 0.7, 3.0
"""Fine detail, in pixels of the larger picture: noise of single pixels and all that small pictures show is left out."""

ITERATIONS = 30
MOST = 1000
"""So many pairs known to be different are looked at closely too, at most."""

FALSE_OF_DOUBTFUL = 0.005
"""Share of the doubtful pairs of different things that may be taken for the same thing. Where everything looks alike
there is one such pair for two or three images: that makes 0.002 an image, as elsewhere."""

HIGHEST = 0.95
"""Twins among the pairs taken for different may drive the threshold up, but not above this: so it is on the whole of
casting, where a part has more than twenty pictures that resemble it."""

KEPT = 4000


@dataclass
class Closer:
    """Looks closely at pairs of a set; each pair once."""

    samples: Samples
    different: Different
    known: dict[Suspect, float] = field(default_factory=dict)

    @cached_property
    def needed(self) -> float:
        """What the fine detail of a doubtful pair must reach."""
        low, high = np.quantile(self.different.measure_q, TAIL)
        tail = np.flatnonzero((self.different.measure_q >= low) & (self.different.measure_q <= high))
        some = np.random.default_rng(0).permutation(tail)[:MOST].tolist()
        found = [self.different.found[q] for q in some]
        measure_q = self._measures([self.different.pairs[q] for q in some], found, "what is different, closely")
        return min(exceeded(np.array(measure_q), FALSE_OF_DOUBTFUL), HIGHEST)

    @property
    def expected_false_pairs(self) -> float:
        """How many of the doubtful pairs may be taken for the same thing by chance."""
        return FALSE_OF_DOUBTFUL * len(self.known)

    def look(self, pairs: Sequence[Suspect], found: Sequence[Alignment]) -> list[Alignment]:
        """The same alignments, each with the correlation of the fine detail for its measure."""
        new = {pair: place for pair, place in zip(pairs, found, strict=True) if pair not in self.known}
        measures = self._measures(list(new), list(new.values()), "looking closely")
        self.known.update(zip(new, measures, strict=True))
        return [replace(place, measure=self.known[pair]) for pair, place in zip(pairs, found, strict=True)]

    def _measures(self, pairs: Sequence[Suspect], found: Sequence[Alignment], text: str) -> list[float]:
        cv2.setNumThreads(1)  # one pair a core
        larger = lru_cache(KEPT)(lambda index: small_picture(self.samples.rows[index].path, SIDE))

        def measure(case: tuple[Suspect, Alignment]) -> float:
            pair, place = case
            return fine_measure(larger(pair.a), turned(larger(pair.b), pair.view.turn), enlarged(place.map))

        return list(on_all_cores(measure, list(zip(pairs, found, strict=True)), text))


def fine_measure(a_hw: pictures.Grey, b_hw: pictures.Grey, start: Float) -> float:
    """Correlation of the fine detail of two pictures, b laid on a from where `start` puts it."""
    a, b = softened(a_hw), softened(b_hw)
    places = (start, refined(a, b, start, ITERATIONS, 1e-4))
    return max(_correlation(a, b, place) for place in places if place is not None)


def softened(grey_hw: pictures.Grey) -> Float:
    """Without what only single pixels show."""
    return np.asarray(cv2.GaussianBlur(grey_hw.astype(np.float32), (0, 0), SOFT), np.float32)


def _correlation(a: Float, b: Float, place: Float) -> float:
    laid, usable = usable_on(a, b, place)[:2]
    if usable.mean() < LEAST_SHOWN:
        return 0.0
    return correlation(detail(a, REACH)[usable], detail(laid, REACH)[usable])


def enlarged(place: Float) -> Float:
    """The map between two small pictures as one between the larger ones.

    >>> enlarged(np.array([[1, 0, 2], [0, 1, 0]], np.float32)).tolist()
    [[1.0, 0.0, 6.0], [0.0, 1.0, 0.0]]
    """
    scale = SIDE / pictures.SIDE
    middle = (scale - 1) / 2
    grow_33 = np.array([[scale, 0, middle], [0, scale, middle], [0, 0, 1]])
    whole_33 = grow_33 @ np.vstack([place, [0, 0, 1]]) @ np.linalg.inv(grow_33)
    return np.asarray(whole_33[:2], np.float32)
