"""Which pictures to learn from: where one thing was photographed many times, it would drown the others.

What all pictures have in common, and how alike different things are, is learnt from a sample. If it held thirty shots
of each of six parts, the parts themselves would be the leading components and be taken out as common, and the pairs
taken for different would be twins. So of pictures that plainly show the same only a few take part.

Letters: n images, s of them in the sample, p pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flawscope.data.court.pictures import TURNS, Float, Grey, Ints, even, turned

SAMPLE = 5000
FEW = 5
"""So many pictures that plainly show the same take part."""

PLAINLY = 0.95
"""Correlation of two pictures, the set's mean taken out, from which on they plainly show the same."""

ROWS = 1024


@dataclass(frozen=True)
class Fair:
    """Places of the pictures to learn from, in random order; `stands_for` so many of the set does each stand."""

    places_s: Ints
    stands_for: float


def fair_sample(grey_nhw: Grey, seed: int = 0) -> Fair:
    """Of pictures that plainly show the same a few, of the others all.

    At most `SAMPLE` pictures are looked at, in all eight turns.
    """
    looked_at = np.random.default_rng(seed).permutation(len(grey_nhw))[:SAMPLE]
    mean_p = even(grey_nhw[looked_at]).mean(axis=0)

    def unit(grey_shw: Grey) -> Float:
        own_sp = even(grey_shw) - mean_p
        return np.asarray(own_sp / np.maximum(np.linalg.norm(own_sp, axis=1, keepdims=True), 1e-6))

    plain_ps = unit(grey_nhw[looked_at]).T
    same_ss = np.zeros((len(looked_at), len(looked_at)), dtype=np.bool_)
    for start in range(0, len(looked_at), ROWS):
        rows = slice(start, start + ROWS)
        for turn in range(len(TURNS)):
            same_ss[rows] |= unit(turned(grey_nhw[looked_at[rows]], turn)) @ plain_ps >= PLAINLY
    same_ss |= same_ss.T
    chosen = np.zeros(len(looked_at), dtype=np.bool_)
    for place, same_s in enumerate(same_ss):
        chosen[place] = np.count_nonzero(same_s & chosen) < FEW
    return Fair(looked_at[chosen], len(grey_nhw) / max(1, len(looked_at)))
