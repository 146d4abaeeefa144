"""Figures of the report: matplotlib through its object interface, drawn as SVG that takes the page's colours.

Every figure is built from the metrics document alone. `svg` turns one into markup that can stand in a page beside
others: unique ids, no dates, no references to anything outside, colours as CSS variables (light and dark).
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from flawscope.pages.operating import operating_points

# Okabe and Ito's colours, told apart with every kind of colour vision. Each stands for one CSS variable of the page.
FIND, GOOD, INK, MUTED, GRID = "#d55e00", "#0072b2", "#20262e", "#66707c", "#dfe3e8"
PERSON, PAPER = "#cc79a7", "#ffffff"
_VARIABLES = {
    FIND: "--find", GOOD: "--good", INK: "--ink", MUTED: "--muted", GRID: "--line", PERSON: "--person",
    PAPER: "--paper",
}  # fmt: skip

Stroke = tuple[str, Any]
STROKES: tuple[Stroke, ...] = (
    (GOOD, "-"),
    (FIND, (0, (5, 2))),
    ("#009e73", (0, (1.5, 1.5))),
    (PERSON, (0, (6, 2, 1.5, 2))),
    ("#e69f00", (0, (9, 3))),
    ("#56b4e9", (0, (3, 2, 1, 2, 1, 2))),
)
"""Colour and dashes of the runs of a comparison, in their order: told apart without colours as well."""

SIZE = (3.7, 3.1)
"""Width and height in inches: shown at 330 to 380 pixels, so that 10 points become about 12 pixels."""
WIDE = (5.4, 3.6)
FONT = 10.0
_TICKS = (1e-5, 1e-4, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)


def roc(curve: Mapping[str, Any], name: str) -> Figure:
    """The receiver operating characteristic of one class of the metrics document, operating point marked.

    Args:
        curve: one entry of `metrics["classes"]`, with `roc`.
        name: the class.
    """
    figure, axes = blank()
    points = curve["roc"]
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 3)), gid="chance")
    axes.plot(points["false_positive_rate"], points["true_positive_rate"], color=FIND, linewidth=2, gid="curve")
    x = 0.66
    for mark, words in operating_points(curve["confusion"]):
        _mark(axes, mark["overkill"], mark["recall"], words)
        if (mark["overkill"] or 0) > 0.35 and 0.3 < (mark["recall"] or 0) < 0.85:
            x = 0.2  # no letters over those of a decision that is little better
    square(axes, f"falsely called {short(name)} (overkill)", f"{short(name)} found (recall)")
    axes.text(x, x - 0.06, "chance", color=MUTED, fontsize=FONT - 1, ha="left", va="top")
    return figure


def precision_recall(curve: Mapping[str, Any], name: str) -> Figure:
    """Precision over recall of one class, operating point marked; the dotted line is the share of the class."""
    figure, axes = blank()
    points = curve["precision_recall"]
    share = curve["positives"] / max(curve["positives"] + curve["negatives"], 1)
    axes.plot([0, 1], [share, share], color=MUTED, linewidth=1, linestyle=(0, (2, 3)), gid="chance")
    axes.plot(points["recall"], points["precision"], color=FIND, linewidth=2, gid="curve")
    for mark, words in operating_points(curve["confusion"]):
        _mark(axes, mark["recall"], mark["precision"], words)
    square(axes, f"{short(name)} found (recall)", "precision")
    above = share < 0.8
    place = {"y": share + (0.02 if above else -0.02), "va": "bottom" if above else "top"}
    axes.text(0.03, s="chance", color=MUTED, fontsize=FONT - 1, **place)
    return figure


def histogram(curve: Mapping[str, Any], name: str, other: str, *, sides: bool = True, good: bool = False) -> Figure:
    """Probabilities of images with the class (above) and without (below), each with its own scale, and the threshold.

    `sides` shades the wrong side of the threshold; it is off where the threshold alone does not decide. `good` says
    that the class is the good one, and swaps the colours. The band in which a person looks is shaded in its own colour.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    edges = np.asarray(curve["histogram"]["edges"], dtype=float)
    threshold = curve["threshold"]
    colours = (GOOD, FIND) if good else (FIND, GOOD)
    low = curve.get("looked_at")
    band = None if low is None or threshold is None or low >= threshold else (low, threshold)
    panels = (
        (upper, "positive", colours[0], name, (0.0, threshold if band is None else low)),
        (lower, "negative", colours[1], other, (threshold, 1.0)),
    )
    for axes, key, colour, label, wrong in panels:
        counts = np.asarray(curve["histogram"][key], dtype=float)
        if threshold is not None and sides:
            axes.axvspan(*wrong, color=MUTED, alpha=0.14, linewidth=0, gid=f"wrong-side-{key}")
        axes.bar(edges[:-1], counts, np.diff(edges) * 0.9, align="edge", color=colour, linewidth=0)
        if band is not None:
            axes.axvspan(*band, color=PERSON, alpha=0.25, linewidth=0, gid=f"band-{key}")
            axes.axvline(band[0], color=INK, linewidth=1.3, linestyle=(0, (4, 2)), gid=f"looked-at-{key}")
        if threshold is not None:
            axes.axvline(threshold, color=INK, linewidth=1.3, linestyle=(0, (4, 2)), gid=f"threshold-{key}")
        style(axes)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, max(counts.max() * 1.08, 1))
        axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        axes.set_title(f"{short(label, 32)}: {int(counts.sum())}", fontsize=FONT, color=INK, loc="left", pad=4)
    upper.tick_params(labelbottom=False)
    words = "" if threshold is None else f" (threshold {threshold:.2f})"
    if band is not None:
        words = f" (a person: {band[0]:.2f} to {band[1]:.2f})"
    lower.set_xlabel(f"probability{words}", fontsize=FONT, color=INK)
    return figure


def overlaid(
    lines: Sequence[tuple[Stroke, Sequence[float], Sequence[float]]],
    labels: tuple[str, str],
    chance: tuple[Sequence[float], Sequence[float]],
) -> Figure:
    """Curves of several runs, each with its stroke, in the unit square; the dotted grey line from `chance` is chance.

    Args:
        lines: stroke, x and y of each curve.
        labels: what is drawn to the right, and upwards.
        chance: x and y of the ends of the line of chance.
    """
    figure, axes = blank()
    axes.plot(*chance, color=MUTED, linewidth=1, linestyle=(0, (2, 3)), gid="chance")
    for index, ((colour, dashes), x, y) in enumerate(lines):
        axes.plot(x, y, color=colour, linestyle=dashes, linewidth=2, gid=f"curve-{index}")
    square(axes, *labels)
    return figure


def evidence(null: Mapping[str, Any], found: Mapping[str, Any], thresholds: tuple[float, float] | None) -> Figure:
    """The measure over pairs known to be different (above) and over the pairs that were looked at (below).

    Counts are drawn on a logarithmic scale: what is rare near the thresholds is what matters. One of the
    histograms, both with `edges` and `counts`, may be empty: it is not drawn. `thresholds` are the ends of a band; if
    they are the same, it is a line.
    """
    panels = [
        panel
        for panel in (
            ("null", null, GOOD, "pairs known to be different"),
            ("found", found, FIND, "pairs that were compared"),
        )
        if sum(panel[1].get("counts", ()))
    ]
    figure = Figure(figsize=(WIDE[0], WIDE[1] * (0.3 + 0.35 * len(panels))), layout="constrained")
    drawn = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    lowest = 1.0
    for axes, (name, bars, colour, words) in zip(drawn, panels, strict=True):
        edges, counts = (np.asarray(bars[key], dtype=float) for key in ("edges", "counts"))
        style(axes)
        axes.bar(edges[:-1], counts, np.diff(edges) * 0.92, align="edge", color=colour, linewidth=0)
        axes.set_yscale("log")
        axes.set_ylim(0.6, counts.max() * 2)
        axes.yaxis.set_major_locator(LogLocator(numticks=4))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
        lowest = min(lowest, float(edges[np.flatnonzero(counts)[0]]))
        axes.minorticks_off()
        axes.set_title(f"{words}: {int(counts.sum()):,}", fontsize=FONT, color=INK, loc="left", pad=4)
        if thresholds is not None and thresholds[0] < thresholds[1]:
            axes.axvspan(*thresholds, color=INK, alpha=0.16, linewidth=0, zorder=0, gid=f"threshold-{name}")
        elif thresholds is not None:
            axes.axvline(thresholds[0], color=INK, linewidth=1.3, linestyle=(0, (4, 2)), gid=f"threshold-{name}")
        axes.tick_params(labelbottom=axes is drawn[-1])
    drawn[-1].set_xlim(min(lowest, 0.98 if thresholds is None else thresholds[0] - 0.02), 1.0)
    drawn[-1].set_xlabel("measure: correlation once aligned", fontsize=FONT, color=INK)
    return figure


def brightness(edges: Sequence[float], counts: Mapping[str, Sequence[int]]) -> Figure:
    """Histograms of the mean grey value of each picture, one panel a label, each with its own scale."""
    rows = len(counts)
    figure = Figure(figsize=(WIDE[0], 0.7 + 0.85 * rows), layout="constrained")
    edges_b = np.asarray(edges, dtype=float)
    for axes, (label, count) in zip(np.atleast_1d(figure.subplots(rows, 1, sharex=True)), counts.items(), strict=True):
        style(axes)
        axes.bar(edges_b[:-1], count, np.diff(edges_b) * 0.9, align="edge", color=GOOD, linewidth=0)
        axes.set_xlim(0, 1)
        axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        axes.set_title(f"{short(label, 40)}: {int(np.sum(count)):,}", fontsize=FONT, color=INK, loc="left", pad=3)
        axes.tick_params(labelbottom=False)
    axes.tick_params(labelbottom=True)
    axes.set_xlabel("mean grey value: 0 black, 1 white", fontsize=FONT, color=INK)
    return figure


def svg(figure: Figure, prefix: str, alt: str) -> str:
    """Markup of a figure for inlining; `prefix` makes its ids unique in the page, `alt` says what is seen."""
    for words in figure.findobj(Text):
        words.set_parse_math(False)  # a class may be called "$a$"
    stream = io.StringIO()
    options: Any = {"svg.hashsalt": "flawscope", "svg.fonttype": "none", "font.family": "DejaVu Sans"}
    with matplotlib.rc_context(options), warnings.catch_warnings():
        # A letter that matplotlib's own font lacks is drawn by the reader's browser all the same.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None})  # type: ignore[no-untyped-call]
    drawn = stream.getvalue()
    view = re.search(r'<svg[^>]*viewBox="([^"]*)"[^>]*>', drawn, flags=re.DOTALL)
    assert view is not None
    drawn = drawn[view.end() :]
    # Neither matplotlib's style sheet, which would reach the whole page, nor its fonts, nor the addresses in its
    # metadata belong into the page.
    drawn = re.sub(r"<(metadata|style)\b.*?</\1>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"\bfont: ([\d.]+)px [^;\"]*", r"font-size: \1px", drawn)
    drawn = re.sub(r"\bfont-family: [^;\"]*;?", "", drawn)
    drawn = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", drawn)
    for colour, variable in _VARIABLES.items():
        drawn = re.sub(rf"\b(fill|stroke): {colour}\b", rf"\1: var({variable}, {colour})", drawn)
    head = f'<svg class="figure" role="img" aria-label="{html.escape(alt)}" viewBox="{view[1]}">'
    return head + re.sub(r"\n\s*", "\n", drawn)


def png(figure: Figure, width: float, height: float) -> bytes:
    """The figure on white, for a document: width and height in inches."""
    figure.set_size_inches(width, height)
    figure.patch.set_visible(True)
    FigureCanvasAgg(figure)
    figure.savefig(stream := io.BytesIO(), format="png", facecolor="white", metadata={"Software": None})
    return stream.getvalue()


def variable(colour: str) -> str:
    """The CSS variable of the page that a colour stands for; empty if it stands for itself.

    >>> variable(GOOD), variable("#009e73")
    ('--good', '')
    """
    return _VARIABLES.get(colour, "")


def blank() -> tuple[Figure, Axes]:
    """A figure of the usual size, and its only axes."""
    figure = Figure(figsize=SIZE, layout="constrained")
    return figure, figure.subplots()


def style(axes: Axes) -> None:
    """Lines and letters of every figure."""
    axes.set_facecolor("none")
    axes.figure.patch.set_visible(False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=FONT - 1, length=3)
    axes.set_axisbelow(True)


def probability_axis(axes: Axes, left: float, right: float, label: str) -> None:
    """Thresholds of a probability from left to right, both ends of (0, 1) drawn out."""
    axes.set_xscale("logit")
    axes.set_xlim(left, right)
    ticks = [tick for tick in _TICKS if left <= tick <= right]
    axes.xaxis.set_major_locator(FixedLocator(ticks if len(ticks) > 2 else MaxNLocator(4).tick_values(left, right)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label, fontsize=FONT, color=INK)


def square(axes: Axes, xlabel: str, ylabel: str) -> None:
    """Both axes from 0 to 1, with a grid."""
    style(axes)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set_xticks(ticks, ["0", "", "0.5", "", "1"])
    axes.set_yticks(ticks, ["0", "", "0.5", "", "1"])
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.04)
    axes.set_xlabel(xlabel, fontsize=FONT, color=INK)
    axes.set_ylabel(ylabel, fontsize=FONT, color=INK)


def _mark(axes: Axes, x: float | None, y: float | None, words: str) -> None:
    """The decisions that were taken, as a point; left out where it cannot be computed."""
    if x is None or y is None:
        return
    held = words == "not passed"
    gid, inside = ("operating-point-held", PAPER) if held else ("operating-point", INK)
    axes.plot([x], [y], "o", color=INK, markerfacecolor=inside, markersize=8, gid=gid, clip_on=False, zorder=5)
    if words != "as decided":  # two points may lie side by side: the page says which is which
        return
    right = x < 0.55
    axes.annotate(
        words,
        (x, y),
        xytext=(9 if right else -9, -9 if y > 0.15 else 9),
        textcoords="offset points",
        ha="left" if right else "right",
        va="center",
        fontsize=FONT,
        color=INK,
    )


def short(name: str, length: int = 18) -> str:
    """A name that fits beside a figure."""
    return name if len(name) <= length else name[: length - 1] + "…"
