"""Pictures that are drawn on the fly: with spots, of parts, with masks, and some that are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.records import Sample, Samples, Task


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of grey pictures of one value each, beside files that are none or cannot be read."""
    root = tmp_path / "pictures"
    (root / "Charge ä 2").mkdir(parents=True)
    (root / ".hidden").mkdir()
    for name, value in (("b.png", 0), ("a.PNG", 255), ("Charge ä 2/c d.bmp", 128), (".hidden/x.png", 9), (".y.png", 9)):
        Image.new("L", (20, 10), value).save(root / name)
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(root / "cut.jpg")
    (root / "cut.jpg").write_bytes((root / "cut.jpg").read_bytes()[:900])
    (root / "empty.png").write_bytes(b"")
    (root / "text.png").write_text("not a picture")
    (root / "notes.txt").write_text("not meant to be a picture")
    return root


def draw(path: Path, seed: int, corners: Sequence[int] = ()) -> Path:
    """A grey picture of 40 x 40 pixels with a bright spot in some of its four corners; each seed gives another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pixels = rng.integers(60, 120, (40, 40), dtype=np.uint8)
    for corner in corners:
        y, x = 20 * (corner // 2) + rng.integers(2, 8), 20 * (corner % 2) + rng.integers(2, 8)
        pixels[y : y + 10, x : x + 10] = 250
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(name="draw", scope="session")
def draw_fixture() -> Callable[..., Path]:
    """`draw(path, seed, corners)`: see there."""
    return draw


def fill_parts(root: Path, n: int = 96, size: int = 24) -> Path:
    """Grey pictures of `n` parts in two classes, two pictures a part (part007_1.png): the bad ones are brighter."""
    rng = np.random.default_rng(0)
    for i in range(n):
        bad, part = (i // 2) % 3 == 0, i // 2
        level = np.random.default_rng(1000 + part).normal(118 if bad else 96, 12)
        pixels = np.clip(rng.normal(level, 22, (size, size)) + np.linspace(-15, 15, size), 0, 255)
        path = root / ("nok" if bad else "ok") / f"part{part:03d}_{i % 2}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return root


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of parts, two of each, made once."""
    return fill_parts(tmp_path_factory.mktemp("Teile ä") / "parts")


SQUARES = ("bright", "dark")


def draw_squares(
    folder: Path, n: int, pixels: Any = "multilabel", *, sizes: Sequence[tuple[int, int]] = ((32, 40),)
) -> Samples:
    """Samples of grey pictures with masks: a bright square in every second one, a dark one in two of four."""
    from flawscope.masks import masks_of
    from flawscope.storage import sha256_file

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        height, width = sizes[i % len(sizes)]
        image_hw = rng.integers(90, 160, (height, width), dtype=np.uint8)
        mask_khw = np.zeros((2, height, width), dtype=np.bool_)
        for k, value in enumerate((255, 0)):
            if (i >> k) & 1:
                y, x = int(rng.integers(0, height - 8)), int(rng.integers(0, width // 2 - 8)) + k * (width // 2)
                image_hw[y : y + 8, x : x + 8] = value
                mask_khw[k, y : y + 8, x : x + 8] = True
        path = folder / f"{i}.png"
        Image.fromarray(image_hw).save(path)
        masks = masks_of(mask_khw)
        rows.append(Sample(path.name, str(path), masks.shown, path.name, sha256_file(path), masks=masks))
    return Samples("squares", Task("multilabel", SQUARES, "ok", pixels), tuple(rows))


@pytest.fixture(name="draw_squares", scope="session")
def draw_squares_fixture() -> Callable[..., Any]:
    """`draw_squares(folder, n, pixels, sizes=...)`: see there."""
    return draw_squares
