"""Pictures for a challenge: the same pixels under a name that tells nothing, and nothing else that a file can tell."""

from __future__ import annotations

from pathlib import Path

from flawscope.preprocess import SIXTEEN_BIT, open_image

KEPT = ("1", "L", "LA", "P", "RGB", "RGBA")
"""Modes that a PNG holds as they are, beside 16-bit grey."""
GREY = ("1", "L", "LA", *SIXTEEN_BIT)


def write_neutral(source: str | Path, target: Path) -> tuple[tuple[int, int], str]:
    """Write a picture as PNG, turned upright, without any metadata; gives its size (width, height) and mode.

    What `flawscope.preprocess` makes of the new file is what it makes of the old one. Modes that a PNG cannot hold
    become colour, as they do there.

    Raises:
        ImageError: it cannot be read.
    """
    image = open_image(source)
    if image.mode in SIXTEEN_BIT and image.mode != "I;16":
        image = image.convert("I;16")
    elif image.mode not in (*KEPT, *SIXTEEN_BIT):
        image = image.convert("RGB")
    clear = image.info.get("transparency")
    image.info = {} if clear is None else {"transparency": clear}
    image.save(target, format="PNG", optimize=False)
    return image.size, image.mode
