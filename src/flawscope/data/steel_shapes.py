"""The shapes of the flaws on real steel strips, as a small table of facts: no real mask is kept here.

Measured by `benchmarks/steel_shapes.py` on 3,645 masks of 3,218 flawed images (1600 x 256) of Severstal's contest.
A flaw of a class is a mask of one or more pieces. `long` and `short` are the axes, in pixels, of the ellipse with the
same second moments as the piece; an angle of 90 degrees stands upright, along the strip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

Quantiles = tuple[float, float, float, float, float]
LEVELS_OF_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
HEIGHT, WIDTH = 256, 1600
"""The picture that all lengths here belong to."""


@dataclass(frozen=True)
class Pose:
    """Pieces that lie alike: their share among those of the class, their axes, and how these hang together."""

    degrees: float
    """The angle they lie at; round ones lie anyhow."""
    share: float
    long: Quantiles
    short: Quantiles
    correlation: float
    """The rank correlation of the axes."""
    off: float
    """So far most lean away from the angle: the median in degrees."""

    def __post_init__(self) -> None:
        if not (0 < self.share <= 1 and -1 < self.correlation < 1):
            raise ValueError(f"expected a share and a correlation, got {self.share} and {self.correlation}")
        if list(self.long) != sorted(self.long) or list(self.short) != sorted(self.short):
            raise ValueError(f"expected quantiles in order, got {self.long} and {self.short}")


@dataclass(frozen=True)
class Facts:
    """What is known of the masks of one class."""

    number: Quantiles
    """Pieces of a mask."""
    area: Quantiles
    """Pixels of a mask."""
    spread: float
    """How far the pieces of a mask lie apart, across the strip: the median of their standard deviation in pixels."""
    at_edge: float
    """The share of the pieces that touch the upper or lower edge of the picture."""
    poses: tuple[Pose, ...]


FACTS: Mapping[str, Facts] = MappingProxyType(
    {
        "1": Facts(
            number=(1, 1, 2, 5, 11),
            area=(750, 1896, 3502, 6122, 12534),
            spread=108,
            at_edge=0.16,
            poses=(
                Pose(90, 0.698, (32, 42, 54, 79, 203), (16, 19, 23, 28, 39), 0.46, 4.7),
                Pose(0, 0.011, (30, 33, 43, 47, 62), (17, 21, 25, 28, 33), 0.80, 7.4),
                Pose(45, 0.025, (31, 39, 53, 69, 99), (20, 23, 28, 36, 55), 0.84, 8.0),
                Pose(0, 0.265, (23, 29, 34, 43, 59), (19, 22, 26, 33, 49), 0.92, 45.0),
            ),
        ),
        "2": Facts(
            number=(1, 1, 1, 2, 2),
            area=(886, 1862, 2971, 4154, 7255),
            spread=10,
            at_edge=0.67,
            poses=(Pose(90, 1.0, (82, 131, 182, 246, 295), (10, 13, 16, 22, 31), 0.39, 1.8),),
        ),
        "3": Facts(
            number=(1, 1, 2, 4, 7),
            area=(1753, 4885, 11482, 27520, 89577),
            spread=203,
            at_edge=0.56,
            poses=(
                Pose(90, 0.695, (48, 123, 255, 293, 296), (10, 19, 26, 37, 84), 0.16, 1.2),
                Pose(0, 0.151, (36, 88, 192, 462, 1357), (15, 31, 49, 85, 195), 0.72, 4.4),
                Pose(45, 0.048, (13, 20, 58, 110, 337), (5, 8, 24, 44, 110), 0.81, 8.0),
                Pose(0, 0.106, (16, 35, 55, 102, 294), (13, 27, 43, 80, 251), 0.99, 45.0),
            ),
        ),
        "4": Facts(
            number=(1, 1, 2, 3, 5),
            area=(4953, 12829, 24991, 44081, 88051),
            spread=152,
            at_edge=0.36,
            poses=(
                Pose(90, 0.169, (38, 77, 131, 221, 291), (17, 31, 60, 90, 153), 0.88, 8.9),
                Pose(0, 0.440, (52, 125, 198, 340, 643), (19, 47, 79, 122, 189), 0.84, 7.0),
                Pose(45, 0.125, (39, 91, 151, 226, 356), (15, 43, 70, 106, 155), 0.88, 8.0),
                Pose(0, 0.266, (31, 70, 108, 155, 279), (26, 55, 85, 121, 211), 0.98, 45.0),
            ),
        ),
    }
)
TOGETHER: Mapping[tuple[str, ...], int] = MappingProxyType(
    {
        ("3",): 2147,
        ("1",): 340,
        ("3", "4"): 283,
        ("4",): 230,
        ("1", "3"): 91,
        ("2",): 76,
        ("1", "2"): 34,
        ("2", "3"): 14,
        ("1", "2", "3"): 2,
        ("2", "4"): 1,
    }
)
"""On how many images these classes stand, and no other."""
