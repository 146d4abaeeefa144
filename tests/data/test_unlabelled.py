from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from flawscope.data.unlabelled import UNLABELLED, read_one_kind, read_unlabelled
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
    with pytest.raises(DataError, match="no image of 1 can be read"):
        read_unlabelled(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        read_unlabelled(tmp_path / "none")
    with pytest.raises(DataError, match="not a folder"):
        read_unlabelled(tmp_path / "empty.png")


@pytest.mark.parametrize(
    ("place", "classes", "negative", "target"),
    [
        ("parts/ok/a.png", ("defective",), "ok", 0.0),
        ("good/a.png", ("defective",), "good", 0.0),
        ("good/images/a.png", ("defective",), "good", 0.0),
        ("parts/0_nio/a.png", ("0_nio",), "ok", 1.0),
    ],
)
def test_the_only_folder_says_whether_all_are_good(
    tmp_path: Path, place: str, classes: tuple[str, ...], negative: str, target: float
) -> None:
    picture(tmp_path / place)
    samples = read_one_kind(tmp_path / Path(place).parts[0])
    assert samples is not None
    assert (samples.task.classes, samples.task.negative) == (classes, negative)
    assert [row.target for row in samples.rows] == [(target,)]


@pytest.mark.parametrize("files", [["parts/x/a.png"], ["good/x/a.png", "good/y/b.png"], ["good/a.png", "good/t.csv"],
                                   ["good/t.txt"], []])  # fmt: skip
def test_where_nothing_says_it_nothing_is_taken_for_good(tmp_path: Path, files: list[str]) -> None:
    (tmp_path / "good").mkdir()
    for name in files:
        if name.endswith("png"):
            picture(tmp_path / name)
        else:
            (tmp_path / name).write_text("image,label\n")
    assert read_one_kind(tmp_path / "good") is None
    assert read_one_kind(tmp_path / "parts") is None
