"""Draw one picture of a strip of hot-rolled steel: texture, light, where the strip ends, and its flaws.

The strip runs downwards through the picture, so that what rolls leave are upright streaks. Shapes: k classes of flaws,
h x w pixels. The ground and the flaws have random numbers of their own: a flaw changes nothing outside of its mask.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from flawscope.data.steel_flaws import Floats, flaw_mask, flaw_pattern
from flawscope.data.steel_levels import SteelLevel
from flawscope.data.steel_shapes import FACTS, HEIGHT, TOGETHER
from flawscope.records import BoolArray

CLASSES = tuple(FACTS)


@dataclass(frozen=True)
class Coil:
    """What all strips that are cut from one coil share: its steel, the rolls and the camera of the day."""

    grey: float
    grain: float
    stretch: float
    """How much longer than wide the grain is."""
    streak: float
    streak_width: float
    mottle: float
    mottle_size: float
    bright_at: float
    """Where the light is strongest: -1 is the left side, 1 the right one."""
    fall_off: float
    usual: tuple[str, ...]
    """The classes that most of its flawed strips show."""

    @property
    def texture(self) -> float:
        """The standard deviation of its texture, in grey levels."""
        return math.sqrt(self.grain**2 + self.streak**2 + self.mottle**2)


@dataclass(frozen=True)
class Strip:
    """A picture of 8-bit grey, and where it is flawed: one mask for each of the classes 1 to 4."""

    grey_hw: npt.NDArray[np.uint8]
    mask_khw: BoolArray


def draw_coil_look(rng: np.random.Generator, level: SteelLevel) -> Coil:
    """Draw what a coil looks like."""
    return Coil(
        grey=float(rng.uniform(70, 150)),
        grain=float(rng.uniform(3.0, 6.5)),
        stretch=float(rng.uniform(1, 4)),
        streak=float(rng.uniform(1.5, 6)),
        streak_width=float(rng.uniform(1.2, 9)),
        mottle=float(rng.uniform(0.5, 3)),
        mottle_size=float(rng.uniform(10, 45)),
        bright_at=float(rng.uniform(-0.8, 0.8)),
        fall_off=float(rng.uniform(*level.fall_off)),
        usual=draw_classes(rng),
    )


def draw_classes(rng: np.random.Generator) -> tuple[str, ...]:
    """Which classes a flawed strip shows, as often together as on the real ones."""
    count = np.array(list(TOGETHER.values()), dtype=np.float64)
    return list(TOGETHER)[int(rng.choice(len(count), p=count / count.sum()))]


def draw_strip(
    coil: Coil, classes: Iterable[str], seed: tuple[int, ...], level: SteelLevel, size: tuple[int, int]
) -> Strip:
    """Draw a strip of a coil with flaws of these classes; the same seed gives the same ground, whatever its flaws.

    `size` is width and height in pixels.
    """
    width, height = size
    ground_rng, flaw_rng = (np.random.default_rng([*seed, part]) for part in (1, 2))
    steel_hw, edge_hw = _border(ground_rng, level, height, width)
    metal_hw = coil.grey + _texture(coil, ground_rng, level, height, width)
    metal_hw += coil.texture * _harmless(ground_rng, level, height, width)
    light_hw = _light(coil, ground_rng, height, width)
    beyond = ground_rng.uniform(2, 14)
    noise_hw = ground_rng.normal(0, 1.2, size=(height, width))
    mask_khw = np.zeros((len(CLASSES), height, width), dtype=np.bool_)
    for name in classes:
        mask_hw = flaw_mask(name, steel_hw, flaw_rng)
        shift, rough = flaw_rng.uniform(*level.shift), flaw_rng.uniform(*level.rough)
        metal_hw += coil.texture * flaw_pattern(name, mask_hw, shift, rough, flaw_rng)
        mask_khw[CLASSES.index(name)] = mask_hw
    grey_hw = beyond + (np.clip(metal_hw, 4, None) * light_hw - beyond) * edge_hw + noise_hw
    return Strip(np.clip(np.rint(grey_hw), 0, 255).astype(np.uint8), mask_khw)


def _smooth(rng: np.random.Generator, height: int, width: int, down: float, across: float) -> Floats:
    """Noise of this grain, with a standard deviation of about 1."""
    rows, columns = (max(2, math.ceil(a / b)) for a, b in ((height, down), (width, across)))
    coarse = rng.normal(size=(rows, columns))
    fine = ndimage.zoom(coarse, (height / rows, width / columns), order=3, mode="nearest", grid_mode=True)
    return np.asarray(fine / max(float(fine.std()), 1e-9), dtype=np.float64)


def _texture(coil: Coil, rng: np.random.Generator, level: SteelLevel, height: int, width: int) -> Floats:
    """Grain, stronger where the strip is worn, upright streaks that the rolls leave, and mottle."""
    scale = height / HEIGHT
    grain = ndimage.gaussian_filter(rng.normal(size=(height, width)), (0.8 * coil.stretch * scale, 0.8 * scale))
    plain = grain.std()
    grain *= 1 + _worn(rng, level, height, width)
    wide = _smooth(rng, height, width, 130 * scale, coil.streak_width * scale)
    narrow = _smooth(rng, height, width, 400 * scale, 2 * scale)
    mottle = _smooth(rng, height, width, 2.5 * coil.mottle_size * scale, coil.mottle_size * scale)
    return np.asarray(
        coil.grain * grain / plain + coil.streak * (0.8 * wide + 0.6 * narrow) + coil.mottle * mottle,
        dtype=np.float64,
    )


def _worn(rng: np.random.Generator, level: SteelLevel, height: int, width: int) -> Floats:
    """How much stronger the grain of the steel is, in some places: it is still the same grain, and no flaw."""
    total = np.zeros((height, width))
    for _ in range(int(rng.integers(level.worn + 1))):
        total = np.maximum(total, rng.uniform(*level.wear) * _spot(rng, height, width))
    return total


def _spot(rng: np.random.Generator, height: int, width: int) -> Floats:
    """A soft spot or, as often, a strip of 0 to 1 somewhere in the picture."""
    y, x = np.mgrid[0:height, 0:width] / height
    cx, cy = rng.uniform(0, width / height), rng.uniform(0, 1)
    wide, high = rng.uniform((0.04, 0.4), (0.2, 1.5)) if rng.random() < 0.5 else rng.uniform((0.1, 0.1), (0.7, 0.5))
    return np.asarray(np.clip(2 - 2 * np.hypot((x - cx) / wide, (y - cy) / high), 0, 1), dtype=np.float64)


def _harmless(rng: np.random.Generator, level: SteelLevel, height: int, width: int) -> Floats:
    """What is darker or brighter and no flaw, in multiples of the texture: bands, smooth stains, a weld across."""
    y, x = np.mgrid[0:height, 0:width] / height
    total = np.zeros((height, width))
    for _ in range(int(rng.integers(level.bands + 1))):
        at, lean, wide = rng.uniform(0, width / height), rng.normal(0, 0.01), rng.uniform(0.012, 0.09)
        band = np.exp(-(((x - at - lean * y) / wide) ** 4))
        total += rng.choice([-1, 1]) * rng.uniform(*level.band) * band
    for _ in range(int(rng.integers(level.stains + 1))):
        total += rng.choice([-1, 1]) * rng.uniform(*level.stain) * _spot(rng, height, width)
    if rng.random() < level.weld:
        at = rng.uniform(0.15, 0.85) + 0.01 * np.sin(5 * x + rng.uniform(0, 6))
        seam = np.exp(-(((y - at) / 0.02) ** 2)) - 0.6 * np.exp(-(((y - at) / 0.055) ** 2))
        total += 3 * seam * (1 + 0.25 * np.sin(150 * x))
    return total


def _light(coil: Coil, rng: np.random.Generator, height: int, width: int) -> Floats:
    """The lamp, as it lights the coil; a strip may lie a little nearer to it or lean."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    lean, exposure, wave = rng.uniform(-0.06, 0.06), rng.uniform(0.93, 1.07), _smooth(rng, 1, width, 1, width / 5)
    away = (x - coil.bright_at) / (1 + abs(coil.bright_at))
    return np.asarray(exposure * (1 - coil.fall_off * away**2 + lean * y + 0.025 * wave))


def _border(rng: np.random.Generator, level: SteelLevel, height: int, width: int) -> tuple[BoolArray, Floats]:
    """Where there is steel, and how much light it sends: some strips end within the picture."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    ends, left = rng.random() < level.border, rng.random() < 0.5
    share, lean, soft = rng.uniform(0.02, 0.35), rng.normal(0, 0.02), rng.uniform(0.004, 0.03)
    wave = 0.01 * np.cumsum(rng.normal(size=height)) / math.sqrt(height) * height
    if not ends:
        return np.ones((height, width), dtype=np.bool_), np.ones((height, width))
    inwards = (x if left else width - x) - share * width - lean * y - wave[:, None]
    edge_hw = np.clip(0.5 + inwards / (soft * height + 1), 0, 1)
    return np.asarray(edge_hw >= 1), edge_hw
