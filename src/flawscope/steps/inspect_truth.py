"""What is true of the pictures that `flawscope inspect` inspects, for the outlines that it draws beside its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from flawscope.data.coco import coco_masks, read_coco
from flawscope.data.mask_files import best_suffix, masks_among
from flawscope.data.mask_table import read_mask_table, table_masks
from flawscope.data.masked import match_names
from flawscope.data.read import read
from flawscope.data.spec import MasksSpec
from flawscope.errors import DataError, listing
from flawscope.inspection.folder import Pictures
from flawscope.inspection.mask_output import Truth
from flawscope.masks import mask_array
from flawscope.records import BoolArray, Task
from flawscope.wording import counted

NAMES = (
    "a mask has the name of its picture, perhaps with an ending such as _mask, and lies at the same place in the "
    "folder of masks (--truth), or beside its picture, as PNG; of one class what is bright is flawed, of several the "
    "value of a pixel is its class; what an inspection found stands in its masks.csv, which can be named as well"
)


def without_masks(pictures: Pictures, folder: Path, truth: Path) -> Pictures:
    """The pictures below the folder that are to be inspected: masks that lie beside or among them are none.

    Raises:
        DataError: all of them are masks.
    """
    if not (truth.is_dir() and folder.is_dir()):
        return pictures
    masks = masks_among(pictures.paths, folder, truth)
    kept = [place for place, path in enumerate(pictures.paths) if path not in masks]
    if not kept:
        raise DataError(f"{truth}: all pictures of {folder} are in this folder of masks", NAMES)
    return replace(
        pictures,
        paths=tuple(pictures.paths[place] for place in kept),
        names=tuple(pictures.names[place] for place in kept),
    )


def truth_of(path: Path, task: Task, pictures: Pictures, folder: Path, say: Callable[[str], None]) -> Truth:
    """The true masks of pictures, from a table of run-length codes or a COCO file, with names as in data to learn from.

    Or from a folder of mask pictures, at the same places as in the `folder` of the pictures. A picture that the table
    does not name has no flaw, as in Severstal's; of one that COCO does not name, or without a mask, nothing is known.
    Names that fit no picture are told to `say`.

    Raises:
        DataError: it cannot be read, has other classes, or names none of the pictures.
    """
    root = folder if folder.is_dir() else folder.parent
    if path.is_dir():
        return _drawn_truth(path, task, pictures, root)
    if path.suffix.lower() == ".json":
        coco = read_coco(path, task.classes)
        known: Iterable[str] = coco.images

        def masks(name: str | None, height: int, width: int) -> BoolArray | None:
            return None if name is None else coco_masks(coco, name, height, width)
    else:
        table = read_mask_table(path, task.classes)
        known = table.codes

        def masks(name: str | None, height: int, width: int) -> BoolArray | None:
            return table_masks(table, name or "", height, width)

    called, strays = match_names(known, dict.fromkeys(known, path.name), pictures.paths, root)
    if not called:
        raise DataError(f"{path} names none of the {len(pictures)} pictures", f"it names {', '.join(list(known)[:3])}")
    if strays:
        say(f"note: {path.name}: {counted(len(strays), 'names', 'fit')} no picture here, such as {strays[0].reason}")
    by_name = {name: called.get(picture) for name, picture in zip(pictures.names, pictures.paths, strict=True)}
    return lambda name, height, width: masks(by_name[name], height, width)


def _drawn_truth(path: Path, task: Task, pictures: Pictures, folder: Path) -> Truth:
    """The masks in a folder: of one class what is bright, of several the value of each pixel, in their order.

    Raises:
        DataError: none belongs to a picture, or one that does cannot be used.
    """
    apart = None if path.resolve() == folder.resolve() else path
    several = len(task.classes) > 1
    try:
        spec = MasksSpec(
            images=folder,
            masks=apart,
            suffix=best_suffix(pictures.paths, folder, apart),
            classes=list(task.classes) if several else None,
            flaw=None if several else task.classes[0],
            negative=task.negative,
            on_bad="skip",
        )
        samples = read(spec, Path.cwd(), complete=False)
    except DataError as error:  # its remedy names keys of a recipe, and there is none here
        raise DataError(error.problem, NAMES) from error
    # What is wrong with a picture itself is told in its own row; what is wrong with a mask begins with the mask's path.
    place = str(Path.cwd() / path)
    bad = [f"{each.where}: {each.reason}" for each in samples.skipped if each.reason.startswith(place)]
    if bad:
        raise DataError(f"{path}: {counted(len(bad), 'masks')} cannot be used:\n" + listing(bad), "mend or remove them")
    masks = {row.id: row.masks for row in samples.rows}

    def truth(name: str, height: int, width: int) -> BoolArray | None:
        found = masks.get(name)
        return None if found is None else mask_array(found)

    return truth
