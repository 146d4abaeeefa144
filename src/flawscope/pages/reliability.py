"""The section "Probabilities" of a report: whether a probability means what it says.

Every number comes from `metrics["classes"][...]["calibration"]`; documents of before it was measured have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from flawscope.pages import words
from flawscope.pages.figures import FIND, INK, MUTED, blank, short, square, svg
from flawscope.pages.view import View, common_remarks, figure_of

CONFIDENCE = "the class that was chosen"


def view(metrics: Mapping[str, Any], items: str) -> list[View]:
    """One entry a class: the diagram, the measures with their intervals, and what they say in words.

    Multi-class tasks have one more in front: whether the chosen class is right as often as its probability says.
    """
    found = {name: entry.get("calibration") for name, entry in metrics["classes"].items()}
    if metrics.get("confidence"):
        found = {CONFIDENCE: metrics["confidence"], **found}
    return [_entry(name, known, index, items) for index, (name, known) in enumerate(found.items()) if known]


def _entry(name: str, known: Mapping[str, Any], index: int, items: str) -> View:
    rows = [
        {**figure_of(measure, interval), "explained": words.EXPLAINED[measure]}
        for measure, interval in known["measures"].items()
    ]
    remarks = common_remarks(rows)
    title = f"Probability of {name} against how often it was so"
    return {
        "name": name,
        "svg": Markup(svg(diagram(known, name), f"reliability{index}", title)),
        "measures": rows,
        "remarks": remarks,
        "said": sentences(known, name, items),
    }


def sentences(known: Mapping[str, Any], name: str, items: str) -> list[str]:
    """What the measures say: for one bin as an example, on average, and against chance and a constant answer.

    >>> known = {
    ...     "measures": {"expected calibration error": {"value": 0.012, "low": 0.0, "high": 0.05},
    ...                  "Brier score": {"value": 0.08, "low": 0.06, "high": 0.1}},
    ...     "plain error": 0.034, "by chance": 0.03, "p": 0.4, "Brier parts": {"uncertainty": 0.21},
    ...     "bins": [{"probability": 0.82, "share": {"value": 0.79, "low": 0.7, "high": 0.86, "n": 50}}],
    ... }
    >>> print(*sentences(known, "crack", "cells"), sep="\\n")
    Of the 50 cells with the highest probabilities of crack, 82 % on average, 79 % were so (70 to 86).
    On average a probability is off by 1.2 points (0.0 to 5.0).
    These cells do not show that any is: right probabilities would look like this, or worse, in 40 of 100 tests.
    The usual figure, 3.4 points, holds chance as well: right probabilities would give 3.0 on average here.
    Brier score 0.080; always saying the overall share would give 0.210.
    """
    top, error = known["bins"][-1], known["measures"]["expected calibration error"]
    share, p = top["share"], known["p"]
    value, low, high = (100 * error[key] for key in ("value", "low", "high"))
    alike = f"in {max(1, round(100 * p))} of 100 tests" if p >= 0.01 else "in less than 1 of 100 tests"
    judged = "do not show that any is" if error["low"] == 0 else "show that they are off"
    return [
        f"Of the {share['n']:,} {items} with the highest probabilities of {name}, {_percent(top['probability'])} % on "
        f"average, {_percent(share['value'])} % were so ({_percent(share['low'])} to {_percent(share['high'])}).",
        f"On average a probability is off by {value:.1f} points ({low:.1f} to {high:.1f}).",
        f"These {items} {judged}: right probabilities would look like this, or worse, {alike}.",
        f"The usual figure, {100 * known['plain error']:.1f} points, holds chance as well: right probabilities would "
        f"give {100 * known['by chance']:.1f} on average here.",
        f"Brier score {known['measures']['Brier score']['value']:.3f}; always saying the overall share would give "
        f"{known['Brier parts']['uncertainty']:.3f}.",
    ]


def diagram(known: Mapping[str, Any], name: str) -> Figure:
    """The reliability diagram: the share of the class in each bin over its mean probability, with the intervals."""
    figure, axes = blank()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 3)), gid="right")
    at = [each["probability"] for each in known["bins"]]
    shares = [each["share"] for each in known["bins"]]
    axes.vlines(at, [s["low"] for s in shares], [s["high"] for s in shares], color=FIND, linewidth=1.6, gid="intervals")
    axes.plot(at, [s["value"] for s in shares], "o", color=INK, markersize=5, gid="bins")
    square(axes, f"probability of {short(name, 26)}", "share that was so")
    return figure


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"
