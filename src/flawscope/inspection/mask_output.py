"""What an inspection with masks writes of each picture: run-length codes, a row a flaw, COCO, masks and overlays.

masks.csv    ImageId, EncodedPixels, ClassId, as Severstal's contest has them: a row an image and class that it shows
flaws.csv    a row a flaw: image, flaw (from 1), class, area_px, area_mm2, left, top, right, bottom, centroid_x,
             centroid_y, score; a pixel is a square of side 1, right and bottom lie just beyond the last pixel
coco.json    the same flaws as COCO annotations, with packed run-length counts
masks/       PNG of each picture with flaws: of classes that exclude each other one whose values are the numbers of the
             classes (0: none), else one a class, white where it is flawed, in a folder of its class
pictures/    each picture with the outlines of its flaws

Shapes: k classes, h x w pixels.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from flawscope.bundle.mask_runtime import MaskRuntime
from flawscope.bundle.mask_words import mm2
from flawscope.bundle.regions import numbered
from flawscope.coco_counts import encode_part
from flawscope.inspection.folder import Pictures, Progress
from flawscope.inspection.labelled import JPEG, labelled, places
from flawscope.inspection.overlay import LONGEST, overlay
from flawscope.inspection.verdict import Verdict, mask_verdict
from flawscope.machine import on_threads
from flawscope.masks import decode_rle
from flawscope.pages.outlines import colours, laid
from flawscope.preprocess import open_image
from flawscope.records import BoolArray, FoundFlaw, MaskPrediction, Masks, Task
from flawscope.spreadsheet import safe_cell

MASKS, FLAWS, COCO, MASK_FOLDER, PICTURE_FOLDER = "masks.csv", "flaws.csv", "coco.json", "masks", "pictures"
FLAW_COLUMNS = (
    "image", "flaw", "class", "area_px", "area_mm2", "left", "top", "right", "bottom", "centroid_x", "centroid_y",
    "score",
)  # fmt: skip
Truth = Callable[[str, int, int], BoolArray | None]
"""From the name of a picture and its height and width to its true masks, k x h x w; nothing where they are unknown."""


@dataclass(frozen=True)
class Options:
    """What is written beside the tables. `draw`: the pictures with outlines; `truth`: beside the true ones."""

    mm_per_pixel: float | None = None
    draw: bool = True
    truth: Truth | None = None


@dataclass(frozen=True)
class Inspected:
    """One picture, its words, where its overlay lies (nowhere if there is none), and its annotations without ids."""

    prediction: MaskPrediction
    verdict: Verdict
    place: str = ""
    annotations: tuple[dict[str, Any], ...] = field(default=(), repr=False)


def inspect_masks(
    folder: Path, runtime: MaskRuntime, pictures: Pictures, options: Options, on_progress: Progress | None = None
) -> Iterator[Inspected]:
    """Look at each picture, write its masks and its overlay into a folder, and hand on what is to be said of it.

    Of a large picture all is done before the next large one is opened.

    Raises:
        BundleError: the bundle is a draft.
    """
    task = runtime.task
    runtime.predict(())  # refuses drafts
    pngs = places([str(PurePosixPath(name).with_suffix(".png")) for name in pictures.names])
    drawn = places(pictures.names)

    def work(given: tuple[Path, str, str, str]) -> Inspected:
        path, name, png, place = given
        with runtime.alone(path):
            found = runtime.decided(runtime.look(path, always=False))
            found = replace(found, answer=replace(found.answer, name=name))
            words = mask_verdict(task, found, options.mm_per_pixel)
            if found.masks is None:
                return Inspected(found, words)
            annotations = _written_masks(folder / MASK_FOLDER, png, task, found)
            if options.draw:
                _save(_drawn(path, task, found, words, options.truth), folder / PICTURE_FOLDER / place)
            return Inspected(found, words, f"{PICTURE_FOLDER}/{place}" if options.draw else "", annotations)

    items = zip(pictures.paths, pictures.names, pngs, drawn, strict=True)
    for done, each in enumerate(on_threads(work, items, runtime.threads), 1):
        yield each
        if on_progress:
            on_progress(done, len(pictures))


def class_folders(classes: Sequence[str]) -> tuple[str, ...]:
    """A folder name for each class, on any disk.

    >>> class_folders(["crack", "a/b", "Crack"])
    ('crack', 'a_b', 'Crack-2')
    """
    plain = [re.sub(r"[^\w.+-]", "_", name).strip(".") or "class" for name in classes]
    return tuple(place.removesuffix(".png") for place in places([f"{name}.png" for name in plain]))


def _written_masks(folder: Path, png: str, task: Task, found: MaskPrediction) -> tuple[dict[str, Any], ...]:
    """Write the masks of one picture as PNG, and make an annotation of each flaw."""
    masks = found.masks
    assert masks is not None  # only pictures that could be read have come here
    if not found.flaws:
        return ()
    made: list[dict[str, Any]] = []
    flaws = iter(found.flaws)  # class by class, as they are numbered here again
    index_hw = np.zeros((masks.height, masks.width), dtype=np.uint8) if task.pixels == "multiclass" else None
    for k, code in enumerate(masks.codes):
        if not code:
            continue
        mask_hw = decode_rle(code, masks.height, masks.width)
        made += _annotations(k + 1, mask_hw, flaws)
        if index_hw is None:
            target = folder / class_folders(task.classes)[k] / png
            _save(Image.fromarray(mask_hw.astype(np.uint8) * np.uint8(255)), target)
        else:
            index_hw[mask_hw] = k + 1
    if index_hw is not None:
        image = Image.fromarray(index_hw)
        image.putpalette([0, 0, 0, *(value for colour in colours(len(task.classes)) for value in colour)])
        _save(image, folder / png)
    return tuple(made)


def _annotations(category: int, mask_hw: BoolArray, flaws: Iterator[FoundFlaw]) -> Iterator[dict[str, Any]]:
    from scipy import ndimage

    label_hw, rows, columns = numbered(mask_hw, 1)
    for number, (inner_rows, inner_columns) in enumerate(ndimage.find_objects(label_hw), 1):
        flaw = next(flaws)
        left, top, right, bottom = flaw.box
        part_hw = label_hw[inner_rows, inner_columns] == number
        assert (columns.start + inner_columns.start, rows.start + inner_rows.start) == (left, top)
        counts = encode_part(part_hw, left, top, *mask_hw.shape)
        yield {
            "category_id": category,
            "segmentation": {"size": list(mask_hw.shape), "counts": counts},
            "area": flaw.area,
            "bbox": [left, top, right - left, bottom - top],
            "iscrowd": 0,
            "score": flaw.score,
        }


def _drawn(path: Path, task: Task, found: MaskPrediction, words: Verdict, truth: Truth | None) -> Image.Image:
    """The picture with its outlines below the band with its words."""
    masks, name = found.masks, found.answer.name
    assert masks is not None  # only pictures that could be read have come here
    true_khw = truth(name, masks.height, masks.width) if truth else None
    return labelled(overlay(open_image(path), true_khw, _small(masks), task.classes), words, name)


def _small(masks: Masks) -> BoolArray:
    """The masks no larger than they are drawn: of large pictures not all classes are held in full."""
    scale = min(1.0, LONGEST / max(masks.height, masks.width))
    height, width = max(1, round(masks.height * scale)), max(1, round(masks.width * scale))
    return np.stack([laid(decode_rle(code, masks.height, masks.width), height, width) for code in masks.codes])


def _save(image: Image.Image, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix.lower() in JPEG:
        image.save(target, "JPEG", quality=92)
    else:
        image.save(target, "PNG", compress_level=3)


def written_tables(
    folder: Path, task: Task, inspected: Iterable[Inspected], mm_per_pixel: float | None = None
) -> Iterator[Inspected]:
    """Write masks.csv, flaws.csv and coco.json while the pictures come by, and hand them on."""
    images: list[dict[str, Any]] = []
    annotation = 0
    with ExitStack() as stack:

        def opened(name: str) -> Any:
            return stack.enter_context(
                (folder / name).open("w", encoding="utf-8", errors="backslashreplace", newline="")
            )

        codes, flaws = (csv.writer(opened(name), lineterminator="\n") for name in (MASKS, FLAWS))
        coco = opened(COCO)
        codes.writerow(("ImageId", "EncodedPixels", "ClassId"))
        flaws.writerow(FLAW_COLUMNS)
        coco.write('{"info": {"description": "flaws found by flawscope inspect"},\n"categories": ')
        coco.write(json.dumps([{"id": k, "name": name} for k, name in enumerate(task.classes, 1)]))
        coco.write(',\n"annotations": [')
        for each in inspected:
            masks, name = each.prediction.masks, each.prediction.answer.name
            if masks is not None:
                images.append({"id": len(images) + 1, "file_name": name, "width": masks.width, "height": masks.height})
                shown = [(code, of) for code, of in zip(masks.codes, task.classes, strict=True) if code]
                codes.writerows((safe_cell(name), code, safe_cell(of)) for code, of in shown)
                flaws.writerows(flaw_rows(name, each.prediction.flaws, mm_per_pixel))
            for content in each.annotations:
                annotation += 1
                comma = ",\n" if annotation > 1 else "\n"
                coco.write(comma + json.dumps({"id": annotation, "image_id": len(images), **content}))
            yield each
        coco.write('],\n"images": ' + json.dumps(images) + "}\n")


def flaw_rows(name: str, flaws: Sequence[FoundFlaw], mm_per_pixel: float | None = None) -> Iterator[list[Any]]:
    """The rows of flaws.csv of one picture.

    >>> next(flaw_rows("a.png", [FoundFlaw("hole", 8, (0, 0, 2, 4), (1.0, 2.0), 0.5)], 0.5))
    ['a.png', 1, 'hole', 8, 2.0, 0, 0, 2, 4, 1.0, 2.0, 0.5]
    """
    for number, flaw in enumerate(flaws, 1):
        area = mm2(flaw.area, mm_per_pixel) if mm_per_pixel else ""
        x, y = (round(place, 2) for place in flaw.centroid)
        yield [safe_cell(name), number, safe_cell(flaw.name), flaw.area, area, *flaw.box, x, y, round(flaw.score, 4)]
