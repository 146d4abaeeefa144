"""Parts that end within the picture: a straight dark edge makes no two parts alike, an outline tells them apart."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from flawscope.data.court import margins
from flawscope.data.court.align import Common, aligned, compared
from flawscope.data.court.closer import SIDE as LARGER
from flawscope.data.court.closer import fine_measure
from flawscope.data.court.margins import is_straight, margin
from flawscope.data.court.pictures import SIDE, STAYS, TURNS, Grey, turned

Texture = Callable[..., Grey]
NOTHING = Common(np.zeros(SIDE * SIDE, np.float32), np.zeros((0, SIDE * SIDE), np.float32))
BACK = {turn: turn if turn % 2 else (8 - turn) % 8 for turn in range(len(TURNS))}


def faint(texture: Texture, seed: int, side: int = SIDE) -> Grey:
    return (110 + 0.1 * (texture(seed, side).astype(np.float32) - 128)).astype(np.uint8)


def ending(grey_hw: Grey, width: float, black: int = 6) -> Grey:
    """A strip of which so many columns on the left lie beyond its end."""
    made = grey_hw.copy()
    made[:, : round(width)] = black
    return made


def again(grey_hw: Grey, noise: float, seed: int = 0) -> Grey:
    """Another shot, a little darker."""
    shot_hw = 0.9 * grey_hw + np.random.default_rng(seed).normal(0, noise, grey_hw.shape)
    return np.clip(np.rint(shot_hw), 0, 249).astype(np.uint8)


@pytest.mark.parametrize("width", [1, 3, 4, 10, 24, 40])
@pytest.mark.parametrize("black", [0, 25])
def test_strips_are_not_alike_because_both_end_within_the_picture(texture: Texture, width: int, black: int) -> None:
    a, b = (ending(faint(texture, seed), width + move, black) for seed, move in ((0, 0), (1, 1)))
    assert aligned(a, b, NOTHING).measure < 0.4


def test_the_edge_alone_would_make_them_alike(texture: Texture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(margins, "NARROWEST", 2)
    for width in (10, 24, 40):
        a, b = (ending(faint(texture, seed), width) for seed in (0, 1))
        assert aligned(a, b, NOTHING).measure > 0.45


@pytest.mark.parametrize("turn", range(len(TURNS)))
def test_a_copy_of_a_strip_that_ends_is_found_however_it_is_turned(texture: Texture, turn: int) -> None:
    a = ending(texture(1), 14)
    copy = turned(again(a, 2.0), turn)
    found = aligned(a, turned(copy, BACK[turn]), NOTHING, STAYS, BACK[turn])
    assert found.measure > 0.95
    assert found.shown == pytest.approx((SIDE - 14 - 2) / SIDE, abs=0.02)


def test_closely_too(texture: Texture) -> None:
    a, b = (ending(faint(texture, seed, LARGER), 30 + seed) for seed in (0, 1))
    assert fine_measure(a, b, STAYS) < 0.3
    assert fine_measure(a, again(a, 0.3), STAYS) > 0.7


def outline(seed: int) -> Grey:
    """A plain part that enters a dark picture from below."""
    rng = np.random.default_rng(seed)
    top = list(zip(np.linspace(10, 54, 7), rng.uniform(6, 32, 7), strict=True))
    made = np.full((SIDE, SIDE), 6, np.uint8)
    cv2.fillPoly(made, [np.array([(10, 64), *top, (54, 64)], np.int32)], (130,))
    return made


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_the_outline_of_a_plain_part_is_its_own(noise: float) -> None:
    shots = [[again(outline(part), noise, 2 * part + shot) for shot in range(2)] for part in range(4)]
    for one, other in shots:
        assert not margin(one.astype(np.float32)).any()
        assert aligned(one, other, NOTHING).measure > 0.9


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_plain_parts_that_end_are_compared_by_their_edges(noise: float) -> None:
    plain = ending(np.full((SIDE, SIDE), 130, np.uint8), 20)
    assert aligned(again(plain, noise, 1), again(plain, noise, 2), NOTHING).measure > 0.9


def test_a_band_is_dark_straight_and_along_a_whole_side(texture: Texture) -> None:
    grey = texture(1).clip(40, 249)
    inside, ragged, surrounded = grey.copy(), grey.copy(), np.full_like(grey, 6)
    inside[20:44, 20:44] = 3
    for row, width in enumerate(np.random.default_rng(0).integers(4, 16, SIDE)):
        ragged[row, :width] = 3
    surrounded[6:58, 6:58] = grey[6:58, 6:58]
    for none in (grey, inside, ragged, surrounded, outline(0), ending(grey, 12, black=60)):
        assert not margin(none.astype(np.float32)).any()
    both = ending(grey, 5)
    both[:, -7:] = 3
    assert margin(both.astype(np.float32)).all(axis=0).sum() == 5 + 7 + 2 * 2


def test_lean_and_length_of_an_edge() -> None:
    rows = np.arange(SIDE)
    assert is_straight(8 + rows // 10, SIDE) and not is_straight(8 + rows // 5, SIDE)
    assert not is_straight(np.where(rows < 60, 8, 0), SIDE), "not along the whole side"
    assert not is_straight(np.where(rows < 60, 8, SIDE), SIDE)


def test_what_is_compared(texture: Texture) -> None:
    whole, grey = np.ones((SIDE, SIDE), np.bool_), texture(1).astype(np.float32)
    narrow, wide, none = (np.broadcast_to(np.arange(SIDE) < width, whole.shape) for width in (10, 60, 0))
    usable, detail_a, detail_b = compared(grey, grey + 5, whole, (narrow, narrow), STAYS)
    assert usable.sum() == SIDE * 54 and not detail_a[~usable].any()
    np.testing.assert_allclose(detail_a, detail_b, atol=0.01)
    changed = np.where(narrow, 0, grey)
    np.testing.assert_allclose(compared(changed, grey, whole, (narrow, narrow), STAYS)[1], detail_a, atol=1e-4)
    for other, b in ((none, grey), (wide, grey), (narrow, 100 + 0.003 * grey)):
        usable, detail_a, _ = compared(grey, b, whole, (narrow, other), STAYS)
        assert usable.all() and detail_a[:, :9].any()


@pytest.mark.parametrize("quarter", range(4))
def test_a_band_along_any_side(texture: Texture, quarter: int) -> None:
    strip = np.rot90(ending(texture(1).clip(40, 249), 10), quarter).astype(np.float32)
    assert np.array_equal(margin(np.ascontiguousarray(strip)), np.rot90(margin(np.rot90(strip, -quarter)), quarter))
    assert margin(strip).sum() == SIDE * 12
