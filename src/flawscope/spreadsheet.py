"""Text in tables that a spreadsheet may open: what it would take for a formula and run is written as text.

A spreadsheet takes text that starts with = + - @ or a tab for a formula, and the name of a picture or folder may come
from anyone. So such text is written with an apostrophe before it (as OWASP advises, "CSV Injection"), and so is text
that starts with an apostrophe: then `plain_cell` gives back every text as it was.
"""

from __future__ import annotations

from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def safe_cell(value: Any) -> Any:
    """Text that no spreadsheet runs; what is no text, as numbers, stays as it is.

    >>> safe_cell("=1+1"), safe_cell("part 1"), safe_cell(-0.5)
    ("'=1+1", 'part 1', -0.5)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def plain_cell(text: str) -> str:
    """The text that was given to `safe_cell`; what it does not write stays as it is.

    >>> plain_cell(safe_cell("=1+1")), plain_cell(safe_cell("'quoted'")), plain_cell("'quoted'")
    ('=1+1', "'quoted'", "'quoted'")
    """
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
