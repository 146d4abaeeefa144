"""Figures of masks: precision and recall of pixels, recall of flaws by their size, and what other rules would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from flawscope.pages.figures import FIND, FONT, GOOD, GRID, INK, MUTED, blank, short, square, style


def pixels(curve: Mapping[str, Any], name: str, point: tuple[float, float] | None) -> Figure:
    """Precision over recall of the pixels of a class at all thresholds; `point` is what is marked in the end.

    Args:
        curve: one entry of `metrics["masks"]["curves"]`.
        name: the class.
        point: recall and precision of the marks.
    """
    figure, axes = blank()
    share = curve["share"]
    axes.plot([0, 1], [share, share], color=MUTED, linewidth=1, linestyle=(0, (2, 3)), gid="chance")
    axes.plot(curve["recall"], curve["precision"], color=FIND, linewidth=2, marker=_alone(curve["recall"]), gid="curve")
    if point is not None:
        axes.plot(*[[value] for value in point], "o", color=INK, markersize=8, gid="as-marked", clip_on=False, zorder=5)
    square(axes, f"pixels of {short(name)} found (recall)", "marked pixels that are right")
    axes.text(1.04, share, "chance", color=MUTED, fontsize=FONT - 1, va="center")  # beside the axes: curves run within
    return figure


def sizes(rows: Sequence[Mapping[str, Any]], unit: str) -> Figure:
    """The share of flaws that are found over their area, each point a bin with its interval, as wide as its sizes."""
    figure, axes = blank()
    key = "" if unit == "pixels" else f" {unit}"
    ends = []
    for index, row in enumerate(rows):
        middle, low, high = (row[f"{end}{key}"] for end in ("middle", "from", "to"))
        value, below, above = (row["recall"][each] for each in ("value", "low", "high"))
        ends += [low, high]
        axes.plot([low, high], [value, value], color=GOOD, linewidth=5, alpha=0.35, solid_capstyle="butt")
        axes.plot([middle, middle], [below, above], color=GOOD, linewidth=2, gid=f"interval-{index}")
        axes.plot([middle], [value], "o", color=INK, markersize=6, gid=f"recall-{index}", clip_on=False, zorder=5)
    style(axes)
    axes.set_xscale("log")
    axes.set_xlim(min(ends) / 1.5, max(ends) * 1.5)
    _plain_log(axes)
    axes.set_ylim(-0.02, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_xlabel(f"area of the flaw in {unit}", fontsize=FONT, color=INK)
    axes.set_ylabel("share that is found", fontsize=FONT, color=INK)
    return figure


def rule(fitted: Mapping[str, Any], over: str) -> Figure:
    """The mean Dice on the calibration part over thresholds (`levels`) or least areas (`areas`), and the choice."""
    figure, axes = blank()
    levels = over == "levels"
    x = np.asarray(fitted[over], dtype=float) / (256 if levels else 1)
    y = np.asarray(fitted[f"over {over}"], dtype=float)
    chosen = fitted["level"] / 256 if levels else fitted["min_area"]
    axes.plot(x, y, color=GOOD, linewidth=2, marker=_alone(x), gid="curve")
    axes.axvline(chosen, color=INK, linewidth=1.3, linestyle=(0, (4, 2)), gid="chosen")
    style(axes)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_ylim(-0.02, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    axes.set_ylabel("mean Dice", fontsize=FONT, color=INK)
    if levels:
        axes.set_xlim(0, 1)
        axes.set_xlabel(f"threshold (set: {chosen:.2f})", fontsize=FONT, color=INK)
    else:
        axes.set_xscale("log")
        axes.set_xlim(min(0.8, chosen), max(float(x.max()), chosen) * 1.25)
        _plain_log(axes)
        axes.set_xlabel(f"least area in pixels (set: {chosen:,})", fontsize=FONT, color=INK)
    return figure


def _alone(points: Any) -> str | None:
    """A dot where there is no line."""
    return "o" if len(points) == 1 else None


def _plain_log(axes: Any) -> None:
    """Plain numbers on a logarithmic axis whose limits are set; below one power of ten it has round steps."""
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(10, numticks=6) if high > 10 * low else MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
