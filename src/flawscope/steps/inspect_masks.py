"""`flawscope inspect` with a bundle that makes masks: pictures in, flaws out, as tables, masks and drawn outlines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from flawscope.bundle.mask_runtime import MaskRuntime
from flawscope.data.coco import coco_masks, read_coco
from flawscope.data.mask_files import best_suffix
from flawscope.data.mask_table import read_mask_table, table_masks
from flawscope.data.read import read
from flawscope.data.spec import MasksSpec
from flawscope.errors import DataError, OutputError, UserError, listing
from flawscope.inspection.folder import Pictures, Progress
from flawscope.inspection.labelled import Labelled
from flawscope.inspection.mask_output import (
    COCO,
    FLAWS,
    MASKS,
    Inspected,
    Options,
    Truth,
    inspect_masks,
    written_tables,
)
from flawscope.inspection.tables import Summary, write_results
from flawscope.masks import mask_array
from flawscope.pages import sheet
from flawscope.records import BoolArray, MaskPrediction, Task
from flawscope.steps.contact_sheet import SHEET, Tiles
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
    truth = truth_of(asked.truth, runtime.task, pictures, folder) if asked.truth else None
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


def truth_of(path: Path, task: Task, pictures: Pictures, folder: Path) -> Truth:
    """The true masks of pictures, from a table of run-length codes or a COCO file; by path, else by file name alone.

    Or from a folder of mask pictures, at the same places as in the `folder` of the pictures. A picture that the table
    does not name has no flaw, as in Severstal's; of one that COCO does not name, or without a mask, nothing is known.

    Raises:
        DataError: it cannot be read, has other classes, or names none of the pictures.
    """
    if path.is_dir():
        return _drawn_truth(path, task, pictures, folder if folder.is_dir() else folder.parent)
    if path.suffix.lower() == ".json":
        coco = read_coco(path, task.classes)
        known: Iterable[str] = coco.images

        def masks(name: str, height: int, width: int) -> BoolArray | None:
            return coco_masks(coco, name, height, width) if name in coco.images else None
    else:
        table = read_mask_table(path, task.classes)
        known = table.codes

        def masks(name: str, height: int, width: int) -> BoolArray | None:
            return table_masks(table, name, height, width)

    whole = frozenset(known)

    def called(name: str) -> str:
        return name if name in whole else PurePosixPath(name).name

    if not any(called(name) in whole for name in pictures.names):
        raise DataError(
            f"{path} names none of the {len(pictures)} pictures", f"it names {', '.join(sorted(whole)[:3])}"
        )

    def truth(name: str, height: int, width: int) -> BoolArray | None:
        return masks(called(name), height, width)

    return truth


def _drawn_truth(path: Path, task: Task, pictures: Pictures, folder: Path) -> Truth:
    """The masks in a folder: of one class what is bright, of several the value of each pixel, in their order.

    Raises:
        DataError: none belongs to a picture, or one that does cannot be used.
    """
    suffix = best_suffix(pictures.paths, folder, path)
    several = len(task.classes) > 1
    spec = MasksSpec(
        images=folder,
        masks=path,
        suffix=suffix,
        classes=list(task.classes) if several else None,
        flaw=None if several else task.classes[0],
        negative=task.negative,
        on_bad="skip",
    )
    samples = read(spec, Path.cwd(), complete=False)
    bad = [f"{each.where}: {each.reason}" for each in samples.skipped if each.reason.startswith(f"{path}")]
    if bad:
        raise DataError(f"{path}: {counted(len(bad), 'masks')} cannot be used:\n" + listing(bad), "mend or remove them")
    masks = {row.id: row.masks for row in samples.rows}

    def truth(name: str, height: int, width: int) -> BoolArray | None:
        found = masks.get(name)
        return None if found is None else mask_array(found)

    return truth


def _noted(tiles: Tiles, inspected: Iterable[Inspected]) -> Iterator[MaskPrediction]:
    """Hand the predictions on, and note each for the page."""
    for each in inspected:
        tiles.note(Labelled(each.prediction.answer, each.verdict, each.place))
        yield each.prediction
