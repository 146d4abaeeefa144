"""The organiser's office of a challenge: how its queue stands, who takes part, and what an organiser may change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from flawscope.challenge.contest import change_contest, disqualify
from flawscope.challenge.spec import moment
from flawscope.challenge.tables import SubmissionRow, TeamRow
from flawscope.errors import UserError
from flawscope.site.database import Database
from flawscope.site.hosted import Hosted
from flawscope.site.log import Act, Note, Noted, checked_reason, log_of
from flawscope.site.people import Person
from flawscope.site.refusals import ConflictError, NotFoundError
from flawscope.site.tables import MemberRow, PersonRow
from flawscope.wording import counted, said

SILENT = timedelta(minutes=3)
"""If so long nothing is taken up, no worker runs: one looks at the queue every few seconds."""
LISTED = 50


@dataclass(frozen=True)
class InHand:
    """A submission that a worker has, or had: `lost` if its lease has run out, so that another one will take it."""

    number: int
    team: str
    attempt: int
    until: datetime
    lost: bool


@dataclass(frozen=True)
class Failed:
    """A submission that was refused, or that is stuck."""

    number: int
    team: str
    state: str
    reason: str
    ended: datetime | None


@dataclass(frozen=True)
class Queue:
    """How the queue stands. `oldest`: since when the first one waits; `ended`: when the last one was done with."""

    waiting: int
    oldest: datetime | None
    in_hand: tuple[InHand, ...]
    ended: datetime | None
    in_an_hour: int
    stuck: tuple[Failed, ...]
    refused: tuple[Failed, ...]
    silent: bool


@dataclass(frozen=True)
class Participant:
    """Somebody in a team, and since when."""

    name: str
    captain: bool
    joined: datetime


@dataclass(frozen=True)
class TeamLine:
    """A team as the office lists it."""

    name: str
    disqualified: str
    members: tuple[Participant, ...]
    submissions: int
    last: datetime | None


@dataclass(frozen=True)
class Office:
    """What an organiser sees of a challenge, and may do there. Every change leaves a line in the log."""

    hosted: Hosted
    database: Database
    person: Person

    def queue(self, at: datetime) -> Queue:
        """How the queue stands now."""
        mine = TeamRow.challenge == self.hosted.store.challenge
        rows = sa.select(SubmissionRow, TeamRow.name).join(TeamRow).where(mine)

        def failed(session: Session, state: str) -> tuple[Failed, ...]:
            wanted = rows.where(SubmissionRow.state == state).order_by(SubmissionRow.id.desc()).limit(LISTED)
            found = session.execute(wanted)
            return tuple(Failed(row.id, team, state, row.reason, row.ended) for row, team in found)

        def work(session: Session) -> Queue:
            of_waiting = sa.select(sa.func.count(), sa.func.min(SubmissionRow.received)).join(TeamRow)
            waiting, oldest = session.execute(of_waiting.where(mine, SubmissionRow.state == "waiting")).one()
            of_ended = sa.select(sa.func.max(SubmissionRow.ended)).join(TeamRow).where(mine)
            recent = sa.select(sa.func.count()).select_from(SubmissionRow).join(TeamRow)
            recent = recent.where(mine, SubmissionRow.ended > at - timedelta(hours=1))
            judging = rows.where(SubmissionRow.state == "judging").order_by(SubmissionRow.id)
            in_hand = tuple(
                InHand(row.id, team, row.attempt, row.leased_until or at, (row.leased_until or at) < at)
                for row, team in session.execute(judging)
            )
            ended = session.scalar(of_ended)
            return Queue(
                waiting=waiting,
                oldest=oldest,
                in_hand=in_hand,
                ended=ended,
                in_an_hour=session.scalar(recent) or 0,
                stuck=failed(session, "stuck"),
                refused=failed(session, "refused"),
                silent=_silent(at, oldest, ended, in_hand),
            )

        return self.database.read(work)

    def teams(self) -> list[TeamLine]:
        """All teams, by name, with who is in them."""
        mine = TeamRow.challenge == self.hosted.store.challenge

        def work(session: Session) -> list[TeamLine]:
            members: dict[int, list[Participant]] = {}
            places = (
                sa.select(MemberRow, PersonRow.name)
                .join(PersonRow, PersonRow.id == MemberRow.person_id)
                .where(MemberRow.challenge == self.hosted.store.challenge, MemberRow.team_id.is_not(None))
                .order_by(MemberRow.joined, MemberRow.id)
            )
            for row, name in session.execute(places):
                members.setdefault(row.team_id or 0, []).append(Participant(name, row.captain, row.joined))
            made = (
                sa.select(TeamRow, sa.func.count(SubmissionRow.id), sa.func.max(SubmissionRow.received))
                .outerjoin(SubmissionRow, SubmissionRow.team_id == TeamRow.id)
                .where(mine)
                .group_by(TeamRow.id)
                .order_by(TeamRow.name, TeamRow.id)
            )
            return [
                TeamLine(row.name, row.disqualified, tuple(members.get(row.id, ())), number, last)
                for row, number, last in session.execute(made)
            ]

        return self.database.read(work)

    def team(self, name: str) -> TeamLine:
        """One of them.

        Raises:
            NotFoundError: there is none of this name.
        """
        found = next((team for team in self.teams() if team.name == name), None)
        if found is None:
            raise NotFoundError("this challenge has no such team", "look at the list of teams")
        return found

    def log(self, shown: int | None = LISTED) -> list[Act]:
        """What organisers have done, the newest first."""
        return log_of(self.database, self.hosted.store.challenge, shown)

    def close(self, at: datetime, why: str) -> str:
        """Make now the deadline; returns what was done, in words, as all that follow.

        Raises:
            ConflictError: it has passed already.
        """
        deadline = self.hosted.desk().challenge.deadline
        if at > deadline:
            raise ConflictError(
                f"the deadline has passed already: it was {said(deadline)}", "there is nothing to close"
            )
        store = self._noted(at, f"closed; the deadline was {said(deadline)}", why)
        change_contest(store, self.hosted.made, deadline=at)
        return "The challenge is closed."

    def move(self, words: str, at: datetime, why: str) -> str:
        """Set another deadline, in words as an organiser types it.

        Raises:
            UserError: that is no moment, or one before now.
        """
        wanted, deadline = moment(words, "the deadline", last=True), self.hosted.desk().challenge.deadline
        if wanted <= at:
            raise UserError(f"{said(wanted)} has passed already", "name a later moment, or close the challenge now")
        store = self._noted(at, f"deadline moved from {said(deadline)} to {said(wanted)}", why)
        change_contest(store, self.hosted.made, deadline=wanted)
        return f"The deadline is {said(wanted)} now."

    def go_on(self, goes_on: bool, at: datetime, why: str) -> str:
        """Let submissions in after the deadline, or none."""
        words = "submissions are taken after the deadline" if goes_on else "no submissions are taken after the deadline"
        change_contest(self._noted(at, words, why), self.hosted.made, goes_on=goes_on)
        return f"From now on {words}."

    def again(self, numbers: Sequence[int], at: datetime, why: str) -> str:
        """Let submissions wait again: these, or all that are stuck.

        Raises:
            ConflictError: there are none.
        """
        named = ", ".join(map(str, numbers)) or "all that were stuck"
        nothing = ConflictError("none of these can be judged again", "look at the queue: only what has failed can")
        found = self._noted(at, f"to be judged again: {named}", why, nothing).again(numbers)
        return f"{counted(found, 'submissions', 'wait')} again."

    def disqualify(self, team: str, at: datetime, why: str) -> str:
        """Take a team out of the ranking; the reason is shown below the boards.

        Raises:
            UserError: no reason.
            NotFoundError: there is no such team.
        """
        found = self.team(team)
        if not checked_reason(why):
            raise UserError("a team is disqualified with a reason", "write one: everybody can read it below the boards")
        disqualify(self._noted(at, f"disqualified: {found.name}", why), found.name, checked_reason(why))
        return f"The team {found.name} is out of the ranking."

    def reinstate(self, team: str, at: datetime, why: str) -> str:
        """Take a team into the ranking again.

        Raises:
            NotFoundError: there is no such team.
            ConflictError: it is in the ranking.
        """
        found = self.team(team)
        if not found.disqualified:
            raise ConflictError(f"the team {found.name} is in the ranking", "there is nothing to take back")
        disqualify(self._noted(at, f"reinstated: {found.name} (was out: {found.disqualified})", why), found.name, "")
        return f"The team {found.name} is in the ranking again."

    def note(self, at: datetime, what: str) -> None:
        """Add a line of something that changes nothing."""
        self._noted(at, what, "").do(lambda session: None)

    def _noted(self, at: datetime, what: str, why: str, nothing: UserError | None = None) -> Noted:
        store = self.hosted.store
        return Noted(store, Note(self.person, at, what, checked_reason(why), store.challenge), nothing)


def _silent(at: datetime, oldest: datetime | None, ended: datetime | None, in_hand: Sequence[InHand]) -> bool:
    """Whether something waits that no worker sees to."""
    lost = [each.until for each in in_hand if each.lost]
    since = [each for each in (oldest, *lost) if each is not None]
    if not since or any(not each.lost for each in in_hand):
        return False
    return at - max(min(since), ended or min(since)) > SILENT
