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

from flawscope.data.mask_colours import Colour, black_is_no_ground, colours_of_places, counted_colours, listed, numbered
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
MOST_GREY_LOSSY = 0.5
"""So many in a set of JPEG: it smears the edges of small flaws."""
SAVE = "save the mask as PNG with one channel of 8 bits"
NAME = "say which colour is which class (data.colours: {crack: [255, 0, 0], ...}), or save the mask with one channel"
SAVE_COLOURS = "save the mask as PNG"
SAY = "say what they mean: data.values is binary (flawed from half of white on) or index (each value is a class)"


@dataclass(frozen=True)
class Shades:
    """What one mask holds: how many pixels have each value, and run-length codes of where they are.

    `codes` has those of each value above 0, unless there are more values than there can be classes; `bright` is that of
    all values from 128 on. `palette` holds the colour of each value that is a place in a palette, and `lossy` says that
    the file is a JPEG.
    """

    path: Path | None
    height: int
    width: int
    count: Mapping[int, int] = field(default_factory=dict)
    codes: Mapping[int, str] = field(default_factory=dict)
    bright: str = ""
    palette: Mapping[int, Colour] = field(default_factory=dict)
    lossy: bool = False


@dataclass(frozen=True)
class Colours:
    """The colours that stand for classes, in order, and that of what is good, beside black; none: no colours do."""

    classes: tuple[Colour, ...] = ()
    good: Colour | None = None


def read_shades(path: Path, height: int, width: int, values: Values = "auto", colours: Colours = Colours()) -> Shades:
    """Read the mask of an image of this size. Of a palette binary masks have the colours, index masks the places.

    With auto a palette that is all grey has colours, and any other has places. With `colours` values are the numbers
    of these.

    Raises:
        ImageError: missing, empty, truncated, or no picture.
        DataError: another size than the image, more than 8 bits are used, colours that are not named, transparent, or a
            JPEG with class values.
    """
    opened = _opened(path, values, colours)
    value_hw = _sized(_values(opened, values, colours), path, height, width)
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
        palette={} if colours.classes or _by_colour(opened, values) else colours_of_places(opened.image),
        lossy=opened.jpeg,
    )


def counted(masks: Iterable[Shades]) -> Counter[int]:
    """How many pixels of a set of masks have each value."""
    total: Counter[int] = Counter()
    for each in masks:
        total.update(each.count)
    return total


def told_from(count: Mapping[int, int], *, lossy: bool = False) -> Literal["binary", "index"]:
    """What the values of a set of masks mean, given how many pixels have each, and whether any is a JPEG.

    Raises:
        DataError: it cannot be told, or it is a JPEG with values that stand for classes.

    >>> told_from({0: 900, 1: 100}), told_from({0: 900, 255: 100}), told_from({0: 900, 1: 50, 2: 50})
    ('binary', 'binary', 'index')
    """
    shown = [value for value in count if value]
    grey = sum(n for value, n in count.items() if GREY[0] <= value < GREY[1])
    white = sum(n for value, n in count.items() if value >= GREY[1])
    if lossy and white and grey <= MOST_GREY_LOSSY * white:
        return "binary"
    if lossy and shown and max(shown) <= MOST_CLASSES:
        raise DataError("the masks are JPEG: values that stand for classes do not survive in them", SAVE)
    if len(shown) <= 1 and (not shown or shown[0] == 1 or shown[0] >= HALF):
        return "binary"
    if max(shown) <= MOST_CLASSES:
        return "index"
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


def check_palettes(masks: Iterable[Shades]) -> None:
    """Refuse masks whose palettes contradict each other: the same value would stand for two classes.

    Raises:
        DataError: a value has two colours, or 0 has one where another value is black.
    """
    first: dict[int, tuple[Colour, Path | None]] = {}
    for each in masks:
        if black_is_no_ground(each.palette):
            raise DataError(f"{each.path}: 0 stands for none, and is {list(each.palette[0])} in the palette", NAME)
        for value, colour in each.palette.items():
            other, path = first.setdefault(value, (colour, each.path))
            if other != colour:
                raise DataError(
                    f"the palettes of the masks differ: {value} is {list(other)} in {path}, and {list(colour)} in "
                    f"{each.path}",
                    NAME,
                )


@dataclass(frozen=True)
class _Opened:
    """A mask as a picture, and what its file says of it; `depth` is the bits of a value in a PNG, else 8."""

    path: Path
    image: Image.Image
    jpeg: bool
    depth: int


def _opened(path: Path, values: Values, colours: Colours) -> _Opened:
    image = open_image(path)
    with path.open("rb") as stream:
        start = stream.read(26)
    png = start.startswith(b"\x89PNG")
    opened = _Opened(
        path,
        image,
        jpeg=start.startswith(b"\xff\xd8"),
        depth=1 if image.mode == "1" else start[24] if png else 8,
    )
    # Pillow narrows 16-bit colour without a word.
    if opened.depth == 16 and image.mode not in WIDE:
        raise DataError(f"{path}: a mask of more than 8 bits a value", SAVE)
    if opened.jpeg and colours.classes:
        raise DataError(f"{path}: colours that stand for classes do not survive in a JPEG", SAVE_COLOURS)
    if opened.jpeg and values == "index":
        raise DataError(f"{path}: values that stand for classes do not survive in a JPEG", SAVE)
    return opened


def _values(opened: _Opened, values: Values, colours: Colours) -> ByteArray:
    """The values of a mask, as they stand in the file, or the numbers of its colours."""
    path, image = opened.path, opened.image
    if image.mode in WIDE:
        return _narrowed(image, path)
    by_colour = _by_colour(opened, values)
    if image.mode == "P" and not by_colour and not colours.classes:
        return np.asarray(image)
    if image.has_transparency_data and np.asarray(image.convert("RGBA").getchannel("A")).min() < 255:
        raise DataError(f"{path}: parts of the mask are transparent", f"{SAVE}, and no transparency")
    if colours.classes:
        return numbered(image, colours.classes, colours.good, path)
    if image.mode in ("1", "L", "LA"):
        value_hw: ByteArray = np.asarray(image.convert("L"))
        # Pillow spreads grey values of 1, 2 and 4 bits to 0..255: taken back where they stand for classes.
        spread = by_colour or (values == "auto" and opened.depth == 1) or opened.depth == 8
        return value_hw if spread else value_hw // np.uint8(255 // (2**opened.depth - 1))
    value_hwc = np.asarray(image.convert("RGB"))
    if (value_hwc != value_hwc[..., :1]).any():
        raise DataError(f"{path}: a mask in colours: {listed(counted_colours(image))}", NAME)
    return value_hwc[..., 0]


def _narrowed(image: Image.Image, path: Path) -> ByteArray:
    """The values of a mask of 16 or more bits, where 8 would do: none above 255, or black and white only.

    Raises:
        DataError: 8 bits do not do.
    """
    wide_hw = np.asarray(image)
    if image.mode != "F" and (np.isin(wide_hw, (0, 65_535))).all():
        return (255 * (wide_hw > 0)).astype(np.uint8)
    value_hw: ByteArray = np.clip(wide_hw, 0, 255).astype(np.uint8)
    if not np.array_equal(value_hw, wide_hw):
        raise DataError(
            f"{path}: a mask of more than 8 bits a value, from {wide_hw.min():g} to {wide_hw.max():g}", SAVE
        )
    return value_hw


def _by_colour(opened: _Opened, values: Values) -> bool:
    """Whether of a palette the colours count, or the places in it."""
    return values == "binary" or (values == "auto" and (opened.jpeg or _grey_palette(opened.image)))


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
