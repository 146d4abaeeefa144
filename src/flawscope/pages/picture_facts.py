"""What the pictures of a data set are, ready to print: for the audit and for the report of a run.

Plain data in (see `flawscope.data.census`), rows and a figure out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from flawscope.pages import figures
from flawscope.pages.pairs import View
from flawscope.wording import sizes_in_words

ROWS = 10
PANELS = 8
LABELS = 24


def number(value: float) -> str:
    """A count or a rate in few digits.

    >>> number(12345), number(0.81), number(0.000123), number(0)
    ('12,345', '0.81', '0.00012', '0')
    """
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if abs(value) >= 1e-4 else f"{value:.1e}"


def tables(pictures: Mapping[str, Any]) -> list[View]:
    """Sizes, bits, modes and file formats, each with its count, at most `ROWS` of them and the others."""
    sizes = [(f"{w} x {h}", n) for w, h, n in pictures["sizes"]]
    named = (
        ("Width x height", sizes),
        ("File format", list(pictures["formats"].items())),
        ("Bits of a value", list(pictures["bits"].items())),
        ("Mode", [(MODES.get(mode, mode), n) for mode, n in pictures["modes"].items()]),
    )
    found = []
    for title, rows in named:
        shown = rows[:ROWS] if len(rows) > ROWS + 1 else rows
        others = rows[len(shown) :]
        if others:
            shown = [*shown, (f"{len(others):,} others", sum(n for _, n in others))]
        words = sizes_in_words(pictures["sizes"]) if rows is sizes and others else ""
        found.append({"title": title, "rows": shown, "words": words})
    return found


MODES = {
    "L": "grey",
    "RGB": "colour",
    "I;16": "grey, 16 bits",
    "RGBA": "colour, transparent",
    "P": "palette",
    "1": "b/w",
}


def intensity(pictures: Mapping[str, Any]) -> View:
    """Grey values over all pixels, pictures without content, and the brightness of each label as a figure."""
    means = pictures["mean_intensity"]
    chosen = dict(list(means["counts"].items())[:PANELS])
    alt = f"Histograms of the mean grey value of each picture, by label: {', '.join(chosen)}"
    drawn = Markup(figures.svg(figures.brightness(means["edges"], chosen), "brightness", alt)) if chosen else ""
    columns = ("min", "1 %", "median", "99 %", "max")
    rows = [
        {"bits": bits, "values": [number(values[key]) for key in columns]}
        for bits, values in pictures["intensity"].items()
    ]
    odd = [{"kind": kind, "n": len(ids), "ids": ids[:ROWS]} for kind, ids in pictures["odd"].items() if ids]
    more = max(0, len(means["counts"]) - PANELS)
    return {"columns": columns, "rows": rows, "odd": odd, "svg": drawn, "more": more, **ranges(pictures)}


def ranges(pictures: Mapping[str, Any]) -> View:
    """Lowest, highest and mean grey value of each label, the largest labels first."""
    every = pictures["by_label"]
    ends = ("lowest", "highest", "mean")
    rows = [{**row, "values": [number(round(row[end])) for end in ends]} for row in every[:LABELS]]
    return {
        "ends": ends,
        "ranges": rows,
        "deep": any(row["bits"] > 8 for row in every),
        "hidden": len(every) - len(rows),
    }
