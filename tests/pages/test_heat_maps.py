from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from flawscope.errors import UserError
from flawscope.pages.heat_maps import (
    STYLES,
    Panel,
    Style,
    _scale,
    blended,
    contact,
    drawn,
    explained,
    stretched,
    style_of,
)

PICTURE = np.full((40, 60), 128, dtype=np.uint8)
MAP = np.zeros((4, 6), dtype=np.float32)
MAP[1, 4] = 1


def opened(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        assert image.info.get("Software") is None
        return np.asarray(image.convert("RGB"), dtype=int)


def test_a_map_covers_the_picture_only_where_it_says_something() -> None:
    mixed = blended(PICTURE, MAP).astype(int)
    assert mixed.shape == (40, 60, 3)
    changed = np.abs(mixed - 128).sum(axis=2) > 60
    y, x = np.argwhere(changed).mean(axis=0)
    assert (y, x) == (pytest.approx(14.5, abs=1), pytest.approx(44.5, abs=1))  # the middle of the map's place
    assert mixed[30, 10].tolist() == [128] * 3


def test_signs_have_the_two_colours_that_everybody_tells_apart() -> None:
    for_it, against = (blended(PICTURE, sign * np.ones((2, 2)), signed=True)[0, 0].astype(int) for sign in (1, -1))
    assert for_it[0] > for_it[2] + 100  # vermilion
    assert against[2] > against[0] + 100  # blue


def test_jet_is_seventy_to_thirty_as_in_the_reference_systems() -> None:
    top, bottom = blended(PICTURE, np.ones((1, 1)), "jet")[0, 0], blended(PICTURE, np.zeros((1, 1)), "jet")[0, 0]
    assert top.tolist() == [round(0.7 * 127.5 + 38.4), 38, 38]
    assert bottom.tolist() == [38, 38, round(0.7 * 127.5 + 38.4)]


def test_stretching_keeps_the_range() -> None:
    large = stretched(MAP, (40, 60))
    assert (large.shape, large.min(), large.max() <= 1) == ((40, 60), 0, True)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("shape", [(40, 60), (60, 20, 3), (16, 100)])
def test_figures_of_every_style_and_shape(style: Style, shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    panels = [
        Panel("grad-cam", MAP, False, "1 = 2 of $x_1"),
        Panel("occlusion", MAP - 0.2, True),
        Panel("none", 0 * MAP, False),
    ]
    figure = opened(explained(picture, "a $b$ 漢字.png: what speaks for scrap", panels, style))
    assert figure.shape[1] >= 500
    # Nothing is cut off: the outermost rows and columns are white.
    for edge in (figure[0], figure[-1], figure[:, 0], figure[:, -1]):
        assert edge.min() >= 250
    sheet = opened(contact([(picture, "a\nb", panels[0])] * 5, "heading", style))
    for edge in (sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]):
        assert edge.min() >= 250


def test_numbers_of_neighbouring_scales_do_not_run_into_each_other() -> None:
    figure = Figure(figsize=(6, 3), layout="constrained")
    for axes in figure.subplots(1, 2).tolist():
        _scale(figure, axes, "even", signed=True)
    drawn(figure)
    for bar in figure.axes[2:]:  # behind the two of the pictures
        first, last = (bar.get_xticklabels()[n].get_window_extent() for n in (0, -1))
        assert bar.bbox.x0 - 2 <= first.x0 < last.x1 <= bar.bbox.x1 + 2


def test_unknown_styles_are_told() -> None:
    with pytest.raises(UserError, match="no style 'contour'\n  -> did you mean 'contours'"):
        style_of("contour")
