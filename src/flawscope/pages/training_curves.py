"""Curves of trainings, in the report and in comparisons: the columns of history.csv over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from flawscope.pages.figures import FIND, FONT, GOOD, GRID, INK, MUTED, Stroke, blank, style


def learning(history: Sequence[Mapping[str, Any]], columns: Sequence[str], best_epoch: int | None) -> Figure:
    """Columns of history.csv over the epoch; the chosen epoch is marked on the first validation column.

    Values may be numbers or text as read from the file; missing and non-finite values leave a gap.
    """
    figure, axes = blank()
    epoch = np.array([_number(row.get("epoch")) for row in history])
    for column in columns:
        values = np.array([_number(row.get(column)) for row in history])
        watched, drawn = column.startswith("val_"), drawn_share(column)
        axes.plot(
            epoch,
            values,
            color=FIND if watched else MUTED if drawn else GOOD,
            linestyle="-" if watched else (0, (1, 2)) if drawn else (0, (4, 2)),
            linewidth=2,
            marker="o" if len(history) < 4 else None,
            markersize=4,
            gid=f"line-{column}",
            label="validation" if watched else drawn or "training",
        )
        if watched and best_epoch is not None and (epoch == best_epoch).any():
            best = values[epoch == best_epoch][0]
            axes.plot([best_epoch], [best], "o", color=INK, markersize=7, gid="best", label=f"chosen: {best_epoch}")
    style(axes)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    _scale(axes, loss=any(column.endswith("loss") for column in columns))
    axes.set_xlabel("epoch", fontsize=FONT, color=INK)
    axes.legend(frameon=False, fontsize=FONT - 1, labelcolor=INK, handlelength=1.6)
    return figure


def learning_overlaid(lines: Sequence[tuple[Stroke, Sequence[Mapping[str, Any]]]], column: str) -> Figure:
    """One column of several history.csv over the epoch; missing and non-finite values leave a gap.

    Where several histories have the same stroke (the folds of one run) their lines are thin.
    """
    figure, axes = blank()
    strokes = [stroke for stroke, _ in lines]
    for index, (stroke, history) in enumerate(lines):
        axes.plot(
            [_number(row.get("epoch")) for row in history],
            [_number(row.get(column)) for row in history],
            color=stroke[0],
            linestyle=stroke[1],
            linewidth=2 if strokes.count(stroke) == 1 else 1,
            marker="o" if len(history) < 4 else None,
            markersize=4,
            gid=f"line-{index}",
        )
    style(axes)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    _scale(axes, loss=column.endswith("loss"))
    axes.set_xlabel("epoch", fontsize=FONT, color=INK)
    return figure


def drawn_share(column: str) -> str:
    """What a column of history.csv is called that says how many of the images of an epoch show a class; else nothing.

    >>> drawn_share("drawn_crack"), drawn_share("train_accuracy")
    ('drawn: crack', '')
    """
    head, _, name = column.partition("_")
    return f"drawn: {name}" if head == "drawn" else ""


def _scale(axes: Axes, *, loss: bool) -> None:
    """The upright axis of a learning curve: a loss that at least halves on a logarithmic one, all else is a share."""
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()])
    values = values[np.isfinite(values)]
    if loss and values.size and values.min() > 0 and values.max() >= 2 * values.min():
        axes.set_yscale("log")
        decades = np.log10(values.max() / values.min())
        subs = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0) if decades < 1 else (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)
        axes.yaxis.set_major_locator(LogLocator(subs=subs))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.margins(y=0.12)
    if not loss:
        axes.set_ylim(max(axes.get_ylim()[0], -0.02), min(axes.get_ylim()[1], 1.02))


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return float("nan")
    return number if np.isfinite(number) else float("nan")
