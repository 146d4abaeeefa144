"""`flawscope inspect`: what runs at the line. Pictures in, decisions out, without torch."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from flawscope.bundle.runtime import Runtime
from flawscope.errors import OutputError
from flawscope.inspection.folder import find_pictures, inspect_folder
from flawscope.inspection.tables import Summary, write_results


class ImagesPerSecond(ProgressColumn):
    """The speed so far; empty until it is known."""

    def render(self, task: Task) -> Text:
        """The text of the column."""
        return Text(f"{task.speed:.0f} images/s" if task.speed else "")


def inspect(
    bundle: str | Path, folder: str | Path, output: str | Path = "results.csv", *, threads: int | None = None
) -> Summary:
    """Decide about every picture of a folder and write one row each: name, probabilities, decision, time.

    A picture that cannot be read becomes a row with the reason, and the run goes on. The table appears whole at the
    end, or not at all.

    Args:
        bundle: a sealed bundle.
        folder: a folder (and the folders in it) or one picture.
        output: the CSV file.
        threads: how many pictures are worked on at a time; by default one for each core.

    Raises:
        BundleError: the bundle is refused.
        DataError: no such folder, or no pictures in it.
        OutputError: the table cannot be written.
    """
    if Path(output).suffix.lower() != ".csv":
        raise OutputError(f"{output} is no name for a table", "name a .csv file")
    runtime = Runtime.open(bundle, threads)
    pictures = find_pictures(folder)
    columns = ("inspecting", BarColumn(), MofNCompleteColumn(), ImagesPerSecond())
    with Progress(*columns, TimeRemainingColumn(), transient=True, disable=not Console().is_terminal) as progress:
        bar = progress.add_task("inspecting", total=len(pictures))

        def show(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        return write_results(output, runtime.task, inspect_folder(runtime, pictures, show))
