"""A picture made small, with the outlines of masks drawn around what they hold.

The outlines lie just outside, so that the flaw itself can be seen, and are as thick on a small copy as on a large one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from flawscope.masks import mask_array
from flawscope.preprocess import viewable
from flawscope.records import BoolArray, Masks

COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#f0e442", "#0072b2")
"""Of the classes, in their order, and again from the beginning: Okabe and Ito's, light ones first."""
THICK = 2


def outlined(image: Image.Image, masks: Masks, side: int) -> Image.Image:
    """A copy of at most `side` pixels a side with the outlines of each class in its colour.

    >>> outlined(Image.new("L", (80, 40)), Masks(40, 80, ("1 5",)), 40).size
    (40, 20)
    """
    small = viewable(image, side).convert("RGB")
    pixel_hwc = np.array(small)
    for colour, mask_hw in zip(_colours(len(masks.codes)), mask_array(masks), strict=True):
        if mask_hw.any():
            pixel_hwc[_around(_shrunk(mask_hw, small.size))] = colour
    return Image.fromarray(pixel_hwc)


def colour_of(k: int) -> str:
    """The colour of a class.

    >>> colour_of(0), colour_of(7)
    ('#e69f00', '#e69f00')
    """
    return COLOURS[k % len(COLOURS)]


def _colours(k: int) -> Sequence[tuple[int, int, int]]:
    return [tuple(bytes.fromhex(colour_of(c)[1:])) for c in range(k)]  # type: ignore[misc]


def _shrunk(mask_hw: BoolArray, size: tuple[int, int]) -> BoolArray:
    """The mask on the copy: a pixel is set if a third of what it stands for is; of a tiny flaw one stays."""
    if mask_hw.shape == size[::-1]:
        return mask_hw
    grey = Image.fromarray(mask_hw.astype(np.uint8) * 255)
    share_hw = np.asarray(grey.resize(size, Image.Resampling.BOX))
    return np.asarray(share_hw >= min(85, max(1, int(share_hw.max()))))


def _around(mask_hw: BoolArray) -> BoolArray:
    """What lies around the mask, `THICK` pixels wide."""
    wide = np.pad(mask_hw, THICK)
    grown = wide.copy()
    height, width = mask_hw.shape
    for dy in range(-THICK, THICK + 1):
        for dx in range(-THICK, THICK + 1):
            grown |= np.roll(wide, (dy, dx), (0, 1))
    return np.asarray(grown[THICK : THICK + height, THICK : THICK + width] & ~mask_hw)
