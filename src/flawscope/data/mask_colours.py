"""Masks in which colours stand for classes: what colours a picture holds, and from colours to the number of the class.

Shapes: h x w pixels, c = 3 channels, k classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from flawscope.errors import DataError, ImageError
from flawscope.preprocess import open_image

ByteArray = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)
MOST = 16
"""Of more colours than these a picture is a photo, or a mask with the noise of compression."""
SHOWN = 6
NAMES: Mapping[Colour, str] = {
    BLACK: "black", (255, 255, 255): "white", (255, 0, 0): "red", (0, 255, 0): "green", (0, 0, 255): "blue",
    (255, 255, 0): "yellow", (0, 255, 255): "cyan", (255, 0, 255): "magenta", (128, 0, 0): "dark red",
    (0, 128, 0): "dark green", (0, 0, 128): "dark blue", (128, 128, 0): "olive", (128, 128, 128): "grey",
    (255, 165, 0): "orange",
}  # fmt: skip


def name_of(colour: Colour) -> str:
    """What a colour is called where nobody has said what it means.

    >>> name_of((255, 0, 0)), name_of((12, 34, 56))
    ('red', 'colour 12 34 56')
    """
    return NAMES.get(colour) or f"colour {' '.join(map(str, colour))}"


def counted_colours(image: Image.Image) -> Counter[Colour]:
    """How many pixels of a picture have each colour.

    >>> counted_colours(Image.new("RGB", (4, 2), "red"))
    Counter({(255, 0, 0): 8})
    """
    colour_n, count_n = np.unique(_packed(np.asarray(image.convert("RGB"))), return_counts=True)
    return Counter({_unpacked(colour): n for colour, n in zip(colour_n.tolist(), count_n.tolist(), strict=True)})


def colours_of_places(image: Image.Image) -> dict[int, Colour]:
    """The colours of those places of a palette that a picture shows; nothing where it has none.

    >>> image = Image.new("P", (2, 1), 1)
    >>> image.putpalette([0, 0, 0, 255, 0, 0])
    >>> colours_of_places(image)
    {1: (255, 0, 0)}
    """
    if image.mode != "P":
        return {}
    flat = image.getpalette("RGB") or []
    places = [place for place in np.unique(np.asarray(image)).tolist() if 3 * place + 2 < len(flat)]
    return {place: (flat[3 * place], flat[3 * place + 1], flat[3 * place + 2]) for place in places}


def in_colours(masks: Sequence[Path]) -> bool:
    """Whether only colours tell the classes of some masks apart: they are in colours, or have palettes that differ.

    Places in one palette stand for classes, whatever their colours. Only what is in colours is decoded.
    """
    first: dict[int, Colour] = {}
    for path in masks:
        try:
            with Image.open(path) as header:
                mode = header.mode
            image = open_image(path) if mode in ("P", "RGB", "RGBA") else None
        except (ImageError, OSError):
            continue
        if image is None:
            continue
        if image.mode != "P" and any(len(set(colour)) > 1 for colour in counted_colours(image)):
            return True
        places = colours_of_places(image)
        if black_is_no_ground(places) or any(first.setdefault(*each) != each[1] for each in places.items()):
            return True
    return False


def black_is_no_ground(places: Mapping[int, Colour]) -> bool:
    """Whether a palette has black at another place than 0, which means none, and a colour there.

    >>> black_is_no_ground({0: (255, 0, 0), 1: (0, 0, 0)}), black_is_no_ground({0: (0, 0, 0), 1: (255, 0, 0)})
    (True, False)
    """
    return places.get(0, BLACK) != BLACK and BLACK in places.values()


def listed(count: Mapping[Colour, int]) -> str:
    """Colours in words, the most frequent first.

    >>> listed({(0, 0, 0): 9, (255, 0, 0): 3})
    '[0, 0, 0] (9 pixels), [255, 0, 0] (3 pixels)'
    """
    every = sorted(count.items(), key=lambda each: -each[1])
    more = f" and {len(every) - SHOWN:,} more" if len(every) > SHOWN else ""
    return ", ".join(f"{list(colour)} ({n:,} pixels)" for colour, n in every[:SHOWN]) + more


def numbered(image: Image.Image, colours: Sequence[Colour], good: Colour | None, path: Path) -> ByteArray:
    """The number of its class for each pixel, from 1 in the order of `colours`; 0 for black and for `good`, h x w.

    Raises:
        DataError: a colour that stands for nothing.

    >>> numbered(Image.new("RGB", (2, 1), "red"), [(0, 0, 255), (255, 0, 0)], None, Path("a.png")).tolist()
    [[2, 2]]
    """
    packed_hw = _packed(np.asarray(image.convert("RGB")))
    number_hw = np.zeros(packed_hw.shape, dtype=np.uint8)
    known_hw = np.zeros(packed_hw.shape, dtype=np.bool_)
    for number, colour in [*((0, each) for each in (BLACK, good) if each), *enumerate(colours, 1)]:
        here_hw = packed_hw == _pack(colour)
        number_hw[here_hw], known_hw = number, known_hw | here_hw
    if not known_hw.all():
        odd_n, count_n = np.unique(packed_hw[~known_hw], return_counts=True)
        odd = {_unpacked(colour): n for colour, n in zip(odd_n.tolist(), count_n.tolist(), strict=True)}
        raise DataError(
            f"{path}: colours that stand for no class (data.colours): {listed(odd)}",
            "name the colours that are missing; where edges were smoothed or the file compressed, save the mask anew "
            "with the colours of its classes only",
        )
    return number_hw


def guess_colours(masks: Sequence[Path], good: str) -> dict[str, Colour] | None:
    """A name for each colour of some masks, if they are in colours, and few; else nothing.

    Where no pixel is black, the most frequent colour is that of `good`.
    """
    total: Counter[Colour] = Counter()
    for path in masks:
        try:
            total += counted_colours(open_image(path))
        except ImageError:
            return None
        if len(total) > MOST:
            return None
    if all(red == green == blue for red, green, blue in total):
        return None
    named = {name_of(colour): colour for colour in sorted(total) if colour != BLACK}
    if BLACK not in total:
        ground = max(total, key=lambda colour: total[colour])
        named = {good: ground, **{name: colour for name, colour in named.items() if colour != ground}}
    return named


def _packed(value_hwc: ByteArray) -> npt.NDArray[np.int32]:
    red_hw, green_hw, blue_hw = (value_hwc[..., c].astype(np.int32) for c in range(3))
    return red_hw << 16 | green_hw << 8 | blue_hw


def _pack(colour: Colour) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def _unpacked(packed: int) -> Colour:
    return packed >> 16, packed >> 8 & 255, packed & 255
