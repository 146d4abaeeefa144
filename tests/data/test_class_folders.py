from collections.abc import Callable
from pathlib import Path

import pytest

from flawscope.data.class_folders import load_folders
from flawscope.data.spec import FoldersSpec
from flawscope.errors import DataError

Paint = Callable[..., Path]


def fill(paint: Paint, root: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        paint(root / name, seed)


def test_two_folders_are_a_binary_task(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, "ok/a.PNG", "ok/b.png", "defekt Größe/c.bmp")
    table = load_folders(FoldersSpec(root=Path(), positive="defekt Größe"), tmp_path)
    assert table.task.classes == ("defekt Größe",)
    assert table.task.negative == "ok"
    assert [(row.id, row.target) for row in table.rows] == [
        ("defekt Größe/c.bmp", (1.0,)),
        ("ok/a.PNG", (0.0,)),
        ("ok/b.png", (0.0,)),
    ]


def test_more_folders_are_classes_in_the_given_order(tmp_path: Path, paint: Paint) -> None:
    fill(
        paint,
        tmp_path,
        "a/1.png",
        "b/Imgs/2.jpg",
        "b/Imgs/2.png",
        "c/3.jpg",
        "d/4.jpg",
        ".hidden/5.jpg",
        "a/.6.jpg",
        "a/7.jpg",
    )
    spec = FoldersSpec(root=tmp_path, classes=["c", "b", "a"], ignore=["d"], pattern="*.JPG")
    table = load_folders(spec, Path())
    assert table.task.kind == "multiclass"
    assert [(row.id, row.target) for row in table.rows] == [
        ("a/7.jpg", (0.0, 0.0, 1.0)),
        ("b/Imgs/2.jpg", (0.0, 1.0, 0.0)),
        ("c/3.jpg", (1.0, 0.0, 0.0)),
    ]


def test_level_names_a_deeper_folder(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, "train/ok/a.png", "test/nok/a.png", "test/ok/b.png", "overview.png")
    table = load_folders(FoldersSpec(root=tmp_path, level=1), Path())
    assert [(row.id, row.target[0]) for row in table.rows] == [
        ("test/nok/a.png", 1),
        ("test/ok/b.png", 0),
        ("train/ok/a.png", 0),
    ]
    assert [stray.where for stray in table.strays] == ["overview.png"]


def test_a_link_that_leads_back_is_entered_once(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, "ok/a.png", "nok/b.png")
    (tmp_path / "ok" / "loop").symlink_to(tmp_path)
    ids = [row.id for row in load_folders(FoldersSpec(root=tmp_path), Path()).rows]
    assert ids == ["nok/b.png", "ok/a.png"]


@pytest.mark.parametrize(
    ("files", "spec", "words"),
    [
        (["ok/a.png"], {}, "one class folder only: 'ok'"),
        (["a.png"], {}, "no images in class folders"),
        (["a/a.png", "b/b.png"], {}, "cannot be told from the names"),
        (["a/a.png", "b/b.png"], {"positive": "c"}, "no such folder"),
        (["a/a.png", "b/b.png", "c/c.png"], {"positive": "c"}, "is for two classes"),
        (["a/a.png", "b/b.png", "c/c.png"], {"classes": ["a", "b"]}, "the folders c are not among"),
        (["ok/a.png", "nok/b.png"], {"pattern": "*.jpg"}, "no images of the name"),
        ([], {"root": "nowhere"}, r"the folder does not exist.*\n.*--set data.root=FOLDER"),
    ],
)
def test_what_makes_no_task_is_told(
    tmp_path: Path, paint: Paint, files: list[str], spec: dict[str, object], words: str
) -> None:
    fill(paint, tmp_path, *files)
    with pytest.raises(DataError, match=words):
        load_folders(FoldersSpec.model_validate({"root": tmp_path, **spec}), tmp_path)


def test_a_folder_names_the_published_part(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, "train/ok/2.png", "train/ok/10.png", "Test/nok/1.png", "val/ok/b.png")
    table = load_folders(FoldersSpec(root=tmp_path, level=1, part_level=0), Path())
    assert [(row.id, row.part, row.position) for row in table.rows] == [
        ("Test/nok/1.png", "test", 0),
        ("train/ok/10.png", "train", 2),  # after 2.png in natural order
        ("train/ok/2.png", "train", 1),
        ("val/ok/b.png", "validation", 3),
    ]
    fill(paint, tmp_path, "holdout/ok/c.png")
    with pytest.raises(DataError, match=r"data\.part_level: 1 value names no part(?s:.)*'holdout' \(1 image\)"):
        load_folders(FoldersSpec(root=tmp_path, level=1, part_level=0), Path())


def test_an_image_outside_the_published_parts_is_a_bad_one(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, "ok/train/a.png", "nok/test/b.png", "ok/c.png")
    table = load_folders(FoldersSpec(root=tmp_path, part_level=1), Path())
    assert [(row.id, row.part) for row in table.rows] == [("nok/test/b.png", "test"), ("ok/train/a.png", "train")]
    assert [each.where for each in table.bad] == ["ok/c.png"]
