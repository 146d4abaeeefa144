"""Levels to flaws: by hand, against SciPy on the whole, and in bands of any size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

import flawscope.masks
from flawscope.bundle.regions import found, highest, levels_of, marked, numbered, segmented
from flawscope.bundle.rules import MaskRule
from flawscope.masks import masks_of
from flawscope.records import FoundFlaw

levels = array_shapes(min_dims=3, max_dims=3, max_side=12).flatmap(
    lambda shape: arrays(np.uint8, (min(shape[0], 3), *shape[1:]), elements=st.sampled_from([0, 99, 100, 255]))
)


def test_levels_are_whole_steps_downwards() -> None:
    assert levels_of(np.array([0.499999, 0.5, 0.999, 1.0, 1 / 256 - 1e-9])).tolist() == [127, 128, 255, 255, 0]
    assert levels_of(np.float32([0.3])).dtype == np.uint8


def test_flaws_by_hand() -> None:
    level_khw = np.zeros((2, 4, 6), dtype=np.uint8)
    level_khw[0, 1, 1:4] = 128, 192, 128
    level_khw[0, 3, 5] = 255
    level_khw[1, :2, 5] = 51
    rule = MaskRule(levels=(128, 51), min_areas=(2, 2))
    mask_khw = marked(level_khw, rule)
    assert mask_khw.sum(axis=(1, 2)).tolist() == [3, 2]
    hole, crack = found(level_khw, mask_khw, ("hole", "crack"))
    assert hole == FoundFlaw("hole", 3, (1, 1, 4, 2), (2.5, 1.5), 448 / 3 / 256)
    assert crack == FoundFlaw("crack", 2, (5, 0, 6, 2), (5.5, 1.0), 51 / 256)
    assert highest(level_khw) == (255 / 256, 51 / 256)
    none = MaskRule(levels=(255, 255), min_areas=(9, 9))
    assert not marked(level_khw, none).any()
    assert found(level_khw, marked(level_khw, none), ("hole", "crack")) == ()


@given(levels, st.integers(1, 6), st.sampled_from([1, 3, 1 << 20]))
def test_as_scipy_does_on_the_whole(level_khw: np.ndarray, min_area: int, band: int) -> None:
    k = len(level_khw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flawscope.masks, "BAND", band)
        rule = MaskRule(levels=(100,) * k, min_areas=(min_area,) * k)
        mask_khw = marked(level_khw, rule)
        flaws = found(level_khw, mask_khw, "abc"[:k])
        masks, told = segmented(level_khw, rule, "abc"[:k])
    assert masks == masks_of(mask_khw)
    assert [replace(flaw, centroid=(0, 0)) for flaw in told] == [replace(flaw, centroid=(0, 0)) for flaw in flaws]
    for one, other in zip(told, flaws, strict=True):  # counted from the corner of another box, so rounded otherwise
        assert one.centroid == pytest.approx(other.centroid)
    for name, level_hw, mask_hw in zip("abc", level_khw, mask_khw, strict=False):
        label_hw, n = ndimage.label(level_hw >= 100, structure=np.ones((3, 3)))
        numbers = [i for i in range(1, n + 1) if (label_hw == i).sum() >= min_area]
        assert np.array_equal(mask_hw, np.isin(label_hw, numbers))
        of_class = [flaw for flaw in flaws if flaw.name == name]
        assert [flaw.area for flaw in of_class] == [(label_hw == i).sum() for i in numbers]
        for flaw, i in zip(of_class, numbers, strict=True):
            y, x = ndimage.center_of_mass(label_hw == i)
            assert flaw.centroid == pytest.approx((x + 0.5, y + 0.5))
            assert flaw.score == pytest.approx(level_hw[label_hw == i].mean() / 256)
            left, top, right, bottom = flaw.box
            assert (label_hw[top:bottom, left:right] == i).sum() == flaw.area


def test_all_is_as_it_was_where_the_least_area_is_one() -> None:
    mask_hw = np.eye(5, dtype=bool)[:, ::2]
    before = mask_hw.copy()
    label_hw, rows, columns = numbered(mask_hw, 1)
    assert np.array_equal(mask_hw, before)
    assert (rows, columns, label_hw.max()) == (slice(0, 5), slice(0, 3), 3)


def test_levels_of_another_kind_are_our_own_bug() -> None:
    rule = MaskRule(levels=(1,), min_areas=(1,))
    for wrong in (np.zeros((2, 3, 3), dtype=np.uint8), np.zeros((1, 3, 3)), np.zeros((3, 3), dtype=np.uint8)):
        with pytest.raises(ValueError, match="expected uint8 levels of 1 classes"):
            marked(wrong, rule)
