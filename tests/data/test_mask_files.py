"""Masks as picture files: what each kind of file means, and every file that cannot be used."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.data.mask_files import binary_masks, index_masks, pair_masks, white_value
from flawscope.errors import DataError, ImageError, UserError
from flawscope.preprocess import open_image

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
square_hw = np.zeros((6, 8), dtype=np.uint8)
square_hw[1:4, 2:5] = 1
index_hw = square_hw.copy()
index_hw[4:, 6:] = 3
CLASSES = ("inclusion", "patches", "scratches")


def save(path: Path, pixels: Any, mode: str | None = None, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def palette(pixels: Any, colours: list[int]) -> Image.Image:
    image = Image.fromarray(np.asarray(pixels, dtype=np.uint8))
    image.putpalette(colours)
    assert image.mode == "P"
    return image


def told(kind: Any, *words: Any, **options: Any) -> str:
    with pytest.raises(UserError) as error:
        kind(*words, **options)
    return str(error.value)


def flawed(path: Path, **options: Any) -> Any:
    mask_khw = binary_masks(path, "patches", CLASSES, 6, 8, **options)
    assert (mask_khw.shape, mask_khw.dtype) == ((3, 6, 8), np.bool_)
    assert not mask_khw[[0, 2]].any()
    return mask_khw[1]


# --- binary -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "RGB", "1", "LA", "RGBA", "P"])
def test_binary_masks_of_every_mode(mode: str, tmp_path: Path) -> None:
    path = save(tmp_path / "m.png", square_hw * 255, mode)
    assert white_value([path]) == 255
    assert np.array_equal(flawed(path), square_hw == 1)


def test_binary_masks_of_0_and_1(tmp_path: Path) -> None:
    empty, one = save(tmp_path / "0.png", square_hw * 0), save(tmp_path / "1.png", square_hw)
    full = save(tmp_path / "2.png", square_hw * 255)
    assert (white_value([empty, one]), white_value([empty]), white_value([one, full]), white_value([])) == (
        1,
        255,
        255,
        255,
    )
    assert np.array_equal(flawed(one, white=1), square_hw == 1)
    assert not flawed(one).any(), "noise of a mask from 0 to 255"
    assert "has the value 255, where 0 is good and 1 flawed" in told(flawed, full, white=1)


def test_noise_of_compression_does_not_count(tmp_path: Path) -> None:
    noise_hw = np.random.default_rng(0).integers(0, 60, size=(6, 8))
    noisy_hw = np.where(square_hw, 255 - noise_hw, noise_hw).astype(np.uint8)
    assert np.array_equal(flawed(save(tmp_path / "m.png", noisy_hw)), square_hw == 1)
    assert flawed(save(tmp_path / "n.png", np.full((6, 8), 128, dtype=np.uint8))).all()
    assert not flawed(save(tmp_path / "n.png", np.full((6, 8), 127, dtype=np.uint8))).any()
    large = np.kron(square_hw * 255, np.ones((9, 9), dtype=np.uint8))  # across the blocks of 8
    path = save(tmp_path / "m.jpg", large, quality=60)
    assert len(np.unique(np.asarray(open_image(path)))) > 2
    assert (binary_masks(path, "patches", CLASSES, 54, 72)[1] != (large > 0)).mean() < 0.01


def test_a_set_without_white_is_not_taken_for_binary(tmp_path: Path) -> None:
    assert "largest is 3" in told(white_value, [save(tmp_path / "m.png", index_hw)])


# --- class index --------------------------------------------------------------------------------------------------


def test_values_that_stand_for_classes(tmp_path: Path) -> None:
    grey = save(tmp_path / "grey.png", index_hw)
    coloured = save(tmp_path / "p.png", palette(index_hw, [0, 0, 0, 128, 0, 0, 0, 128, 0, 0, 0, 128]))
    rgb = save(tmp_path / "rgb.bmp", index_hw, "RGB")
    for path in (grey, coloured, rgb):
        mask_khw = index_masks(path, CLASSES, 6, 8)
        assert (mask_khw.shape, mask_khw.dtype) == ((3, 6, 8), np.bool_)
        for i in range(3):
            assert np.array_equal(mask_khw[i], index_hw == i + 1)


@pytest.mark.parametrize(("depth", "values"), [(1, [0, 1]), (2, [0, 3]), (4, [0, 3])])
def test_grey_values_of_few_bits_are_what_the_file_holds(depth: int, values: list[int], tmp_path: Path) -> None:
    # A PNG by hand, one row of 8 / depth pixels: Pillow spreads such values to 0..255.
    pixels = [values[i % 2] for i in range(8 // depth)]
    packed = sum(value << (8 - depth * (i + 1)) for i, value in enumerate(pixels))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(pixels), 1, depth, 0, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes([0, packed]))) + chunk(b"IEND", b"")
    (tmp_path / "m.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    mask_khw = index_masks(tmp_path / "m.png", CLASSES, 1, len(pixels))
    assert mask_khw[values[1] - 1, 0].tolist() == [value > 0 for value in pixels]
    assert mask_khw.sum() == sum(value > 0 for value in pixels)


def test_values_that_stand_for_no_class(tmp_path: Path) -> None:
    path = save(tmp_path / "m.png", index_hw)
    words = told(index_masks, path, CLASSES[:2], 6, 8)
    assert f"{path}: values that stand for no class: 3 (4 pixels); expected 0 none, 1 inclusion, 2 patches" in words
    assert "name the classes" in words
    assert "255 (9 pixels)" in told(index_masks, save(tmp_path / "b.png", square_hw * 255), CLASSES, 6, 8)
    ramp = save(tmp_path / "ramp.png", np.arange(48, dtype=np.uint8).reshape(6, 8))
    assert "and 39 more values" in told(index_masks, ramp, CLASSES, 6, 8)


def test_a_jpeg_holds_no_class_index_whatever_it_is_called(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(index_hw).save(stream, "JPEG")
    (tmp_path / "m.png").write_bytes(stream.getvalue())
    assert "do not survive in a JPEG" in told(index_masks, tmp_path / "m.png", CLASSES, 6, 8)


# --- files that cannot be used --------------------------------------------------------------------------------------


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    good = save(tmp_path / "good.png", np.kron(square_hw * 255, np.ones((40, 40), dtype=np.uint8)))
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:-60])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("mask")
    for name, words in (
        ("no", "does not exist"),
        ("empty", "is empty (0 bytes)"),
        ("cut", "cannot be decoded"),
        ("text", "not a picture"),
    ):
        path = tmp_path / f"{name}.png"
        for kind in (lambda p: binary_masks(p, "patches", CLASSES, 240, 320), lambda p: index_masks(p, CLASSES, 6, 8)):
            with pytest.raises(ImageError, match="png: ") as error:
                kind(path)
            assert words in str(error.value) and str(path) in str(error.value)


def test_masks_that_cannot_be_used(tmp_path: Path) -> None:
    wide = save(tmp_path / "16.png", square_hw.astype(np.uint16))
    assert "more than 8 bits" in told(flawed, wide) and "more than 8 bits" in told(index_masks, wide, CLASSES, 6, 8)
    assert "more than 8 bits" in told(flawed, save(tmp_path / "f.tif", square_hw.astype(np.float32)))
    colours = np.stack([square_hw * 255, square_hw, square_hw], axis=2)
    path = save(tmp_path / "rgb.png", colours)
    assert f"{path}: a mask in colours" in told(flawed, path)
    assert "a mask in colours" in told(flawed, save(tmp_path / "p.png", palette(square_hw, [0, 0, 0, 128, 0, 0])))
    assert "transparent" in told(flawed, save(tmp_path / "a.png", np.dstack([colours, square_hw])))
    assert "called 'pitches'" in told(binary_masks, path, "pitches", CLASSES, 6, 8)
    small = save(tmp_path / "s.png", square_hw)
    words = f"{small}: the mask has 8 x 6 pixels, its image 9 x 6"
    assert words in told(binary_masks, small, "patches", CLASSES, 6, 9)
    assert words in told(index_masks, small, CLASSES, 6, 9)


def test_16_bit_colour_is_refused_although_pillow_narrows_it(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    data = zlib.compress(b"\0" + struct.pack(">6H", 1, 1, 1, 0, 0, 0))
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    (tmp_path / "m.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    assert "more than 8 bits" in told(index_masks, tmp_path / "m.png", CLASSES, 1, 2)


# --- which mask belongs to which image ------------------------------------------------------------------------------


def test_masks_beside_and_in_a_folder_of_their_own(tmp_path: Path) -> None:
    images = [save(tmp_path / "images" / name, square_hw) for name in ("a/1.JPG", "b/1.bmp", "b/2.jpg")]
    beside = save(tmp_path / "images" / "a" / "1.png", square_hw)
    stray = save(tmp_path / "images" / "b" / "9.png", square_hw)
    found = pair_masks(images, tmp_path / "images")
    assert (found.masks, found.without, found.strays) == ({images[0]: beside}, tuple(images[1:]), (stray,))
    masks = [save(tmp_path / "masks" / name, square_hw) for name in ("A/1.png", "b/1.tif")]
    found = pair_masks(images, tmp_path / "images", tmp_path / "masks")
    assert (found.masks, found.without, found.strays) == (dict(zip(images, masks, strict=False)), (images[2],), ())


def test_masks_that_cannot_be_paired(tmp_path: Path) -> None:
    root, masks = tmp_path / "images", tmp_path / "masks"
    images = [save(root / "1.jpg", square_hw)]
    assert "folder of masks does not exist" in told(pair_masks, images, root, masks)
    assert "no image of 1 has a mask beside the images" in told(pair_masks, images, root)
    masks.mkdir()
    assert f"has a mask in {masks}" in told(pair_masks, images, root, masks)
    save(masks / "1.png", square_hw)
    twice = [*images, save(root / "1.bmp", square_hw)]
    assert "is the mask of two images" in told(pair_masks, twice, root, masks)
    save(masks / "1.bmp", square_hw)
    assert "two masks of one name" in told(pair_masks, images, root, masks)


# --- real files -----------------------------------------------------------------------------------------------------


def test_real_masks_of_steel() -> None:
    root = SHARED / "neu-seg"
    if not root.is_dir():
        pytest.skip("the shared data are not here")
    images = sorted((root / "images").glob("*.jpg"))[:2000:100]
    found = pair_masks(images, root / "images", root / "masks")
    assert (list(found.masks), found.without) == (images, ())
    for image, mask in found.masks.items():
        width, height = open_image(image).size
        mask_khw = index_masks(mask, CLASSES, height, width)
        assert mask_khw.any() and mask_khw.sum(axis=0).max() == 1
    with pytest.raises(DataError, match="stand for no class"):
        for mask in found.masks.values():
            index_masks(mask, CLASSES[:1], 200, 200)


def test_real_masks_of_tiles() -> None:
    root = SHARED / "magnetic-tile"
    if not root.is_dir():
        pytest.skip("the shared data are not here")
    images = [path for folder in sorted(root.glob("MT_*")) for path in sorted(folder.glob("Imgs/*.jpg"))[:3]]
    found = pair_masks(images, root)
    assert found.without == () and len(found.masks) == 18
    assert white_value(found.masks.values()) == 255
    for image, mask in found.masks.items():
        width, height = open_image(image).size
        mask_khw = binary_masks(mask, "flaw", ["flaw"], height, width)
        assert mask_khw.any() == ("MT_Free" not in image.parts)
        values, count = np.unique(np.asarray(open_image(mask)), return_counts=True)
        assert mask_khw.sum() == count[values >= 128].sum()
