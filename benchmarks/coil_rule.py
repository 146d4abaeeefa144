"""A rule that measures the pins of a coil: the picture holds the answer. It is told the drawing, not how the part lies.

First the housing is found: edges of the picture against edges of a plain coil, over all turns and shifts, then
sub-pixel (ECC; Evangelidis & Psarakis, 2008, IEEE TPAMI 30:1858). Then each pin is measured in the housing's own
frame: the lean at which two edges, as far apart as a pin is wide, are strongest above the bend.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from flawscope.data.coil_levels import EASY
from flawscope.data.synthetic_coil import HEIGHT, PIN_WIDTH, PIN_X, WIDTH, draw_coil

Grey = npt.NDArray[np.float32]
BODY = (195, 200, 605, 450)
"""Left, top, right, bottom of the housing in the drawing, in pixels; most of the pins lies above it."""
TURNS = np.arange(-10.0, 10.1, 1.0)
PIN_ROWS = (118, 192)
"""Above any bend, below any tip."""
LEANS = np.arange(-18.0, 18.01, 0.25)
REACH = 22
"""A pin stands at most so far from where it should, in the middle of PIN_ROWS."""


def worst_lean(picture: Grey) -> float:
    """The larger lean of the two pins against their housing, in degrees, without its sign."""
    return max(map(abs, leans(picture)))


def leans(picture: Grey) -> list[float]:
    """How far the left and the right pin lean, in degrees, positive to the right."""
    upright = cv2.warpAffine(picture, _pose(picture), (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    both = _both_edges(np.asarray(upright, dtype=np.float32))
    return [_lean(both, x) for x in PIN_X]


@cache
def _plain() -> Grey:
    """The edges of a coil that lies as it is drawn."""
    still = replace(EASY, turn=0.0, shift=(0.0, 0.0), dust=(0, 1), focus=(1.0, 1.0))
    return _edges(np.asarray(draw_coil((0.0, 0.0), np.random.default_rng(0), still), dtype=np.float32))


def _edges(picture: Grey, width: float = 2.0) -> Grey:
    """How strong edges are, from 0 to 1, much the same for all shades and lights."""
    soft = cv2.GaussianBlur(picture, (0, 0), width)
    strength = np.hypot(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1))
    return np.asarray(strength / (strength + 4 * np.median(strength)), dtype=np.float32)


def _pose(picture: Grey) -> Grey:
    """The 2 x 3 matrix from the drawing to the picture."""
    seen, most, rough = _smaller(_edges(picture), 4), -1.0, np.eye(2, 3, dtype=np.float32)
    left, top, right, bottom = (round(end / 4) for end in BODY)
    wanted = _smaller(_plain(), 4)[top:bottom, left:right]
    for turn in TURNS:
        matrix = cv2.getRotationMatrix2D((seen.shape[1] / 2, seen.shape[0] / 2), turn, 1)
        turned = cv2.warpAffine(seen, matrix, seen.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        _, alike, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(turned, wanted, cv2.TM_CCOEFF_NORMED))
        if alike > most:
            most, rough = alike, np.asarray(matrix, dtype=np.float32)
            rough[:, 2] += rough[:, :2] @ (x - left, y - top)
    rough[:, 2] *= 2  # from a quarter of the size to half
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-5)
    half = [_smaller(edges, 2) for edges in (_plain(), _edges(picture))]
    try:
        _, fine = cv2.findTransformECC(half[0], half[1], rough, cv2.MOTION_EUCLIDEAN, stop)
    except cv2.error:  # it did not converge
        fine = rough
    return np.asarray(fine * [1, 1, 2], dtype=np.float32)


def _smaller(edges: Grey, times: int) -> Grey:
    size = (WIDTH // times, HEIGHT // times)
    return np.asarray(cv2.resize(edges, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _lean(both: Grey, x: float) -> float:
    """The lean at which the edges of one pin are strongest."""
    rows = np.arange(*PIN_ROWS, dtype=np.float32)
    offsets = np.arange(-REACH, REACH + 0.1, 0.5, dtype=np.float32)
    middle = np.mean(PIN_ROWS)
    best = (-np.inf, 0.0)
    for lean in LEANS:
        centre = x + (middle - rows) * np.tan(np.radians(lean))
        xs = (centre[:, None] + offsets[None, :]).astype(np.float32)
        ys = np.broadcast_to(rows[:, None], xs.shape).astype(np.float32)
        strength = cv2.remap(both, xs, ys, cv2.INTER_LINEAR).mean(axis=0)
        best = max(best, (float(strength.max()), float(lean)))
    return best[1]


def _both_edges(upright: Grey) -> Grey:
    """High where there is an edge half a pin's width to the left as well as one to the right."""
    edge = np.abs(cv2.Sobel(cv2.GaussianBlur(upright, (0, 0), 1.5), cv2.CV_32F, 1, 0))
    half = round(PIN_WIDTH / 2)
    pair = np.roll(edge, half, axis=1) * np.roll(edge, -half, axis=1)
    return np.asarray(pair**0.25, dtype=np.float32)
