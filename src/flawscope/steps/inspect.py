"""`flawscope inspect`: what runs at the line. Pictures in, decisions out, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from flawscope.bundle.archive import read_bundle
from flawscope.bundle.mask_runtime import MaskRuntime, opened
from flawscope.bundle.runtime import Runtime
from flawscope.data.beside import beside
from flawscope.errors import DataError, OutputError, UserError
from flawscope.inspection.folder import Pictures, find_pictures, inspect_folder
from flawscope.inspection.folder import Progress as Show
from flawscope.inspection.picture_sizes import other_sizes
from flawscope.inspection.tables import Summary, write_results
from flawscope.pages import sheet
from flawscope.steps.contact_sheet import SHEET
from flawscope.steps.inspect_drawn import Drawn, check_maps, draw_too
from flawscope.steps.inspect_masks import FOLDER, RESULTS, Asked, inspect_with_masks
from flawscope.storage import check_replaceable, check_writable, new_folder
from flawscope.wording import speed_in_words


class ImagesPerSecond(ProgressColumn):
    """The speed so far; empty until it is known."""

    def render(self, task: Task) -> Text:
        """The text of the column."""
        return Text(speed_in_words(task.speed) if task.speed else "")


def inspect(
    bundle: str | Path,
    folder: str | Path,
    output: str | Path | None = None,
    *,
    table: str | Path | None = None,
    image_column: str | None = None,
    pictures: str | Path | None = None,
    explain: bool = False,
    explain_good: bool = False,
    scale: float | None = None,
    truth: str | Path | None = None,
    draw: bool = True,
    overwrite: bool = False,
    threads: int | None = None,
    say: Callable[[str], None] = lambda words: None,
) -> Summary:
    """Decide about every picture of a folder and write one row each: name, probabilities, decision, time.

    A bundle that makes masks writes a folder in place of a table: the flaws that were found, as tables, as masks, as
    COCO, and drawn over their pictures (`inspection.mask_output` says what lies where).

    A picture that cannot be read becomes a row with the reason, and the run goes on; so does one whose metadata are
    missing, where the bundle takes any. The results appear whole at the end, or not at all; so do the labelled
    pictures.

    Args:
        bundle: a sealed bundle.
        folder: a folder (and the folders in it) or one picture.
        output: the CSV file, results.csv by default; with masks the folder, `results` by default.
        table: names each picture and the metadata that the bundle takes, one row a picture.
        image_column: the column of it that names the pictures; found by itself where it is not given.
        pictures: a folder for the pictures with their labels, and a page with all of them.
        explain: draw heat maps of the pictures that are not called good: into a folder beside the table (results-maps),
            or into that of the labelled pictures.
        explain_good: draw those of good pictures, too.
        scale: millimetres a pixel, for the areas of flaws; by default what the bundle says. With masks only.
        truth: a table of run-length codes, a COCO file or a folder of mask pictures: true outlines are drawn
            beside those found. With masks only.
        draw: whether the pictures are drawn with their flaws. With masks only.
        overwrite: replace a folder that is there.
        threads: how many pictures are worked on at a time; by default one for each core.
        say: is told in words what does not fit in the table.

    Raises:
        BundleError: the bundle is refused.
        DataError: no such folder, no pictures in it, or the table or the truth does not fit.
        MetadataError: the bundle takes metadata, and no table is given.
        OutputError: what is to be written cannot be written, or the folder exists.
    """
    maps = explain or explain_good
    drawn = Drawn.asked(Path(output or RESULTS), Path(pictures) if pictures is not None else None, maps, explain_good)
    if drawn is not None:
        check_place(drawn, Path(folder), Path(output or RESULTS), overwrite)
    contents = read_bundle(bundle)
    runtime = opened(contents, threads)
    if maps:
        check_maps(runtime)
    masks = isinstance(runtime, MaskRuntime)
    check_fits(
        masks=masks,
        table=table is not None or image_column is not None,
        labels=pictures is not None,
        outlines=scale is not None or truth is not None,
    )
    if not masks and Path(output or RESULTS).suffix.lower() != ".csv":
        raise OutputError(f"{output} is no name for a table", "name a .csv file")
    found = find_pictures(folder)
    if words := other_sizes(found, contents.evidence.get("provenance", {}).get("sizes", ()), runtime.preprocess):
        say(f"note: {words}")
    if isinstance(runtime, MaskRuntime):
        asked = Asked(scale, draw, Path(truth) if truth is not None else None, overwrite, say)
        place = Path(output or FOLDER)
        with watched(len(found)) as show:
            return inspect_with_masks(
                runtime, found, Path(folder), place, asked=asked, bundle=Path(bundle).name, show=show
            )
    output = Path(output or RESULTS)
    if drawn is not None:
        drawn.check_names(found, Path(folder))
    if table is not None:
        found = with_metadata(found, runtime, folder, table, image_column=image_column, say=say)
    elif image_column is not None:
        raise UserError("--image-column is a column of a table", "name the table as well: --table FILE")
    with watched(len(found)) as show:
        if drawn is None:
            summary = write_results(output, runtime.task, inspect_folder(runtime, found, show))
        else:
            with new_folder(drawn.target, overwrite=overwrite) as unfinished:
                summary = draw_too(unfinished, runtime, found, output, asked=drawn, bundle=Path(bundle).name, show=show)
    return replace(summary, written=output)


def check_fits(*, masks: bool, table: bool, labels: bool, outlines: bool) -> None:
    """Refuse options that belong to the other kind of bundle.

    Raises:
        DataError: a table for a bundle that makes masks.
        UserError: labelled pictures of one that makes masks, or a scale or a truth for one that makes none.
    """
    if masks and table:
        raise DataError("the bundle takes pictures alone, and no table", "leave out --table and --image-column")
    if masks and labels:
        raise UserError(
            "the bundle makes masks: its pictures lie in the folder of the results, with their page",
            "leave out --pictures, and name that folder with -o",
        )
    if not masks and outlines:
        raise UserError(
            "the bundle decides about whole images: it finds no flaws that have an area, or an outline",
            "leave out --scale and --truth",
        )


@contextmanager
def watched(total: int) -> Iterator[Show]:
    """A bar on the terminal: what to tell how many pictures are done."""
    columns = ("inspecting", BarColumn(), MofNCompleteColumn(), ImagesPerSecond())
    with Progress(*columns, TimeRemainingColumn(), transient=True, disable=not Console().is_terminal) as progress:
        bar = progress.add_task("inspecting", total=total)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def check_place(drawn: Drawn, folder: Path, output: Path, overwrite: bool) -> None:
    """Refuse a folder for what is drawn that would take away, or be taken for, what is inspected.

    Raises:
        OutputError: it exists, it is something else, it cannot be written to, or it overlaps with other files.
    """
    place, what = drawn.target, "labelled pictures" if drawn.labels else "heat maps"
    target, source, written = (path.resolve() for path in (place, folder, output))
    if target == source or source in target.parents or target in source.parents:
        raise OutputError(
            f"{place} overlaps with {folder}: {what} would lie among the pictures to be inspected",
            f"name a {'folder' if drawn.labels else 'table'} elsewhere ({'--pictures' if drawn.labels else '-o'})",
        )
    if target == written or target in written.parents:
        raise OutputError(f"{output} would lie within {place}, which is made anew", "write the table elsewhere (-o)")
    check_replaceable(
        place,
        overwrite,
        "choose another name, or replace it with --overwrite",
        kind=f"a folder of {what}",
        ours=lambda there: sheet.is_sheet(there / SHEET),
    )
    check_writable(place)


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
