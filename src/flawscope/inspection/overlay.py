"""Masks drawn over their picture: the outline of each flaw, the colours told below, truth and answer side by side.

Shapes: k classes, h x w pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from flawscope.inspection.lettering import font_for, plain, shortened
from flawscope.pages.outlines import RIM, Colour, colours, outlined
from flawscope.preprocess import viewable
from flawscope.records import BoolArray

LONGEST, SHORTEST = 1600, 320
"""The longer side of what is drawn: larger pictures are reduced, smaller ones enlarged by a whole number."""
WIDE = 1.5
"""Pictures so many times as wide as high stand one above the other."""
GAP, MARGIN = 8, 10
PAPER, INK = (255, 255, 255), (28, 32, 38)


def overlay(
    image: Image.Image,
    true_khw: BoolArray | None,
    predicted_khw: BoolArray,
    classes: Sequence[str],
    longest: int = LONGEST,
) -> Image.Image:
    """A picture with the outlines of its flaws, what is true beside what is predicted; below it the colours used.

    Pictures that are much wider than high stand one above the other, each at most `longest` pixels wide; others side by
    side, both together so wide. Without a truth there is the predicted one alone.

    Args:
        image: the picture, decoded, of any kind.
        true_khw: its true masks, if they are known.
        predicted_khw: its predicted masks.
        classes: the names of the classes.
        longest: pixels of the longer side at most.
    """
    masks = [("predicted", predicted_khw)] if true_khw is None else [("true", true_khw), ("predicted", predicted_khw)]
    above = image.width > WIDE * image.height
    share = 1 if above or true_khw is None else len(masks)
    seen = _sized(image, (longest - GAP * (share - 1)) // share)
    panels = [outlined(seen, mask_khw) for _, mask_khw in masks]
    if true_khw is not None:
        panels = [_captioned(panel, words) for panel, (words, _) in zip(panels, masks, strict=True)]
    shown_k = np.any([mask_khw.any(axis=(1, 2)) for _, mask_khw in masks], axis=0)
    return with_legend(panels[0] if len(panels) == 1 else _joined(panels, above), shown_k, classes)


def _sized(image: Image.Image, longest: int) -> Image.Image:
    seen = viewable(image, longest)
    times = max(1, min(SHORTEST, longest) // max(seen.size))
    return seen.resize((seen.width * times, seen.height * times), Image.Resampling.NEAREST) if times > 1 else seen


def _joined(panels: Sequence[Image.Image], above: bool) -> Image.Image:
    widths, heights = [panel.width for panel in panels], [panel.height for panel in panels]
    gaps = GAP * (len(panels) - 1)
    size = (max(widths), sum(heights) + gaps) if above else (sum(widths) + gaps, max(heights))
    canvas, place = Image.new("RGB", size, PAPER), 0
    for panel in panels:
        canvas.paste(panel, (0, place) if above else (place, 0))
        place += GAP + (panel.height if above else panel.width)
    return canvas


def _letters(width: int) -> int:
    """The size of letters beside a picture: to be read where it is shown smaller, too."""
    return min(32, max(18, width // 55))


def _captioned(panel: Image.Image, words: str) -> Image.Image:
    font, letters = font_for(plain(words), _letters(panel.width))
    line = sum(font.getmetrics()) + 4
    canvas = Image.new("RGB", (panel.width, panel.height + line), PAPER)
    ImageDraw.Draw(canvas).text((2, 0), letters, fill=INK, font=font)
    canvas.paste(panel, (0, line))
    return canvas


def with_legend(picture: Image.Image, shown_k: BoolArray, classes: Sequence[str]) -> Image.Image:
    """A picture with the colours of those classes below it that are shown; as it is where none is."""
    every = zip(classes, colours(len(classes)), shown_k, strict=True)
    entries = [(name, colour) for name, colour, shown in every if shown]
    if not entries:
        return picture
    key = legend(entries, picture.width)
    canvas = Image.new("RGB", (picture.width, picture.height + key.height), PAPER)
    canvas.paste(picture, (0, 0))
    canvas.paste(key, (0, picture.height))
    return canvas


def legend(entries: Sequence[tuple[str, Colour]], width: int) -> Image.Image:
    """Names and their colours on as many lines as they need.

    >>> legend([("crack", (255, 0, 0))], 200).width
    200
    """
    placed: list[tuple[int, int, str, Colour]] = []
    size = _letters(width)
    font, _ = font_for(plain("".join(name for name, _ in entries)), size)
    line = sum(font.getmetrics()) + 4
    box = line - 10
    x, y = MARGIN, MARGIN // 2
    for name, colour in entries:
        _, letters = font_for(plain(name), size)
        letters = shortened(letters, lambda text: font.getlength(text) <= width - 3 * MARGIN - box)
        wide = box + MARGIN // 2 + round(font.getlength(letters))
        if x > MARGIN and x + wide > width - MARGIN:
            x, y = MARGIN, y + line
        placed.append((x, y, letters, colour))
        x += wide + 2 * MARGIN
    canvas = Image.new("RGB", (width, y + line + MARGIN // 2), PAPER)
    draw = ImageDraw.Draw(canvas)
    for x, y, letters, colour in placed:
        draw.rectangle((x, y + 4, x + box, y + 4 + box), fill=colour, outline=RIM)
        draw.text((x + box + MARGIN // 2, y), letters, fill=INK, font=font)
    return canvas
