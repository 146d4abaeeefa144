"""The list of challenges, a challenge's front page, its starter kit, and whether the site is well."""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from flawscope.site.refusals import ConflictError, NotFoundError
from flawscope.site.web import Anyone, ChallengeHere, LoggedIn, SiteHere, page
from flawscope.wording import said

router = APIRouter()


@router.get("/")
def home(request: Request, site: SiteHere, visitor: Anyone) -> Response:
    """All challenges of the site."""
    shown = [(hosted, hosted.desk()) for hosted in site.hosted.values()]
    person = visitor.person
    teams = {hosted.name: hosted.members.team_of(person) if person else None for hosted, _ in shown}
    return page(request, "home.html", shown=shown, teams=teams)


@router.get("/c/{name}")
def challenge(request: Request, hosted: ChallengeHere, visitor: Anyone) -> Response:
    """What a challenge is about, and how much time is left."""
    team = hosted.members.team_of(visitor.person) if visitor.person else None
    desk = hosted.desk()
    return page(
        request, "challenge.html", hosted=hosted, desk=desk, challenge=desk.challenge, team=team,
        kit=hosted.kit.is_file(),
    )  # fmt: skip


@router.get("/c/{name}/starter-kit")
def starter_kit(hosted: ChallengeHere, person: LoggedIn, site: SiteHere) -> Response:
    """What participants get, from the opening on; an organiser may look before."""
    if site.now() < hosted.made.opens and not person.organiser:
        raise ConflictError(f"{hosted.made.title} opens on {said(hosted.made.opens)}", "come back then")
    if not hosted.kit.is_file():
        raise NotFoundError("the starter kit is not here", "ask the organiser for it")
    return FileResponse(hosted.kit, media_type="application/zip", filename=hosted.kit.name)


@router.get("/healthz")
def health(site: SiteHere) -> Response:
    """Whether the site and its database answer; for supervisors and proxies."""
    site.database.read(lambda session: session.scalar(sa.text("SELECT 1")))
    return JSONResponse({"status": "ok"})
