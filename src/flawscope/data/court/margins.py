"""Where a part ends within its picture: a dark band along a whole side, with a straight edge.

Two strips of steel that both end are alike for that, whatever they show: an edge says where the camera stood, not which
part it is. So the bands are left out where both pictures have one. An outline is something else: what surrounds a part,
and every edge that is not straight, is the part's own and stays in.

Letters: h and w rows and columns, both the side of the picture.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

DARK = 30
"""Grey values up to which a band is taken for what lies beyond the part."""

NARROWEST = 1 / 64
"""It is nowhere narrower, as a share of the side."""

UNEVEN, LEAN = 1.5 / 64, 0.15
"""How far an edge strays from a straight line (deviation), and that leans from end to end: shares of the side."""

AROUND = 2 / 64
"""So far from a band, as a share of the side, a soft edge may still be seen."""

LEAST_BESIDE = 0.1
"""Share of the pixels that must be left beside the bands."""

LEAST_TEXTURE = 0.35
"""Deviation of the detail beside the bands from which on it tells parts apart; below, it may be noise."""


def margin(grey_hw: Float) -> Mask:
    """The bands of a picture, and what lies around their edges; nothing where there are none.

    >>> strip = np.full((64, 64), 90, np.float32)
    >>> strip[:, :10] = 5  # the strip ends here
    >>> margin(strip).mean(axis=0)[[0, 9, 11, 12, 63]].tolist()
    [1.0, 1.0, 1.0, 0.0, 0.0]
    """
    side = len(grey_hw)
    found = np.zeros(grey_hw.shape, np.bool_)
    dark_hw = grey_hw <= DARK
    for quarter, border in enumerate((dark_hw[:, 0], dark_hw[0], dark_hw[:, -1], dark_hw[-1])):
        if not border.all():  # nearly always
            continue
        dark = np.rot90(dark_hw, quarter)
        width_h = np.where(dark.all(axis=1), side, dark.argmin(axis=1))
        if is_straight(width_h, side):
            band = np.arange(side) < width_h[:, None] + round(AROUND * side)
            found |= np.rot90(band, -quarter)
    return found


def is_straight(width_h: npt.NDArray[np.integer], side: int) -> bool:
    """Whether dark runs of so many pixels, row by row, are a band with a straight edge.

    >>> is_straight(np.full(64, 9), 64), is_straight(np.arange(64) // 2, 64), is_straight(np.full(64, 64), 64)
    (True, False, False)
    """
    if width_h.min() < NARROWEST * side or width_h.max() == side:
        return False
    row_h = np.linspace(-0.5, 0.5, len(width_h))
    lean, middle = np.polyfit(row_h, width_h, 1)
    return bool(abs(lean) <= LEAN * side and (width_h - middle - lean * row_h).std() <= UNEVEN * side)
