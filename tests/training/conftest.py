from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawscope.records import Sample, Samples, Task
from flawscope.storage import sha256_file

MakeSamples = Callable[..., Samples]


@pytest.fixture
def make_samples(tmp_path: Path) -> MakeSamples:
    """Grey pictures of 16 x 16 pixels: every second one is bright, and that is what is to be found."""

    def make(n: int, seed: int = 0) -> Samples:
        rng = np.random.default_rng(seed)
        rows = []
        for i in range(n):
            path = tmp_path / f"{i}.png"
            Image.fromarray(rng.integers(0, 100, (16, 16), dtype=np.uint8) + np.uint8(120 * (i % 2))).save(path)
            rows.append(Sample(f"{i}.png", str(path), (float(i % 2),), f"{i}.png", sha256_file(path)))
        return Samples("spots", Task("binary", ("bright",), "dark"), tuple(rows))

    return make
