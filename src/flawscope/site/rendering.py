"""The Jinja environment of the site's pages. What is put in is text, never markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flawscope._version import __version__
from flawscope.challenge.ranking import MEASURES
from flawscope.challenge.spec import METRICS, iso
from flawscope.site.hosted import state_of
from flawscope.site.members import shown_code
from flawscope.site.words import capitalised, score, span
from flawscope.wording import counted, day, said

HERE = Path(__file__).parent
STATIC = HERE / "static"
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(
    counted=counted, said=said, span=span, iso=iso, shown_code=shown_code, capitalised=capitalised, score=score, day=day
)
_ENVIRONMENT.globals.update(version=__version__, METRICS=METRICS, MEASURES=MEASURES, state_of=state_of)


def fill(template: str, **values: Any) -> str:
    """The page that a template makes of these values."""
    return _ENVIRONMENT.get_template(template).render(**values).strip() + "\n"
