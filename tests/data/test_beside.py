"""A table of pictures that are about to be inspected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flawscope.data.beside import Beside, beside
from flawscope.errors import DataError

Draw = Callable[..., Path]
NAMES = ("a.png", "b/c ä.png", "d.png")


@pytest.fixture
def root(tmp_path: Path, draw: Draw) -> Path:
    for seed, name in enumerate(NAMES):
        draw(tmp_path / "new" / name, seed)
    return tmp_path / "new"


def found(root: Path, text: str, columns: Any = ("type",), image_column: str | None = None) -> Beside:
    path = root.parent / "lots.csv"
    path.write_text(text, encoding="utf-8")
    return beside(path, root, [root / name for name in NAMES], columns, image_column)


def test_each_picture_finds_its_row_however_it_is_named(root: Path) -> None:
    made = found(root, "type;image;age\nmono;A;1,5\npoly;b\\c ä.png;\nthin;./d.png;3\n", ("age", "type"))
    assert made.values == (
        {"age": "1,5", "type": "mono"}, {"age": "", "type": "poly"}, {"age": "3", "type": "thin"}
    )  # fmt: skip
    assert made.notes == ()


def test_no_row_two_rows_and_strangers(root: Path) -> None:
    made = found(root, "image,type,x\na.png,mono,1\na.png,poly,1\nd,thin,1\nd.png,thin,2\nother.png,mono,1\n")
    assert made.values == ("rows 2, 3 of lots.csv contradict each other", "no row in lots.csv", {"type": "thin"})
    assert len(made.notes) == 1
    assert made.notes[0].startswith("1 row names none of the pictures, such as lots.csv, row 6: no image 'other.png'")
    ragged = found(root, "image,type\na.png,mono\nd.png,thin,2,3\n")
    assert ragged.values[2] == "no row in lots.csv"
    assert "lots.csv, row 3 is left out: 4 cells" in ragged.notes[0]


def test_the_column_of_the_pictures_can_be_named(root: Path) -> None:
    text = "old,type,image\nd.png,mono,a.png\na.png,poly,d.png\n"
    assert found(root, text, image_column="image").values[0] == {"type": "mono"}
    assert found(root, text, image_column="old").values[0] == {"type": "poly"}


@pytest.mark.parametrize(
    ("text", "named", "problem"),
    [
        ("image,tpye\na.png,mono\n", None, r"no column 'type' \(the bundle takes it\)(?s:.)*did you mean 'tpye'"),
        ("image,type\na.png,mono\n", "img", r"no column 'img' \(--image-column\)"),
        ("id,type\n7,mono\n8,poly\n", None, "no column names pictures(?s:.)*--image-column, one of id, type"),
        ("image,type\nx.png,mono\n", None, "no row names one of the 3 pictures: lots.csv, row 2: no image 'x.png'"),
        ("", None, "the table is empty"),
    ],
)
def test_tables_that_do_not_fit(root: Path, text: str, named: str | None, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        found(root, text, image_column=named)
