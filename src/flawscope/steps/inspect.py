"""`flawscope inspect`: what runs at the line. Pictures in, decisions out, without torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from flawscope.bundle.runtime import Runtime
from flawscope.data.beside import beside
from flawscope.errors import DataError, OutputError, UserError
from flawscope.inspection.folder import Pictures, find_pictures, inspect_folder
from flawscope.inspection.tables import Summary, write_results


class ImagesPerSecond(ProgressColumn):
    """The speed so far; empty until it is known."""

    def render(self, task: Task) -> Text:
        """The text of the column."""
        return Text(f"{task.speed:.0f} images/s" if task.speed else "")


def inspect(
    bundle: str | Path,
    folder: str | Path,
    output: str | Path = "results.csv",
    *,
    table: str | Path | None = None,
    image_column: str | None = None,
    threads: int | None = None,
    say: Callable[[str], None] = lambda words: None,
) -> Summary:
    """Decide about every picture of a folder and write one row each: name, probabilities, decision, time.

    A picture that cannot be read becomes a row with the reason, and the run goes on; so does one whose metadata are
    missing, where the bundle takes any. The results appear whole at the end, or not at all.

    Args:
        bundle: a sealed bundle.
        folder: a folder (and the folders in it) or one picture.
        output: the CSV file.
        table: names each picture and the metadata that the bundle takes, one row a picture.
        image_column: the column of it that names the pictures; found by itself where it is not given.
        threads: how many pictures are worked on at a time; by default one for each core.
        say: is told in words what does not fit in the table.

    Raises:
        BundleError: the bundle is refused.
        DataError: no such folder, no pictures in it, or the table does not fit.
        MetadataError: the bundle takes metadata, and no table is given.
        OutputError: the table cannot be written.
    """
    if Path(output).suffix.lower() != ".csv":
        raise OutputError(f"{output} is no name for a table", "name a .csv file")
    runtime = Runtime.open(bundle, threads)
    pictures = find_pictures(folder)
    if table is not None:
        pictures = with_metadata(pictures, runtime, folder, table, image_column=image_column, say=say)
    elif image_column is not None:
        raise UserError("--image-column is a column of a table", "name the table as well: --table FILE")
    columns = ("inspecting", BarColumn(), MofNCompleteColumn(), ImagesPerSecond())
    with Progress(*columns, TimeRemainingColumn(), transient=True, disable=not Console().is_terminal) as progress:
        bar = progress.add_task("inspecting", total=len(pictures))

        def show(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        return write_results(output, runtime.task, inspect_folder(runtime, pictures, show))


def with_metadata(
    pictures: Pictures,
    runtime: Runtime,
    folder: str | Path,
    table: str | Path,
    *,
    image_column: str | None,
    say: Callable[[str], None],
) -> Pictures:
    """The pictures with what a table says of them.

    Raises:
        DataError: see `beside`; or the bundle takes no metadata.
    """
    if not runtime.columns:
        raise DataError(f"the bundle takes pictures alone, and nothing of {table}", "leave out --table")
    root = Path(folder) if Path(folder).is_dir() else Path(folder).parent
    columns = [column.name for column in runtime.columns]
    found = beside(table, root, pictures.paths, columns, image_column)
    for note in found.notes:
        say(f"note: {note}")
    return replace(pictures, metadata=found.values)
