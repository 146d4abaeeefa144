"""Teams of a challenge: who makes one invites others by a code; nobody is in two.

What may be submitted in a day goes by team. So that nobody has more of it by going from team to team, who leaves a
team that has submitted on that day (UTC) may join or make another one only on the next.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flawscope.challenge.submitted import TEAM_NAME_LENGTH
from flawscope.challenge.tables import SubmissionRow, TeamRow
from flawscope.site.database import Database, alone
from flawscope.site.people import Person, checked_name, key
from flawscope.site.refusals import ConflictError, ForbiddenError, NotFoundError
from flawscope.site.tables import MemberRow, PersonRow
from flawscope.wording import said

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of a code: none that looks like another one."""
CODE_LENGTH, GROUP = 12, 4


@dataclass(frozen=True)
class Member:
    """Somebody in a team."""

    person: int
    name: str
    captain: bool
    joined: datetime


@dataclass(frozen=True)
class Team:
    """A team as its members see it. The code invites."""

    id: int
    name: str
    code: str
    members: tuple[Member, ...]

    def has_captain(self, person: Person) -> bool:
        """Whether this person is the captain."""
        return any(each.captain and each.person == person.id for each in self.members)


@dataclass(frozen=True)
class Members:
    """Who is in which team of a challenge; `challenge` is its key in the store."""

    database: Database
    challenge: str

    def team_of(self, person: Person) -> Team | None:
        """The team that a person is in."""

        def work(session: Session) -> Team | None:
            place = _place(session, self.challenge, person.id)
            return _team(session, place.team_id) if place and place.team_id else None

        return self.database.read(work)

    def my_team(self, person: Person) -> Team:
        """The same, for what only a team can do.

        Raises:
            ForbiddenError: they are in none.
        """
        team = self.team_of(person)
        if team is None:
            raise ForbiddenError("you are in no team of this challenge", "create a team, or join one by its code")
        return team

    def create(self, person: Person, name: str, at: datetime) -> Team:
        """Make a team; who makes it is its captain.

        Raises:
            UserError: that is no name.
            ConflictError: the name is taken, or the person is in a team.
        """
        kept = checked_name(name, TEAM_NAME_LENGTH, "name of a team")

        def work(session: Session) -> Team:
            alone(session, f"teams {self.challenge}")
            place = self._free_place(session, person, at)
            names = session.scalars(sa.select(TeamRow.name).where(TeamRow.challenge == self.challenge))
            if key(kept) in {key(each) for each in names}:
                raise _taken(kept)
            row = TeamRow(challenge=self.challenge, name=kept, created=at, code=new_code())
            session.add(row)
            session.flush()
            place.team_id, place.captain, place.joined = row.id, True, at
            session.flush()
            return _team(session, row.id)

        try:
            return self.database.change(work)
        except IntegrityError:
            raise _taken(kept) from None

    def join(self, person: Person, code: str, at: datetime, deadline: datetime) -> Team:
        """Join the team that this code invites to. After the deadline nobody joins: who was in a team is settled.

        Raises:
            NotFoundError: there is no such code.
            ConflictError: the person is in a team, or it is too late.
        """
        wanted = plain_code(code)
        if at > deadline:
            raise ConflictError("the deadline has passed: who is in a team is settled", "you may create another team")

        def work(session: Session) -> Team:
            alone(session, f"teams {self.challenge}")
            known = sa.select(TeamRow).where(TeamRow.challenge == self.challenge, TeamRow.code == wanted)
            row = session.scalar(known) if wanted else None
            if row is None:
                raise NotFoundError("no team of this challenge has this code", "ask a member for the code of today")
            place = self._free_place(session, person, at, row.id)
            place.team_id, place.captain, place.joined = row.id, False, at
            session.flush()
            _see_to_captain(session, row.id)
            return _team(session, row.id)

        return self.database.change(work)

    def leave(self, person: Person, at: datetime) -> str:
        """Leave the team; returns its name. A team that has submitted stays, also without members.

        Raises:
            ForbiddenError: the person is in none.
        """

        def work(session: Session) -> str:
            alone(session, f"teams {self.challenge}")
            place = _place(session, self.challenge, person.id)
            if place is None or place.team_id is None:
                raise ForbiddenError("you are in no team of this challenge", "there is nothing to leave")
            row = session.get_one(TeamRow, place.team_id, with_for_update=True)  # nobody submits in this moment
            name = row.name
            _out_of(session, place, row, at)
            if not _see_to_captain(session, row.id) and not _submissions(session, row):
                session.delete(row)
            return name

        return self.database.change(work)

    def take_out(self, captain: Person, name: str, at: datetime, deadline: datetime) -> Team:
        """Take somebody out of the team, which gets another code, as they know the old one.

        Raises:
            ForbiddenError: the captain is none.
            NotFoundError: nobody else in the team is called that.
            ConflictError: the deadline has passed.
        """
        if at > deadline:
            raise ConflictError("the deadline has passed: who is in a team is settled", "members may still leave")

        def work(session: Session) -> Team:
            alone(session, f"teams {self.challenge}")
            team = _led_by(session, _place(session, self.challenge, captain.id), "take members out of it")
            others = {key(each.name): each for each in _team(session, team.id).members if each.person != captain.id}
            member = others.get(key(name))
            if member is None:
                raise NotFoundError(
                    f"nobody else in the team is called {name[:100]}",
                    "name a member; a captain who goes leaves the team",
                )
            place = _place(session, self.challenge, member.person)
            assert place is not None  # the team has just named them
            _out_of(session, place, team, at)
            team.code = new_code()
            session.flush()
            return _team(session, team.id)

        return self.database.change(work)

    def renew_code(self, person: Person) -> Team:
        """Give the team another code: the old one invites nobody any more.

        Raises:
            ForbiddenError: the person is not its captain.
        """

        def work(session: Session) -> Team:
            team = _led_by(session, _place(session, self.challenge, person.id), "renew its code")
            team.code = new_code()
            session.flush()
            return _team(session, team.id)

        return self.database.change(work)

    def _free_place(self, session: Session, person: Person, at: datetime, team: int | None = None) -> MemberRow:
        """The place of a person who is in no team; `team` is the one that they want to join.

        Raises:
            ConflictError: they are in one, or have left another one today that has submitted today.
        """
        place = _place(session, self.challenge, person.id)
        if place is None:
            place = MemberRow(
                challenge=self.challenge, person_id=person.id, team_id=None, captain=False, joined=at,
                left_id=None, until=None,
            )  # fmt: skip
            session.add(place)
            return place
        if place.team_id is not None:
            raise ConflictError("you are in a team of this challenge", "leave it first")
        if place.until and at < place.until and team != place.left_id:
            raise ConflictError(
                "you have left a team that has submitted today: what a team may submit in a day would count twice",
                f"join or create another one from {said(place.until)} on",
            )
        return place


def new_code() -> str:
    """A code that nobody guesses, and everybody can type."""
    return "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))


def plain_code(text: str) -> str:
    """A code as it is kept, of what somebody has typed; "" if that is none.

    >>> plain_code(" ABCD-efgh-2345 "), plain_code("x"), shown_code("abcdefgh2345")
    ('abcdefgh2345', '', 'abcd-efgh-2345')
    """
    found = re.sub(r"[\s-]", "", text[:100]).lower()
    return found if re.fullmatch(f"[{LETTERS}]{{{CODE_LENGTH}}}", found) else ""


def shown_code(code: str) -> str:
    """A code as it is read out, in groups."""
    return "-".join(code[i : i + GROUP] for i in range(0, len(code), GROUP))


def _place(session: Session, challenge: str, person: int) -> MemberRow | None:
    return session.scalar(sa.select(MemberRow).where(MemberRow.challenge == challenge, MemberRow.person_id == person))


def _team(session: Session, number: int) -> Team:
    row = session.get_one(TeamRow, number)
    found = session.execute(
        sa.select(MemberRow, PersonRow.name)
        .join(PersonRow, PersonRow.id == MemberRow.person_id)
        .where(MemberRow.team_id == number)
        .order_by(MemberRow.joined, MemberRow.id)
    )
    members = tuple(Member(each.person_id, name, each.captain, each.joined) for each, name in found)
    return Team(row.id, row.name, row.code or "", members)


def _led_by(session: Session, place: MemberRow | None, to: str) -> TeamRow:
    """The team that somebody leads; nobody submits for it while it changes."""
    if place is None or place.team_id is None or not place.captain:
        raise ForbiddenError(f"only the captain of a team can {to}", "ask the captain")
    return session.get_one(TeamRow, place.team_id, with_for_update=True)


def _out_of(session: Session, place: MemberRow, team: TeamRow, at: datetime) -> None:
    """Somebody is in the team no more; if it has submitted today, another one has to wait."""
    place.team_id, place.captain = None, False
    if _submissions(session, team, since=_day(at)):
        place.left_id, place.until = team.id, _day(at) + timedelta(days=1)
    session.flush()


def _see_to_captain(session: Session, number: int) -> bool:
    """Whoever has been there longest leads a team whose captain has left. False if nobody is left."""
    members = session.scalars(
        sa.select(MemberRow).where(MemberRow.team_id == number).order_by(MemberRow.joined, MemberRow.id)
    ).all()
    if members and not any(each.captain for each in members):
        members[0].captain = True
    session.flush()
    return bool(members)


def _submissions(session: Session, team: TeamRow, since: datetime | None = None) -> bool:
    """Whether a team has submitted."""
    wanted = sa.select(SubmissionRow.id).where(SubmissionRow.team_id == team.id)
    wanted = wanted.where(SubmissionRow.received >= since) if since else wanted
    return session.scalar(wanted.limit(1)) is not None


def _day(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _taken(name: str) -> ConflictError:
    return ConflictError(f"there is a team called {name}", "choose another name; if it is yours, join it by its code")
