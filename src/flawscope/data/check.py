"""Every image is hashed and decoded once before it is worked with, so that nothing fails hours later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from flawscope.data.progress import on_all_cores
from flawscope.data.table import Row
from flawscope.errors import ImageError
from flawscope.preprocess import Preprocess, open_image, prepare
from flawscope.records import Sample, Skipped
from flawscope.storage import sha256_file

Crop = tuple[int, int, int, int]
PROBE = Preprocess(size=(8, 8), channels=1)


@dataclass(frozen=True)
class Checked:
    """The file's hash and the image's size, or the reason why it cannot be used."""

    sha256: str = ""
    height: int = 0
    width: int = 0
    reason: str = ""


def check_images(rows: Sequence[Row], crop: Crop | None = None) -> tuple[list[Sample], list[Skipped]]:
    """Hash and decode every image: those that can be used as samples, and the others with the reason."""
    samples, unreadable = [], []
    checks = on_all_cores(partial(check_image, crop=crop), rows, "checking images")
    for row, found in zip(rows, checks, strict=True):
        if found.reason:
            unreadable.append(skipped(row, found.reason))
        else:
            samples.append(Sample(row.id, str(row.path), row.target, row.group, found.sha256, row.meta, row.part))
    return samples, unreadable


def skipped(row: Row, reason: str) -> Skipped:
    """A row that is left out, its name fit to be printed."""
    return Skipped(row.id.encode(errors="replace").decode(), reason)


def check_image(row: Row, crop: Crop | None = None) -> Checked:
    """Hash and decode one image, into which the crop must fit."""
    try:
        row.id.encode()
    except UnicodeEncodeError:
        return Checked(reason="the file's name is not valid UTF-8: rename it")
    try:
        image = open_image(row.path)
        if crop is not None and (crop[2] > image.width or crop[3] > image.height):
            return Checked(reason=f"{image.width} x {image.height} pixels, too small for the crop {crop}")
        prepare(image.crop((0, 0, 1, 1)), PROBE)  # the one place that knows which kinds of pixels are usable
        return Checked(sha256_file(row.path), image.height, image.width)
    except ImageError as error:
        return Checked(reason=error.problem.removeprefix(f"{row.path}: "))
    except OSError as error:
        return Checked(reason=f"cannot be read ({error.strerror})")
