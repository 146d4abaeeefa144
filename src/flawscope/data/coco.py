"""Masks from a COCO file: polygons, and run-length counts, plain or packed.

Source of the format: https://cocodataset.org/#format-data. Shapes: k classes, h x w pixels, n points.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.coco_counts import decode_counts
from flawscope.errors import DataError, choices, listing
from flawscope.masks import filled
from flawscope.records import BoolArray, FloatArray

OVERSHOOT = 0.01
"""How far points may lie beyond the image, as a share of its longer side (2 pixels at least): programs round."""


@dataclass(frozen=True)
class Shape:
    """One annotation: what messages call it, its class, and what the file says of its outline."""

    where: str
    name: str
    segmentation: Any


@dataclass(frozen=True)
class CocoImage:
    """One image of the file; its size, where it is told, and what is drawn on it. No shapes: no flaw."""

    name: str
    height: int | None
    width: int | None
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Coco:
    """The images of a COCO file by file name, and the classes in the order of their ids."""

    path: Path
    classes: tuple[str, ...]
    images: Mapping[str, CocoImage]


def read_coco(path: str | Path, classes: Sequence[str] | None = None) -> Coco:
    """Read a COCO file; the outlines are filled later. Without `classes` they are all categories of the file.

    Raises:
        DataError: no such file, no JSON, no COCO file, or images, categories and annotations that cannot be used, such
            as those that are boxes only; lists them.
    """
    images, categories, annotations = _parts(Path(path))
    bad: list[str] = []
    names = _named(categories, "name", "category", bad)
    files = _named(images, "file_name", "image", bad)
    wanted = tuple(classes) if classes is not None else tuple(names[id] for id in sorted(names, key=_order))
    shapes: dict[Any, list[Shape]] = {id: [] for id in files}
    for place, annotation in enumerate(annotations):
        shape = _shape(annotation, place, files, names, wanted)
        if isinstance(shape, str):
            bad.append(shape)
        else:
            shapes[annotation["image_id"]].append(shape)
    if bad:
        raise DataError(
            f"{path}: {len(bad)} images, categories or annotations cannot be used:\n" + listing(bad),
            "mend or remove them, and export again",
        )
    if not files:
        raise DataError(f"{path}: names no image", "expected a COCO file with images, annotations and categories")
    sizes = {image["id"]: (_side(image.get("height")), _side(image.get("width"))) for image in images}
    return Coco(
        path=Path(path),
        classes=wanted,
        images={name: CocoImage(name, *sizes[id], tuple(shapes[id])) for id, name in files.items()},
    )


def coco_masks(coco: Coco, image: str, height: int, width: int) -> BoolArray:
    """The masks of one image, in the order of `coco.classes`. Parts of one annotation, and annotations, are united.

    Raises:
        DataError: the file does not name the image or gives it another size; an outline with too few points, beyond
            the image, or without any pixel; bad counts (`decode_counts`).
    """
    if image not in coco.images:
        some = ", ".join(list(coco.images)[:3])
        raise DataError(f"{coco.path}: names no image {image!r}", f"it names {len(coco.images)} images, such as {some}")
    known = coco.images[image]
    if (known.height or height, known.width or width) != (height, width):
        raise DataError(
            f"{coco.path.name}: {image} is {known.width or width} x {known.height or height} pixels there, "
            f"the picture {width} x {height}",
            "has the picture been resized, or turned, after it was annotated?",
        )
    mask_khw = np.zeros((len(coco.classes), height, width), dtype=np.bool_)
    for shape in known.shapes:
        where = f"{coco.path.name}, {shape.where}"
        mask_hw = _filled_shape(shape.segmentation, height, width, where)
        if not mask_hw.any():
            raise DataError(f"{where}: covers no pixel", "draw it larger, or remove it")
        mask_khw[coco.classes.index(shape.name)] |= mask_hw
    return mask_khw


def fill_polygon(xy_n2: FloatArray, height: int, width: int) -> BoolArray:
    """The pixels whose centre lies inside a polygon; (0, 0) is the corner of the first pixel, its centre (0.5, 0.5).

    Where the outline crosses itself, inside is what an odd number of crossings leads into. A centre on the outline
    belongs to what lies right of it or below. Pillow and OpenCV paint the outline, too: a flaw of 8 pixels radius
    would become a quarter to a third too large.

    >>> fill_polygon(np.array([[1.0, 0.0], [3.0, 0.0], [3.0, 2.0], [1.0, 2.0]]), 3, 4).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    after_n2 = np.roll(xy_n2, -1, axis=0)
    # Each side from above to below, so that two polygons that share one round it alike and share no pixel.
    falls = (xy_n2[:, 1] <= after_n2[:, 1])[:, None]
    (x0, y0), (x1, y1) = np.where(falls, xy_n2, after_n2).T, np.where(falls, after_n2, xy_n2).T
    # The rows whose centre line each side crosses, one entry a crossing.
    first = np.clip(np.ceil(y0 - 0.5), 0, height).astype(np.int64)
    rows = np.clip(np.ceil(y1 - 0.5), 0, height).astype(np.int64) - first
    side = np.repeat(np.arange(len(rows)), rows)
    row = np.arange(len(side)) + np.repeat(first - (np.cumsum(rows) - rows), rows)
    x = x0[side] + (row + 0.5 - y0[side]) * (x1 - x0)[side] / (y1 - y0)[side]
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    return filled(np.sort(row * width + column), height * width).reshape(height, width)


def _parts(path: Path) -> tuple[list[Any], list[Any], list[Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError(f"{path}: the file does not exist", "give the path of a COCO file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})", "give the path of a COCO file") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: no JSON ({error})", "give the path of a COCO file") from None
    parts = [content.get(key) if isinstance(content, dict) else None for key in ("images", "categories", "annotations")]
    if not all(isinstance(part, list) for part in parts):
        raise DataError(f"{path}: no COCO file", "expected an object with lists of images, categories and annotations")
    images, categories, annotations = parts
    return images or [], categories or [], annotations or []


def _named(entries: Sequence[Any], key: str, what: str, bad: list[str]) -> dict[Any, str]:
    """The name of each id; what lacks one of them, or shares it with another, is bad."""
    usable = []
    for place, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or type(entry.get("id")) not in (int, str):
            bad.append(f"{what} {place}: has no id")
        elif not isinstance(entry.get(key), str) or not entry[key].strip():
            bad.append(f"{what} {entry['id']}: has no {key}")
        else:
            usable.append(entry)
    for shared in ("id", key):
        for value, n in Counter(entry[shared] for entry in usable).items():
            if n > 1:
                bad.append(f"{n} of {what}: have the {shared} {value!r}")
    return {entry["id"]: entry[key] for entry in usable}


def _shape(
    annotation: Any, place: int, files: Mapping[Any, str], names: Mapping[Any, str], classes: Sequence[str]
) -> Shape | str:
    """An annotation, or in words why it cannot be used."""
    if not isinstance(annotation, dict):
        return f"annotation {place + 1}: is no object"
    where = f"annotation {annotation.get('id', f'at place {place + 1}')}"
    image, category = (annotation.get(key) for key in ("image_id", "category_id"))
    if type(image) not in (int, str) or image not in files:
        return f"{where}: there is no image {image!r}"
    where = f"{where} ({files[image]})"
    if type(category) not in (int, str) or category not in names:
        return f"{where}: there is no category {category!r}"
    if names[category] not in classes:
        return f"{where}: no class is called {names[category]!r}; {choices(names[category], classes)}"
    if not annotation.get("segmentation"):
        return (
            f"{where}: {'a box only' if annotation.get('bbox') else 'nothing drawn'}, an outline or counts are needed"
        )
    return Shape(where, names[category], annotation["segmentation"])


def _order(id: Any) -> tuple[bool, Any]:
    return isinstance(id, str), id


def _side(value: Any) -> int | None:
    return int(value) if type(value) in (int, float) and value > 0 and value == int(value) else None


def _filled_shape(segmentation: Any, height: int, width: int, where: str) -> BoolArray:
    if isinstance(segmentation, dict):
        size, counts = segmentation.get("size"), segmentation.get("counts")
        if size != [height, width]:
            raise DataError(
                f"{where}: the counts are of size {size}, the image has [{height}, {width}] (height, width)",
                "has the picture been resized, or turned, after it was annotated?",
            )
        return decode_counts(counts if isinstance(counts, str) else counts or [], height, width, where)
    if not isinstance(segmentation, list) or not all(isinstance(part, list) for part in segmentation):
        raise DataError(f"{where}: the segmentation is neither counts nor a list of polygons", "export it again")
    mask_hw = np.zeros((height, width), dtype=np.bool_)
    for part in segmentation:
        mask_hw |= fill_polygon(_points(part, height, width, where), height, width)
    return mask_hw


def _points(part: Sequence[Any], height: int, width: int, where: str) -> FloatArray:
    remedy = "expected x and y of three points or more: [x1, y1, x2, y2, x3, y3]"
    if len(part) % 2 or len(part) < 6:
        raise DataError(f"{where}: a polygon of {len(part)} numbers", remedy)
    if not all(type(value) in (int, float) and abs(value) < 1e9 for value in part):
        raise DataError(f"{where}: a polygon with something that is no coordinate", remedy)
    xy_n2 = np.array(part, dtype=np.float64).reshape(-1, 2)
    most = max(2.0, OVERSHOOT * max(height, width))
    beyond_n = ((xy_n2 < -most) | (xy_n2 > np.array([width, height]) + most)).any(axis=1)
    if beyond_n.any():
        x, y = xy_n2[beyond_n.argmax()]
        raise DataError(
            f"{where}: the point ({x:g}, {y:g}) lies beyond the image of {width} x {height} pixels",
            "was it drawn on another size of the picture?",
        )
    return xy_n2
