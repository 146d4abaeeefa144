"""Masks drawn over images as outlines, each class in its colour.

An outline runs around its flaw, not over it, so that the flaw itself stays to be seen, be it one pixel thin; it has a
dark rim, so that it shows on light and on dark steel. Shapes: k classes, h x w pixels.
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
RIM = (0, 0, 0)
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


def outlined(image: Image.Image, mask_khw: BoolArray, *, closed: bool = True) -> Image.Image:
    """The outlines of masks of any size on an 8-bit picture of any size (see `viewable`).

    `closed`: where a flaw reaches the border of the picture its line runs along it, over the flaw; else it ends there.

    >>> outlined(Image.new("L", (8, 8)), np.ones((1, 16, 16), dtype=bool)).getpixel((0, 0))
    (255, 122, 26)
    """
    drawn = np.array(image.convert("RGB"))
    rims, lines = [], []
    for mask_hw, colour in zip(mask_khw, colours(len(mask_khw)), strict=True):
        if mask_hw.any():
            small_hw = laid(mask_hw, image.height, image.width)
            line_hw = _around(small_hw, LINE, closed=closed)
            rims.append(_around(small_hw | line_hw, 1, closed=closed))
            lines.append((line_hw, colour))
    for rim_hw in rims:
        drawn[rim_hw] = RIM
    for line_hw, colour in lines:  # after all rims, so that no flaw hides another's outline
        drawn[line_hw] = colour
    return Image.fromarray(drawn)


def viewable_outlined(source: Image.Image | str | Path, masks: Masks) -> Image.Image:
    """A picture at a size that can be looked at, with its flaws outlined.

    Raises:
        ImageError: it can no longer be read.

    >>> viewable_outlined(Image.new("L", (800, 100)), Masks(100, 800, ("1 5",))).size
    (800, 100)
    """
    small = viewable(source if isinstance(source, Image.Image) else open_image(source), LONGER).convert("RGB")
    factor = max(1, round(SHORTEST / max(small.size)))
    if factor > 1:
        small = small.resize((small.width * factor, small.height * factor), Image.Resampling.BICUBIC)
    return outlined(small, mask_array(masks), closed=False)


def laid(mask_hw: BoolArray, height: int, width: int) -> BoolArray:
    """A mask on a picture of another size: a pixel is set where any of those that it shows is; so nothing is lost.

    >>> laid(np.array([[1, 0, 0, 0]], dtype=bool), 1, 2).tolist()
    [[True, False]]
    """
    for axis, size in ((0, height), (1, width)):
        had = mask_hw.shape[axis]
        if size < had:
            mask_hw = np.logical_or.reduceat(mask_hw, np.arange(size) * had // size, axis=axis)
        elif size > had:
            mask_hw = np.take(mask_hw, np.arange(size) * had // size, axis=axis)
    return mask_hw


def _around(mask_hw: BoolArray, pixels: int, *, closed: bool) -> BoolArray:
    """What lies so many pixels around; `closed`: along the picture's border, where there is nothing around, within."""
    from scipy import ndimage

    grown: BoolArray = ndimage.binary_dilation(mask_hw, np.ones((3, 3)), iterations=pixels)
    if not closed:
        return np.asarray(grown & ~mask_hw)
    inner = np.ones_like(mask_hw)
    inner[:pixels] = inner[-pixels:] = inner[:, :pixels] = inner[:, -pixels:] = False
    return np.asarray(grown & ~(mask_hw & inner))
