"""`flawscope inspect`: what runs at the line. Pictures in, decisions out, without torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from flawscope.bundle.runtime import Runtime
from flawscope.bundle.verify import decision_sentences
from flawscope.data.beside import beside
from flawscope.errors import DataError, OutputError, UserError
from flawscope.inspection import labelled
from flawscope.inspection.folder import Pictures, find_pictures, inspect_folder
from flawscope.inspection.tables import Summary, write_results
from flawscope.inspection.verdict import KINDS, Verdict
from flawscope.pages import sheet
from flawscope.records import Prediction
from flawscope.storage import check_replaceable, check_writable, new_folder

SHEET = "index.html"


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
    pictures: str | Path | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    say: Callable[[str], None] = lambda words: None,
) -> Summary:
    """Decide about every picture of a folder and write one row each: name, probabilities, decision, time.

    A picture that cannot be read becomes a row with the reason, and the run goes on; so does one whose metadata are
    missing, where the bundle takes any. The results appear whole at the end, or not at all; so do the labelled
    pictures.

    Args:
        bundle: a sealed bundle.
        folder: a folder (and the folders in it) or one picture.
        output: the CSV file.
        table: names each picture and the metadata that the bundle takes, one row a picture.
        image_column: the column of it that names the pictures; found by itself where it is not given.
        pictures: a folder for the pictures with their labels, and a page with all of them.
        overwrite: replace a folder of labelled pictures that is there.
        threads: how many pictures are worked on at a time; by default one for each core.
        say: is told in words what does not fit in the table.

    Raises:
        BundleError: the bundle is refused.
        DataError: no such folder, no pictures in it, or the table does not fit.
        MetadataError: the bundle takes metadata, and no table is given.
        OutputError: the table or the folder of labelled pictures cannot be written, or the folder exists.
    """
    if Path(output).suffix.lower() != ".csv":
        raise OutputError(f"{output} is no name for a table", "name a .csv file")
    if pictures is not None:
        check_place(Path(pictures), Path(folder), Path(output), overwrite)
    runtime = Runtime.open(bundle, threads)
    found = find_pictures(folder)
    if pictures is not None and any(name.casefold().startswith(f"{SHEET}/") for name in found.names):
        raise DataError(f"a folder in {folder} is called {SHEET}, as the page shall be", "give it another name")
    if table is not None:
        found = with_metadata(found, runtime, folder, table, image_column=image_column, say=say)
    elif image_column is not None:
        raise UserError("--image-column is a column of a table", "name the table as well: --table FILE")
    columns = ("inspecting", BarColumn(), MofNCompleteColumn(), ImagesPerSecond())
    with Progress(*columns, TimeRemainingColumn(), transient=True, disable=not Console().is_terminal) as progress:
        bar = progress.add_task("inspecting", total=len(found))

        def show(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        if pictures is None:
            return write_results(output, runtime.task, inspect_folder(runtime, found, show))
        with new_folder(pictures, overwrite=overwrite) as unfinished:
            return draw_too(unfinished, runtime, found, output, bundle=Path(bundle).name, show=show)


def draw_too(
    folder: Path,
    runtime: Runtime,
    pictures: Pictures,
    output: str | Path,
    *,
    bundle: str,
    show: Callable[[int, int], None],
) -> Summary:
    """Write the results, and the labelled pictures with their page into a folder."""
    drawn = labelled.label_pictures(folder, runtime, pictures, inspect_folder(runtime, pictures), show)
    tiles = Tiles()
    summary = write_results(output, runtime.task, tiles.noted(drawn))
    sheet.write_sheet(folder / SHEET, tiles.content(runtime, bundle, summary))
    return summary


def check_place(place: Path, folder: Path, output: Path, overwrite: bool) -> None:
    """Refuse a folder for the labelled pictures that would take away, or be taken for, what is inspected.

    Raises:
        OutputError: it exists, it is something else, it cannot be written to, or it overlaps with other files.
    """
    target, source, written = (path.resolve() for path in (place, folder, output))
    if target == source or source in target.parents or target in source.parents:
        raise OutputError(
            f"{place} overlaps with {folder}: labelled pictures would lie among those to be inspected",
            "name a folder elsewhere (--pictures)",
        )
    if target == written or target in written.parents:
        raise OutputError(f"{output} would lie within {place}, which is made anew", "write the table elsewhere (-o)")
    check_replaceable(
        place,
        overwrite,
        "choose another name, or replace it with --overwrite",
        kind="a folder of labelled pictures",
        ours=lambda there: sheet.is_sheet(there / SHEET),
    )
    check_writable(place)


class Tiles:
    """What the contact sheet shows, gathered while the pictures come by; bounded by what it lists."""

    def __init__(self) -> None:
        self._tiles: dict[tuple[str, str], list[sheet.Tile]] = {}
        self._count: Counter[tuple[str, str]] = Counter()

    def noted(self, drawn: Iterable[labelled.Labelled]) -> Iterator[Prediction]:
        """Hand the predictions on."""
        for each in drawn:
            words: Verdict = each.verdict
            key = (words.kind, words.headline)
            self._count[key] += 1
            tiles = self._tiles.setdefault(key, [])
            if len(tiles) < sheet.LISTED:
                tiles.append(sheet.Tile(each.prediction.name, words.facts, each.place))
            yield each.prediction

    def content(self, runtime: Runtime, bundle: str, summary: Summary) -> sheet.SheetContent:
        """The page: what is not decided and not good first."""
        order = sorted(self._tiles, key=lambda key: (KINDS.index(key[0]), -self._count[key], key[1]))
        return sheet.SheetContent(
            title=f"{summary.images:,} inspected picture{'' if summary.images == 1 else 's'}",
            facts={"Date": date.today().isoformat(), "Bundle": bundle, "Seal": runtime.manifest.seal[:12]},
            decision=decision_sentences(runtime.task, runtime.sealed.decision),
            sections=[sheet.Section(key[1], self._count[key], self._tiles[key]) for key in order],
        )


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
