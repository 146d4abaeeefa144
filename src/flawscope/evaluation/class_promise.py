"""What the images of one class that are there can promise, and how many more a wanted promise needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from flawscope.evaluation.plan import best_promise, design_effect, escapes_allowed, in_all
from flawscope.evaluation.wanted import Wanted

Way = Literal["images", "groups", "effective"]
"""How images are counted: each as independent, each group as one, or by the design effect of a stated correlation."""


@dataclass(frozen=True)
class Support:
    """What so many independent parts (`counted`) allow.

    `best` is the smallest escape rate that can be promised if none of them passes (or as many as are allowed). Of the
    wanted promise: how many of them may pass (-1: it cannot be made), how many are lacking in the calibration part, and
    how many more that is in all, in what is counted: images, or groups. The three are None where none is wanted.
    """

    counted: float
    best: float
    allowed: int | None
    lacking: int | None
    lacking_in_all: int | None


@dataclass(frozen=True)
class ClassPromise:
    """One class: what is there, what falls to the calibration part, and what that allows, by each way of counting."""

    name: str
    images: int
    groups: int
    calibration_images: int
    calibration_groups: int
    support: dict[Way, Support]

    def __post_init__(self) -> None:
        if not (self.groups <= self.images and self.calibration_groups <= self.calibration_images <= self.images):
            raise ValueError(f"{self.name}: more groups than images, or more in the part than in all: {self}")

    @property
    def verdict(self) -> str:
        """Whether the wanted promise can be made: "yes", "depends" (on how alike a group is), "no", or "" if none is.

        >>> class_promise("crack", 400, 2, ["a", "b"] * 150, share=0.75, wanted=Wanted(max_escape=0.01)).verdict
        'depends'
        """
        if "effective" in self.support:
            allowed = [self.support["effective"].allowed]
        else:
            allowed = [self.support["groups"].allowed, self.support["images"].allowed]
        if None in allowed:
            return ""
        possible = [each is not None and each >= 0 for each in allowed]
        return "yes" if all(possible) else "depends" if any(possible) else "no"

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "verdict": self.verdict}


def class_promise(
    name: str, images: int, groups: int, calibration: Sequence[str], *, share: float, wanted: Wanted
) -> ClassPromise:
    """What a class supports of which so many images are there, in so many groups.

    Args:
        name: the class.
        images: how many there are in all.
        groups: how many groups they come from.
        calibration: the group of each of its images in the calibration part.
        share: the share of new images that will fall to the calibration part.
        wanted: the promise, and the correlation within groups, if they are known.

    >>> found = class_promise(
    ...     "crack", 400, 200, [str(i // 2) for i in range(80)], share=0.2, wanted=Wanted(max_escape=0.02)
    ... )
    >>> {way: (each.counted, round(each.best, 3), each.lacking_in_all) for way, each in found.support.items()}
    {'images': (80, 0.037, 345), 'groups': (40, 0.072, 545)}
    """
    size = Counter(calibration)
    counted: dict[Way, float] = {"images": len(calibration), "groups": len(size)}
    if wanted.correlation is not None and size:
        typical = sum(n * n for n in size.values()) / len(calibration)
        counted["effective"] = len(calibration) / design_effect(typical, wanted.correlation)
    support = {way: _support(n, share, wanted) for way, n in counted.items()}
    return ClassPromise(name, images, groups, len(calibration), len(size), support)


def _support(counted: float, share: float, wanted: Wanted) -> Support:
    best = best_promise(counted, wanted.confidence, wanted.escapes)
    if wanted.max_escape is None:
        return Support(counted, best, None, None, None)
    needed, _ = wanted.promise()
    lacking = max(0, in_all(needed - counted, 1))
    allowed = escapes_allowed(int(counted), wanted.max_escape, wanted.confidence)
    return Support(counted, best, allowed, lacking, in_all(lacking, share))
