"""For organisers: who has an account, and who organises."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flawscope.site.hosted import Site
from flawscope.site.log import WHOLE_SITE, Note, log_of
from flawscope.site.people import Also, Person
from flawscope.site.web import Number, Organiser, SiteHere, go, page

router = APIRouter(prefix="/people")


@router.get("")
def people(request: Request, site: SiteHere, organiser: Organiser) -> Response:
    """Everybody who has an account."""
    return _shown(request, site)


@router.post("/{number}/organiser")
def make_organiser(request: Request, site: SiteHere, organiser: Organiser, number: Number) -> Response:
    """Make somebody an organiser."""
    made = site.people.make_organiser(number, _noted(organiser, site, "made {} an organiser"))
    return go(request, "/people", f"{made.name} is an organiser now.")


@router.post("/{number}/organiser/end")
def end_organiser(request: Request, site: SiteHere, organiser: Organiser, number: Number) -> Response:
    """Let somebody be an organiser no more."""
    ended = site.people.end_organiser(number, organiser, _noted(organiser, site, "{} is an organiser no more"))
    return go(request, "/people", f"{ended.name} is an organiser no more.")


@router.post("/{number}/link")
def new_link(request: Request, site: SiteHere, organiser: Organiser, number: Number) -> Response:
    """Make a link for somebody who has forgotten their password; this answer is the only one that tells it."""
    code = site.people.new_link(number, site.now(), _noted(organiser, site, "made a link for a new password for {}"))
    return _shown(request, site, link=f"{request.base_url}link/{code}", owner=site.people.linked(code, site.now()))


def _shown(request: Request, site: Site, link: str = "", owner: Person | None = None) -> Response:
    log = log_of(site.database, WHOLE_SITE)
    return page(request, "people.html", people=site.people.everybody(), link=link, owner=owner, log=log)


def _noted(organiser: Person, site: Site, what: str) -> Also:
    """Adds a line to the log, of what was done to whom."""
    now = site.now()
    return lambda session, person: Note(organiser, now, what.format(person.name)).add(session)
