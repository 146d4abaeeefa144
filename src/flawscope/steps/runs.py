"""`flawscope runs`: which runs lie below a folder, how far they have come, and what they have reached.

Read from the small files of each run; no bundle is opened and nothing is measured. What cannot be read is a row with
the reason.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from flawscope.data.split_file import load_split
from flawscope.errors import UserError, reason
from flawscope.records import NOT_CHECKED, Interval
from flawscope.spreadsheet import safe_cell
from flawscope.steps.workspace import fold_runs, read_json
from flawscope.storage import write_text
from flawscope.wording import counted

DEEPEST = 4
"""Folders are searched so many levels down: a data folder below is no place for runs."""
FINISHED = "finished"
DAMAGED = "damaged"
GOES_ON = "; unfinished: go on with --resume"
TRACES = ("recipe.yaml", "split.json", "data.json", "metrics.json", "training/history.csv", "training/done.json")


@dataclass(frozen=True)
class RunRow:
    """One run of the index. What is not known yet is empty, or None; `problem` says why a run cannot be read.

    `measure` and `interval` are the first of its headline numbers, on `test_images`; `date` is in UTC, ISO 8601.
    """

    name: str
    state: str
    date: str
    data: str = ""
    network: str = ""
    stamp: str = ""
    test_images: int | None = None
    measure: str = ""
    interval: Interval | None = None
    seal: str = ""
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """One line of the CSV table: the interval as three numbers."""
        cells = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "interval"}
        ends = {key: getattr(self.interval, key) if self.interval else None for key in ("value", "low", "high")}
        return {key: "" if cell is None else cell for key, cell in (cells | ends).items()}


def runs(folder: str | Path = "runs", csv_file: str | Path | None = None) -> tuple[RunRow, ...]:
    """The runs below a folder, newest first; none if there are none.

    A folder that a run was interrupted in (NAME.partial) is a run as well.

    Args:
        folder: where to look.
        csv_file: where to write the same as a table; none writes nothing.

    Raises:
        UserError: there is no such folder.
        OutputError: the table cannot be written.
    """
    top = Path(folder)
    if not top.is_dir():
        raise UserError(f"{top} is not a folder", "name the folder that holds your runs, or make one: flawscope run")
    places = [top] if _is_one(top) else list(_below(top, DEEPEST))
    found = [_row(place, place.name if place == top else place.relative_to(top).as_posix()) for place in places]
    found.sort(key=lambda row: row.name)
    found.sort(key=lambda row: row.date, reverse=True)
    if csv_file is not None:
        write_text(csv_file, as_csv(found))
    return tuple(found)


def as_csv(rows: list[RunRow]) -> str:
    """The index as a table for a spreadsheet."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(RunRow("", "", "").as_dict()), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: safe_cell(cell) for key, cell in row.as_dict().items()} for row in rows)
    return stream.getvalue()


def state(folder: Path) -> str:
    """How far a run has come, in words: that of one split, or of several folds.

    Raises:
        UserError: a file that says so cannot be read.
    """
    folds = fold_runs(folder)
    if not folds:
        return _state(folder)
    states = [_state(each.folder) for each in folds]
    wanted = load_split(folds[0].folder / "split.json").folds or len(folds)
    done = states.count(FINISHED)
    if done == wanted:
        return FINISHED if (folder / "metrics.json").is_file() else "all folds finished, not pooled yet"
    unfinished = [f"{each.folder.name} {words}" for each, words in zip(folds, states, strict=True) if words != FINISHED]
    return f"{done} of {wanted} folds finished{''.join(f'; {words}' for words in unfinished)}"


def _state(folder: Path) -> str:
    recipe = _recipe(folder)
    for file, words in (
        ("metrics.json", FINISHED),
        (f"{recipe['name']}.flawscope", "sealed, not tested yet"),
        ("draft.flawscope", "exported, not decided yet"),
        ("training/done.json", "trained, not exported yet"),
    ):
        if (folder / file).is_file():
            return words
    history = folder / "training" / "history.csv"
    if history.is_file():
        with history.open(encoding="utf-8", newline="") as stream:
            epochs = sum(1 for _ in csv.DictReader(stream))
        return f"stopped after epoch {epochs} of {recipe['train']['epochs']}, or still training"
    return "only split" if (folder / "split.json").is_file() else "only begun"


def _recipe(folder: Path) -> dict[str, Any]:
    """The recipe as plain data: one of an older version, with other keys, can be listed all the same.

    Raises:
        UserError: it is missing or no recipe.
    """
    try:
        content = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{folder}/recipe.yaml cannot be read: {reason(error)}") from None
    if not isinstance(content, dict) or not {"name", "data", "model", "train"} <= set(content):
        raise UserError(f"{folder}/recipe.yaml is not a recipe")
    return content


def _is_one(folder: Path) -> bool:
    """Whether a folder is, or once was, a run: a recipe, or a split beside other traces of one."""
    there = [name for name in TRACES if (folder / name).is_file()]
    return "recipe.yaml" in there or ("split.json" in there and len(there) > 1) or bool(fold_runs(folder))


def _below(folder: Path, levels: int) -> Iterator[Path]:
    for place in sorted(folder.iterdir()):
        if place.is_dir() and not place.name.startswith("."):
            if _is_one(place):
                yield place
            elif levels > 1 and not place.is_symlink():
                yield from _below(place, levels - 1)


def _row(place: Path, name: str) -> RunRow:
    date = _touched(place)
    try:
        return _read(place, name, date)
    # Whatever stands in a damaged file, the other runs are listed.
    except (UserError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        words = error.problem if isinstance(error, UserError) else f"not as flawscope writes it: {error!r}"
        return RunRow(name, DAMAGED, date, problem=words.replace(f"{place}/", "").splitlines()[0])


def _read(place: Path, name: str, date: str) -> RunRow:
    folds = [each.folder for each in fold_runs(place)]
    first = folds[0] if folds else place
    recipe, words = _recipe(first), state(place)
    network, stamp = str(recipe["model"]["name"]), ""
    if (first / "split.json").is_file():
        splits = [load_split(each / "split.json") for each in folds or [first]]
        stamp = splits[0].stamp if all(each.checks for each in splits) else NOT_CHECKED
    data = str(recipe["data"]["kind"])
    if (first / "data.json").is_file():
        facts = read_json(first / "data.json")
        data = f"{facts['name']}, {counted(facts['images'], 'images')}"
    if words != FINISHED:
        words += GOES_ON if place.name.endswith(".partial") else ""
        return RunRow(name, words, date, data, network, stamp)
    metrics = read_json(place / "metrics.json")
    return RunRow(
        name,
        f"{FINISHED}, {len(folds)} folds" if folds else FINISHED,
        str(metrics["provenance"]["date"]),
        data,
        network,
        stamp,
        int(metrics["n"]),
        **_headline(metrics),
        seal=f"{len(folds)} seals" if folds else str(metrics["bundle"]["seal"])[:12],
    )


def _headline(metrics: Mapping[str, Any]) -> dict[str, Any]:
    if not metrics["headline"]:
        return {}
    entry = metrics["headline"][0]
    return {"measure": str(entry["name"]), "interval": Interval(**entry["interval"])}


def _touched(place: Path) -> str:
    """When the last of its files was written."""
    places = [place, *(each.folder for each in fold_runs(place))]
    files = [each / name for each in places for name in TRACES]
    times = [file.stat().st_mtime for file in files if file.is_file()] or [place.stat().st_mtime]
    return datetime.fromtimestamp(max(times), UTC).replace(microsecond=0).isoformat()
