"""docs/costs.md says what its script draws."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script(docs_script: Callable[[str], ModuleType]) -> ModuleType:
    return docs_script("make_costs_picture")


def test_the_words_and_the_picture_are_those_of_the_script(script: ModuleType) -> None:
    assert f"\n> {script.band().words[0]}\n" in (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")
    with Image.open(script.TARGET) as stored, Image.open(io.BytesIO(script.drawn())) as made:
        first, second = (np.asarray(each.convert("L"), dtype=float) for each in (stored, made))
    assert first.shape == second.shape
    assert np.abs(first - second).mean() < 2, "run: python docs/make_costs_picture.py"
