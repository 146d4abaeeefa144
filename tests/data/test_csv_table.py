import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from flawscope.data.csv_table import ImageFinder, load_csv
from flawscope.data.spec import CsvSpec
from flawscope.data.table import Table
from flawscope.errors import DataError

Paint = Callable[..., Path]


def load(folder: Path, text: str, **given: object) -> Table:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return load_csv(CsvSpec.model_validate({"table": "t.csv", "label_columns": ["crack"], **given}), folder)


@pytest.fixture
def folder(tmp_path: Path, paint: Paint) -> Path:
    for seed, name in enumerate(["a.png", "b.PNG", "sub/c.png", "sub/Tür 1.png"]):
        paint(tmp_path / name, seed)
    return tmp_path


def test_rows_with_groups_and_metadata(folder: Path) -> None:
    text = "part;file;crack;type;weight\np1;a.png;1;mono;1,5\np1;b.PNG;0;poly;\np2;sub\\c.png;0;mono;2\n"
    table = load(folder, text, group_column="part", meta_columns=["type", "weight"])
    assert [(row.id, row.target, row.group) for row in table.rows] == [
        ("a.png", (1.0,), "p1"),
        ("b.PNG", (0.0,), "p1"),
        ("sub/c.png", (0.0,), "p2"),
    ]
    assert [dict(row.meta) for row in table.rows] == [
        {"type": "mono", "weight": 1.5},
        {"type": "poly"},
        {"type": "mono", "weight": 2.0},
    ]
    assert table.grouping == "the column 'part'"
    assert table.bad == ()


def test_bad_rows_of_every_kind_are_told_with_their_row(folder: Path) -> None:
    text = (
        "file,crack,part\na.png,1,p\nno.png,1,p\nb.PNG,,p\nsub/c.png,0,\nsub/c.png,0\na.png,1,p\nb.PNG,0,p\nb.PNG,1,p\n"
    )
    table = load(folder, text, group_column="part")
    assert [row.id for row in table.rows] == ["a.png"]  # b.PNG contradicts itself: no row of it is kept
    assert {problem.where: problem.reason for problem in table.bad} == {
        "t.csv, row 3": f"no image 'no.png' in {folder}",
        "t.csv, row 4": "crack is empty, expected 0 or 1",
        "t.csv, row 5": "part is empty",
        "t.csv, row 6": "2 cells, the header has 3",
        "t.csv, row 7": "a.png stands in row 2 already",
        "t.csv, row 9": "b.PNG stands in row 8 already, as 'ok' there and 'crack' here",
    }


def test_the_image_column_is_found_by_files_without_suffix(folder: Path) -> None:
    table = load(folder, "number,name,crack\n7,a,1\n8,c,0\n")
    assert [row.id for row in table.rows] == ["a.png", "sub/c.png"]


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("c.png", "sub/c.png"),
        ("C.PNG", "sub/c.png"),
        ("b.png", "b.PNG"),
        ("c", "sub/c.png"),
        ("images/sub/c.png", "sub/c.png"),
        (r"D:\line 3\sub\c.png", "sub/c.png"),
        (unicodedata.normalize("NFD", "Tür 1.png"), "sub/Tür 1.png"),
    ],
)
def test_names_that_differ_a_little_are_found(folder: Path, cell: str, found: str) -> None:
    assert ImageFinder(folder).find(cell) == folder / found


@pytest.mark.parametrize("cell", ["other/c.png", "", "c.jpg", "d", "sub", "x" * 400])
def test_names_that_mean_something_else_are_not(folder: Path, cell: str) -> None:
    assert isinstance(ImageFinder(folder).find(cell), str)


def test_a_bare_name_that_stands_for_two_images_is_refused(folder: Path, paint: Paint) -> None:
    paint(folder / "other/c.png", 9)
    finder = ImageFinder(folder)
    assert finder.find("c.png") == "several images are called 'c.png': other/c.png, sub/c.png"
    assert finder.find("sub/c.png") == folder / "sub/c.png"


def test_images_in_another_folder(folder: Path) -> None:
    (folder / "tables").mkdir()
    (folder / "tables/t.tsv").write_text("file\tcrack\na.png\t1\n")
    spec = CsvSpec(table=Path("tables/t.tsv"), images=Path(), label_columns=["crack"])
    assert load_csv(spec, folder).rows[0].path == folder / "a.png"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"label_columns": ["crak"]}, "did you mean 'crack'"),
        ({"group_column": "part"}, "data.group_column"),
        ({"image_column": "image"}, "data.image_column"),
        ({"images": "nowhere"}, "folder of images does not exist.*\n.*--set data.images=FOLDER"),
        ({"table": "nowhere.csv"}, "table does not exist.*\n.*--set data.table=FILE"),
    ],
)
def test_what_is_not_there_is_named(folder: Path, given: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        load(folder, "file,crack\na.png,1\n", **given)


def test_a_table_without_images_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="no column names images"):
        load(folder, "number,crack\n7,1\n8,0\n")


def test_a_published_part_and_the_other_key_for_the_group(folder: Path) -> None:
    text = "file,crack,part,set\na.png,1,p,TRAIN\nb.PNG,0,p, dev\nsub/c.png,0,q,testing\nTür 1.png,0,q,\n"
    table = load(folder, text, groups={"column": "part"}, part_column="set")
    assert [(row.group, row.part, row.position) for row in table.rows] == [
        ("p", "train", 0),
        ("p", "validation", 1),
        ("q", "test", 2),
    ]
    assert [(each.where, each.reason) for each in table.bad] == [("t.csv, row 5", "set is empty")]
    assert table.grouping == "the column 'part'"


def test_parts_of_other_names_are_listed(folder: Path) -> None:
    with pytest.raises(DataError, match=r"data\.part_column: 1 value names no part(?s:.)*'fold 3' \(1 image\)"):
        load(folder, "file,crack,set\na.png,1,train\nb.PNG,0,fold 3\n", part_column="set")
    with pytest.raises(DataError, match=r"data\.groups\.column"):
        load(folder, "file,crack\na.png,1\n", groups={"column": "part"})
