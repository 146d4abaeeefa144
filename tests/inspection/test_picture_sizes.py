"""Pictures of another size than those that a bundle has learnt from are told, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flawscope.inspection.folder import Pictures
from flawscope.inspection.picture_sizes import other_sizes, sizes_of
from flawscope.preprocess import Preprocess, picture_size

RESIZED = Preprocess(size=(96, 128))
TILES = Preprocess(size=(64, 64), resize="none")
CROPPED = Preprocess(size=(64, 64), crop=(10, 0, 200, 150))
SEEN = [[400, 300, 7], [200, 150, 2]]


def drawn(folder: Path, *sizes: tuple[int, int]) -> Pictures:
    paths = [folder / f"{place}.png" for place in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        Image.new("L", size).save(path)
    return Pictures(tuple(paths), tuple(path.name for path in paths))


def test_sizes_are_counted_the_commonest_first_and_damaged_pictures_left_out(tmp_path: Path) -> None:
    paths = list(drawn(tmp_path, (40, 30), (20, 20), (20, 20)).paths)
    (tmp_path / "empty.png").touch()
    assert sizes_of([*paths, tmp_path / "empty.png", tmp_path / "lacking.png"]) == [[20, 20, 2], [40, 30, 1]]


def test_a_picture_is_as_wide_as_a_person_sees_it(tmp_path: Path) -> None:
    laid, upright = Image.Exif(), Image.Exif()
    laid[0x0112], upright[0x0112] = 6, 3
    image = Image.new("RGB", (40, 30))
    image.save(tmp_path / "laid.jpg", exif=laid)
    image.save(tmp_path / "turned.jpg", exif=upright)
    assert picture_size(tmp_path / "laid.jpg") == (30, 40)
    assert picture_size(tmp_path / "turned.jpg") == (40, 30)
    image.save(tmp_path / "laid.png", exif=laid)
    assert picture_size(tmp_path / "laid.png") == (30, 40)


def test_the_head_alone_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*given: object) -> None:
        raise AssertionError("decoded")

    Image.new("L", (40, 30)).save(tmp_path / "a.png")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", never)
    assert picture_size(tmp_path / "a.png") == (40, 30)


@pytest.mark.parametrize(
    ("spec", "size", "alike"),
    [
        (RESIZED, (400, 300), True),
        (RESIZED, (404, 300), True),  # the shape differs by 1 %
        (RESIZED, (800, 600), True),
        (RESIZED, (300, 300), False),
        (RESIZED, (820, 615), False),  # more than twice as fine
        (RESIZED, (80, 60), False),
        (TILES, (300, 200), True),  # between those that were seen
        (TILES, (404, 300), False),
        (CROPPED, (400, 300), True),
        (CROPPED, (800, 600), False),
    ],
)
def test_what_counts_as_another_size_hangs_on_how_a_picture_is_made_ready(
    tmp_path: Path, spec: Preprocess, size: tuple[int, int], *, alike: bool
) -> None:
    assert (other_sizes(drawn(tmp_path, size), SEEN, spec) == "") is alike


def test_words_name_one_of_them_and_what_was_learnt_from(tmp_path: Path) -> None:
    words = other_sizes(drawn(tmp_path, (400, 300), (300, 300), (300, 310)), [[400, 300, 9]], RESIZED)
    assert words == (
        "2 pictures have another size than those that the bundle has learnt from (1.png: 300 x 300 pixels; there all "
        "images are 400 x 300 pixels): what the network sees at 128 x 96 is not what it knows, and "
        "what is answered may mean little"
    )
    every = drawn(tmp_path, (300, 300), (300, 300))
    assert other_sizes(every, SEEN, RESIZED).startswith("these pictures have another size than those")
    assert "may look larger or smaller" in other_sizes(drawn(tmp_path, (900, 300)), SEEN, TILES)
    assert "the crop from (10, 0) to (200, 150) may miss" in other_sizes(drawn(tmp_path, (900, 300)), SEEN, CROPPED)


@pytest.mark.parametrize("told", [[], [[400]], [[400, 0, 1]], ["abc"], [[400, None, 1]], [7], 7])
def test_a_bundle_that_does_not_say_what_it_has_learnt_from_warns_of_nothing(tmp_path: Path, told: Any) -> None:
    assert other_sizes(drawn(tmp_path, (900, 30)), told, RESIZED) == ""
