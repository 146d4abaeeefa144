"""From which measure on are two pictures the same thing? From the measures of pictures that are known to be different.

Known to be different: for some hundred images, others that look similar, but not most similar. The very nearest, where
twins are, are left out; what comes next, the following 5 % of the set, are the pictures that a wrong pair would be made
with. How alike different pictures are depends on what they show: plain cells all look the same, grainy ones do not. So
every image has a threshold of its own, from the different pairs of the images that resemble it (in speaker recognition
this is cohort normalisation), and a pair must exceed those of both its images.

A few twins may still be among the different pairs and stand at the top. So the upper tail is read between the 85th and
the 98th percentile only, in Fisher's z = artanh r, where the tail of a correlation falls off at least exponentially,
and carried on as an exponential (peaks over a threshold, Coles 2001, with shape 0) down to the probability at which an
image meets no more false twins than are allowed. Where an image has so many twins that they reach below the 98th
percentile, this errs towards too high a threshold.

Where everything looks alike, as castings do, the tail asks for more than other pictures of the same thing reach. Where
it asks for more than `HIGHEST`, small pictures do not tell: what reaches `DOUBTFUL` is looked at more closely
(`flawscope.data.court.closer`).

Letters: q pairs, n images.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.floating]
FALSE_PAIRS_PER_IMAGE = 0.002
LOWEST, HIGHEST, CERTAIN = 0.45, 0.85, 0.99
"""Below the first no pair is one of the same thing; where the tail asks for more than the second it may be doubtful;
from the third on it is not."""

DOUBTFUL = 0.7

FEWEST = 200
"""Different pairs below which a tail cannot be read; then the threshold is `UNREAD`."""

UNREAD = 0.75
NEAREST = 20
"""So many of the most similar others may be twins."""

SIMILAR = 0.05
FEWEST_SIMILAR = 30
"""The share of the set that comes next, and at least so many: known to be different."""

TAIL = (0.85, 0.98)
BINS = np.linspace(-0.5, 1.0, 61)


def similar(images: int) -> int:
    """How many others of an image are similar to it and known to be different."""
    return max(0, min(images - NEAREST - 1, max(FEWEST_SIMILAR, round(SIMILAR * images))))


def tail_threshold(measure_q: Values, images: int, rate: float = FALSE_PAIRS_PER_IMAGE) -> float:
    """The measure at which an image of a set of so many is expected to have `rate` false pairs.

    >>> tail_threshold(np.full(10, 0.1), images=12)  # too few
    0.75
    """
    if len(measure_q) < FEWEST:
        return UNREAD
    return min(max(LOWEST, exceeded(measure_q, rate / max(1, similar(images)))), CERTAIN)


def reaching(certain: float) -> float:
    """What a pair must reach to be the same thing, or, where that is asking too much, to be looked at more closely.

    >>> reaching(0.62), reaching(0.97)
    (0.62, 0.7)
    """
    return certain if certain <= HIGHEST else DOUBTFUL


def exceeded(measure_q: Values, probability: float) -> float:
    """The measure that a pair of this sort exceeds with this probability, read off the tail and beyond it.

    >>> rare, rarer = (exceeded(np.linspace(0, 0.5, 100), p) for p in (0.01, 0.001))
    >>> rare < rarer < 1
    True
    """
    z_q = np.arctanh(np.clip(measure_q, -0.9999, 0.9999))
    low, high = np.quantile(z_q, TAIL)
    scale = max(float(high - low), 1e-3) / math.log((1 - TAIL[0]) / (1 - TAIL[1]))
    return math.tanh(low + scale * math.log((1 - TAIL[0]) / min(1 - TAIL[0], probability)))


def histogram(measure_q: Values) -> dict[str, list[float] | list[int]]:
    """Counts over fixed bins of the measure."""
    counts, edges = np.histogram(np.clip(measure_q, BINS[0], BINS[-1]), bins=BINS)
    return {"edges": [round(float(edge), 4) for edge in edges], "counts": [int(count) for count in counts]}
