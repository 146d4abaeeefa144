"""Masks drawn over images as outlines: each class has its colour, and the flaw itself stays to be seen.

Letters: k classes, h x w pixels of the image as it is shown.
"""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
from PIL import Image

from flawscope.masks import mask_array
from flawscope.preprocess import open_image, viewable
from flawscope.records import BoolArray, Masks

Colour = tuple[int, int, int]
NAMED: tuple[Colour, ...] = (
    (255, 122, 26),
    (86, 180, 233),
    (240, 228, 66),
    (47, 196, 141),
    (227, 139, 192),
    (179, 157, 219),
)
"""After Okabe and Ito, brighter: seen on dark and on bright pictures, and told apart with any colour vision."""
HALO = (0, 0, 0)
LONGER, SHORTEST = 880, 400
"""Larger pictures are made smaller than this, smaller ones are enlarged by a whole factor to about that much."""
LINE = 2
"""Pixels that a line is thick."""


def colours(k: int) -> tuple[Colour, ...]:
    """A colour for each class, always the same ones; beyond those with a name they go round the circle of hues.

    >>> colours(2)
    ((255, 122, 26), (86, 180, 233))
    """
    more = (colorsys.hsv_to_rgb(0.618 * n % 1, 0.55 + 0.4 * (n % 2), 1.0) for n in range(max(0, k - len(NAMED))))
    return (*NAMED[:k], *((round(255 * r), round(255 * g), round(255 * b)) for r, g, b in more))


def colour_of(k: int) -> str:
    """The colour of the k-th class, as a page has it.

    >>> colour_of(0)
    '#ff7a1a'
    """
    return "#{:02x}{:02x}{:02x}".format(*colours(k + 1)[k])


def outlined(source: Image.Image | str | Path, masks: Masks) -> Image.Image:
    """A picture made viewable, with a line around each flaw, just outside of it.

    Raises:
        ImageError: it can no longer be read.

    >>> outlined(Image.new("L", (800, 100)), Masks(100, 800, ("1 5",))).size
    (800, 100)
    """
    image = source if isinstance(source, Image.Image) else open_image(source)
    small = viewable(image, LONGER).convert("RGB")
    factor = max(1, round(SHORTEST / max(small.size)))
    size = (small.width * factor, small.height * factor)
    pixels = np.asarray(small.resize(size, Image.Resampling.BICUBIC) if factor > 1 else small).copy()
    shown_khw = [shrunk(mask_hw, size) for mask_hw in mask_array(masks)]
    lines = [_around(mask_hw, LINE) for mask_hw in shown_khw]
    for mask_hw in shown_khw:  # first what lies below the lines of all classes
        pixels[_around(mask_hw, LINE + 1)] = HALO
    for k, line_hw in enumerate(lines):
        pixels[line_hw] = colours(k + 1)[k]
    return Image.fromarray(pixels)


def shrunk(mask_hw: BoolArray, size: tuple[int, int]) -> BoolArray:
    """A mask of another size, width and height: set where any pixel that lies there is, so that no flaw gets lost."""
    width, height = size
    if (height, width) == mask_hw.shape or not mask_hw.any():
        return mask_hw if mask_hw.any() else np.zeros((height, width), dtype=np.bool_)
    y_n, x_n = np.nonzero(mask_hw)
    down, across = height / mask_hw.shape[0], width / mask_hw.shape[1]
    if down > 1:
        image = Image.fromarray(mask_hw.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
        return np.asarray(image).astype(np.bool_)
    made_hw = np.zeros((height, width), dtype=np.bool_)
    made_hw[np.minimum((y_n * down).astype(int), height - 1), np.minimum((x_n * across).astype(int), width - 1)] = True
    return made_hw


def _around(mask_hw: BoolArray, pixels: int) -> BoolArray:
    """The pixels that lie at most so many beside a mask, in rows, columns or diagonals."""
    height, width = mask_hw.shape
    near_hw = np.pad(mask_hw, pixels)
    for axis in (0, 1):
        shifted = [np.roll(near_hw, step, axis) for step in range(-pixels, pixels + 1)]
        near_hw = np.logical_or.reduce(shifted)
    inside = near_hw[pixels : pixels + height, pixels : pixels + width]
    return np.asarray(inside & ~mask_hw)
