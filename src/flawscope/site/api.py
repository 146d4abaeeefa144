"""What the routes of the API share: whose token it is, and what is answered where something is refused."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from flawscope.site.people import Person
from flawscope.site.refusals import NotLoggedInError
from flawscope.site.web import site_of

BEARER = HTTPBearer(auto_error=False, description="A token of yours, made on the page of your account.")


class Problem(BaseModel):
    """Why something was refused, and what to do."""

    problem: str = Field(description="what was found")
    remedy: str = Field(description="what to do")


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for its description: these, and what every route may answer."""
    words = {
        400: "what was sent is not taken",
        401: "the token is missing, or not valid",
        403: "not yours to do",
        404: "not there, or not yours",
        409: "something stands against it",
        413: "more was sent than is taken",
        422: "what was sent does not fit this description",
        429: "too often",
        503: "not at the moment",
    }
    return {status: {"model": Problem, "description": words[status]} for status in sorted({*statuses, 422, 503})}


def caller_of(request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> Person:
    """Whose token was sent. Cookies count for nothing here.

    Raises:
        NotLoggedInError: there is none, or it is nobody's.
    """
    site = site_of(request)
    person = site.tokens.person(bearer.credentials, site.now()) if bearer else None
    if person is None:
        raise NotLoggedInError("the token is missing, or not valid", "send a header: Authorization: Bearer fsc_...")
    return person


Caller = Annotated[Person, Depends(caller_of)]
