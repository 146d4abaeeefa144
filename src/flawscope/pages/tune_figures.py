"""Figures about a study: its history, what its keys are worth, and how its trials learnt.

A trial is its row in tune.json. Every figure takes rows and draws finished trials in blue, pruned ones in grey, and the
best one in vermilion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from flawscope.pages.figures import FIND, FONT, GOOD, GRID, INK, MUTED, blank, short, style

Row = Mapping[str, Any]
BROAD = (5.8, 3.1)
"""Width and height in inches of what goes over the whole page."""


def history(rows: Sequence[Row], best: int | None, measure: str, *, minimise: bool) -> Figure:
    """The watched value of each trial by number, and the best so far as a line; failed trials as crosses below."""
    figure = Figure(figsize=BROAD, layout="constrained")
    axes = figure.subplots()
    finished = [row for row in rows if row["state"] == "finished"]
    if finished:
        so_far = np.minimum.accumulate if minimise else np.maximum.accumulate
        line = so_far([row["value"] for row in finished])
        numbers = [row["number"] for row in finished]
        axes.step([*numbers, rows[-1]["number"]], [*line, line[-1]], where="post", color=FIND, linewidth=1.6,
                  gid="best-so-far", label="best so far")  # fmt: skip
    _points(axes, rows, best, lambda row: row["number"])
    _scale(axes, measure, rows)
    failed = [row["number"] for row in rows if row["state"] in ("failed", "interrupted")]
    if failed:
        low = axes.get_ylim()[0]
        axes.plot(failed, [low] * len(failed), "x", color=INK, markersize=6, clip_on=False, gid="failed",
                  label="failed")  # fmt: skip
        axes.set_ylim(bottom=low)
    axes.set_xlim(-0.5, max((row["number"] for row in rows), default=0) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.set_xlabel("trial", fontsize=FONT, color=INK)
    _legend(figure, axes)
    return figure


def importance(values: Mapping[str, float], *, rough: bool) -> Figure:
    """The share of the spread that each key explains, the largest on top; `rough` shares in steps of five per cent."""
    figure = Figure(figsize=(BROAD[0], 0.8 + 0.38 * len(values)), layout="constrained")
    axes = figure.subplots()
    names = list(values)[::-1]
    shares = [values[name] for name in names]
    axes.barh([short(name, 30) for name in names], shares, color=GOOD, height=0.62, gid="importance")
    for place, share in enumerate(shares):
        words = f"about {5 * round(20 * share)} %" if rough else f"{100 * share:.0f} %"
        axes.text(
            share + 0.01,
            place,
            words if share > 0.025 or not rough else "little",
            va="center",
            fontsize=FONT - 1,
            color=INK,
        )
    style(axes)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, max([*shares, 0.1]) * (1.2 if rough else 1.12))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    return figure


def slices(key: str, searched: Row, rows: Sequence[Row], best: int | None, measure: str) -> Figure:
    """The watched value against one key; choices side by side, each with its trials spread a little."""
    figure, axes = blank()
    known = [row for row in rows if key in row["settings"]]
    if searched["choices"] is None:
        _points(axes, known, best, lambda row: row["settings"][key])
        if searched["log"]:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(numticks=5))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.minorticks_off()
        elif searched["step"] is not None:
            axes.set_xticks(_steps(searched["low"], searched["high"], searched["step"]))
        else:
            whole = all(isinstance(searched[end], int) for end in ("low", "high"))
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=whole))
        pad = 0.04
        low, high = float(searched["low"]), float(searched["high"])
        if searched["log"]:
            factor = (high / low) ** pad
            axes.set_xlim(low / factor, high * factor)
        else:
            axes.set_xlim(low - pad * (high - low), high + pad * (high - low))
    else:
        names = searched["labels"]
        places = {row["number"]: names.index(row["labels"][key]) for row in known}
        order = {name: [row["number"] for row in known if row["labels"][key] == name] for name in names}
        spread = {number: _beside(at, len(each)) for each in order.values() for at, number in enumerate(each)}
        _points(axes, known, best, lambda row: places[row["number"]] + spread[row["number"]])
        length = max(6, 30 // len(names))
        axes.set_xticks(range(len(names)), [_in_lines(name, length) for name in names])
        axes.set_xlim(-0.6, len(names) - 0.4)
    _scale(axes, measure, rows)
    axes.set_xlabel(short(key, 34), fontsize=FONT, color=INK)
    return figure


def curves(rows: Sequence[Row], best: int | None, measure: str) -> Figure:
    """The watched value of each trial by epoch, the best trial highlighted."""
    figure = Figure(figsize=BROAD, layout="constrained")
    axes = figure.subplots()
    drawn: set[str] = set()
    for row in sorted(rows, key=lambda row: row["number"] == best):  # the best one on top
        epochs, values = [point[0] for point in row["curve"]], [point[1] for point in row["curve"]]
        kind = "best" if row["number"] == best else "finished" if row["state"] == "finished" else "pruned"
        if not epochs or row["state"] not in ("finished", "pruned"):
            continue
        colour = {"best": FIND, "finished": GOOD, "pruned": MUTED}[kind]
        axes.plot(
            epochs,
            values,
            color=colour,
            linewidth=2.4 if kind == "best" else 1,
            alpha={"best": 1, "finished": 0.65, "pruned": 0.5}[kind],
            marker="o",
            markersize=4 if kind == "best" else 2.5,
            gid=f"curve-{row['number']}",
            label=f"trial {best}, the best" if kind == "best" else kind if kind not in drawn else None,
        )
        drawn.add(kind)
    _scale(axes, measure, rows)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.set_xlabel("epoch", fontsize=FONT, color=INK)
    _legend(figure, axes)
    return figure


def _points(axes: Axes, rows: Iterable[Row], best: int | None, where: Any) -> None:
    """Trials as points: finished, pruned, and the best one."""
    told = [row for row in rows if row["value"] is not None]
    for state, colour, alpha in (("pruned", MUTED, 0.55), ("finished", GOOD, 0.9)):
        some = [row for row in told if row["state"] == state and row["number"] != best]
        if some:
            axes.plot(
                [where(row) for row in some], [row["value"] for row in some], "o", color=colour, alpha=alpha,
                markersize=5.5, markeredgewidth=0, gid=state, label=state,
            )  # fmt: skip
    for row in told:
        if row["number"] == best:
            axes.plot([where(row)], [row["value"]], "o", color=FIND, markersize=9, gid="best", zorder=5,
                      label=f"trial {best}, the best")  # fmt: skip


def _scale(axes: Axes, measure: str, rows: Sequence[Row]) -> None:
    """The axis of values. A loss may run away in a few trials: then on a logarithmic scale."""
    style(axes)
    values = [point[1] for row in rows for point in row["curve"]]
    if measure == "val_loss" and values and 0 < min(values) < max(values) / 30:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.minorticks_off()
    else:
        axes.margins(y=0.08)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_ylabel(measure, fontsize=FONT, color=INK)


def _legend(figure: Figure, axes: Axes) -> None:
    if axes.get_legend_handles_labels()[1]:
        figure.legend(
            loc="outside upper left", ncols=3, frameon=False, fontsize=FONT - 1, labelcolor=INK, handlelength=1.4,
            columnspacing=1.4,
        )  # fmt: skip


def _steps(low: float, high: float, step: float) -> list[float]:
    """Values that can be drawn, at most six of them, as far apart as they come.

    >>> _steps(8, 32, 8), _steps(16, 128, 16)
    ([8, 16, 24, 32], [16, 48, 80, 112])
    """
    values = [low + step * at for at in range(int((high - low) / step + 1e-9) + 1)]
    return values[:: -(-len(values) // 6)]


def _in_lines(name: str, length: int) -> str:
    """A choice as a label of so many letters a line; one that is longer gets a line for each of its parts.

    >>> _in_lines("cosine, warm_up: 1", 10), _in_lines("[0.8, 1.2]", 10)
    ('cosine\\nwarm_up: 1', '[0.8, 1.2]')
    """
    parts = name.split(", ") if len(name) > length else [name]
    lines = [short(part, length) for part in parts[:3]]
    return "\n".join([*lines, *(["…"] if len(parts) > 3 else [])])


def _beside(at: int, of: int) -> float:
    """How far the point `at` of `of` stands from the middle of its choice."""
    return 0.0 if of < 2 else 0.5 * (at / (of - 1) - 0.5)
