"""The decision by costs on the report: what it says, what a part costs here and on the test part, and the picture.

Nothing is measured here. What was decided comes from the seal, the curve from the evidence beside it, and what the test
part says from the metrics.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from flawscope.pages import figures
from flawscope.pages.figures import FIND, FONT, GOOD, GRID, INK, PERSON, style

SIZE = (5.4, 3.7)
_HALF = 0.15
"""Half the width of the words above the band, as a share of the picture's."""
_NONE = ("–", "")

Cell = tuple[str, str]
"""A value and its interval."""


@dataclass(frozen=True)
class CostContent:
    """One class: its fields as they stand in the manifest, the cost over one threshold (may be empty).

    `tested` is its entry of `three_answers` in the metrics, `person` the share of the test part that is for a person;
    both None where that was not measured. `saving` says where the network saves nothing on the calibration part.
    """

    cost: Mapping[str, Any]
    curve: Mapping[str, Sequence[float]]
    tested: Mapping[str, Any] | None = None
    person: Mapping[str, Any] | None = None
    saving: str = ""


def cost_views(contents: Sequence[CostContent]) -> list[dict[str, Any]]:
    """What the template prints of each class."""
    return [_view(content, f"cost{index}", len(contents) > 1) for index, content in enumerate(contents)]


def _view(content: CostContent, prefix: str, several: bool) -> dict[str, Any]:
    cost, svg = content.cost, ""
    if content.curve.get("threshold") and cost["cost"]:
        alt = f"Expected cost of a part against the threshold of {cost['name']}"
        svg = Markup(figures.svg(picture(content), prefix, alt))
    return {
        "name": cost["name"],
        "known": cost["cost"] is not None,
        "first": cost["words"][0],
        "saving": content.saving,
        "more": [text for text in cost["words"][1:] if text != content.saving],
        "tested": content.tested["words"] if content.tested else "",
        "tested_saving": content.tested.get("saving", "") if content.tested else "",
        "rows": _rows(content, several),
        "svg": svg,
        "band": cost["low"] < cost["high"],
    }


def _rows(content: CostContent, several: bool) -> list[tuple[str, Cell, Cell]]:
    """Names, and value with its interval, on the calibration part and on the test part.

    A part is for a person once, not once for each of several classes, and not where one of them is called.
    """
    looked = "share in the band of this class, at the line" if several else "share for a person, at the line"
    asked = "share for a person, any class, among these images" if several else "share for a person, among these images"
    cost, tested = content.cost, content.tested or {}
    person = {"person": content.person} if content.person else {}
    rows = [
        ("expected cost a part", money(cost["cost"]), money(tested.get("cost"))),
        ("the same without a person", _alone(cost["cost_without_review"]), _alone(tested.get("cost_without_review"))),
        (looked, share(cost["review"]), share(tested.get("review"))),
        (asked, _NONE, share(person.get("person"))),
        (f"{cost['name']} part that passes unseen", share(cost["escape"]), share(tested.get("escape"))),
        ("good part that is rejected", share(cost["overkill"]), share(tested.get("overkill"))),
    ]
    return [row for row in rows if (row[1], row[2]) != (_NONE, _NONE)]


def picture(content: CostContent) -> Figure:
    """The expected cost of a part where one threshold decides, the band of both shaded, and the cost with it."""
    curve, cost = content.curve, content.cost
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    low, high, expected = cost["low"], cost["high"], cost["cost"]
    least = min(5e-4, low / 3)
    left, right = least, 1 - min(5e-4, max((1 - high) / 3, 1e-6))
    at_t, cost_t = np.asarray(curve["threshold"], dtype=float), np.asarray(curve["cost"], dtype=float)
    without = cost["cost_without_review"]
    top = min(1.08 * cost_t.max(), max(4 * without, 1.5 * expected["high"]))
    low, high = (float(np.clip(end, left, right)) for end in (low, high))
    axes.step(np.clip(at_t, left, right), cost_t, where="pre", color=FIND, linewidth=2, gid="cost")
    band = cost["low"] < cost["high"]
    if band:
        axes.axvspan(low, high, color=PERSON, alpha=0.25, linewidth=0, gid="band")
        axes.axhline(without, color=FIND, linewidth=1.2, linestyle=(0, (1, 2)), gid="without")
        axes.axvline(low, color=INK, linewidth=1.3, linestyle=(0, (4, 2)), gid="low")
    axes.axhspan(expected["low"], min(expected["high"], top), color=GOOD, alpha=0.16, linewidth=0, gid="interval")
    axes.axhline(expected["value"], color=GOOD, linewidth=2, gid="expected")
    axes.axvline(high, color=INK, linewidth=1.3, linestyle=(0, (4, 2)), gid="high")
    style(axes)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_ylim(0, top)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    # What the band means stands above it, where no line can cross the words.
    axes.set_title("expected cost of a part", fontsize=FONT, color=INK, loc="left", pad=20 if band else 4)
    said = f"threshold of the probability of {figures.short(cost['name'], 24)}"
    figures.probability_axis(axes, left, right, said)
    if band:
        ends = axes.transAxes.inverted().transform(axes.transData.transform([(low, 0), (high, 0)]))[:, 0]
        middle = float(np.clip(ends.mean(), _HALF, 1 - _HALF))
        axes.text(
            middle,
            1.015,
            "a person looks",
            transform=axes.transAxes,
            color=INK,
            fontsize=FONT,
            ha="center",
            gid="looks",
        )
    return figure


def money(interval: Mapping[str, Any] | None) -> Cell:
    """A cost and its interval."""
    if interval is None:
        return _NONE
    return _plain(interval["value"]), f"{_plain(interval['low'])} to {_plain(interval['high'])}"


def _alone(cost: float | None) -> Cell:
    return _NONE if cost is None else (_plain(cost), "")


def _plain(cost: float) -> str:
    """A cost to three digits, so that a hundredth of it still shows."""
    digits = 2 if cost == 0 else max(0, 2 - math.floor(math.log10(abs(cost))))
    return f"{cost:,.{digits}f}"


def share(interval: Mapping[str, Any] | None) -> Cell:
    """A share in percent and its interval."""
    if interval is None:
        return _NONE
    value, low, high = (f"{100 * interval[key]:.1f}" for key in ("value", "low", "high"))
    return f"{value}\N{NO-BREAK SPACE}%", f"{low} to {high}\N{NO-BREAK SPACE}%"
