"""Pictures with their labels: what the bundle has decided, written on a band above each picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image, ImageDraw

from flawscope.bundle.runtime import Runtime
from flawscope.errors import ImageError
from flawscope.inspection.folder import Pictures, Progress
from flawscope.inspection.lettering import UNBROKEN, Font, bytes_of, font_for, plain, shortened, wrapped
from flawscope.inspection.tables import Explained
from flawscope.inspection.verdict import Kind, Verdict, verdict
from flawscope.machine import on_threads
from flawscope.preprocess import open_image, viewable
from flawscope.records import Prediction

LONGEST, SHORTEST = 1600, 320
"""The longer side of a picture: a larger one is drawn reduced, a smaller one enlarged by a whole number."""
NARROWEST = 360
"""A band narrower than this cannot be read."""
FRAME, GAP = 5, 10
THREADS = 4
"""So many pictures at most are drawn at a time: each is decoded once more, and large ones take much memory."""
NAME_BYTES = 240
COLOURS: Mapping[Kind, tuple[str, str]] = {
    "good": ("#005a8c", "white"),
    "not good": ("#9c4500", "white"),
    "for a person": ("#cc79a7", "black"),
    "not decided": ("#f0e442", "black"),
    "": ("#3f4650", "white"),
}
"""Band and letters: dark blue, vermilion, purple, yellow of Okabe and Ito, which everybody can tell apart."""
JPEG = (".jpg", ".jpeg")


@dataclass(frozen=True)
class Labelled:
    """One inspected picture, the words for it, and where its labelled picture lies; nowhere if there is none.

    `heat_map` is the place of its heat map, where one was drawn.
    """

    prediction: Prediction
    verdict: Verdict
    place: str
    heat_map: str = ""


def label_pictures(
    folder: Path,
    runtime: Runtime,
    pictures: Pictures,
    predictions: Iterable[Prediction | Explained],
    on_progress: Progress | None = None,
) -> Iterator[Labelled]:
    """Draw each picture with its decision into a folder, as its prediction comes, and hand both on in order.

    A picture that cannot be opened is handed on without a place. A heat map that was drawn before is handed on.
    """
    task, rule = runtime.task, runtime.sealed.decision
    assert rule is not None  # a draft predicts nothing

    def draw(given: tuple[Path, str, Prediction | Explained]) -> Labelled:
        path, place, each = given
        prediction, heat_map = (each.prediction, each.place) if isinstance(each, Explained) else (each, "")
        words = verdict(task, rule.thresholds, prediction, rule.looked_at)
        try:
            image = viewable(open_image(path), LONGEST)
        except ImageError:
            return Labelled(prediction, words, "", heat_map)
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        drawn = labelled(image, words, prediction.name)
        if target.suffix.lower() in JPEG:
            drawn.save(target, "JPEG", quality=92)
        else:
            drawn.save(target, "PNG", compress_level=3)
        return Labelled(prediction, words, place, heat_map)

    given = zip(pictures.paths, places(pictures.names), predictions, strict=True)
    for done, each in enumerate(on_threads(draw, given, min(THREADS, runtime.threads)), 1):
        yield each
        if on_progress:
            on_progress(done, len(pictures))


def places(names: Sequence[str]) -> tuple[str, ...]:
    """Where the labelled picture of each name lies: folders and name stay, no two are the same on any disk.

    JPEG files become JPEG files, all others PNG: what has lost nothing so far loses nothing here.

    Raises:
        ValueError: a name leads out of the folder.

    >>> places(["a.jpg", "a.png", "b/a.bmp", "b/a.bmp.PNG"])
    ('a.jpg', 'a.png', 'b/a.bmp.png', 'b/a.bmp-2.PNG')
    """
    paths = [PurePosixPath(name) for name in names]
    taken = {_same(str(parent)) for path in paths for parent in path.parents}
    found = []
    for path in paths:
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{path} is not a name below a folder")
        suffix = path.suffix if path.suffix.lower() in (*JPEG, ".png") else ".png"
        stem = shortened(path.name.removesuffix(suffix), lambda text: bytes_of(text) <= NAME_BYTES)
        place, number = path.with_name(stem + suffix), 1
        while _same(str(place)) in taken:
            number += 1
            place = path.with_name(f"{stem}-{number}{suffix}")
        taken.add(_same(str(place)))
        found.append(str(place))
    return tuple(found)


def _same(place: str) -> str:
    """Two places that give the same here are one file on some disks."""
    return unicodedata.normalize("NFC", place).casefold()


def labelled(image: Image.Image, words: Verdict, name: str) -> Image.Image:
    """A picture below a band with its label, how probable that is, and its name; nothing covers the picture.

    `image` is 8-bit grey or colour (see `viewable`).

    >>> labelled(Image.new("L", (400, 300)), Verdict("scrap", "not good", "probability 97.3 %"), "a.png").width
    410
    """
    enlarged = max(1, SHORTEST // max(image.size))
    if enlarged > 1:
        image = image.resize((image.width * enlarged, image.height * enlarged), Image.Resampling.NEAREST)
    width = max(image.width, NARROWEST)
    large = min(52, max(20, width // 22))
    small = max(14, round(large * 0.6))
    lines = _lines(words, name, width - 2 * GAP, large, small)
    heights = [sum(font.getmetrics()) for font, _ in lines]
    top = sum(heights) + 2 * GAP
    paper, ink = COLOURS[words.kind]
    canvas = Image.new("RGB", (width + 2 * FRAME, top + image.height + FRAME), paper)
    draw, y = ImageDraw.Draw(canvas), GAP
    for (font, text), height in zip(lines, heights, strict=True):
        draw.text((FRAME + GAP, y), text.replace(UNBROKEN, " "), fill=ink, font=font)
        y += height
    canvas.paste(image, (FRAME + (width - image.width) // 2, top))
    return canvas


def _lines(words: Verdict, name: str, width: int, large: int, small: int) -> list[tuple[Font, str]]:
    """The lines of a band, each with its font: the label, the facts, and the name on one line."""
    lines: list[tuple[Font, str]] = []
    for text, size in ((words.headline, large), (words.facts, small)):
        if text:
            font, letters = font_for(plain(text), size)
            lines += [(font, line) for line in wrapped(letters, font, width)]
    font, letters = font_for(plain(name), small)
    lines.append((font, shortened(letters, lambda text: font.getlength(text) <= width)))
    return lines
