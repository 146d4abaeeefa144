"""What is counted of one image with masks, so that all measures of masks follow without decoding it again.

Shapes: k classes, c = k + 1 columns (the classes, and any of them as one), h x w pixels, n images, 256 levels l.

A true flaw is found if marked pixels of its class cover at least a quarter of it (`SHARE`); a marked region is a false
flaw if less than a quarter of it lies on true flaws of its class. Both sides are asked, as for lesions in medicine
(Commowick et al. 2018, Scientific Reports 8:13650): covering alone would praise whoever marks everything. No pairs are
formed: a flaw marked in two pieces, or two neighbours marked as one, are found all the same, which a matching by IoU
would not see. How well outlines fit is what IoU and Dice say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.masks import components
from flawscope.records import BoolArray, FloatArray

SHARE = 0.25
"""How much of a true flaw must be marked, and how much of a marked region must lie on true flaws."""
LEVELS = 256
AT_ONCE = 1 << 20
"""So many pixels are counted by level at a time."""
SIDES = ("flaws", "regions")
IntArray = npt.NDArray[np.int64]
LevelArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Regions:
    """Connected regions of masks: class and area in pixels, and the share of each that the other side covers.

    `covered` counts pixels of its own class on the other side, `covered_any` those of any class. `image` numbers the
    image of each.
    """

    kind: IntArray
    area: IntArray
    covered: FloatArray
    covered_any: FloatArray
    image: IntArray

    def __len__(self) -> int:
        return len(self.kind)

    def of(self, chosen: BoolArray) -> Regions:
        """Some of them."""
        return Regions(
            self.kind[chosen], self.area[chosen], self.covered[chosen], self.covered_any[chosen], self.image[chosen]
        )


@dataclass(frozen=True)
class ImageFacts:
    """One image: pixels that truly show, that are marked, and both, and the levels of those that show and do not.

    `flaws` are the true flaws, covered by what is marked; `regions` are the marked ones, covered by what is true.
    """

    truth_c: IntArray
    marked_c: IntArray
    both_c: IntArray
    shown_cl: IntArray
    rest_cl: IntArray
    flaws: Regions
    regions: Regions


@dataclass(frozen=True)
class MaskFacts:
    """The same of n images."""

    truth_nc: IntArray
    marked_nc: IntArray
    both_nc: IntArray
    shown_ncl: npt.NDArray[np.uint32]
    rest_ncl: npt.NDArray[np.uint32]
    flaws: Regions
    regions: Regions

    def __len__(self) -> int:
        return len(self.truth_nc)

    @property
    def classes(self) -> int:
        """The number of classes, k."""
        return int(self.truth_nc.shape[1]) - 1

    def of(self, chosen: Sequence[int], classes: Sequence[int]) -> MaskFacts:
        """The facts of some images, each at most once, in this order; the classes in another order as well."""
        columns, kind_k = [*classes, self.classes], np.argsort(classes)
        place_n = np.full(len(self), -1)
        place_n[chosen] = np.arange(len(chosen))

        def kept(side: Regions) -> Regions:
            some = side.of(np.asarray(place_n[side.image] >= 0))
            return replace(some, kind=kind_k[some.kind], image=place_n[some.image])

        return MaskFacts(
            truth_nc=self.truth_nc[chosen][:, columns],
            marked_nc=self.marked_nc[chosen][:, columns],
            both_nc=self.both_nc[chosen][:, columns],
            shown_ncl=self.shown_ncl[chosen][:, columns],
            rest_ncl=self.rest_ncl[chosen][:, columns],
            flaws=kept(self.flaws),
            regions=kept(self.regions),
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All of it as named arrays, to be stored."""
        own = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in SIDES}
        return own | {
            f"{side}_{each.name}": getattr(getattr(self, side), each.name) for side in SIDES for each in fields(Regions)
        }

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> MaskFacts:
        """The facts that `arrays` gave.

        Raises:
            KeyError: an array is missing.
        """
        flaws, regions = (Regions(*(arrays[f"{side}_{each.name}"] for each in fields(Regions))) for side in SIDES)
        names = ("truth_nc", "marked_nc", "both_nc", "shown_ncl", "rest_ncl")
        truth_nc, marked_nc, both_nc, shown_ncl, rest_ncl = (arrays[name] for name in names)
        return cls(truth_nc, marked_nc, both_nc, shown_ncl, rest_ncl, flaws, regions)


def image_facts(truth_khw: BoolArray, marked_khw: BoolArray, level_khw: LevelArray) -> ImageFacts:
    """Count one image.

    >>> truth = np.array([[[True, True, False]]])
    >>> facts = image_facts(truth, np.array([[[False, True, True]]]), np.array([[[90, 200, 180]]], dtype=np.uint8))
    >>> facts.truth_c.tolist(), facts.both_c.tolist(), facts.flaws.covered.tolist()
    ([2, 2], [1, 1], [0.5])

    Raises:
        ValueError: the shapes or types do not fit.
    """
    if not truth_khw.shape == marked_khw.shape == level_khw.shape or truth_khw.ndim != 3:
        shapes = truth_khw.shape, marked_khw.shape, level_khw.shape
        raise ValueError(f"expected truth, marks and levels of one shape k x h x w, got {shapes}")
    if truth_khw.dtype != np.bool_ or marked_khw.dtype != np.bool_ or level_khw.dtype != np.uint8:
        raise ValueError(f"expected bool, bool, uint8, got {truth_khw.dtype}, {marked_khw.dtype}, {level_khw.dtype}")
    truth_c, marked_c = _with_any(truth_khw), _with_any(marked_khw)
    level_c = [*level_khw, level_khw.max(axis=0)]
    shown_cl = np.stack([_levels(level_hw[truth_hw]) for level_hw, truth_hw in zip(level_c, truth_c, strict=True)])
    both = [np.count_nonzero(truth_hw & marked_hw) for truth_hw, marked_hw in zip(truth_c, marked_c, strict=True)]
    return ImageFacts(
        truth_c=np.array([np.count_nonzero(truth_hw) for truth_hw in truth_c], dtype=np.int64),
        marked_c=np.array([np.count_nonzero(marked_hw) for marked_hw in marked_c], dtype=np.int64),
        both_c=np.array(both, dtype=np.int64),
        shown_cl=shown_cl,
        rest_cl=np.stack([_levels(level_hw) for level_hw in level_c]) - shown_cl,
        flaws=_regions(truth_khw, marked_c),
        regions=_regions(marked_khw, truth_c),
    )


def gathered(images: Iterable[ImageFacts]) -> MaskFacts:
    """The facts of all images as one; they are numbered in this order.

    Raises:
        ValueError: there is no image.
    """
    facts = list(images)
    if not facts:
        raise ValueError("no image was counted")
    return MaskFacts(
        truth_nc=np.stack([each.truth_c for each in facts]),
        marked_nc=np.stack([each.marked_c for each in facts]),
        both_nc=np.stack([each.both_c for each in facts]),
        shown_ncl=np.stack([each.shown_cl.astype(np.uint32) for each in facts]),
        rest_ncl=np.stack([each.rest_cl.astype(np.uint32) for each in facts]),
        flaws=_joined([each.flaws for each in facts]),
        regions=_joined([each.regions for each in facts]),
    )


def appended(parts: Sequence[MaskFacts]) -> MaskFacts:
    """The facts of several sets of images, one after the other."""
    first_p = np.cumsum([0, *(len(part) for part in parts)])
    arrays = [part.arrays() for part in parts]
    for each, first in zip(arrays, first_p, strict=False):
        for side in SIDES:
            each[f"{side}_image"] = each[f"{side}_image"] + first
    return MaskFacts.of_arrays({name: np.concatenate([each[name] for each in arrays]) for name in arrays[0]})


def _joined(parts: list[Regions]) -> Regions:
    image = np.repeat(np.arange(len(parts), dtype=np.int64), [len(part) for part in parts])
    return Regions(
        np.concatenate([part.kind for part in parts]),
        np.concatenate([part.area for part in parts]),
        np.concatenate([part.covered for part in parts]),
        np.concatenate([part.covered_any for part in parts]),
        image,
    )


def _with_any(mask_khw: BoolArray) -> list[BoolArray]:
    """The mask of each class, and that of any: views, as a copy of a large image with many classes is large."""
    return [*mask_khw, np.asarray(mask_khw.any(axis=0))]


def _levels(level: LevelArray) -> IntArray:
    """How many pixels have each level; some at a time, as `bincount` makes eight bytes of each."""
    flat = level.ravel()
    found_l = np.zeros(LEVELS, dtype=np.int64)
    for start in range(0, flat.size, AT_ONCE):
        found_l += np.bincount(flat[start : start + AT_ONCE], minlength=LEVELS)
    return found_l


def _regions(mask_khw: BoolArray, other_c: Sequence[BoolArray]) -> Regions:
    """The regions of each class of one side, and how far the other side covers them."""
    found = [_of_class(k, mask_hw, (other_c[k], other_c[-1])) for k, mask_hw in enumerate(mask_khw) if mask_hw.any()]
    if found:
        joined = _joined(found)
        return replace(joined, image=np.zeros(len(joined), dtype=np.int64))
    return _of_class(0, mask_khw[0], (other_c[0], other_c[-1]))


def _of_class(k: int, mask_hw: BoolArray, others: Sequence[BoolArray]) -> Regions:
    number_p = components(mask_hw)[mask_hw]
    area = np.bincount(number_p, minlength=1)[1:]
    covered, covered_any = (np.bincount(number_p, other_hw[mask_hw], 1)[1:] / area for other_hw in others)
    nowhere = np.zeros(len(area), dtype=np.int64)
    return Regions(nowhere + k, area.astype(np.int64), covered, covered_any, nowhere)
