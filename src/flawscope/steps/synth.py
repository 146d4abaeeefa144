"""`flawscope synth`: synthetic parts with known truth."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from flawscope.data.steel_shapes import HEIGHT, WIDTH
from flawscope.data.synthetic import synth_coil, synth_steel
from flawscope.errors import OutputError, UserError, choices

KINDS = ("coil", "steel")


def synth(
    kind: str,
    folder: str | Path,
    n: int = 200,
    seed: int = 0,
    difficulty: str = "easy",
    *,
    size: str | None = None,
    image_format: str | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write `n` synthetic images of a kind of part, with their truth as a table.

    Coils stand in class folders, strips of steel beside a table of masks. Easy ones are for a first try. Hard ones vary
    as on a real line, and their flaws are small or hardly seen. `size` (1600x256) and `image_format` (png, jpg) are for
    steel. `say` is told in words which flaws no strip shows.

    Raises:
        UserError: an unknown kind, difficulty, size or format, or fewer than 2 images.
        OutputError: the folder exists and `overwrite` is off, or cannot be written.
    """
    if kind not in KINDS:
        raise UserError(f"there is no generator {kind!r}", choices(kind, KINDS))
    if n < 2:
        raise UserError(f"expected at least 2 images, got {n}", "one of each class is the least")
    target = Path(folder)
    if target.is_dir() and any(target.iterdir()) and not (target / "truth.csv").is_file():
        raise OutputError(f"{target} holds no synthetic images, it will not be replaced", "choose another name")
    if kind == "coil":
        for option, value in (("--size", size), ("--format", image_format)):
            if value is not None:
                raise UserError(f"{option} is for steel: coils are BMP of 800x520 pixels", f"leave {option} out")
        return synth_coil(target, n, seed, difficulty=difficulty, overwrite=overwrite)
    return synth_steel(
        target,
        n,
        seed,
        difficulty=difficulty,
        size=(WIDTH, HEIGHT) if size is None else _size(size),
        image_format=image_format or "png",
        overwrite=overwrite,
        say=say,
    )


def _size(words: str) -> tuple[int, int]:
    """Width and height of 1600x256."""
    found = re.fullmatch(r"([0-9]{1,6})\s*[xX]\s*([0-9]{1,6})", words.strip(), re.ASCII)
    if found is None:
        raise UserError(f"{words!r} is no size", "width and height in pixels: 1600x256")
    return int(found[1]), int(found[2])
