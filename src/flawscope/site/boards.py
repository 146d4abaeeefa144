"""Boards as the site shows them: made when something has changed, kept until it changes again.

A board compares every team with every other one. So what was found for a submission, and for two of them, is kept; and
while a board is made anew, the one before is shown after a moment, with the time that it is of.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from flawscope.challenge.board import Board, board_of
from flawscope.challenge.desk import Desk
from flawscope.challenge.ranking import MEASURES, Score, difference
from flawscope.challenge.spec import PartName
from flawscope.challenge.standings import moves, rounded_outwards, unjudged
from flawscope.challenge.store import Store
from flawscope.challenge.submitted import UNJUDGED, Submitted
from flawscope.challenge.tables import SubmissionRow, TeamRow
from flawscope.records import Interval
from flawscope.site.refusals import ConflictError
from flawscope.wording import counted, said

PATIENCE_SECONDS = 1.0
"""So long a visitor waits for a new board where there is an older one to show."""
COARSER = 5
"""What is told of each class on the board that runs along moves in so many times the ladder's steps."""
Measure = tuple[float, float, float]
"""What a team has reached by one measure: value, and ends of its interval."""


@dataclass(frozen=True)
class Move:
    """A step of a team's ladder: since when it has shown what."""

    at: datetime
    value: float


@dataclass(frozen=True)
class Made:
    """A board and what is shown beside it.

    `at`: the time that it is of. `classes`: for each class and each team of the board the measures, none where one
    cannot be computed. `tracks`: how each team's ladder has moved.
    """

    key: Hashable
    at: datetime
    board: Board
    classes: Mapping[str, Mapping[str, Mapping[str, Measure | None]]]
    tracks: Mapping[str, tuple[Move, ...]]

    @property
    def open_ones(self) -> int:
        """How many submissions wait, or are being judged."""
        return sum(self.board.states.get(state, 0) for state in UNJUDGED)


@dataclass(frozen=True)
class Shown:
    """A board, and whether nothing has changed since it was made."""

    made: Made
    fresh: bool


class Scores:
    """Scores of submissions and differences of two of them, each found once; for one thread."""

    def __init__(self) -> None:
        self._scores: dict[tuple[int, str, str], Score] = {}
        self._found: dict[tuple[int, int], Interval] = {}
        self._needed: dict[bool, set[tuple[int, str]]] = {}

    def of(self, desk: Desk) -> Callable[[Submitted, str], Score]:
        """Where a board of this desk takes its scores from."""

        def score_of(submitted: Submitted, part: str) -> Score:
            key = submitted.number, part, submitted.results[part].answers_sha256
            if key not in self._scores:
                self._scores[key] = desk.score_of(submitted, part)
            return self._scores[key]

        return score_of

    def compare(self, first: Score, second: Score) -> Interval:
        """First minus second."""
        key = id(first), id(second)  # those that are remembered live on here, so no other one gets their id
        if key not in self._found:
            self._found[key] = difference(first, second)
        return self._found[key]

    def keep(self, needed: set[tuple[int, str]], *, final: bool) -> None:
        """Forget what neither this board nor the other one needs any more: submissions by number and part."""
        self._needed[final] = needed
        of_both = set().union(*self._needed.values())
        self._scores = {key: each for key, each in self._scores.items() if key[:2] in of_both}
        alive = {id(each) for each in self._scores.values()}
        self._found = {key: each for key, each in self._found.items() if set(key) <= alive}


class Boards:
    """The two boards of a challenge. `patience`: seconds to wait for a new one where there is an older one."""

    def __init__(self, desk: Callable[[], Desk], reads: Store, patience: float = PATIENCE_SECONDS) -> None:
        self._desk, self._reads, self._patience = desk, reads, patience
        self._scores, self._lock = Scores(), threading.Lock()
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="boards")
        self._latest: dict[bool, Made] = {}
        self._making: dict[bool, Future[Made]] = {}

    def running(self, at: datetime) -> Shown:
        """The board that runs along.

        Raises:
            StoreError, DataError: it cannot be made.
        """
        return self._shown(self._key(self._desk()), at, final=False)

    def final(self, at: datetime) -> Shown:
        """The board that decides.

        Raises:
            ConflictError: it is too early for it.
            StoreError, DataError: it cannot be made.
        """
        desk = self._desk()
        _check_over(desk, at)
        return self._shown(self._key(desk), at, final=True)

    def exact(self, at: datetime, *, final: bool) -> Board:
        """A board as it is now, however long it takes.

        Raises:
            ConflictError, UserError: the final one is not there yet.
            StoreError, DataError: it cannot be made.
        """
        if final:
            _check_over(self._desk(), at)
        return self._maker.submit(self._made, at, final=final).result().board

    def _shown(self, key: Hashable, at: datetime, *, final: bool) -> Shown:
        with self._lock:
            kept = self._latest.get(final)
            if kept and kept.key == key:
                return Shown(kept, fresh=True)
            making = self._making.get(final)
            if making is None:  # one at a time: what changes meanwhile is seen to when somebody asks again
                making = self._making[final] = self._maker.submit(self._make, at, final=final)
        if kept and not wait([making], self._patience).done:
            return Shown(kept, fresh=False)
        made = making.result()
        return Shown(made, fresh=made.key == key)

    def _make(self, at: datetime, *, final: bool) -> Made:
        try:
            made = self._made(at, final=final)
            with self._lock:
                self._latest[final] = made
        finally:
            with self._lock:
                del self._making[final]
        return made

    def _made(self, at: datetime, *, final: bool) -> Made:
        desk = self._desk()
        key = self._key(desk)  # before anything is read: what comes between makes it out of date
        submissions, challenge = self._reads.submissions(), desk.challenge
        waits = unjudged(challenge, submissions)
        if final and waits:
            raise ConflictError(
                f"{counted(len(waits), 'submissions')} of before the deadline must be judged first: nothing is final",
                "look again later",
            )
        score_of, compare = self._scores.of(desk), self._scores.compare
        board = board_of(desk, submissions, final=final, at=at, score_of=score_of, compare=compare)
        part: PartName = "private" if final else "public"
        numbers = {line.number: line.team for line in board.lines}
        parts = (part, "public") if final else (part,)
        self._scores.keep({(number, each) for number in numbers for each in parts}, final=final)
        of_lines = {each.team: score_of(each, part) for each in submissions if each.number in numbers}
        inside = [each for each in submissions if each.team not in board.out]
        tracks: dict[str, tuple[Move, ...]] = {}
        for each, value in moves(challenge, inside):
            tracks[each.team] = (*tracks.get(each.team, ()), Move(each.received, value))
        step = 0.0 if final else min(0.5, COARSER * challenge.ladder_step)
        return Made(key, at, board, _classes(challenge.classes, of_lines, step), tracks)

    def _key(self, desk: Desk) -> Hashable:
        """What a board is made of, in short: it changes when a board would."""
        mine = TeamRow.challenge == self._reads.challenge

        def work(session: Session) -> Hashable:
            of_states = (
                sa.select(
                    SubmissionRow.state,
                    sa.func.count(),
                    sa.func.sum(SubmissionRow.id),
                    sa.func.max(SubmissionRow.ended),
                )
                .join(TeamRow)
                .where(mine)
                .group_by(SubmissionRow.state)
                .order_by(SubmissionRow.state)
            )
            teams = sa.select(TeamRow.id, TeamRow.name, TeamRow.disqualified, TeamRow.chosen).where(mine)
            return (
                tuple(tuple(row) for row in session.execute(of_states)),
                tuple(tuple(row) for row in session.execute(teams.order_by(TeamRow.id))),
            )

        return desk.contest, self._reads.do(work)


def _check_over(desk: Desk, at: datetime) -> None:
    deadline = desk.challenge.deadline
    if at <= deadline:
        raise ConflictError(
            f"the final board comes after the deadline, {said(deadline)}; before it nothing is told of it",
            "look at the board that runs along",
        )


def _classes(
    names: Sequence[str], scores: Mapping[str, Score], step: float
) -> dict[str, dict[str, dict[str, Measure | None]]]:
    """By class, team and measure."""
    return {
        name: {
            team: {key: _told(score.classes[name].get(key), step) for key in MEASURES} for team, score in scores.items()
        }
        for name in names
    }


def _told(found: Interval | None, step: float) -> Measure | None:
    """A measure of a class; on the board that runs along in coarse steps, so that it tells less than the ladder."""
    if found is None:
        return None
    shown = round(round(found.value / step) * step, 12) if step else found.value
    return min(1.0, shown), *rounded_outwards(found, min(1.0, shown), step)
