"""Teams: create one, join one by its code, leave it, take somebody out of it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flawscope.errors import UserError
from flawscope.site.hosted import Hosted
from flawscope.site.people import Person
from flawscope.site.web import ChallengeHere, LoggedIn, SiteHere, Text, go, page

router = APIRouter(prefix="/c/{name}/team")


@router.get("")
def team(request: Request, hosted: ChallengeHere, person: LoggedIn, code: str = "") -> Response:
    """The own team; who has none gets the forms to create and to join one. `code` is that of an invitation."""
    return _shown(request, hosted, person, code=code)


@router.post("")
def create(request: Request, site: SiteHere, hosted: ChallengeHere, person: LoggedIn, team: Text = "") -> Response:
    """Create a team."""
    try:
        made = hosted.members.create(person, team, site.now())
    except UserError as error:
        return _shown(request, hosted, person, error=error, wanted=team)
    late = site.now() > hosted.desk().challenge.deadline
    more = "After the deadline nobody joins it." if late else "Invite others by its code."
    return go(request, f"/c/{hosted.name}/team", f"The team {made.name} is there. {more}")


@router.post("/join")
def join(request: Request, site: SiteHere, hosted: ChallengeHere, person: LoggedIn, code: Text = "") -> Response:
    """Join a team."""
    try:
        joined = hosted.members.join(person, code, site.now(), hosted.desk().challenge.deadline)
    except UserError as error:
        return _shown(request, hosted, person, error=error, code=code)
    return go(request, f"/c/{hosted.name}/team", f"You are in the team {joined.name}.")


@router.post("/leave")
def leave(request: Request, site: SiteHere, hosted: ChallengeHere, person: LoggedIn) -> Response:
    """Leave the team."""
    name = hosted.members.leave(person, site.now())
    return go(request, f"/c/{hosted.name}/team", f"You have left the team {name}.")


@router.post("/out")
def take_out(request: Request, site: SiteHere, hosted: ChallengeHere, person: LoggedIn, member: Text = "") -> Response:
    """Take a member out of the team."""
    hosted.members.take_out(person, member, site.now(), hosted.desk().challenge.deadline)
    words = f"{member} is in the team no more. It has a new code, as {member} knows the old one."
    return go(request, f"/c/{hosted.name}/team", words)


@router.post("/code")
def renew_code(request: Request, hosted: ChallengeHere, person: LoggedIn) -> Response:
    """Give the team another code."""
    hosted.members.renew_code(person)
    return go(request, f"/c/{hosted.name}/team", "The team has a new code. The old one invites nobody any more.")


def _shown(
    request: Request,
    hosted: Hosted,
    person: Person,
    *,
    error: UserError | None = None,
    code: str = "",
    wanted: str = "",
) -> Response:
    found = hosted.members.team_of(person)
    desk = hosted.desk()
    return page(
        request,
        "team.html",
        hosted=hosted,
        error=error,
        team=found,
        challenge=desk.challenge,
        code=code,
        wanted=wanted,
        address=str(request.base_url),
    )
