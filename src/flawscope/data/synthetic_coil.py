"""Draw one picture of a coil: its housing, winding and pins, the plate that it lies on, the camera.

Coordinates are pixels of the 800x520 picture, x to the right, y down; angles are degrees, positive to the right.
Random numbers are drawn in a fixed order: the easy pictures of a seed stay what they are when a level gets richer.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from flawscope.data.coil_levels import EASY, Level, Span

WIDTH, HEIGHT = 800, 520
SCALE = 2
"""The part is drawn so much larger and then reduced: smooth edges."""
PIN_X = (305.0, 495.0)
PIN_BASE, PIN_LENGTH, PIN_WIDTH = 225.0, 118.0, 17.0

Floats = npt.NDArray[np.float64]


def draw_coil(angles: tuple[float, float], rng: np.random.Generator, level: Level = EASY) -> Image.Image:
    """One picture: 8-bit grey, 800x520, of a coil whose left and right pin lean by these angles to its housing."""
    part = Image.new("L", (WIDTH * SCALE, HEIGHT * SCALE), 0)
    mask = Image.new("L", part.size, 0)
    _housing(part, mask, rng, level)
    for x, angle in zip(PIN_X, angles, strict=True):
        _pin((part, mask), x, angle, rng, level)
    turn = float(rng.uniform(-level.turn, level.turn))
    shift = rng.uniform(-np.array(level.shift), level.shift)
    placed = [
        layer.rotate(
            turn, Image.Resampling.BICUBIC, translate=(round(shift[0] * SCALE), round(shift[1] * SCALE))
        ).resize((WIDTH, HEIGHT), Image.Resampling.BOX)
        for layer in (part, mask)
    ]
    opacity = np.asarray(placed[1], dtype=np.float64) / 255
    away = (1, 0, -_within(rng, level.shadow_x), 0, 1, -_within(rng, level.shadow_y))
    shadow = placed[1].transform(placed[1].size, Image.Transform.AFFINE, away)
    shade = np.asarray(shadow.filter(ImageFilter.GaussianBlur(12)), dtype=np.float64) / 255
    scene = _ground(rng, level) * (1 - _within(rng, level.shadow) * shade)
    scene = scene * (1 - opacity) + np.asarray(placed[0], dtype=np.float64) * opacity
    return _camera(scene, rng, level)


def _housing(part: Image.Image, mask: Image.Image, rng: np.random.Generator, level: Level) -> None:
    """The moulded body with its flanges, and the winding between them."""
    draw, solid = ImageDraw.Draw(part), ImageDraw.Draw(mask)
    shade = level.shades[int(rng.integers(len(level.shades)))] if len(level.shades) > 1 else level.shades[0]
    for box, grey in (
        ((205, 245, 262, 440), 88),  # left flange
        ((538, 245, 595, 440), 88),  # right flange
        ((215, 222, 585, 258), 74),  # the bar that the pins come out of
    ):
        draw.rounded_rectangle(_box(*box), radius=9 * SCALE, fill=grey + shade + int(rng.integers(-4, 5)))
        solid.rounded_rectangle(_box(*box), radius=9 * SCALE, fill=255)
    for left, right in ((207, 260), (540, 593)):  # light catches the upper and outer edges
        draw.line(_box(left + 6, 262, left + 6, 432), fill=128 + shade, width=2 * SCALE)
        draw.line(_box(right - 3, 262, right - 3, 434), fill=max(8, 46 + shade), width=3 * SCALE)
    draw.line(_box(222, 225, 578, 225), fill=118 + shade, width=2 * SCALE)
    draw.line(_box(222, 256, 578, 256), fill=max(8, 38 + shade), width=3 * SCALE)
    left, top, right, bottom = 262, 266, 538, 424
    winding = _winding((right - left) * SCALE, (bottom - top) * SCALE, rng, level)
    part.paste(winding, (left * SCALE, top * SCALE))
    solid.rectangle(_box(left, top, right, bottom), fill=255)
    for x in PIN_X:  # the sockets of the pins, with a drop of glue
        draw.rounded_rectangle(_box(x - 19, 214, x + 19, 240), radius=5 * SCALE, fill=60 + shade)
        solid.rounded_rectangle(_box(x - 19, 214, x + 19, 240), radius=5 * SCALE, fill=255)
        w, h = rng.uniform(10, 15), rng.uniform(4, 7)
        draw.ellipse(_box(x - w, 219 - h, x + w, 219 + h), fill=shade + int(rng.integers(80, 105)))
    part.paste(part.filter(ImageFilter.GaussianBlur(0.7 * SCALE)))


def _winding(w: int, h: int, rng: np.random.Generator, level: Level) -> Image.Image:
    """Wire beside wire, seen from the side of the cylinder: dark, with a soft band of light along it."""
    x, y = np.arange(w) / SCALE, np.linspace(-1, 1, h)
    pitch = rng.uniform(4.6, 5.4)
    lean = (y * rng.uniform(1.0, 2.0))[:, None]
    wires = np.abs(np.sin(np.pi * (x[None, :] + lean + 0.25 * np.sin(x / 31)[None, :]) / pitch)) ** 0.6
    each = rng.normal(1, 0.07, size=int(w / SCALE / pitch) + 3)[((x + 2) / pitch).astype(int)]
    round_body = np.sqrt(np.clip(1 - (0.97 * y) ** 2, 0, 1))
    light = np.exp(-(((y + rng.uniform(0.3, 0.45)) / 0.16) ** 2))
    grey = (18 + 62 * round_body[:, None] + 58 * light[:, None] * each[None, :]) * (0.45 + 0.55 * wires * each[None, :])
    return Image.fromarray(np.clip(grey * _within(rng, level.winding), 0, 255).astype(np.uint8))


def _pin(
    layers: tuple[Image.Image, Image.Image], x: float, angle: float, rng: np.random.Generator, level: Level
) -> None:
    """A round pin: straight for a short piece, then leaning. Its grey across the width is that of polished metal."""
    draw, solid = (ImageDraw.Draw(layer) for layer in layers)
    lean = math.radians(angle)
    along = np.array([math.sin(lean), -math.cos(lean)])
    across = np.array([math.cos(lean), math.sin(lean)])
    stub = _within(rng, level.stub)
    length = PIN_LENGTH + rng.uniform(-3, 3) - stub
    root = np.array([x, PIN_BASE])
    bend = root - [0, stub]
    side, metal = rng.uniform(0.22, 0.38), _within(rng, level.metal)
    strips = np.linspace(-1, 1, 18)
    for left, right in itertools.pairwise(strips):
        middle = (left + right) / 2
        body = 66 + 96 * math.sqrt(1 - 0.96 * middle**2)
        gloss = 105 * math.exp(-(((middle + side) / 0.2) ** 2)) + 38 * math.exp(-(((middle - 0.72) / 0.12) ** 2))
        grey = min(252, round((body + gloss) * metal))
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
    if level.glints:
        _glints(draw, bend, along, across, rng)
    elif abs(angle) > level.straight and rng.random() < 0.5:  # a kink may catch the light
        mark = [tuple((bend + across * edge * PIN_WIDTH / 2) * SCALE) for edge in (-0.8, 0.5)]
        draw.line([(float(px), float(py)) for px, py in mark], fill=int(rng.integers(120, 215)), width=2 * SCALE)


def _glints(draw: ImageDraw.ImageDraw, bend: Floats, along: Floats, across: Floats, rng: np.random.Generator) -> None:
    """What looks like a kink and is none, on any pin: marks across it, and a streak of light that leans within it."""

    def line(ends: list[tuple[float, float]], grey: int, width: float) -> None:
        places = [(bend + along * up + across * side * PIN_WIDTH / 2) * SCALE for up, side in ends]
        draw.line([(float(x), float(y)) for x, y in places], fill=grey, width=round(width * SCALE))

    for _ in range(int(rng.integers(0, 3))):
        up, slant = rng.uniform(-4, 70), rng.uniform(-3, 3)
        line([(up - slant, -0.8), (up + slant, 0.8)], int(rng.integers(70, 235)), rng.uniform(1, 2.5))
    if rng.random() < 0.6:
        low, lean = rng.uniform(0, 30), rng.uniform(0.3, 0.55) * rng.choice([-1, 1])
        line([(low, -lean), (low + rng.uniform(25, 45), lean)], int(rng.integers(150, 250)), rng.uniform(1.5, 3))


def _ground(rng: np.random.Generator, level: Level) -> Floats:
    """The plate of the fixture: brushed, unevenly lit."""
    streaks = Image.fromarray(rng.normal(0, 1, size=(HEIGHT, 24)).astype(np.float32))
    long = np.asarray(streaks.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), dtype=np.float64)
    plate = _within(rng, level.plate) + 4.0 * long + rng.normal(0, 2, size=(HEIGHT, WIDTH))
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    for bolt in (90, 710):  # two dowels that the part is held by
        distance = np.hypot(x - bolt, y - 400)
        plate = np.where(distance < 22, 64 + 26 * (distance < 15), plate)
    return plate


def _camera(scene: Floats, rng: np.random.Generator, level: Level) -> Image.Image:
    """Uneven light, focus, noise and dust: what lies between the part and the file."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    cx, cy = rng.uniform(-0.5, 0.5, size=2)
    light = 1.12 - rng.uniform(*level.fall_off) * ((x - cx) ** 2 + 0.7 * (y - cy) ** 2)
    lit = scene * light * rng.uniform(*level.exposure)
    if level.glare[1]:  # a lamp that is seen in plate and part
        gx, gy, wide, high = *rng.uniform(-0.9, 0.9, size=2), *rng.uniform(0.15, 0.5, size=2)
        lit = lit + _within(rng, level.glare) * np.exp(-(((x - gx) / wide) ** 2) - ((y - gy) / high) ** 2)
    image = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(*level.dust))):
        px, py, size = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(*level.speck)
        draw.ellipse((px - size, py - size, px + size, py + size), fill=int(rng.integers(30, 190)))
    for _ in range(int(rng.integers(level.fibres + 1)) if level.fibres else 0):
        _fibre(draw, rng)
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(rng.uniform(*level.focus))), dtype=np.float64)
    noisy = soft + _within(rng, level.noise) * rng.normal(0, 1, size=soft.shape) * np.sqrt(4 + 0.05 * soft)
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def _fibre(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """A hair or thread: a line that curls evenly."""
    length, turn = rng.uniform(25, 80), rng.uniform(-2.5, 2.5)
    heading = rng.uniform(0, 2 * math.pi) + np.linspace(0, turn, 24)
    x, y = (np.cumsum(part(heading)) * length / 24 for part in (np.cos, np.sin))
    px, py = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
    draw.line([(px + float(a), py + float(b)) for a, b in zip(x, y, strict=True)], fill=int(rng.integers(25, 200)))


def _within(rng: np.random.Generator, span: Span) -> float:
    """A number within the span; where its ends are equal no random number is used up."""
    return span[0] if span[0] == span[1] else float(rng.uniform(*span))


def _box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    return left * SCALE, top * SCALE, right * SCALE, bottom * SCALE
