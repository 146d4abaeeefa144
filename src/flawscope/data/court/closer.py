"""A closer look, where small pictures do not tell.

Castings all look alike: what would tell small pictures of different ones apart for certain is more than other pictures
of the same one reach. Pairs from `DOUBTFUL` up to that are doubtful. They are read again from their files, larger, laid
on each other anew, and compared in their fine detail. What different pictures reach there is read for every image, as
in `threshold.py`, from the different pairs of the images that resemble it: from the upper half of them by the measure
of the small pictures, for such are the doubtful ones.

Of one casting there may be a hundred pictures: then twins are among the pairs taken for different. Twins stand at the
top. So the middle and the lower half of the fine measures tell what different pictures reach, in Fisher's z, where the
correlation of two pictures that have nothing to do with each other is normal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from statistics import NormalDist

import cv2
import numpy as np

from flawscope.data.court import pictures
from flawscope.data.court.align import (
    LEAST_SHOWN,
    Alignment,
    Mask,
    compared,
    correlation,
    refined,
    usable_on,
)
from flawscope.data.court.different import Different
from flawscope.data.court.margins import margin
from flawscope.data.court.measure import Suspect
from flawscope.data.court.pictures import Float, Ints, small_picture, turned
from flawscope.data.court.threshold import DOUBTFUL
from flawscope.data.progress import on_all_cores
from flawscope.records import Samples

SIDE = 192
SOFT, REACH = 0.7, 3.0
"""Fine detail, in pixels of the larger picture: noise of single pixels and all that small pictures show is left out."""

ITERATIONS = 30
FALSE_OF_DOUBTFUL = 0.002
"""Share of the doubtful pairs of different things that may be taken for the same thing. Where everything looks alike
there is about one such pair for an image: that makes 0.002 an image, as elsewhere."""

FEWEST_OF_A_SORT = 50
"""An image with fewer different pairs of its sort asks all of the set."""

HIGHEST = 0.95
"""Many twins among the pairs taken for different would drive the threshold up, but not above this: then more pairs of
different things are expected to pass, and are counted."""

KEPT = 4000


@dataclass
class Closer:
    """Looks closely at pairs of a set; each pair once.

    `known` holds their fine measures, `threshold` what images ask for, `chance` how often different pictures reach it,
    `different_q` the fine measure of pairs known to be different, by their places.
    """

    samples: Samples
    different: Different
    known: dict[Suspect, float] = field(default_factory=dict)
    threshold: dict[int, float] = field(default_factory=dict)
    chance: dict[int, float] = field(default_factory=dict)
    different_q: dict[int, float] = field(default_factory=dict)

    @property
    def expected_false_pairs(self) -> float:
        """How many of the doubtful pairs may be taken for the same thing by chance, told from those that are not."""
        return math.fsum(
            min(self.chance[pair.a], self.chance[pair.b])
            for pair, measure in self.known.items()
            if measure < self.needed(pair)
        )

    def needed(self, pair: Suspect) -> float:
        """What the fine detail of a pair that was looked at must reach."""
        return max(self.threshold[pair.a], self.threshold[pair.b])

    def look(self, pairs: Sequence[Suspect], found: Sequence[Alignment]) -> list[tuple[Alignment, float]]:
        """The same alignments with the correlation of the fine detail for their measure, and what it must reach.

        Raises:
            ImageError: a file cannot be read any more.
        """
        new = {pair: place for pair, place in zip(pairs, found, strict=True) if pair not in self.known}
        self._learn({image for pair in new for image in (pair.a, pair.b)})
        measures = self._measures(list(new), list(new.values()), "looking closely")
        self.known.update(zip(new, measures, strict=True))
        return [
            (replace(place, measure=self.known[pair]), self.needed(pair))
            for pair, place in zip(pairs, found, strict=True)
        ]

    def facts(self) -> dict[str, float]:
        """How many pairs were looked at, and what nine in ten of them had to reach, as plain data."""
        if not self.known:
            return {}
        low, middle, high = np.quantile([self.needed(pair) for pair in self.known], (0.05, 0.5, 0.95)).round(4).tolist()
        return {
            "looked_at_closely": len(self.known),
            "closely_needed": middle,
            "closely_needed_low": low,
            "closely_needed_high": high,
        }

    def _learn(self, images: set[int]) -> None:
        """What these images ask for."""
        of = {image: self._upper_half(image) for image in sorted(images - self.threshold.keys())}
        new = sorted({int(q) for place_q in of.values() for q in place_q} - self.different_q.keys())
        pairs, found = [self.different.pairs[q] for q in new], [self.different.found[q] for q in new]
        self.different_q.update(zip(new, self._measures(pairs, found, "what is different, closely"), strict=True))
        for image, place_q in of.items():
            reached = reached_by_chance(np.array([self.different_q[int(q)] for q in place_q]))
            asked = math.tanh(reached.inv_cdf(1 - FALSE_OF_DOUBTFUL))
            self.threshold[image] = min(max(DOUBTFUL, asked), HIGHEST)
            self.chance[image] = 1 - reached.cdf(math.atanh(self.threshold[image]))

    def _upper_half(self, image: int) -> Ints:
        place_q = self.different.places_of(image)
        if len(place_q) < FEWEST_OF_A_SORT:  # nearly all that resemble it are of its own group
            place_q = np.arange(len(self.different.pairs))
        measure_q = self.different.measure_q[place_q]
        return place_q[measure_q >= np.median(measure_q)]

    @cached_property
    def _larger(self) -> Callable[[int], pictures.Grey]:
        """The larger picture of an image; the last `KEPT` are not read again."""
        return lru_cache(KEPT)(lambda index: small_picture(self.samples.rows[index].path, SIDE))

    def _measures(self, pairs: Sequence[Suspect], found: Sequence[Alignment], text: str) -> list[float]:
        cv2.setNumThreads(1)  # one pair a core
        larger = self._larger

        def measure(case: tuple[Suspect, Alignment]) -> float:
            pair, place = case
            a, b = larger(pair.a), turned(larger(pair.b), pair.view.turn)
            return fine_measure(a, b, enlarged(place.map))

        return list(on_all_cores(measure, list(zip(pairs, found, strict=True)), text))


def reached_by_chance(measure_q: Float) -> NormalDist:
    """What different pictures reach, in Fisher's z, read from the middle and the lower half of their measures.

    >>> few_twins = np.append(np.tanh(np.linspace(0.4, 0.8, 100)), [0.99] * 5)
    >>> 0.7 < math.tanh(reached_by_chance(few_twins).inv_cdf(0.995)) < 0.8
    True
    """
    z_q = np.arctanh(np.clip(measure_q, -0.9999, 0.9999))
    lower, middle = np.quantile(z_q, (NormalDist().cdf(-1), 0.5)).tolist()
    return NormalDist(middle, max(middle - lower, 1e-3))


def fine_measure(a_hw: pictures.Grey, b_hw: pictures.Grey, start: Float) -> float:
    """Correlation of the fine detail of two pictures, b laid on a from where `start` puts it."""
    a, b = softened(a_hw), softened(b_hw)
    places = (start, refined(a, b, start, ITERATIONS, 1e-4))
    margins = margin(a), margin(b)
    return max(_correlation(a, b, place, margins) for place in places if place is not None)


def softened(grey_hw: pictures.Grey) -> Float:
    """Without what only single pixels show."""
    return np.asarray(cv2.GaussianBlur(grey_hw.astype(np.float32), (0, 0), SOFT), np.float32)


def _correlation(a: Float, b: Float, place: Float, margins: tuple[Mask, Mask]) -> float:
    laid, usable = usable_on(a, b, place)[:2]
    if usable.mean() < LEAST_SHOWN:
        return 0.0
    usable, detail_a, detail_b = compared(a, laid, usable, margins, place, reach=REACH)
    return correlation(detail_a[usable], detail_b[usable])


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
