"""From picture files to integers. Shapes: c channels, h x w pixels."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from flawscope.errors import ImageError
from flawscope.preprocess import Preprocess, load, open_image, prepare

GREY8 = Preprocess(size=(8, 8), channels=1)
ramp_hw = np.arange(64, dtype=np.uint8).reshape(8, 8)


def stored(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def wide(value: int | np.ndarray[Any, Any]) -> Image.Image:
    return Image.fromarray(np.broadcast_to(np.asarray(value, dtype=np.uint16), (8, 8)).copy())


# --- bits of each value -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "narrow"), [(0, 0), (128, 0), (129, 1), (257, 1), (385, 1), (386, 2), (65535, 255)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_narrowed_over_their_full_range_and_rounded(value: int, narrow: int, kind: str) -> None:
    content = stored(wide(value), kind)
    assert np.unique(load(content, GREY8)).tolist() == [narrow]
    kept = load(content, Preprocess(size=(8, 8), channels=1, depth=16))
    assert (kept.dtype, np.unique(kept).tolist()) == (np.uint16, [value])


@given(st.integers(0, 255))
def test_8_bits_widened_and_narrowed_again_are_the_same(value: int) -> None:
    sixteen = prepare(Image.new("L", (8, 8), value), Preprocess(size=(8, 8), channels=1, depth=16))
    assert np.unique(sixteen).tolist() == [value * 257]
    assert np.unique(prepare(wide(value * 257), GREY8)).tolist() == [value]


def test_big_endian_16_bits(tmp_path: Path) -> None:
    # A TIFF by hand: Pillow writes little-endian only.
    pixels = struct.pack(">64H", *([258] * 64))
    entries = [(256, 8), (257, 8), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, 8), (279, len(pixels))]
    table = b"".join(struct.pack(">HHIHH", tag, 3, 1, value, 0) for tag, value in entries)
    content = (
        b"MM\0*" + struct.pack(">I", 8 + len(pixels)) + pixels + struct.pack(">H", len(entries)) + table + b"\0" * 4
    )
    (tmp_path / "big.tif").write_bytes(content)
    assert open_image(tmp_path / "big.tif").mode == "I;16B"
    assert np.unique(load(tmp_path / "big.tif", Preprocess(size=(8, 8), channels=3, depth=16))).tolist() == [258]


def test_16_bits_keep_their_steps_when_resized() -> None:
    half = wide(np.repeat([[1000] * 4 + [1002] * 4], 8, axis=0))
    resized = prepare(half, Preprocess(size=(8, 16), channels=1, depth=16))
    assert set(np.unique(resized)) == {1000, 1001, 1002} or set(np.unique(resized)) == {1000, 1002}
    assert (resized[0, :, 0] == 1000).all()
    assert (resized[0, :, -1] == 1002).all()


@pytest.mark.parametrize("mode", ["I", "F"])
def test_values_without_a_range_are_refused(mode: str) -> None:
    with pytest.raises(ImageError, match=f"mode '{mode}' have no stated range"):
        load(stored(Image.new(mode, (8, 8), 1), "TIFF"), GREY8)


# --- kinds of pixels --------------------------------------------------------------------------------------------

RED_LUMA = 76  # ITU-R 601-2: 0.299 * 255 = 76.2


def palette() -> Image.Image:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    return image


@pytest.mark.parametrize(
    ("image", "kind", "rgb", "grey"),
    [
        (Image.new("L", (8, 8), 9), "PNG", (9, 9, 9), 9),
        (Image.new("RGB", (8, 8), (255, 0, 0)), "PNG", (255, 0, 0), RED_LUMA),
        (Image.new("RGBA", (8, 8), (255, 0, 0, 0)), "PNG", (255, 0, 0), RED_LUMA),
        (Image.new("LA", (8, 8), (9, 0)), "PNG", (9, 9, 9), 9),
        (palette(), "PNG", (255, 0, 0), RED_LUMA),
        (palette(), "GIF", (255, 0, 0), RED_LUMA),
        (Image.new("1", (8, 8), 1), "PNG", (255, 255, 255), 255),
        (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF", (255, 0, 0), RED_LUMA),
    ],
    ids=["L", "RGB", "RGBA", "LA", "palette", "gif", "1 bit", "CMYK"],
)
def test_every_kind_of_picture(image: Image.Image, kind: str, rgb: tuple[int, int, int], grey: int) -> None:
    colour = load(stored(image, kind), Preprocess(size=(8, 8), channels=3))
    assert colour.shape == (3, 8, 8)
    assert colour[:, 3, 5].tolist() == list(rgb)
    single = load(stored(image, kind), GREY8)
    assert (single.shape, single.dtype, np.unique(single).tolist()) == ((1, 8, 8), np.uint8, [grey])


# --- place and size ---------------------------------------------------------------------------------------------


def test_crop_first_then_resize() -> None:
    image = Image.new("L", (30, 20), 0)
    image.paste(200, (10, 5, 26, 13))
    spec = Preprocess(size=(8, 16), channels=1, crop=(10, 5, 26, 13))
    assert np.unique(prepare(image, spec)).tolist() == [200]
    moved = spec.model_copy(update={"crop": (9, 5, 25, 13)})
    assert prepare(image, moved)[0, :, 0].tolist() == [0] * 8


@pytest.mark.parametrize("crop", [(0, 0, 9, 8), (0, 0, 8, 9), (7, 7, 80, 80)])
def test_a_crop_beyond_the_picture_names_file_crop_and_size(tmp_path: Path, crop: tuple[int, int, int, int]) -> None:
    Image.fromarray(ramp_hw).save(tmp_path / "small.png")
    words = re.escape(f"crop {crop} reaches beyond the picture of 8 x 8 pixels")
    with pytest.raises(ImageError, match=f"small.png: {words}"):
        load(tmp_path / "small.png", Preprocess(size=(8, 8), channels=1, crop=crop))


def test_height_comes_first() -> None:
    spec = Preprocess(size=(8, 24), channels=3)
    assert spec.shape == (3, 8, 24)
    assert prepare(Image.new("RGB", (50, 70)), spec).shape == (3, 8, 24)
    assert prepare(Image.fromarray(ramp_hw), GREY8)[0].tolist() == ramp_hw.tolist()


def test_halving_by_bilinear_means_by_hand() -> None:
    """Pillow widens the triangle when it shrinks: inside, weights 1 3 3 1 over 8 in each direction."""
    row = np.zeros(16, dtype=np.uint8)
    row[7] = 80
    image = Image.fromarray(np.repeat(row[None], 8, axis=0))
    assert prepare(image, GREY8)[0, 4].tolist() == [0, 0, 0, 30, 10, 0, 0, 0]


def test_exif_orientation_is_obeyed() -> None:
    """Orientation 6: the camera was turned, the picture must be turned by 90 degrees clockwise."""
    exif = Image.Exif()
    exif[0x0112] = 6
    content = stored(Image.fromarray(ramp_hw), "PNG", exif=exif)
    assert load(content, GREY8)[0].tolist() == np.rot90(ramp_hw, -1).tolist()


# --- damage -----------------------------------------------------------------------------------------------------


def huge_png() -> bytes:
    """100,000 x 100,000 pixels in fewer than 100 bytes."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(b""), b"IEND")
    framed = (struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"the file is empty \(0 bytes\)"),
        (b"hello", "not a picture"),
        (stored(NOISE)[:1500], "cannot be decoded"),
        (stored(NOISE, "JPEG")[:900], "cannot be decoded"),
        (stored(NOISE, "TIFF")[:1500], "cannot be decoded|not a picture"),
        (stored(NOISE, "BMP")[:1500], "cannot be decoded"),
        (huge_png(), "too large|refused"),
        (stored(Image.fromarray(np.array([[0.5, np.nan]], np.float32)), "TIFF"), "values that are no numbers"),
        (stored(Image.fromarray(np.array([[0.5, np.inf]], np.float32)), "TIFF"), "values that are no numbers"),
    ],
    ids=["empty", "text", "png", "jpeg", "tiff", "bmp", "huge", "nan", "infinite"],
)
def test_damaged_files_say_name_and_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "Prüf teil.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f"Prüf teil.png: .*({reason})"):
        load(path, GREY8)
    with pytest.raises(ImageError, match=f"the picture: .*({reason})"):
        load(content, GREY8)


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="the file does not exist"):
        open_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match="cannot be decoded"):
        open_image(tmp_path)


@given(st.binary(max_size=60), st.integers(0, 400))
def test_no_damage_escapes_as_another_error(noise: bytes, at: int) -> None:
    good = stored(NOISE.crop((0, 0, 16, 16)))
    try:
        load(good[:at] + noise + good[at + len(noise) :], GREY8)
    except ImageError as error:
        assert error.problem.startswith("the picture: ")


# --- the specification ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 4},
        {"size": (8, 9000)},
        {"size": (8, 8, 8)},
        {"channels": 2},
        {"depth": 12},
        {"crop": (5, 0, 5, 9)},
        {"crop": (-1, 0, 5, 9)},
        {"resize": "area"},
        {"sise": 8},
    ],
    ids=str,
)
def test_specifications_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Preprocess(**wrong)


def test_one_number_is_a_square_and_json_brings_back_the_same() -> None:
    spec = Preprocess(size=96, depth=16, crop=(1, 2, 30, 40))  # type: ignore[arg-type]
    assert (spec.size, spec.dtype) == ((96, 96), np.uint16)
    assert Preprocess.model_validate_json(spec.model_dump_json()) == spec


def test_training_and_the_runtime_call_the_same_function() -> None:
    import flawscope.bundle.runtime
    import flawscope.preprocess
    import flawscope.training.input

    assert flawscope.training.input.load is flawscope.bundle.runtime.load is flawscope.preprocess.load


@pytest.mark.parametrize("depth", [8, 16])
def test_all_values_of_16_bits_are_the_same_with_and_without_resizing(depth: int) -> None:
    image = Image.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256))
    same = prepare(image, Preprocess(size=256, channels=3, depth=depth, resize="nearest"))
    none = prepare(image, Preprocess(size=8, channels=3, depth=depth, resize="none"))
    assert none.dtype == same.dtype and np.array_equal(none, same)


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
def test_pictures_that_are_not_resized(mode: str) -> None:
    image = Image.new(mode, (30, 20))
    image.putpixel((29, 19), 255 if mode == "L" else (255, 255, 255) if mode == "RGB" else 65535)
    pixels = prepare(image, Preprocess(size=8, channels=1, resize="none", crop=(10, 5, 30, 20)))
    assert pixels.shape == (1, 15, 20)
    assert pixels[0, -1, -1] == 255
    assert pixels.sum() == 255
