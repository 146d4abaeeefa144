"""Contact sheets of pairs, for a person to judge. They show pictures of others: they stay on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from exam import as_array
from hashing import EIGHT

SIDE = 190
COLUMNS, ROWS = 4, 6
A_SHEET = COLUMNS * ROWS


def write_sheets(folder: Path, name: str, pairs: Sequence[tuple[Path, Path, str]]) -> list[Path]:
    """Two files and a caption each, 24 pairs a sheet, numbered from 0; the second turned to be most like the first."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = 2 * SIDE + 12, SIDE + 24
    written = []
    for start in range(0, len(pairs), A_SHEET):
        shown = pairs[start : start + A_SHEET]
        sheet = Image.new("L", (COLUMNS * width, -(-len(shown) // COLUMNS) * height), 255)
        draw = ImageDraw.Draw(sheet)
        for place, (a, b, caption) in enumerate(shown):
            left, top = place % COLUMNS * width, place // COLUMNS * height
            draw.text((left + 4, top + 5), f"{start + place}: {caption}"[:64], fill=0)
            first = _opened(a)
            for number, picture in enumerate((first, _most_alike(first, _opened(b)))):
                sheet.paste(_fitted(picture), (left + 4 + number * (SIDE + 2), top + 20))
        path = folder / f"{name}-{start // A_SHEET:02d}.png"
        sheet.save(path)
        written.append(path)
    return written


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("L")


def _fitted(picture: Image.Image) -> Image.Image:
    """At one size and one contrast: the exposure is not what is judged."""
    return ImageOps.autocontrast(ImageOps.contain(picture, (SIDE, SIDE)), cutoff=1)


def _most_alike(a: Image.Image, b: Image.Image) -> Image.Image:
    """The one of the eight turns of b that correlates best with a."""
    views = [b if turn is None else b.transpose(turn) for turn in EIGHT]
    return max(views, key=lambda view: _likeness(a, view))


def _likeness(a: Image.Image, b: Image.Image) -> float:
    first, second = (as_array(each.resize((48, 48), Image.Resampling.BOX)).reshape(-1) for each in (a, b))
    first, second = first - first.mean(), second - second.mean()
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second) + 1e-6))
