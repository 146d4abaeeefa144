"""Heat maps over pictures, as PNG: plain arrays in, bytes out.

The default colours are even to the eye and told apart with every kind of colour vision: `plasma` of matplotlib for
maps from 0 to 1; for maps with a sign vermilion for and blue against, from Okabe and Ito. They cover the picture the
less, the less they have to say, and the scale bar shows them as they look on a middle grey. `jet` is what the
reference systems draw, 70 % heat map over 30 % picture: it shows edges that are not there. `contours` draws lines and
leaves the picture as it is.

Letters: h and w rows and columns of a picture, 3 its colours.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from PIL import Image

from flawscope.errors import UserError, choices
from flawscope.pages.figures import FIND, GOOD, INK, MUTED, short
from flawscope.pages.heat_colours import cover

Style = Literal["even", "contours", "jet"]
STYLES: tuple[Style, ...] = get_args(Style)
LEVELS = (0.25, 0.5, 0.75)
JET_SHARE = 0.7
DPI = 150
WIDE = 2.0
"""Pictures that are wider than so many times their height stand one below the other."""
Floats = npt.NDArray[np.floating[Any]]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Panel:
    """One map over its picture: a title, the map h x w (0..1, with `signed` -1..1), and words for what 1 stands for."""

    title: str
    map_hw: Floats
    signed: bool
    unit: str = ""


Shown = tuple[Bytes, str, Panel]
"""A picture, the words below its name, and its map."""


def style_of(name: str) -> Style:
    """The style of a name.

    Raises:
        UserError: there is none.

    >>> style_of("jet")
    'jet'
    """
    for style in STYLES:
        if style == name:
            return style
    raise UserError(f"there is no style {name!r}", choices(name, STYLES))


def blended(picture: Bytes, map_hw: Floats, style: Style = "even", *, signed: bool = False) -> Bytes:
    """A picture (h x w or h x w x 3) with a map in colours over it, h x w x 3; the map is stretched to its size.

    >>> blended(np.full((2, 2), 128, np.uint8), np.array([[0.0, 1.0], [0.0, 0.0]]))[0, 0].tolist()
    [128, 128, 128]
    """
    grey_hw1 = _grey(picture)[..., None]
    value_hw = stretched(map_hw, picture.shape[:2])
    if style == "contours":
        return np.repeat(grey_hw1, 3, axis=2).astype(np.uint8)
    colour_hw4 = _colours(style, signed)(_unit(value_hw, signed))
    if style == "jet":
        own = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
        return np.rint(255 * JET_SHARE * colour_hw4[..., :3] + (1 - JET_SHARE) * own).astype(np.uint8)
    cover_hw1 = cover(value_hw)[..., None]
    mixed: Bytes = np.rint(cover_hw1 * 255 * colour_hw4[..., :3] + (1 - cover_hw1) * grey_hw1).astype(np.uint8)
    return mixed


def stretched(map_hw: Floats, size: tuple[int, ...]) -> Floats:
    """A map at another size, bilinear.

    >>> stretched(np.array([[0.0, 1.0]]), (1, 4)).round(2).tolist()
    [[0.0, 0.25, 0.75, 1.0]]
    """
    image = Image.fromarray(np.asarray(map_hw, dtype=np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def explained(picture: Bytes, heading: str, panels: Sequence[Panel], style: Style = "even") -> bytes:
    """One picture and its maps side by side, each with its scale, as PNG; wide pictures stand one below the other.

    Args:
        picture: h x w or h x w x 3.
        heading: what is asked of which picture.
        panels: one for each method.
        style: see the head of this file.
    """
    height, width = picture.shape[:2]
    aspect = width / height
    count = 1 + len(panels)
    columns = 1 if aspect > WIDE else min(count, 3 if count != 4 else 2)
    rows = math.ceil(count / columns)
    wide = min(9.0 if columns == 1 else 3.9, 5.0 * aspect) if columns > 1 else 9.0
    wide = max(wide, 2.9)
    figure = Figure(
        figsize=(columns * wide + 0.2, rows * (wide / aspect + (1.05 if columns == 1 else 0.8)) + 0.35),
        layout="constrained",
    )
    figure.suptitle(heading, x=0.01, ha="left", fontsize=11, color=INK, wrap=True)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    _plain(grid[0], picture)
    grid[0].set_title("picture", fontsize=10, color=MUTED, loc="left", pad=4)
    _scale(figure, grid[0], style, seen=False)  # so that all pictures of a row stand side by side
    for axes, panel in zip(grid[1:], panels, strict=False):
        _drawn(axes, picture, panel, style)
        axes.set_title(panel.title, fontsize=10, color=INK, loc="left", pad=4)
        _scale(figure, axes, style, signed=panel.signed, unit=panel.unit)
    for axes in grid[count:]:
        axes.set_axis_off()
    return drawn(figure)


def contact(pictures: Sequence[Shown], heading: str, style: Style = "even", columns: int = 4) -> bytes:
    """Many pictures with one map each on one sheet, one scale for all, as PNG: picture, words below it, map."""
    aspect = float(np.median([picture.shape[1] / picture.shape[0] for picture, _, _ in pictures]))
    columns = min(len(pictures), 2 if aspect > WIDE else columns)
    rows = math.ceil(len(pictures) / columns)
    wide = 5.2 if aspect > WIDE else 2.7
    figure = Figure(figsize=(max(columns * wide, 5.4), rows * (wide / aspect + 0.36) + 0.75), layout="constrained")
    figure.suptitle(heading, x=0.01, ha="left", fontsize=11, color=INK, wrap=True)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (picture, words, panel) in zip(grid, pictures, strict=False):
        _drawn(axes, picture, panel, style)
        axes.set_title(words, fontsize=8.5, color=INK, loc="left", pad=3)
    for axes in grid[len(pictures) :]:
        axes.set_axis_off()
    _scale(figure, list(grid), style, signed=pictures[0][2].signed, unit="1: the largest value of each map")
    return drawn(figure)


def drawn(figure: Figure) -> bytes:
    """The figure as PNG on white, without a date or the name of a program."""
    for words in figure.findobj(Text):
        words.set_parse_math(False)  # a class may be called "$a$"
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(stream, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return stream.getvalue()


def caption(name: str, words: str, length: int = 34) -> str:
    """Two lines below a small picture.

    >>> caption("a.png", "scrap 2.1")
    'a.png\\nscrap 2.1'
    """
    return f"{short(name, length)}\n{short(words, length)}"


def _drawn(axes: Axes, picture: Bytes, panel: Panel, style: Style) -> None:
    _plain(axes, blended(picture, panel.map_hw, style, signed=panel.signed))
    value_hw = stretched(panel.map_hw, picture.shape[:2])
    levels = [-each for each in reversed(LEVELS)] + list(LEVELS) if panel.signed else list(LEVELS)
    if style == "contours" and np.ptp(value_hw) > 0:
        colours = _colours(style, panel.signed)(_unit(np.array(levels), panel.signed))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a level that no place reaches
            lines = axes.contour(value_hw, levels=levels, colors=colours, linewidths=1.8, linestyles="solid")
        lines.set_path_effects([withStroke(linewidth=3.2, foreground="#101010")])
    if not np.abs(panel.map_hw).max() > 0:
        axes.text(0.5, 0.5, "nothing speaks\nfor this class", transform=axes.transAxes, ha="center", va="center",
                  fontsize=10, color=INK, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85})  # fmt: skip


def _plain(axes: Axes, picture: Bytes) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#c6ccd3")


def _scale(
    figure: Figure, axes: Any, style: Style, *, signed: bool = False, unit: str = " ", seen: bool = True
) -> None:
    """The bar: the colours as they look on a middle grey, from 0 (or -1) to 1."""
    value_n = np.linspace(-1 if signed else 0, 1, 256)
    colour_n3 = _colours(style, signed)(_unit(value_n, signed))[:, :3]
    if style == "even":
        cover_n1 = cover(value_n)[:, None]
        colour_n3 = cover_n1 * colour_n3 + (1 - cover_n1) * 0.5
    if style == "jet":
        colour_n3 = JET_SHARE * colour_n3 + (1 - JET_SHARE) * 0.5
    mapped = ScalarMappable(Normalize(value_n[0], 1), ListedColormap(colour_n3))
    several = isinstance(axes, list)
    bar = figure.colorbar(
        mapped, ax=axes, location="bottom", aspect=40 if several else 26, pad=0.02, shrink=0.5 if several else 1.0
    )
    bar.set_ticks([-1, -0.5, 0, 0.5, 1] if signed else [0, 0.25, 0.5, 0.75, 1])
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8.5, colors=MUTED, labelcolor=INK, length=2)
    ends = bar.ax.get_xticklabels()
    ends[0].set_horizontalalignment("left")  # so that those of neighbours do not run into each other
    ends[-1].set_horizontalalignment("right")
    sides = "against the class | for it" if signed else ""
    bar.set_label("; ".join(part for part in (sides, unit) if part), fontsize=8.5, color=INK)
    if not seen and bar.solids is not None:
        bar.solids.set_alpha(0)
        bar.ax.tick_params(color="none", labelcolor="none")


def _colours(style: Style, signed: bool) -> Colormap:
    if style == "jet":
        return matplotlib.colormaps["jet"]
    if signed:
        return ListedColormap([GOOD, FIND])
    return matplotlib.colormaps["plasma"]


def _unit(value: Floats, signed: bool) -> Floats:
    """Values of a map as 0..1, which colours are asked with."""
    return np.clip((value + 1) / 2 if signed else value, 0, 1)


def _grey(picture: Bytes) -> Floats:
    """Grey values, so that the picture's own colours are not taken for those of the map."""
    return np.asarray(picture, float) if picture.ndim == 2 else picture @ np.array([0.299, 0.587, 0.114])
