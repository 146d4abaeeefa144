"""`flawscope challenge board`: who stands where, on the board that runs along or on the final one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from flawscope.challenge.board import Board, board_of, class_lines
from flawscope.challenge.desk import Desk


def challenge_board(
    challenge: str | Path,
    *,
    store: str | None = None,
    final: bool = False,
    classes: bool = False,
    at: datetime | None = None,
) -> Board:
    """The board of a challenge. The final one is made from the private part, once, after the deadline.

    Args:
        challenge: the folder of the challenge.
        store: URL of the database; by default a file in the folder.
        final: the board that decides.
        classes: with the measures of each class. They are exact, so of the public part they are for the organiser.
        at: now.

    Raises:
        UserError: no challenge; or the final board before the deadline, or while submissions of before it wait.
        StoreError: the store cannot be reached.
        DataError: answers or labels are not what they were.
    """
    desk = Desk.at(challenge, store)
    submissions = desk.store.submissions()
    made = board_of(desk, submissions, final=final, at=at or datetime.now(UTC))
    return replace(made, classes=class_lines(made, submissions)) if classes else made
