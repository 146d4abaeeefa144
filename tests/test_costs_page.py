"""docs/costs.md says what its script draws."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_costs_picture", ROOT / "docs" / "make_costs_picture.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_words_and_the_picture_are_those_of_the_script(script: ModuleType) -> None:
    assert f"\n> {script.band().words[0]}\n" in (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")
    with Image.open(script.TARGET) as stored, Image.open(io.BytesIO(script.drawn())) as made:
        first, second = (np.asarray(each.convert("L"), dtype=float) for each in (stored, made))
    assert first.shape == second.shape
    assert np.abs(first - second).mean() < 2, "run: python docs/make_costs_picture.py"
