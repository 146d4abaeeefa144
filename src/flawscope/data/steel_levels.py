"""How hard the strips of steel are: how far a flaw stands out of the texture, and what else looks like one.

A span is (least, most). Contrasts are multiples of the standard deviation of the strip's own texture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

Span = tuple[float, float]


@dataclass(frozen=True)
class SteelLevel:
    """What a difficulty varies, and how far. The defaults are the easy one."""

    shift: Span = (1.2, 2.2)
    """How much darker or brighter a flaw is in the mean."""
    rough: Span = (1.2, 2.2)
    """How strong the texture is that a flaw has of its own."""
    border: float = 0.2
    """The share of pictures that show where the strip ends."""
    bands: int = 1
    """At most so many straight bands, brighter or darker, that run through and are no flaw."""
    band: Span = (0.3, 0.8)
    stains: int = 1
    """At most so many smooth stains of scale or oil that are no flaw."""
    stain: Span = (0.3, 0.8)
    worn: int = 1
    """At most so many places where the grain of the steel is stronger and that are no flaw."""
    wear: Span = (0.2, 0.6)
    """By so many times it is stronger."""
    weld: float = 0.02
    """The share of pictures with a weld."""
    fall_off: Span = (0.05, 0.25)
    """How much less light falls on the darker side."""

    def __post_init__(self) -> None:
        if not (0 <= self.shift[0] <= self.shift[1] and 0 <= self.rough[0] <= self.rough[1]):
            raise ValueError(f"expected spans of contrast, got {self.shift} and {self.rough}")


EASY = SteelLevel()
HARD = SteelLevel(
    shift=(0.3, 1.0),
    rough=(1.2, 2.0),
    border=0.3,
    bands=5,
    band=(0.4, 1.8),
    stains=4,
    stain=(0.4, 1.8),
    worn=4,
    wear=(0.4, 1.4),
    weld=0.05,
    fall_off=(0.15, 0.55),
)
STEEL_LEVELS: Mapping[str, SteelLevel] = MappingProxyType({"easy": EASY, "hard": HARD})
