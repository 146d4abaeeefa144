"""How many images a class needs before a number about it says something.

Worked out before anything is trained, so the recall to come is assumed. The interval is the one that evaluation makes
(`intervals.wilson`, Wilson 1927), on the effective number of samples.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from flawscope.evaluation.intervals import wilson
from flawscope.records import Interval

RECALL, HALF_WIDTH, TEST_SHARE = 0.95, 0.05, 0.2
METHOD = "Wilson score interval (Wilson, 1927) on the effective number of samples"


def needed(value: float, half_width: float, level: float = 0.95) -> int:
    """The fewest independent samples whose Wilson interval around `value` is at most twice `half_width` wide.

    >>> needed(0.5, 0.05), needed(0.95, 0.05)
    (381, 83)

    Raises:
        ValueError: `half_width` is not in (0, 0.5), or see `wilson`.
    """
    if not 0 < half_width < 0.5:
        raise ValueError(f"a half-width lies in (0, 0.5), got {half_width}")

    def wide(n: int) -> bool:
        low, high = wilson(value, n, level)
        return high - low > 2 * half_width

    high = 1
    while wide(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if wide(middle) else (low, middle)
    return high


@dataclass(frozen=True)
class ClassSize:
    """What the test share of one class could tell about a recall of `RECALL`.

    `best` takes its images as independent, `worst` counts each group as one: the truth lies between, and shows only
    after training. Both are missing where the test part would hold no image of the class.
    """

    name: str
    images: int
    groups: int
    tested: int
    needed: int
    best: Interval | None
    worst: Interval | None

    def __post_init__(self) -> None:
        if not 0 <= self.groups <= self.images or (self.best is None) != (self.worst is None):
            raise ValueError(f"{self.name}: expected 0 <= groups <= images, and both intervals or none")

    @property
    def verdict(self) -> str:
        """Whether the class is large enough: "enough", "depends" (on how alike a group is), "too few", or "none" there.

        >>> class_size("crack", 40, 40).verdict, class_size("ok", 4000, 50).verdict
        ('too few', 'depends')
        """
        if not self.images:
            return "none"
        if self.images < self.needed:
            return "too few"
        return "depends" if self.groups < self.needed else "enough"

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "verdict": self.verdict}


def class_size(name: str, images: int, groups: int, test_share: float = TEST_SHARE) -> ClassSize:
    """What can be measured of a class with so many images in so many groups.

    >>> size = class_size("crack", 200, 50)
    >>> size.tested, size.needed, str(size.best), str(size.worst)
    (40, 415, '0.950 (0.835 to 0.986)', '0.950 (0.655 to 0.995)')
    """
    tested = round(test_share * images)
    best = worst = None
    if tested:
        best = _interval(tested, tested, tested)
        independent = min(tested, max(1, round(test_share * groups)))
        worst = _interval(independent, tested, independent)
    return ClassSize(name, images, groups, tested, math.ceil(needed(RECALL, HALF_WIDTH) / test_share), best, worst)


def _interval(effective: int, n: int, groups: int) -> Interval:
    low, high = wilson(RECALL, effective)
    return Interval(RECALL, low, high, method=METHOD, n=n, effective=float(effective), groups=groups)
