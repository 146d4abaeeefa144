from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flawscope.bundle.runtime import Runtime
from flawscope.errors import BundleError, DataError
from flawscope.inspection.folder import find_pictures, inspect_folder

Make = Callable[..., Path]
NAMES = ["Charge ä 2/c d.bmp", "a.PNG", "b.png", "cut.jpg", "empty.png", "text.png"]


def test_pictures_of_a_folder_sorted_by_relative_name(pictures: Path) -> None:
    found = find_pictures(pictures)
    assert list(found.names) == NAMES
    assert found.ignored == 1
    assert all(path.is_file() for path in found.paths)


def test_each_picture_is_answered_under_its_relative_name(make_bundle: Make, pictures: Path) -> None:
    progress: list[tuple[int, int]] = []
    runtime = Runtime.open(make_bundle())
    got = list(inspect_folder(runtime, str(pictures), lambda done, of: progress.append((done, of))))
    assert [each.name for each in got] == NAMES
    assert [each.decision.label if each.decision else each.error[:12] for each in got] == [
        "defective", "defective", "functional", "cannot be de", "the file is ", "not a pictur"
    ]  # fmt: skip
    assert progress == [(n, 6) for n in range(1, 7)]


def test_a_single_file_and_a_list(make_bundle: Make, pictures: Path) -> None:
    runtime = Runtime.open(make_bundle())
    assert [each.name for each in inspect_folder(runtime, pictures / "b.png")] == ["b.png"]
    listed = [pictures / "b.png", str(pictures / "missing.png"), pictures / "b.png"]
    got = list(inspect_folder(runtime, listed))
    assert [each.name for each in got] == [str(each) for each in listed]
    assert [bool(each.error) for each in got] == [False, True, False]


@pytest.mark.parametrize(
    ("source", "message"),
    [("none", "does not exist"), ("only", r"holds no pictures \(2 other files\)"), ([], "list of pictures is empty")],
)
def test_nothing_to_inspect(tmp_path: Path, source: str | list[str], message: str) -> None:
    (tmp_path / "only" / "x").mkdir(parents=True)
    (tmp_path / "only" / "a.txt").touch()
    (tmp_path / "only" / "x" / "png").touch()
    with pytest.raises(DataError, match=message):
        find_pictures(tmp_path / source if isinstance(source, str) else source)


def test_a_folder_that_cannot_be_read_is_not_passed_over(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    real = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("Charge ä 2"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything, so the rights themselves are no test
    with pytest.raises(DataError, match="Charge ä 2 cannot be read: Permission denied"):
        find_pictures(pictures)


def test_a_draft_is_refused_before_the_first_picture(make_bundle: Make, pictures: Path) -> None:
    with pytest.raises(BundleError, match="draft"):
        inspect_folder(Runtime.open(make_bundle(draft=True)), pictures)
