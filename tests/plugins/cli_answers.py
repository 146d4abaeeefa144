"""What an answer of the command line must be like."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(answer: Any, *words: str) -> None:
    """Exit code 2; the message says all of these words, and what to do."""
    assert answer.code == 2, answer
    assert answer.err.startswith("error: ")
    assert "\n  -> " in answer.err or "problem" in answer.err, f"no remedy: {answer.err}"
    for word in words:
        assert word in answer.err
