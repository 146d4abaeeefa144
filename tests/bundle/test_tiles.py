"""Tiles beside the whole picture: the same levels for networks of local reach; bounded memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from flawscope.bundle.tiles import Maps, overlap_of, padded, places, tiled
from flawscope.machine import on_threads

KERNEL = np.random.default_rng(3).uniform(0, 1, (5, 5)).astype(np.float32)
KERNEL /= KERNEL.sum()


def local(tile_chw: np.ndarray) -> Maps:
    """A 5 x 5 convolution that sees zeros beyond the tile, as a network does; a second map for the other classes."""
    one_hw = ndimage.correlate(tile_chw[0].astype(np.float32) / 255, KERNEL, mode="constant")
    return np.stack([one_hw, 1 - one_hw])


def thousands(map_qhw: Maps) -> np.ndarray:
    """Finer than levels would be, and no less exact: the first map and the sum of both, in 250 steps."""
    return np.rint(np.stack([map_qhw[0], map_qhw.sum(axis=0)]) * 250).astype(np.uint8)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (1, height, width), dtype=np.uint8)


@given(st.integers(1, 60), st.integers(0, 39), st.integers(0, 200))
def test_places_cover_a_side_and_shares_sum_to_one(tile: int, overlap: int, more: int) -> None:
    overlap = min(overlap, tile - 1)
    length = tile + more
    found = places(length, tile, overlap)
    assert found.starts[0] == 0 and found.starts[-1] + tile == length
    total, count = np.zeros(length), np.zeros(length, dtype=int)
    for start, share_t in zip(found.starts, found.share_nt, strict=True):
        assert (share_t >= 0).all()
        total[start : start + tile] += share_t
        count[start : start + tile] += 1
    np.testing.assert_allclose(total, 1, atol=1e-6)
    shared = [first + tile - second for first, second in zip(found.starts, found.starts[1:], strict=False)]
    assert all(overlap <= each < tile for each in shared)
    fewest = 1 + max(0, -(-more // (tile - overlap)))
    assert len(found.starts) == fewest
    assert (found.share_nt[0][: tile - max(shared, default=0)] == 1).all()


@given(st.integers(12, 30), st.integers(0, 60))
def test_a_tile_counts_nothing_near_its_inner_borders_and_its_share_falls_smoothly(overlap: int, more: int) -> None:
    found = places(64 + more, 64, overlap)
    for i, share_t in enumerate(found.share_nt):
        if i:
            assert not share_t[: overlap // 3].any()
        if i < len(found.starts) - 1:
            assert not share_t[64 - overlap // 3 :].any()
            assert np.abs(np.diff(share_t)).max() < 0.5


@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.sampled_from([(16, 16), (14, 24), (40, 13)]),
    st.sampled_from([6, 7, 9]),
)
def test_tiled_is_the_whole_for_a_network_of_local_reach(
    sides: tuple[int, int], size: tuple[int, int], overlap: int
) -> None:
    """Reach 2 pixels; overlap three times that at least. At seams, corners and borders."""
    whole_chw, rows, columns = padded(image_chw := picture(*sides), size)
    parts: list[Maps] = []

    def finish(map_qhw: Maps) -> np.ndarray:
        parts.append(map_qhw.copy())
        return thousands(map_qhw)

    found_khw = tiled(image_chw, size, (overlap, overlap), local, finish)
    across = whole_chw.shape[2] > whole_chw.shape[1]
    blended_qhw = np.concatenate([part.swapaxes(1, 2) if across else part for part in parts], axis=2 if across else 1)
    np.testing.assert_allclose(blended_qhw, local(whole_chw), atol=2e-6)
    off_khw = np.abs(found_khw.astype(int) - thousands(local(whole_chw))[:, rows, columns])
    assert found_khw.shape == (2, *sides)
    assert off_khw.max() <= 1  # where a value lies on the edge between two steps, the last bit decides
    assert off_khw.mean() < 0.01


def test_with_less_overlap_the_seams_are_seen() -> None:
    """So the test above can fail."""
    image_chw = np.full((1, 40, 40), 255, dtype=np.uint8)
    for overlap, same in ((6, True), (2, False), (0, False)):
        found_khw = tiled(image_chw, (16, 16), (overlap, overlap), local, thousands)
        assert np.array_equal(found_khw, thousands(local(image_chw))) == same


def test_a_picture_of_one_tile_is_seen_as_it_is() -> None:
    image_chw = picture(16, 24)
    seen: list[Any] = []

    def look(tile_chw: np.ndarray) -> Maps:
        seen.append(tile_chw)
        return local(tile_chw)

    found_khw = tiled(image_chw, (16, 24), (4, 6), look, thousands)
    assert len(seen) == 1 and np.array_equal(seen[0], image_chw)
    assert np.array_equal(found_khw, thousands(local(image_chw)))


def test_threads_change_nothing() -> None:
    image_chw = picture(90, 50)
    alone = tiled(image_chw, (16, 16), (6, 6), local, thousands)
    together = tiled(image_chw, (16, 16), (6, 6), local, thousands, each=lambda look, tiles: on_threads(look, tiles, 3))
    assert np.array_equal(alone, together)


@given(st.integers(1, 9), st.integers(1, 9))
def test_small_pictures_repeat_their_border(height: int, width: int) -> None:
    whole_chw, rows, columns = padded(image_chw := picture(height, width), (5, 7))
    assert whole_chw.shape == (1, max(5, height), max(7, width))
    assert np.array_equal(whole_chw[:, rows, columns], image_chw)
    assert whole_chw[0, 0, 0] == image_chw[0, 0, 0] and whole_chw[0, -1, -1] == image_chw[0, -1, -1]


@pytest.mark.parametrize("shape", [(4000, 800), (800, 4000)])
def test_memory_is_that_of_a_band(shape: tuple[int, int]) -> None:
    """20,000 x 4,000 in small: 3.2 megapixels; the maps of the whole would be 25.6 MB."""
    image_chw = np.zeros((1, *shape), dtype=np.uint8)

    def look(tile_chw: np.ndarray) -> Maps:
        return np.repeat(tile_chw.astype(np.float32), 2, axis=0)

    def finish(map_qhw: Maps) -> np.ndarray:
        return map_qhw[:1].astype(np.uint8)

    band = 2 * 64 * 800 * 4
    tracemalloc.start()
    try:
        level_khw = tiled(image_chw, (64, 64), (16, 16), look, finish)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert level_khw.nbytes == 3_200_000
    assert peak < 2 * level_khw.nbytes + 3 * band
    assert level_khw.flags["C_CONTIGUOUS"]


def test_overlaps_are_shares_of_a_tile() -> None:
    assert overlap_of(0.25, (256, 512)) == (64, 128)
    with pytest.raises(ValueError, match="do not cover 8"):
        places(8, 16, 4)
    with pytest.raises(ValueError, match="with an overlap of 16"):
        places(20, 16, 16)
