"""What the values of mask pictures mean, and every file that cannot be used."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.data.mask_files import pair_masks
from flawscope.data.mask_values import binary_code, counted, index_codes, read_shades, told_from, white_of
from flawscope.errors import DataError, ImageError, UserError
from flawscope.masks import decode_rle
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


def flawed(path: Path, height: int = 6, width: int = 8, white: int = 255) -> Any:
    return decode_rle(binary_code(read_shades(path, height, width, "binary"), white), height, width)


def indexed(path: Path, classes: Any = CLASSES, height: int = 6, width: int = 8, values: Any = "index") -> Any:
    codes = index_codes(read_shades(path, height, width, values), range(1, len(classes) + 1), classes)
    return np.array([decode_rle(code, height, width) for code in codes])


def count_of(*paths: Path, height: int = 6, width: int = 8, values: Any = "auto") -> Any:
    return counted(read_shades(path, height, width, values) for path in paths)


# --- binary -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "RGB", "1", "LA", "RGBA", "P"])
def test_binary_masks_of_every_mode(mode: str, tmp_path: Path) -> None:
    path = save(tmp_path / "m.png", square_hw * 255, mode)
    assert white_of(count_of(path, values="binary")) == 255
    assert np.array_equal(flawed(path), square_hw == 1)


def test_binary_masks_of_0_and_1(tmp_path: Path) -> None:
    empty, one = save(tmp_path / "0.png", square_hw * 0), save(tmp_path / "1.png", square_hw)
    full = save(tmp_path / "2.png", square_hw * 255)
    sets: Any = [(empty, one), (empty,), (one, full), ()]
    assert [white_of(count_of(*paths)) for paths in sets] == [1, 255, 255, 255]
    assert np.array_equal(flawed(one, white=1), square_hw == 1)
    assert not flawed(one).any(), "noise of a mask from 0 to 255"


def test_noise_of_compression_does_not_count(tmp_path: Path) -> None:
    noise_hw = np.random.default_rng(0).integers(0, 60, size=(6, 8))
    noisy_hw = np.where(square_hw, 255 - noise_hw, noise_hw).astype(np.uint8)
    assert np.array_equal(flawed(save(tmp_path / "m.png", noisy_hw)), square_hw == 1)
    assert flawed(save(tmp_path / "n.png", np.full((6, 8), 128, dtype=np.uint8))).all()
    assert not flawed(save(tmp_path / "n.png", np.full((6, 8), 127, dtype=np.uint8))).any()
    large = np.kron(square_hw * 255, np.ones((9, 9), dtype=np.uint8))  # across the blocks of 8
    path = save(tmp_path / "m.jpg", large, quality=60)
    assert len(np.unique(np.asarray(open_image(path)))) > 2
    assert (flawed(path, 54, 72) != (large > 0)).mean() < 0.01


def test_a_set_without_white_is_not_taken_for_binary(tmp_path: Path) -> None:
    assert "largest is 3" in told(white_of, count_of(save(tmp_path / "m.png", index_hw)))


# --- class index --------------------------------------------------------------------------------------------------


def test_values_that_stand_for_classes(tmp_path: Path) -> None:
    grey = save(tmp_path / "grey.png", index_hw)
    coloured = save(tmp_path / "p.png", palette(index_hw, [0, 0, 0, 128, 0, 0, 0, 128, 0, 0, 0, 128]))
    rgb = save(tmp_path / "rgb.bmp", index_hw, "RGB")
    for path in (grey, coloured, rgb):
        mask_khw = indexed(path)
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
    mask_khw = indexed(tmp_path / "m.png", CLASSES, 1, len(pixels))
    assert mask_khw[values[1] - 1, 0].tolist() == [value > 0 for value in pixels]
    assert mask_khw.sum() == sum(value > 0 for value in pixels)


def test_values_that_stand_for_no_class(tmp_path: Path) -> None:
    path = save(tmp_path / "m.png", index_hw)
    words = told(indexed, path, CLASSES[:2])
    assert f"{path}: values that stand for no class: 3 (4 pixels); expected 0 none, 1 inclusion, 2 patches" in words
    assert "name the classes" in words
    assert "255 (9 pixels)" in told(indexed, save(tmp_path / "b.png", square_hw * 255))
    ramp = save(tmp_path / "ramp.png", np.arange(48, dtype=np.uint8).reshape(6, 8))
    assert "and 39 more values" in told(indexed, ramp)


def test_a_jpeg_holds_no_class_index_whatever_it_is_called(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(index_hw).save(stream, "JPEG")
    (tmp_path / "m.png").write_bytes(stream.getvalue())
    assert "do not survive in a JPEG" in told(indexed, tmp_path / "m.png")


# --- told from the values ------------------------------------------------------------------------------------------


def test_what_the_values_mean_is_told_from_all_of_them(tmp_path: Path) -> None:
    paths = {
        "empty": save(tmp_path / "empty.png", square_hw * 0),
        "one": save(tmp_path / "one.png", square_hw),
        "white": save(tmp_path / "white.png", square_hw * 255),
        "bits": save(tmp_path / "bits.png", square_hw * 255, "1"),
        "greys": save(tmp_path / "greys.png", palette(square_hw, [0, 0, 0, 255, 255, 255])),
        "index": save(tmp_path / "index.png", index_hw),
        "colours": save(tmp_path / "colours.png", palette(index_hw, [0, 0, 0, 128, 0, 0, 0, 128, 0, 0, 0, 128])),
    }
    binary: Any = [("empty",), ("empty", "one"), ("white", "empty"), ("bits", "white"), ("greys", "white")]
    for names in binary:
        assert told_from(count_of(*(paths[name] for name in names))) == "binary", names
    for names in (("index", "one"), ("colours", "empty")):
        assert told_from(count_of(*(paths[name] for name in names))) == "index", names
    noise_hw = np.random.default_rng(0).integers(0, 30, size=(60, 80)).astype(np.uint8)
    half_hw = np.arange(80) < 40
    noisy = save(tmp_path / "noisy.png", np.where(half_hw, 255 - noise_hw, noise_hw).astype(np.uint8))
    assert told_from(count_of(noisy, height=60, width=80)) == "binary"


def test_a_set_of_jpeg_is_binary_or_nothing(tmp_path: Path) -> None:
    large = np.kron(square_hw, np.ones((9, 9), dtype=np.uint8))
    shades = read_shades(save(tmp_path / "m.jpg", large * 255, quality=80), 54, 72)
    assert shades.lossy and 2 < len(shades.count) <= 51, "fewer values than there could be classes"
    assert told_from(shades.count, lossy=True) == "binary"
    classes = read_shades(save(tmp_path / "i.jpg", large * 3, quality=95), 54, 72)
    assert told_from(classes.count) == "index"
    assert "do not survive" in told(told_from, classes.count, lossy=True)
    assert told_from({0: 9}, lossy=True) == "binary"


@pytest.mark.parametrize("values", [{0, 1, 2, 255}, {0, 85, 170, 255}, {0, 100}, set(range(0, 256))])
def test_what_cannot_be_told_is_asked(values: set[int]) -> None:
    words = told(told_from, dict.fromkeys(values, 9))
    assert f"{len(values)} different values: 0, " in words and "data.values is binary" in words


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
        for kind in (lambda p: flawed(p, 240, 320), indexed):
            with pytest.raises(ImageError, match="png: ") as error:
                kind(path)
            assert words in str(error.value) and str(path) in str(error.value)


def test_masks_that_cannot_be_used(tmp_path: Path) -> None:
    wide = save(tmp_path / "16.png", square_hw.astype(np.uint16) * 300)
    for kind in (flawed, indexed):
        assert f"{wide}: a mask of more than 8 bits a value, from 0 to 300" in told(kind, wide)
    assert "from 0 to 0.5" in told(flawed, save(tmp_path / "f.tif", square_hw.astype(np.float32) / 2))
    colours = np.stack([square_hw * 255, square_hw, square_hw], axis=2)
    path = save(tmp_path / "rgb.png", colours)
    assert f"{path}: a mask in colours" in told(flawed, path)
    assert "a mask in colours" in told(flawed, save(tmp_path / "p.png", palette(square_hw, [0, 0, 0, 128, 0, 0])))
    assert "transparent" in told(flawed, save(tmp_path / "a.png", np.dstack([colours, square_hw])))
    small = save(tmp_path / "s.png", square_hw)
    words = f"{small}: the mask has 8 x 6 pixels, its image 9 x 6"
    assert words in told(flawed, small, 6, 9)
    assert words in told(indexed, small, CLASSES, 6, 9)


def test_16_bits_of_which_8_would_do_are_taken(tmp_path: Path) -> None:
    white = save(tmp_path / "white.png", square_hw.astype(np.uint16) * 65_535)
    assert np.array_equal(flawed(white), square_hw == 1)
    assert told_from(count_of(white)) == "binary"
    for name, kind in (("16.png", np.uint16), ("f.tif", np.float32), ("32.tif", np.int32)):
        wide = save(tmp_path / name, index_hw.astype(kind))
        assert np.array_equal(indexed(wide)[2], index_hw == 3), name


def test_16_bit_colour_is_refused_although_pillow_narrows_it(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    data = zlib.compress(b"\0" + struct.pack(">6H", 1, 1, 1, 0, 0, 0))
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    (tmp_path / "m.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    assert "more than 8 bits" in told(indexed, tmp_path / "m.png", CLASSES, 1, 2)


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
        mask_khw = indexed(mask, CLASSES, height, width)
        assert mask_khw.any() and mask_khw.sum(axis=0).max() == 1
    with pytest.raises(DataError, match="stand for no class"):
        for mask in found.masks.values():
            indexed(mask, CLASSES[:1], 200, 200)


def test_real_masks_of_tiles() -> None:
    root = SHARED / "magnetic-tile"
    if not root.is_dir():
        pytest.skip("the shared data are not here")
    images = [path for folder in sorted(root.glob("MT_*")) for path in sorted(folder.glob("Imgs/*.jpg"))[:3]]
    found = pair_masks(images, root)
    assert found.without == () and len(found.masks) == 18
    for image, mask in found.masks.items():
        width, height = open_image(image).size
        mask_khw = flawed(mask, height, width)
        assert mask_khw.any() == ("MT_Free" not in image.parts)
        values, count = np.unique(np.asarray(open_image(mask)), return_counts=True)
        assert mask_khw.sum() == count[values >= 128].sum()
