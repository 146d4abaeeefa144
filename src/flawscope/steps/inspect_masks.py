"""`flawscope inspect` with a bundle that makes masks: pictures in, flaws out, as tables, masks and drawn outlines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from flawscope.bundle.mask_runtime import MaskRuntime
from flawscope.data.mask_files import masks_among
from flawscope.errors import OutputError, UserError
from flawscope.inspection.folder import Pictures, Progress
from flawscope.inspection.labelled import Labelled
from flawscope.inspection.mask_output import (
    COCO,
    FLAWS,
    MASKS,
    Inspected,
    Options,
    inspect_masks,
    written_tables,
)
from flawscope.inspection.tables import Summary, write_results
from flawscope.pages import sheet
from flawscope.records import MaskPrediction
from flawscope.steps.contact_sheet import SHEET, Tiles
from flawscope.steps.inspect_truth import truth_of, without_masks
from flawscope.storage import check_replaceable, check_writable, new_folder
from flawscope.wording import counted

RESULTS = "results.csv"
FOLDER = "results"


@dataclass(frozen=True)
class Asked:
    """What the user asks for beside bundle and pictures."""

    mm_per_pixel: float | None = None
    draw: bool = True
    truth: Path | None = None
    overwrite: bool = False
    say: Callable[[str], None] = lambda words: None


def inspect_with_masks(
    runtime: MaskRuntime, pictures: Pictures, folder: Path, output: Path, *, asked: Asked, bundle: str, show: Progress
) -> Summary:
    """Write a folder with everything that is found, whole or not at all.

    Raises:
        BundleError: the bundle is a draft.
        UserError: a scale that is none.
        DataError: the truth cannot be used.
        OutputError: the folder cannot be written, exists, or overlaps with the pictures.
    """
    if asked.mm_per_pixel is not None and not 0 < asked.mm_per_pixel < math.inf:
        raise UserError(f"a scale of {asked.mm_per_pixel:g} mm a pixel", "give a number above 0: --scale 0.05")
    check_place(output, folder, asked.overwrite)
    runtime.predict(())  # refuses drafts
    scale = asked.mm_per_pixel or (runtime.sealed.masks.mm_per_pixel if runtime.sealed.masks else None)
    truth = None
    if asked.truth:
        pictures = without_masks(pictures, folder, asked.truth)
        truth = truth_of(asked.truth, runtime.task, pictures, folder, asked.say)
    elif folder.is_dir() and (like := sorted(masks_among(pictures.paths, folder, folder))):
        asked.say(
            f"note: {counted(len(like), 'pictures', 'look')} like a mask of another one, such as {like[0].name}: "
            f"inspected all the same; --truth {folder} takes such for true masks"
        )
    tiles = Tiles()
    with new_folder(output, overwrite=asked.overwrite) as unfinished:
        options = Options(scale, asked.draw, truth)
        inspected = inspect_masks(unfinished, runtime, pictures, options, show)
        written = written_tables(unfinished, runtime.task, inspected, scale)
        summary = write_results(unfinished / RESULTS, runtime.task, _noted(tiles, written))
        if asked.draw:
            sheet.write_sheet(unfinished / SHEET, tiles.content(runtime, bundle, summary, scale))
    return replace(summary, written=output)


def check_place(output: Path, folder: Path, overwrite: bool) -> None:
    """Refuse a folder that would take away, or be taken for, what is inspected.

    Raises:
        OutputError: it has the name of a table, exists, cannot be written to, or overlaps with the pictures.
    """
    if output.suffix.lower() == ".csv":
        raise OutputError(
            f"the bundle makes masks: a folder is written, and {output} is the name of a table",
            f"name a folder: -o {output.with_suffix('')}",
        )
    target, source = output.resolve(), folder.resolve()
    if target == source or source in target.parents or target in source.parents:
        raise OutputError(f"{output} overlaps with {folder}, which is inspected", "name a folder elsewhere (-o)")
    check_replaceable(output, overwrite, kind="a folder that `flawscope inspect` wrote", ours=is_written)
    check_writable(output)


def is_written(folder: Path) -> bool:
    """Whether a folder is one that an inspection with masks has written."""
    return all((folder / name).is_file() for name in (RESULTS, MASKS, FLAWS, COCO))


def _noted(tiles: Tiles, inspected: Iterable[Inspected]) -> Iterator[MaskPrediction]:
    """Hand the predictions on, and note each for the page."""
    for each in inspected:
        tiles.note(Labelled(each.prediction.answer, each.verdict, each.place))
        yield each.prediction
