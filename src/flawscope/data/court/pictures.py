"""The small grey pictures that the leak court compares, and the eight ways to turn them.

Letters: n images, h and w rows and columns (both `SIDE`), t the eight turns.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from flawscope.data.progress import on_all_cores
from flawscope.preprocess import WIDE, open_image, stretched
from flawscope.records import Samples

SIDE = 64
"""Pictures are brought to this height and width: enough for the grain of a cell, few enough for an archive."""

TURNS = ("", "mirrored", "90°", "mirrored 90°", "180°", "mirrored 180°", "270°", "mirrored 270°")
"""What is done to a picture: mirrored left to right first, then turned counter-clockwise."""

SATURATED = 250
"""Grey values from here on are taken for saturated: they say nothing about what is shown."""

Grey = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
ENOUGH = 3
"""Pictures from which on one may ask what all have in common; two have all in common that makes them a pair."""

SMALL = 32
SOFT = 1.0
SOFTEN: Float = gaussian_filter1d(np.eye(SMALL, dtype=np.float32), SOFT, axis=0)
"""Rows times this are softened rows: one product for all pictures, many times faster than a filter for each."""

STAYS: Float = np.eye(2, 3, dtype=np.float32)
"""The affine map that moves nothing."""


def small_pictures(samples: Samples) -> Grey:
    """All pictures as n x SIDE x SIDE grey values, whatever their shape.

    Raises:
        ImageError: a file cannot be read any more.
    """
    grey_nhw = np.empty((len(samples), SIDE, SIDE), np.uint8)
    paths = [row.path for row in samples.rows]
    for index, picture in enumerate(on_all_cores(small_picture, paths, "looking at images")):
        grey_nhw[index] = picture
    return grey_nhw


def small_picture(path: str | Path, side: int = SIDE) -> Grey:
    """One picture: each pixel the mean over its area, so that the small picture of a turned file is the turned one.

    More than 8 bits are stretched from the 0.1 to the 99.9 percentile: their range is not known.
    """
    image = open_image(path)
    grey_hw = np.asarray((stretched(image, 0.1, 99.9) if image.mode in WIDE else image).convert("L"))
    smaller = min(grey_hw.shape) >= side  # over areas only where there are fewer pixels afterwards
    return np.asarray(cv2.resize(grey_hw, (side, side), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR))


def turned(grey: npt.NDArray[Any], turn: int) -> npt.NDArray[Any]:
    """Square pictures (... x h x w), turned as `TURNS[turn]` says.

    >>> turned(np.array([[1, 2], [3, 4]]), TURNS.index("90°")).tolist()
    [[2, 4], [1, 3]]
    """
    quarter, mirrored = divmod(turn, 2)
    return np.ascontiguousarray(np.rot90(grey[..., ::-1] if mirrored else grey, quarter, axes=(-2, -1)))


def even(grey_nhw: Grey) -> Float:
    """At SMALL x SMALL, softened so that half a pixel counts little, mean 0 and deviation 1, as n x p."""
    step = SIDE // SMALL
    small = np.zeros((len(grey_nhw), SMALL, SMALL), np.float32)
    for row, column in product(range(step), repeat=2):  # ten times faster than a mean over two axes
        small += grey_nhw[:, row::step, column::step]
    small /= step * step
    soft = (small.reshape(-1, SMALL) @ SOFTEN).reshape(small.shape).swapaxes(1, 2)
    soft = (np.ascontiguousarray(soft).reshape(-1, SMALL) @ SOFTEN).reshape(small.shape).swapaxes(1, 2)
    flat = soft.reshape(len(soft), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(flat.std(axis=1, keepdims=True), 2.0), dtype=np.float32)
