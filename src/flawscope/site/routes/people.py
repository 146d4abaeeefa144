"""For organisers: who has an account, and who organises."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flawscope.site.hosted import Site
from flawscope.site.people import Person
from flawscope.site.web import Organiser, SiteHere, go, page

router = APIRouter(prefix="/people")


@router.get("")
def people(request: Request, site: SiteHere, organiser: Organiser) -> Response:
    """Everybody who has an account."""
    return _shown(request, site)


@router.post("/{number}/organiser")
def make_organiser(request: Request, site: SiteHere, organiser: Organiser, number: int) -> Response:
    """Make somebody an organiser."""
    made = site.people.make_organiser(number)
    return go(request, "/people", f"{made.name} is an organiser now.")


@router.post("/{number}/link")
def new_link(request: Request, site: SiteHere, organiser: Organiser, number: int) -> Response:
    """Make a link for somebody who has forgotten their password; this answer is the only one that tells it."""
    code = site.people.new_link(number, site.now())
    return _shown(request, site, link=f"{request.base_url}link/{code}", owner=site.people.linked(code, site.now()))


def _shown(request: Request, site: Site, link: str = "", owner: Person | None = None) -> Response:
    return page(request, "people.html", people=site.people.everybody(), link=link, owner=owner)
