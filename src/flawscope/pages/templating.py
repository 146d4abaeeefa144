"""The one Jinja environment of all pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flawscope.storage import write_text
from flawscope.wording import counted

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["counted"] = counted


def fill(template: str, **values: Any) -> str:
    """The page that a template makes of these values. The same values give the same bytes."""
    return _ENVIRONMENT.get_template(template).render(**values).strip() + "\n"


def write_page(folder: str | Path, page: str, name: str = "index.html") -> Path:
    """Write a page as `folder`/`name`, whole or not at all, and return its path.

    Raises:
        OutputError: the folder cannot be written to.
    """
    path = Path(folder) / name
    write_text(path, page)
    return path
