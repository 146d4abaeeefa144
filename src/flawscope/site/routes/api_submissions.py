"""The API: hand in, what became of it, notes, which one stands for the team."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from flawscope.challenge.receive import Incoming
from flawscope.challenge.submitted import State
from flawscope.site.api import Caller, answers
from flawscope.site.database import LARGEST
from flawscope.site.hosted import Hosted, Site
from flawscope.site.people import Person
from flawscope.site.submissions import NOTE_LENGTH, TICKET_LENGTH, History, Shown, Submissions, tidy_note
from flawscope.site.uploads import check_length, taken_in, turns_of
from flawscope.site.web import ChallengeHere, Number, SiteHere

router = APIRouter()
LONG = 4 * NOTE_LENGTH
"""Of a note as it is sent; as it is kept it is shorter."""
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "the bundle, as it is",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class SubmissionOut(BaseModel):
    """A submission of one's own team."""

    number: int
    received: datetime
    by: str = Field(description="who has handed it in; empty: the organiser, by command")
    file_name: str
    sha256: str
    note: str
    state: State = Field(description="waiting, judging, judged, refused, or stuck: given up, by no fault of its own")
    ahead: int | None = Field(description="so many come before it, while it waits")
    reason: str = Field(description="why it was refused")
    late: bool = Field(description="it came after the deadline, and counts on the open board alone")
    chosen: bool = Field(description="it stands for the team on the final board")
    score: float | None = Field(description="what it moved the public board to; null: it has moved nothing")


class SubmissionsOut(BaseModel):
    """All of one's team, the newest first, and what is left of the day."""

    submissions: list[SubmissionOut]
    team: str
    daily: int = Field(description="submissions a day (UTC)")
    left: int = Field(description="that may still be made today")
    next_day: datetime
    chosen: int | None = Field(description="stands for the team on the final board; null: the one of the best score")


class Note(BaseModel):
    """What the team writes to a submission."""

    note: str = Field(max_length=LONG)


class Chosen(BaseModel):
    """Which submission stands for the team."""

    number: int | None = Field(ge=1, le=LARGEST, description="null: the one of the best public score")


@router.post(
    "/challenges/{name}/submissions",
    status_code=201,
    responses=answers(400, 401, 403, 404, 409, 413, 429),
    openapi_extra=BODY,
)
async def hand_in(
    request: Request,
    hosted: ChallengeHere,
    person: Caller,
    site: SiteHere,
    note: Annotated[str, Query(max_length=LONG, description="for the team, to know it again")] = "",
    file_name: Annotated[str, Query(max_length=1000, description="what the file is called")] = "",
    ticket: Annotated[
        str, Query(max_length=TICKET_LENGTH, description="the same ticket and file are the same submission")
    ] = "",
) -> SubmissionOut:
    """Hand in a bundle: its bytes are the body."""
    service = Submissions(site.database, hosted)

    def finish(coming: Incoming) -> int:
        return service.hand_in(person, coming, site.now(), note=note, file_name=file_name, ticket=ticket)

    tidy_note(note)
    check_length(hosted, request.headers.get("content-length"))
    team = await run_in_threadpool(service.check, person, site.now(), ticket)
    with turns_of(request).taken(team.id):
        number = await taken_in(hosted, request.stream(), finish)
    return await run_in_threadpool(_one, site, hosted, person, number)


@router.get("/challenges/{name}/submissions", responses=answers(401, 403, 404))
def submissions(hosted: ChallengeHere, person: Caller, site: SiteHere) -> SubmissionsOut:
    """All of one's team."""
    team = hosted.members.my_team(person)
    return _all(team.name, Submissions(site.database, hosted).history(team, site.now()))


@router.get("/challenges/{name}/submissions/{number}", responses=answers(401, 403, 404))
def submission(hosted: ChallengeHere, person: Caller, site: SiteHere, number: Number) -> SubmissionOut:
    """One of them: whether it waits, is judged or refused, and what may be told of its score."""
    return _one(site, hosted, person, number)


@router.patch("/challenges/{name}/submissions/{number}", responses=answers(400, 401, 403, 404, 413))
def write_note(hosted: ChallengeHere, person: Caller, site: SiteHere, number: Number, new: Note) -> SubmissionOut:
    """Write a note to it; what stood there is replaced."""
    Submissions(site.database, hosted).annotate(person, number, new.note)
    return _one(site, hosted, person, number)


@router.put("/challenges/{name}/chosen", responses=answers(400, 401, 403, 404, 409, 413))
def choose(hosted: ChallengeHere, person: Caller, site: SiteHere, wanted: Chosen) -> SubmissionsOut:
    """Let a submission stand for the team on the final board; until the deadline."""
    service = Submissions(site.database, hosted)
    service.choose(person, wanted.number, site.now())
    team = hosted.members.my_team(person)
    return _all(team.name, service.history(team, site.now()))


def _one(site: Site, hosted: Hosted, person: Person, number: int) -> SubmissionOut:
    team = hosted.members.my_team(person)
    return _out(Submissions(site.database, hosted).history(team, site.now()).of(number))


def _all(team: str, found: History) -> SubmissionsOut:
    return SubmissionsOut(
        submissions=[_out(each) for each in found.shown],
        team=team,
        daily=found.daily,
        left=found.left,
        next_day=found.next_day,
        chosen=found.chosen,
    )


def _out(shown: Shown) -> SubmissionOut:
    return SubmissionOut(**vars(shown))
