"""A picture of any size through a network that takes tiles of one size. Plain numpy.

Shapes: c channels, q maps (k classes, and the background where classes exclude each other), h x w pixels, t pixels of a
tile along one side.

Tiles overlap, and what they say is blended as probabilities, not as logits: a probability is bounded, so that a tile
which is wildly sure of its rim, where it knows least, cannot outvote its neighbour; and blended probabilities still
sum to one. Near its own border a tile has not seen what lies around, so the outer third of an overlap counts nothing
there; in the middle third the share of one tile falls smoothly while that of the other rises. So a network whose
answer depends on nothing farther away than a third of the overlap answers as it would to the whole picture. At the
picture's own border tiles count in full.

Memory: beside the picture and its levels one band of maps is held, q floats for each pixel of a tile's length along the
shorter side of the picture, and the maps of the tiles in work; never those of the whole picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.bundle.regions import Levels

Array = npt.NDArray[Any]
Maps = npt.NDArray[np.float32]
Look = Callable[[Array], Maps]
"""From a tile, c x t x t, to the probabilities of its pixels, q x t x t."""
Each = Callable[[Look, Iterable[Array]], Iterator[Maps]]
"""`map`, or what does the same on several threads."""


@dataclass(frozen=True)
class Places:
    """Where tiles lie along one side, and how much each counts there: the shares of a pixel's tiles sum to 1."""

    starts: tuple[int, ...]
    share_nt: Maps


def overlap_of(share: float, size: tuple[int, int]) -> tuple[int, int]:
    """The overlap in pixels (height, width) that is a share of a tile's size.

    >>> overlap_of(0.25, (256, 1600))
    (64, 400)
    """
    return round(share * size[0]), round(share * size[1])


def places(length: int, tile: int, overlap: int) -> Places:
    """As few tiles as cover a side with at least this overlap, evenly spread; the last one ends where the side ends.

    >>> places(10, 4, 1).starts
    (0, 3, 6)
    >>> places(10, 4, 1).share_nt.round(2).tolist()
    [[1.0, 1.0, 1.0, 0.5], [0.5, 1.0, 1.0, 0.5], [0.5, 1.0, 1.0, 1.0]]
    """
    if not 0 <= overlap < tile <= length:
        raise ValueError(f"tiles of {tile} with an overlap of {overlap} do not cover {length}")
    n = max(1, -(-(length - overlap) // (tile - overlap)))
    starts = tuple(i * (length - tile) // max(1, n - 1) for i in range(n))
    weight_nt = np.ones((n, tile))
    for i in range(n - 1):
        shared = starts[i] + tile - starts[i + 1]
        rise = _rise(shared)
        weight_nt[i + 1, :shared] *= rise
        weight_nt[i, tile - shared :] *= rise[::-1]
    total = np.zeros(length)
    for start, weight_t in zip(starts, weight_nt, strict=True):
        total[start : start + tile] += weight_t
    share_nt = np.stack([weight_t / total[s : s + tile] for s, weight_t in zip(starts, weight_nt, strict=True)])
    return Places(starts, share_nt.astype(np.float32))


def _rise(shared: int) -> npt.NDArray[np.float64]:
    """How much a tile counts in an overlap, from its border inwards: nothing in the outer third, then it rises."""
    outer = shared // 3
    step = (np.arange(shared) - outer + 0.5) / max(1, shared - 2 * outer)
    return np.asarray(np.sin(np.clip(step, 0, 1) * np.pi / 2) ** 2)


def padded(image_chw: Array, size: tuple[int, int]) -> tuple[Array, slice, slice]:
    """A picture that is at least as large as a tile, its border repeated, and where the picture lies in it.

    >>> padded(np.array([[[1, 2]]]), (1, 5))[0].tolist()
    [[[1, 1, 2, 2, 2]]]
    """
    _, height, width = image_chw.shape
    (top, bottom), (left, right) = (_missing(side, least) for side, least in zip((height, width), size, strict=True))
    inner = slice(top, top + height), slice(left, left + width)
    if not top + bottom + left + right:
        return image_chw, *inner
    return np.pad(image_chw, ((0, 0), (top, bottom), (left, right)), mode="edge"), *inner


def _missing(side: int, least: int) -> tuple[int, int]:
    lacking = max(0, least - side)
    return lacking // 2, lacking - lacking // 2


def tiled(
    image_chw: Array,
    size: tuple[int, int],
    overlap: tuple[int, int],
    look: Look,
    finish: Callable[[Maps], Levels],
    *,
    each: Each = map,
) -> Levels:
    """What a network says of a picture of any size.

    Args:
        image_chw: the picture.
        size: height and width of a tile.
        overlap: of neighbours at least, in pixels of height and width.
        look: the network.
        finish: from the blended probabilities of some rows, q x rows x w, to their levels, k x rows x w.
        each: applies `look` to the tiles of a row of them, in order.

    >>> def look(tile_chw: Array) -> Maps:
    ...     return tile_chw / np.float32(255)
    >>> tiled(np.full((1, 3, 9), 255, np.uint8), (4, 4), (1, 1), look, lambda map_qhw: map_qhw.astype(np.uint8)).sum()
    np.uint64(27)
    """
    whole_chw, rows, columns = padded(image_chw, size)
    height, width = whole_chw.shape[1:]
    across = width > height  # bands lie across the longer side, so that they are short
    if across:
        whole_chw, size, overlap = whole_chw.swapaxes(1, 2), size[::-1], overlap[::-1]

    def upright(tile_chw: Array) -> Maps:
        tile = tile_chw.swapaxes(1, 2) if across else tile_chw
        map_qhw = look(np.ascontiguousarray(tile))
        return map_qhw.swapaxes(1, 2) if across else map_qhw

    level_khw: Levels | None = None
    for top, map_qhw in _bands(whole_chw, size, overlap, upright, each):
        part_khw = finish(map_qhw)
        if level_khw is None:
            level_khw = np.empty((len(part_khw), height, width), dtype=np.uint8)
        laid_khw = level_khw.swapaxes(1, 2) if across else level_khw
        laid_khw[:, top : top + part_khw.shape[1]] = part_khw
    assert level_khw is not None  # there is at least one band
    return np.ascontiguousarray(level_khw[:, rows, columns])


def _bands(
    image_chw: Array, size: tuple[int, int], overlap: tuple[int, int], look: Look, each: Each
) -> Iterator[tuple[int, Maps]]:
    """Rows that no later tile adds to, from the top on: the first row, and their blended maps, valid until the next."""
    (high, wide), (height, width) = size, image_chw.shape[1:]
    rows, columns = places(height, high, overlap[0]), places(width, wide, overlap[1])
    band_qhw: Maps | None = None
    for top, following, share_h in zip(rows.starts, (*rows.starts[1:], height), rows.share_nt, strict=True):
        strip_chw = image_chw[:, top : top + high]
        tiles = (strip_chw[:, :, left : left + wide] for left in columns.starts)
        for left, share_w, map_qhw in zip(columns.starts, columns.share_nt, each(look, tiles), strict=True):
            if band_qhw is None:
                band_qhw = np.zeros((len(map_qhw), high, width), dtype=np.float32)
            band_qhw[:, :, left : left + wide] += map_qhw * (share_h[:, None] * share_w)
        assert band_qhw is not None  # there is at least one tile
        ready = following - top
        yield top, band_qhw[:, :ready]
        band_qhw[:, : high - ready] = band_qhw[:, ready:]
        band_qhw[:, high - ready :] = 0
