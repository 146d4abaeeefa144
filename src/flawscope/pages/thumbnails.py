"""Pictures made small and put into the page itself."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

from flawscope.errors import ImageError
from flawscope.preprocess import open_image, viewable

SIDE = 200
"""The longer side of a thumbnail in pixels."""


def thumbnail(image: Image.Image, side: int = SIDE) -> Image.Image:
    """An 8-bit grey or colour copy of at most so many pixels a side (see `viewable`).

    >>> thumbnail(Image.new("RGBA", (800, 400))).size
    (200, 100)
    """
    return viewable(image, side)


def data_uri(source: Image.Image | str | Path, side: int = SIDE) -> tuple[str, tuple[int, int]] | None:
    """A thumbnail as a JPEG data URI, with its width and height; None if the file cannot be read any more."""
    try:
        image = source if isinstance(source, Image.Image) else open_image(source)
    except ImageError:
        return None
    small = thumbnail(image, side)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=82, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}", small.size
