"""The one definition of how a picture file becomes the integers that a graph takes.

Training and the runtime at the line call the same functions, so that they can never differ. Normalisation is not
here: it is inside the graph.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from flawscope.errors import ImageError

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
WIDE = (*SIXTEEN_BIT, "I", "F")
"""Modes of Pillow whose values have more than 8 bits."""
LAID_ON_A_SIDE = (5, 6, 7, 8)
"""Values of EXIF's Orientation with which width and height change places."""
MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 89_478_485)
"""Beyond this a file is taken for damaged or hostile, as Pillow does: 179 million pixels, 537 MB in 8-bit colour."""

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

# Our own limit stands in its place: Pillow's warning is for web servers and comes at 89 million pixels.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def _square(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else value


def _within(value: tuple[int, int]) -> tuple[int, int]:
    if not all(8 <= side <= 8192 for side in value):
        raise ValueError(f"height and width must lie between 8 and 8192 pixels, got {value}")
    return value


Size = Annotated[tuple[int, int], BeforeValidator(_square), AfterValidator(_within)]
"""Height and width in pixels, or one number for both, as a recipe may say it."""


class Preprocess(BaseModel):
    """Decode, crop, channels, size: in this order. Part of the seal.

    `crop` is (left, top, right, bottom) in pixels of the original picture; `size` is (height, width); `depth` is the
    bits of each value: 8-bit pictures are widened and 16-bit ones narrowed over their full range (65535 <-> 255).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Size = Field(default=(224, 224), description="height and width in pixels, or one number for both")
    channels: Literal[1, 3] = Field(default=3, description="1: grey, 3: colour; grey pictures are repeated to 3")
    depth: Literal[8, 16] = Field(default=8, description="bits of each value that the network gets")
    crop: tuple[int, int, int, int] | None = Field(
        default=None, description="cut out first: left, top, right, bottom in pixels of the original picture"
    )
    resize: Literal["bilinear", "bicubic", "nearest", "none"] = Field(
        default="bilinear",
        description="how sizes are changed; none: pictures stay as large as they are, and networks that make masks see "
        "them in tiles of `size`",
    )

    @field_validator("crop")
    @classmethod
    def _box(cls, value: tuple[int, int, int, int] | None) -> tuple[int, int, int, int] | None:
        if value is not None:
            left, top, right, bottom = value
            if not (0 <= left < right and 0 <= top < bottom):
                raise ValueError(f"crop is (left, top, right, bottom) with left < right and top < bottom, got {value}")
        return value

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """The integer type of the graph's input."""
        return np.uint8 if self.depth == 8 else np.uint16

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return (self.channels, *self.size)


def open_image(source: str | Path | bytes) -> Image.Image:
    """Decode a picture completely, turned upright as its EXIF data says.

    Raises:
        ImageError: missing, empty, truncated, not a picture, too large, or with values that are no numbers; the
            message says which.
    """
    name = "the picture" if isinstance(source, bytes) else str(source)
    try:
        size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
        if size == 0:
            raise ImageError(f"{name}: the file is empty (0 bytes)")
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageError(f"{name}: {image.width} x {image.height} pixels, more than {MAX_PIXELS:,} are refused")
            image.load()
            if image.mode == "F" and not np.isfinite(np.asarray(image)).all():
                raise ImageError(f"{name}: holds values that are no numbers (NaN or infinite)")
            return ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not a picture that can be read") from None
    except FileNotFoundError:
        raise ImageError(f"{name}: the file does not exist") from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: too large ({error})") from None
    except ImageError:
        raise
    except Exception as error:  # on damaged files Pillow's decoders raise TypeError, struct.error and more
        raise ImageError(f"{name}: cannot be decoded ({error})") from None


def picture_size(path: str | Path) -> tuple[int, int] | None:
    """Width and height of a picture by its head alone, upright; nothing where it cannot be read."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            # Of the base class: that of PNG decodes the whole picture, in case that EXIF data follow the pixels.
            laid = Image.Image.getexif(image).get(Base.Orientation) in LAID_ON_A_SIDE
            return (height, width) if laid else (width, height)
    except Exception:  # on damaged files Pillow raises anything; what is damaged is told when it is decoded
        return None


def prepare(image: Image.Image, spec: Preprocess) -> Pixels:
    """Crop, convert and resize a decoded picture to integers of shape (channels, height, width).

    Transparency is dropped, palettes are looked up, colour becomes grey by the ITU-R 601-2 luma weights.

    Raises:
        ImageError: the crop lies outside the picture, or its values have no stated range (32-bit or float).

    >>> prepare(Image.new("L", (8, 8), 7), Preprocess(size=(8, 8), channels=3)).shape
    (3, 8, 8)
    """
    if spec.crop is not None:
        if spec.crop[2] > image.width or spec.crop[3] > image.height:
            raise ImageError(f"crop {spec.crop} reaches beyond the picture of {image.width} x {image.height} pixels")
        image = image.crop(spec.crop)
    if image.mode in SIXTEEN_BIT and spec.resize == "none":
        grey = np.asarray(image).astype(np.uint16)  # as it is: large pictures would take four times as much as floats
        if spec.depth == 8:
            grey = (grey // 257 + (grey % 257 > 128)).astype(np.uint8)
        return np.repeat(grey[None], spec.channels, axis=0)
    if image.mode in SIXTEEN_BIT:
        wide = Image.fromarray(np.asarray(image).astype(np.float32))
        values = np.asarray(_resized(wide, spec))
        grey = np.clip(np.rint(values / (257 if spec.depth == 8 else 1)), 0, 2**spec.depth - 1).astype(spec.dtype)
        return np.repeat(grey[None], spec.channels, axis=0)
    if image.mode in ("I", "F"):
        raise ImageError(f"pixels of mode {image.mode!r} have no stated range: save the picture with 8 or 16 bits")
    mode = "L" if spec.channels == 1 or _is_grey(image) else "RGB"
    pixels = np.asarray(_resized(image if image.mode == mode else image.convert(mode), spec))
    chw = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    chw = np.repeat(chw, spec.channels, axis=0) if chw.shape[0] != spec.channels else np.ascontiguousarray(chw)
    return chw if spec.depth == 8 else chw.astype(np.uint16) * 257


def _resized(image: Image.Image, spec: Preprocess) -> Image.Image:
    if spec.resize == "none":
        return image
    return image.resize(spec.size[::-1], Image.Resampling[spec.resize.upper()])


def _is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La")


def load(source: str | Path | bytes, spec: Preprocess) -> Pixels:
    """From file to integers: `open_image`, then `prepare`. Errors name the file."""
    image = open_image(source)
    try:
        return prepare(image, spec)
    except ImageError as error:
        name = "the picture" if isinstance(source, bytes) else str(source)
        raise ImageError(f"{name}: {error.problem}") from None


def stretched(image: Image.Image, low: float, high: float) -> Image.Image:
    """Values of more than 8 bits as 8-bit grey, from one percentile to the other: for showing and comparing only."""
    values = np.nan_to_num(np.asarray(image).astype(np.float32), posinf=0.0, neginf=0.0)
    bottom, top = np.percentile(values, (low, high))
    values = np.clip((values - bottom) / max(float(top - bottom), 1e-9) * 255, 0, 255)
    return Image.fromarray(values.astype(np.uint8))


def viewable(image: Image.Image, most: int) -> Image.Image:
    """What a person can look at: 8-bit grey or colour, at most `most` pixels a side; the original stays as it is.

    Values of more than 8 bits are stretched from their 0.5 to their 99.5 percentile: shown is what can be seen, not
    what the network got. Transparent places become white.

    >>> viewable(Image.new("RGBA", (800, 400)), 200).size
    (200, 100)
    """
    scale = min(1.0, most / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if image.mode in WIDE:
        wide = Image.fromarray(np.asarray(image).astype(np.float32))
        return stretched(wide.resize(size, Image.Resampling.LANCZOS) if size != image.size else wide, 0.5, 99.5)
    grey, clear = image.mode in ("1", "L"), image.has_transparency_data
    image = image.convert("RGBA" if clear else "L" if grey else "RGB")
    # Made small before anything else is done with it: a large picture is not there a third time.
    small = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0) if size != image.size else image
    if not clear:
        return small
    white = Image.new("RGB", size, "white")
    white.paste(small, mask=small.getchannel("A"))
    return white
