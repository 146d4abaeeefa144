"""The run-length codes of COCO files <-> mask: counts of pixels off, on, off, ..., down the columns; plain or packed.

Packed counts are text: from the fourth on each count is told as its difference to the one two before, in groups of 5
bits, the lowest first; each group is a character from "0" (48) on, and 32 is added where another group follows.
Source: `rleToString` in common/maskApi.c of the COCO API (BSD licence). pycocotools reads the same text, but hands out
memory that was never written where counts are missing, so that they would have to be read and checked first anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from flawscope.errors import DataError
from flawscope.masks import filled
from flawscope.records import BoolArray

IntArray = npt.NDArray[np.int64]

LONGEST = 7
"""Groups of 5 bits that one number may have: beyond any image, and sums of it cannot overflow."""
_REMEDY = "export the annotations again"


def decode_counts(counts: str | Sequence[int], height: int, width: int, where: str = "counts") -> BoolArray:
    """The mask of COCO's counts: a list of numbers, or packed into text. `where` is what messages call them.

    Raises:
        DataError: no numbers, text that is not packed counts or breaks off, negative counts, or another sum than the
            number of pixels.

    >>> decode_counts([1, 2, 3], height=3, width=2).astype(int).tolist()
    [[0, 0], [1, 0], [1, 0]]
    >>> decode_counts("123", height=3, width=2).astype(int).tolist()
    [[0, 0], [1, 0], [1, 0]]
    """
    count_n = _unpacked(counts, where) if isinstance(counts, str) else _listed(counts, where)
    if (count_n < 0).any():
        raise DataError(f"{where}: count {int((count_n < 0).argmax()) + 1} is negative", _REMEDY)
    n = height * width
    if (count_n > n).any() or count_n.sum() != n:
        total = sum(count_n.tolist())
        raise DataError(f"{where}: the counts add up to {total:,} pixels, not to {height} x {width} = {n:,}", _REMEDY)
    return filled(np.cumsum(count_n)[:-1], n).reshape(width, height).T


def encode_counts(mask_hw: BoolArray) -> str:
    """The packed counts of a mask.

    >>> encode_counts(np.array([[False, False], [True, False], [True, False]]))
    '123'
    """
    flat = mask_hw.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat, prepend=False)) if flat.size else np.zeros(0, dtype=np.int64)
    return _packed(np.diff(changes, prepend=0, append=flat.size))


def encode_part(inner_hw: BoolArray, left: int, top: int, height: int, width: int) -> str:
    """The packed counts of a mask of height x width that is empty but for a part of it, which is given and not empty.

    >>> encode_part(np.array([[True], [True]]), left=0, top=1, height=3, width=2)
    '123'
    """
    h, w = inner_hw.shape
    apart = np.zeros((w, h + 1), dtype=np.bool_)  # a row below, so that no run goes on in the next column
    apart[:, :h] = inner_hw.T
    column, row = np.divmod(np.flatnonzero(np.diff(apart.ravel(), prepend=False)), h + 1)
    changes = (column + left) * height + row + top
    # Where the part is as high as the mask, a run may end where the next one starts: they are one.
    same = np.flatnonzero(changes[1:-1:2] == changes[2::2])
    changes = np.delete(changes, np.concatenate([2 * same + 1, 2 * same + 2]))
    if changes[-1] == height * width:
        return _packed(np.diff(changes, prepend=0))
    return _packed(np.diff(changes, prepend=0, append=height * width))


def _packed(count_n: IntArray) -> str:
    rest_n = count_n.copy()
    rest_n[3:] -= count_n[1:-2]
    groups = []
    open_n = np.ones(len(rest_n), dtype=np.bool_)
    while open_n.any():
        group_n = rest_n & 31
        rest_n = rest_n >> 5
        follows_n = open_n & (rest_n != np.where(group_n & 16, -1, 0))
        groups.append(np.where(open_n, group_n + 32 * follows_n + 48, 0))
        open_n = follows_n
    characters = np.stack(groups, axis=1).astype(np.uint8)
    return characters[characters > 0].tobytes().decode("ascii")


def _listed(counts: Sequence[int], where: str) -> IntArray:
    # Whatever a JSON file may hold in their place is refused here.
    if not isinstance(counts, list | tuple) or not counts or not all(type(count) is int for count in counts):
        raise DataError(f"{where}: the counts are no list of whole numbers", _REMEDY)
    try:
        return np.array(counts, dtype=np.int64)
    except OverflowError:
        raise DataError(f"{where}: a count is beyond any image", _REMEDY) from None


def _unpacked(text: str, where: str) -> IntArray:
    # One number a character, also for those that have no business here.
    group_n = np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype="<u4").astype(np.int64) - 48
    wrong_n = (group_n < 0) | (group_n > 63)
    if wrong_n.any():
        place = int(wrong_n.argmax())
        raise DataError(f"{where}: character {place + 1}, {text[place]!r}, does not belong to packed counts", _REMEDY)
    if not len(group_n) or group_n[-1] & 32:
        raise DataError(f"{where}: the packed counts are {'cut off' if len(group_n) else 'empty'}", _REMEDY)
    last = np.flatnonzero((group_n & 32) == 0)
    first = np.concatenate(([0], last[:-1] + 1))
    length = last - first + 1
    if length.max() > LONGEST:
        raise DataError(f"{where}: number {int(length.argmax()) + 1} of the packed counts is beyond any image", _REMEDY)
    place_n = np.arange(len(group_n)) - np.repeat(first, length)
    value = np.add.reduceat((group_n & 31) << (5 * place_n), first)
    value -= ((group_n[last] & 16) >> 4) << (5 * length)  # the highest bit is the sign
    value[1::2] = np.cumsum(value[1::2])
    value[2::2] = np.cumsum(value[2::2])
    return value
