"""What the site refuses, and with which status: pages and the API say the same."""

from __future__ import annotations

from flawscope.errors import DataError, OutputError, SandboxError, StoreError, UserError


class Refusal(UserError):
    """Something that is refused, with the status of the answer."""

    status = 400


class NotLoggedInError(Refusal):
    """One must be logged in for it; the API: the token is missing or not valid."""

    status = 401


class ForbiddenError(Refusal):
    """It is not theirs to do."""

    status = 403


class NotFoundError(Refusal):
    """It is not there, or is another team's: that is told apart by nobody."""

    status = 404


class ConflictError(Refusal):
    """Something else stands against it: a name that is taken, a place in another team."""

    status = 409


class TooLargeError(Refusal):
    """More was sent than is taken."""

    status = 413


class TooManyError(Refusal):
    """Too often, or too much at once; `seconds` is when to try again."""

    status = 429

    def __init__(self, problem: str, remedy: str, seconds: int) -> None:
        super().__init__(problem, remedy)
        self.seconds = seconds

    def __reduce__(self) -> tuple[type[UserError], tuple[str, str, int]]:  # type: ignore[override]
        return type(self), (self.problem, self.remedy, self.seconds)


class BusyError(TooManyError):
    """The site cannot do it at this moment, whoever asks."""

    status = 503


OURS = (StoreError, OutputError, SandboxError, DataError)
"""Not the visitor's to mend; their words hold places of the server."""


def status_of(error: UserError) -> int:
    """The status of the answer to an error.

    >>> status_of(UserError("no")), status_of(ConflictError("taken")), status_of(StoreError("away"))
    (400, 409, 503)
    """
    if isinstance(error, OURS):
        return 503
    return error.status if isinstance(error, Refusal) else 400


def told(error: UserError) -> UserError:
    """The error as a visitor is told of it: of what is the server's, nothing but that.

    >>> told(StoreError("cannot reach /var/x")).problem
    'the site cannot do this at the moment'
    """
    if isinstance(error, OURS):
        return BusyError("the site cannot do this at the moment", "try again later, or tell the organiser", 30)
    return error


def headers_of(error: UserError) -> dict[str, str]:
    """What the answer's head says of an error: when to try again, how to prove who one is."""
    if isinstance(error, TooManyError):
        return {"Retry-After": str(error.seconds)}
    return {"WWW-Authenticate": "Bearer"} if isinstance(error, NotLoggedInError) else {}
