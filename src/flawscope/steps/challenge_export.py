"""`flawscope challenge export`: everything that a challenge has found out, as tables and JSON, for its organiser."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flawscope.challenge.board import Board, board_of
from flawscope.challenge.desk import HIDDEN, Desk
from flawscope.challenge.spec import iso
from flawscope.challenge.standings import Standing, is_late
from flawscope.challenge.submitted import Submitted
from flawscope.errors import UserError
from flawscope.spreadsheet import safe_cell
from flawscope.storage import check_replaceable, new_folder, write_json, write_text

BOARD, FINAL, SUBMISSIONS, RESULTS = "board.csv", "final.csv", "submissions.csv", "results.json"


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
    desk, moment, target = Desk.at(challenge, store), at or datetime.now(UTC), Path(output)
    check_replaceable(
        target, overwrite, kind="a folder of exported results", ours=lambda there: (there / RESULTS).is_file()
    )
    submissions = desk.store.submissions()
    boards = {BOARD: board_of(desk, submissions, final=False, at=moment)}
    try:
        boards[FINAL] = board_of(desk, submissions, final=True, at=moment)
    except UserError as error:
        why = error.problem
    else:
        why = ""
    with new_folder(target, overwrite=overwrite) as unfinished:
        for name, board in boards.items():
            write_text(unfinished / name, _table(_board_rows(board.lines)))
        write_text(unfinished / SUBMISSIONS, _table(_submission_rows(desk, submissions)))
        write_json(unfinished / RESULTS, _document(desk, submissions, boards, why))
    return target


def _board_rows(lines: Sequence[Standing]) -> Iterable[dict[str, Any]]:
    for line in lines:
        row = asdict(line)
        found = row.pop("shift")
        yield {**row, **{f"shift_{key}": found[key] for key in ("value", "low", "high") if found}}


def _submission_rows(desk: Desk, submissions: Sequence[Submitted]) -> Iterable[dict[str, Any]]:
    for each in submissions:
        row: dict[str, Any] = {
            "number": each.number,
            "team": each.team,
            "note": each.note,
            "received": iso(each.received),
            "late": is_late(desk.challenge, each),
            "state": each.state,
            "attempt": each.attempt,
            "reason": each.reason,
            "bundle_sha256": each.sha256,
        }
        for part in HIDDEN:
            found = each.results.get(part)
            for key in ("metric", "low", "high", "seconds"):
                row[f"{part}_{key}"] = getattr(found, key) if found else ""
        yield row


def _document(desk: Desk, submissions: Sequence[Submitted], boards: dict[str, Board], why: str) -> dict[str, Any]:
    return {
        "challenge": desk.challenge.told(),
        "no_final_board": why,
        "disqualified": dict(boards[BOARD].out),
        "boards": {Path(name).stem: [asdict(line) for line in board.lines] for name, board in boards.items()},
        "submissions": [
            {
                **row,
                "measures": {part: dict(result.measures) for part, result in each.results.items()},
                "answers_sha256": {part: result.answers_sha256 for part, result in each.results.items()},
            }
            for row, each in zip(_submission_rows(desk, submissions), submissions, strict=True)
        ],
    }


def _table(rows: Iterable[dict[str, Any]]) -> str:
    """A CSV whose cells are no formulas to a spreadsheet: names of teams are a stranger's words."""
    found = list(rows)
    names = list(dict.fromkeys(name for row in found for name in row))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    for row in found:
        writer.writerow([safe_cell(row.get(name, "")) for name in names])
    return stream.getvalue()
