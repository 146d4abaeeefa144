"""What the values of a mask picture mean, and what is read of one at a time: `Shades`.

Binary: dark is good, bright is flawed, from half of white on, so that the noise of a compressed file does not count.
Class index: each value stands for one class, 0 for none. Which of the two it is, and what white is, is told from all
masks of a set together, so a mask is kept as a code for each of its values until all have been read.
Shapes: h x w pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from flawscope.errors import DataError
from flawscope.masks import encode_rle
from flawscope.preprocess import WIDE, open_image

ByteArray = npt.NDArray[np.uint8]
Values = Literal["auto", "binary", "index"]

MOST_CLASSES = 50
HALF = 128
GREY = (32, 224)
"""Values between these are neither black nor white, nor what compression makes of them, but at the edge of a flaw."""
MOST_GREY = 0.1
"""So many pixels may be grey beside each white one, if a set is to be taken for binary without being asked."""
SAVE = "save the mask as PNG with one channel of 8 bits"
SAY = "say what they mean: data.values is binary (flawed from half of white on) or index (each value is a class)"


@dataclass(frozen=True)
class Shades:
    """What one mask holds: how many pixels have each value, and run-length codes of where they are.

    `codes` has those of each value above 0, unless there are more values than there can be classes; `bright` is that of
    all values from 128 on.
    """

    path: Path | None
    height: int
    width: int
    count: Mapping[int, int] = field(default_factory=dict)
    codes: Mapping[int, str] = field(default_factory=dict)
    bright: str = ""


def read_shades(path: Path, height: int, width: int, values: Values = "auto") -> Shades:
    """Read the mask of an image of this size. Of a palette binary masks have the colours, index masks the places.

    With auto a palette that is all grey has colours, and any other has places.

    Raises:
        ImageError: missing, empty, truncated, or no picture.
        DataError: another size than the image, 16 bits, colours, transparent, or a JPEG with class values.
    """
    value_hw = _sized(_values(path, values), path, height, width)
    every = np.bincount(value_hw.ravel(), minlength=256)
    count = {int(value): int(every[value]) for value in np.flatnonzero(every)}
    shown = [value for value in count if value]
    return Shades(
        path=path,
        height=height,
        width=width,
        count=count,
        codes={value: encode_rle(value_hw == value) for value in shown} if len(shown) <= MOST_CLASSES else {},
        bright=encode_rle(value_hw >= HALF) if shown and shown[-1] >= HALF else "",
    )


def counted(masks: Iterable[Shades]) -> Counter[int]:
    """How many pixels of a set of masks have each value."""
    total: Counter[int] = Counter()
    for each in masks:
        total.update(each.count)
    return total


def told_from(count: Mapping[int, int]) -> Literal["binary", "index"]:
    """What the values of a set of masks mean, given how many pixels have each.

    Raises:
        DataError: it cannot be told.

    >>> told_from({0: 900, 1: 100}), told_from({0: 900, 255: 100}), told_from({0: 900, 1: 50, 2: 50})
    ('binary', 'binary', 'index')
    """
    shown = [value for value in count if value]
    if len(shown) <= 1 and (not shown or shown[0] == 1 or shown[0] >= HALF):
        return "binary"
    if max(shown) <= MOST_CLASSES:
        return "index"
    grey = sum(n for value, n in count.items() if GREY[0] <= value < GREY[1])
    white = sum(n for value, n in count.items() if value >= GREY[1])
    if len(shown) > MOST_CLASSES and grey <= MOST_GREY * white:
        return "binary"
    some = ", ".join(str(value) for value in sorted(count)[:8])
    raise DataError(f"the masks have {len(count)} different values: {some}{', ...' if len(count) > 8 else ''}", SAY)


def white_of(count: Mapping[int, int]) -> int:
    """The value of white in a set of binary masks: 1 where no value is above 1, else 255.

    All masks of a set count, since the noise of a compressed mask without a flaw may reach no further than 1.

    Raises:
        DataError: no value is half of white or above.
    """
    top = max(count, default=0)
    if 1 < top < HALF:
        raise DataError(
            f"no mask has a value of half of white, {HALF}, or above: the largest is {top}",
            "do the values stand for classes? Then set data.values: index",
        )
    return 1 if top == 1 else 255


def binary_code(shades: Shades, white: int) -> str:
    """Where a binary mask is flawed: from half of white on."""
    return shades.codes.get(1, "") if white == 1 else shades.bright


def index_codes(shades: Shades, values: Sequence[int], classes: Sequence[str]) -> tuple[str, ...]:
    """Where each class is; `values` holds the value of each.

    Raises:
        DataError: a value that stands for no class.
    """
    unknown = sorted(set(shades.count) - {0, *values})
    if unknown:
        more = f", and {len(unknown) - 5} more values" if len(unknown) > 5 else ""
        said = ", ".join(f"{value} ({shades.count[value]:,} pixels)" for value in unknown[:5])
        meanings = ", ".join(f"{value} {name}" for value, name in ((0, "none"), *zip(values, classes, strict=True)))
        raise DataError(
            f"{shades.path}: values that stand for no class: {said}{more}; expected {meanings} (data.classes)",
            "name the classes that are missing, or, if bright simply means flawed, set data.values: binary",
        )
    return tuple(shades.codes.get(value, "") for value in values)


def _values(path: Path, values: Values) -> ByteArray:
    """The values of a mask, as they stand in the file."""
    image = open_image(path)
    with path.open("rb") as stream:
        start = stream.read(26)
    png = start.startswith(b"\x89PNG")
    depth = 1 if image.mode == "1" else start[24] if png else 8  # Pillow narrows 16-bit colour without a word
    if image.mode in WIDE or depth == 16:
        raise DataError(f"{path}: a mask of more than 8 bits a value", SAVE)
    jpeg = start.startswith(b"\xff\xd8")
    if jpeg and values == "index":
        raise DataError(f"{path}: values that stand for classes do not survive in a JPEG", SAVE)
    # Whether of a palette the colours count or the places in it, and whether few bits are spread to 0..255.
    colours = values == "binary" or (values == "auto" and (jpeg or depth == 1 or _grey_palette(image)))
    if image.mode == "P" and not colours:
        return np.asarray(image)
    if image.has_transparency_data and np.asarray(image.convert("RGBA").getchannel("A")).min() < 255:
        raise DataError(f"{path}: parts of the mask are transparent", f"{SAVE}, and no transparency")
    if image.mode in ("1", "L", "LA"):
        value_hw: ByteArray = np.asarray(image.convert("L"))
        # Pillow spreads grey values of 1, 2 and 4 bits to 0..255: taken back where they stand for classes.
        return value_hw if colours or depth == 8 else value_hw // np.uint8(255 // (2**depth - 1))
    value_hwc = np.asarray(image.convert("RGB"))
    if (value_hwc != value_hwc[..., :1]).any():
        raise DataError(f"{path}: a mask in colours: red, green and blue differ", SAVE)
    return value_hwc[..., 0]


def _grey_palette(image: Image.Image) -> bool:
    """Whether a picture has a palette, and all of it is grey."""
    palette = image.getpalette("RGB") if image.mode == "P" else None
    return palette is not None and palette[::3] == palette[1::3] == palette[2::3]


def _sized(value_hw: ByteArray, path: Path, height: int, width: int) -> ByteArray:
    if value_hw.shape != (height, width):
        raise DataError(
            f"{path}: the mask has {value_hw.shape[1]} x {value_hw.shape[0]} pixels, its image {width} x {height}",
            "a mask has the size of its image: is it that of another image, or has one of the two been resized?",
        )
    return value_hw
