"""`flawscope challenge board`: who stands where, on the board that runs along or on the final one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from flawscope.challenge.board import Board, board_of
from flawscope.challenge.desk import Desk


def challenge_board(
    challenge: str | Path, *, store: str | None = None, final: bool = False, at: datetime | None = None
) -> Board:
    """The board of a challenge. The final one is made from the private part, once, after the deadline.

    Args:
        challenge: the folder of the challenge.
        store: URL of the database; by default a file in the folder.
        final: the board that decides.
        at: now.

    Raises:
        UserError: no challenge; or the final board before the deadline, or while submissions of before it wait.
        StoreError: the store cannot be reached.
        DataError: answers or labels are not what they were.
    """
    desk = Desk.at(challenge, store)
    return board_of(desk, desk.store.submissions(), final=final, at=at or datetime.now(UTC))
