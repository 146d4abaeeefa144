"""`flawscope challenge export`: everything that a challenge has found out, as tables and JSON, for its organiser."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from flawscope.challenge.board import board_of
from flawscope.challenge.desk import Desk
from flawscope.challenge.export import RESULTS, export_files
from flawscope.errors import UserError
from flawscope.storage import check_replaceable, new_folder, write_text


def challenge_export(
    challenge: str | Path,
    output: str | Path,
    *,
    store: str | None = None,
    overwrite: bool = False,
    at: datetime | None = None,
) -> Path:
    """Write board.csv, submissions.csv, results.json, and after the deadline final.csv into a folder.

    For the organiser: scores of the private part are among it, before the deadline as well.

    Args:
        challenge: the folder of the challenge.
        output: the folder to write.
        store: URL of the database; by default a file in the folder.
        overwrite: replace a folder that this wrote.
        at: now.

    Raises:
        UserError: there is no challenge.
        OutputError: the folder exists, or cannot be written.
        StoreError, DataError: see `challenge_board`.
    """
    desk, now, target = Desk.at(challenge, store), at or datetime.now(UTC), Path(output)
    check_replaceable(
        target, overwrite, kind="a folder of exported results", ours=lambda there: (there / RESULTS).is_file()
    )
    submissions = desk.store.submissions()
    board, final, why = board_of(desk, submissions, final=False, at=now), None, ""
    try:
        final = board_of(desk, submissions, final=True, at=now)
    except UserError as error:
        why = error.problem
    with new_folder(target, overwrite=overwrite) as unfinished:
        for name, content in export_files(desk, submissions, board, final, why).items():
            write_text(unfinished / name, content)
    return target
