"""Filters and feature maps of a network, as PNG: plain arrays in, bytes out.

Letters: o outputs and i inputs of a layer, c channels, h and w rows and columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from flawscope.pages.figures import INK, MUTED, short
from flawscope.pages.heat_maps import drawn

Floats = npt.NDArray[np.floating[Any]]
WIDTH = 10.0
"""Inches of a figure."""
CELL = 0.36
"""Inches of one value of a filter that is written in."""
MOST_CELLS = 900
MOST_MAPS = 64


def filter_tiles(weight_oihw: Floats, name: str) -> bytes:
    """The filters of a layer as grey tiles with their values written in.

    Black is the most negative value, white the most positive: one scale for the layer, the same to both sides of 0.
    What does not fit is left out, and the title says how much.
    Filters of one value (1x1) stand in one table, a row for each output.
    """
    outputs, inputs, height, width = weight_oihw.shape
    if height == width == 1:
        table = weight_oihw[:24, :24, 0, 0]
        tiles = [(f"rows: {len(table)} of {outputs} outputs, columns: {table.shape[1]} of {inputs} inputs", table)]
        count, kind = 1, "values"
    else:
        pairs = [(o, i) for o in range(outputs) for i in range(inputs)]
        count, kind = len(pairs), "filters"
        pairs = pairs[: max(1, MOST_CELLS // (height * width))]
        tiles = [(f"{o}" if inputs == 1 else f"{o} from {i}", weight_oihw[o, i]) for o, i in pairs]
    rows, columns = tiles[0][1].shape
    across = max(1, min(len(tiles), int(WIDTH / (columns * CELL + 0.25))))
    down = math.ceil(len(tiles) / across)
    size = (max(across * (columns * CELL + 0.25), 5.5), down * (rows * CELL + 0.4) + 1.0)
    figure = Figure(figsize=size, layout="constrained")
    shown = "" if len(tiles) == count else f" (the first {len(tiles):,} are shown)"
    shape = " x ".join(map(str, weight_oihw.shape))
    figure.suptitle(f"{name}: {shape}, {count:,} {kind}{shown}" if count > 1 else f"{name}: {shape}", x=0.01,
                    ha="left", fontsize=11, color=INK)  # fmt: skip
    limit = float(np.abs(weight_oihw).max()) or 1.0
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes, (title, tile_hw) in zip(grid, tiles, strict=False):
        axes.imshow(tile_hw, cmap="gray", vmin=-limit, vmax=limit)
        axes.set_title(title, fontsize=8.5, color=MUTED, pad=2)
        for (y, x), value in np.ndenumerate(tile_hw):
            words = f"{value:.2f}".replace("-0.", "-.").removeprefix("0") if abs(value) < 1 else f"{value:.1f}"
            colour = "white" if value < 0.1 * limit else "black"
            axes.text(x, y, words, ha="center", va="center", fontsize=7, color=colour)
    for axes in grid:
        axes.set_axis_off()
    return drawn(figure)


def channel_tiles(map_chw: Floats, heading: str) -> bytes:
    """Each channel of a layer's maps as a grey tile with its number, one scale for all; first the mean of all."""
    channels = len(map_chw)
    tiles = [("mean", map_chw.mean(axis=0)), *((str(c), map_chw[c]) for c in range(min(channels, MOST_MAPS - 1)))]
    aspect = map_chw.shape[2] / map_chw.shape[1]
    across = min(len(tiles), 8 if aspect < 2 else 4)
    down = math.ceil(len(tiles) / across)
    wide = WIDTH / max(across, 4)
    figure = Figure(figsize=(max(wide * across, 5.0), down * (wide / aspect + 0.22) + 1.1), layout="constrained")
    more = "" if len(tiles) > channels else f" (the first {len(tiles) - 1} are shown)"
    figure.suptitle(f"{heading}{more}", x=0.01, ha="left", fontsize=11, color=INK)
    low, high = float(map_chw.min()), float(map_chw.max())
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes, (title, tile_hw) in zip(grid, tiles, strict=False):
        axes.imshow(tile_hw, cmap="gray", vmin=low, vmax=max(high, low + 1e-9), interpolation="nearest")
        axes.set_title(title, fontsize=8.5, color=INK if title == "mean" else MUTED, pad=2)
    for axes in grid:
        axes.set_axis_off()
    mapped = ScalarMappable(Normalize(low, max(high, low + 1e-9)), "gray")
    bar = figure.colorbar(mapped, ax=list(grid), location="bottom", aspect=40, shrink=0.5, pad=0.02)
    bar.ax.tick_params(labelsize=8.5, labelcolor=INK, length=2)
    return drawn(figure)


def mean_tiles(maps: Sequence[tuple[str, str, Floats]], heading: str) -> bytes:
    """The mean over channels of many layers in one figure, each with a scale of its own: name, words, map h x w."""
    aspect = float(np.median([map_hw.shape[1] / map_hw.shape[0] for _, _, map_hw in maps]))
    across = min(len(maps), 5 if aspect < 2 else 3)
    down = math.ceil(len(maps) / across)
    wide = WIDTH / max(across, 3)
    figure = Figure(figsize=(max(wide * across, 5.0), down * (wide / aspect + 0.5) + 0.5), layout="constrained")
    figure.suptitle(heading, x=0.01, ha="left", fontsize=11, color=INK)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes, (name, words, map_hw) in zip(grid, maps, strict=False):
        axes.imshow(map_hw, cmap="gray", interpolation="nearest")
        axes.set_title(f"{short(name, 24)}\n{words}", fontsize=8.5, color=INK, loc="left", pad=3)
    for axes in grid:
        axes.set_axis_off()
    return drawn(figure)
