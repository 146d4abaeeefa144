"""Synthetic parts with known truth, for tests, pictures in the documentation, a first try, and an exam.

`synth_coil` draws what reference system E looks at: a coil with two metal pins, straight or bent by a known angle.
`synthetic_coil.py` draws one picture, `coil_levels.py` says how hard it is. `synth_steel` draws what reference system D
looks at: strips of steel, some of them flawed (`synthetic_steel.py`, `steel_flaws.py`, `steel_shapes.py`,
`steel_levels.py`).
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from flawscope.data.coil_levels import LEVELS, Level
from flawscope.data.mask_table import CLASS, CODE, IMAGE
from flawscope.data.progress import on_all_cores, watched
from flawscope.data.steel_levels import STEEL_LEVELS
from flawscope.data.steel_shapes import HEIGHT, WIDTH
from flawscope.data.synthetic_coil import PIN_X, draw_coil
from flawscope.data.synthetic_steel import CLASSES, Coil, draw_classes, draw_coil_look, draw_strip
from flawscope.errors import DataError, choices
from flawscope.masks import encode_rle
from flawscope.storage import new_folder
from flawscope.wording import class_called

SCRAP, GOOD = "0_nio", "1_io"
STRIPS_OF_A_COIL = (4, 9)
"""At least and at most so many strips are cut from one coil."""
FORMATS = {"png": {"compress_level": 4}, "jpg": {"quality": 95}}
"""How pictures of strips are kept. Severstal's are JPEG, which blurs a flaw a little beyond its mask."""
LEAST, MOST = 64, 8192
"""Sides of a strip, in pixels."""


def synth_coil(
    folder: str | Path,
    n: int,
    seed: int = 0,
    share_scrap: float = 0.3,
    *,
    difficulty: str = "easy",
    overwrite: bool = False,
) -> Path:
    """Draw n grey BMP pictures of coils into `folder`/0_nio (scrap) and 1_io (good), and their truth as truth.csv.

    The truth is the angle of each pin to its housing, in degrees. A scrap part has one or two bent pins:

    - easy: good pins are straight within 2 degrees, bent ones lean by 6 to 25. The part lies nearly still.
    - hard: within 1 degree, or 5 to 14. The part lies shifted and turned, in several shades, under changing light and
      focus, with dust, fibres and reflections that look like kinks.

    No angle lies between, so no label is doubtful. The pins, all that matters, lie within the crop (50, 60, 750, 460).
    The same seed gives the same pictures.

    Raises:
        DataError: n is below 2, the share does not lie between 0 and 1, or the difficulty is unknown.
        OutputError: the folder exists and `overwrite` is off, or it cannot be written.
    """
    if n < 2 or not 0 < share_scrap < 1:
        raise DataError(
            f"cannot draw {n} coils with a share of {share_scrap} scrap", "ask for 2 or more, and a share within 0 to 1"
        )
    if difficulty not in LEVELS:
        raise DataError(f"there is no difficulty {difficulty!r}", choices(difficulty, LEVELS))
    level = LEVELS[difficulty]
    scrap = min(n - 1, max(1, round(n * share_scrap)))
    is_scrap = np.random.default_rng(seed).permutation(n) < scrap
    rows = []
    with new_folder(folder, overwrite=overwrite) as beside:
        for label in (SCRAP, GOOD):
            (beside / label).mkdir()
        for index in watched(range(n), n, "drawing coils"):
            rng = np.random.default_rng([seed, index])
            label = SCRAP if is_scrap[index] else GOOD
            angles = _angles(rng, level, bent=bool(is_scrap[index]))
            name = f"{label}/coil_{index:05d}.bmp"
            draw_coil(angles, rng, level).save(beside / name)
            rows.append([name, f"{angles[0]:.2f}", f"{angles[1]:.2f}", label])
        _write(beside / "truth.csv", ["name", "left_degrees", "right_degrees", "label"], rows)
    return Path(folder)


def _angles(rng: np.random.Generator, level: Level, bent: bool) -> tuple[float, float]:
    angles = [float(rng.uniform(-level.straight, level.straight)) for _ in PIN_X]
    if bent:
        for pin in ([0], [1], [0, 1])[int(rng.choice(3, p=[0.4, 0.4, 0.2]))]:
            angles[pin] = float(rng.uniform(*level.bent) * rng.choice([-1, 1]))
    return angles[0], angles[1]


def synth_steel(
    folder: str | Path,
    n: int,
    seed: int = 0,
    share_flawed: float = 0.5,
    *,
    difficulty: str = "easy",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    image_format: str = "png",
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """Draw n grey pictures of hot-rolled steel into `folder`/images, and their masks and coils as tables.

    train.csv has Severstal's form: ImageId, ClassId, EncodedPixels, a row for each class of flaw that an image shows,
    and none for images without flaws. The masks are exact: a flaw changes the grey there, and nowhere else. truth.csv
    has a row for each image: its name, its coil and its classes. Strips of a coil look alike and tend to have the same
    flaws, so split by coil; the name tells it too: coil0012_03.png.

    Classes (1 pits, 2 thin cracks, 3 scratches and the most common, 4 rolled-in patches), how often they meet, their
    number of pieces, sizes, angles and places follow the real masks (`steel_shapes.py`).

    - easy: flaws are clearly darker or brighter than the steel, and rough.
    - hard: only a little, and less rough. Bands, stains, worn places, welds and light stand out as much as flaws do.

    The same seed gives the same pictures. `size` is width and height: shapes shrink with the height. `say` is told
    which classes no picture shows.

    Raises:
        DataError: n is below 2, the share does not lie between 0 and 1, the difficulty or the format is unknown, or the
            size is too small, too large or upright.
        OutputError: the folder exists and `overwrite` is off, or it cannot be written.
    """
    _check_steel(n, share_flawed, difficulty, size, image_format)
    level = STEEL_LEVELS[difficulty]
    flawed = min(n - 1, max(1, round(n * share_flawed)))
    is_flawed = np.random.default_rng([seed, 1]).permutation(n) < flawed
    strips = _cut(n, seed)
    looks = [draw_coil_look(np.random.default_rng([seed, 2, coil]), level) for coil in range(strips[-1][0] + 1)]

    with new_folder(folder, overwrite=overwrite) as beside:
        (beside / "images").mkdir()

        def draw(index: int) -> tuple[list[str], list[list[str]]]:
            """Draw and keep one picture; its row of truth.csv, and its rows of train.csv."""
            coil, place = strips[index]
            classes = _classes(looks[coil], np.random.default_rng([seed, 3, index])) if is_flawed[index] else ()
            strip = draw_strip(looks[coil], classes, (seed, 4, index), level, size)
            name = f"coil{coil:04d}_{place:02d}.{image_format}"
            options: dict[str, Any] = FORMATS[image_format]
            Image.fromarray(strip.grey_hw).save(beside / "images" / name, **options)
            masks = dict(zip(CLASSES, strip.mask_khw, strict=True))
            codes = [[name, each, encode_rle(masks[each])] for each in classes]
            return [name, f"coil{coil:04d}", " ".join(classes)], codes

        drawn = list(on_all_cores(draw, range(n), "drawing strips"))
        _write(beside / "truth.csv", ["name", "coil", "classes"], [truth for truth, _ in drawn])
        _write(beside / "train.csv", [IMAGE, CLASS, CODE], [row for _, rows in drawn for row in rows])
    _tell_absent({row[1] for _, rows in drawn for row in rows}, say)
    return Path(folder)


def _tell_absent(shown: set[str], say: Callable[[str], None]) -> None:
    """Say which flaws no strip shows."""
    absent = [class_called(name) for name in CLASSES if name not in shown]
    if absent:
        say(
            f"note: no strip shows {' or '.join(absent)}, which cannot be learnt of them: draw more (of 600 all are to "
            "be expected), or with another seed"
        )


def _check_steel(n: int, share_flawed: float, difficulty: str, size: tuple[int, int], image_format: str) -> None:
    if n < 2 or not 0 < share_flawed < 1:
        raise DataError(
            f"cannot draw {n} strips with a share of {share_flawed} flawed",
            "ask for 2 or more, and a share within 0 to 1",
        )
    if difficulty not in STEEL_LEVELS:
        raise DataError(f"there is no difficulty {difficulty!r}", choices(difficulty, STEEL_LEVELS))
    if image_format not in FORMATS:
        raise DataError(f"strips are not kept as {image_format!r}", choices(image_format, FORMATS))
    width, height = size
    if not LEAST <= height <= width <= MOST:
        raise DataError(
            f"cannot draw strips of {width} x {height} pixels",
            f"width and height lie between {LEAST} and {MOST}, and a strip is no higher than wide: {WIDTH}x{HEIGHT}",
        )


def _cut(n: int, seed: int) -> list[tuple[int, int]]:
    """The coil of each strip, and which of its strips it is."""
    rng = np.random.default_rng([seed, 5])
    strips: list[tuple[int, int]] = []
    coil = 0
    while len(strips) < n:
        strips += [(coil, place) for place in range(int(rng.integers(*STRIPS_OF_A_COIL, endpoint=True)))]
        coil += 1
    return strips[:n]


def _classes(coil: Coil, rng: np.random.Generator) -> tuple[str, ...]:
    """The flaws of one strip: in two of three cases those that are usual for its coil."""
    others = draw_classes(rng)
    return coil.usual if rng.random() < 2 / 3 else others


def _write(path: Path, header: list[str], rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
