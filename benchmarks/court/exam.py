"""The exam of the leak court: which pictures, which copies, how strong. Committed before the method was written.

Four real sets give the hosts. Pictures that resemble another one of their set are taken out first, by a measure that
the court does not use (`resemblance`), so that a pair which the court finds among the hosts is a mistake. The hosts
are then dealt into two halves: thresholds and all other constants may be chosen on `tuning`, numbers are reported from
`measuring` only.

For every kind of copy one pool is made of a half: all its hosts, and one copy of each, the strengths in turn. A found
pair is right if both pictures go back to one host. A copy is found if it stands in a pair with its host.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

Picture = Image.Image
Rng = np.random.Generator
HALVES = ("tuning", "measuring")
HOSTS = 400
"""At most so many hosts of one set in each half."""

RESEMBLANCE = 0.8
"""Of two pictures that correlate above this one is taken out."""

SIDE = 48


@dataclass(frozen=True)
class Plant:
    """One way to make a copy: its kind, its strength in words, and the picture and random numbers that it takes.

    `bytes_` says that the file itself is copied, byte for byte.
    """

    kind: str
    strength: str
    make: Callable[[Picture, Rng], Picture]
    bytes_: bool = False


def as_array(image: Picture) -> npt.NDArray[np.float32]:
    """Grey values 0 to 255, height x width."""
    return np.asarray(image.convert("L"), dtype=np.float32)


def as_picture(values: npt.NDArray[np.floating]) -> Picture:
    """Grey values, cut off at 0 and 255 as a sensor does."""
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def saved(image: Picture, form: str, **options: int) -> Picture:
    """The picture after being saved in a format and read again."""
    stream = io.BytesIO()
    image.convert("L").save(stream, form, **options)
    return Image.open(io.BytesIO(stream.getvalue())).convert("L")


def turned(turn: Image.Transpose) -> Callable[[Picture, Rng], Picture]:
    """Turned or mirrored without loss."""
    return lambda image, rng: image.transpose(turn)


def exposed(factor: float = 1.0, gamma: float = 1.0, contrast: float = 1.0) -> Callable[[Picture, Rng], Picture]:
    """Another exposure: brightness, gamma, contrast about the mean, and new sensor noise of 3 grey values."""

    def make(image: Picture, rng: Rng) -> Picture:
        grey = 255 * (as_array(image) / 255) ** gamma * factor
        grey = (grey - grey.mean()) * contrast + grey.mean()
        return as_picture(grey + rng.normal(0, 3, grey.shape))

    return make


def shifted(share: float) -> Callable[[Picture, Rng], Picture]:
    """Moved by this share of the sides in a random direction; what comes in repeats the border."""

    def make(image: Picture, rng: Rng) -> Picture:
        grey = as_array(image)
        angle = rng.uniform(0, 2 * np.pi)
        down = round(share * grey.shape[0] * np.sin(angle))
        right = round(share * grey.shape[1] * np.cos(angle))
        wide = np.pad(grey, ((abs(down),) * 2, (abs(right),) * 2), mode="edge")
        top, left = abs(down) - down, abs(right) - right
        return as_picture(wide[top : top + grey.shape[0], left : left + grey.shape[1]])

    return make


def cropped(share: float) -> Callable[[Picture, Rng], Picture]:
    """This share of each side is kept, at a random place, and brought back to the old size."""

    def make(image: Picture, rng: Rng) -> Picture:
        width, height = share * image.width, share * image.height
        left, top = rng.uniform(0, image.width - width), rng.uniform(0, image.height - height)
        box = (left, top, left + width, top + height)
        return image.convert("L").resize(image.size, Image.Resampling.BICUBIC, box=box)

    return make


def tilted(degrees: float) -> Callable[[Picture, Rng], Picture]:
    """Rotated by a small angle either way; corners repeat the mean."""

    def make(image: Picture, rng: Rng) -> Picture:
        grey = image.convert("L")
        angle = degrees * rng.choice((-1, 1))
        return grey.rotate(angle, Image.Resampling.BICUBIC, fillcolor=round(float(as_array(grey).mean())))

    return make


def jpeg(quality: int) -> Callable[[Picture, Rng], Picture]:
    """Saved as JPEG."""
    return lambda image, rng: saved(image, "JPEG", quality=quality)


def scaled(factor: float) -> Callable[[Picture, Rng], Picture]:
    """Saved at another size."""

    def make(image: Picture, rng: Rng) -> Picture:
        size = (max(8, round(image.width * factor)), max(8, round(image.height * factor)))
        return image.convert("L").resize(size, Image.Resampling.LANCZOS)

    return make


def sister(likeness: float) -> Callable[[Picture, Rng], Picture]:
    """A part of the same batch: the same structure, mixed with a structure of its own, and a crack.

    The own structure is smooth noise of the host's contrast; `likeness` is the correlation of the two structures.
    The crack is a dark line across a third of the picture.
    """

    def make(image: Picture, rng: Rng) -> Picture:
        grey = as_array(image)
        noise = as_picture(rng.normal(127, 60, grey.shape)).filter(ImageFilter.GaussianBlur(min(grey.shape) / 40))
        own = as_array(noise)
        own = (own - own.mean()) / max(float(own.std()), 1e-6) * grey.std()
        mixed = as_picture(grey.mean() + likeness * (grey - grey.mean()) + np.sqrt(1 - likeness**2) * own)
        x, y = rng.uniform(0.2, 0.8, 2) * mixed.size
        angle, length = rng.uniform(0, 2 * np.pi), 0.35 * max(mixed.size)
        end = (x + length * np.cos(angle), y + length * np.sin(angle))
        ImageDraw.Draw(mixed).line((x, y, *end), fill=20, width=max(1, round(min(mixed.size) / 100)))
        return mixed

    return make


def mixed(image: Picture, rng: Rng) -> Picture:
    """All at once: turned or mirrored, 1 % shift, another exposure, JPEG of quality 60."""
    turn = Image.Transpose(int(rng.integers(0, 7)))
    moved = shifted(0.01)(image.transpose(turn), rng)
    exposure = exposed(factor=float(rng.uniform(0.75, 1.3)), gamma=float(rng.uniform(0.8, 1.25)))
    return saved(exposure(moved, rng), "JPEG", quality=60)


def sharpened(image: Picture, rng: Rng) -> Picture:
    """Another post-processing of the same raw picture."""
    return ImageEnhance.Sharpness(image.convert("L")).enhance(2.0)


def same(image: Picture, rng: Rng) -> Picture:
    """The file itself."""
    return image


Turn = Image.Transpose
PLANTS: tuple[Plant, ...] = (
    Plant("identical", "byte for byte", same, bytes_=True),
    *(Plant("re-encoded", f"JPEG {quality}", jpeg(quality)) for quality in (95, 75, 50, 30)),
    Plant("re-encoded", "WebP 60", lambda image, rng: saved(image, "WEBP", quality=60)),
    Plant("re-encoded", "PNG", lambda image, rng: saved(image, "PNG")),
    *(Plant("turned", f"{turn.name}", turned(turn)) for turn in (Turn.ROTATE_90, Turn.ROTATE_180, Turn.ROTATE_270)),
    *(
        Plant("mirrored", f"{turn.name}", turned(turn))
        for turn in (Turn.FLIP_LEFT_RIGHT, Turn.FLIP_TOP_BOTTOM, Turn.TRANSPOSE, Turn.TRANSVERSE)
    ),
    *(Plant("exposure", f"brightness x {f:g}", exposed(factor=f)) for f in (0.6, 0.8, 1.25, 1.6)),
    *(Plant("exposure", f"gamma {g:g}", exposed(gamma=g)) for g in (0.6, 1.6)),
    *(Plant("exposure", f"contrast x {c:g}", exposed(contrast=c)) for c in (0.6, 1.5)),
    *(Plant("shifted", f"by {s:.0%}", shifted(s)) for s in (0.01, 0.02, 0.04, 0.08)),
    *(Plant("cropped", f"{s:.0%} kept", cropped(s)) for s in (0.98, 0.95, 0.9, 0.8)),
    *(Plant("tilted", f"by {d} degrees", tilted(d)) for d in (1, 2, 4)),
    *(Plant("scaled", f"to {f:.0%}", scaled(f)) for f in (0.5, 0.75, 1.5)),
    *(Plant("sister", f"likeness {s:g}", sister(s)) for s in (0.98, 0.95, 0.9)),
    Plant("mixed", "turn, 1 % shift, exposure, JPEG 60", mixed),
    Plant("sharpened", "twice", sharpened),
)
KINDS = tuple(dict.fromkeys(plant.kind for plant in PLANTS))
HARD = ("identical", "re-encoded", "turned", "mirrored", "exposure")
"""The kinds that must be found with precision and recall of at least 0.99."""


def plants_of(kind: str) -> list[Plant]:
    """All strengths of one kind."""
    return [plant for plant in PLANTS if plant.kind == kind]


def plant_pool(folder: Path, hosts: list[Path], kind: str) -> dict[str, str]:
    """Write the pool of one kind to a folder: hosts and one copy of each. Returns the host's name of each file.

    The random numbers of a copy depend on its host and kind alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plants, origin = plants_of(kind), {}
    for index, host in enumerate(hosts):
        name = f"{index:04d}"
        content = host.read_bytes()
        (folder / f"{name}{host.suffix}").write_bytes(content)
        origin[f"{name}{host.suffix}"] = name
        plant = plants[index % len(plants)]
        if plant.bytes_:
            copy = f"{name}-copy{host.suffix}"
            (folder / copy).write_bytes(content)
        else:
            copy = f"{name}-copy.png"
            seed = int.from_bytes(hashlib.sha256(f"{kind}/{host.name}".encode()).digest()[:8])
            with Image.open(host) as image:
                plant.make(image.convert("L"), np.random.default_rng(seed)).save(folder / copy)
        origin[copy] = name
    return origin


def strength_of(kind: str, name: str) -> str:
    """The strength of a copy by the name of its file in the pool."""
    plants = plants_of(kind)
    return plants[int(name[:4]) % len(plants)].strength


def hosts(paths: list[Path]) -> dict[str, list[Path]]:
    """The hosts of a set for each half: at most `HOSTS`, no two of them resembling each other.

    The order in which pictures are taken, and the half that they go to, is that of a hash of their contents.
    """
    order = sorted(paths, key=lambda path: hashlib.sha256(path.read_bytes()).hexdigest())
    kept = [order[i] for i in unlike(order, 2 * HOSTS)]
    return {"tuning": kept[0::2], "measuring": kept[1::2]}


def unlike(paths: list[Path], most: int) -> list[int]:
    """Indices of pictures of which no two correlate above `RESEMBLANCE`, in the order given."""
    vectors_ntd = resemblance_vectors(paths)
    kept: list[int] = []
    for i in range(len(paths)):
        if len(kept) == most:
            break
        if not kept or float(np.max(vectors_ntd[kept, 0] @ vectors_ntd[i].T)) < RESEMBLANCE:
            kept.append(i)
    return kept


def resemblance_vectors(paths: list[Path]) -> npt.NDArray[np.float32]:
    """n x 8 turns x pixels: pictures at 48 x 48, the mean picture of the set taken out, scaled to length 1.

    The product of two is their correlation. It knows neither shifts nor detail: that is what the court is for.
    """
    grey_nhw = np.stack([np.asarray(_small(path), dtype=np.float32) for path in paths])
    grey_nhw -= grey_nhw.mean(axis=(1, 2), keepdims=True)
    grey_nhw /= grey_nhw.std(axis=(1, 2), keepdims=True) + 1e-6
    grey_nhw -= grey_nhw.mean(axis=0)
    views = np.stack(list(eight(grey_nhw)), axis=1).reshape(len(paths), 8, -1)
    views -= views.mean(axis=2, keepdims=True)
    views /= np.linalg.norm(views, axis=2, keepdims=True)
    return views


def _small(path: Path) -> Picture:
    with Image.open(path) as image:
        return image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)


def eight(grey_nhw: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.float32]]:
    """The eight ways to turn and mirror square pictures."""
    for turns in range(4):
        turned_nhw = np.rot90(grey_nhw, turns, axes=(1, 2))
        yield turned_nhw
        yield turned_nhw[:, :, ::-1]


def sets(shared: Path, elpv: Path) -> dict[str, list[Path]]:
    """The pictures of the four sets, sorted by name."""
    data = shared / "data"
    return {
        "elpv": sorted((elpv / "images").glob("*.png")),
        "casting": sorted(data.glob("casting/*/*/*.jpeg")),
        "magnetic-tile": sorted(data.glob("magnetic-tile/*/Imgs/*.jpg")),
        "neu-seg": sorted(data.glob("neu-seg/images/*.jpg")),
    }
