"""Measures of heat maps against cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from flawscope.evaluation.heat_maps import (
    Areas,
    areas,
    aside,
    centre_prior,
    energy_inside,
    energy_on_frame,
    perturbed,
    pointed,
    pointing,
    removed,
)

MAP = np.array([[0.0, 1.0, 2.0], [5.0, -9.0, 2.0]])
MASK = np.array([[False, False, True], [False, True, True]])


def test_pointing_game_by_hand() -> None:
    assert pointing(MAP, MASK) == 0  # 5 lies outside
    assert pointing(MAP, MASK, tolerance=1) == 1  # beside the mask
    assert pointing(MAP, MASK, tolerance=0.9) == 0
    assert pointing(np.minimum(MAP, 2), MASK) == pytest.approx(2 / 3)  # three places have the largest value
    assert pointing(-np.ones((2, 3)), MASK) == pytest.approx(0.5)  # nothing speaks for the class: as at random


def test_energy_by_hand() -> None:
    assert energy_inside(MAP, MASK) == pytest.approx(4 / 10)  # what speaks against it does not count
    assert energy_inside(np.zeros((2, 3)), MASK) == pytest.approx(0.5)
    assert energy_inside(7 * MAP, MASK) == energy_inside(MAP, MASK)


def test_a_map_that_looks_at_the_border_is_told() -> None:
    border = np.pad(np.zeros((18, 18)), 1, constant_values=1.0)
    assert energy_on_frame(border)[0] == 1
    assert energy_on_frame(np.ones((20, 20))) == pytest.approx((0.36, 0.36))
    assert energy_on_frame(np.ones((20, 20)), 0.05) == pytest.approx((0.19, 0.19))


def test_the_centre_prior_points_to_the_middle() -> None:
    prior = centre_prior(8, 12)
    assert prior.shape == (8, 12)
    np.testing.assert_allclose(prior, prior[::-1, ::-1])
    assert prior[3:5, 5:7].min() == prior.max() > 0.9
    # a quarter of the width from the middle: one standard deviation
    assert centre_prior(1, 401)[0, 100] == pytest.approx(np.exp(-0.5), rel=0.02)


def test_a_method_is_measured_beside_chance_and_the_centre() -> None:
    rng = np.random.default_rng(0)
    masks = []
    for _ in range(40):
        y, x = rng.integers(0, 12, 2)
        mask = np.zeros((16, 16), dtype=bool)
        mask[y : y + 4, x : x + 4] = True
        masks.append(mask)
    right = pointed([mask + 0.01 for mask in masks], masks)
    random = pointed([rng.random((16, 16)) for _ in masks], masks)
    assert right.chance == random.chance == pytest.approx(1 / 16)
    assert (right.pointing.value, right.energy.value > 0.8) == (1.0, True)
    assert right.pointing.low < 1 and right.energy.low < right.energy.high
    assert random.energy.value == pytest.approx(1 / 16, abs=0.01)
    assert random.pointing.value < 0.25
    assert 0 < right.centre_pointing < 0.5
    grouped = pointed([mask + 0.01 for mask in masks], masks, groups=np.arange(40) // 10)
    assert grouped.pointing.high - grouped.pointing.low > right.pointing.high - right.pointing.low


def test_images_of_several_sizes_and_maps_with_many_peaks() -> None:
    masks = [np.eye(4) > 0, np.ones((2, 8), dtype=bool)]
    made = pointed([np.ones((4, 4)), np.ones((2, 8))], masks)
    assert made.pointing.value == pytest.approx((0.25 + 1) / 2)
    assert made.chance == pytest.approx((0.25 + 1) / 2)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="differ in size"):
        pointing(np.ones((2, 2)), np.ones((2, 3), dtype=bool))
    with pytest.raises(ValueError, match="the mask is empty"):
        energy_inside(np.ones((2, 2)), np.zeros((2, 2), dtype=bool))


def test_deletion_and_insertion_by_hand() -> None:
    image = np.array([[[4.0, 0.0], [2.0, 2.0]]])
    map_hw = np.array([[3.0, 0.0], [2.0, 1.0]])

    def share_left(images: np.ndarray) -> np.ndarray:
        return np.asarray(images.sum(axis=(1, 2, 3)) / 8)

    gone = perturbed(share_left, image, map_hw, np.zeros((1, 1, 1)), kind="deletion", steps=4)
    assert gone.score_s.tolist() == [1, 0.5, 0.25, 0, 0]
    assert gone.area == pytest.approx((0.75 + 0.375 + 0.125 + 0) / 4)
    come = perturbed(share_left, image, map_hw, np.zeros_like(image), kind="insertion", steps=4)
    assert come.score_s.tolist() == [0, 0.5, 0.75, 1, 1]
    assert come.area == pytest.approx(1 - gone.area)
    worst = perturbed(share_left, image, -map_hw, np.zeros((1, 1, 1)), kind="deletion", steps=4)
    assert worst.area > gone.area
    again = perturbed(share_left, image, np.zeros((2, 2)), np.zeros((1, 1, 1)), kind="deletion", steps=4)
    assert again.share_s.tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_a_map_is_compared_with_itself_moved_aside() -> None:
    map_hw = np.zeros((4, 6))
    map_hw[0, 1] = 1
    moved = aside(map_hw)
    assert moved[2, 4] == 1 and moved.sum() == 1
    image = np.zeros((1, 4, 6))
    image[0, 0, 1] = 1

    def bright(images: np.ndarray) -> np.ndarray:
        return np.asarray(images.max(axis=(1, 2, 3)))

    fills = np.zeros((1, 1, 1)), np.zeros((1, 1, 1))
    own, other = (areas(bright, image, each, fills, steps=24) for each in (map_hw, moved))
    assert own.deletion < 0.03 and own.insertion > 0.97, "gone, or there, at the first step"
    assert own.margin > other.margin
    made = removed([own] * 30, [other] * 30)
    assert made.better.value == 1 and made.better.low > 0.85
    assert made.own.deletion == pytest.approx(own.deletion) and made.moved.insertion == pytest.approx(other.insertion)
    alike = removed([own] * 30, [own] * 30)
    assert alike.better.value == 0, "a map that is no better is not counted as better"
    grouped = removed([own] * 20 + [other] * 10, [other] * 20 + [own] * 10, np.arange(30) // 5)
    plain = removed([own] * 20 + [other] * 10, [other] * 20 + [own] * 10)
    assert grouped.better.high - grouped.better.low > plain.better.high - plain.better.low
    with pytest.raises(ValueError, match="shorter"):
        removed([own], [])
    assert Areas(0.25, 0.75).margin == 0.5
