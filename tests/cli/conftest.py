from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flawscope.cli.app import main


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Answer]:
    """`cli("show", path)`: as typed in an empty folder. Exceptions come through: they would be tracebacks."""

    def call(*words: Any) -> Answer:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["flawscope", *map(str, words)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture
def data(tmp_path: Path, draw: Callable[..., Path]) -> Path:
    """Twelve pictures of each of two classes."""
    for seed in range(24):
        draw(tmp_path / "data" / ("nok" if seed % 2 else "ok") / f"{seed}.png", seed, [1] if seed % 2 else ())
    return tmp_path / "data"
