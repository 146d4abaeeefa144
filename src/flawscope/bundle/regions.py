"""From the levels of a picture to its flaws: the one decision about pixels.

The fit of thresholds and least areas, the measures and the runtime call the same functions. Shapes: k classes, h x w
pixels; q maps (k, and the background first where classes exclude each other). Levels are probabilities in 256 steps,
see `MaskRule`.

Memory: `segmented` holds, beside the levels of k bytes a pixel, the mask of one class, of one byte a pixel, and the
numbers of its flaws, of 4 bytes a pixel of the box that holds all of them. At 20,000 x 4,000 pixels and 4 classes that
is at most 320 + 400 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.bundle.rules import MaskRule
from flawscope.masks import LabelArray, areas, bands, components, encode_rle, flaws
from flawscope.records import BoolArray, FoundFlaw, Masks, PixelKind

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
        if min_area > 1:
            numbered(mask_hw, min_area)
    return mask_khw


def found(level_khw: Levels, mask_khw: BoolArray, classes: Sequence[str]) -> tuple[FoundFlaw, ...]:
    """The flaws of the masks that `marked` gives: class by class, in each from the top on.

    The score of a flaw is the mean of its levels as a probability.

    >>> found(np.array([[[200, 0], [0, 100]]], dtype=np.uint8), np.array([[[1, 0], [0, 1]]], dtype=bool), ["hole"])
    (FoundFlaw(name='hole', area=2, box=(0, 0, 2, 2), centroid=(1.0, 1.0), score=0.5859375),)
    """
    every = zip(classes, level_khw, mask_khw, strict=True)
    return tuple(flaw for name, level_hw, mask_hw in every for flaw in _of_class(name, level_hw, *numbered(mask_hw, 1)))


def segmented(level_khw: Levels, rule: MaskRule, classes: Sequence[str]) -> tuple[Masks, tuple[FoundFlaw, ...]]:
    """The masks that `marked` gives as run-length codes, and what `found` says of them; one class at a time.

    >>> rule = MaskRule(levels=(100,), min_areas=(1,))
    >>> segmented(np.array([[[200, 0], [0, 100]]], dtype=np.uint8), rule, ["hole"])[0]
    Masks(height=2, width=2, codes=('1 1 4 1',))
    """
    codes: list[str] = []
    every: list[FoundFlaw] = []
    for name, level_hw, least, min_area in zip(classes, level_khw, rule.levels, rule.min_areas, strict=True):
        mask_hw = level_hw >= least
        every += _of_class(name, level_hw, *numbered(mask_hw, min_area))
        codes.append(encode_rle(mask_hw))
    return Masks(level_khw.shape[1], level_khw.shape[2], tuple(codes)), tuple(every)


def numbered(mask_hw: BoolArray, min_area: int) -> tuple[LabelArray, slice, slice]:
    """The number of each flaw of `min_area` pixels at least, from 1; smaller ones are cleared in the mask.

    Numbers are given within the smallest box that holds all of the mask; its rows and columns come with them.
    """
    rows, columns = _box(mask_hw)
    inner_hw = mask_hw[rows, columns]
    label_hw = components(inner_hw)
    keep_n = areas(label_hw) >= min_area if min_area > 1 else np.ones(1, dtype=np.bool_)
    keep_n[0] = True
    if not keep_n.all():
        number_n = np.where(keep_n, np.cumsum(keep_n) - 1, 0).astype(np.int32)
        for part in bands(label_hw):
            label_hw[part] = number_n[label_hw[part]]
            inner_hw[part] = label_hw[part] > 0
    return label_hw, rows, columns


def _of_class(name: str, level_hw: Levels, label_hw: LabelArray, rows: slice, columns: slice) -> Iterator[FoundFlaw]:
    """What is to be said of the flaws that `numbered` has numbered."""
    total_n = np.zeros(int(label_hw.max(initial=0)) + 1)
    for part in bands(label_hw):
        of_part = label_hw[part] > 0
        number_m, level_m = label_hw[part][of_part], level_hw[rows, columns][part][of_part]
        total_n += np.bincount(number_m, weights=level_m, minlength=len(total_n))
    x, y = columns.start, rows.start
    for flaw, total in zip(flaws(label_hw), total_n[1:].tolist(), strict=True):
        left, top, right, bottom = flaw.box
        yield FoundFlaw(
            name=name,
            area=flaw.area,
            box=(left + x, top + y, right + x, bottom + y),
            centroid=(flaw.centroid[0] + x, flaw.centroid[1] + y),
            score=total / flaw.area / STEPS,
        )


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
