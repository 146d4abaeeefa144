"""`flawscope inspect --pictures`: whole or not at all, and never over anything else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import flawscope
from flawscope.errors import DataError, OutputError
from flawscope.inspection.tables import read_results
from flawscope.records import Task

Make = Callable[..., Path]


def inspected(bundle: Path, folder: Path, out: Path, **options: bool) -> str:
    flawscope.inspect(bundle, folder, out / "r.csv", pictures=out / "labelled", **options)
    return (out / "labelled" / "index.html").read_text(encoding="utf-8")


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_pictures_sheet_and_table_are_written(make_bundle: Make, pictures: Path, tmp_path: Path) -> None:
    page = inspected(make_bundle(), pictures, tmp_path)
    labelled = tmp_path / "labelled"
    assert files(labelled) == ["Charge ä 2/c d.bmp.png", "a.PNG", "b.png", "index.html"]
    order = ["not decided", "defective: not good", "functional: good"]
    places = [page.index(f"<h2>{words}") for words in order]
    assert places == sorted(places)
    assert all(name in page for name in ("cut.jpg", "empty.png", "text.png", "Charge%20%C3%A4%202/c%20d.bmp.png"))
    assert len(read_results(tmp_path / "r.csv").rows) == 6
    with_blue = [Image.open(labelled / "b.png").getpixel((0, 0)), Image.open(labelled / "a.PNG").getpixel((0, 0))]
    assert with_blue == [(0, 90, 140), (156, 69, 0)]


def test_several_labels_are_all_called(make_bundle: Make, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    Image.new("L", (20, 10), 255).save(tmp_path / "new" / "a.png")
    bundle = make_bundle(Task("multilabel", ("crack", "inactive"), "functional"), thresholds=(0.5, 0.04))
    page = inspected(bundle, tmp_path / "new", tmp_path)
    assert "crack + inactive: not good" in page
    assert "probability of crack 98.2\xa0% (called so from 50.0\xa0%), of inactive 4.7\xa0%" in page


def test_an_existing_folder_is_only_replaced_if_it_is_one_and_asked_for(
    make_bundle: Make, pictures: Path, tmp_path: Path
) -> None:
    bundle = make_bundle()
    inspected(bundle, pictures, tmp_path)
    shutil.rmtree(pictures / "Charge ä 2")
    with pytest.raises(OutputError, match="exists already"):
        inspected(bundle, pictures, tmp_path)
    inspected(bundle, pictures, tmp_path, overwrite=True)
    assert files(tmp_path / "labelled") == ["a.PNG", "b.png", "index.html"]
    (tmp_path / "labelled" / "index.html").unlink()
    with pytest.raises(OutputError, match="not a folder of labelled pictures"):
        inspected(bundle, pictures, tmp_path, overwrite=True)
    assert files(tmp_path / "labelled") == ["a.PNG", "b.png"]


@pytest.mark.parametrize("place", ["pictures", "pictures/labelled", "."])
def test_pictures_and_their_labelled_ones_never_mix(
    make_bundle: Make, pictures: Path, tmp_path: Path, place: str
) -> None:
    before = files(pictures)
    with pytest.raises(OutputError, match="overlaps with"):
        flawscope.inspect(make_bundle(), pictures, tmp_path / "r.csv", pictures=tmp_path / place, overwrite=True)
    assert files(pictures) == before


def test_the_table_does_not_lie_in_the_folder_that_is_made_anew(
    make_bundle: Make, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="made anew"):
        flawscope.inspect(make_bundle(), pictures, tmp_path / "l" / "r.csv", pictures=tmp_path / "l")


def test_a_failure_leaves_nothing(
    make_bundle: Make, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make_bundle()
    before = sorted(path.name for path in tmp_path.iterdir())

    def full(*given: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError, match="No space left"):
        inspected(bundle, pictures, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_folder_called_like_the_page_is_refused_at_once(make_bundle: Make, pictures: Path, tmp_path: Path) -> None:
    (pictures / "Charge ä 2").rename(pictures / "index.html")
    with pytest.raises(DataError, match=r"is called index\.html"):
        inspected(make_bundle(), pictures, tmp_path)


def test_pictures_of_another_size_than_was_learnt_from_are_told(finished: Any, tmp_path: Path) -> None:
    said: list[str] = []
    flawscope.inspect(finished.bundle, finished.data, tmp_path / "own.csv", say=said.append)
    assert said == []
    Image.new("L", (400, 64)).save(tmp_path / "wide.png")
    flawscope.inspect(finished.bundle, tmp_path / "wide.png", tmp_path / "wide.csv", say=said.append)
    assert [words.split(" (")[0] for words in said] == [
        "note: this picture has another size than those that the bundle has learnt from"
    ]
    flawscope.decide(finished.bundle, finished.folder, tmp_path / "again.flawscope", max_escape=0.5)
    flawscope.inspect(tmp_path / "again.flawscope", tmp_path / "wide.png", tmp_path / "wide.csv", say=said.append)
    assert said[1:] == said[:1]
