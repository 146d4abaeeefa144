"""A team's submissions: hand one in, see what became of each, write notes, choose one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from flawscope.challenge.receive import Incoming
from flawscope.errors import UserError
from flawscope.site.hosted import Hosted, Site
from flawscope.site.members import Team
from flawscope.site.people import Person
from flawscope.site.submissions import NOTE_LENGTH, TICKET_LENGTH, Submissions, tidy_note
from flawscope.site.uploads import UploadForm, check_length, taken_in, turns_of
from flawscope.site.web import (
    FIELD,
    Anyone,
    ChallengeHere,
    LoggedIn,
    Number,
    SiteHere,
    Text,
    check_same_site,
    check_token,
    go,
    page,
)

router = APIRouter(prefix="/c/{name}/submissions")
uploads = APIRouter(prefix="/c/{name}/submissions")
"""Its form is not read by `web.protect`, which would keep the file elsewhere first: the route sees to the token."""


@router.get("")
def submissions(request: Request, site: SiteHere, hosted: ChallengeHere, person: LoggedIn) -> Response:
    """The submissions of one's team."""
    return _shown(request, site, hosted, person)


@uploads.post("")
async def hand_in(
    request: Request, site: SiteHere, hosted: ChallengeHere, visitor: Anyone, person: LoggedIn
) -> Response:
    """Hand a bundle in; the token comes before the file, and is looked at before it."""
    check_same_site(request)
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        check_token(visitor, None)
    service = Submissions(site.database, hosted)
    try:
        check_length(hosted, request.headers.get("content-length"))
    except UserError as error:
        return await run_in_threadpool(partial(_shown, request, site, hosted, person, error=error))
    form = UploadForm(kind, request.stream())
    await form.read_fields()
    check_token(visitor, form.fields.get(FIELD))
    note, ticket = form.fields.get("note", ""), form.fields.get("ticket", "")[:TICKET_LENGTH]

    def finish(coming: Incoming) -> int:
        return service.hand_in(person, coming, site.now(), note=note, file_name=form.file_name, ticket=ticket)

    try:
        if not form.has_file:
            raise UserError("no file was chosen", "choose a NAME.flawscope")
        tidy_note(note)
        team = await run_in_threadpool(service.check, person, site.now(), ticket)
        with turns_of(request).taken(team.id):
            number = await taken_in(hosted, form.file(), finish)
    except UserError as error:
        return await run_in_threadpool(partial(_shown, request, site, hosted, person, error=error, note=note))
    return go(request, f"/c/{hosted.name}/submissions", f"Submission {number} is in the queue.")


@router.post("/{number}/note")
def write_note(
    request: Request, site: SiteHere, hosted: ChallengeHere, person: LoggedIn, number: Number, note: Text = ""
) -> Response:
    """Write a note to a submission."""
    try:
        Submissions(site.database, hosted).annotate(person, number, note)
    except UserError as error:
        return _shown(request, site, hosted, person, error=error, notes={number: note})
    return go(request, f"/c/{hosted.name}/submissions", f"The note on submission {number} is kept.")


@router.post("/choose")
def choose(request: Request, site: SiteHere, hosted: ChallengeHere, person: LoggedIn, number: Text = "") -> Response:
    """Let a submission stand for the team; without a number that of the best public score."""
    wanted = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
    try:
        Submissions(site.database, hosted).choose(person, wanted if number else None, site.now())
    except UserError as error:
        return _shown(request, site, hosted, person, error=error)
    words = f"Submission {wanted} stands" if number else "The one of the best public score stands"
    return go(request, f"/c/{hosted.name}/submissions", f"{words} for your team on the final board.")


def _shown(
    request: Request,
    site: Site,
    hosted: Hosted,
    person: Person,
    *,
    error: UserError | None = None,
    note: str = "",
    notes: Mapping[int, str] = MappingProxyType({}),
) -> Response:
    team: Team | None = hosted.members.team_of(person)
    desk = hosted.desk()
    return page(
        request,
        "submissions.html",
        hosted=hosted,
        error=error,
        desk=desk,
        challenge=desk.challenge,
        team=team,
        history=Submissions(site.database, hosted).history(team, site.now()) if team else None,
        note=note,
        notes=notes,
        note_length=NOTE_LENGTH,
        ticket=secrets.token_urlsafe(24),
        address=str(request.base_url),
    )
