"""What the images of one class that are there can promise, and how many more a wanted promise needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from flawscope.evaluation.group_bound import Passed
from flawscope.evaluation.parts_bound import PartsPassed, groups_needed
from flawscope.evaluation.plan import TooManyError, best_promise, design_effect, in_all
from flawscope.evaluation.plan_sizes import Way
from flawscope.evaluation.wanted import Wanted


@dataclass(frozen=True)
class Support:
    """What so many independent parts (`counted`) allow.

    `best` is the smallest escape rate that can be promised if none of the images passes (or as many as are allowed; of
    all parts, each counted alike: if none passes). Of the wanted promise: how many are lacking in the calibration part,
    and how many more that is in all; images, or groups. Both are None where none is wanted, or one that no number of
    parts proves, or more than anybody has.
    """

    counted: float
    best: float
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
        ways: list[Way] = ["effective"] if "effective" in self.support else ["groups", "images"]
        lacking = [self.support[way].lacking for way in ways]
        if None in lacking:
            return ""
        possible = [each == 0 for each in lacking]
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
    sizes = list(Counter(calibration).values())
    n, escapes = len(calibration), wanted.escapes
    support: dict[Way, Support] = {"images": _support(n, 1.0, escapes, share, wanted)}
    support["groups"] = _by_groups(sizes, share, wanted) if sizes else support["images"]
    if wanted.correlation is not None and sizes:
        effect = design_effect(sum(size * size for size in sizes) / n, wanted.correlation)
        support["effective"] = _support(n / effect, effect, escapes / effect, share, wanted)
    if len(set(sizes)) > 1:
        support["parts"] = _of_all_parts(sizes, share, wanted)
    return ClassPromise(name, images, groups, n, len(sizes), support)


def _support(counted: float, effect: float, passed: float, share: float, wanted: Wanted) -> Support:
    """Of so many independent ones, each of which is `effect` images."""
    best = best_promise(counted, wanted.confidence, passed)
    if not wanted.max_escape:
        return Support(counted, best, None, None)
    needed, _ = wanted.promise(passed)
    lacking = max(0, in_all((needed - counted) * effect, 1))
    return Support(counted, best, lacking, in_all(lacking, share))


def _by_groups(sizes: Sequence[int], share: float, wanted: Wanted) -> Support:
    """Of whole groups of these sizes."""
    seen = Passed.at_most(wanted.escapes, np.array(sizes))
    best = seen.bound(wanted.confidence)
    if not wanted.max_escape:
        return Support(seen.groups, best, None, None)
    needed, _ = wanted.promise(seen.passed, seen.proof)
    lacking = max(0, needed - len(sizes))
    return Support(seen.groups, best, lacking, in_all(lacking, share))


def _of_all_parts(sizes: Sequence[int], share: float, wanted: Wanted) -> Support:
    """Of all parts, each counted alike, with whole groups of these sizes as the units, if none passes."""
    size_g = np.array(sizes)
    seen = PartsPassed(np.zeros(len(sizes)), size_g)
    counted, best = seen.worth, seen.bound(wanted.confidence)
    if wanted.max_escape is None:
        return Support(counted, best, None, None)
    try:
        lacking = max(0, groups_needed(size_g, wanted.max_escape, wanted.confidence) - len(sizes))
    except TooManyError:
        return Support(counted, best, None, None)
    return Support(counted, best, lacking, in_all(lacking, share))
