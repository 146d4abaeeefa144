"""What masks show, ready to print: for the audit and for the report of a run.

Plain data in (see `flawscope.data.mask_census`), rows, figures and outlined pictures out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from flawscope.errors import ImageError
from flawscope.pages.figures import FIND, FONT, GOOD, INK, WIDE, short, style, svg
from flawscope.pages.outlines import LONGER, SHORTEST, colour_of, viewable_outlined
from flawscope.pages.pairs import Source, View
from flawscope.pages.picture_facts import number
from flawscope.pages.thumbnails import data_uri
from flawscope.records import Masks
from flawscope.wording import percent

PANELS = 8
BROAD = 2.0
"""Pictures this many times as wide as high are shown in wider columns."""


def facts_view(facts: Mapping[str, Any] | None) -> View | None:
    """The table of classes, both figures, and sentences; none where there are no masks."""
    if not facts:
        return None
    return {
        "classes": [
            {
                **row,
                "colour": colour_of(k),
                "share_of_images": _share(row["images"], facts["images"]),
                "share": _share(row["pixels"], facts["pixels"]),
                "within": percent(row["within"], 2) if row["pixels"] else "–",
                "sizes": _sizes(row),
            }
            for k, row in enumerate(facts["classes"])
        ],
        "words": list(_sentences(facts)),
        "sizes": Markup(svg(flaw_sizes(**facts["sizes"]), "flaw-sizes", "Histograms of the size of flaws, by class")),
        "per_image": Markup(svg(per_image(facts["flaws_per_image"]), "flaws", "How many images have how many flaws")),
        "hidden": max(0, len(facts["classes"]) - PANELS),
    }


def _share(part: int, whole: int) -> str:
    return percent(part / whole, 2) if whole else "–"


def _sizes(row: Mapping[str, Any]) -> str:
    if not row["flaws"]:
        return "–"
    if row["smallest"] == row["largest"]:
        return number(row["smallest"])
    return f"{number(row['smallest'])} to {number(row['largest'])}"


def _sentences(facts: Mapping[str, Any]) -> Iterable[str]:
    n, flawed = facts["images"], facts["flawed"]
    yield (
        f"{flawed:,} of {n:,} images show a flaw ({_share(flawed, n)}), {n - flawed:,} show none; the most that one "
        f"image has is {facts['most_flaws']:,}."
    )
    marked = sum(row["pixels"] for row in facts["classes"]) - facts["overlap"]
    yield f"{_share(marked, facts['pixels'])} of all pixels are marked."
    several = sum(images for number_of, images in facts["classes_per_image"].items() if int(number_of) > 1)
    if several:
        yield f"{several:,} images show several classes."
    if facts["pixels_are"] == "multiclass":
        yield "No pixel shows two classes."
    elif facts["overlap"]:
        yield f"{facts['overlap']:,} pixels show more than one class."


def outlined_view(
    examples: Mapping[str, Sequence[str]], images: Mapping[str, Source], masks: Mapping[str, Masks]
) -> View:
    """Pictures of each label combination, their masks drawn over them; the first is the largest combination."""
    entries = [
        {"name": name, "tiles": [outlined_tile(id, images.get(id), masks.get(id)) for id in ids]}
        for name, ids in examples.items()
    ]
    shapes = [mask.width / mask.height for mask in masks.values()]
    return {"entries": entries, "broad": bool(shapes) and float(np.median(shapes)) >= BROAD}


def outlined_tile(name: str, source: Source | None, masks: Masks | None) -> View:
    """A picture with its masks and its name; without the picture where it cannot be read any more."""
    made = None
    if source is not None and masks is not None:
        try:
            made = data_uri(viewable_outlined(source, masks), max(LONGER, 2 * SHORTEST))
        except ImageError:
            made = None
    uri, (width, height) = made or ("", (0, 0))
    return {"uri": uri, "width": width, "height": height, "name": name}


def flaw_sizes(edges: Sequence[float], counts: Mapping[str, Sequence[int]]) -> Figure:
    """Histograms of the area of the flaws in pixels, one panel a class, each with its own scale."""
    chosen = dict(list(counts.items())[:PANELS])
    figure = Figure(figsize=(WIDE[0], 0.7 + 0.85 * len(chosen)), layout="constrained")
    edges_b = np.asarray(edges, dtype=float)
    panels = np.atleast_1d(figure.subplots(len(chosen), 1, sharex=True))
    for axes, (name, count) in zip(panels, chosen.items(), strict=True):
        style(axes)
        axes.bar(edges_b[:-1], count, np.diff(edges_b) * 0.9, align="edge", color=FIND, linewidth=0)
        axes.set_xscale("log")
        axes.set_xlim(1, edges_b[-1])
        axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        axes.set_title(f"{short(name, 40)}: {int(np.sum(count)):,}", fontsize=FONT, color=INK, loc="left", pad=3)
        axes.tick_params(labelbottom=axes is panels[-1])
    panels[-1].xaxis.set_major_locator(LogLocator(numticks=8))
    panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    panels[-1].xaxis.set_minor_formatter(NullFormatter())
    panels[-1].set_xlabel("pixels of one flaw", fontsize=FONT, color=INK)
    return figure


def per_image(counts: Mapping[str, int]) -> Figure:
    """How many images have no flaw, one, two, ...: the good ones in blue."""
    figure = Figure(figsize=(WIDE[0], 2.4), layout="constrained")
    axes = figure.subplots()
    style(axes)
    names = list(counts)
    bars = axes.bar(names, list(counts.values()), 0.8, color=[GOOD, *[FIND] * (len(names) - 1)], linewidth=0)
    axes.bar_label(bars, [f"{n:,}" if n else "" for n in counts.values()], fontsize=FONT - 1, color=INK, padding=2)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.margins(y=0.12)
    axes.set_xlabel("flaws of an image", fontsize=FONT, color=INK)
    axes.set_ylabel("images", fontsize=FONT, color=INK)
    return figure
