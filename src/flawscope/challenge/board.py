"""A board: its lines, what is to be known of it, and when there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flawscope.challenge.contest import teams_of
from flawscope.challenge.desk import Desk
from flawscope.challenge.ranking import difference
from flawscope.challenge.spec import Challenge
from flawscope.challenge.standings import Compare, ScoreOf, Standing, final_board, public_board, unjudged
from flawscope.challenge.submitted import Submitted
from flawscope.errors import UserError
from flawscope.wording import said


@dataclass(frozen=True)
class ClassLine:
    """What the submission that stands for a team has reached on one class: measures by name, each with its interval.

    A measure is None where it cannot be computed, as precision where nothing was called.
    """

    team: str
    number: int
    name: str
    measures: Mapping[str, Mapping[str, Any] | None]


@dataclass(frozen=True)
class Board:
    """A board: its lines, how many submissions are in which state, who is out and why, notes below it.

    `classes` is empty unless it was asked for: of the public part it tells more than the ladder lets through.
    """

    challenge: Challenge
    final: bool
    lines: tuple[Standing, ...]
    states: Mapping[str, int]
    out: Mapping[str, str]
    notes: tuple[str, ...]
    classes: tuple[ClassLine, ...] = ()


def board_of(
    desk: Desk,
    submissions: Sequence[Submitted],
    *,
    final: bool,
    at: datetime,
    score_of: ScoreOf | None = None,
    compare: Compare = difference,
) -> Board:
    """The board of these submissions.

    Args:
        desk: the challenge.
        submissions: all of it.
        final: the board that decides.
        at: now.
        score_of: where scores come from; by default the desk makes them anew.
        compare: how two are compared; what remembers both need not make a whole board anew.

    Raises:
        UserError: the final board before the deadline, or while submissions of before it wait.
        DataError: answers or labels are not what they were.
    """
    challenge = desk.challenge
    open_ones = unjudged(challenge, submissions)
    if final and at <= challenge.deadline:
        raise UserError(
            f"the deadline is {said(challenge.deadline)}: before it nothing is told of the private part",
            "the board that runs along: leave out --final",
        )
    if final and open_ones:
        raise UserError(
            f"{len(open_ones)} submissions from before the deadline are not judged yet: nothing is final",
            "judge them: flawscope challenge judge",
        )
    board = final_board if final else public_board
    out = {team.name: team.disqualified for team in teams_of(desk.store) if team.disqualified}
    lines = board(challenge, [each for each in submissions if each.team not in out], score_of or desk.score_of, compare)
    return Board(
        challenge=challenge,
        final=final,
        lines=tuple(lines),
        states=Counter(each.state for each in submissions),
        out=out,
        notes=tuple(_notes(challenge, submissions, lines, out, final=final)),
    )


def _notes(
    challenge: Challenge,
    submissions: Sequence[Submitted],
    lines: Sequence[Standing],
    out: Mapping[str, str],
    *,
    final: bool,
) -> list[str]:
    notes = []
    if any(line.shared for line in lines):
        notes.append('Teams with "=" share a rank: equally many others are shown to be better than each of them.')
    if any(line.rank != line.worst for line in lines):
        notes.append(
            "Where a rank reads 1 to 3, a team could as well be third: the difference, image for image, may be chance."
        )
    if not final and challenge.ladder_step:
        notes.append(f"A score moves only when it is better by more than {challenge.ladder_step:g}, and in such steps.")
    if not final and any(line.late for line in lines):
        notes.append(f"After the deadline, {said(challenge.deadline)}: does not count for the final board.")
    stuck = [each.number for each in submissions if each.state == "stuck"]
    notes += [f"Disqualified: {team}: {why}" for team, why in out.items()]
    if stuck:
        notes.append(
            f"Given up, by no fault of theirs: submissions {', '.join(map(str, stuck))} (judge --again stuck)."
        )
    return notes


def class_lines(board: Board, submissions: Sequence[Submitted]) -> tuple[ClassLine, ...]:
    """The measures of each class, for each line of a board, from the part that the board is made from. Exact."""
    part, by_number = "private" if board.final else "public", {each.number: each for each in submissions}
    return tuple(
        ClassLine(line.team, line.number, name, measures)
        for line in board.lines
        for name, measures in by_number[line.number].results[part].measures["classes"].items()
    )
