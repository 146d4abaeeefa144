"""The page of a comparison: runs side by side on the same test images.

Plain data in, HTML out: the numbers on the page are the numbers of compare.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup
from PIL import Image

from flawscope.pages import figures, training_curves, view, words
from flawscope.pages.masks import MaskGallery, gallery_view
from flawscope.pages.report import Picture
from flawscope.pages.templating import fill, write_page
from flawscope.wording import class_called, counted

View = dict[str, Any]

SECTIONS = (
    ("minute", "In one minute"),
    ("runs", "Runs"),
    ("places", "Where the flaws are"),
    ("measures", "Measures"),
    ("tests", "McNemar"),
    ("curves", "Curves"),
    ("pictures", "Where they differ"),
    ("provenance", "Provenance"),
)
SHOWN = 24
"""Pictures of each kind of disagreement; the rest is counted, and stands in compare.json."""
MANY = 4
"""Of more classes than these, each class is folded away."""
LESS = ("false flaws an image",)
"""Of these, less is better."""


@dataclass(frozen=True)
class CompareContent:
    """Everything that the page shows: the document of compare.json, and the picture of each sample id.

    Where masks are compared, `outlines` has pictures with those of truth and of two runs, `colours` the
    colour of each class.
    """

    document: Mapping[str, Any]
    images: Mapping[str, Image.Image | str | Path]
    outlines: Sequence[MaskGallery] = ()
    colours: Mapping[str, str] = field(default_factory=dict)


def write_comparison(folder: str | Path, content: CompareContent) -> Path:
    """Write `folder`/index.html, whole or not at all, and return its path.

    Raises:
        OutputError: the folder cannot be written to.
    """
    return write_page(folder, render(content))


def render(content: CompareContent) -> str:
    """The page as one string. The same content gives the same bytes."""
    document = content.document
    masks = document.get("masks", {})
    strokes = [figures.STROKES[i % len(figures.STROKES)] for i in range(len(document["names"]))]
    return fill(
        "comparison.html",
        doc=document,
        sections=[section for section in SECTIONS if masks or section[0] != "places"],
        title=_title(document["names"]),
        legend=[
            {"name": name, "svg": _swatch(stroke)} for name, stroke in zip(document["names"], strokes, strict=True)
        ],
        facts=_facts(document["runs"]),
        places=list(_measures(document["names"], masks.get("differences", ()))),
        rule=masks.get("rule", ""),
        measures=list(_measures(document["names"], document["differences"])),
        tests=[_test(row) for row in document["mcnemar"]],
        curves=list(_curves(document, strokes)),
        learning=list(_learning(document, strokes)),
        galleries=[] if content.outlines else list(_galleries(content)),
        outlines=[gallery_view(each) for each in content.outlines],
        colours=list(content.colours.items()),
        folded=len(document["task"]["classes"]) > MANY,
    )


def _title(names: Sequence[str]) -> str:
    """Which runs are compared.

    >>> _title(["a", "b"]), _title(["a", "b", "c"]), _title(["a", "b", "c", "d"])
    ('a and b', 'a, b and c', '4 runs')
    """
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) < 4 else f"{len(names)} runs"


def _swatch(stroke: figures.Stroke) -> Markup:
    """The stroke of a run as a short line for the legend, as thick and dashed as in the figures."""
    colour, dashes = stroke
    # Matplotlib counts dashes in widths of the line.
    dash = "" if dashes == "-" else f' stroke-dasharray="{" ".join(str(3 * length) for length in dashes[1])}"'
    style = f"stroke:var({figures.variable(colour)}, {colour})" if figures.variable(colour) else f"stroke:{colour}"
    return Markup(
        f'<svg viewBox="0 0 60 8" width="60" height="8" aria-hidden="true"><path d="M0 4H60" fill="none" '
        f'stroke-width="3"{dash} style="{style}"/></svg>'
    )


def _facts(runs: Sequence[Mapping[str, Any]]) -> list[View]:
    """What each run is, one row a fact; `same` where it is so for all."""

    def split_hash(run: Mapping[str, Any]) -> str:
        return ", ".join(text[:12] for text in run["split"]["hashes"])

    rows = {
        "recipe": [f"{run['recipe']['name']} ({run['recipe']['hash'][:12]})" for run in runs],
        "network": [run["network"] for run in runs],
        "seed of the training": [str(run["seed"]) for run in runs],
        "data": [f"{run['data']['name']}, {counted(run['data']['images'], 'images')}" for run in runs],
        "split": [f"{run['folds']} folds" if run["folds"] else "one split" for run in runs],
        "hash of the split": [split_hash(run) for run in runs],
        "stamp": [run["split"]["stamp"] for run in runs],
        "groups": [run["split"]["method"] for run in runs],
        "images tested": [f"{run['tested']:,}" for run in runs],
        "seal": [", ".join(seal[:12] for seal in run["seals"]) for run in runs],
        "code": [run["code"] for run in runs],
        "date": [run["date"][:16].replace("T", " ") for run in runs],
    }
    return [{"name": name, "cells": cells, "same": len(set(cells)) == 1} for name, cells in rows.items()]


def _measures(names: Sequence[str], every: Sequence[Mapping[str, Any]]) -> Iterator[View]:
    """One table a class, what is over all classes first: each measure of each run, and the differences."""
    others = names[1:]
    for class_name in dict.fromkeys(row["class_name"] for row in every):
        rows = [row for row in every if row["class_name"] == class_name]
        lines = []
        for measure in dict.fromkeys(row["measure"] for row in rows):
            by_run = {row["run"]: row for row in rows if row["measure"] == measure}
            first = next(iter(by_run.values()))["baseline"]
            cells = [first, *(by_run[name]["other"] if name in by_run else None for name in others)]
            lines.append(
                {
                    "name": measure,
                    "cells": [cell and view.figure_of(measure, cell) for cell in cells],
                    "differences": [_change(measure, by_run.get(name)) for name in others],
                }
            )
        for counts in (False, True):  # of flaws an image, which may be many: they have a scale of their own
            _scaled(
                [each for line in lines if (line["name"] in LESS) == counts for each in line["differences"] if each]
            )
        remarks = view.common_remarks([change for line in lines for change in line["differences"] if change])
        yield {"name": class_called(class_name), "rows": lines, "remarks": remarks}


def _change(measure: str, row: Mapping[str, Any] | None) -> View | None:
    """A difference for printing: text, the ends of its interval, and whether it leaves 0 out."""
    if row is None:
        return None
    found = row["difference"]
    value, _, rest = words.gain(measure, found).partition(" (")
    ends, _, unit = rest.partition(")")
    return {
        "value": f"{value}{unit}",
        "span": ends,
        "level": round(100 * found["level"]),
        "ends": [found[key] for key in ("value", "low", "high")],
        "apart": found["low"] > 0 or found["high"] < 0,
        "bad": found["low"] > 0 if measure in LESS else found["high"] < 0,
        "remarks": [text for text in found["note"].split("; ") if text],
        "chance": True,
    }


def _scaled(changes: Sequence[View]) -> None:
    """Places on a bar from 0 to 100 %, 0 in the middle; one scale for a table."""
    reach = max((abs(end) for change in changes for end in change["ends"]), default=1.0)
    for change in changes:
        at, left, right = (50 + 50 * end / reach for end in change["ends"])
        change |= {"at": round(at, 2), "left": round(left, 2), "width": round(right - left, 2)}


def _test(row: Mapping[str, Any]) -> View:
    p = {key: _probability(row[key]) for key in ("p_images", "p_groups")}
    return {**row, **p, "class_name": class_called(row["class_name"]), "sure": row["p_groups"] < 0.05}


def _probability(p: float) -> str:
    """A p in three digits.

    >>> _probability(0.01234), _probability(0.00001)
    ('0.012', '< 0.001')
    """
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def _curves(document: Mapping[str, Any], strokes: Sequence[figures.Stroke]) -> Iterator[View]:
    """ROC and precision-recall curves of all runs, class by class."""
    for index, name in enumerate(document["task"]["classes"]):
        measured = [run["measured"]["classes"][name] for run in document["runs"]]
        first, shown = measured[0], []
        share = first["positives"] / max(first["positives"] + first["negatives"], 1)
        shown_as = figures.short(class_called(name))
        axes = (f"falsely called {shown_as}", f"{shown_as} found (recall)")
        for key, title, keys, labels, chance in (
            ("roc", "ROC", ("false_positive_rate", "true_positive_rate"), axes, ([0, 1], [0, 1])),
            ("precision_recall", "Precision and recall", ("recall", "precision"), (axes[1], "precision"),
             ([0, 1], [share, share])),
        ):  # fmt: skip
            entry: View = {"title": title, "undefined": "" if key in first else "all images are alike in this class"}
            if key in first:
                lines = [
                    (stroke, each[key][keys[0]], each[key][keys[1]])
                    for stroke, each in zip(strokes, measured, strict=True)
                ]
                drawn = figures.overlaid(lines, labels, chance)
                alt = f"{title} of {class_called(name)}: {', '.join(document['names'])}"
                entry["svg"] = Markup(figures.svg(drawn, f"c{index}-{key}", alt))
            shown.append(entry)
        counts = f"{first['positives']:,} with it, {first['negatives']:,} without"
        yield {"name": class_called(name), "counts": counts, "figures": shown}


def _learning(document: Mapping[str, Any], strokes: Sequence[figures.Stroke]) -> Iterator[View]:
    """The losses and each watched measure over the epochs; a run that did not watch a measure is not in its figure."""
    watched = [run["watched"] for run in document["runs"]]
    for index, column in enumerate(dict.fromkeys(("train_loss", "val_loss", *watched))):
        runs = zip(strokes, document["runs"], document["names"], strict=True)
        held = [(stroke, rows, name) for stroke, run, name in runs for rows in run["histories"] if column in rows[0]]
        if held:
            part, _, measure = column.partition("_")
            title = f"{words.watched(measure)} on {'training' if part == 'train' else 'validation'}"
            drawn = training_curves.learning_overlaid([(stroke, rows) for stroke, rows, _ in held], column)
            alt = f"{title} over the epochs: {', '.join(dict.fromkeys(name for *_, name in held))}"
            svg = Markup(figures.svg(drawn, f"learning{index}", alt))
            yield {"title": title[:1].upper() + title[1:], "svg": svg, "undefined": ""}


def _galleries(content: CompareContent) -> Iterator[View]:
    """The images that only one of two runs decides right, with their pictures."""
    document = content.document
    base = document["names"][0]
    for other in document["names"][1:]:
        rows = [row for row in document["disagreements"] if row["run"] == other]
        for right, wrong in ((other, base), (base, other)):
            chosen = [row for row in rows if row["right"] == right]
            tiles = [
                Picture(
                    image=content.images[row["image"]],
                    name=row["image"],
                    true=row["true"],
                    decided=row["decided"][1 if wrong == other else 0],
                    why=f"probability of {row['probability_of']}: "
                    + ", ".join(f"{n} {p:.2f}" for n, p in zip((base, other), row["probability"], strict=True)),
                )
                for row in chosen[:SHOWN]
            ]
            yield {"right": right, "wrong": wrong, "total": len(chosen), "pictures": view.pictures(tiles)}
