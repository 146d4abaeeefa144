"""Filters and feature maps of a network, as PNG: plain arrays in, bytes out.

Letters: o outputs and i inputs of a layer, c channels, h and w rows and columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import fill
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from flawscope.pages.figures import INK, MUTED, short
from flawscope.pages.heat_maps import DPI, drawn

Floats = npt.NDArray[np.floating[Any]]
WIDTH = 10.0
"""Inches of a figure."""
CELL = 0.36
"""Inches of one value of a filter that is written in."""
LETTERS = 88
"""Of a heading, on one line of the narrowest figure."""
MOST_CELLS = 3200
"""Values of filters that are written in: more take too long."""
MOST_MAPS = 4097
"""The mean and so many channels less one: more than any layer of a usual network has."""
FEW = 65
"""Up to so many tiles each has its own number and room."""


def filter_tiles(weight_oihw: Floats, name: str) -> bytes:
    """The filters of a layer as grey tiles with their values written in.

    Black is the most negative value, white the most positive: one scale for the layer, the same to both sides of 0.
    What does not fit is left out, and the title says how much. Filters of one value (1x1) stand in one table, a row
    for each output.
    """
    outputs, inputs, height, width = weight_oihw.shape
    shape = " x ".join(map(str, weight_oihw.shape))
    if height == width == 1:
        tiles_thw = weight_oihw[None, :24, :24, 0, 0]
        shown = f"rows are {min(outputs, 24)} of {outputs} outputs, columns {min(inputs, 24)} of {inputs} inputs"
        titles = [""]
    else:
        most = max(1, MOST_CELLS // (height * width))
        tiles_thw = weight_oihw.reshape(outputs * inputs, height, width)[:most]
        shown = f"{outputs * inputs:,} filters" + (f", the first {most} are shown" if outputs * inputs > most else "")
        titles = [str(t) if inputs == 1 else f"{t // inputs} from {t % inputs}" for t in range(len(tiles_thw))]
    limit = float(np.abs(weight_oihw).max()) or 1.0
    fitting = int(WIDTH / (tiles_thw.shape[2] * CELL + 0.3))
    across = max(1, min(len(tiles_thw), max(fitting, math.ceil(math.sqrt(len(tiles_thw))))))  # many are no tower
    figure, axes, places = _mosaic(
        tiles_thw, titles, across, gaps=(0.3 / CELL, 0.4 / CELL), limits=(-limit, limit), inches=CELL
    )
    unit = 10.0 ** math.floor(math.log10(limit)) if limit < 0.1 else 1.0
    shown += f"; in units of {unit:g}" if unit < 1 else ""
    axes.set_title(fill(f"{name}: {shape}; {shown}", LETTERS), x=0.0, ha="left", fontsize=11, color=INK, pad=10)
    for tile_hw, (left, top) in zip(tiles_thw, places, strict=True):
        for (y, x), value in np.ndenumerate(tile_hw):
            colour = "white" if value < 0.1 * limit else "black"
            axes.text(left + x, top + y, _value(value / unit), ha="center", va="center", fontsize=7.5, color=colour)
    return drawn(figure)


def channel_tiles(map_chw: Floats, heading: str) -> bytes:
    """Each channel of a layer's maps as a grey tile, one scale for all; first the mean of all of them.

    Small maps are enlarged by a whole number, large ones reduced. Of many channels the first of each row has a number.
    """
    channels = len(map_chw)
    tiles_thw = np.concatenate([map_chw.mean(axis=0, keepdims=True), map_chw[: MOST_MAPS - 1]])
    shown = "" if len(tiles_thw) > channels else f"; the first {len(tiles_thw) - 1:,} are shown"
    low, high, top = float(map_chw.min()), float(np.percentile(map_chw, 99.7)), float(map_chw.max())
    high = max(high, low + 1e-9)  # a few very bright places would leave the rest in the dark
    tiles_thw = _sized(tiles_thw)
    _, height, width = tiles_thw.shape
    few = len(tiles_thw) <= FEW
    across = min(len(tiles_thw), (8 if few else 24) if width < 2 * height else (4 if few else 12))
    beside, above = math.ceil(0.06 * width), 30 if few else math.ceil(0.06 * height)
    down = math.ceil(len(tiles_thw) / across)
    canvas_hw = np.full((down * (height + above), across * (width + beside)), np.nan, dtype=np.float32)
    inch = max(WIDTH / max(across, 4) * across / canvas_hw.shape[1], 1 / DPI)
    size = (canvas_hw.shape[1] * inch, canvas_hw.shape[0] * inch)
    figure = Figure(figsize=(max(size[0] + 0.6, 8.0), size[1] + 1.2), layout="constrained")
    axes = figure.subplots()
    for t, tile_hw in enumerate(tiles_thw):
        left, upper = t % across * (width + beside), t // across * (height + above) + above
        canvas_hw[upper : upper + height, left : left + width] = tile_hw
        title = "mean" if t == 0 else str(t - 1)
        colour = INK if t == 0 else MUTED
        if few:
            axes.text(left, upper - 4, title, ha="left", va="bottom", fontsize=8.5, color=colour)
        elif t % across == 0:
            axes.text(-6, upper + height / 2, title, ha="right", va="center", fontsize=8.5, color=colour)
    grey = matplotlib.colormaps["gray"].with_extremes(bad="white")
    axes.imshow(np.ma.masked_invalid(canvas_hw), cmap=grey, vmin=low, vmax=high, interpolation="nearest")
    axes.set_anchor("W")
    axes.set_axis_off()
    axes.set_title(fill(f"{heading}{shown}", LETTERS), x=0.0, ha="left", fontsize=11, color=INK, pad=10)
    bar = figure.colorbar(axes.images[0], ax=axes, location="bottom", aspect=40, shrink=0.5, pad=0.02,
                          extend="max" if top > high else "neither")  # fmt: skip
    bar.set_label(f"the largest value is {top:.3g}", fontsize=8.5, color=INK)
    bar.ax.tick_params(labelsize=8.5, labelcolor=INK, length=2)
    bar.outline.set_visible(False)
    return drawn(figure)


def _sized(tiles_thw: Floats) -> Floats:
    """Tiles that can be looked at: of many the longer side has about 64 pixels, of few up to 200."""
    longest, most = max(tiles_thw.shape[1:]), 200 if len(tiles_thw) <= FEW else 64
    if longest <= most:
        return tiles_thw.repeat(most // longest, axis=1).repeat(most // longest, axis=2)
    height, width = (max(1, round(side * most / longest)) for side in tiles_thw.shape[1:])
    images = (Image.fromarray(np.asarray(tile_hw, dtype=np.float32)) for tile_hw in tiles_thw)
    return np.stack([np.asarray(image.resize((width, height), Image.Resampling.BOX)) for image in images])


def _mosaic(
    tiles_thw: Floats,
    titles: Sequence[str],
    across: int,
    *,
    gaps: tuple[float, float],
    limits: tuple[float, float],
    inches: float,
) -> tuple[Figure, Axes, list[tuple[float, float]]]:
    """Tiles of one size on one pair of axes, a title above each, and where the first value of each lies.

    `gaps` are the free space beside and above a tile in values of it; `inches` is the side of one value.
    """
    _, height, width = tiles_thw.shape
    beside, above = gaps
    down = math.ceil(len(tiles_thw) / across)
    wide, high = across * (width + beside), down * (height + above)
    figure = Figure(figsize=(max(wide * inches + 0.2, 8.0), high * inches + 1.2), layout="constrained")
    axes = figure.subplots()
    places = []
    for t, (tile_hw, title) in enumerate(zip(tiles_thw, titles, strict=True)):
        left, top = (t % across) * (width + beside), (t // across) * (height + above) + above
        extent = (left - 0.5, left + width - 0.5, top + height - 0.5, top - 0.5)
        axes.imshow(tile_hw, cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="nearest", extent=extent)
        axes.text(left - 0.5, top - 0.5 - 0.1 * above, title, ha="left", va="bottom", fontsize=8.5,
                  color=INK if title == "mean" else MUTED)  # fmt: skip
        places.append((left, top))
    axes.set_xlim(-0.5, wide - 0.5)
    axes.set_ylim(high - 0.5, -0.5)
    axes.set_anchor("W")
    axes.set_axis_off()
    return figure, axes, places


def _value(value: float) -> str:
    """A weight in four letters.

    >>> _value(-0.123), _value(0.5), _value(1.26)
    ('-.12', '.50', '1.3')
    """
    words = f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.1f}"
    return words.removeprefix("-") if words == "-.00" else words


def mean_tiles(maps: Sequence[tuple[str, str, Floats]], heading: str) -> bytes:
    """The mean over channels of many layers in one figure, each with a scale of its own: name, words, map h x w."""
    aspect = float(np.median([map_hw.shape[1] / map_hw.shape[0] for _, _, map_hw in maps]))
    across = min(len(maps), 5 if aspect < 2 else 3)
    down = math.ceil(len(maps) / across)
    wide = WIDTH / max(across, 3)
    figure = Figure(figsize=(max(wide * across, 5.0), down * (wide / aspect + 0.42) + 0.45), layout="constrained")
    figure.suptitle(heading, x=0.01, ha="left", fontsize=11, color=INK)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes, (name, words, map_hw) in zip(grid, maps, strict=False):
        axes.imshow(map_hw, cmap="gray", interpolation="nearest", extent=(0, aspect, 0, 1))
        axes.set_title(f"{short(name, 24)}\n{words}", fontsize=8.5, color=INK, loc="left", pad=3)
    for axes in grid:
        axes.set_axis_off()
    return drawn(figure)
