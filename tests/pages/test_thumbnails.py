from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawscope.pages.thumbnails import SIDE, data_uri, thumbnail


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"])
def test_every_mode_becomes_eight_bits_and_small(mode: str) -> None:
    small = thumbnail(Image.new(mode, (640, 320)))
    assert small.mode in ("L", "RGB") and small.size == (SIDE, SIDE // 2)


def test_sixteen_bits_are_stretched_so_that_dark_pictures_can_be_seen() -> None:
    ramp = np.tile(np.linspace(100, 1100, 100), (100, 1)).astype(np.uint16)
    shown = np.asarray(thumbnail(Image.fromarray(ramp)))
    assert shown.min() < 5 and shown.max() > 250


def test_transparent_becomes_white() -> None:
    assert thumbnail(Image.new("RGBA", (4, 4), (9, 9, 9, 0))).getpixel((0, 0)) == (255, 255, 255)


def test_original_is_left_alone_and_small_ones_stay() -> None:
    image = Image.new("L", (300, 300))
    thumbnail(image)
    assert image.size == (300, 300) and thumbnail(Image.new("L", (30, 20))).size == (30, 20)


def test_unreadable_file_gives_none(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not a picture")
    assert data_uri(tmp_path / "a.png") is None and data_uri(tmp_path / "missing.png") is None
