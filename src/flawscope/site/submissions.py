"""A team's submissions: who may hand in now, what is told of each, and what a team may change."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from flawscope.challenge.contest import annotate, check_open, choose, teams_of
from flawscope.challenge.desk import Desk
from flawscope.challenge.receive import Incoming, receive, tidy_name
from flawscope.challenge.standings import is_late, moves
from flawscope.challenge.submitted import UNJUDGED, State, Submitted
from flawscope.errors import UserError
from flawscope.site.database import Database
from flawscope.site.hosted import Hosted
from flawscope.site.members import Team
from flawscope.site.people import Person
from flawscope.site.refusals import ConflictError, ForbiddenError, NotFoundError, TooManyError
from flawscope.site.tables import PersonRow
from flawscope.wording import counted, day, said

NOTE_LENGTH = 500
TICKET_LENGTH = 100


@dataclass(frozen=True)
class Shown:
    """A submission as its own team sees it: of scores nothing but what the ladder lets be told.

    `ahead`: so many come before it, while it waits. `score`: what it moved the board to.
    """

    number: int
    received: datetime
    by: str
    file_name: str
    sha256: str
    note: str
    state: State
    reason: str
    late: bool
    chosen: bool
    ahead: int | None
    score: float | None


@dataclass(frozen=True)
class History:
    """A team's submissions, the newest first, and what is left of the day.

    `shut`: why nothing can be handed in at the moment, if so.
    """

    shown: tuple[Shown, ...]
    daily: int
    left: int
    next_day: datetime
    shut: UserError | None

    @property
    def chosen(self) -> int | None:
        """The number of the submission that stands for the team; none: that of the best public score."""
        return next((each.number for each in self.shown if each.chosen), None)

    @property
    def moves(self) -> bool:
        """Whether something waits or is judged, so that this will be another one soon."""
        return any(each.state in UNJUDGED for each in self.shown)

    def of(self, number: int) -> Shown:
        """One of them.

        Raises:
            NotFoundError: it is not the team's.
        """
        for each in self.shown:
            if each.number == number:
                return each
        raise _not_yours(number)


@dataclass(frozen=True)
class Submissions:
    """The submissions of a challenge, as its teams see them."""

    database: Database
    hosted: Hosted

    def history(self, team: Team, at: datetime) -> History:
        """What a team has handed in."""
        desk, found = self.hosted.desk(), self.hosted.reads.submissions(team.name)
        queue = self.hosted.reads.queue() if any(each.state == "waiting" for each in found) else []
        names, told = self._names(found), {each.number: shown for each, shown in moves(desk.challenge, found)}
        shown = [
            Shown(
                number=each.number,
                received=each.received,
                by=names.get(each.person or 0, ""),
                file_name=each.file_name,
                sha256=each.sha256,
                note=each.note,
                state=each.state,
                reason=each.reason if each.state == "refused" else "",  # others speak of the server
                late=is_late(desk.challenge, each),
                chosen=each.chosen,
                ahead=queue.index(each.number) if each.number in queue and each.state == "waiting" else None,
                score=told.get(each.number),
            )
            for each in reversed(found)
        ]
        today, next_day = day_of(at)
        left = max(0, desk.challenge.daily - sum(today <= each.received < next_day for each in found))
        return History(
            shown=tuple(shown),
            daily=desk.challenge.daily,
            left=left,
            next_day=next_day,
            shut=self._why_shut(desk, team, left, at),
        )

    def check(self, person: Person, at: datetime, ticket: str = "") -> Team:
        """See whether a person may hand in now, before the bytes come: for which team.

        With a ticket it may be there already; then nothing is said of the budget before it is seen.

        Raises:
            ForbiddenError: they are in no team, or it is out.
            ConflictError: the challenge is not open.
            TooManyError: the team has made its submissions of the day.
        """
        team = self.hosted.members.my_team(person)
        shut = self._why_shut(self.hosted.desk(), team, 1, at) if ticket else self.history(team, at).shut
        if shut:
            raise shut
        return team

    def hand_in(
        self, person: Person, coming: Incoming, at: datetime, *, note: str = "", file_name: str = "", ticket: str = ""
    ) -> int:
        """Put a file that has come in whole into the queue: its number.

        A ticket and the same file is the same submission, however often it comes.

        Raises:
            ForbiddenError, ConflictError, TooManyError: see `check`; or the team has handed in this file before.
            BundleError: the file is none that is taken.
        """
        team, desk = self.hosted.members.my_team(person), self.hosted.desk()
        written = tidy_note(note)
        shut = self._why_shut(desk, team, 1, at)  # the store counts those of the day
        if shut:
            raise shut
        mark = hashlib.sha256(f"{team.id} {coming.sha256} {ticket}".encode()).hexdigest()[:32] if ticket else None
        try:
            return receive(
                desk, coming, team.name, at, ticket=mark, note=written, file_name=tidy_name(file_name), person=person.id
            ).number
        except UserError as error:
            if type(error) is UserError:  # the store's: this file before, or the budget, by somebody of the team
                raise ConflictError(error.problem, error.remedy) from None
            raise

    def annotate(self, person: Person, number: int, note: str) -> None:
        """Write a note to a submission of one's team.

        Raises:
            ForbiddenError: the person is in no team.
            NotFoundError: it is not the team's.
            UserError: the note is too long.
        """
        written, team = tidy_note(note), self.hosted.members.my_team(person)
        try:
            annotate(self.hosted.store, team.name, number, written)
        except UserError as error:
            raise _not_yours(number) if type(error) is UserError else error from None

    def choose(self, person: Person, number: int | None, at: datetime) -> None:
        """Let a submission stand for one's team; None: that of the best public score.

        Raises:
            ForbiddenError: the person is in no team.
            NotFoundError: it is not the team's.
            ConflictError: the deadline has passed, or it is not judged.
        """
        team, desk = self.hosted.members.my_team(person), self.hosted.desk()
        if number is not None and self.history(team, at).of(number).state != "judged":
            raise ConflictError(f"submission {number} has no result", "choose one that was judged")
        if at > desk.challenge.deadline:
            raise ConflictError(
                f"the deadline was {said(desk.challenge.deadline)}: which submission stands for a team is settled",
                "nothing can be done",
            )
        choose(self.hosted.store, team.name, number)

    def _why_shut(self, desk: Desk, team: Team, left: int, at: datetime) -> UserError | None:
        out = {each.name: each.disqualified for each in teams_of(self.hosted.reads)}.get(team.name, "")
        if out:
            return ForbiddenError(f"your team was disqualified: {out}", "ask the organiser")
        try:
            check_open(desk.challenge, desk.contest, at)
        except UserError as error:
            return ConflictError(error.problem, error.remedy)
        if left > 0:
            return None
        today, next_day = day_of(at)
        made = counted(desk.challenge.daily, "submissions")
        seconds = math.ceil((next_day - at).total_seconds())
        return TooManyError(
            f"your team has made its {made} of {day(today)} (UTC)", f"submit from {said(next_day)} on", seconds
        )

    def _names(self, found: Sequence[Submitted]) -> dict[int, str]:
        wanted = sa.select(PersonRow.id, PersonRow.name).where(PersonRow.id.in_({each.person for each in found}))
        return {row.id: row.name for row in self.database.read(lambda session: session.execute(wanted).all())}


def day_of(at: datetime) -> tuple[datetime, datetime]:
    """The beginning of the day (UTC) and of the next one.

    >>> [said(each) for each in day_of(datetime(2027, 1, 31, 12, tzinfo=UTC))]
    ['31 January 2027, 00:00 UTC', '1 February 2027, 00:00 UTC']
    """
    today = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today, today + timedelta(days=1)


def tidy_note(note: str) -> str:
    r"""A note as it is kept: lines of letters that can be read.

    >>> tidy_note(" wider\r\nrate\t0.1\u202e ")
    'wider\nrate 0.1'

    Raises:
        UserError: it is too long.
    """
    lines = [" ".join("".join(filter(str.isprintable, line.expandtabs(1))).split()) for line in note.splitlines()]
    found = "\n".join(lines).strip()
    if len(found) > NOTE_LENGTH:
        raise UserError(f"the note has {len(found):,} characters", f"write at most {NOTE_LENGTH}")
    return found


def _not_yours(number: int) -> NotFoundError:
    return NotFoundError(f"your team has no submission {number}", "look at the list of your submissions")
