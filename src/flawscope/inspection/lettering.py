"""Letters for pictures: a font that has them, lines that fit, names that are shortened in the middle."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from PIL import ImageFont

FONTS = (
    "DejaVuSans.ttf",
    "arial.ttf",
    "Arial.ttf",
    "LiberationSans-Regular.ttf",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc",
    "msyh.ttc",
    "malgun.ttf",
)
"""Looked for on this machine, in this order. Pillow's own font, which is always there, has no umlauts."""
SPELT = {
    "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "oe",
    "Ø": "Oe", "å": "aa", "Å": "Aa", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "–": "-", "—": "-", "’": "'",
}  # fmt: skip
"""How letters are written that the font lacks."""
CUT = "…"
UNBROKEN = "\N{NO-BREAK SPACE}"
Font = ImageFont.FreeTypeFont


def plain(text: str) -> str:
    r"""A text as one line that can be drawn: no line breaks, nothing that turns its direction, no stray bytes.

    >>> plain("a\nb"), plain("u\u0308"), plain("\udcff")
    ('a?b', 'ü', '?')
    """
    composed = unicodedata.normalize("NFC", text)
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else "?" for c in composed)


def font_for(text: str, size: int) -> tuple[Font, str]:
    """The font of this size that has the most letters of a text, and the text, the others spelt in plain letters."""
    letters = set(text)
    path = min((*_installed(), ""), key=lambda path: sum(not _has(path, letter) for letter in letters))
    return _font(path, size), "".join(letter if _has(path, letter) else _spelt(path, letter) for letter in text)


def shortened(text: str, fits: Callable[[str], bool]) -> str:
    """A text, or as much of its beginning and end as fits.

    >>> shortened("2024-05-01/camera 2/part 0815.png", lambda text: len(text) <= 16)
    '2024-05-…815.png'
    """
    if fits(text):
        return text
    least, most = 0, len(text) - 1
    while least < most:  # letters that are kept: as many as fit
        kept = (least + most + 1) // 2
        least, most = (kept, most) if fits(_without_middle(text, kept)) else (least, kept - 1)
    return _without_middle(text, least)


def wrapped(text: str, font: Font, width: float) -> list[str]:
    """The words of a text on as many lines as they need; a word that is wider than a line is shortened.

    No line ends at an unbroken blank, as it stands before a percent sign.
    """

    def fits(line: str) -> bool:
        return font.getlength(line) <= width

    lines: list[str] = []
    for word in text.split(" "):
        if lines and fits(f"{lines[-1]} {word}"):
            lines[-1] += f" {word}"
        else:
            lines.append(shortened(word, fits))
    return lines


def bytes_of(name: str) -> int:
    """How long a file name is for the disk.

    >>> bytes_of("ü.png")
    6
    """
    return len(os.fsencode(name))


def _without_middle(text: str, kept: int) -> str:
    return text[: kept - kept // 2] + CUT + text[len(text) - kept // 2 :]


def _spelt(path: str, letter: str) -> str:
    bare = unicodedata.normalize("NFKD", letter)[0]
    return SPELT.get(letter) or (bare if bare != letter and _has(path, bare) else "?")


@lru_cache
def _installed() -> tuple[str, ...]:
    found = []
    for name in FONTS:
        try:
            found.append(str(ImageFont.truetype(name, 20).path))
        except OSError:
            continue
    return tuple(found)


@lru_cache(256)
def _font(path: str, size: int) -> Font:
    font = ImageFont.truetype(path, size) if path else ImageFont.load_default(size)
    assert isinstance(font, Font)
    return font


@lru_cache(4096)
def _has(path: str, letter: str) -> bool:
    """Whether a font has a letter: one that it lacks is drawn like any other that it lacks."""
    font = _font(path, 20)
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))
