"""Lines around masks: they lie just outside, in the colour of the class, and small flaws do not get lost."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from flawscope.masks import masks_of
from flawscope.pages.outlines import LONGER, NAMED, SHORTEST, colour_of, laid, viewable_outlined

GREY = 90


def drawn(height: int, width: int, *boxes: tuple[int, int, int, int]) -> Image.Image:
    mask_khw = np.zeros((len(boxes), height, width), dtype=np.bool_)
    for mask_hw, (top, left, bottom, right) in zip(mask_khw, boxes, strict=True):
        mask_hw[top:bottom, left:right] = True
    return viewable_outlined(Image.new("L", (width, height), GREY), masks_of(mask_khw))


def test_a_line_lies_around_the_flaw_and_leaves_it_to_be_seen() -> None:
    pixels = np.asarray(drawn(500, 500, (100, 200, 150, 300)))
    assert (pixels[100:150, 200:300] == GREY).all()
    colour = NAMED[0]
    assert tuple(pixels[99, 250]) == tuple(pixels[98, 250]) == tuple(pixels[120, 301]) == colour
    assert tuple(pixels[97, 250]) == (0, 0, 0)
    assert (pixels[:97] == GREY).all()


def test_each_class_has_its_colour() -> None:
    pixels = np.asarray(drawn(500, 500, (10, 10, 20, 20), (300, 300, 320, 320)))
    shown = {f"#{r:02x}{g:02x}{b:02x}" for r, g, b in np.unique(pixels.reshape(-1, 3), axis=0)}
    assert {colour_of(0), colour_of(1)} < shown and colour_of(2) not in shown
    assert len({colour_of(k) for k in range(12)}) == 12


@pytest.mark.parametrize(
    ("size", "shown"), [((1600, 256), (LONGER, 141)), ((100, 50), (SHORTEST, 200)), ((500, 9), (500, 9))]
)
def test_pictures_are_shown_at_a_size_that_can_be_looked_at(size: tuple[int, int], shown: tuple[int, int]) -> None:
    assert drawn(size[1], size[0], (0, 0, 1, 1)).size == shown


def test_a_single_pixel_is_not_lost() -> None:
    for y, x in ((0, 0), (255, 1599), (100, 777)):
        mask_hw = np.zeros((256, 1600), dtype=np.bool_)
        mask_hw[y, x] = True
        small_hw = laid(mask_hw, 141, 880)
        assert small_hw.shape == (141, 880) and small_hw.sum() == 1
    assert not laid(np.zeros((4, 4), dtype=np.bool_), 2, 2).any()
    assert laid(np.eye(2, dtype=np.bool_), 4, 4).sum() == 8


def test_flaws_at_the_border_are_drawn() -> None:
    pixels = np.asarray(drawn(500, 500, (0, 0, 500, 3)))
    assert (pixels[:, :3] == GREY).all() and (pixels[:, 3] != GREY).any(axis=1).all()
    assert (pixels[:, 495:] == GREY).all(), "nothing comes in from the other side"
