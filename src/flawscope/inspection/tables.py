"""The results of an inspection as CSV: one row an image, UTF-8, comma, header.

Columns: name, <class>_probability ..., (multi-label: <class> yes or no ...,) decision, seconds, error. Where a person
has to look, the decision is `human`. In place of yes or no, a multi-label class that is not ruled out is `human`, too,
also where another class is called, so that nobody has to look. Of bundles that make masks three columns follow, empty
where there is no gate: gate_probability, that of any flaw, gate_stopped, whether the gate called the image good, so
that no flaws were looked for, and gate_seconds, its share of seconds. Where heat maps were asked for, one follows that
names each one's file, from the folder of the table on: heat_map.

Text that a spreadsheet would run is written so that it does not (`flawscope.spreadsheet`); `read_results` gives every
name back as it was.
"""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from flawscope.errors import DataError
from flawscope.records import HUMAN, Decision, MaskPrediction, Prediction, Task
from flawscope.spreadsheet import plain_cell, safe_cell
from flawscope.storage import new_file

_PROBABILITY = "_probability"
_LAST = ("decision", "seconds", "error")
_GATE = ("gate_probability", "gate_stopped", "gate_seconds")
_MAP = ("heat_map",)
_MORE = (_GATE, ("gate_probability", "gate_seconds"), _MAP)
"""What may follow the last column; the second as tables had it once."""


@dataclass(frozen=True)
class Summary:
    """What came out of an inspection. `counts`: images of each decision; `seconds`: wall time of the whole.

    `human` of them are for a person: they are counted as a decision, too. Where masks are made, `flaws` counts those of
    each class that were found, `stopped` the images that the gate called good, and `unmarked` those that it did not
    call good and in which no flaw was found. `written`: where it all lies. `heat_maps` counts those that were drawn,
    and `maps` is their folder.
    """

    counts: Mapping[str, int]
    errors: int
    seconds: float
    human: int = 0
    flaws: Mapping[str, int] = field(default_factory=dict)
    stopped: int = 0
    unmarked: int = 0
    written: Path | None = None
    heat_maps: int = 0
    maps: Path | None = None

    @property
    def images(self) -> int:
        """All images, those that could not be read among them."""
        return sum(self.counts.values()) + self.errors

    @property
    def images_per_second(self) -> float:
        """From files on disk to rows in the table."""
        return self.images / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Explained:
    """A prediction, and the place of the heat map of its picture in a folder; nowhere if none was drawn."""

    prediction: Prediction
    place: str = ""


Row = Prediction | MaskPrediction | Explained


@dataclass(frozen=True)
class Results:
    """A results table read back: the classes of its columns, and its rows (without logits: they are not stored)."""

    classes: tuple[str, ...]
    rows: tuple[Prediction, ...]


def write_results(path: str | Path, task: Task, predictions: Iterable[Row], *, maps: str = "") -> Summary:
    """Write each prediction as it comes; the file appears whole at the end, or not at all.

    `maps` is the folder that the places of heat maps count from, as the table names it; empty where none are drawn.

    Raises:
        OutputError: the file cannot be written.
    """
    start = time.perf_counter()
    counts = Counter(dict.fromkeys(task.labels, 0) if task.kind != "multilabel" else {})
    flaws = Counter(dict.fromkeys(task.classes, 0) if task.pixels else {})
    errors = human = stopped = unmarked = heat_maps = 0
    # File names that are not UTF-8 are legal on Linux: they are written with \udcXX in place of the stray bytes.
    with new_file(path) as beside, beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        table = csv.writer(
            stream
        )  # lines end in CR LF (RFC 4180); with LF alone a CR inside a name would not be quoted
        table.writerow(safe_cell(cell) for cell in (*_header(task), *(_MAP if maps else ())))
        for each in predictions:
            prediction = _prediction(each)
            table.writerow([*_row(task, prediction), *(_gate(each) if task.pixels else ()), *_map(each, maps)])
            heat_maps += isinstance(each, Explained) and bool(each.place)
            if isinstance(each, MaskPrediction):
                flaws.update(flaw.name for flaw in each.flaws)
                stopped += each.stopped
                unmarked += each.unmarked
            if prediction.decision:
                counts[prediction.decision.label] += 1
                human += prediction.decision.human
            else:
                errors += 1
    seconds = time.perf_counter() - start
    return Summary(dict(counts), errors, seconds, human, dict(flaws), stopped, unmarked, heat_maps=heat_maps)


def read_results(path: str | Path, task: Task | None = None) -> Results:
    """Read a table that `write_results` wrote.

    The answer `human` is that of the runtime, unless the task is given and has a class or a good answer of that name.

    Raises:
        DataError: missing, not such a table, or a row that does not fit; file, row and column are named.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            rows = [[plain_cell(cell) for cell in row] for row in csv.reader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}", "name a results.csv that flawscope inspect wrote") from None
    header = rows[0] if rows else []
    for more in _MORE:  # no other table ends so: its last column is the error
        if tuple(header[-len(more) - 1 :]) == (_LAST[-1], *more):
            rows = [row[: -len(more)] for row in rows]
    header = rows[0] if rows else []
    classes, flags = _classes(header)
    if not classes:
        raise DataError(
            f"{path} has the columns {', '.join(header) or '(none)'}; expected name, <class>{_PROBABILITY}, "
            f"{', '.join(_LAST)}",
            "name a results.csv that flawscope inspect wrote",
        )
    found = tuple(_read(path, n, row, classes, flags) for n, row in enumerate(rows[1:], start=2))
    return Results(classes, tuple(map(_good, found)) if task and task.negative == HUMAN else found)


def _header(task: Task) -> list[str]:
    flags = task.classes if task.kind == "multilabel" else ()
    last = (*_LAST, *_GATE) if task.pixels else _LAST
    return ["name", *(f"{each}{_PROBABILITY}" for each in task.classes), *flags, *last]


def _prediction(each: Row) -> Prediction:
    if isinstance(each, MaskPrediction):
        return each.answer
    return each.prediction if isinstance(each, Explained) else each


def _map(each: Row, maps: str) -> list[str]:
    """The cell of the heat map; none where none are drawn."""
    if not maps:
        return []
    return [safe_cell(f"{maps}/{each.place}") if isinstance(each, Explained) and each.place else ""]


def _gate(prediction: Row) -> list[str]:
    if not isinstance(prediction, MaskPrediction) or prediction.gate is None:
        return [""] * len(_GATE)
    return [repr(prediction.gate), "yes" if prediction.stopped else "no", f"{prediction.gate_seconds:.6f}"]


def _row(task: Task, prediction: Prediction) -> list[str]:
    k = len(task.classes)
    answer = prediction.decision
    probabilities = [repr(float(value)) for value in prediction.probability] if answer else [""] * k
    flags: list[str] = []
    if task.kind == "multilabel":
        flags = ["yes" if flag else "no" for flag in answer.flags] if answer else [""] * k
        if answer and answer.unsure:
            flags = [HUMAN if unsure else cell for unsure, cell in zip(answer.unsure, flags, strict=True)]
    label = safe_cell(answer.label) if answer else ""
    first, last = safe_cell(prediction.name), safe_cell(prediction.error)
    return [first, *probabilities, *flags, label, f"{prediction.seconds:.6f}", last]


def _classes(header: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """The classes that a header names, and whether it has yes/no columns; no classes if it is no such header.

    By position, since a class may be called `error` or end in `_probability`.
    """
    middle = header[1 : -len(_LAST)]
    for k, flags in ((len(middle) // 2, True), (len(middle), False)):
        classes = tuple(name.removesuffix(_PROBABILITY) for name in middle[:k])
        wanted = ["name", *(f"{each}{_PROBABILITY}" for each in classes), *(classes if flags else ()), *_LAST]
        if classes and list(header) == wanted:
            return classes, flags
    return (), False


def _good(row: Prediction) -> Prediction:
    """The row where `human` is what the good answer is called: nobody looks."""
    if row.decision is None or not row.decision.human:
        return row
    return replace(row, decision=Decision((False,) * len(row.decision.flags), HUMAN))


def _read(path: str | Path, n: int, row: Sequence[str], classes: Sequence[str], has_flags: bool) -> Prediction:
    k = len(classes)
    width = 1 + k * (2 if has_flags else 1) + len(_LAST)
    if len(row) != width:
        raise DataError(f"{path}, row {n}: {len(row)} cells, expected {width}", "write the table again")
    label, seconds, error = row[-3:]
    try:
        if error:
            return Prediction(name=row[0], seconds=float(seconds), error=error)
        probability = tuple(float(cell) for cell in row[1 : 1 + k])
        if has_flags:
            cells = row[1 + k : 1 + 2 * k]
            flags = tuple({"yes": True, HUMAN: False, "no": False}[cell] for cell in cells)
            unsure = tuple(cell == HUMAN for cell in cells)
        else:
            unsure = (k == 1 and label == HUMAN and HUMAN not in classes,)
            flags = tuple(label == each for each in classes)
        decision = Decision(flags, label, unsure if any(unsure) else ())
        return Prediction(row[0], (), probability, decision, float(seconds))
    except (ValueError, KeyError) as problem:
        raise DataError(f"{path}, row {n} ({row[0]}): {problem}", "write the table again") from None
