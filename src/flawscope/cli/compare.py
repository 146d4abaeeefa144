"""What `flawscope compare` and `flawscope runs` print: short tables, made from what these steps return."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from flawscope.pages.words import gain, measured, number
from flawscope.records import NOT_CHECKED
from flawscope.wording import counted

if TYPE_CHECKING:
    from flawscope.steps.runs import RunRow

MAIN = ("accuracy", "AUROC", "F1", "recall", "precision", "specificity")
"""The measures of the one class of a binary task; of several classes what is over all of them is shown."""


def differences_tables(document: Mapping[str, Any]) -> Iterator[Table]:
    """The main differences of each run from the baseline, one table a run, and of masks one more."""
    base, *others = document["names"]
    binary = document["task"]["kind"] == "binary"
    masks = document.get("masks", {}).get("differences", ())
    for other in others:
        title = f"{other} against {base}"
        if masks:
            yield _differences_table(f"{title}: where flaws are", masks, other, binary=False)
            title += ": what images are called"
        yield _differences_table(title, document["differences"], other, binary=binary)


def _differences_table(title: str, rows: Sequence[Mapping[str, Any]], other: str, *, binary: bool) -> Table:
    table = Table(title=escape(title), title_justify="left")
    table.add_column("measure")
    for column in ("baseline", "run", "difference (95 %)"):
        table.add_column(column, justify="right")
    for row in rows:
        if row["run"] == other and (row["measure"] in MAIN if binary else not row["class_name"]):
            values = [number(row["measure"], row[side]["value"]) for side in ("baseline", "other")]
            table.add_row(row["measure"], *values, gain(row["measure"], row["difference"]))
    return table


def runs_table(rows: Sequence[RunRow]) -> Table:
    """The index of runs, one line or two a run: so the table fits 80 columns."""
    table = Table(show_lines=True)
    for name in ("run", "state", "data, network", "test"):
        table.add_column(name, overflow="fold")
    for row in rows:
        what = "\n".join(escape(each) for each in (row.data, row.network) if each)
        stamp = {"": "", NOT_CHECKED: f", {NOT_CHECKED}"}.get(row.stamp, ", leak checked")
        state = f"{row.state}{stamp}\n{row.date[:16].replace('T', ' ')}"
        table.add_row(escape(row.name), escape(state), what, escape(_test(row)))
    return table


def _test(row: RunRow) -> str:
    """The headline measure with its interval, on how many images, by which bundle."""
    if row.test_images is None:
        return ""
    said = "nothing measured"
    if row.interval:
        value, span = measured(row.measure, row.interval.as_dict())
        said = f"{row.measure} {value} ({span})"
    return f"{said}\n{counted(row.test_images, 'images')}, {row.seal if 'seal' in row.seal else f'seal {row.seal}'}"
