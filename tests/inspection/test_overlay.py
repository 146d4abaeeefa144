"""Outlines lie around flaws of any size, and are told by colours; truth and answer stand beside each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flawscope.inspection.overlay import legend, overlay
from flawscope.pages.outlines import NAMED, RIM, colours, laid, outlined


def one(height: int, width: int, rows: slice, columns: slice, *, k: int = 1, at: int = 0) -> np.ndarray:
    mask_khw = np.zeros((k, height, width), dtype=bool)
    mask_khw[at, rows, columns] = True
    return mask_khw


def has(picture: Image.Image, colour: tuple[int, int, int]) -> bool:
    return bool((np.asarray(picture.convert("RGB")) == colour).all(axis=2).any())


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_an_outline_runs_around_its_flaw_and_the_flaw_stays_to_be_seen(ground: int) -> None:
    image = Image.new("L", (40, 30), ground)
    image.putpixel((20, 15), 77)
    drawn = np.asarray(outlined(image, one(30, 40, slice(15, 16), slice(20, 21))))
    assert drawn[15, 20].tolist() == [77] * 3
    for around in (1, 2):
        assert drawn[15 - around, 20].tolist() == drawn[15 + around, 20 + around].tolist() == list(NAMED[0])
    assert drawn[12, 20].tolist() == list(RIM)
    assert drawn[11, 20].tolist() == drawn[0, 0].tolist() == [ground] * 3


def test_a_flaw_at_the_border_is_closed_there_and_one_of_all_pixels_is_seen() -> None:
    drawn = np.asarray(outlined(Image.new("L", (40, 30), 9), np.ones((1, 30, 40), dtype=bool)))
    assert (drawn[0] == NAMED[0]).all() and (drawn[:, -1] == NAMED[0]).all()
    assert drawn[15, 20].tolist() == [9] * 3


def test_no_flaw_hides_the_outline_of_another() -> None:
    masks = one(60, 60, slice(10, 50), slice(10, 50), k=2) | one(60, 60, slice(5, 30), slice(20, 40), k=2, at=1)
    drawn = outlined(Image.new("L", (60, 60)), masks)
    assert has(drawn, NAMED[0]) and has(drawn, NAMED[1])


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 40), st.integers(1, 40), st.integers(0, 999))
def test_on_pictures_of_another_size_no_pixel_is_lost(h: int, w: int, height: int, width: int, at: int) -> None:
    mask_hw = np.zeros((h, w), dtype=bool)
    y, x = at % h, at // h % w
    mask_hw[y, x] = True
    shown = laid(mask_hw, height, width)
    assert shown.shape == (height, width)
    assert shown.any()
    assert laid(~mask_hw | mask_hw, height, width).all() is not True or laid(mask_hw | ~mask_hw, height, width).all()
    if (height, width) == (h, w):
        assert np.array_equal(shown, mask_hw)


def test_thin_flaws_of_large_pictures_are_seen() -> None:
    image, thin = Image.new("L", (8000, 400), 50), one(400, 8000, slice(200, 201), slice(3000, 3001))
    drawn = overlay(image, None, thin, ["pit"])
    assert drawn.width == 1600 and has(drawn, NAMED[0])


def test_strips_stand_above_each_other_and_others_side_by_side() -> None:
    flawed = one(256, 1600, slice(9, 30), slice(9, 30))
    strip = overlay(Image.new("L", (1600, 256)), flawed, flawed, ["a"])
    assert strip.width == 1600 and strip.height > 2 * 256
    flawed = one(2000, 2000, slice(9, 300), slice(9, 300))
    square = overlay(Image.new("L", (2000, 2000)), flawed, ~flawed, ["a"], longest=800)
    assert square.width == 800 and 396 < square.height < 500
    without = overlay(Image.new("L", (2000, 2000)), None, flawed, ["a"], longest=800)
    assert without.width == 800 and without.height > 800


def test_only_what_is_shown_is_in_the_legend() -> None:
    image, none = Image.new("L", (400, 400)), np.zeros((2, 400, 400), dtype=bool)
    assert overlay(image, None, none, ["a", "b"]).size == (400, 400)
    some = one(400, 400, slice(3, 9), slice(3, 9), k=2, at=1)
    drawn = overlay(image, some, none, ["a", "b"])
    below = drawn.crop((0, drawn.height - 30, drawn.width, drawn.height))
    assert has(below, NAMED[1]) and not has(below, NAMED[0])


def test_small_pictures_are_enlarged_and_any_picture_can_be_drawn_on() -> None:
    for mode in ("L", "RGB", "RGBA", "P", "I;16", "1"):
        drawn = overlay(Image.new(mode, (40, 30)), None, one(30, 40, slice(5, 6), slice(5, 6)), ["ä" * 300])
        assert drawn.width == 320 and has(drawn, NAMED[0])


def test_legends_take_as_many_lines_as_they_need() -> None:
    entries = [(f"class {n}", colour) for n, colour in enumerate(colours(12))]
    assert legend(entries, 200).height > 4 * legend(entries[:1], 200).height
    assert legend(entries, 3000).height == legend(entries[:1], 3000).height


def test_each_class_has_a_colour_of_its_own() -> None:
    assert len(set(colours(40))) == 40
    assert colours(40)[:3] == colours(3)
