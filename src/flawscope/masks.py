"""Run-length code <-> mask, and the connected flaws of a mask.

The code is that of Kaggle's contests, Severstal's among them: pairs of start and length, counted from 1, down the
columns from the left one on. Shapes: h x w pixels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from flawscope.errors import DataError
from flawscope.metadata import missing
from flawscope.records import BoolArray, Masks

IntArray = npt.NDArray[np.int64]
LabelArray = npt.NDArray[np.int32]

REMEDY = "expected pairs of start and length, down the columns, counted from 1, in order and apart: 1 3 10 5"
BAND = 1 << 20
_OF_NUMBERS = b"0123456789 \t\r\n"


@dataclass(frozen=True)
class Flaw:
    """One connected flaw. A pixel is a square of side 1, and (0, 0) the upper left corner of the image.

    `box` is (left, top, right, bottom), right and bottom just beyond the last pixel; `centroid` is (x, y), the mean of
    the centres of its pixels, so that a single pixel in the corner has (0.5, 0.5).
    """

    area: int
    box: tuple[int, int, int, int]
    centroid: tuple[float, float]

    def __post_init__(self) -> None:
        left, top, right, bottom = self.box
        x, y = self.centroid
        if not 0 < self.area <= (right - left) * (bottom - top):
            raise ValueError(f"the area of a flaw lies between 1 and that of its box {self.box}, got {self.area}")
        if not (left < x < right and top < y < bottom):
            raise ValueError(f"the centroid of a flaw lies in its box {self.box}, got {self.centroid}")


def no_mask(code: object) -> bool:
    """Whether a cell says that there is nothing: empty, a word such as NaN, or -1, as contests have it.

    >>> no_mask(""), no_mask(float("nan")), no_mask("-1"), no_mask(-1), no_mask("1 3")
    (True, True, True, True, False)
    """
    if code is None:
        return True
    if isinstance(code, Real):
        return code == -1 or math.isnan(code)
    return missing(str(code)) or str(code).strip() == "-1"


def is_rle(text: str) -> bool:
    """Whether a text is a run-length code of some image, however large: see `decode_rle`.

    >>> is_rle("1 3 10 5"), is_rle("10 5 1 3"), is_rle("1 3 10"), is_rle("ok"), is_rle("")
    (True, False, False, False, False)
    """
    if text.encode(errors="replace").translate(None, _OF_NUMBERS) or not text.strip():
        return False
    try:
        _edges(text, np.iinfo(np.int64).max, 1, "")
    except DataError:
        return False
    return True


def decode_rle(code: str | float | None, height: int, width: int, where: str = "run-length code") -> BoolArray:
    """The mask of a run-length code, height x width; nothing is set where the cell says that there is no mask.

    Runs may go on in the next column and may touch each other. `where` is what messages call the code.

    Raises:
        DataError: an odd number of words, a word that is no whole number, a start before the first pixel or a length
            of nothing, a run beyond the image, runs that overlap or are not in order.

    >>> decode_rle("1 2 6 1", height=3, width=2).astype(int).tolist()
    [[1, 0], [1, 0], [0, 1]]
    """
    text = str(code)
    other = text.encode(errors="replace").translate(None, _OF_NUMBERS)
    if not other and text.strip():
        edges = _edges(text, height, width, where)
    elif no_mask(code):
        edges = np.zeros(0, dtype=np.int64)
    else:
        _refuse_words(text, where)
    return filled(edges, height * width).reshape(width, height).T


def filled(edges: IntArray, n: int) -> BoolArray:
    """A row of n pixels: off up to the first edge, on up to the second, and so on. Edges count from 0 and only rise.

    >>> filled(np.array([1, 3, 3, 4]), 5).astype(int).tolist()
    [0, 1, 1, 1, 0]
    """
    flat = np.zeros(n, dtype=np.bool_)
    if len(edges):
        # Most is off, before the first edge and behind the last: to clear that is faster than to repeat it.
        first, last = int(edges[0]), int(edges[-1])
        on = np.zeros(len(edges) - 1, dtype=np.bool_)
        on[::2] = True
        flat[first:last] = on.repeat(edges[1:] - edges[:-1])
        if len(edges) % 2:
            flat[last:] = True
    return flat


def encode_rle(mask_hw: BoolArray) -> str:
    """The run-length code of a mask: the shortest one, empty where nothing is set.

    >>> encode_rle(np.array([[True, False], [True, False], [False, True]]))
    '1 2 6 1'
    """
    if mask_hw.ndim != 2 or mask_hw.dtype != np.bool_:
        raise ValueError(f"expected a boolean mask, height x width, got {mask_hw.dtype} of shape {mask_hw.shape}")
    flawed = np.flatnonzero(mask_hw.any(axis=0))
    if not flawed.size:
        return ""
    first, last = flawed[0], flawed[-1] + 1  # only what lies between is looked at
    edges = _changes(mask_hw[:, first:last]) + first * len(mask_hw)
    edges[1::2] -= edges[::2]
    edges[::2] += 1
    return str(edges.tolist())[1:-1].replace(",", "")


def _changes(mask_hw: BoolArray) -> IntArray:
    """Where a mask changes down the columns, counted from 0: the first pixel of each run, and the first one behind it.

    Masks that lie in rows are compared row by row: to turn them into columns first would take longer.
    """
    height, width = mask_hw.shape
    if mask_hw.flags.f_contiguous:
        return np.flatnonzero(np.diff(mask_hw.ravel(order="F"), prepend=False, append=False))
    changed_hw = np.empty((height, width), dtype=np.bool_)
    np.not_equal(mask_hw[1:], mask_hw[:-1], out=changed_hw[1:])
    changed_hw[0, 0] = mask_hw[0, 0]
    np.not_equal(mask_hw[0, 1:], mask_hw[-1, :-1], out=changed_hw[0, 1:])  # a run may go on in the next column
    row, column = np.divmod(np.flatnonzero(changed_hw), width)
    changes = np.sort(column * height + row)
    return np.append(changes, height * width) if mask_hw[-1, -1] else changes


def masks_of(mask_khw: BoolArray) -> Masks:
    """The codes of the masks of all classes of an image.

    >>> masks_of(np.array([[[True, False]], [[False, False]]]))
    Masks(height=1, width=2, codes=('1 1', ''))
    """
    _, height, width = mask_khw.shape
    return Masks(height, width, tuple(encode_rle(mask_hw) for mask_hw in mask_khw))


def mask_array(masks: Masks) -> BoolArray:
    """The masks of all classes of an image, k x h x w.

    >>> mask_array(Masks(1, 2, ("1 1", ""))).astype(int).tolist()
    [[[1, 0]], [[0, 0]]]
    """
    mask_khw = np.zeros((len(masks.codes), masks.height, masks.width), dtype=np.bool_)
    for mask_hw, code in zip(mask_khw, masks.codes, strict=True):
        if code:
            mask_hw[...] = decode_rle(code, masks.height, masks.width)
    return mask_khw


def _edges(code: str, height: int, width: int, where: str) -> IntArray:
    """Where the mask changes, counted from 0: the first pixel of each run, and the first one behind it."""
    numbers = np.fromstring(code, dtype=np.int64, sep=" ")  # too large a number becomes the largest one
    if numbers.size % 2:
        raise DataError(f"{where}: {numbers.size} numbers, the last start has no length", REMEDY)
    edges = numbers - 1
    edges[1::2] += numbers[::2]
    # One look at all is enough for most codes: edges rise. A sum that overflowed is negative, so that they would not.
    if not ((edges[1:] > edges[:-1]).all() and edges[0] >= 0 and edges[-1] <= height * width):
        _check_runs(numbers[::2], numbers[1::2], height, width, where)
    return edges


def _check_runs(start: IntArray, length: IntArray, height: int, width: int, where: str) -> None:
    """Refuse the first bad run. Runs that touch are not bad.

    Raises:
        DataError: there is one.
    """
    n = height * width
    _refuse(start < 1, "starts before the first pixel, which is 1", start, length, where)
    _refuse(length < 1, "has no length", start, length, where)
    beyond = (start > n) | (length > n)  # first, so that the sum cannot overflow
    if not beyond.any():
        beyond = start + length - 1 > n
    _refuse(beyond, f"reaches beyond the image of {height} x {width} = {n} pixels", start, length, where)
    behind = np.zeros(len(start), dtype=np.bool_)
    behind[1:] = start[1:] < (start + length)[:-1]
    _refuse(behind, "starts before the run ahead of it ends: overlapping or not in order", start, length, where)


def _refuse(bad: BoolArray, what: str, start: IntArray, length: IntArray, where: str) -> None:
    """Raise for the first bad run, and say how many there are."""
    if bad.any():
        first = int(bad.argmax())
        more = f" ({int(bad.sum())} such runs)" if bad.sum() > 1 else ""
        raise DataError(f"{where}: run {first + 1} ({start[first]} {length[first]}) {what}{more}", REMEDY)


def _refuse_words(code: str, where: str) -> NoReturn:
    words = code.split()
    place, word = next((i, word) for i, word in enumerate(words) if not (word.isascii() and word.isdigit()))
    if re.fullmatch(r"-[0-9]+", word):
        what = "has no length" if place % 2 else "starts before the first pixel, which is 1"
        run = " ".join(words[place - place % 2 :][:2])
        raise DataError(f"{where}: run {place // 2 + 1} ({run[:60]}) {what}", REMEDY)
    raise DataError(f"{where}: word {place + 1}, {word[:30]!r}, is no whole number", REMEDY)


def components(mask_hw: BoolArray) -> LabelArray:
    """The number of its flaw for each pixel, from 1; 0 where there is none. Pixels that touch at corners are one.

    >>> components(np.array([[1, 0, 0, 0], [0, 1, 0, 1]], dtype=bool)).tolist()
    [[1, 0, 0, 0], [0, 1, 0, 2]]
    """
    from scipy import ndimage

    label_hw = np.empty(mask_hw.shape, dtype=np.int32)
    ndimage.label(mask_hw, structure=np.ones((3, 3)), output=label_hw)
    return label_hw


def bands(label_hw: LabelArray) -> Iterator[slice]:
    """Rows of some `BAND` pixels at a time, so that what is reckoned of each pixel stays small.

    >>> list(bands(np.zeros((3, BAND), dtype=np.int32)))
    [slice(0, 1, None), slice(1, 2, None), slice(2, 3, None)]
    """
    height, width = label_hw.shape
    rows = max(1, BAND // max(1, width))
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))


def areas(label_hw: LabelArray) -> IntArray:
    """The pixels of each flaw that `components` has numbered, and of what is none first.

    >>> areas(components(np.array([[1, 0, 0, 0], [0, 1, 0, 1]], dtype=bool))).tolist()
    [5, 2, 1]
    """
    n = int(label_hw.max(initial=0)) + 1
    area_n = np.zeros(n, dtype=np.int64)
    for rows in bands(label_hw):
        band_hw = label_hw[rows]
        area_n += np.bincount(band_hw[band_hw > 0], minlength=n)  # few pixels are flawed
    area_n[0] = label_hw.size - area_n.sum()
    return area_n


def flaws(label_hw: LabelArray) -> tuple[Flaw, ...]:
    """What is to be said of each flaw that `components` has numbered, in the order of the numbers.

    >>> flaws(components(np.array([[1, 0, 0, 0], [0, 1, 0, 1]], dtype=bool)))[0]
    Flaw(area=2, box=(0, 0, 2, 2), centroid=(1.0, 1.0))
    """
    from scipy import ndimage

    n = int(label_hw.max(initial=0)) + 1
    area_n = np.zeros(n, dtype=np.int64)
    sum_x_n, sum_y_n = np.zeros(n), np.zeros(n)
    for rows in bands(label_hw):
        y_m, x_m = np.nonzero(label_hw[rows])
        number_m = label_hw[rows][y_m, x_m]
        area_n += np.bincount(number_m, minlength=n)
        sum_x_n += np.bincount(number_m, weights=x_m + 0.5, minlength=n)
        sum_y_n += np.bincount(number_m, weights=y_m + (rows.start + 0.5), minlength=n)
    if n == 1:
        return ()
    centre_x, centre_y = sum_x_n[1:] / area_n[1:], sum_y_n[1:] / area_n[1:]
    boxes = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(label_hw)]
    found = zip(area_n[1:].tolist(), boxes, centre_x.tolist(), centre_y.tolist(), strict=True)
    return tuple(Flaw(size, box, (x, y)) for size, box, x, y in found)
