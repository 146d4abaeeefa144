"""The organiser's office: how the queue stands, who takes part, and what may be changed, each on a page that asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from flawscope.errors import OutputError, StoreError, UserError
from flawscope.site.everything import everything
from flawscope.site.office import Office
from flawscope.site.refusals import NotFoundError
from flawscope.site.web import Anyone, ChallengeHere, SiteHere, Text, go, page

router = APIRouter(prefix="/c/{name}/office")


@dataclass(frozen=True)
class Ask:
    """What is asked before something is done: heading, and the words on the button."""

    title: str
    button: str
    danger: bool = False


ACTIONS = {
    "close": Ask("Close now", "Yes, close now", danger=True),
    "deadline": Ask("Another deadline", "Set this deadline"),
    "go-on": Ask("Let it go on after the deadline", "Yes, take submissions after the deadline"),
    "end": Ask("End it at the deadline", "Yes, take none after the deadline"),
    "again": Ask("Judge again", "Yes, judge again"),
    "disqualify": Ask("Disqualify a team", "Yes, disqualify this team", danger=True),
    "reinstate": Ask("Reinstate a team", "Yes, reinstate this team"),
}


def office_of(hosted: ChallengeHere, site: SiteHere, visitor: Anyone) -> Office:
    """The office, for organisers alone: to everybody else it is not there.

    Raises:
        NotFoundError: they are none.
    """
    if visitor.person is None or not visitor.person.organiser:
        raise NotFoundError("there is no such page", "look at the list of challenges")
    return Office(hosted, site.database, visitor.person)


OfficeHere = Annotated[Office, Depends(office_of)]


@router.get("")
def office(request: Request, site: SiteHere, office: OfficeHere) -> Response:
    """How the challenge stands, and what may be done."""
    desk = office.hosted.desk()
    return page(
        request,
        "office.html",
        hosted=office.hosted,
        desk=desk,
        challenge=desk.challenge,
        queue=office.queue(site.now()),
        teams=office.teams(),
        log=office.log(),
    )


@router.post("/export")
def export(site: SiteHere, office: OfficeHere) -> Response:
    """Everything as a zip of tables and JSON."""
    now, hosted = site.now(), office.hosted
    content = everything(office, site.boards[hosted.name], now)
    office.note(now, "downloaded everything")
    head = {"Content-Disposition": f'attachment; filename="{hosted.name}-results.zip"'}
    return Response(content, media_type="application/zip", headers=head)


@router.get("/{action}")
def ask(request: Request, office: OfficeHere, action: str, team: str = "", number: str = "") -> Response:
    """Ask before something is done."""
    return _asked(request, office, action, team=team, number=number)


@router.post("/{action}")
def act(
    request: Request,
    site: SiteHere,
    office: OfficeHere,
    action: str,
    team: Text = "",
    number: Text = "",
    deadline: Text = "",
    why: Text = "",
) -> Response:
    """Do it."""
    _asked_for(action)
    now = site.now()
    try:
        if action == "close":
            words = office.close(now, why)
        elif action == "deadline":
            words = office.move(deadline, now, why)
        elif action in ("go-on", "end"):
            words = office.go_on(action == "go-on", now, why)
        elif action == "again":
            words = office.again(_numbers(number), now, why)
        elif action == "disqualify":
            words = office.disqualify(team, now, why)
        else:
            words = office.reinstate(team, now, why)
    except UserError as error:
        if isinstance(error, NotFoundError | StoreError | OutputError):
            raise
        return _asked(request, office, action, team=team, number=number, deadline=deadline, why=why, error=error)
    return go(request, f"/c/{office.hosted.name}/office", words)


def _asked_for(action: str) -> Ask:
    if action not in ACTIONS:
        raise NotFoundError("there is no such page", "look at the office")
    return ACTIONS[action]


def _asked(
    request: Request,
    office: Office,
    action: str,
    *,
    team: str = "",
    number: str = "",
    deadline: str = "",
    why: str = "",
    error: UserError | None = None,
) -> Response:
    desk = office.hosted.desk()
    return page(
        request,
        "office_ask.html",
        hosted=office.hosted,
        desk=desk,
        challenge=desk.challenge,
        ask=_asked_for(action),
        action=action,
        team=office.team(team) if action in ("disqualify", "reinstate") else None,
        number=number,
        deadline=deadline,
        why=why,
        error=error,
    )


def _numbers(text: str) -> list[int]:
    """The numbers of submissions as somebody types them.

    >>> _numbers("12, 15 16"), _numbers(" ")
    ([12, 15, 16], [])

    Raises:
        UserError: something else.
    """
    words = text.replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
        raise UserError(f"{text[:40]!r} are no numbers of submissions", "write them with blanks between: 12 15")
    return [int(word) for word in words]
