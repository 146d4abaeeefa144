"""The API: who one is, the challenges, the own team."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from flawscope.site import members
from flawscope.site.api import Caller, answers
from flawscope.site.hosted import Hosted, State, state_of
from flawscope.site.members import shown_code
from flawscope.site.refusals import NotFoundError
from flawscope.site.web import ChallengeHere, SiteHere

router = APIRouter()


class Me(BaseModel):
    """Whose token it is."""

    name: str
    organiser: bool


class ChallengeOut(BaseModel):
    """A challenge as it is now."""

    name: str
    title: str
    kind: str = Field(description="binary, multiclass or multilabel")
    classes: list[str]
    negative: str = Field(description="what an image is called that shows none of the classes")
    metric: str
    pass_mark: float
    opens: datetime
    deadline: datetime
    state: State
    daily: int = Field(description="submissions a day (UTC) and team")
    bundle_mb: int = Field(description="how large a bundle may be")


class MemberOut(BaseModel):
    """Somebody in a team."""

    name: str
    captain: bool


class TeamOut(BaseModel):
    """The own team."""

    name: str
    code: str = Field(description="who has it may join")
    members: list[MemberOut]


class NewTeam(BaseModel):
    """A team to be created."""

    name: str = Field(max_length=400)


class MemberName(BaseModel):
    """Somebody in the own team."""

    name: str = Field(max_length=400)


class Code(BaseModel):
    """What a team invites with."""

    code: str = Field(max_length=100)


@router.get("/me", responses=answers(401))
def me(person: Caller) -> Me:
    """Whose token it is."""
    return Me(name=person.name, organiser=person.organiser)


@router.get("/challenges", responses=answers())
def challenges(site: SiteHere) -> list[ChallengeOut]:
    """All challenges of the site."""
    return [_challenge(hosted, site.now()) for hosted in site.hosted.values()]


@router.get("/challenges/{name}", responses=answers(404))
def challenge(hosted: ChallengeHere, site: SiteHere) -> ChallengeOut:
    """One challenge."""
    return _challenge(hosted, site.now())


@router.get("/challenges/{name}/team", responses=answers(401, 404))
def team(hosted: ChallengeHere, person: Caller) -> TeamOut:
    """The own team."""
    found = hosted.members.team_of(person)
    if found is None:
        raise NotFoundError("you are in no team of this challenge", "create a team, or join one by its code")
    return _team(found)


@router.post("/challenges/{name}/team", status_code=201, responses=answers(400, 401, 404, 409, 413))
def create_team(hosted: ChallengeHere, person: Caller, site: SiteHere, new: NewTeam) -> TeamOut:
    """Create a team; who creates it is its captain."""
    return _team(hosted.members.create(person, new.name, site.now()))


@router.post("/challenges/{name}/team/join", responses=answers(400, 401, 404, 409, 413))
def join_team(hosted: ChallengeHere, person: Caller, site: SiteHere, by: Code) -> TeamOut:
    """Join the team that a code invites to."""
    return _team(hosted.members.join(person, by.code, site.now(), hosted.desk().challenge.deadline))


@router.post("/challenges/{name}/team/leave", status_code=204, responses=answers(401, 403, 404))
def leave_team(hosted: ChallengeHere, person: Caller, site: SiteHere) -> None:
    """Leave the own team."""
    hosted.members.leave(person, site.now())


@router.post("/challenges/{name}/team/out", responses=answers(400, 401, 403, 404, 409, 413))
def take_out(hosted: ChallengeHere, person: Caller, site: SiteHere, member: MemberName) -> TeamOut:
    """Take a member out of the team, which gets another code; for its captain."""
    return _team(hosted.members.take_out(person, member.name, site.now(), hosted.desk().challenge.deadline))


@router.post("/challenges/{name}/team/code", responses=answers(401, 403, 404))
def renew_code(hosted: ChallengeHere, person: Caller) -> TeamOut:
    """Give the team another code; for its captain."""
    return _team(hosted.members.renew_code(person))


def _challenge(hosted: Hosted, now: datetime) -> ChallengeOut:
    desk = hosted.desk()
    found = desk.challenge
    return ChallengeOut(
        name=found.name,
        title=found.title,
        kind=found.kind,
        classes=list(found.classes),
        negative=found.negative,
        metric=found.metric,
        pass_mark=found.pass_mark,
        opens=found.opens,
        deadline=found.deadline,
        state=state_of(desk, now),
        daily=found.daily,
        bundle_mb=found.limits.bundle_mb,
    )


def _team(found: members.Team) -> TeamOut:
    shown = [MemberOut(name=each.name, captain=each.captain) for each in found.members]
    return TeamOut(name=found.name, code=shown_code(found.code), members=shown)
