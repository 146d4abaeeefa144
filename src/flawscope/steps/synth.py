"""`flawscope synth`: synthetic parts with known truth."""

from __future__ import annotations

from pathlib import Path

from flawscope.data.synthetic import synth_coil
from flawscope.errors import OutputError, UserError, choices

KINDS = {"coil": synth_coil}


def synth(
    kind: str,
    folder: str | Path,
    n: int = 200,
    seed: int = 0,
    difficulty: str = "easy",
    *,
    overwrite: bool = False,
) -> Path:
    """Write `n` synthetic images of a kind of part into class folders, with their truth as a table.

    Easy ones are for a first try. Hard ones vary as on a real line, and their flaws are small.

    Raises:
        UserError: an unknown kind or difficulty, or fewer than 2 images.
        OutputError: the folder exists and `overwrite` is off, or cannot be written.
    """
    if kind not in KINDS:
        raise UserError(f"there is no generator {kind!r}", choices(kind, KINDS))
    if n < 2:
        raise UserError(f"expected at least 2 images, got {n}", "one of each class is the least")
    target = Path(folder)
    if target.is_dir() and any(target.iterdir()) and not (target / "truth.csv").is_file():
        raise OutputError(f"{target} holds no synthetic images, it will not be replaced", "choose another name")
    return KINDS[kind](Path(folder), n, seed, difficulty=difficulty, overwrite=overwrite)
