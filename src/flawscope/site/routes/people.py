"""For organisers: who has an account, who organises, links for who has forgotten the password; and those links."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flawscope.errors import UserError
from flawscope.site.log import WHOLE_SITE, Note, log_of
from flawscope.site.people import Person
from flawscope.site.refusals import NotFoundError
from flawscope.site.resets import GOOD_FOR
from flawscope.site.web import Organiser, SiteHere, Text, go, log_in, page

router = APIRouter(prefix="/people")
reset_router = APIRouter(prefix="/reset")


@router.get("")
def people(request: Request, site: SiteHere, organiser: Organiser) -> Response:
    """Everybody who has an account."""
    return _page(request, site)


@router.post("/{number}/organiser")
def make_organiser(request: Request, site: SiteHere, organiser: Organiser, number: int) -> Response:
    """Make somebody an organiser."""

    def note(made: Person) -> Note:
        return Note(organiser, site.now(), f"made {made.name} an organiser")

    made = site.people.make_organiser(number, lambda session, made: note(made).add(session))
    return go(request, "/people", f"{made.name} is an organiser now.")


@router.post("/{number}/password")
def reset_password(request: Request, site: SiteHere, organiser: Organiser, number: int) -> Response:
    """Make a link with which somebody sets a new password; this answer is the only one that tells it."""
    person, code = site.resets.make(organiser, number, site.now())
    return _page(request, site, link=f"{request.base_url}reset/{code}", whose=person)


@reset_router.get("/{code}")
def reset_form(request: Request, site: SiteHere, code: str) -> Response:
    """The form for a new password."""
    return page(request, "reset.html", code=code, whose=site.resets.person(code, site.now()))


@reset_router.post("/{code}")
def reset(request: Request, site: SiteHere, code: str, password: Text = "", again: Text = "") -> Response:
    """Set the new password, and log in."""
    whose = site.resets.person(code, site.now())
    try:
        if password != again:
            raise UserError("the two passwords are not the same", "type them again")
        person = site.resets.use(code, password, site.now())
    except NotFoundError:
        raise
    except UserError as error:
        return page(request, "reset.html", error=error, code=code, whose=whose)
    response = go(request, "/account", "Your password is changed. Everywhere else you are logged out.")
    log_in(request, response, person)
    return response


def _page(request: Request, site: SiteHere, *, link: str = "", whose: Person | None = None) -> Response:
    log = log_of(site.database, WHOLE_SITE)
    return page(
        request, "people.html", people=site.people.everybody(), log=log, link=link, whose=whose, good_for=GOOD_FOR
    )
