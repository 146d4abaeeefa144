"""Everything that a challenge has found out, as tables and JSON, for its organiser: the content of files, by name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flawscope.challenge.board import Board
from flawscope.challenge.desk import HIDDEN, Desk
from flawscope.challenge.spec import iso
from flawscope.challenge.standings import Standing, is_late
from flawscope.challenge.submitted import Submitted
from flawscope.spreadsheet import safe_cell

BOARD, FINAL, SUBMISSIONS, RESULTS = "board.csv", "final.csv", "submissions.csv", "results.json"


def export_files(
    desk: Desk, submissions: Sequence[Submitted], board: Board, final: Board | None, why: str
) -> dict[str, str]:
    """board.csv, submissions.csv, results.json, and final.csv where there is one.

    Scores of the private part are among it, before the deadline as well.

    Args:
        desk: the challenge.
        submissions: all of it.
        board: the one that runs along.
        final: the one that decides.
        why: there is none yet.
    """
    boards = {BOARD: board, **({FINAL: final} if final else {})}
    return {
        **{name: table(_board_rows(each.lines)) for name, each in boards.items()},
        SUBMISSIONS: table(_submission_rows(desk, submissions)),
        RESULTS: json.dumps(_document(desk, submissions, boards, why), indent=1, ensure_ascii=False, allow_nan=False)
        + "\n",
    }


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
            "person": each.person or "",
            "file_name": each.file_name,
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


def _document(desk: Desk, submissions: Sequence[Submitted], boards: Mapping[str, Board], why: str) -> dict[str, Any]:
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


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """A CSV whose cells are no formulas to a spreadsheet: names of teams are a stranger's words."""
    found = list(rows)
    names = list(dict.fromkeys(name for row in found for name in row))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    for row in found:
        writer.writerow([safe_cell(row.get(name, "")) for name in names])
    return stream.getvalue()
