"""Synthetic parts with known truth, for tests, pictures in the documentation and a first try.

`synth_coil` draws what reference system E looks at: a coil with two metal pins, straight or bent by a known angle.
Coordinates are pixels of the 800x520 picture, x to the right, y down; angles are degrees, positive to the right.
"""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from flawscope.data.progress import watched
from flawscope.errors import DataError
from flawscope.storage import new_folder

WIDTH, HEIGHT = 800, 520
SCALE = 2
"""The part is drawn so much larger and then reduced: smooth edges."""
SCRAP, GOOD = "0_nio", "1_io"
STRAIGHT = 2.0
BENT = (6.0, 25.0)
PIN_X = (305.0, 495.0)
PIN_BASE, PIN_LENGTH, PIN_WIDTH, STUB = 225.0, 118.0, 17.0, 22.0

Floats = npt.NDArray[np.float64]


def synth_coil(folder: str | Path, n: int, seed: int = 0, share_scrap: float = 0.3, *, overwrite: bool = False) -> Path:
    """Draw n grey BMP pictures of coils into `folder`/0_nio (scrap) and 1_io (good), and their truth as truth.csv.

    Pins of good parts are straight within 2 degrees; a scrap part has one or two bent by 6 to 25 degrees. Everything
    that matters lies within the crop (50, 60, 750, 460). The same seed gives the same pictures.

    Raises:
        DataError: n is below 2, or the share does not lie between 0 and 1.
        OutputError: the folder exists and `overwrite` is off, or it cannot be written.
    """
    if n < 2 or not 0 < share_scrap < 1:
        raise DataError(
            f"cannot draw {n} coils with a share of {share_scrap} scrap", "ask for 2 or more, and a share within 0 to 1"
        )
    scrap = min(n - 1, max(1, round(n * share_scrap)))
    is_scrap = np.random.default_rng(seed).permutation(n) < scrap
    rows = []
    with new_folder(folder, overwrite=overwrite) as beside:
        for label in (SCRAP, GOOD):
            (beside / label).mkdir()
        for index in watched(range(n), n, "drawing coils"):
            rng = np.random.default_rng([seed, index])
            label = SCRAP if is_scrap[index] else GOOD
            angles = _angles(rng, bent=bool(is_scrap[index]))
            name = f"{label}/coil_{index:05d}.bmp"
            draw_coil(angles, rng).save(beside / name)
            rows.append([name, f"{angles[0]:.2f}", f"{angles[1]:.2f}", label])
        with (beside / "truth.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["name", "left_degrees", "right_degrees", "label"])
            writer.writerows(rows)
    return Path(folder)


def _angles(rng: np.random.Generator, bent: bool) -> tuple[float, float]:
    angles = [float(rng.uniform(-STRAIGHT, STRAIGHT)) for _ in PIN_X]
    if bent:
        for pin in ([0], [1], [0, 1])[int(rng.choice(3, p=[0.4, 0.4, 0.2]))]:
            angles[pin] = float(rng.uniform(*BENT) * rng.choice([-1, 1]))
    return angles[0], angles[1]


def draw_coil(angles: tuple[float, float], rng: np.random.Generator) -> Image.Image:
    """One picture: 8-bit grey, 800x520, of a coil whose left and right pin lean by these angles."""
    part = Image.new("L", (WIDTH * SCALE, HEIGHT * SCALE), 0)
    mask = Image.new("L", part.size, 0)
    _housing(part, mask, rng)
    for x, angle in zip(PIN_X, angles, strict=True):
        _pin(part, mask, x, angle, rng)
    turn = float(rng.uniform(-1.5, 1.5))
    shift = rng.uniform(-9, 9, size=2)
    placed = [
        layer.rotate(
            turn, Image.Resampling.BICUBIC, translate=(round(shift[0] * SCALE), round(shift[1] * SCALE))
        ).resize((WIDTH, HEIGHT), Image.Resampling.BOX)
        for layer in (part, mask)
    ]
    opacity = np.asarray(placed[1], dtype=np.float64) / 255
    shadow = placed[1].transform(placed[1].size, Image.Transform.AFFINE, (1, 0, -10, 0, 1, -14))
    shade = np.asarray(shadow.filter(ImageFilter.GaussianBlur(12)), dtype=np.float64) / 255
    scene = _ground(rng) * (1 - 0.55 * shade)
    scene = scene * (1 - opacity) + np.asarray(placed[0], dtype=np.float64) * opacity
    return _camera(scene, rng)


def _housing(part: Image.Image, mask: Image.Image, rng: np.random.Generator) -> None:
    """The moulded body with its flanges, and the winding between them."""
    draw, solid = ImageDraw.Draw(part), ImageDraw.Draw(mask)
    for box, grey in (
        ((205, 245, 262, 440), 88),  # left flange
        ((538, 245, 595, 440), 88),  # right flange
        ((215, 222, 585, 258), 74),  # the bar that the pins come out of
    ):
        draw.rounded_rectangle(_box(*box), radius=9 * SCALE, fill=grey + int(rng.integers(-4, 5)))
        solid.rounded_rectangle(_box(*box), radius=9 * SCALE, fill=255)
    for left, right in ((207, 260), (540, 593)):  # light catches the upper and outer edges
        draw.line(_box(left + 6, 262, left + 6, 432), fill=128, width=2 * SCALE)
        draw.line(_box(right - 3, 262, right - 3, 434), fill=46, width=3 * SCALE)
    draw.line(_box(222, 225, 578, 225), fill=118, width=2 * SCALE)
    draw.line(_box(222, 256, 578, 256), fill=38, width=3 * SCALE)
    left, top, right, bottom = 262, 266, 538, 424
    part.paste(_winding((right - left) * SCALE, (bottom - top) * SCALE, rng), (left * SCALE, top * SCALE))
    solid.rectangle(_box(left, top, right, bottom), fill=255)
    for x in PIN_X:  # the sockets of the pins, with a drop of glue
        draw.rounded_rectangle(_box(x - 19, 214, x + 19, 240), radius=5 * SCALE, fill=60)
        solid.rounded_rectangle(_box(x - 19, 214, x + 19, 240), radius=5 * SCALE, fill=255)
        w, h = rng.uniform(10, 15), rng.uniform(4, 7)
        draw.ellipse(_box(x - w, 219 - h, x + w, 219 + h), fill=int(rng.integers(80, 105)))
    part.paste(part.filter(ImageFilter.GaussianBlur(0.7 * SCALE)))


def _winding(w: int, h: int, rng: np.random.Generator) -> Image.Image:
    """Wire beside wire, seen from the side of the cylinder: dark, with a soft band of light along it."""
    x, y = np.arange(w) / SCALE, np.linspace(-1, 1, h)
    pitch = rng.uniform(4.6, 5.4)
    lean = (y * rng.uniform(1.0, 2.0))[:, None]
    wires = np.abs(np.sin(np.pi * (x[None, :] + lean + 0.25 * np.sin(x / 31)[None, :]) / pitch)) ** 0.6
    each = rng.normal(1, 0.07, size=int(w / SCALE / pitch) + 3)[((x + 2) / pitch).astype(int)]
    round_body = np.sqrt(np.clip(1 - (0.97 * y) ** 2, 0, 1))
    light = np.exp(-(((y + rng.uniform(0.3, 0.45)) / 0.16) ** 2))
    grey = (18 + 62 * round_body[:, None] + 58 * light[:, None] * each[None, :]) * (0.45 + 0.55 * wires * each[None, :])
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))


def _pin(part: Image.Image, mask: Image.Image, x: float, angle: float, rng: np.random.Generator) -> None:
    """A round pin: straight for a short piece, then leaning. Its grey across the width is that of polished metal."""
    draw, solid = ImageDraw.Draw(part), ImageDraw.Draw(mask)
    lean = math.radians(angle)
    along = np.array([math.sin(lean), -math.cos(lean)])
    across = np.array([math.cos(lean), math.sin(lean)])
    length = PIN_LENGTH + rng.uniform(-3, 3) - STUB
    root = np.array([x, PIN_BASE])
    bend = root - [0, STUB]
    side = rng.uniform(0.22, 0.38)
    strips = np.linspace(-1, 1, 18)
    for left, right in itertools.pairwise(strips):
        middle = (left + right) / 2
        body = 66 + 96 * math.sqrt(1 - 0.96 * middle**2)
        gloss = 105 * math.exp(-(((middle + side) / 0.2) ** 2)) + 38 * math.exp(-(((middle - 0.72) / 0.12) ** 2))
        grey = min(252, round(body + gloss))
        tip = 5.0 * max(0.0, abs(middle) - 0.45)  # the chamfer
        near, far = left * PIN_WIDTH / 2, right * PIN_WIDTH / 2
        end = bend + along * (length - tip)
        outline = (
            np.add(root, (near, 0)),
            bend + across * near,
            end + across * near,
            end + across * far,
            bend + across * far,
            np.add(root, (far, 0)),
        )
        points = [(float(px) * SCALE, float(py) * SCALE) for px, py in outline]
        draw.polygon(points, fill=grey)
        solid.polygon(points, fill=255)
    if abs(angle) > STRAIGHT and rng.random() < 0.5:  # a kink may catch the light
        mark = [tuple((bend + across * edge * PIN_WIDTH / 2) * SCALE) for edge in (-0.8, 0.5)]
        draw.line([(float(px), float(py)) for px, py in mark], fill=int(rng.integers(120, 215)), width=2 * SCALE)


def _ground(rng: np.random.Generator) -> Floats:
    """The plate of the fixture: brushed, unevenly lit."""
    streaks = Image.fromarray(rng.normal(0, 1, size=(HEIGHT, 24)).astype(np.float32))
    long = np.asarray(streaks.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), dtype=np.float64)
    plate = 118 + 4.0 * long + rng.normal(0, 2, size=(HEIGHT, WIDTH))
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    for bolt in (90, 710):  # two dowels that the part is held by
        distance = np.hypot(x - bolt, y - 400)
        plate = np.where(distance < 22, 64 + 26 * (distance < 15), plate)
    return plate


def _camera(scene: Floats, rng: np.random.Generator) -> Image.Image:
    """Uneven light, focus, noise and dust: what lies between the part and the file."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    cx, cy = rng.uniform(-0.5, 0.5, size=2)
    light = 1.12 - rng.uniform(0.22, 0.34) * ((x - cx) ** 2 + 0.7 * (y - cy) ** 2)
    lit = scene * light * rng.uniform(0.88, 1.1)
    image = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(3, 12))):
        px, py, size = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(0.5, 1.8)
        draw.ellipse((px - size, py - size, px + size, py + size), fill=int(rng.integers(30, 190)))
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.0))), dtype=np.float64)
    noisy = soft + rng.normal(0, 1, size=soft.shape) * np.sqrt(4 + 0.05 * soft)
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def _box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    return left * SCALE, top * SCALE, right * SCALE, bottom * SCALE
