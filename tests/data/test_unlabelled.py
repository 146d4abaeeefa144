from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from flawscope.data.unlabelled import UNLABELLED, read_unlabelled
from flawscope.errors import DataError


def picture(path: Path, value: int = 5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), value).save(path)


def test_pictures_without_labels_are_samples_of_one_label(tmp_path: Path) -> None:
    for name in ("a.png", "deep/b.png"):
        picture(tmp_path / name)
    samples = read_unlabelled(tmp_path)
    assert [row.id for row in samples.rows] == ["a.png", "deep/b.png"]
    assert samples.combinations() == [UNLABELLED] * 2
    assert samples.rows[0].sha256 == samples.rows[1].sha256


@pytest.mark.parametrize(("folder", "label"), [("ok", "ok"), ("images", UNLABELLED), ("train", UNLABELLED)])
def test_the_only_folder_names_the_label(tmp_path: Path, folder: str, label: str) -> None:
    picture(tmp_path / folder / "x" / "a.png")
    assert read_unlabelled(tmp_path).combinations() == [label]


def test_damaged_files_are_skipped_with_their_reason(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "words.png").write_text("no picture")
    samples = read_unlabelled(tmp_path)
    assert len(samples) == 1
    assert {each.where: each.reason for each in samples.skipped} == {
        "empty.png": "the file is empty (0 bytes)",
        "words.png": "not a picture that can be read",
    }


def test_nothing_to_read_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images below this folder"):
        read_unlabelled(tmp_path)
    (tmp_path / "empty.png").touch()
    with pytest.raises(DataError, match="none of the 1 images can be read"):
        read_unlabelled(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        read_unlabelled(tmp_path / "none")
    with pytest.raises(DataError, match="not a folder"):
        read_unlabelled(tmp_path / "empty.png")
