"""What the routes of pages share: who asks, the token in each form, pages, and words after a redirect."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Form, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from flawscope.errors import UserError
from flawscope.site.database import LARGEST
from flawscope.site.hosted import Hosted, Site
from flawscope.site.navigation import tabs_for
from flawscope.site.people import Person
from flawscope.site.refusals import ForbiddenError, NotFoundError, NotLoggedInError, headers_of, status_of, told
from flawscope.site.rendering import fill

SESSION, VISIT, FLASH = "session", "visit", "flash"
"""Cookies: of who is logged in; of who is not, so that the forms of both hold a token; what to say on the next page."""
FLASH_SECONDS = 60
SAFE = ("GET", "HEAD", "OPTIONS")
FIELD = "token"
"""The field of every form that holds the token."""
Text = Annotated[str, Form()]
"""A field of a form."""
Number = Annotated[int, Path(ge=1, le=LARGEST)]
"""Of a submission, a token or a person, as an address names it (`{number}`)."""


@dataclass(frozen=True)
class Visitor:
    """Who asks for a page. `number` is the id of their session, or of their visit while they are not logged in."""

    person: Person | None
    number: str
    token: str
    fresh: bool


def site_of(request: Request) -> Site:
    """The site that is asked."""
    found: Site = request.app.state.site
    return found


def visitor_of(request: Request) -> Visitor:
    """Who asks, by their cookies; whoever comes for the first time gets a new visit."""
    site = site_of(request)
    number = _cookie(request, SESSION)
    person = site.sessions.person(number, site.now()) if number else None
    fresh = False
    if person is None or number is None:
        number = _cookie(request, VISIT)
        fresh = number is None
        number = number or secrets.token_urlsafe(24)
    visitor = Visitor(person, number, site.signing.token(number), fresh)
    request.state.visitor = visitor
    return visitor


def person_of(request: Request, visitor: Annotated[Visitor, Depends(visitor_of)]) -> Person:
    """Who is logged in.

    Raises:
        NotLoggedInError: nobody; a page that was asked for is shown after the log-in.
    """
    if visitor.person is None:
        raise NotLoggedInError("log in to see this page", "sign up first if you have no account")
    return visitor.person


def organiser_of(person: Annotated[Person, Depends(person_of)]) -> Person:
    """The organiser who is logged in.

    Raises:
        NotLoggedInError, ForbiddenError: nobody, or somebody else.
    """
    if not person.organiser:
        raise ForbiddenError("this page is for organisers", "ask one of them")
    return person


def hosted_of(name: str, request: Request) -> Hosted:
    """The challenge that an address names (`{name}`).

    Raises:
        NotFoundError: the site has none of this name.
    """
    found = site_of(request).hosted.get(name)
    if found is None:
        raise NotFoundError("this site has no such challenge", "look at the list of challenges")
    return found


async def protect(request: Request, visitor: Annotated[Visitor, Depends(visitor_of)]) -> None:
    """Let nobody act in the name of who asks: every form must hold the token of their session.

    Raises:
        ForbiddenError: it does not.
    """
    if request.method in SAFE:
        return
    check_same_site(request)
    form = await request.form()
    check_token(visitor, form.get(FIELD))


def check_same_site(request: Request) -> None:
    """See whether a form was sent by a page of ours, where the browser says so.

    Raises:
        ForbiddenError: by another one.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForbiddenError("this form was sent by another site", "use the form on this site")


def check_token(visitor: Visitor, token: object) -> None:
    """See whether a form holds the token of a visitor's session.

    Raises:
        ForbiddenError: it does not.
    """
    if visitor.fresh or not isinstance(token, str) or not hmac.compare_digest(token.encode(), visitor.token.encode()):
        raise ForbiddenError(
            "this form is out of date: you have logged in or out since, or your browser sends no cookies",
            "go back, load the page anew, and send it again",
        )


SiteHere = Annotated[Site, Depends(site_of)]
Anyone = Annotated[Visitor, Depends(visitor_of)]
LoggedIn = Annotated[Person, Depends(person_of)]
Organiser = Annotated[Person, Depends(organiser_of)]
ChallengeHere = Annotated[Hosted, Depends(hosted_of)]


def page(
    request: Request,
    template: str,
    *,
    hosted: Hosted | None = None,
    error: UserError | None = None,
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    """A page, with the words that were kept for it.

    Args:
        request: what was asked.
        template: of the page.
        hosted: the challenge that it belongs to; its navigation is shown.
        error: why a form was refused; it is said on top, and sets the status.
        status: of the answer, where nothing is wrong.
        values: what the template needs beside these.
    """
    site, visitor = site_of(request), getattr(request.state, "visitor", None)
    person = visitor.person if visitor else None
    kept = site.signing.opened(request.cookies.get(_name(site, FLASH), ""), FLASH, FLASH_SECONDS)
    error = told(error) if error else None
    text = fill(
        template,
        site=site,
        now=site.now(),
        person=person,
        token=visitor.token if visitor else "",
        field=FIELD,
        path=request.url.path,
        hosted=hosted,
        tabs=tabs_for(person) if hosted else [],
        words=kept,
        error=error,
        **values,
    )
    headers = headers_of(error) if error else {}
    response = HTMLResponse(text, status_of(error) if error else status, headers)
    if kept:
        response.delete_cookie(_name(site, FLASH), **_cookie_options(site))
    if visitor and visitor.fresh:
        set_cookie(response, site, VISIT, visitor.number)
    return response


def go(request: Request, address: str, words: str = "") -> RedirectResponse:
    """Send the browser to a page of ours after a form was taken; there these words are said, once."""
    site = site_of(request)
    response = RedirectResponse(address, 303)
    if words:
        set_cookie(response, site, FLASH, words)
    return response


def set_cookie(response: Response, site: Site, cookie: str, content: Any) -> None:
    """Give the browser a cookie until it is closed, or for as long as a session lasts."""
    seconds = {SESSION: int(site.settings.session_hours * 3600), FLASH: FLASH_SECONDS}.get(cookie)
    signed = site.signing.signed(content, cookie)
    response.set_cookie(_name(site, cookie), signed, max_age=seconds, **_cookie_options(site))


def drop_cookie(response: Response, site: Site, cookie: str) -> None:
    """Take a cookie back."""
    response.delete_cookie(_name(site, cookie), **_cookie_options(site))


def log_in(request: Request, response: Response, person: Person) -> None:
    """Begin a session of a new id, whatever id the browser brought."""
    site = site_of(request)
    old = _cookie(request, SESSION)
    if old:
        site.sessions.end(old)
    set_cookie(response, site, SESSION, site.sessions.begin(person, site.now()))
    drop_cookie(response, site, VISIT)


def local(address: str) -> str:
    """An address on this site, as it may be gone to after the log-in; / where it is another one.

    >>> local("/c/cells/team"), local("https://evil.example"), local("//evil.example"), local("/\\\\evil.example")
    ('/c/cells/team', '/', '/', '/')
    """
    fine = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    return address if fine and " " not in address else "/"


def _name(site: Site, cookie: str) -> str:
    """The name of a cookie; browsers take one of `__Host-` from this host by TLS alone."""
    return f"__Host-{cookie}" if site.settings.secure_cookies else f"flawscope-{cookie}"


def _cookie_options(site: Site) -> dict[str, Any]:
    return {"path": "/", "secure": site.settings.secure_cookies, "httponly": True, "samesite": "lax"}


def _cookie(request: Request, cookie: str) -> str | None:
    site = site_of(request)
    found = site.signing.opened(request.cookies.get(_name(site, cookie), ""), cookie)
    return found if isinstance(found, str) else None
