"""What may be changed in a challenge that runs: its deadline, who is out, which submission stands for a team."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flawscope.challenge.spec import Challenge
from flawscope.challenge.store import Store
from flawscope.challenge.submitted import Contest, Team
from flawscope.challenge.tables import ContestRow, SubmissionRow, TeamRow
from flawscope.errors import UserError, choices
from flawscope.wording import said


def contest_of(store: Store) -> Contest:
    """What was changed so far.

    Raises:
        StoreError: the store cannot be reached; as everywhere here.
    """
    return store.do(lambda session: _contest(session.get(ContestRow, store.challenge)))


def changed(challenge: Challenge, contest: Contest) -> Challenge:
    """The challenge as it is now: with the deadline that counts."""
    return challenge.model_copy(update={"deadline": contest.deadline}) if contest.deadline else challenge


def change_contest(
    store: Store, challenge: Challenge, *, deadline: datetime | None = None, goes_on: bool | None = None
) -> Contest:
    """Change the deadline, or whether submissions are taken after it; what is None stays as it is.

    Raises:
        UserError: the deadline is before the opening.
    """
    if deadline is not None and deadline <= challenge.opens:
        raise UserError(
            f"the deadline {said(deadline)} is not after the opening, {said(challenge.opens)}", "name a later one"
        )

    def work(session: Session) -> Contest:
        try:
            with session.begin_nested():
                session.add(ContestRow(challenge=store.challenge, deadline=None, goes_on=False))
        except IntegrityError:
            pass  # it is there already
        row = session.get_one(ContestRow, store.challenge, with_for_update=True)
        row.deadline = row.deadline if deadline is None else deadline
        row.goes_on = row.goes_on if goes_on is None else goes_on
        return _contest(row)

    return store.do(work)


def check_open(challenge: Challenge, contest: Contest, at: datetime) -> None:
    """See whether a team may submit now. `challenge` is as it is now, see `changed`.

    Raises:
        UserError: not open yet, or over and not going on.
    """
    if at < challenge.opens:
        raise UserError(f"{challenge.title} opens on {said(challenge.opens)}", "submit then")
    if at > challenge.deadline and not contest.goes_on:
        raise UserError(
            f"{challenge.title} was closed on {said(challenge.deadline)}", "ask its organiser whether it goes on"
        )


def teams_of(store: Store) -> list[Team]:
    """The teams of the challenge, in the order in which they came."""

    def work(session: Session) -> list[Team]:
        wanted = sa.select(TeamRow).where(TeamRow.challenge == store.challenge).order_by(TeamRow.id)
        return [Team(row.name, row.disqualified, row.chosen) for row in session.scalars(wanted)]

    return store.do(work)


def disqualify(store: Store, team: str, reason: str) -> None:
    """Take a team out of the ranking, with a reason that is shown; without one, take it in again.

    Raises:
        UserError: there is no such team.
    """

    def work(session: Session) -> None:
        _team(session, store, team).disqualified = " ".join(reason.split())

    store.do(work)


def choose(store: Store, team: str, number: int | None) -> None:
    """Let a submission stand for its team on the final board; None: that of the best public score.

    Raises:
        UserError: there is no such team, or the submission is not one of its own that were judged.
    """

    def work(session: Session) -> None:
        row = _team(session, store, team)
        if number is not None:
            found = session.get(SubmissionRow, number)
            if found is None or found.team_id != row.id or found.state != "judged":
                raise UserError(f"submission {number} is not one of team {team} that was judged", "name one that is")
        row.chosen = number

    store.do(work)


def annotate(store: Store, team: str, number: int, note: str) -> None:
    """Write a note to a submission of a team; what stood there is replaced.

    Raises:
        UserError: there is no such team, or it has no such submission.
    """

    def work(session: Session) -> None:
        found = session.get(SubmissionRow, number)
        if found is None or found.team_id != _team(session, store, team).id:
            raise UserError(f"team {team} has no submission {number}", "name one of its own")
        found.note = note.strip()

    store.do(work)


def _team(session: Session, store: Store, name: str) -> TeamRow:
    mine = sa.select(TeamRow).where(TeamRow.challenge == store.challenge)
    row = session.scalar(mine.where(TeamRow.name == name).with_for_update())
    if row is None:
        raise UserError(f"there is no team {name}", choices(name, [each.name for each in session.scalars(mine)]))
    return row


def _contest(row: ContestRow | None) -> Contest:
    return Contest(row.deadline, row.goes_on) if row else Contest()
