"""Accounts: sign up, log in and out, the first organiser, passwords, tokens."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flawscope.errors import UserError
from flawscope.site.refusals import NotFoundError
from flawscope.site.web import SESSION, Anyone, LoggedIn, Number, SiteHere, Text, drop_cookie, go, local, log_in, page

router = APIRouter()


@router.get("/signup")
def sign_up_form(request: Request, visitor: Anyone, next: str = "/") -> Response:
    """The form for a new account."""
    if visitor.person:
        return go(request, local(next))
    return page(request, "signup.html", name="", next=local(next))


@router.post("/signup")
def sign_up(
    request: Request, site: SiteHere, name: Text = "", password: Text = "", again: Text = "", next: Text = "/"
) -> Response:
    """Make an account, and log in."""
    try:
        _same(password, again)
        person = site.people.sign_up(name, password, site.now())
    except UserError as error:
        return page(request, "signup.html", error=error, name=name, next=local(next))
    response = go(request, local(next), f"Welcome, {person.name}.")
    log_in(request, response, person)
    return response


@router.get("/login")
def log_in_form(request: Request, visitor: Anyone, next: str = "/") -> Response:
    """The form to log in."""
    if visitor.person:
        return go(request, local(next))
    return page(request, "login.html", name="", next=local(next))


@router.post("/login")
def log_in_by_password(
    request: Request, site: SiteHere, name: Text = "", password: Text = "", next: Text = "/"
) -> Response:
    """Log in."""
    try:
        person = site.people.authenticate(name, password, _address(request), site.now())
    except UserError as error:
        return page(request, "login.html", error=error, name=name, next=local(next))
    response = go(request, local(next), f"You are logged in as {person.name}.")
    log_in(request, response, person)
    return response


@router.post("/logout")
def log_out(request: Request, site: SiteHere, visitor: Anyone) -> Response:
    """Log out in this browser."""
    response = go(request, "/", "You are logged out.")
    if visitor.person:
        site.sessions.end(visitor.number)
    drop_cookie(response, site, SESSION)
    return response


@router.get("/setup/{code}")
def set_up_form(request: Request, site: SiteHere, code: str) -> Response:
    """The form for the first organiser."""
    if not site.people.set_up_waits(code):
        raise NotFoundError("this link is good no more", "if there is an organiser, log in; else start the site anew")
    return page(request, "setup.html", code=code, name="")


@router.post("/setup/{code}")
def set_up(
    request: Request, site: SiteHere, code: str, name: Text = "", password: Text = "", again: Text = ""
) -> Response:
    """Make the account of the first organiser, and log in."""
    try:
        _same(password, again)
        person = site.people.set_up(code, name, password, site.now())
    except NotFoundError:
        raise
    except UserError as error:
        return page(request, "setup.html", error=error, code=code, name=name)
    response = go(request, "/", f"Welcome, {person.name}. You organise the challenges of this site.")
    log_in(request, response, person)
    return response


@router.get("/link/{code}")
def new_password_form(request: Request, site: SiteHere, visitor: Anyone, code: str) -> Response:
    """The form for somebody who has forgotten their password, and was given a link by an organiser."""
    return page(request, "link.html", code=code, owner=site.people.linked(code, site.now()))


@router.post("/link/{code}")
def new_password(request: Request, site: SiteHere, code: str, password: Text = "", again: Text = "") -> Response:
    """Set it, and log in."""
    owner = site.people.linked(code, site.now())
    try:
        _same(password, again)
        person = site.people.set_password(code, password, site.now())
    except UserError as error:
        return page(request, "link.html", error=error, code=code, owner=owner)
    response = go(request, "/", f"You have a new password, {person.name}, and are logged in.")
    log_in(request, response, person)
    return response


@router.get("/account")
def account(request: Request, site: SiteHere, person: LoggedIn) -> Response:
    """The own account."""
    return page(request, "account.html", tokens=site.tokens.of(person), made=None)


@router.post("/account/password")
def change_password(
    request: Request, site: SiteHere, person: LoggedIn, old: Text = "", password: Text = "", again: Text = ""
) -> Response:
    """Change the password; all other sessions end, and this one gets a new id."""
    try:
        _same(password, again)
        site.people.change_password(person, old, password, _address(request), site.now())
    except UserError as error:
        return page(request, "account.html", error=error, tokens=site.tokens.of(person), made=None)
    response = go(request, "/account", "Your password is changed. Everywhere else you are logged out.")
    log_in(request, response, person)
    return response


@router.post("/account/sessions")
def log_out_everywhere(request: Request, site: SiteHere, person: LoggedIn) -> Response:
    """End all sessions."""
    site.sessions.end_all(person)
    response = go(request, "/login", "You are logged out everywhere.")
    drop_cookie(response, site, SESSION)
    return response


@router.post("/account/tokens")
def make_token(request: Request, site: SiteHere, person: LoggedIn, label: Text = "") -> Response:
    """Make a token; this answer is the only one that tells it."""
    try:
        made = site.tokens.make(person, label, site.now())
    except UserError as error:
        return page(request, "account.html", error=error, tokens=site.tokens.of(person), made=None)
    return page(request, "account.html", tokens=site.tokens.of(person), made=made)


@router.post("/account/tokens/{number}/revoke")
def revoke_token(request: Request, site: SiteHere, person: LoggedIn, number: Number) -> Response:
    """Make a token worthless."""
    site.tokens.revoke(person, number)
    return go(request, "/account", "The token is revoked.")


def _same(password: str, again: str) -> None:
    if password != again:
        raise UserError("the two passwords are not the same", "type them again")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
