"""What `flawscope audit` prints: short tables and sentences, made from the numbers of audit.json."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from flawscope.pages.court_words import look_first, no_all_clear
from flawscope.pages.pairs import threshold_words
from flawscope.wording import percent, sizes_in_words

ROWS = 12
VERDICTS = {"enough": "yes", "depends": "if groups vary within", "too few": "too few", "none": "no image"}


def tables(document: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    """Classes, pairs by kind, and the probe if it was asked for, each with its title."""
    yield f"{document['name']}: {_counted(document['n'], 'image')}", _classes(document)
    court = document["court"]
    if court["pairs"]:
        table = _table("kind", "pairs")
        for kind, n in court["kinds"].items():
            table.add_row(kind, f"{n:,}")
        yield (
            f"{_counted(court['pairs'], 'pair')} of the same thing, {_counted(court['images'], 'image')} concerned",
            table,
        )
    models = (document.get("probe") or {}).get("models", ())
    if models:
        table = _table("model", "random split", "grouped split", "difference")
        table.show_lines = True
        for model in models:
            found = model["measures"]["accuracy"]
            ends = [found[key] for key in ("random", "grouped", "difference")]
            table.add_row(model["name"], *map(_percent, ends))
        yield "What a random split hides: accuracy of simple models in percent, with 95 % intervals", table


def _classes(document: Mapping[str, Any]) -> Table:
    if not document["class_sizes"]:
        table = _table("label", "images")
        for name, n in list(document["combinations"].items())[:ROWS]:
            table.add_row(escape(name), f"{n:,}")
        return table
    table = _table("class", "images", "groups", "enough to measure")
    for size in document["class_sizes"][:ROWS]:
        table.add_row(escape(size["name"]), f"{size['images']:,}", f"{size['groups']:,}", VERDICTS[size["verdict"]])
    if len(document["class_sizes"]) > ROWS:
        table.add_row(f"and {len(document['class_sizes']) - ROWS} more", "", "", "")
    return table


def _percent(interval: Mapping[str, Any]) -> str:
    """Value and interval in percent, on two lines: so the table fits 80 columns.

    >>> _percent({"value": 0.655, "low": 0.489, "high": 0.79})
    '65.5\\n48.9 to 79.0'
    """
    value, low, high = (f"{100 * interval[key]:.1f}" for key in ("value", "low", "high"))
    return f"{value}\n{low} to {high}"


def _table(first: str, *others: str) -> Table:
    table = Table()
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def sentences(document: Mapping[str, Any]) -> Iterator[str]:
    """What else is worth knowing at once."""
    yield from _thresholds(document["court"].get("facts", {}))
    if words := no_all_clear(document):
        yield words
    if document["labelled"] and document["task"]["kind"] == "multilabel":
        yield f"Label combinations: {_some([f'{name} {n:,}' for name, n in document['combinations'].items()])}."
    yield from _masks(document.get("masks"))
    yield from _pictures(document["pictures"])
    bad = [*document["skipped"], *document["pictures"]["unreadable"]]
    for each in bad[:5]:
        yield f"cannot be used: {each['where']}: {each['reason']}"
    if len(bad) > 5:
        yield f"... and {len(bad) - 5} more that cannot be used, see the page"
    if document["identical"]:
        yield f"There more than once: {_counted(len(document['identical']), 'file')}."
    published = document["published"]
    if published:
        yield (
            f"Published split: {published['with_twin']:,} of {published['test']:,} test images have a twin in "
            f"training, {published['identical_files']:,} of them the same file."
        )
    groups = document["groups"]
    cut = (
        f" (all pairs joined: {groups['chained']['largest']:,}; {_counted(groups['cut'], 'pair')} cut)"
        if groups["cut"]
        else ""
    )
    linked = groups["linked"]
    yield f"{_counted(linked['number'], 'group')}, the largest of {_counted(linked['largest'], 'image')}{cut}."
    if "reason" in (document.get("probe") or {}):
        yield f"The random split could not be measured: {document['probe']['reason']}."


def _masks(facts: Mapping[str, Any] | None) -> Iterator[str]:
    """How many images show a flaw, and how much of each class is marked; nothing where there are no masks."""
    if facts:
        each = [
            f"{row['name']}: {_counted(row['flaws'], 'flaw')}, {percent(row['share'], 2)} of all pixels"
            for row in facts["classes"]
        ]
        yield f"Masks: {facts['flawed']:,} of {facts['images']:,} images show a flaw. {'; '.join(each[:ROWS])}."


def _pictures(pictures: Mapping[str, Any]) -> Iterator[str]:
    """Sizes, grey values, and pictures with nothing on them."""
    sizes = sizes_in_words(pictures["sizes"] or [(0, 0, 0)])
    yield f"{sizes[:1].upper()}{sizes[1:]}; {', '.join(pictures['formats'])}; {_and(pictures['bits'])} bits."
    for bits, values in pictures["intensity"].items():
        low, high = values["1 %"], values["99 %"]
        yield f"Grey values ({bits} bits): 98 % of all pixels lie between {low:,.0f} and {high:,.0f}."
    odd = [f"{kind}: {_some(ids)}" for kind, ids in pictures["odd"].items() if ids]
    if odd:
        yield f"Pictures with hardly anything on them: {'; '.join(odd)}."


def _thresholds(facts: Mapping[str, Any]) -> Iterator[str]:
    """From which correlation on two images are the same thing; nothing where no court has sat."""
    if words := threshold_words(facts):
        yield f"Same thing: correlation reaches {words}."
    if closely := facts.get("looked_at_closely"):
        needed = threshold_words(facts, "closely_needed")
        yield f"Doubtful: {_counted(closely, 'pair')}, compared again; their fine detail must reach {needed}."
    if facts.get("note"):
        yield f"Note: {facts['note']}."


def next_steps(
    document: Mapping[str, Any], data: str, images: Path | None = None, overrides: Sequence[str] = ()
) -> Iterator[str]:
    """What to do with the findings; the next command names what this one was told: images and changed keys."""
    court = document["court"]
    if court["contrary"]:
        yield f"\nreview: {_counted(court['contrary'], 'pair')} alike but labelled differently, see the page"
    if advice := look_first(document):
        yield f"\nlook first: {advice} The page shows the pairs."
    if not document["labelled"]:
        yield "\nnext: put the pictures into one folder a class, or name their labels in a table (CSV)"
    elif not data.lower().endswith((".yaml", ".yml")):
        together = " (its split keeps these pairs together: split.twins: find)" if court["pairs"] else ""
        given = f" --images {shlex.quote(str(images))}" if images else ""
        yield f"\nnext: flawscope new {shlex.quote(data)}{given}{together}"
    else:
        together = " (split.twins: find keeps these pairs together)" if court["pairs"] else ""
        given = "".join(f" --set {shlex.quote(each)}" for each in overrides)
        yield f"\nnext: flawscope run {shlex.quote(data)}{given}{together}"


def _counted(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def _some(words: Sequence[str]) -> str:
    more = f" and {len(words) - ROWS:,} more" if len(words) > ROWS else ""
    return f"{', '.join(words[:ROWS])}{more}"


def _and(words: Mapping[str, int]) -> str:
    return " and ".join(words)
