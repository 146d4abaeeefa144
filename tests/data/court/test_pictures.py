from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from flawscope.data.court.pictures import SIDE, TURNS, Grey, small_picture, small_pictures, turned
from flawscope.errors import ImageError
from flawscope.records import Sample, Samples, Task

Texture = Callable[..., Grey]
BY_HAND = {
    "": ([[1, 2], [3, 4]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
    "mirrored": ([[2, 1], [4, 3]], [[3, 2, 1], [6, 5, 4], [9, 8, 7]]),
    "90°": ([[2, 4], [1, 3]], [[3, 6, 9], [2, 5, 8], [1, 4, 7]]),
    "mirrored 90°": ([[1, 3], [2, 4]], [[1, 4, 7], [2, 5, 8], [3, 6, 9]]),
    "180°": ([[4, 3], [2, 1]], [[9, 8, 7], [6, 5, 4], [3, 2, 1]]),
    "mirrored 180°": ([[3, 4], [1, 2]], [[7, 8, 9], [4, 5, 6], [1, 2, 3]]),
    "270°": ([[3, 1], [4, 2]], [[7, 4, 1], [8, 5, 2], [9, 6, 3]]),
    "mirrored 270°": ([[4, 2], [3, 1]], [[9, 6, 3], [8, 5, 2], [7, 4, 1]]),
}


@pytest.mark.parametrize("turn", range(8), ids=TURNS)
def test_turns_by_hand(turn: int) -> None:
    two, three = BY_HAND[TURNS[turn]]
    assert turned(np.array([[1, 2], [3, 4]]), turn).tolist() == two
    assert turned(np.arange(1, 10).reshape(3, 3), turn).tolist() == three
    both = turned(np.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]), turn)
    assert both[0].tolist() == two
    assert both[1].tolist() == (np.array(two) + 4).tolist()


def test_the_names_are_what_is_done_first_mirrored_then_turned_counter_clockwise() -> None:
    picture = np.arange(9).reshape(3, 3)
    assert list(TURNS) == list(BY_HAND)
    for turn, name in enumerate(TURNS):
        by_name: npt.NDArray[Any] = np.fliplr(picture) if "mirrored" in name else picture
        degrees = int(name.replace("mirrored", "").strip().rstrip("°") or 0)
        assert np.array_equal(turned(picture, turn), np.rot90(by_name, degrees // 90)), name


def test_each_turn_is_undone_by_exactly_one_other() -> None:
    picture = np.arange(9).reshape(3, 3)
    undone_by = [
        [back for back in range(8) if np.array_equal(turned(turned(picture, t), back), picture)] for t in range(8)
    ]
    assert [TURNS[back] for (back,) in undone_by] == [
        "", "mirrored", "270°", "mirrored 90°", "180°", "mirrored 180°", "90°", "mirrored 270°",
    ]  # fmt: skip


def saved(path: Path, picture: Image.Image) -> Path:
    picture.save(path)
    return path


def test_every_kind_of_picture_shows_the_same(tmp_path: Path, texture: Texture) -> None:
    grey = texture(1, 128)
    plain = Image.fromarray(grey)
    expected = small_picture(saved(tmp_path / "grey.png", plain))
    assert (expected.shape, expected.dtype) == ((SIDE, SIDE), np.uint8)
    by_hand = grey.reshape(64, 2, 64, 2).mean(axis=(1, 3))
    assert np.abs(expected - by_hand).max() <= 1
    alpha = Image.fromarray(np.dstack([grey, grey, grey, np.full_like(grey, 90)]), "RGBA")
    for name, picture in {
        "rgb.png": plain.convert("RGB"),
        "rgba.png": alpha,
        "la.png": plain.convert("LA"),
        "bmp.bmp": plain,
    }.items():
        assert np.array_equal(small_picture(saved(tmp_path / name, picture)), expected), name
    palette = plain.convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
    found = small_picture(saved(tmp_path / "palette.png", palette))
    assert np.abs(found.astype(int) - expected).max() <= 2


@pytest.mark.parametrize(("height", "width"), [(100, 100), (300, 300), (97, 201), (63, 41), (20, 20), (1000, 777)])
@pytest.mark.parametrize("turn", range(1, 8), ids=TURNS[1:])
def test_the_small_picture_of_a_turned_file_is_the_turned_one(
    tmp_path: Path, height: int, width: int, turn: int
) -> None:
    grey = np.random.default_rng(height).integers(0, 256, (height, width)).astype(np.uint8)
    plain = small_picture(saved(tmp_path / "plain.png", Image.fromarray(grey)))
    found = small_picture(saved(tmp_path / "turned.png", Image.fromarray(turned(grey, turn))))
    assert np.abs(found.astype(int) - turned(plain, turn)).max() <= 1


def test_sixteen_bits_are_stretched_whatever_their_range(tmp_path: Path, texture: Texture) -> None:
    values = texture(1, 128).astype(np.uint16) * 13 + 100
    low = small_picture(saved(tmp_path / "twelve.png", Image.fromarray(values)))
    high = small_picture(saved(tmp_path / "sixteen.png", Image.fromarray(values * 17)))
    assert np.abs(low.astype(int) - high).max() <= 1
    assert low.min() < 40
    assert low.max() > 215
    flat = small_picture(saved(tmp_path / "flat.png", Image.fromarray(np.full((9, 9), 700, np.uint16))))
    assert np.ptp(flat) == 0


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (40, 1), (1, 40), (5000, 1), (1, 5000), (700, 30)])
@pytest.mark.parametrize("kind", ["L", "RGB", "I;16"])
def test_pictures_of_any_shape_fit(tmp_path: Path, size: tuple[int, int], kind: str) -> None:
    w, h = size
    values = np.random.default_rng(0).integers(0, 255, (h, w)).astype(np.uint16 if kind == "I;16" else np.uint8)
    picture = Image.fromarray(values)
    path = saved(tmp_path / "p.png", picture if kind == "I;16" else picture.convert(kind))
    assert small_picture(path).shape == (SIDE, SIDE)


def test_large_pictures_are_reduced_to_the_same(tmp_path: Path, texture: Texture) -> None:
    small = Image.fromarray(texture(3))
    large = small.resize((1024, 1024), Image.Resampling.NEAREST)
    assert np.array_equal(small_picture(saved(tmp_path / "l.png", large)), texture(3))


def test_all_pictures_in_their_order(tmp_path: Path, texture: Texture) -> None:
    rows = []
    for seed in range(20):
        path = saved(tmp_path / f"{seed}.png", Image.fromarray(texture(seed)))
        rows.append(Sample(path.name, str(path), (0.0,), path.name, path.name))
    grey_nhw = small_pictures(Samples("made", Task("binary", ("bad",)), tuple(rows)))
    assert np.array_equal(grey_nhw, np.stack([texture(seed) for seed in range(20)]))
    (tmp_path / "7.png").write_bytes(b"")
    with pytest.raises(ImageError, match="is empty"):
        small_pictures(Samples("made", Task("binary", ("bad",)), tuple(rows)))
