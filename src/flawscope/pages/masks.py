"""The report of a bundle that makes masks: what its templates print. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from PIL import Image

from flawscope.pages import figures, mask_figures, view, words
from flawscope.pages.mask_facts import facts_view, outlined_view
from flawscope.pages.thumbnails import data_uri
from flawscope.pages.view import View
from flawscope.records import Masks
from flawscope.wording import class_called, counted

if TYPE_CHECKING:
    from flawscope.pages.report import ReportContent

SECTIONS = (
    ("minute", "In one minute"),
    ("promise", "Promise of the gate"),
    ("costs", "Costs of the gate"),
    ("places", "Where the flaws are"),
    ("flaws", "Flaw by flaw"),
    ("gate", "Gate"),
    ("images", "Images"),
    ("rule", "Rule"),
    ("curves", "Curves"),
    ("pictures", "Pictures"),
    ("data", "Data"),
    ("split", "Split"),
    ("proof", "Proof"),
    ("provenance", "Provenance"),
)
ANY = "any flaw"
WIDE = 2.2
"""Pictures at least so many times wider than high are shown one above the other."""
SIDE, LONG_SIDE = 360, 900
"""The longer side of a shown picture in pixels, of wide ones."""

CARDS = ("mean IoU", f"IoU of {ANY}", "mean Dice on flawed")
FOLD_BY_FOLD = (*CARDS, "mean Dice over images", "flaw recall", "exact match")
BESIDE = ("mean Dice over images", "mean Dice on flawed", "mean Dice of no marks")


@dataclass(frozen=True)
class MaskPicture:
    """One image several times, with other outlines each time; `facts` stand below it.

    `panels` names what is outlined, first what is true, then what was marked, by one bundle or by several.
    """

    name: str
    panels: Mapping[str, Image.Image | str | Path]
    facts: Sequence[str] = ()


@dataclass(frozen=True)
class MaskGallery:
    """Some images of one kind: its title, what it holds, and out of how many (`of` what) they were taken."""

    title: str
    explained: str
    total: int
    of: str
    pictures: Sequence[MaskPicture]


@dataclass(frozen=True)
class MaskContent:
    """What a report of masks shows beside the rest.

    `rule` holds the rule of a bundle in sentences, and `fitted` its evidence (see `steps.decide_masks.evidence`), both
    empty where several bundles have decided. `colours` are those of the outlines, class by class. `gate` says in
    sentences how the gate decides. `facts` are those of all masks (`data.mask_census`), and `examples` some images of
    each label combination, with where they lie (`images`) and their masks (`truths`).
    """

    rule: Sequence[str] = ()
    gate: Sequence[str] = ()
    fitted: Mapping[str, Any] = field(default_factory=dict)
    galleries: Sequence[MaskGallery] = ()
    colours: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    examples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    truths: Mapping[str, Masks] = field(default_factory=dict)


def told_of(masks: Mapping[str, Any], measures: Sequence[str]) -> tuple[str, ...]:
    """Those of the measures that say something of their own: of a single class the mean IoU is that of any flaw."""
    single = len([name for name in masks["classes"] if name != ANY]) == 1
    return tuple(name for name in measures if not (single and name == "mean IoU"))


def mask_views(content: ReportContent) -> View:
    """Everything that the template of masks prints beside what all reports print."""
    metrics, masks = content.metrics, content.metrics["masks"]
    assert content.masks is not None
    names = [name for name in masks["classes"] if name != ANY]
    galleries = [gallery_view(each) for each in content.masks.galleries if each.pictures]
    return {
        "names": names,
        "data": facts_view(content.masks.facts),
        "outlined": outlined_view(content.masks.examples, content.masks.images, content.masks.truths),
        "minute": _minute(content),
        "places": _places(masks, names),
        "beside": [
            {**view.figure_of(key, masks["measures"][key]), "meaning": words.MASKS[key]}
            for key in BESIDE
            if key in masks["measures"]
        ],
        "flaws": _flaws(masks, names),
        "sizes": _sizes(masks, names),
        "unit": "mm2" if masks["mm_per_pixel"] else "pixels",
        "gate": _gate(metrics, content.items) if "gate" in metrics else None,
        "cascade": _whole(metrics["cascade"], "whole"),
        "fitted": _fitted(content.masks.fitted),
        "curves": _curves(masks, names),
        "galleries": galleries,
        "sides": _sides([tile["wide"] for each in galleries for tile in each["tiles"]]),
        "colours": [(name, content.masks.colours[name]) for name in names if name in content.masks.colours],
    }


def _minute(content: ReportContent) -> View:
    """The statements with a hundred dots, and the cards."""
    metrics, masks, items = content.metrics, content.metrics["masks"], content.items
    found = masks["flaws"]["classes"]
    said = []
    recall = found[ANY]["measures"].get("flaw recall")
    if recall:
        said.append(("flaw recall", recall, _of("true flaws", recall, "are found"), ""))
    recalls = {name: each["measures"].get("flaw recall") for name, each in found.items() if name != ANY}
    known = {name: each for name, each in recalls.items() if each}
    if len(known) > 1:
        name, interval = min(known.items(), key=lambda pair: pair[1]["value"])
        called = class_called(name)
        said.append((f"least found: {called}", interval, _of(f"true flaws of {called}", interval, "are found"), ""))
    cascade = next(iter(metrics["cascade"]["classes"].values()))["measures"]
    good = metrics["task"]["negative"]
    for key, of, what in (
        ("escape rate", f"flawed {items}", f"pass as {good}"),
        ("overkill rate", f"{good} {items}", "are called flawed"),
    ):
        if key in cascade:
            said.append((key, cascade[key], _of(of, cascade[key], what), "bad"))
    statements = [
        {**view.figure_of("flaw recall", interval), "name": name, "meaning": sentence, "tone": tone, **_dots(interval)}
        for name, interval, sentence, tone in said
    ]
    told = told_of(masks, CARDS)
    cards = [
        {**view.figure_of(entry["name"], entry["interval"]), "meaning": words.MASKS[entry["name"]]}
        for entry in metrics["headline"]
        if entry["name"] in told
    ]
    false = found[ANY]["measures"]["false flaws an image"]
    meaning = f"Marked where no flaw of that name is: {found[ANY]['false']:,} regions on {metrics['n']:,} {items}."
    cards.append({**view.figure_of("false flaws an image", false), "meaning": meaning, "unbounded": True})
    remarks = view.common_remarks([*statements, *cards])
    methods = {each["interval"]["method"] for each in metrics["headline"]} | {false["method"]}
    level = next((each["level"] for each in [*statements, *cards]), 95)
    return {
        "statements": statements,
        "cards": cards,
        "remarks": remarks,
        "level": level,
        "methods": sorted(each for each in methods if each),
        "notes": metrics.get("notes", []),
    }


def _of(things: str, interval: Mapping[str, Any], what: str) -> str:
    base, count, low, high = words.of_hundred(interval)
    return f"Of {base:,} {things}, {count:,} {what} ({low:,} to {high:,})."


def _dots(interval: Mapping[str, Any]) -> View:
    base, count, low, high = words.of_hundred(interval)
    return {"dots": {"sure": low, "count": count, "high": high} if base == 100 else None, "base": base, "count": count}


def _cells(entry: Mapping[str, Any], keys: Sequence[str]) -> list[View]:
    """Measures in the order of the columns; one that cannot be computed has its reason."""
    cells = []
    for key in keys:
        if key in entry["measures"]:
            cells.append(view.figure_of(key, entry["measures"][key]))
        else:
            cells.append({"name": key, "undefined": entry["undefined"].get(key, "not computed")})
    return cells


def _places(masks: Mapping[str, Any], names: Sequence[str]) -> View:
    """The table of classes: IoU, Dice and the like, the mean and any flaw below."""
    columns = ("IoU", "Dice", "mean Dice where it shows", "average precision")

    def row(name: str) -> View:
        entry = dict(masks["classes"][name])
        curve = masks["curves"].get(name)
        measures = entry["measures"] | ({"average precision": curve["average precision"]} if curve else {})
        entry["measures"] = measures
        return {
            "name": name,
            "images": entry["images"],
            "share": f"{100 * entry['pixels'] / masks['pixels']:.2g}\N{NO-BREAK SPACE}%",
            "cells": _cells(entry, columns),
        }

    known = masks["measures"]
    mean = [view.figure_of(key, known[key]) if key in known else None for key in ("mean IoU", "mean Dice")]
    return {
        "columns": columns,
        "rows": [row(name) for name in names],
        "any": row(ANY) if len(names) > 1 else None,
        "mean": [*mean, view.figure_of(BESIDE[1], known[BESIDE[1]]) if BESIDE[1] in known else None, None],
        "several": len(names) > 1,
    }


def _flaws(masks: Mapping[str, Any], names: Sequence[str]) -> list[View]:
    """One row a class, all together last: what is found, and what is false."""
    rows = []
    for name in [*names, *([ANY] if len(names) > 1 else [])]:
        entry = masks["flaws"]["classes"][name]
        recall, false = _cells(entry, ("flaw recall", "false flaws an image"))
        rows.append({**entry, "name": "all" if name == ANY else name, "recall": recall, "an_image": false})
    return rows


def _sizes(masks: Mapping[str, Any], names: Sequence[str]) -> list[View]:
    unit = "mm2" if masks["mm_per_pixel"] else "pixels"
    shown = []
    for index, name in enumerate([ANY, *names] if len(names) > 1 else names):
        entry = masks["flaws"]["classes"][name]
        title = f"All: {counted(entry['flaws'], 'flaws')}"
        if name != ANY:
            title = f"{class_called(name)}: {counted(entry['flaws'], 'flaws')}"
        figure: View = {"title": title, "undefined": "" if entry["sizes"] else "no image shows one"}
        if entry["sizes"]:
            alt = f"Share of {class_called(name)} that is found, over the area of the flaw"
            figure["svg"] = Markup(figures.svg(mask_figures.sizes(entry["sizes"], unit), f"size{index}", alt))
        shown.append(figure)
    return shown


def _whole(document: Mapping[str, Any], prefix: str) -> View:
    """A decision between good and flawed images: its confusion matrix and its measures."""
    (entry,) = view.classes(document, prefix)
    confusion = document["confusion"]
    matrix = view.matrix(confusion["labels"], confusion["matrix"], confusion.get("columns"))
    return {"matrix": matrix, "class": entry}


def _gate(metrics: Mapping[str, Any], items: str) -> View:
    """The gate by itself, and the time it saves in words."""
    time = metrics["gate"]["time"]
    saved = time.get("saved")
    each = time["images"]
    said = [
        f"The gate stopped {time['stopped']:,} of {each:,} {items}: nobody looks for flaws there.",
        f"With it these {items} took {_seconds(time['with'])}, without it they would have taken "
        f"{_seconds(time['without'])}, of one core. It needs {_seconds(time['gate an image'])} an image, decoding "
        f"included, the masks {_seconds(time['masks an image'])}.",
    ]
    if saved:
        percent = [100 * saved[key] for key in ("value", "low", "high")]
        verb = "saves" if percent[0] >= 0 else "costs"
        value, low, high = percent if percent[0] >= 0 else (-percent[0], -percent[2], -percent[1])
        said.append(f"So it {verb} {value:.0f} % of the time ({low:.0f} to {high:.0f} %).")
    longest = max(time["with"], time["without"], 1e-12)
    bars = [
        {"name": name, "seconds": _seconds(time[key]), "width": round(100 * time[key] / longest, 1), "tone": tone}
        for name, key, tone in (("with the gate", "with", "with"), ("without it", "without", "without"))
    ]
    return {**_whole(metrics["gate"], "gate"), "said": said, "bars": bars, "costs": bool(saved and saved["value"] < 0)}


def _seconds(value: float) -> str:
    r"""A time in the unit that suits it.

    >>> _seconds(0.0123), _seconds(4.2), _seconds(340)
    ('12.3\xa0ms', '4.2\xa0s', '5.7\xa0min')
    """
    if value < 1:
        return f"{1000 * value:.3g}\N{NO-BREAK SPACE}ms"
    return f"{value:.3g}\N{NO-BREAK SPACE}s" if value < 100 else f"{value / 60:.1f}\N{NO-BREAK SPACE}min"


def _fitted(fitted: Mapping[str, Any]) -> list[View]:
    """The rule class by class: threshold, least area, how good they were where they were fitted, what others give."""
    shown = []
    for index, (name, entry) in enumerate(fitted.get("classes", {}).items()):
        figures_of = []
        for over, title in (("levels", "Threshold"), ("areas", "Least area")):
            if entry["fitted"] and len(entry[over]) > 1:
                alt = f"Mean Dice of {name} on the calibration part over the {title.lower()}"
                svg = Markup(figures.svg(mask_figures.rule(entry, over), f"rule{index}-{over}", alt))
                figures_of.append({"title": title, "svg": svg, "undefined": ""})
        shown.append(
            {
                "name": class_called(name),
                "threshold": f"{entry['level'] / 256:.2f}",
                "area": entry["min_area"],
                "images": entry["images"],
                "dice": "–" if entry["dice"] is None else f"{entry['dice']:.3f}",
                "figures": figures_of,
            }
        )
    return shown


def _curves(masks: Mapping[str, Any], names: Sequence[str]) -> list[View]:
    shown = []
    for index, name in enumerate([*names, *([ANY] if len(names) > 1 else [])]):
        entry, curve = masks["classes"][name], masks["curves"].get(name)
        figure: View = {
            "title": class_called(name),
            "undefined": "" if curve else entry["undefined"].get("IoU", "nothing to draw"),
        }
        if curve:
            point = (entry["both"] / entry["pixels"], entry["both"] / entry["marked"]) if entry["marked"] else None
            called = class_called(name)
            drawn = mask_figures.pixels(curve, called, point)
            figure["svg"] = Markup(figures.svg(drawn, f"pixels{index}", f"Precision and recall of pixels of {called}"))
        shown.append(figure)
    return shown


def gallery_view(gallery: MaskGallery) -> View:
    """The pictures of a gallery as the templates print them: each with its panels, wide ones one above the other."""
    tiles = []
    for picture in gallery.pictures:
        panels = [{**_panel(source), "name": name} for name, source in picture.panels.items()]
        tiles.append({"about": picture, "panels": panels, "wide": any(panel["wide"] for panel in panels)})
    return {"about": gallery, "tiles": tiles, "wide": any(tile["wide"] for tile in tiles)}


def _sides(wide: Sequence[bool]) -> tuple[str, str]:
    """Where truth and marks stand on the page.

    >>> _sides([True]), _sides([False]), _sides([True, False])
    (('above', 'below'), ('left', 'right'), ('left or above', 'right or below'))
    """
    if all(wide):
        return "above", "below"
    return ("left or above", "right or below") if any(wide) else ("left", "right")


def _panel(source: Image.Image | str | Path) -> View:
    made = (
        data_uri(source, LONG_SIDE) if isinstance(source, Image.Image) and _is_wide(source) else data_uri(source, SIDE)
    )
    uri, (width, height) = made or ("", (0, 0))
    return {"uri": uri, "width": width, "height": height, "wide": bool(height) and width / height >= WIDE}


def _is_wide(image: Image.Image) -> bool:
    return image.width / image.height >= WIDE
