"""Masks from picture files, beside the images or in a folder of their own, under the name of the image.

Two kinds. Binary: dark is good, bright is flawed, from half of white on, so that the noise of a compressed file does
not count; what the flaw is called is known from elsewhere. Class index: each value stands for one class, 0 for none.
Shapes: k classes, h x w pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from flawscope.data.table import walk_images
from flawscope.errors import DataError, choices
from flawscope.metadata import composed
from flawscope.preprocess import WIDE, open_image
from flawscope.records import BoolArray

ByteArray = npt.NDArray[np.uint8]

_SAVE = "save the mask as PNG with one channel of 8 bits"


@dataclass(frozen=True)
class MaskPairs:
    """Which mask belongs to which image; `without` are images that have none, `strays` masks that fit no image."""

    masks: dict[Path, Path]
    without: tuple[Path, ...]
    strays: tuple[Path, ...]


def pair_masks(images: Sequence[Path], root: Path, mask_root: Path | None = None) -> MaskPairs:
    """Find the mask of each image by its stem: beside it, or at the same place below `mask_root`.

    Beside the image a mask is a PNG, and no PNG is an image then. In a folder of their own masks may be any pictures.
    Case does not count.

    Raises:
        DataError: no such folder, two masks of one image, two images with one mask, or no mask at all.
    """
    if mask_root is not None and not mask_root.is_dir():
        raise DataError(f"{mask_root}: the folder of masks does not exist", "name the folder of the masks")
    base = root if mask_root is None else mask_root
    pictures = set(images)
    found: dict[str, Path] = {}
    for path in walk_images(base):
        if mask_root is None and (path.suffix.lower() != ".png" or path in pictures):
            continue
        other = found.setdefault(_key(path, base), path)
        if other != path:
            raise DataError(f"two masks of one name: {other} and {path}", "remove the one that does not count")
    masks: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    without = []
    for image in images:
        mask = found.get(_key(image, root))
        if mask is None:
            without.append(image)
            continue
        if mask in taken:
            raise DataError(f"{mask} is the mask of two images: {taken[mask]} and {image}", "give them other names")
        masks[image], taken[mask] = mask, image
    if not masks:
        where = "beside the images" if mask_root is None else f"in {mask_root}"
        raise DataError(
            f"no image of {len(images)} has a mask {where}",
            "a mask has the name of its image, and lies beside it (as PNG) or at the same place in the folder of masks",
        )
    return MaskPairs(masks, tuple(without), tuple(path for path in found.values() if path not in taken))


def white_value(paths: Iterable[Path]) -> int:
    """The value of white in a set of binary masks: 1 where none of them has a value above 1, else 255.

    All masks of a set are asked, since the noise of a compressed mask without a flaw may reach no further than 1.

    Raises:
        ImageError, DataError: a mask cannot be used.
    """
    top = max((int(_values(path, colours=True).max()) for path in paths), default=0)
    if 1 < top < 128:
        raise DataError(
            f"no mask has a value of half of white, 128, or above: the largest is {top}",
            "do the values stand for classes? Then take the masks as class index",
        )
    return 1 if top == 1 else 255


def binary_masks(
    path: Path, flaw: str, classes: Sequence[str], height: int, width: int, *, white: int = 255
) -> BoolArray:
    """The masks of a binary picture whose flaw is one of the classes: set from half of white (128 of 255) on.

    Raises:
        ImageError: missing, empty, truncated, or no picture.
        DataError: another size than the image, 16 bits, colours, values above white, or no such class.
    """
    if flaw not in classes:
        raise DataError(f"{path}: no class is called {flaw!r}", choices(flaw, classes))
    value_hw = _sized(_values(path, colours=True), path, height, width)
    if value_hw.max() > white:
        raise DataError(
            f"{path}: has the value {value_hw.max()}, where 0 is good and {white} flawed", "ask for white = 255"
        )
    mask_khw = np.zeros((len(classes), height, width), dtype=np.bool_)
    mask_khw[list(classes).index(flaw)] = value_hw >= (white + 1) // 2
    return mask_khw


def index_masks(path: Path, classes: Sequence[str], height: int, width: int) -> BoolArray:
    """The masks of a picture whose values are 0 for none and i for the i-th class. Of a palette the index counts.

    Raises:
        ImageError: missing, empty, truncated, or no picture.
        DataError: another size than the image, 16 bits, colours, a JPEG, or a value that stands for no class.
    """
    value_hw = _sized(_values(path, colours=False), path, height, width)
    count = np.bincount(value_hw.ravel())
    unknown = np.flatnonzero(count[len(classes) + 1 :]) + len(classes) + 1
    if unknown.size:
        more = f", and {unknown.size - 5} more values" if unknown.size > 5 else ""
        said = ", ".join(f"{value} ({count[value]:,} pixels)" for value in unknown[:5])
        meanings = ", ".join(f"{i} {name}" for i, name in enumerate(("none", *classes)))
        raise DataError(
            f"{path}: values that stand for no class: {said}{more}; expected {meanings}",
            "name the classes that are missing, or, if bright simply means flawed, take the masks as binary",
        )
    mask_khw: BoolArray = value_hw == np.arange(1, len(classes) + 1)[:, None, None]
    return mask_khw


def _key(path: Path, root: Path) -> str:
    return composed(path.relative_to(root).with_suffix("").as_posix()).casefold()


def _values(path: Path, *, colours: bool) -> ByteArray:
    """The values of a mask, as they stand in the file. `colours`: those of the palette, where there is one."""
    image = open_image(path)
    with path.open("rb") as stream:
        start = stream.read(26)
    png = start.startswith(b"\x89PNG")
    depth = 1 if image.mode == "1" else start[24] if png else 8  # Pillow narrows 16-bit colour without a word
    if image.mode in WIDE or depth == 16:
        raise DataError(f"{path}: a mask of more than 8 bits a value", _SAVE)
    if start.startswith(b"\xff\xd8") and not colours:
        raise DataError(f"{path}: values that stand for classes do not survive in a JPEG", _SAVE)
    if image.mode == "P" and not colours:
        return np.asarray(image)
    if image.has_transparency_data and np.asarray(image.convert("RGBA").getchannel("A")).min() < 255:
        raise DataError(f"{path}: parts of the mask are transparent", f"{_SAVE}, and no transparency")
    if image.mode in ("1", "L", "LA"):
        value_hw: ByteArray = np.asarray(image.convert("L"))
        # Pillow spreads grey values of 1, 2 and 4 bits to 0..255: taken back where they stand for classes.
        return value_hw if colours or depth == 8 else value_hw // np.uint8(255 // (2**depth - 1))
    value_hwc = np.asarray(image.convert("RGB"))
    if (value_hwc != value_hwc[..., :1]).any():
        raise DataError(f"{path}: a mask in colours: red, green and blue differ", _SAVE)
    return value_hwc[..., 0]


def _sized(value_hw: ByteArray, path: Path, height: int, width: int) -> ByteArray:
    if value_hw.shape != (height, width):
        raise DataError(
            f"{path}: the mask has {value_hw.shape[1]} x {value_hw.shape[0]} pixels, its image {width} x {height}",
            "a mask has the size of its image: is it that of another image, or has one of the two been resized?",
        )
    return value_hw
