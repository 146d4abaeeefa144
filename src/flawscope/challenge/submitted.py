"""What the store hands out: submissions, their results, the claim of a worker. Plain records, without a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

State = Literal["waiting", "judging", "judged", "refused", "stuck"]
STATES: tuple[State, ...] = get_args(State)
"""Waiting for a worker; with one, while its lease lasts; has its results; failed by its own fault; given up by us."""
UNJUDGED: tuple[State, ...] = ("waiting", "judging")
"""What is not done with yet."""
TEAM_NAME_LENGTH = 100


@dataclass(frozen=True)
class Claim:
    """A submission in the hands of one worker."""

    number: int
    sha256: str
    token: str
    attempt: int


@dataclass(frozen=True)
class PartResult:
    """What a submission has reached on one part."""

    part: str
    answers_sha256: str
    metric: float
    low: float
    high: float
    measures: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True)
class Submitted:
    """A submission as it stands in the store. `results` is by part; empty until it is judged.

    `note` is what its team wrote to it, `file_name` what the file was called; `chosen`: it shall stand for its team.
    `person`: the number of who handed it in on a site; none by command.
    """

    number: int
    team: str
    sha256: str
    received: datetime
    state: State
    attempt: int = 0
    reason: str = ""
    ended: datetime | None = None
    results: Mapping[str, PartResult] = field(default_factory=dict)
    note: str = ""
    file_name: str = ""
    chosen: bool = False
    person: int | None = None


@dataclass(frozen=True)
class Received:
    """A submission that is in the queue; `late`: after the deadline, so that it counts on the open board alone.

    Of a site, as it is told there: `ahead` are before it while it waits; `score` is what the board shows since it was
    judged, none if it has moved nothing.
    """

    submitted: Submitted
    late: bool
    ahead: int | None = None
    score: float | None = None


@dataclass(frozen=True)
class Team:
    """A team of a challenge. `disqualified`: why it is out of the ranking; `chosen`: which submission stands for it."""

    name: str
    disqualified: str = ""
    chosen: int | None = None


@dataclass(frozen=True)
class Contest:
    """What an organiser has changed: another deadline, and whether submissions are taken after it."""

    deadline: datetime | None = None
    goes_on: bool = False
