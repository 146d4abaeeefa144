"""For organisers: who has an account, and who organises."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flawscope.site.web import Organiser, SiteHere, go, page

router = APIRouter(prefix="/people")


@router.get("")
def people(request: Request, site: SiteHere, organiser: Organiser) -> Response:
    """Everybody who has an account."""
    return page(request, "people.html", people=site.people.everybody())


@router.post("/{number}/organiser")
def make_organiser(request: Request, site: SiteHere, organiser: Organiser, number: int) -> Response:
    """Make somebody an organiser."""
    made = site.people.make_organiser(number)
    return go(request, "/people", f"{made.name} is an organiser now.")
