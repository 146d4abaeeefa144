"""Pictures with their labels: nothing covers the part, names never clash, every kind of picture works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

from flawscope.bundle.runtime import Runtime
from flawscope.inspection import labelled
from flawscope.inspection.folder import find_pictures, inspect_folder
from flawscope.inspection.labelled import COLOURS, FRAME, label_pictures, places
from flawscope.inspection.verdict import Kind, Verdict

Make = Callable[..., Path]
WORDS = Verdict("scrap", "not good", "probability of scrap 97.3\xa0% (called so from 40.0\xa0%)")
PART = some.text(some.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=9)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width), dtype=np.uint8))


@pytest.mark.parametrize("size", [(400, 300), (360, 20), (1600, 256), (50, 1600)])
def test_the_part_is_there_pixel_by_pixel_below_the_band(size: tuple[int, int]) -> None:
    image = noise(*size)
    drawn = labelled.labelled(image, WORDS, "a.png")
    left, top = (drawn.width - image.width) // 2, drawn.height - FRAME - image.height
    part = drawn.crop((left, top, left + image.width, top + image.height))
    assert np.array_equal(np.asarray(part), np.repeat(np.asarray(image)[..., None], 3, axis=2))
    band = np.asarray(drawn)[:top].reshape(-1, 3)
    assert top > 50 and (band == 255).all(axis=1).sum() > 100  # white letters


def test_a_small_picture_is_enlarged_by_a_whole_number() -> None:
    drawn = labelled.labelled(Image.new("RGB", (40, 30), "#ff0000"), WORDS, "a.png")
    assert (np.asarray(drawn) == (255, 0, 0)).all(axis=2).sum() == 40 * 30 * 8 * 8


@pytest.mark.parametrize("kind", ["good", "not good", "not decided", ""])
def test_band_and_letters_are_far_apart_in_brightness(kind: Kind) -> None:
    colours = np.array([Image.new("RGB", (1, 1), colour).getpixel((0, 0)) for colour in COLOURS[kind]]) / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)  # WCAG 2
    dark, light = sorted(linear @ (0.2126, 0.7152, 0.0722))
    assert (light + 0.05) / (dark + 0.05) > 4.5


def test_long_words_and_many_labels_make_the_band_higher_and_nothing_wider() -> None:
    many = Verdict(" + ".join(f"class {i}" for i in range(30)), "not good", "")
    plain, long = (labelled.labelled(noise(400, 300), words, "n" * 300) for words in (WORDS, many))
    assert long.width == plain.width == 400 + 2 * FRAME and long.height > plain.height + 100


@given(some.lists(some.lists(PART, min_size=1, max_size=3).map("/".join), unique=True, max_size=8))
def test_places_are_distinct_files_and_never_folders(names: list[str]) -> None:
    names = [name for name in names if not any(part in (".", "..") for part in name.split("/"))]
    try:
        found = places(names)
    except ValueError:
        pytest.fail("a name below the folder was refused")
    folders = {parent.casefold() for place in found for parent in ("/".join(place.split("/")[:-1]),) if parent}
    assert len({place.casefold() for place in found}) == len(names)
    assert not folders & {place.casefold() for place in found}


def test_places_keep_folder_and_name() -> None:
    assert places(["a.png", "a.jpg", "a.bmp", "b/a.PNG", "b/A.png", "ü.jpeg"]) == (
        "a.png", "a.jpg", "a.bmp.png", "b/a.PNG", "b/A-2.png", "ü.jpeg"
    )  # fmt: skip
    assert len(places(["ü" * 127 + "x.bmp"])[0].encode()) <= 255
    with pytest.raises(ValueError, match="not a name below"):
        places(["../a.png"])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_every_kind_of_picture_is_drawn(make_bundle: Make, tmp_path: Path, mode: str) -> None:
    suffix = {"CMYK": "jpg", "F": "tif"}.get(mode, "png")
    (tmp_path / "new").mkdir()
    Image.new(mode, (64, 48)).save(tmp_path / "new" / f"a.{suffix}")
    runtime = Runtime.open(make_bundle(), threads=2)
    found = find_pictures(tmp_path / "new")
    (made,) = label_pictures(tmp_path / "out", runtime, found, inspect_folder(runtime, found))
    with Image.open(tmp_path / "out" / made.place) as image:
        assert image.mode == "RGB" and image.size[0] == 370
    assert bool(made.prediction.error) == (mode == "F") == (made.verdict.kind == "not decided")


def test_a_huge_picture_is_reduced(make_bundle: Make, tmp_path: Path) -> None:
    Image.new("L", (6000, 30), 9).save(tmp_path / "long.png")
    runtime, found = Runtime.open(make_bundle()), find_pictures(tmp_path / "long.png")
    (made,) = label_pictures(tmp_path / "out", runtime, found, inspect_folder(runtime, found))
    with Image.open(tmp_path / "out" / made.place) as image:
        assert image.width == labelled.LONGEST + 2 * FRAME


def test_pictures_come_in_order_with_their_predictions(make_bundle: Make, pictures: Path, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    runtime, found = Runtime.open(make_bundle()), find_pictures(pictures)
    predictions = inspect_folder(runtime, found)
    made = list(label_pictures(tmp_path / "out", runtime, found, predictions, lambda n, of: progress.append((n, of))))
    assert [each.prediction.name for each in made] == list(found.names)
    assert [each.place for each in made] == ["Charge ä 2/c d.bmp.png", "a.PNG", "b.png", "", "", ""]
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.*")) == ["a.PNG", "b.png", "c d.bmp.png"]
    assert progress == [(n, 6) for n in range(1, 7)]
