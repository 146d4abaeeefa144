"""Heat maps of inspected pictures: what speaks for the class that was called, over each picture, without torch.

What is drawn is the positive part of the class activation map that the graph gives beside its answer, relative to its
largest value, which stands below it in logits: the mean over all places is the logit of the class, but for a constant.

Letters: k classes, h and w rows and columns of a map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from flawscope.bundle.runtime import Mapped, Runtime
from flawscope.inspection.folder import Pictures, Progress
from flawscope.inspection.labelled import places
from flawscope.inspection.lettering import font_for, plain, shortened
from flawscope.inspection.tables import Explained
from flawscope.inspection.verdict import asked_about, verdict
from flawscope.pages.heat_colours import bar, layer
from flawscope.preprocess import viewable

LONGEST, SHORTEST = 640, 320
"""The longer side of a picture: a larger one is drawn reduced, a smaller one enlarged by a whole number."""
NARROWEST = 260
"""A strip narrower than this cannot be read."""
LETTERS, GAP = 13, 6
"""Of the strip below a picture: letters at least so large, and the room around them."""
QUALITY = 85
WIDE = 2.0
"""Pictures that are wider than so many times their height stand one below the other."""
PAPER, INK = "white", "#1f2933"
Floats = npt.NDArray[np.floating]


def explain_pictures(
    folder: Path, runtime: Runtime, pictures: Pictures, *, good: bool = False, on_progress: Progress | None = None
) -> Iterator[Explained]:
    """Predict, and draw the heat maps of what is not called good into a folder; with `good` of all pictures.

    One forward pass gives the answer and its map, and the picture is decoded once. It is a JPEG file whatever the
    picture was: made to be looked at, and small.

    Raises:
        BundleError: the bundle is a draft, or its graph gives no maps.
        MetadataError: the bundle takes metadata, and the pictures come without.
    """
    task, rule, crop = runtime.task, runtime.sealed.decision, runtime.preprocess.crop
    made: set[Path] = set()
    named = places([str(PurePosixPath(name).with_suffix(".jpg")) for name in pictures.names])

    def draw(number: int, found: Mapped) -> Explained:
        prediction = replace(found.prediction, name=pictures.names[number])
        if found.image is None or found.map_khw is None:
            return Explained(prediction)
        assert rule is not None  # a draft predicts nothing
        if not good and verdict(task, rule.thresholds, prediction, rule.looked_at).kind == "good":
            return Explained(prediction)
        image = viewable(found.image.crop(crop) if crop else found.image, LONGEST)
        chosen = asked_about(rule.thresholds, prediction, rule.looked_at)
        target = folder / named[number]
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        drawn = heat_picture(image, [(task.classes[k], found.map_khw[k]) for k in chosen])
        drawn.save(target, "JPEG", quality=QUALITY)
        return Explained(prediction, named[number])

    explained = runtime.mapped(pictures.paths, draw, pictures.metadata)
    for done, each in enumerate(explained, start=1):
        yield each
        if on_progress:
            on_progress(done, len(pictures))


def heat_picture(image: Image.Image, maps: Sequence[tuple[str, Floats]]) -> Image.Image:
    """A picture with the map of each class over it, side by side, and below each what it speaks for and its scale.

    Args:
        image: 8-bit grey or colour (see `viewable`).
        maps: of each class its name and its map, h x w in logits, of any sign.

    >>> heat_picture(Image.new("L", (400, 300)), [("scrap", np.eye(4)), ("dent", -np.eye(4))]).size
    (806, 323)
    """
    enlarged = max(1, SHORTEST // max(image.size))
    if enlarged > 1:
        image = image.resize((image.width * enlarged, image.height * enlarged), Image.Resampling.NEAREST)
    width = max(image.width, NARROWEST)
    height = image.height + strip_of(width)[0]
    columns = 1 if image.width > WIDE * image.height else len(maps)
    rows = -(-len(maps) // columns)
    size = (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP)
    corners = [(n % columns * (width + GAP), n // columns * (height + GAP)) for n in range(len(maps))]
    aside, grey, ground = (width - image.width) // 2, image.convert("L"), Image.new("L", size, PAPER)
    for left, top in corners:
        ground.paste(grey, (left + aside, top))
    canvas = Image.merge("RGB", (ground, ground, ground))
    for (left, top), (name, map_hw) in zip(corners, maps, strict=True):
        largest = float(map_hw.max())
        if largest > 0:
            colours = layer(map_hw / largest, image.size)
            canvas.paste(colours, (left + aside, top), mask=colours)
        _strip(canvas, (left, top + image.height), width, name, largest)
    return canvas


def strip_of(width: int) -> tuple[int, int]:
    """Height of the strip below a picture of this width, and size of its letters: read where it is shown small, too.

    >>> strip_of(320), strip_of(640)
    ((23, 13), (32, 22))
    """
    letters = max(LETTERS, width // 29)
    return letters + 10, letters


def _strip(canvas: Image.Image, place: tuple[int, int], width: int, name: str, largest: float) -> None:
    """Left the name of the class, right the scale, from 0 to the largest value."""
    left, top = place
    if not largest > 0:
        canvas.paste(_words(f"nothing speaks for {name}", width, width), place)
        return
    scale = _scale(f"{largest:.0f}" if largest >= 10 else f"{largest:.2g}", width)
    canvas.paste(_words(name, width, width - scale.width), place)
    canvas.paste(scale, (left + width - scale.width, top))


@lru_cache(256)
def _words(text: str, width: int, room: int) -> Image.Image:
    """One line of text, shortened where it does not fit: the same names come again and again."""
    height, letters = strip_of(width)
    made = Image.new("RGB", (room, height), PAPER)
    font, words = font_for(plain(text), letters)
    fitting = shortened(words, lambda text: font.getlength(text) <= room - 2 * GAP)
    ImageDraw.Draw(made).text((GAP, height // 2), fitting, fill=INK, font=font, anchor="lm")
    return made


@lru_cache(256)
def _scale(number: str, width: int) -> Image.Image:
    """The colours between 0 and a number of logits."""
    height, letters = strip_of(width)
    font, _ = font_for("0", letters)
    zero, rest = (round(font.getlength(words)) for words in ("0 ", f" {number} logits"))
    colours = _bar(4 * letters, letters - 3)
    made = Image.new("RGB", (GAP + zero + colours.width + rest + GAP, height), PAPER)
    draw = ImageDraw.Draw(made)
    draw.text((GAP, height // 2), "0", fill=INK, font=font, anchor="lm")
    made.paste(colours, (GAP + zero, (height - colours.height) // 2))
    draw.text((GAP + zero + colours.width, height // 2), f" {number} logits", fill=INK, font=font, anchor="lm")
    return made


@lru_cache
def _bar(width: int, height: int) -> Image.Image:
    return bar(width, height)
