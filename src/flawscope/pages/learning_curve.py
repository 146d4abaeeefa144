"""The page of a learning curve: what was measured, how it goes on, and what cannot be said.

Plain data in, HTML out: the numbers on the page are the numbers of curve.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from flawscope.pages import figures
from flawscope.pages.templating import fill, write_page
from flawscope.pages.words import number, span, watched

View = dict[str, Any]

SECTIONS = (
    ("answer", "The answer"),
    ("curve", "The curve"),
    ("trainings", "All trainings"),
    ("how", "How it was made"),
)
BROAD = (5.8, 3.5)


def write_curve(folder: str | Path, document: Mapping[str, Any]) -> Path:
    """Write `folder`/index.html, whole or not at all, and return its path.

    Raises:
        OutputError: the folder cannot be written to.
    """
    return write_page(folder, render(document))


def render(document: Mapping[str, Any]) -> str:
    """The page as one string. The same document gives the same bytes."""
    measure = document["measure"]
    alt = f"{watched(measure)} over the number of training images, measured and extrapolated"
    values = {(point["fraction"], r): value for point in document["points"] for r, value in enumerate(point["values"])}
    return fill(
        "learning-curve.html",
        doc=document,
        sections=SECTIONS,
        measure=watched(measure),
        points=[_row(measure, point) for point in document["points"]],
        forecast=[_row(measure, each) | {"times": f"{each['times']:g}"} for each in document["forecast"]],
        figure=Markup(figures.svg(draw(document), "curve", alt)),
        trainings=[
            {**row, "value": _number(measure, values[row["fraction"], row["repeat"]])} for row in document["trainings"]
        ],
    )


def draw(document: Mapping[str, Any]) -> Figure:
    """Each training as a point, the mean of each size, the law with its band, and dashed where it is extrapolated."""
    figure = Figure(figsize=BROAD, layout="constrained")
    axes = figure.subplots()
    figures.style(axes)
    points, band = document["points"], document["band"]
    most = max(point["images"] for point in points)
    if band:
        x = [each["images"] for each in band]
        low, high, value = ([each["interval"][end] for each in band] for end in ("low", "high", "value"))
        axes.fill_between(x, low, high, color=figures.GOOD, alpha=0.16, linewidth=0, gid="band", label="95 % interval")
        seen, ahead = (
            [(a, b) for a, b in zip(x, value, strict=True) if beyond == (a > most)] for beyond in (False, True)
        )
        axes.plot(*zip(*seen, strict=True), color=figures.GOOD, linewidth=2, gid="law", label="fitted law")
        axes.plot(*zip(seen[-1], *ahead, strict=True), color=figures.GOOD, linewidth=2, linestyle=(0, (5, 3)),
                  gid="ahead", label="extrapolated")  # fmt: skip
        axes.axvline(most, color=figures.MUTED, linewidth=1, linestyle=(0, (2, 3)), gid="most")
    every = [(point["images"], value) for point in points for value in point["values"] if value is not None]
    if every:
        axes.plot(*zip(*every, strict=True), "o", color=figures.FIND, markersize=5.5, alpha=0.8, markeredgewidth=0,
                  gid="trainings", label="one training")  # fmt: skip
    ticks = sorted({point["images"] for point in points} | {each["images"] for each in document["forecast"]})
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda images, _: f"{images:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.grid(axis="y", color=figures.GRID, linewidth=0.8)
    axes.set_xlabel("training images", fontsize=figures.FONT, color=figures.INK)
    axes.set_ylabel(f"{watched(document['measure'])} (calibration part)", fontsize=figures.FONT, color=figures.INK)
    figure.legend(loc="outside upper left", ncols=4, frameon=False, fontsize=figures.FONT - 1, labelcolor=figures.INK,
                  handlelength=1.6, columnspacing=1.4)  # fmt: skip
    return figure


def _row(measure: str, entry: Mapping[str, Any]) -> View:
    """A point or a forecast as text."""
    found = entry["interval"]
    return {
        **entry,
        "value": "–" if found is None else _number(measure, found["value"]),
        "span": "–" if found is None else span(watched(measure), found),
        "values": [_number(measure, value) for value in entry.get("values", ())],
    }


def _number(measure: str, value: float | None) -> str:
    return "–" if value is None else number(watched(measure), value)
