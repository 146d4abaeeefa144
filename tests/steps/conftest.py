from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Copy = Callable[[], tuple[Path, Path]]


@pytest.fixture
def copied(finished: Any, tmp_path: Path) -> Copy:
    """`copied()` -> a copy of the finished run and of its data, to be spoilt."""

    def copy() -> tuple[Path, Path]:
        run, data = tmp_path / "runs" / "copy", tmp_path / "data"
        shutil.copytree(finished.folder, run)
        shutil.copytree(finished.data, data)
        recipe = run / "recipe.yaml"
        recipe.write_text(recipe.read_text(encoding="utf-8").replace(str(finished.data), str(data)), encoding="utf-8")
        assert str(data) in recipe.read_text(encoding="utf-8")
        return run, data

    return copy
