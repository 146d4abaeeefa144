"""Pictures made small and put into the page itself."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

from flawscope.errors import ImageError
from flawscope.preprocess import WIDE, open_image, stretched

SIDE = 200
"""The longer side of a thumbnail in pixels."""


def thumbnail(image: Image.Image) -> Image.Image:
    """An 8-bit grey or colour copy of at most `SIDE` pixels a side; the original stays as it is.

    Values of more than 8 bits are stretched from their 0.5 to their 99.5 percentile: shown is what a person can see,
    not what the model got. Transparent places become white.

    >>> thumbnail(Image.new("RGBA", (800, 400))).size
    (200, 100)
    """
    if image.mode in WIDE:
        image = stretched(image, 0.5, 99.5)
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.new("RGB", rgba.size, "white")
        image.paste(rgba, mask=rgba.getchannel("A"))
    else:
        image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return small


def data_uri(source: Image.Image | str | Path) -> tuple[str, tuple[int, int]] | None:
    """A thumbnail as a JPEG data URI, with its width and height; None if the file cannot be read any more."""
    try:
        image = source if isinstance(source, Image.Image) else open_image(source)
    except ImageError:
        return None
    small = thumbnail(image)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=82, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}", small.size
