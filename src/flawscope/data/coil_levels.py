"""How hard the pictures of coils are: what differs from part to part and from shot to shot, one row a difficulty.

A span is (least, most); where both are equal nothing is drawn at random. Lengths are pixels of the 800x520 picture,
angles degrees, light and greys as factors or grey levels of 0 to 255.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

Span = tuple[float, float]


@dataclass(frozen=True)
class Level:
    """What a difficulty varies, and how far. The defaults are the easy one."""

    # the truth
    straight: float = 2.0
    """A good pin leans by at most so much against its housing."""
    bent: Span = (6.0, 25.0)
    stub: Span = (22.0, 22.0)
    """How far above its root a pin is bent."""
    # the part
    turn: float = 1.5
    shift: tuple[float, float] = (9.0, 9.0)
    shades: tuple[int, ...] = (0,)
    """Housings are of these materials: so much brighter than the usual one."""
    winding: Span = (1.0, 1.0)
    metal: Span = (1.0, 1.0)
    glints: bool = False
    """Reflections that look like kinks lie on any pin. Otherwise a light kink betrays some of the bent ones."""
    # what it lies on
    plate: Span = (118.0, 118.0)
    shadow_x: Span = (10.0, 10.0)
    shadow_y: Span = (14.0, 14.0)
    shadow: Span = (0.55, 0.55)
    # the camera
    exposure: Span = (0.88, 1.1)
    fall_off: Span = (0.22, 0.34)
    glare: Span = (0.0, 0.0)
    focus: Span = (0.5, 1.0)
    noise: Span = (1.0, 1.0)
    dust: tuple[int, int] = (3, 12)
    speck: Span = (0.5, 1.8)
    fibres: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.straight < self.bent[0] <= self.bent[1]:
            raise ValueError(f"expected bent pins beyond {self.straight} degrees, or labels are doubtful: {self.bent}")


EASY = Level()
HARD = Level(
    straight=1.0,
    bent=(5.0, 14.0),
    stub=(16.0, 30.0),
    turn=8.0,
    shift=(30.0, 16.0),
    shades=(-42, -18, 0, 40, 84),
    winding=(0.7, 1.6),
    metal=(0.8, 1.06),
    glints=True,
    plate=(82.0, 146.0),
    shadow_x=(-14.0, 14.0),
    shadow_y=(2.0, 16.0),
    shadow=(0.3, 0.65),
    exposure=(0.65, 1.25),
    fall_off=(0.15, 0.42),
    glare=(0.0, 60.0),
    focus=(0.6, 2.0),
    noise=(0.9, 1.5),
    dust=(10, 45),
    speck=(0.5, 2.6),
    fibres=4,
)
LEVELS: Mapping[str, Level] = MappingProxyType({"easy": EASY, "hard": HARD})
