"""Scripts of `docs/`, and the pictures that they draw."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="session")
def docs_script() -> Callable[[str], ModuleType]:
    """`docs_script("make_results")`: a script of docs/ as a module."""

    def load(name: str) -> ModuleType:
        spec = spec_from_file_location(name, DOCS / f"{name}.py")
        assert spec and spec.loader
        module = sys.modules[name] = module_from_spec(spec)  # its dataclasses look themselves up
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def as_stored() -> Callable[[ModuleType], None]:
    """`as_stored(script)`: the picture in docs/ is the one that its script draws."""

    def check(script: ModuleType) -> None:
        with Image.open(script.TARGET) as stored, Image.open(io.BytesIO(script.drawn())) as made:
            first, second = (np.asarray(each.convert("L"), dtype=float) for each in (stored, made))
        assert first.shape == second.shape
        assert np.abs(first - second).mean() < 2, f"run: python docs/{script.__name__}.py"

    return check
