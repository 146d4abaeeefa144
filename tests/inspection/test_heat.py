"""Heat maps of inspected pictures: over the right place, named, and of every kind of picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from flawscope.inspection.heat import GAP, heat_picture, strip_of
from flawscope.pages import heat_colours, heat_maps

MAP = np.full((4, 6), -3.0, dtype=np.float32)
MAP[1, 4] = 8.0


def test_colours_are_those_of_matplotlib() -> None:
    table = np.rint(matplotlib.colormaps["plasma"](np.arange(256))[:, :3] * 255).astype(np.uint8)
    assert table.tobytes() == heat_colours.PLASMA
    rng = np.random.default_rng(0)
    picture, map_hw = rng.integers(0, 256, (40, 60), dtype=np.uint8), rng.random((4, 6)).astype(np.float32)
    fast = np.asarray(heat_colours.over(Image.fromarray(picture), map_hw), dtype=int)
    assert np.abs(fast - heat_maps.blended(picture, map_hw)).max() <= 4  # levels of 8 bits instead of floats


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_map_lies_where_it_speaks(mode: str) -> None:
    drawn = np.asarray(heat_picture(Image.new(mode, (600, 400), "#808080"), [("scrap", MAP)]), dtype=int)
    assert drawn.shape == (400 + strip_of(600)[0], 600, 3)
    coloured = np.ptp(drawn[:400], axis=2) > 60
    y, x = np.argwhere(coloured).mean(axis=0)
    assert (y, x) == (pytest.approx(150, abs=15), pytest.approx(450, abs=15))  # the middle of the map's place
    assert drawn[380, 20].tolist() == [128] * 3, "what speaks against the class is not drawn"
    assert (drawn[400:] < 120).all(axis=2).sum() > 50, "letters"


def test_several_classes_stand_side_by_side_or_below_each_other() -> None:
    maps = [("crack", MAP), ("dent", MAP)]
    assert heat_picture(Image.new("L", (400, 300)), maps).size == (2 * 400 + GAP, 300 + strip_of(400)[0])
    assert heat_picture(Image.new("L", (600, 200)), maps).size == (600, 2 * (200 + strip_of(600)[0]) + GAP)


@pytest.mark.parametrize("size", [(1, 1), (30, 20), (7, 500), (2000, 3)])
def test_any_shape_can_be_read(size: tuple[int, int], tmp_path: Path) -> None:
    empty = heat_picture(Image.new("L", size), [("a class with a long name", -np.ones((7, 7), np.float32))])
    assert empty.width >= 260 and empty.height > 20
    assert np.ptp(np.asarray(empty)[: empty.height - strip_of(empty.width)[0]], axis=2).max() == 0, (
        "nothing speaks for it: no colours"
    )


def test_small_pictures_are_enlarged_by_a_whole_number() -> None:
    assert heat_picture(Image.new("L", (40, 30)), [("a", MAP)]).size == (320, 240 + strip_of(320)[0])
