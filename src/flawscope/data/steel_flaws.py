"""Draw the flaws of a strip of steel: exact masks with the shapes of real ones, and what the metal looks like there.

Shapes: h x w pixels, x to the right, across the strip; y down, along it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

from flawscope.data.steel_shapes import FACTS, HEIGHT, LEVELS_OF_QUANTILES, Facts, Pose, Quantiles
from flawscope.records import BoolArray

Floats = npt.NDArray[np.float64]
BAR = 2 / math.sqrt(3)
"""The long axis of the ellipse with the moments of a bar, over the length of the bar."""
APART = 3
"""So many pixels at least lie between two pieces of a mask."""
TRIES = 12
_GRAIN: dict[str, tuple[tuple[float, float], ...]] = {
    "1": ((1.6, 1.4),),
    "2": ((7.0, 0.7), (1.0, 1.0)),
    "3": ((12.0, 1.1), (2.0, 0.9)),
    "4": ((5.0, 5.0), (1.3, 1.3)),
}
"""The size of the grain that flaws of a class have: down and across, coarse and fine."""
_DARK = {"1": 1.0, "2": 0.8, "3": 0.45, "4": 0.8}
"""The share of the flaws that are darker than the steel; the others are brighter."""


@dataclass(frozen=True)
class _Place:
    """One piece, in pixels: its middle, its axes and its angle in radians."""

    x: float
    y: float
    long: float
    short: float
    angle: float

    @property
    def reach(self) -> tuple[float, float]:
        """Half its width and half its height."""
        c, s = abs(math.cos(self.angle)), abs(math.sin(self.angle))
        a, b = self.long / 2, self.short / 2
        return math.hypot(a * c, b * s), math.hypot(a * s, b * c)


def flaw_mask(name: str, steel_hw: BoolArray, rng: np.random.Generator) -> BoolArray:
    """The mask of a flaw of class `name` somewhere on the steel, with the shapes of real ones; never empty.

    Lengths of the real pictures, 256 pixels high, are brought to the height of this one. A mask smaller than nearly all
    real ones is drawn again.
    """
    least = FACTS[name].area[0] * (steel_hw.shape[0] / HEIGHT) ** 2
    largest = np.zeros_like(steel_hw)
    for _ in range(TRIES):
        mask_hw = _pieces(name, steel_hw, rng)
        if mask_hw.sum() >= least:
            return mask_hw
        largest = mask_hw if mask_hw.sum() > largest.sum() else largest
    return largest if largest.any() else steel_hw  # so small a strip is all flaw


def _pieces(name: str, steel_hw: BoolArray, rng: np.random.Generator) -> BoolArray:
    """A mask with as many pieces as the real ones have, each apart; empty where all fell beside the steel."""
    h, w = steel_hw.shape
    facts = FACTS[name]
    across = np.flatnonzero(steel_hw[h // 2])
    steel = (float(across[0]), float(across[-1] + 1), h)
    mask_hw = np.zeros((h, w), dtype=np.bool_)
    centre = float(rng.uniform(*steel[:2]))
    for _ in range(round(_quantile(float(rng.random()), facts.number))):
        pose = facts.poses[int(rng.choice(len(facts.poses), p=_shares(facts)))]
        for _ in range(TRIES):
            place = _place(facts, pose, centre, steel, rng)
            window, piece = _outline(name, place, mask_hw.shape, rng)
            piece &= steel_hw[window]
            if piece.any() and not (_grown(piece) & mask_hw[window]).any():
                mask_hw[window] |= piece
                break
    return mask_hw


def flaw_pattern(name: str, mask_hw: BoolArray, shift: float, rough: float, rng: np.random.Generator) -> Floats:
    """What a flaw adds to the grey of the steel: 0 outside of the mask, a shift and a grain of its own within.

    The shift is that of the mean, the roughness the standard deviation of the grain; both fade a little at the rim.
    """
    pattern_hw = np.zeros(mask_hw.shape)
    rows, columns = ndimage.find_objects(mask_hw.astype(np.int8))[0]
    within = mask_hw[rows, columns]
    scale = max(0.5, mask_hw.shape[0] / HEIGHT)
    grain = np.zeros(within.shape)
    for down, over in _GRAIN[name]:
        noise = ndimage.gaussian_filter(rng.normal(size=within.shape), (down * scale, over * scale), mode="wrap")
        grain += noise / max(float(noise.std()), 1e-9) / math.sqrt(len(_GRAIN[name]))
    if name == "1":  # pits are dark dots, and the steel between them is left as it was
        grain = 0.6 - 1.7 * np.clip(grain, 0, None)
    sign = -1.0 if rng.random() < _DARK[name] else 1.0
    depth = ndimage.distance_transform_edt(np.pad(within, 1))[1:-1, 1:-1]
    fade = np.clip(0.45 + depth / (8 * scale), 0, 1)
    rim = 0.8 * shift * np.exp(-depth / (3 * scale)) if name == "4" else 0.0
    pattern_hw[rows, columns] = np.where(within, fade * (sign * (shift + rim) + rough * grain), 0)
    return pattern_hw


def _shares(facts: Facts) -> Floats:
    share = np.array([pose.share for pose in facts.poses])
    return np.asarray(share / share.sum(), dtype=np.float64)


def _quantile(level: float, quantiles: Quantiles) -> float:
    """The value at this level; beyond the outer quantiles nothing is known, so they are the least and the most."""
    return float(np.interp(level, LEVELS_OF_QUANTILES, quantiles))


def _place(
    facts: Facts, pose: Pose, centre: float, steel: tuple[float, float, int], rng: np.random.Generator
) -> _Place:
    """Where a piece lies, and how large: its axes are drawn from the quantiles, with their correlation.

    `steel` is where it begins and ends, across, and its height; `centre` is about where the flaw lies.
    """
    begin, end, h = steel
    scale = h / HEIGHT
    first, second = rng.normal(size=2)
    r = 2 * math.sin(math.pi / 6 * pose.correlation)  # of normal numbers with this rank correlation
    levels = special.ndtr([first, r * first + math.sqrt(max(0.0, 1 - r * r)) * second])
    long = _quantile(float(levels[0]), pose.long) * scale
    short = min(_quantile(float(levels[1]), pose.short) * scale, long)
    lean = float(rng.normal(0, 1.48 * pose.off)) if pose.off < 45 else float(rng.uniform(-90, 90))
    side = float(rng.choice([-1, 1]))
    at_edge, x, y = rng.random(), centre + float(rng.normal(0, 1.25 * facts.spread * scale)), float(rng.random())
    piece = _Place(0, 0, max(3.0, long), max(2.0, short), math.radians(side * (pose.degrees + lean)))
    half_width, half_height = piece.reach
    left, right = begin + 0.9 * half_width, end - 0.9 * half_width
    x = min(max(x, left), right) if left < right else (begin + end) / 2
    if 1.8 * half_height >= h:
        y = h / 2
    elif at_edge < 0.9 * facts.at_edge:
        y = 0.8 * half_height if y < 0.5 else h - 0.8 * half_height
    else:
        margin = min(1.2 * half_height, h / 2)  # a ragged outline reaches a little beyond
        y = margin + y * (h - 2 * margin)
    return _Place(x, y, piece.long, piece.short, piece.angle)


def _outline(
    name: str, place: _Place, shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[tuple[slice, slice], BoolArray]:
    """The part of the picture that a piece lies in, and its pixels there: a bar with uneven sides, or a ragged blob."""
    reach_x, reach_y = (1.5 * half + 2 * APART for half in place.reach)
    left, right = max(0, math.floor(place.x - reach_x)), min(shape[1], math.ceil(place.x + reach_x))
    top, bottom = max(0, math.floor(place.y - reach_y)), min(shape[0], math.ceil(place.y + reach_y))
    y, x = np.mgrid[top:bottom, left:right] + 0.5
    c, s = math.cos(place.angle), math.sin(place.angle)
    along = 2 * ((x - place.x) * c + (y - place.y) * s) / place.long
    over = 2 * ((y - place.y) * c - (x - place.x) * s) / place.short
    slender = place.long > 2.2 * place.short
    phase = rng.uniform(0, 2 * math.pi, size=8)
    bend = float(rng.normal(0, 0.5)) if name == "4" or (name == "3" and abs(s) < 0.7) else 0.0
    if slender:
        over = over + bend * (along**2 - 0.3)
    if slender and name != "4":
        taper, uneven = float(rng.uniform(-0.35, 0.35)), 0.03 if name == "2" else float(rng.uniform(0.03, 0.14))
        waves = rng.uniform((2, 5, 9, 16), (5, 9, 16, 28), size=(2, 4))
        sides = [
            1 + taper * along + uneven * sum(np.sin(waves[i, j] * along + phase[4 * i + j]) for j in range(4))
            for i in (0, 1)
        ]
        inside = (np.abs(along * BAR) <= 1) & (over * BAR <= sides[0]) & (-over * BAR <= sides[1])
    else:
        angle = np.arctan2(over, along)
        ragged = {"1": 0.12, "2": 0.05, "3": 0.14, "4": 0.15}[name]
        limit = 1 + sum(ragged * float(rng.normal()) * 2 / k * np.cos(k * angle + phase[k - 2]) for k in range(2, 9))
        inside = np.hypot(along, over) <= np.clip(limit, 0.4, 1.45)
    return (slice(top, bottom), slice(left, right)), inside


def _grown(piece: BoolArray) -> BoolArray:
    return np.asarray(ndimage.maximum_filter(piece, size=2 * APART + 1, mode="constant"), dtype=np.bool_)
