"""From the levels of a picture to its flaws: the one decision about pixels.

The fit of thresholds and least areas, the measures and the runtime call the same functions. Shapes: k classes, h x w
pixels; q maps (k, and the background first where classes exclude each other). Levels are probabilities in 256 steps,
see `MaskRule`.

Beside levels and masks, of k bytes a pixel each, one map of numbers is held, of 4 bytes a pixel of the box that holds
all of a class: at 20,000 x 4,000 pixels at most 320 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.bundle.rules import MaskRule
from flawscope.masks import areas, bands, components, flaws
from flawscope.records import BoolArray, FoundFlaw, PixelKind

Levels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
STEPS = 256
"""Of a probability; level / STEPS is the least probability that has the level."""


def levels_of(probability: npt.NDArray[Any]) -> Levels:
    """Probabilities in 256 steps: min(255, floor(256 p)).

    >>> levels_of(np.array([0.0, 0.00390625, 0.5, 1.0])).tolist()
    [0, 1, 128, 255]
    """
    return np.asarray(np.minimum(probability * STEPS, STEPS - 1), dtype=np.uint8)


def probabilities(logit_qhw: Floats, pixels: PixelKind) -> Floats:
    """The probabilities of maps of logits: softmax where classes exclude each other, else a sigmoid each.

    >>> probabilities(np.zeros((2, 1, 1), dtype=np.float32), "multiclass").ravel().tolist()
    [0.5, 0.5]
    """
    from scipy import special

    found_qhw: Floats = special.softmax(logit_qhw, axis=0) if pixels == "multiclass" else special.expit(logit_qhw)
    return found_qhw


def levels_in(map_qhw: Floats, pixels: PixelKind) -> Levels:
    """The levels of probabilities, k x h x w; where classes exclude each other, of the most probable answer only.

    >>> levels_in(np.array([[[0.5, 0.2]], [[0.25, 0.3]], [[0.25, 0.5]]], dtype=np.float32), "multiclass").tolist()
    [[[0, 0]], [[0, 128]]]
    """
    if pixels != "multiclass":
        return levels_of(map_qhw)
    level_khw = levels_of(map_qhw[1:])
    level_khw[map_qhw.argmax(axis=0) != np.arange(1, len(map_qhw))[:, None, None]] = 0
    return level_khw


def marked(level_khw: Levels, rule: MaskRule) -> BoolArray:
    """The pixels of flaws, k x h x w: those that reach the threshold, without regions below the least area.

    >>> rule = MaskRule(levels=(128,), min_areas=(2,))
    >>> marked(np.array([[[200, 0, 128], [0, 128, 0], [0, 0, 0]]], dtype=np.uint8), rule).astype(int).tolist()
    [[[1, 0, 1], [0, 1, 0], [0, 0, 0]]]
    >>> marked(np.array([[[200, 0, 128], [0, 127, 0], [0, 0, 0]]], dtype=np.uint8), rule).any()
    np.False_
    """
    if level_khw.ndim != 3 or level_khw.dtype != np.uint8 or len(level_khw) != len(rule.levels):
        raise ValueError(
            f"expected uint8 levels of {len(rule.levels)} classes, got {level_khw.dtype} {level_khw.shape}"
        )
    mask_khw = np.empty(level_khw.shape, dtype=np.bool_)
    for mask_hw, level_hw, least, min_area in zip(mask_khw, level_khw, rule.levels, rule.min_areas, strict=True):
        np.greater_equal(level_hw, least, out=mask_hw)
        drop_small(mask_hw, min_area)
    return mask_khw


def drop_small(mask_hw: BoolArray, min_area: int) -> None:
    """Clear the connected regions of fewer pixels, in place."""
    rows, columns = _box(mask_hw)
    inner_hw = mask_hw[rows, columns]
    if min_area <= 1 or not inner_hw.size:
        return
    label_hw = components(inner_hw)
    keep_n = areas(label_hw) >= min_area
    keep_n[0] = False
    for part in bands(label_hw):
        inner_hw[part] = keep_n[label_hw[part]]


def found(level_khw: Levels, mask_khw: BoolArray, classes: Sequence[str]) -> tuple[FoundFlaw, ...]:
    """The flaws of the masks that `marked` gives: class by class, in each from the top on.

    The score of a flaw is the mean of its levels as a probability.

    >>> found(np.array([[[200, 0], [0, 100]]], dtype=np.uint8), np.array([[[1, 0], [0, 1]]], dtype=bool), ["hole"])
    (FoundFlaw(name='hole', area=2, box=(0, 0, 2, 2), centroid=(1.0, 1.0), score=0.5859375),)
    """
    every: list[FoundFlaw] = []
    for name, level_hw, mask_hw in zip(classes, level_khw, mask_khw, strict=True):
        rows, columns = _box(mask_hw)
        label_hw = components(mask_hw[rows, columns])
        sum_n = np.zeros(int(label_hw.max(initial=0)) + 1)
        for part in bands(label_hw):
            of_part = level_hw[rows, columns][part].ravel()
            sum_n += np.bincount(label_hw[part].ravel(), weights=of_part, minlength=len(sum_n))
        x, y = columns.start, rows.start
        for flaw, total in zip(flaws(label_hw), sum_n[1:].tolist(), strict=True):
            left, top, right, bottom = flaw.box
            every.append(
                FoundFlaw(
                    name=name,
                    area=flaw.area,
                    box=(left + x, top + y, right + x, bottom + y),
                    centroid=(flaw.centroid[0] + x, flaw.centroid[1] + y),
                    score=total / flaw.area / STEPS,
                )
            )
    return tuple(every)


def highest(level_khw: Levels) -> tuple[float, ...]:
    """The highest probability of a pixel for each class.

    >>> highest(np.array([[[64, 0]], [[0, 0]]], dtype=np.uint8))
    (0.25, 0.0)
    """
    return tuple((level_khw.reshape(len(level_khw), -1).max(axis=1, initial=0) / STEPS).tolist())


def _box(mask_hw: BoolArray) -> tuple[slice, slice]:
    """Rows and columns of the smallest box that holds all that is set."""
    rows, columns = (np.flatnonzero(mask_hw.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
