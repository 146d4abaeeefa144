"""The page of a study: which settings were tried, what each key is worth, and which were the best.

Plain data in, HTML out: the numbers on the page are the numbers of tune.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from flawscope.pages import figures
from flawscope.pages import tune_figures as draw
from flawscope.pages.templating import fill, write_page
from flawscope.pages.words import watched

SECTIONS = (
    ("best", "Best settings"),
    ("history", "History"),
    ("keys", "Effect of each key"),
    ("curves", "Learning curves"),
    ("trials", "All trials"),
    ("provenance", "Provenance"),
)
FEW = 50
"""With fewer finished trials the importance of keys is rough."""
STATES = ("finished", "pruned", "failed", "running", "waiting", "interrupted")


def write_tuning(folder: str | Path, document: Mapping[str, Any]) -> Path:
    """Write `folder`/index.html, whole or not at all, and return its path.

    Raises:
        OutputError: the folder cannot be written to.
    """
    return write_page(folder, render(document))


def render(document: Mapping[str, Any]) -> str:
    """The page as one string. The same document gives the same bytes."""
    space = document["tune"]["space"]
    rows = [
        {**row, "labels": {key: _label(value) for key, value in row["settings"].items()}} for row in document["trials"]
    ]
    measure = f"val_{document['watch']}"
    best = document["best"]["number"] if document["best"] else None
    minimise = document["direction"] == "minimise"
    seen = [row for row in rows if row["value"] is not None]
    return fill(
        "tune.html",
        doc=document,
        measure=watched(document["watch"]),
        ended=sum(document["counts"][state] for state in ("finished", "pruned", "failed")),
        sections=[(id, title) for id, title in SECTIONS if seen or id in ("trials", "provenance")],
        settings=_settings(document),
        history=_svg(draw.history(rows, best, measure, minimise=minimise), "history", "value of each trial"),
        importance=_importance(document["importance"]),
        slices=[_slice(key, searched, seen, best, measure) for key, searched in space.items()],
        curves=_svg(draw.curves(seen, best, measure), "curves", "learning curves of all trials"),
        space=[(key, _range(searched)) for key, searched in space.items()],
        keys=list(space),
        rows=[_told(row, list(space)) for row in ranked(rows, minimise=minimise)],
        best=best,
        seconds=_duration(sum(row["seconds"] or 0 for row in rows)),
    )


def ranked(rows: Sequence[Mapping[str, Any]], *, minimise: bool) -> list[Mapping[str, Any]]:
    """Finished trials best first, then pruned ones best first, then the others by number."""

    def place(row: Mapping[str, Any]) -> tuple[int, float, int]:
        state = STATES.index(row["state"])
        value = 0.0 if row["value"] is None or state > 1 else row["value"]
        return (state, value if minimise else -value, row["number"])

    return sorted(rows, key=place)


def _svg(figure: Figure, prefix: str, alt: str) -> Markup:
    return Markup(figures.svg(figure, prefix, alt))


def _settings(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Each key that was searched: what was best, and what the recipe says."""
    if document["best"] is None:
        return []
    return [
        {"key": key, "value": _label(value), "given": _label(document["as_given"][key])}
        for key, value in document["best"]["settings"].items()
    ]


def _importance(facts: Mapping[str, Any]) -> dict[str, Any]:
    if "values" not in facts:
        return {"reason": facts["reason"]}
    rough = facts["trials"] < FEW
    drawn = _svg(draw.importance(facts["values"], rough=rough), "importance", "importance of each key")
    return {"trials": facts["trials"], "method": facts["method"], "rough": rough, "svg": drawn}


def _slice(key: str, searched: Mapping[str, Any], rows: Any, best: int | None, measure: str) -> dict[str, str]:
    labels = [_label(choice) for choice in searched["choices"] or ()]
    figure = draw.slices(key, {**searched, "labels": labels}, rows, best, measure)
    name = "slice-" + "".join(letter if letter.isalnum() else "-" for letter in key)
    return {"title": key, "svg": _svg(figure, name, f"value against {key}")}


def _told(row: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """A row of the table: every cell as text."""
    epochs = f"{row['best_epoch']} of {row['epochs']}" if row["best_epoch"] else "–"
    return {
        "number": row["number"],
        "state": row["state"],
        "value": "–" if row["value"] is None else f"{row['value']:.4f}",
        "epochs": epochs,
        "seconds": "–" if row["seconds"] is None else _duration(row["seconds"]),
        "settings": [row["labels"].get(key, "–") for key in keys],
        "reason": row["reason"] or (f"again what trial {row['again']} was to try" if row["again"] is not None else ""),
    }


def _label(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        words = [f"{key}: {_label(inner)}" for key, inner in value.items() if key != "kind"]
        return ", ".join([str(value["kind"]), *words] if "kind" in value else words)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _range(searched: Mapping[str, Any]) -> str:
    """Where a key was searched, in words."""
    if searched["choices"] is not None:
        return " | ".join(_label(choice) for choice in searched["choices"])
    words = f"{_label(searched['low'])} to {_label(searched['high'])}"
    if searched["step"] is not None:
        words += f" in steps of {_label(searched['step'])}"
    return words + (", over the logarithm" if searched["log"] else "")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
