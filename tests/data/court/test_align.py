from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawscope.data.court.align import (
    FITTED_ON,
    MOST_COMPONENTS,
    PICTURES_A_COMPONENT,
    Alignment,
    Common,
    aligned,
    common_pattern,
    correlation,
    detail,
)
from flawscope.data.court.pictures import SIDE, STAYS, Float, Grey, turned
from flawscope.data.court.search import seen

Texture = Callable[..., Grey]
NOTHING = Common(np.zeros(SIDE * SIDE, np.float32), np.zeros((0, SIDE * SIDE), np.float32))


def test_correlation_by_hand() -> None:
    assert correlation(np.array([1.0, 2, 3]), np.array([10.0, 20, 30])) == pytest.approx(1)
    assert correlation(np.array([1.0, 2, 3]), np.array([3.0, 2, 1])) == pytest.approx(-1)
    assert correlation(np.array([1.0, 0, -1, 0]), np.array([0.0, 1, 0, -1])) == 0
    assert correlation(np.array([1.0, 2, 4]), np.array([1.0, 3, 2])) == pytest.approx(3 / np.sqrt(84))
    assert correlation(np.array([5.0, 5, 5]), np.array([1.0, 2, 3])) == 0
    assert correlation(np.array([5.0, 5]), np.array([5.0, 5])) == 0


@given(st.integers(0, 1000), st.floats(0.1, 50), st.floats(-100, 100))
def test_correlation_is_that_of_numpy_whatever_the_scale(seed: int, gain: float, offset: float) -> None:
    a, b = np.random.default_rng(seed).normal(size=(2, 40))
    assert correlation(a, gain * b + offset) == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-9)


def test_an_alignment_in_words_of_the_page() -> None:
    moved = Alignment(np.array([[1, 0, 6.4], [0, 1, -3.2]], np.float32), 0.9, 1.0)
    assert moved.moved == pytest.approx((-0.05, 0.1), abs=1e-6)
    assert moved.distortion == pytest.approx(0.1, abs=1e-6)
    stays = Alignment(STAYS, 1.0, 1.0)
    assert (stays.moved, stays.distortion) == ((0.0, 0.0), 0.0)
    half = Alignment(np.array([[0.5, 0, 15.75], [0, 0.5, 15.75]], np.float32), 0.9, 1.0)  # about the middle
    assert half.moved == pytest.approx((0, 0), abs=1e-6)
    assert half.distortion == pytest.approx(16.25 / 64, abs=1e-6)


def test_detail_forgets_brightness_contrast_and_soft_shadows(texture: Texture) -> None:
    grey = texture(1).astype(np.float32)
    shadow = np.linspace(0, 60, SIDE, dtype=np.float32)[None, :] * np.ones((SIDE, 1), np.float32)
    plain = detail(grey)
    for other in (grey + 40, grey * 0.5, grey * 0.6 + 30 + shadow):
        assert correlation(plain.reshape(-1), detail(other.astype(np.float32)).reshape(-1)) > 0.97
    assert not detail(np.full((SIDE, SIDE), 77, np.float32)).any()


def test_the_common_pattern_by_hand() -> None:
    component = np.array([[1, 0, 0, 0]], np.float32)
    common = Common(np.array([1, 1, 1, 1], np.float32), component)
    assert common.without(np.array([[5, 1], [2, 3]], np.float32)).tolist() == [0, 0, 1, 2]


def test_how_many_components_are_taken_out(texture: Texture) -> None:
    for n in (1, 2, PICTURES_A_COMPONENT - 1, 2 * PICTURES_A_COMPONENT):
        found = common_pattern(np.stack([texture(seed) for seed in range(n)]))
        assert found.components_kp.shape == (n // PICTURES_A_COMPONENT, SIDE * SIDE)
    assert FITTED_ON // PICTURES_A_COMPONENT >= MOST_COMPONENTS


def with_lines(texture: Texture, n: int) -> Grey:
    """Different pictures under the same strong lines."""
    lines = np.zeros((SIDE, SIDE), np.float32)
    lines[::9] = 90
    return np.stack([np.clip(texture(seed) * 0.4 + lines, 0, 249) for seed in range(n)]).astype(np.uint8)


def test_what_all_share_is_no_likeness(texture: Texture) -> None:
    set_nhw = with_lines(texture, 40)
    common = common_pattern(set_nhw)
    assert aligned(set_nhw[0], set_nhw[1], NOTHING).measure > 0.6
    assert aligned(set_nhw[0], set_nhw[1], common).measure < 0.35
    brighter = np.clip(set_nhw[0] * 0.8 + 12, 0, 249).astype(np.uint8)
    assert aligned(set_nhw[0], brighter, common).measure > 0.95


@pytest.mark.parametrize(("turn", "right"), [(0, 5), (3, 0), (2, 3), (5, -4)])
def test_what_all_share_is_no_likeness_of_one_that_lies_shifted_or_turned(
    texture: Texture, turn: int, right: int
) -> None:
    set_nhw = with_lines(texture, 40)
    common = common_pattern(set_nhw)
    place: Float = np.array([[1, 0, 0], [0, 1, right]], np.float32)
    a = seen(turned(set_nhw[0], turn), place)  # its lines lie where those of no other lie
    b = turned(set_nhw[1], turn)
    shared = correlation(*(common.without(detail(x.astype(np.float32))) for x in (a, seen(b, place))))
    assert shared > 0.45, "what is taken out where it usually lies stays"
    assert aligned(a, b, common, place, turn).measure < 0.35
    assert aligned(a, turned(set_nhw[0], turn), common, place, turn).measure > 0.8


def test_the_same_picture_is_1_and_another_is_not(texture: Texture) -> None:
    same = aligned(texture(1), texture(1), NOTHING)
    assert (same.measure, same.shown) == (pytest.approx(1), 1.0)
    assert np.array_equal(same.map, STAYS)
    assert aligned(texture(1), texture(2), NOTHING).measure < 0.3


@pytest.mark.parametrize(("right", "down"), [(2, 0), (-3, 1), (1.5, -2.5)])
def test_a_move_is_found_and_undone(texture: Texture, right: float, down: float) -> None:
    from scipy.ndimage import shift

    wide = texture(5, 96).astype(np.float32)
    a = wide[16:80, 16:80].astype(np.uint8)
    b = (
        shift(wide, (down, right), order=3)[16:80, 16:80].clip(0, 255).astype(np.uint8)
    )  # a's (x, y) is b's + (right, down)
    found = aligned(a, b, NOTHING)
    assert found.measure > 0.95
    assert found.moved == pytest.approx((down / SIDE, right / SIDE), abs=0.01)


def test_what_is_saturated_says_nothing(texture: Texture) -> None:
    a, b = texture(1).copy(), texture(1).copy()
    a[:, :32], b[:, 40:] = 255, 255
    found = aligned(a, b, NOTHING)
    assert found.shown == pytest.approx(8 / 64)
    assert found.measure > 0.5
    a[:, 32:] = 255
    blind = aligned(a, b, NOTHING)
    assert blind.measure == 0.0, "white is white in both: it can be compared, and shows nothing"


def test_a_place_far_outside_measures_nothing(texture: Texture) -> None:
    away: Float = np.array([[1, 0, 60], [0, 1, 60]], np.float32)
    assert aligned(texture(1), texture(1), NOTHING, away).measure < 0.3


@pytest.mark.parametrize("values", [(0, 0), (128, 128), (3, 200), (255, 255), (0, 255)])
def test_flat_pictures_are_like_nothing(texture: Texture, values: tuple[int, int]) -> None:
    common = common_pattern(np.stack([texture(seed) for seed in range(40)]))
    a, b = (np.full((SIDE, SIDE), value, np.uint8) for value in values)
    assert aligned(a, b, common).measure == 0
    assert aligned(a, texture(1), common).measure < 0.3
    assert aligned(texture(1), b, common).measure < 0.3


def test_nearly_flat_pictures_are_like_nothing(texture: Texture) -> None:
    common = common_pattern(with_lines(texture, 40))
    random = np.random.default_rng(0)
    a, b = (np.round(100 + random.normal(0, 0.5, (SIDE, SIDE))).astype(np.uint8) for _ in range(2))
    assert aligned(a, b, common).measure < 0.3
    assert aligned(a, a, common).measure > 0.99
