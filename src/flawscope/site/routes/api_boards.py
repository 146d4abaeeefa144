"""The API: boards and the progress of the teams."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, Field

from flawscope.challenge.standings import Standing
from flawscope.records import Interval
from flawscope.site.api import BEARER, answers, caller_of
from flawscope.site.boards import Made, Measure, Shown
from flawscope.site.web import ChallengeHere, SiteHere, site_of


def reader_of(request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)] = None) -> None:
    """Let everybody read where boards are public, else who has a token. A token that is sent must be good.

    Raises:
        NotLoggedInError: they must be logged in.
    """
    if bearer is not None or not site_of(request).settings.public_boards:
        caller_of(request, bearer)


router = APIRouter(prefix="/challenges/{name}", dependencies=[Depends(reader_of)])


class IntervalOut(BaseModel):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class LineOut(BaseModel):
    """A team on a board."""

    team: str
    rank: int = Field(description="1 and one more for each team that is shown to be better")
    worst: int = Field(description="the worst place that it could have")
    shared: bool = Field(description="another team has the same rank")
    score: IntervalOut
    passed: bool = Field(description="the score reaches the pass mark")
    surely: bool = Field(description="the low end of its interval does")
    late: bool = Field(description="it came after the deadline")
    submissions: int = Field(description="how many the team has made")
    shift: IntervalOut | None = Field(description="final minus public score; on the final board")
    classes: dict[str, dict[str, IntervalOut | None]] = Field(
        description="measures of each class; null where one cannot be computed"
    )


class BoardOut(BaseModel):
    """A board. While the challenge runs, scores are told in whole steps of its ladder."""

    challenge: str
    final: bool
    at: datetime = Field(description="the time that the board is of")
    up_to_date: bool = Field(description="false while a newer one is being made")
    metric: str
    pass_mark: float
    ladder_step: float
    deadline: datetime
    lines: list[LineOut]
    disqualified: dict[str, str] = Field(description="teams that are out, with the reason")
    in_the_queue: int = Field(description="submissions that wait or are being judged")


class MoveOut(BaseModel):
    """What the board has shown of a team since when."""

    at: datetime
    score: float


class TrackOut(BaseModel):
    """The progress of a team."""

    team: str
    moves: list[MoveOut]


class ProgressOut(BaseModel):
    """The progress of the teams on the public images, in the order of the board."""

    challenge: str
    at: datetime
    up_to_date: bool
    teams: list[TrackOut]


@router.get("/board", responses=answers(401, 404))
def board(hosted: ChallengeHere, site: SiteHere) -> BoardOut:
    """The board that runs along, from the public hidden images."""
    return _board(site.boards[hosted.name].running(site.now()))


@router.get("/final", responses=answers(401, 404, 409))
def final(hosted: ChallengeHere, site: SiteHere) -> BoardOut:
    """The board that decides, from the private hidden images; refused (409) before the deadline."""
    return _board(site.boards[hosted.name].final(site.now()))


@router.get("/progress", responses=answers(401, 404))
def progress(hosted: ChallengeHere, site: SiteHere) -> ProgressOut:
    """How the scores of the teams have moved on the board that runs along."""
    shown = site.boards[hosted.name].running(site.now())
    made = shown.made
    teams = [
        TrackOut(team=line.team, moves=[MoveOut(at=move.at, score=move.value) for move in made.tracks[line.team]])
        for line in made.board.lines
    ]
    return ProgressOut(challenge=hosted.name, at=made.at, up_to_date=shown.fresh, teams=teams)


def _board(shown: Shown) -> BoardOut:
    made, board = shown.made, shown.made.board
    challenge = board.challenge
    return BoardOut(
        challenge=challenge.name,
        final=board.final,
        at=made.at,
        up_to_date=shown.fresh,
        metric=challenge.metric,
        pass_mark=challenge.pass_mark,
        ladder_step=challenge.ladder_step,
        deadline=challenge.deadline,
        lines=[_line(made, line) for line in board.lines],
        disqualified=dict(board.out),
        in_the_queue=made.open_ones,
    )


def _line(made: Made, line: Standing) -> LineOut:
    return LineOut(
        team=line.team,
        rank=line.rank,
        worst=line.worst,
        shared=line.shared,
        score=IntervalOut(value=line.value, low=line.low, high=line.high),
        passed=line.passed,
        surely=line.surely,
        late=line.late,
        submissions=line.submissions,
        shift=_interval(line.shift),
        classes={
            name: {key: _measure(found) for key, found in teams[line.team].items()}
            for name, teams in made.classes.items()
        },
    )


def _interval(found: Interval | None) -> IntervalOut | None:
    return None if found is None else IntervalOut(value=found.value, low=found.low, high=found.high)


def _measure(found: Measure | None) -> IntervalOut | None:
    return None if found is None else IntervalOut(value=found[0], low=found[1], high=found[2])
