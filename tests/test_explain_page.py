"""docs/explain.md works out by hand what a network computes."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import ModuleType

import numpy as np
from PIL import Image
from scipy.signal import correlate2d


def test_the_page_computes_as_a_network_does(docs_script: Callable[[str], ModuleType]) -> None:
    script = docs_script("make_explain_pictures")
    rng = np.random.default_rng(0)
    patch, one = rng.normal(size=(6, 6)), rng.normal(size=(3, 3))
    made = script.convolved(patch, one)
    np.testing.assert_allclose(made, correlate2d(patch, one, mode="valid"))
    pooled = script.pooled(np.maximum(made, 0))
    assert pooled.shape == (2, 2) and pooled.max() == max(made.max(), 0)
    with Image.open(io.BytesIO(script.compact(script.by_hand(patch, one)))) as image:
        drawn = np.asarray(image.convert("L"))
    for edge in (drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]):
        assert edge.min() >= 250, "something is cut off"
