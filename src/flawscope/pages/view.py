"""From the records of a report to what its templates print: words, widths of bars, figures as markup.

Nothing is measured here. Every number comes from the metrics document and the records; what is missing there is
shown with its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from rich.console import Console
from rich.progress import track

from flawscope.pages import figures, training_curves, words
from flawscope.pages.thumbnails import data_uri
from flawscope.records import HUMAN

if TYPE_CHECKING:
    from flawscope.pages.report import Picture, ReportContent

View = dict[str, Any]

OVERVIEW = ("recall", "precision", "F1", "AUROC", "overkill rate")
THREE_OVERVIEW = ("escape rate", "overkill rate", "review load", "recall", "precision", "F1", "AUROC")
"""The measures by which several classes are compared side by side, with two answers and with three."""

HEADLINE = ("escape rate", "overkill rate", "AUROC", "accuracy", "F1")
STATED = ("escape rate", "overkill rate", "review load", "exact match")
"""Said first, each in one sentence and a hundred dots."""
"""The headline of a binary task: what of it cannot be computed stands there with its reason."""

KINDS = {
    "escape": ("Escapes", "missed: let through, or a class that is there was not recognised"),
    "overkill": ("Overkill", "falsely accused: a good one rejected, or a class seen that is not there"),
    "mix-up": ("Mix-ups", "one class taken for another"),
}
PERSON = {
    "person-bad": ("Bad ones", "a person has to find them; the nearest to passing stand first"),
    "person-good": ("Good ones", "a person has to let them pass; the nearest to being rejected stand first"),
}
"""The kinds of pictures that are for a person."""
CLOSE = {"close": ("Uncertain", "decided rightly, but nearly not; the nearest to another answer stand first")}


def figure_of(measure: str, interval: Mapping[str, Any]) -> View:
    """One measured value, ready to print: text, ends of the interval, places on a bar from 0 to 100 %."""
    value, ends = words.measured(measure, interval)
    clipped = [min(max(100 * interval[key], 0.0), 100.0) for key in ("value", "low", "high")]
    return {
        "name": measure,
        "value": value,
        "span": ends,
        "at": round(clipped[0], 2),
        "left": round(clipped[1], 2),
        "width": round(clipped[2] - clipped[1], 2),
        "level": round(100 * interval.get("level", 0.95)),
        "remarks": [text for text in interval.get("note", "").split("; ") if text],
        "chance": "AUROC" in measure,
    }


def headline(metrics: Mapping[str, Any], items: str) -> View:
    """The section "In one minute": some statements drawn as a hundred dots, cards for the rest."""
    task, statements, cards, three = metrics["task"], [], [], three_answers(metrics)
    for entry in metrics["headline"]:
        name, interval = entry["name"], entry["interval"]
        card = {**figure_of(name, interval), "meaning": words.meaning(name, interval, task, items, three=three)}
        if name in STATED or (name == "accuracy" and task["kind"] != "binary"):
            statements.append({**card, **_dots(interval), "tone": _tone(name)})
        else:
            cards.append(card)
    if task["kind"] == "binary":
        undefined = metrics["classes"][task["classes"][0]]["undefined"]
        cards += [{"name": name, "undefined": undefined[name]} for name in HEADLINE if name in undefined]
    worst = _most_missed(metrics) if task["kind"] != "binary" else None
    if worst:
        name, interval = worst
        sentence = words.class_escape(name, interval, items, three=three)
        card = {**figure_of("escape rate", interval), "name": f"most often missed: {name}", "meaning": sentence}
        statements.append({**card, **_dots(interval), "tone": "bad"})
    remarks = common_remarks([*statements, *cards])
    level = next((card["level"] for card in [*statements, *cards] if "level" in card), 95)
    return {
        "statements": statements,
        "cards": cards,
        "remarks": remarks,
        "level": level,
        "methods": _methods(metrics),
        "savings": metrics.get("savings", []),
        "notes": metrics.get("notes", []),
        "answers": [text for entry in metrics["classes"].values() for text in entry.get("answers", ())],
    }


def three_answers(metrics: Mapping[str, Any]) -> bool:
    """Whether a person may be asked to look."""
    return "for_a_person" in metrics


def overview_columns(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """The measures by which the classes stand side by side."""
    return THREE_OVERVIEW if three_answers(metrics) else OVERVIEW


def _tone(name: str) -> str:
    return "person" if name == "review load" else "bad" if name.endswith("rate") else ""


def classes(metrics: Mapping[str, Any], prefix: str = "c") -> list[View]:
    """One entry a class: measures with intervals or reasons, its own 2 x 2 table, its figures.

    `prefix` makes the ids of the figures unique where several documents stand on one page.
    """
    names = track(
        metrics["classes"],
        "drawing the classes",
        console=Console(stderr=True),
        transient=True,
        disable=len(metrics["classes"]) < 8,
    )
    return [_class(metrics, f"{prefix}{index}", name) for index, name in enumerate(names)]


def overview_mean(metrics: Mapping[str, Any]) -> list[View | None]:
    """The last line of the table of several classes: the means of its columns; nothing where there are none."""
    means = metrics.get("means") or {}
    known = {measure: means.get(f"mean {measure}") for measure in overview_columns(metrics) if means}
    return [figure_of(measure, interval) if interval else None for measure, interval in known.items()]


def _class(metrics: Mapping[str, Any], prefix: str, name: str) -> View:
    curve, kind = metrics["classes"][name], metrics["task"]["kind"]
    other = metrics["task"]["negative"] if kind == "binary" else f"not {name}"
    undefined = curve.get("undefined", {})
    known = {**dict.fromkeys(words.ORDER), **dict.fromkeys(curve["measures"]), **dict.fromkeys(undefined)}
    rows = []
    for measure in known:
        explained = words.EXPLAINED.get(measure, "").format(name=name)
        if measure in ("accuracy", "recall", "specificity", "overkill rate", "escape rate") and three_answers(metrics):
            explained += ", without a person"
        if measure == "review load" and kind != "binary":
            explained = "share of all that is in its band for a person"
        row = {"name": measure, "explained": explained}
        if measure in curve["measures"]:
            rows.append({**row, **figure_of(measure, curve["measures"][measure])})
        elif measure in undefined:
            rows.append({**row, "undefined": undefined[measure]})
    remarks = common_remarks(rows)
    counts = curve["confusion"]
    rows_2x = [[counts["tn"], counts["fp"]], [counts["fn"], counts["tp"]]]
    columns = None
    if "hp" in counts:
        rows_2x, columns = [[*rows_2x[0], counts["hn"]], [*rows_2x[1], counts["hp"]]], [other, name, HUMAN]
    return {
        "name": name,
        "other": other,
        "positives": curve["positives"],
        "negatives": curve["negatives"],
        "measures": rows,
        "remarks": remarks,
        "overview": [
            next((row for row in rows if row["name"] == measure), None) for measure in overview_columns(metrics)
        ],
        "matrix": matrix([other, name], rows_2x, columns),
        "answers": curve.get("answers", []),
        "figures": _figures(metrics, prefix, name, other),
    }


def _figures(metrics: Mapping[str, Any], prefix: str, name: str, other: str) -> list[View]:
    curve, task = metrics["classes"][name], metrics["task"]
    reason = curve.get("undefined", {}).get("AUROC", f"all images of this test are alike: {name} or not")
    shown = []
    for key, title, draw in (
        ("roc", "Found against false alarms (ROC)", figures.roc),
        ("precision_recall", "Precision and recall", figures.precision_recall),
    ):
        entry: View = {"title": title, "undefined": "" if key in curve else reason}
        if key in curve:
            entry["svg"] = Markup(figures.svg(draw(curve, name), f"{prefix}-{key}", f"{title} of {name}"))
        shown.append(entry)
    drawn = figures.histogram(curve, name, other, sides=task["kind"] != "multiclass", good=name == task["negative"])
    alt = f"Histogram of the probability of {name}: {curve['positives']} with it, {curve['negatives']} without"
    svg = Markup(figures.svg(drawn, f"{prefix}-histogram", alt))
    return [*shown, {"title": "Scores", "svg": svg, "undefined": ""}]


def matrix(labels: Sequence[str], counts: Sequence[Sequence[int]], columns: Sequence[str] | None = None) -> View:
    """A confusion matrix for printing: rows true, columns decided, each cell with its share of the row.

    `columns` names them where there is one more than labels, for a person: that is neither right nor wrong.
    """
    rows = []
    for index, (label, row) in enumerate(zip(labels, counts, strict=True)):
        total = sum(row)
        cells = [
            {
                "count": count,
                "share": f"{100 * count / total:.0f} %" if total else "–",
                "heat": round(_heat(count / total, index == column), 3) if total else 0,
                "tone": "right" if index == column else "wrong" if column < len(labels) else "person",
            }
            for column, count in enumerate(row)
        ]
        rows.append({"label": label, "total": total, "cells": cells})
    return {"labels": list(labels), "columns": list(columns or labels), "rows": rows, "many": len(labels) > 3}


def _heat(share: float, right: bool) -> float:
    """How strongly a cell is coloured. Mistakes are rare: the root makes a few percent visible."""
    return 0.55 * (share if right else share**0.5)


def learning_figures(content: ReportContent) -> list[View]:
    """Loss, and the watched measure, over the epochs; nothing if there is no history.

    Where there is one class, beside the accuracy the share of the images that were drawn of it (reference system E),
    if it changes from epoch to epoch: where each image is taken once, it is that of the training part.
    """
    if not content.history:
        return []
    columns = list(content.history[0])
    watched = content.watched or next((c for c in columns if c.startswith("val_") and c != "val_loss"), "")
    if watched and watched not in columns and f"val_{watched}" in columns:
        watched = f"val_{watched}"
    plots: list[tuple[str, list[str]]] = [
        ("Loss", [column for column in ("train_loss", "val_loss") if column in columns])
    ]
    if watched in columns and watched != "val_loss":
        plots.append((words.watched(watched.removeprefix("val_")), _pair(watched, columns)))
    if watched != "val_accuracy" and "val_accuracy" in columns:
        plots.append(("accuracy", _pair("val_accuracy", columns)))
    drawn = [column for column in columns if training_curves.drawn_share(column)]
    if len(drawn) == 1 and len({row.get(drawn[0]) for row in content.history}) > 1:
        plots = [(title, [*chosen, *drawn] if "val_accuracy" in chosen else chosen) for title, chosen in plots]
    shown = []
    for index, (title, chosen) in enumerate(plots):
        if chosen:
            figure = training_curves.learning(content.history, chosen, content.best_epoch)
            svg = Markup(figures.svg(figure, f"learning{index}", f"{title} over {len(content.history)} epochs"))
            shown.append({"title": title[:1].upper() + title[1:], "svg": svg, "undefined": ""})
    return shown


def _pair(column: str, columns: Sequence[str]) -> list[str]:
    """A column of the validation, and before it the same measure in training, if it is there."""
    training = column.replace("val_", "train_")
    return [name for name in (training, column) if name in columns]


def gallery(mistakes: Sequence[Picture], shown: int, kinds: Mapping[str, tuple[str, str]] = KINDS) -> list[View]:
    """Mistakes by kind, escapes first; within a kind in the order given, capped, the number of all of them kept."""
    entries = []
    for kind, (title, explained) in kinds.items():
        all_of_kind = [picture for picture in mistakes if picture.kind == kind]
        if all_of_kind:
            tiles = pictures(all_of_kind[:shown])
            entries.append(
                {"kind": kind, "title": title, "explained": explained, "total": len(all_of_kind), "pictures": tiles}
            )
    return entries


def wrong_decisions(metrics: Mapping[str, Any]) -> int:
    """How many samples got any answer wrong, from the metrics document alone; those for a person got none.

    >>> wrong_decisions({"n": 4, "confusion": {"matrix": [[1, 1], [0, 2]]}})
    1
    >>> wrong_decisions({"n": 5, "confusion": {"matrix": [[1, 1, 1], [0, 2, 0]]}, "for_a_person": {"n": 1}})
    1
    """
    person = metrics.get("for_a_person", {}).get("n", 0)
    if metrics["confusion"]:
        right = sum(row[index] for index, row in enumerate(metrics["confusion"]["matrix"]))
        return int(metrics["n"] - right - person)
    exact = [entry["interval"]["value"] for entry in metrics["headline"] if entry["name"] == "exact match"]
    return round(metrics["n"] * (1 - exact[0])) - person if exact else 0


def pictures(chosen: Iterable[Picture]) -> list[View]:
    """Tiles: the picture inlined, and what stands below it."""
    tiles = []
    for picture in chosen:
        made = data_uri(picture.image)
        uri, (width, height) = made or ("", (0, 0))
        beside = picture.map and data_uri(picture.map)
        tiles.append({"uri": uri, "width": width, "height": height, "about": picture, "map": beside and beside[0]})
    return tiles


def balance(content: ReportContent) -> View:
    """Label combinations (rows, the largest first) by parts (columns), and the table of shares wanted and got."""
    parts = content.split.parts
    task = content.metrics["task"]
    order = [task["negative"], *task["classes"]]
    total = Counter[str]()
    for part in parts:
        total.update(part.counts)
    names = sorted(  # of as many, combinations come after single labels
        total, key=lambda name: (-total[name], order.index(name) if name in order else len(order), name)
    )
    everything = sum(part.total for part in parts)
    rows = []
    for name in names:
        cells = []
        for part in parts:
            count = part.counts.get(name, 0)
            percent = round(100 * count / part.total, 1) if part.total else 0.0
            cells.append({"count": count, "percent": percent})
        rows.append({"name": name, "cells": cells, "total": total[name]})
    shares = [
        {
            "name": part.name,
            "wanted": "–" if part.wanted is None else f"{100 * part.wanted:.1f} %",
            "got": f"{100 * part.total / everything:.1f} %" if everything else "–",
            "total": part.total,
            "groups": part.groups,
        }
        for part in parts
    ]
    return {"rows": rows, "parts": parts, "shares": shares, "total": everything}


def common_remarks(rows: Sequence[View]) -> list[str]:
    """Take the remarks that every value of a list carries out of its rows: they are said once."""
    defined = [row for row in rows if "undefined" not in row]
    common = (
        [text for text in defined[0]["remarks"] if all(text in row["remarks"] for row in defined)] if defined else []
    )
    for row in defined:
        row["remarks"] = [text for text in row["remarks"] if text not in common]
    return common


def _dots(interval: Mapping[str, Any]) -> View:
    """A hundred dots: how many are full, and how many more might be. None where a hundred are too few."""
    base, count, low, high = words.of_hundred(interval)
    return {"dots": {"sure": low, "count": count, "high": high} if base == 100 else None, "base": base, "count": count}


def _most_missed(metrics: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """The class to find (not the good one) with the highest escape rate, and that rate."""
    good = metrics["task"]["negative"]
    rates = {key: entry["measures"].get("escape rate") for key, entry in metrics["classes"].items() if key != good}
    known = {name: interval for name, interval in rates.items() if interval}
    return max(known.items(), key=lambda pair: pair[1]["value"]) if known else None


def _methods(metrics: Mapping[str, Any]) -> list[str]:
    """How the intervals were made, each method once, with the measures it serves."""
    serves: dict[str, list[str]] = {}
    for entry in metrics["headline"]:
        serves.setdefault(entry["interval"]["method"], []).append(entry["name"])
    return [f"{', '.join(names)}: {method}" for method, names in serves.items() if method]
