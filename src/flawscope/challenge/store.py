"""The store: teams, submissions, results. The table of submissions is the queue of record.

A worker takes a submission by a lease that it renews; when the worker is gone, the lease runs out, and another takes
it. Results count only from whoever holds the lease when they are handed in. Every call may be made again when its end
is not known (the database was started anew): it does nothing twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from flawscope.challenge.database import PATIENCE_SECONDS, connect, in_transaction
from flawscope.challenge.submitted import UNJUDGED, Claim, PartResult, State, Submitted
from flawscope.challenge.tables import ResultRow, SubmissionRow, TeamRow
from flawscope.errors import UserError

LAST_AFTER = 3
"""A submission whose worker vanished so often comes after all others."""
ATTEMPTS = 10
"""So often a submission is taken up whose worker vanished each time; then it is stuck, and the organiser's."""
_Out = TypeVar("_Out")


class Store:
    """The store of one challenge; a database may hold those of several, told apart by `challenge`."""

    def __init__(self, engine: Engine, challenge: str, patience: float = PATIENCE_SECONDS) -> None:
        self.engine, self.challenge, self.patience = engine, challenge, patience

    @classmethod
    def open(cls, place: str | Path, challenge: str, patience: float = PATIENCE_SECONDS) -> Store:
        """The store at a URL, or in a file (SQLite), made if it is not there.

        Raises:
            StoreError: it cannot be reached, or is newer than this version.
        """
        return cls(connect(place, patience), challenge, patience)

    def submit(
        self,
        team: str,
        sha256: str,
        at: datetime,
        daily: int,
        ticket: str | None = None,
        *,
        note: str = "",
        file_name: str = "",
        person: int | None = None,
        keep: Callable[[], None] = lambda: None,
    ) -> Submitted:
        """Put a submission into the queue. A team is made by its first one.

        Args:
            team: its name.
            sha256: of the file.
            at: when it was received.
            daily: how many a team may make in a day (UTC).
            ticket: the same one is the same submission; by default a new one.
            note: what its team writes to it.
            file_name: what the file was called.
            person: the number of who hands it in.
            keep: puts the file into its place; called when nothing stands against it any more, before the queue knows.

        Raises:
            UserError: too many today, or this team has submitted this file before.
            StoreError, OutputError: the store cannot take it; it is not submitted.
        """
        ticket = ticket or secrets.token_hex(16)

        def work(session: Session) -> Submitted:
            owner = self._team(session, team, at)
            old = _there_already(session, owner, sha256, at, daily=daily, ticket=ticket)
            if old is not None:
                return _submitted(old, owner)
            keep()
            row = SubmissionRow(
                team_id=owner.id, ticket=ticket, sha256=sha256, received=at, state="waiting", attempt=0, reason="",
                note=note, file_name=file_name, person_id=person,
            )  # fmt: skip
            session.add(row)
            session.flush()
            return _submitted(row, owner)

        return self.do(work)

    def claim(self, at: datetime, lease: timedelta) -> Claim | None:
        """Take the next submission that waits, or whose worker has let its lease run out; None if there is none.

        First come, first served; one that was interrupted `LAST_AFTER` times comes last, so that it holds up nobody.
        """
        token = secrets.token_hex(16)

        def work(session: Session) -> Claim | None:
            mine = session.scalar(sa.select(SubmissionRow).where(SubmissionRow.token == token))
            if mine is not None:  # the database was gone before it could say so
                return Claim(mine.id, mine.sha256, token, mine.attempt)
            lost = sa.and_(SubmissionRow.state == "judging", SubmissionRow.leased_until < at)
            row = session.scalar(
                sa.select(SubmissionRow)
                .join(TeamRow)
                .where(TeamRow.challenge == self.challenge, sa.or_(SubmissionRow.state == "waiting", lost))
                .order_by(SubmissionRow.attempt >= LAST_AFTER, SubmissionRow.id)
                .limit(1)
                .with_for_update(of=SubmissionRow, skip_locked=True)
            )
            if row is None:
                return None
            if row.attempt >= ATTEMPTS:
                row.state, row.ended = "stuck", at
                row.reason = f"the judge was interrupted {row.attempt} times while judging it"
                session.flush()
                return work(session)
            row.state, row.token, row.leased_until, row.attempt = "judging", token, at + lease, row.attempt + 1
            return Claim(row.id, row.sha256, token, row.attempt)

        return self.do(work)

    def renew(self, claim: Claim, at: datetime, lease: timedelta) -> bool:
        """Hold a claim for longer; False if it is another worker's by now."""

        def work(session: Session) -> bool:
            row = _held(session, claim)
            if row is None:
                return False
            row.leased_until = at + lease
            return True

        return self.do(work)

    def finish(
        self, claim: Claim, results: Sequence[PartResult], at: datetime, keep: Callable[[], None] = lambda: None
    ) -> bool:
        """Hand in the results, all or none; False if the claim is another worker's by now, and nothing is changed.

        `keep` is called before they are, while nobody else can: it writes the files that they name.
        """

        def work(session: Session) -> bool:
            row = _held(session, claim)
            if row is None:
                return _is_mine(session, claim, "judged")
            keep()
            session.add_all(
                ResultRow(submission_id=row.id, **{**vars(each), "measures": dict(each.measures)}) for each in results
            )
            row.state, row.ended, row.leased_until = "judged", at, None
            return True

        return self.do(work)

    def refuse(self, claim: Claim, reason: str, at: datetime) -> bool:
        """A submission failed by its own fault; False if the claim is another worker's by now."""
        return self._end(claim, "refused", reason, at)

    def give_up(self, claim: Claim, reason: str, at: datetime) -> bool:
        """A submission cannot be judged, by no fault of its own, and holds up nothing: `again` lets it wait again."""
        return self._end(claim, "stuck", reason, at)

    def _end(self, claim: Claim, state: State, reason: str, at: datetime) -> bool:
        def work(session: Session) -> bool:
            row = _held(session, claim)
            if row is None:
                return _is_mine(session, claim, state)
            row.state, row.ended, row.leased_until = state, at, None
            row.reason = f"{reason} ({row.reason})" if row.reason else reason
            return True

        return self.do(work)

    def release(self, claim: Claim) -> bool:
        """Put a claim back as it was: the worker cannot go on, by no fault of the submission."""

        def work(session: Session) -> bool:
            row = _held(session, claim)
            if row is None:
                return False
            row.state, row.token, row.leased_until, row.attempt = "waiting", None, None, row.attempt - 1
            return True

        return self.do(work)

    def put_off(self, claim: Claim) -> bool:
        """Let a claim wait again after all others; it counts as `LAST_AFTER` attempts, so it is given up in the end."""

        def work(session: Session) -> bool:
            row = _held(session, claim)
            if row is None:
                return _is_mine(session, claim, "waiting")
            row.state, row.leased_until, row.attempt = "waiting", None, row.attempt + LAST_AFTER - 1
            return True

        return self.do(work)

    def again(self, numbers: Sequence[int] = ()) -> int:
        """Let submissions wait again: all that are stuck, or these, which are stuck or refused; returns how many.

        One that was refused keeps the reason of then, behind that of its new end if that is a refusal, too.

        Raises:
            UserError: one of these does not exist, or is neither stuck nor refused.
        """

        def work(session: Session) -> int:
            mine = sa.select(SubmissionRow).join(TeamRow).where(TeamRow.challenge == self.challenge)
            wanted = SubmissionRow.id.in_(numbers) if numbers else SubmissionRow.state == "stuck"
            rows = session.scalars(mine.where(wanted).with_for_update(of=SubmissionRow)).all()
            _check_again(numbers, {row.id: row.state for row in rows})
            for row in rows:
                before = f"judged again; before: {row.reason}" if row.state == "refused" else ""
                row.state, row.attempt, row.reason, row.ended = "waiting", 0, before, None
            return len(rows)

        return self.do(work)

    def submissions(self, team: str | None = None) -> list[Submitted]:
        """All of the challenge, or those of a team, in the order in which they were received."""
        whose = sa.true() if team is None else TeamRow.name == team

        def work(session: Session) -> list[Submitted]:
            rows = session.scalars(
                sa.select(SubmissionRow)
                .join(TeamRow)
                .where(TeamRow.challenge == self.challenge, whose)
                .options(selectinload(SubmissionRow.results), selectinload(SubmissionRow.team))
                .order_by(SubmissionRow.received, SubmissionRow.id)
            )
            return [_submitted(row, row.team, row.results) for row in rows]

        return self.do(work)

    def queue(self) -> list[int]:
        """The numbers of those that are being judged, and after them of those that wait, in their turn."""

        def work(session: Session) -> list[int]:
            wanted = (
                sa.select(SubmissionRow.id)
                .join(TeamRow)
                .where(TeamRow.challenge == self.challenge, SubmissionRow.state.in_(UNJUDGED))
                .order_by(SubmissionRow.state == "waiting", SubmissionRow.attempt >= LAST_AFTER, SubmissionRow.id)
            )
            return list(session.scalars(wanted))

        return self.do(work)

    def _team(self, session: Session, name: str, at: datetime) -> TeamRow:
        """The team's row, locked: its submissions are counted one after the other."""
        wanted = sa.select(TeamRow).where(TeamRow.challenge == self.challenge, TeamRow.name == name).with_for_update()
        row = session.scalar(wanted)
        if row is None:
            try:
                with session.begin_nested():
                    session.add(TeamRow(challenge=self.challenge, name=name, created=at))
            except IntegrityError:
                pass  # somebody else has made it in this moment
            row = session.scalars(wanted).one()
        return row

    def do(self, work: Callable[[Session], _Out]) -> _Out:
        """Do a piece of work in one transaction, again while the database does not answer."""
        return in_transaction(self.engine, work, self.patience)


def _held(session: Session, claim: Claim) -> SubmissionRow | None:
    """The row of a claim, locked, if the claim still holds."""
    wanted = sa.select(SubmissionRow).where(
        SubmissionRow.id == claim.number, SubmissionRow.token == claim.token, SubmissionRow.state == "judging"
    )
    return session.scalar(wanted.with_for_update())


def _check_again(numbers: Sequence[int], state_of: Mapping[int, str]) -> None:
    """See that these submissions may wait again.

    Raises:
        UserError: one does not exist, or is neither stuck nor refused.
    """
    for number in numbers:
        state = state_of.get(number)
        if state is None:
            raise UserError(f"there is no submission {number}", "`flawscope challenge export` lists them")
        if state not in ("stuck", "refused"):
            raise UserError(
                f"submission {number} is {state}: only one that was refused or given up (stuck) is judged again",
                "a result that counts is never replaced",
            )


def _is_mine(session: Session, claim: Claim, state: State) -> bool:
    """Whether this claim was ended so already, and only the word of it was lost."""
    row = session.get(SubmissionRow, claim.number)
    return row is not None and row.token == claim.token and row.state == state


def _submitted(row: SubmissionRow, team: TeamRow, results: Sequence[ResultRow] = ()) -> Submitted:
    return Submitted(
        number=row.id,
        team=team.name,
        sha256=row.sha256,
        received=row.received,
        state=cast(State, row.state),
        attempt=row.attempt,
        reason=row.reason,
        ended=row.ended,
        results={
            each.part: PartResult(
                part=each.part,
                answers_sha256=each.answers_sha256,
                metric=each.metric,
                low=each.low,
                high=each.high,
                measures=each.measures,
                seconds=each.seconds,
            )
            for each in results
        },
        note=row.note,
        file_name=row.file_name,
        chosen=row.id == team.chosen,
        person=row.person_id,
    )


def _there_already(
    session: Session, owner: TeamRow, sha256: str, at: datetime, *, daily: int, ticket: str | None
) -> SubmissionRow | None:
    """What a team has submitted with this ticket; none where it may submit this file.

    Raises:
        UserError: too many today, or this team has submitted this file before.
    """
    same = sa.or_(SubmissionRow.ticket == ticket, SubmissionRow.sha256 == sha256)
    old = session.scalar(sa.select(SubmissionRow).where(SubmissionRow.team_id == owner.id, same))
    if old is not None and old.ticket == ticket:
        return old
    if old is not None:
        raise UserError(f"team {owner.name} has submitted this bundle already, as number {old.id}", "submit another")
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    today = session.scalar(
        sa.select(sa.func.count()).where(
            SubmissionRow.team_id == owner.id,
            SubmissionRow.received >= day,
            SubmissionRow.received < day + timedelta(days=1),
        )
    )
    if (today or 0) >= daily:
        raise UserError(f"team {owner.name} has made its {daily} submissions of {day.date()} (UTC)", "wait a day")
    return None
