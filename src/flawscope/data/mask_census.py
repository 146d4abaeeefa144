"""What the masks of a data set show: images, flaws and pixels of each class, sizes of flaws, how many an image has.

A flaw is a connected region of one class; pixels that touch at corners are connected. Letters: k classes, h x w pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.data.progress import on_all_cores
from flawscope.masks import components, decode_rle
from flawscope.records import BoolArray, Masks, Samples

MANY = 5
"""So many flaws of an image, and more, count as one in the table."""
STEPS = 3
"""Bars of the histogram of sizes in each factor of ten."""

Areas = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Shown:
    """The areas of the flaws of each class of one image, its pixels, and those that show several classes."""

    area_k: tuple[Areas, ...]
    pixels: int
    overlap: int


def mask_facts(samples: Samples) -> dict[str, Any] | None:
    """Plain data for JSON and pages; none where the data have no masks."""
    masks = [row.masks for row in samples.rows if row.masks is not None]
    if not masks:
        return None
    shown = list(on_all_cores(_look_at, masks, "looking at masks"))
    total = sum(each.pixels for each in shown)
    flaws = Counter(sum(len(area_n) for area_n in each.area_k) for each in shown)
    classes = Counter(sum(len(area_n) > 0 for area_n in each.area_k) for each in shown)
    areas = [np.concatenate([each.area_k[k] for each in shown]) for k in range(len(samples.task.classes))]
    return {
        "pixels_are": samples.task.pixels,
        "images": len(masks),
        "flawed": len(masks) - classes[0],
        "pixels": total,
        "overlap": sum(each.overlap for each in shown),
        "classes": [
            _class_facts(name, areas[k], [each for each in shown if len(each.area_k[k])], total)
            for k, name in enumerate(samples.task.classes)
        ],
        "flaws_per_image": {
            **{str(n): flaws[n] for n in range(MANY)},
            f"{MANY} or more": sum(images for n, images in flaws.items() if n >= MANY),
        },
        "most_flaws": max(flaws),
        "classes_per_image": {str(n): images for n, images in sorted(classes.items())},
        "sizes": _histograms(samples.task.classes, areas),
    }


def _look_at(masks: Masks) -> _Shown:
    shown = [decode_rle(code, masks.height, masks.width) for code in masks.codes if code]
    areas = iter([_areas(mask_hw) for mask_hw in shown])
    area_k = tuple(next(areas) if code else np.zeros(0, dtype=np.int64) for code in masks.codes)
    overlap = int((np.sum(shown, axis=0) > 1).sum()) if len(shown) > 1 else 0
    return _Shown(area_k, masks.height * masks.width, overlap)


def _areas(mask_hw: BoolArray) -> Areas:
    """The pixels of each flaw. Looked at is only what lies between the first and the last flawed row and column."""
    rows, columns = (np.flatnonzero(mask_hw.any(axis=axis)) for axis in (1, 0))
    within_hw = mask_hw[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.bincount(components(within_hw).ravel())[1:]


def _class_facts(name: str, area_n: Areas, shown: Sequence[_Shown], total: int) -> dict[str, Any]:
    """One class: `within` is its share of the pixels of the images that show it; sizes are pixels of one flaw."""
    pixels = int(area_n.sum())
    sizes = np.quantile(area_n, (0, 0.1, 0.5, 0.9, 1), method="inverted_cdf").tolist() if len(area_n) else [0] * 5
    return {
        "name": name,
        "images": len(shown),
        "flaws": len(area_n),
        "pixels": pixels,
        "share": pixels / total,
        "within": pixels / max(1, sum(each.pixels for each in shown)),
        **dict(zip(("smallest", "10 %", "median", "90 %", "largest"), map(int, sizes), strict=True)),
    }


def _histograms(names: Sequence[str], areas: Sequence[Areas]) -> dict[str, Any]:
    """How many flaws of each class are how large, in steps of equal factors."""
    largest = max((int(area_n.max()) for area_n in areas if len(area_n)), default=1)
    edges = 10 ** (np.arange(int(np.ceil(STEPS * np.log10(largest + 1))) + 1) / STEPS)
    counts = {name: np.histogram(area_n, edges)[0].tolist() for name, area_n in zip(names, areas, strict=True)}
    return {"edges": edges.round(2).tolist(), "counts": counts}
