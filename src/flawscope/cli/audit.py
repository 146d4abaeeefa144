"""What `flawscope audit` prints: short tables and sentences, made from the numbers of audit.json."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from flawscope.pages.pairs import measure_words, threshold_words

ROWS = 12
VERDICTS = {"enough": "yes", "depends": "if groups vary within", "too few": "too few"}


def tables(document: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    """Classes, pairs by kind, and the probe if it was asked for, each with its title."""
    yield f"{document['name']}: {document['n']:,} images", _classes(document)
    court = document["court"]
    if court["pairs"]:
        table = _table("kind", "pairs")
        for kind, n in court["kinds"].items():
            table.add_row(kind, f"{n:,}")
        yield f"{_counted(court['pairs'], 'pair')} of the same thing, {court['images']:,} images concerned", table
    models = (document.get("probe") or {}).get("models", ())
    if models:
        table = _table("model", "random split", "grouped split", "difference")
        for model in models:
            found = model["measures"]["accuracy"]
            ends = [found[key] for key in ("random", "grouped", "difference")]
            table.add_row(model["name"], *(f"{e['value']:.3f} ({e['low']:.3f} to {e['high']:.3f})" for e in ends))
        yield "What a random split hides: accuracy of simple models", table


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


def _table(first: str, *others: str) -> Table:
    table = Table()
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def sentences(document: Mapping[str, Any]) -> Iterator[str]:
    """What else is worth knowing at once."""
    yield from document["notices"][:5]
    if len(document["notices"]) > 5:
        yield f"... and {len(document['notices']) - 5} more notices, see the page"
    yield from _thresholds(document["court"].get("facts", {}))
    pictures = document["pictures"]
    (width, height, n), *others = pictures["sizes"] or [(0, 0, 0)]
    sizes = f"{n:,} of {document['n']:,} images are" if others else "All images are"
    yield f"{sizes} {width} x {height} pixels; {', '.join(pictures['formats'])}; {_and(pictures['bits'])} bits."
    bad = [*document["skipped"], *pictures["unreadable"]]
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
    yield f"{groups['linked']['number']:,} groups, the largest of {groups['linked']['largest']:,} images{cut}."
    if "reason" in (document.get("probe") or {}):
        yield f"The random split could not be measured: {document['probe']['reason']}."


def _thresholds(facts: Mapping[str, Any]) -> Iterator[str]:
    """From which correlation on two images are the same thing; nothing where no court has sat."""
    if words := threshold_words(facts):
        yield f"Same thing: correlation reaches {words}."
    if closely := facts.get("looked_at_closely"):
        needed = measure_words(facts["closely_needed"])
        yield f"Doubtful and compared again in their fine detail: {_counted(closely, 'pair')} (needed: {needed})."
    if facts.get("note"):
        yield f"Note: {facts['note']}."


def next_steps(document: Mapping[str, Any], data: str) -> Iterator[str]:
    """What to do with the findings."""
    contrary = document["court"]["contrary"]
    if contrary:
        yield f"\nreview: {_counted(contrary, 'pair')} alike but labelled differently, see the page"
    if not document["labelled"]:
        yield "\nnext: put the pictures into one folder a class, or name their labels in a table (CSV)"
    elif not data.lower().endswith((".yaml", ".yml")):
        yield f"\nnext: flawscope new {shlex.quote(data)} (its split keeps these pairs together: split.twins: find)"
    else:
        yield f"\nnext: flawscope run {shlex.quote(data)} (split.twins: find keeps these pairs together)"


def _counted(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def _and(words: Mapping[str, int]) -> str:
    return " and ".join(words)
