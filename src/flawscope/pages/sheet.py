"""The contact sheet of an inspection: every picture with its label, the ones to look at first.

Written without Jinja, which a machine at the line does not have. It shows the pictures that lie in its folder and
loads nothing from anywhere else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from flawscope.storage import write_text

FEW_SENTENCES = 6
GENERATOR = '<meta name="generator" content="flawscope {}">'
"""How a folder that a command has made is known."""
STYLE = Path(__file__).parent / "templates" / "style.css"
LISTED = 2000
"""Pictures of one label on the page; the others are counted."""


@dataclass(frozen=True)
class Tile:
    """One picture: its name, what stands below it, and its place in the folder (none: no picture).

    `beside`: the place of its heat map, which is shown beside it.
    """

    name: str
    facts: str
    place: str = ""
    beside: str = ""


@dataclass(frozen=True)
class Section:
    """All pictures of one label: how it is called, how many there are, and the first `LISTED` of them."""

    title: str
    count: int
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class SheetContent:
    """Everything that the sheet shows; `facts` are pairs of name and value, `decision` is the rule in sentences.

    `lead` says what is to be known of the pictures. `large`: they are shown so large that what is drawn on them is
    seen. `made_by` is the command that makes the folder, and `brand` says above the title what the page is. `table`
    stands below the pictures, its head first.
    """

    title: str
    facts: Mapping[str, str]
    decision: Sequence[str]
    sections: Sequence[Section]
    lead: str = ""
    large: bool = False
    made_by: str = "inspect"
    brand: str = "inspected pictures"
    table: Sequence[Sequence[str]] = ()


def write_sheet(path: str | Path, content: SheetContent) -> None:
    """Write the page, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_text(path, render(content))


def is_sheet(path: Path, made_by: str = "inspect") -> bool:
    """Whether a file is such a page, of that command."""
    try:
        with path.open(encoding="utf-8") as stream:
            return GENERATOR.format(made_by) in stream.read(500)
    except (OSError, UnicodeDecodeError):
        return False


def render(content: SheetContent) -> str:
    """The page as one string. The same content gives the same bytes."""
    facts = "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in content.facts.items()
    )
    links = "".join(
        f'<a href="#s{index}">{_text(section.title)} ({section.count:,})</a>'
        for index, section in enumerate(content.sections)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{GENERATOR.format(content.made_by)}
<title>{_text(content.title)}</title>
<style>{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<header>
<p class="brand"><b>flawscope</b> {_text(content.brand)}</p>
<h1>{_text(content.title)}</h1>
<dl class="facts">{facts}</dl>
{_decision(content.decision)}
{f'<p class="small">{_text(content.lead)}</p>' if content.lead else ""}
<nav aria-label="Labels">{links}</nav>
</header>
<main>
{"".join(_sections(content.sections, "sheet large" if content.large else "sheet"))}{_table(content.table)}</main>
<footer>Made by flawscope. The pictures lie beside this page; nothing was loaded from anywhere else.</footer>
</body>
</html>
"""


def _decision(sentences: Sequence[str]) -> str:
    """A few sentences as they are; many of them as a list that is opened by whom it concerns."""
    if len(sentences) <= FEW_SENTENCES:
        return f'<p class="small">{_text(" ".join(sentences))}</p>'
    rows = "".join(f"<li>{_text(each)}</li>" for each in sentences)
    return f'<details class="small"><summary>How this bundle decides</summary><ul>{rows}</ul></details>'


def _table(rows: Sequence[Sequence[str]]) -> str:
    """A table that moves by itself where the page is narrow; its first column names the rows."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in rows[0])
    lines = "\n".join(
        f'<tr><th scope="row">{_text(name)}</th>{"".join(f"<td>{_text(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows[1:]
    )
    return (
        f'<section><div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{lines}</tbody></table></div></section>\n"
    )


def _sections(sections: Sequence[Section], style: str) -> Iterable[str]:
    for index, section in enumerate(sections):
        more = section.count - len(section.tiles)
        counted = f'<span class="small">{section.count:,} picture{"" if section.count == 1 else "s"}</span>'
        yield f'<section id="s{index}"><h2>{_text(section.title)} {counted}</h2>\n'
        if more:
            yield f'<p class="lead">The first {len(section.tiles):,} are shown; {more:,} more lie in the folder.</p>\n'
        yield f'<ul class="{style}">\n'
        yield from map(_tile, section.tiles)
        yield "</ul>\n</section>\n"


def _tile(tile: Tile) -> str:
    if tile.place:
        shown = _shown(tile.place, f"{tile.name}: {tile.facts}")
        if tile.beside:
            shown = f'<div class="both">{shown}{_shown(tile.beside, f"{tile.name}: heat map")}</div>'
    else:
        shown = '<div class="blank">no picture: it cannot be opened</div>'
    return f'<li>{shown}<div class="verdict">{_text(tile.facts)}</div><div class="file">{_text(tile.name)}</div></li>\n'


def _shown(place: str, words: str) -> str:
    # Percent-encoded by bytes: a name may hold anything, also bytes that are no text.
    link = quote(os.fsencode(place))
    return f'<a href="{link}"><img loading="lazy" src="{link}" alt="{_text(words)}"></a>'


def _text(text: str) -> str:
    """Text of anybody, as text of a page."""
    return escape(text.encode("utf-8", "backslashreplace").decode())
