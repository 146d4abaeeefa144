"""The pairs of an audit to look at: some on its page, all of them on pages of their own beside it.

On the page stand, of each kind, the weakest pairs and a few of the strongest, and the first of those to be reviewed.
Where there are more, a folder `pairs` holds them, `A_PAGE` to a page and at most `MOST` of a list: who has to judge
them wants to see them all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from flawscope.pages.pairs import KINDS, Source, View, margin, pair_view
from flawscope.pages.templating import fill, write_page

WEAKEST, STRONGEST, REVIEWED = 12, 3, 40
"""Pairs shown of each kind, and pairs of different labels."""

A_PAGE, MOST = 60, 1200
"""Pairs on a page of their own, and how many of a list are drawn: each costs about 10 kB."""

FOLDER = "pairs"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Listing:
    """All pairs of one kind, or all to be reviewed, in the order in which they are shown."""

    name: str
    title: str
    order: str
    rows: Sequence[Row]
    shown: int

    @property
    def pages(self) -> list[str]:
        """The names of the pages of their own; none where all stand on the page of the audit."""
        if len(self.rows) <= self.shown:
            return []
        return [f"{self.name}-{number + 1}.html" for number in range(math.ceil(min(len(self.rows), MOST) / A_PAGE))]

    @property
    def link(self) -> View:
        """Where the first of them is, seen from the page of the audit, and what to call it."""
        words = "all with their pictures" if len(self.rows) <= MOST else f"{MOST:,} of them with their pictures"
        return {"page": f"{FOLDER}/{self.pages[0]}", "words": words} if self.pages else {}


def to_review(document: Row) -> Listing:
    """Pairs whose labels differ, the most alike first; of identical files one of each label is listed."""
    rows = sorted(document["review"], key=lambda pair: -pair["measure"])
    return Listing("review", "To be reviewed", "the most alike", rows, REVIEWED)


def of_kinds(document: Row) -> list[Listing]:
    """The pairs of each kind that there is: the closest to what they need, which are to be doubted, first."""
    found = []
    for kind, (title, _) in KINDS.items():
        if rows := sorted((pair for pair in document["pairs"] if pair["kind"] == kind), key=margin):
            found.append(Listing(kind, title, "the weakest", rows, WEAKEST + STRONGEST))
    return found


def review(document: Row, images: Mapping[str, Source]) -> View:
    """The pairs to be reviewed, as many as the page shows."""
    listing = to_review(document)
    shown = _drawn(listing.rows[:REVIEWED], images, "comparing labels")
    total = document["court"]["contrary"]
    return {"total": total, "listed": len(listing.rows), "pairs": shown, "link": listing.link}


def galleries(document: Row, images: Mapping[str, Source]) -> list[View]:
    """Examples of each kind: the weakest, then a few of the strongest."""
    found = []
    for listing in of_kinds(document):
        rows = listing.rows
        weakest, strongest = (rows[:WEAKEST], rows[: -STRONGEST - 1 : -1]) if listing.pages else (rows, [])
        if margin(rows[0]) == margin(rows[-1]):
            strongest = []  # as identical files are: none is weaker than another
        text = f"drawing pairs: {listing.name}"
        found.append(
            {
                "title": listing.title,
                "explained": KINDS[listing.name][1],
                "total": len(rows),
                "all_shown": not listing.pages,
                "weakest": _drawn(weakest, images, text),
                "strongest": _drawn(strongest, images, text),
                "link": listing.link,
            }
        )
    return found


def write_pair_pages(folder: Path, document: Row, images: Mapping[str, Source]) -> None:
    """Write all lists that are longer than what the page of the audit shows.

    Raises:
        OutputError: the folder cannot be written to.
    """
    for listing in (to_review(document), *of_kinds(document)):
        rows = listing.rows[:MOST]
        drawn = _drawn(rows, images, f"drawing all pairs: {listing.title.lower()}") if listing.pages else []
        for number, name in enumerate(listing.pages):
            page = fill(
                "pairs.html",
                audit=document["name"],
                listing=listing,
                number=number,
                total=len(listing.rows),
                drawn=len(rows),
                pairs=drawn[number * A_PAGE : (number + 1) * A_PAGE],
                labelled=document["labelled"],
            )
            write_page(folder / FOLDER, page, name)


def _drawn(pairs: Sequence[Row], images: Mapping[str, Source], text: str) -> list[View]:
    console = Console(stderr=True)
    quiet = len(pairs) < 8 or not console.is_terminal
    return [pair_view(pair, images) for pair in track(pairs, text, console=console, transient=True, disable=quiet)]
