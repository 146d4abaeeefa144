"""Small pictures made of soft random grain: each seed gives another one, and none resembles another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from flawscope.data.court.pictures import SIDE, Grey
from flawscope.records import Sample, Samples, Task

Texture = Callable[..., Grey]
SamplesOf = Callable[..., Samples]


def grain(seed: int, side: int = SIDE) -> Grey:
    values = gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), 2.0, mode="wrap")
    return np.clip(128 + 40 * values / values.std(), 0, 249).astype(np.uint8)


@pytest.fixture(name="texture", scope="session")
def texture_fixture() -> Texture:
    """`texture(seed, side=SIDE)`: a square grey picture."""
    return grain


@pytest.fixture(scope="session")
def samples_of() -> SamplesOf:
    """`samples_of(n, contents)`: samples of pictures that lie in memory; contents are all different unless given."""

    def make(n: int, contents: Sequence[str] | None = None) -> Samples:
        hashes = contents or [f"content {i}" for i in range(n)]
        rows = [Sample(f"{i:03d}.png", f"{i:03d}.png", (0.0,), f"{i:03d}.png", hashes[i]) for i in range(n)]
        return Samples("made", Task("binary", ("bad",)), tuple(rows))

    return make
