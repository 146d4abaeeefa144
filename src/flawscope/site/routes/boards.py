"""The boards of a challenge, and how they come about."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flawscope.site.boards import COARSER, Shown
from flawscope.site.hosted import Hosted
from flawscope.site.pictures import SHOWN_TEAMS, chart_of, scale_of
from flawscope.site.refusals import ConflictError, NotLoggedInError
from flawscope.site.web import Anyone, ChallengeHere, SiteHere, Visitor, page, site_of

router = APIRouter()
WIDE, NARROW = 1040, 350
"""Pixels of the picture of progress, on a desk and on a phone."""


@router.get("/c/{name}/board")
def board(request: Request, hosted: ChallengeHere, site: SiteHere, visitor: Anyone) -> Response:
    """The board that runs along."""
    _see_to_visitor(request, visitor)
    return _page(request, hosted, visitor, site.boards[hosted.name].running(site.now()))


@router.get("/c/{name}/final")
def final(request: Request, hosted: ChallengeHere, site: SiteHere, visitor: Anyone) -> Response:
    """The board that decides; before the deadline, when it comes."""
    _see_to_visitor(request, visitor)
    try:
        shown = site.boards[hosted.name].final(site.now())
    except ConflictError as error:
        return page(request, "final_later.html", hosted=hosted, challenge=hosted.desk().challenge, why=error)
    return _page(request, hosted, visitor, shown)


@router.get("/help")
def explained(request: Request) -> Response:
    """How scores, ranks and boards come about."""
    return page(request, "help.html", coarser=COARSER)


def _see_to_visitor(request: Request, visitor: Visitor) -> None:
    """See whether the visitor may look at boards.

    Raises:
        NotLoggedInError: they are for people who are logged in.
    """
    if visitor.person is None and not site_of(request).settings.public_boards:
        raise NotLoggedInError("log in to see the boards", "sign up first if you have no account")


def _page(request: Request, hosted: Hosted, visitor: Visitor, shown: Shown) -> Response:
    made = shown.made
    team = hosted.members.team_of(visitor.person) if visitor.person else None
    own, lines = team.name if team else None, made.board.lines
    challenge = made.board.challenge
    last = max((track[-1].at for track in made.tracks.values()), default=made.at)
    charts = [
        chart_of(
            made.tracks,
            [line.team for line in lines],
            own,
            begin=min((track[0].at for track in made.tracks.values()), default=made.at),
            end=max(last, min(made.at, challenge.deadline)),
            pass_mark=challenge.pass_mark,
            width=width,
        )
        for width in (WIDE, NARROW)
    ]
    return page(
        request,
        "board.html",
        hosted=hosted,
        hosted_desk=hosted.desk(),
        challenge=challenge,
        shown=shown,
        made=made,
        board=made.board,
        own=own,
        scale=scale_of(lines, challenge.pass_mark),
        charts=charts if all(charts) and not made.board.final else [],
        shown_teams=SHOWN_TEAMS,
        coarser=COARSER,
    )
