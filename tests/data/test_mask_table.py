"""Tables of run-length codes: both forms of Severstal's, and every row that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flawscope.data.mask_table import MaskTable, read_mask_table, split_name, table_masks
from flawscope.errors import DataError

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "severstal-rle" / "masks.csv"
HEADER = "ImageId,ClassId,EncodedPixels\n"


def read_text(folder: Path, text: str, classes: list[str] | None = None) -> MaskTable:
    (folder / "train.csv").write_text(text, encoding="utf-8")
    return read_mask_table(folder / "train.csv", classes)


def told(folder: Path, text: str, classes: list[str] | None = None) -> str:
    with pytest.raises(DataError) as error:
        read_text(folder, text, classes)
    assert error.value.remedy
    return error.value.problem


def test_an_image_stands_in_several_rows(tmp_path: Path) -> None:
    table = read_text(tmp_path, HEADER + "a.jpg,3,1 2\nb.jpg,1,5 1\na.jpg,1,2 2 6 1\nc.jpg,,\n")
    assert (table.classes, list(table.codes), table.notes) == (("1", "3"), ["a.jpg", "b.jpg", "c.jpg"], ())
    mask_khw = table_masks(table, "a.jpg", 3, 2)
    assert (mask_khw.shape, mask_khw.dtype) == ((2, 3, 2), np.bool_)
    assert mask_khw.astype(int).tolist() == [[[0, 0], [1, 0], [1, 1]], [[1, 0], [1, 0], [0, 0]]]  # they overlap
    assert table_masks(table, "b.jpg", 3, 2).sum() == 1
    assert not table_masks(table, "c.jpg", 3, 2).any()
    assert not table_masks(table, "elsewhere.jpg", 3, 2).any()


def test_the_older_form_and_the_newer_one_say_the_same(tmp_path: Path) -> None:
    older = "ImageId_ClassId,EncodedPixels\n" + "".join(
        f"{image}_{i},{'2 3' if (image, i) in (('x_1.jpg', 2), ('y.jpg', 4)) else ''}\n"
        for image in ("x_1.jpg", "y.jpg", "z.jpg")
        for i in (1, 2, 3, 4)
    )
    newer = "EncodedPixels,ImageId,ClassId\n2 3,x_1.jpg,2.0\n2 3,y.jpg,4.0\n-1,z.jpg,\n"
    classes = ["1", "2", "3", "4"]
    one, two = read_text(tmp_path, older, classes), read_text(tmp_path, newer, classes)
    assert one.classes == two.classes == tuple(classes)
    assert list(one.codes) == list(two.codes) == ["x_1.jpg", "y.jpg", "z.jpg"]
    for image in one.codes:
        assert np.array_equal(table_masks(one, image, 4, 5), table_masks(two, image, 4, 5))
    assert [table_masks(one, image, 4, 5).any(axis=(1, 2)).tolist() for image in ("x_1.jpg", "z.jpg")] == [
        [False, True, False, False],
        [False] * 4,
    ]
    assert split_name("x_1.jpg") is None


def test_several_rows_of_one_image_and_class(tmp_path: Path) -> None:
    table = read_text(tmp_path, "id," + HEADER + "0,a.jpg,1,1 2\n1,a.jpg,1,5 1\n2,a.jpg,1,1 2\n")
    assert [code.text for code in table.codes["a.jpg"]["1"]] == ["1 2", "5 1"]
    assert table_masks(table, "a.jpg", 3, 2)[0].sum() == 3
    assert table.notes == (
        "columns that are not used: id",
        "1 row said again what another says, such as train.csv, row 4 (a.jpg, class 1)",
        "several codes of one class, which are united, in 1 image, such as a.jpg",
    )


def test_rows_that_cannot_be_used_are_listed(tmp_path: Path) -> None:
    rows = "a.jpg,1,1 2\n,1,1 2\nb.jpg,,1 2\nc.jpg,5,1 2\na.jpg,1,\nd.jpg,2,-1\nd.jpg,2,1 2\ne.jpg,1\n"
    problem = told(tmp_path, HEADER + rows, ["1", "2", "3", "4"])
    assert "6 rows cannot be used" in problem
    for words in (
        "row 9: 2 cells, the header has 3",
        "row 3: ImageId is empty",
        "row 4: b.jpg has a code, but no class",
        "row 5: c.jpg, class 5: no such class",
        "row 6: a.jpg, class 1: no mask here, but a code in train.csv, row 2",
        "row 8: d.jpg, class 2: a code here, but no mask in train.csv, row 7",
    ):
        assert words in problem
    assert "row 2: x.jpg has a code, but no class" in told(tmp_path, "ImageId_ClassId,EncodedPixels\nx.jpg,1 2\n")


def test_columns_and_tables_that_are_not_as_expected(tmp_path: Path) -> None:
    problem = told(tmp_path, "image,label,EncodedPixels\na.jpg,1,1 2\n")
    assert "expected the columns ImageId, ClassId and EncodedPixels, or ImageId_ClassId and EncodedPixels" in problem
    assert problem.endswith("found image, label, EncodedPixels")
    assert "no column 'EncodedPixels'" in told(tmp_path, "ImageId_ClassId,pixels\na.jpg_1,1 2\n")
    assert "no rows" in told(tmp_path, HEADER)
    assert "empty everywhere" in told(tmp_path, HEADER + "a.jpg,1,\n")
    assert read_text(tmp_path, HEADER + "a.jpg,1,\n", ["1"]).codes == {"a.jpg": {}}
    assert "empty" in told(tmp_path, "")
    with pytest.raises(DataError, match="does not exist"):
        read_mask_table(tmp_path / "no.csv")


def test_a_bad_code_is_told_with_its_row_image_and_class(tmp_path: Path) -> None:
    table = read_text(tmp_path, HEADER + "a.jpg,1,1 2\nb.jpg,2,1 2 5\n")
    with pytest.raises(DataError, match=r"^train.csv, row 3, b.jpg, class 2: 3 numbers, the last start has no length"):
        table_masks(table, "b.jpg", 3, 2)


def test_codes_may_be_longer_than_the_csv_module_takes(tmp_path: Path) -> None:
    code = " ".join(f"{i} 1" for i in range(1, 60_000, 2))
    assert len(code) > 131_072
    table = read_text(tmp_path, HEADER + f"a.jpg,1,{code}\n")
    assert table_masks(table, "a.jpg", 200, 300).sum() == 30_000


def test_the_real_table() -> None:
    if not REAL.is_file():
        pytest.skip("the shared data are not here")
    table = read_mask_table(REAL)
    assert (table.classes, len(table.codes), table.notes) == (("1", "2", "3", "4"), 3218, ())
    counts = [sum(name in of for of in table.codes.values()) for name in table.classes]
    assert counts == [467, 127, 2537, 514]
    image = next(image for image, of in table.codes.items() if len(of) > 1)
    areas = table_masks(table, image, 256, 1600).sum(axis=(1, 2)).tolist()
    assert [area > 0 for area in areas] == [name in table.codes[image] for name in table.classes]
