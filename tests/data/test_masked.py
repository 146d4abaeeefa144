"""Images with masks in all three forms: the same masks come out, and whatever does not fit is said."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.coco_counts import encode_counts
from flawscope.data.read import read
from flawscope.data.spec import MasksSpec
from flawscope.data.synthetic import synth_steel
from flawscope.errors import DataError
from flawscope.masks import encode_rle, mask_array
from flawscope.records import Samples

H, W = 12, 16
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def mask(*boxes: tuple[int, int]) -> Any:
    """A mask with a square of 3 pixels at each place."""
    mask_hw = np.zeros((H, W), dtype=np.bool_)
    for y, x in boxes:
        mask_hw[y : y + 3, x : x + 3] = True
    return mask_hw


MASKS = {  # what each image shows of pits and cracks
    "a/1": (mask((1, 1)), mask()),
    "a/2": (mask(), mask((4, 4), (8, 10))),
    "b/1": (mask((2, 9)), mask((7, 2))),
    "b/2": (mask(), mask()),
}
NAMES = ("pits", "cracks")


def picture(path: Path, values: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in MASKS:
        picture(tmp_path / "images" / f"{name}.bmp", rng.integers(0, 255, size=(H, W)))
    return tmp_path / "images"


def index_masks(root: Path, suffix: str = "") -> Path:
    for name, (pits_hw, cracks_hw) in MASKS.items():
        picture(root / f"{name}{suffix}.png", pits_hw + 2 * cracks_hw)
    return root


def table(path: Path, rows: list[list[str]], head: str = "ImageId,ClassId,EncodedPixels") -> Path:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([head.split(","), *rows])
    return path


def codes(suffix: str = ".bmp") -> list[list[str]]:
    return [
        [f"{name}{suffix}", kind, encode_rle(mask_hw)]
        for name, masks in MASKS.items()
        for kind, mask_hw in zip(NAMES, masks, strict=True)
        if mask_hw.any()
    ]


def coco(path: Path, names: Any = MASKS) -> Path:
    images = [{"id": i, "file_name": f"{name}.bmp", "height": H, "width": W} for i, name in enumerate(names)]
    marks: list[dict[str, Any]] = [
        {"image_id": i, "category_id": k, "segmentation": {"size": [H, W], "counts": encode_counts(masks[k])}}
        for i, masks in enumerate(MASKS[name] for name in names)
        for k in range(2)
        if masks[k].any()
    ]
    content = {
        "images": images,
        "categories": [{"id": k, "name": name} for k, name in enumerate(NAMES)],
        "annotations": [{"id": i, **each} for i, each in enumerate(marks)],
    }
    path.write_text(json.dumps(content))
    return path


def spec(images: Path, **given: Any) -> MasksSpec:
    return MasksSpec.model_validate({"images": images, **given})


def found(images: Path, *, complete: bool = True, **given: Any) -> Samples:
    return read(spec(images, **given), Path(), complete=complete)


def refused(images: Path, **given: Any) -> str:
    with pytest.raises(DataError) as error:
        found(images, **given)
    return str(error.value)


def check(samples: Samples) -> None:
    assert samples.task.classes == NAMES
    assert [row.id for row in samples.rows] == [f"{name}.bmp" for name in MASKS]
    for row, masks in zip(samples.rows, MASKS.values(), strict=True):
        assert row.masks is not None
        assert np.array_equal(mask_array(row.masks), np.array(masks)), row.id
        assert row.target == tuple(float(mask_hw.any()) for mask_hw in masks)


def test_all_forms_give_the_same_masks(images: Path, tmp_path: Path) -> None:
    given: dict[str, dict[str, Any]] = {
        "table": {"table": table(tmp_path / "t.csv", codes())},
        "without folders": {"table": table(tmp_path / "s.csv", codes(suffix=".jpg"))},  # of another suffix, too
        "older table": {
            "table": table(
                tmp_path / "o.csv", [[f"{a}_{b}", c] for a, b, c in codes()], "ImageId_ClassId,EncodedPixels"
            )
        },
        "apart": {"masks": index_masks(tmp_path / "masks")},
        "with a suffix": {"masks": index_masks(tmp_path / "m", "_mask"), "suffix": "_mask"},
        "coco": {"coco": coco(tmp_path / "c.json")},
    }
    for form, keys in given.items():
        samples = found(images, classes=list(NAMES), **keys)
        check(samples)
        assert samples.task.pixels == ("multiclass" if "masks" in keys else "multilabel"), form
    index_masks(images)
    check(found(images, classes=list(NAMES)))
    assert found(images).task.classes == ("1", "2"), "without names the values are names"


def test_images_that_a_table_does_not_list_are_good_and_counted(images: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", codes())
    samples = found(images, table=path)
    assert samples.notes[-1] == "1 of 4 images have no mask in t.csv: taken for good"
    assert samples.task.describe(samples.rows[3].target) == "ok"
    words = refused(images, table=path, without="error")
    assert "1 of 4 images have no mask in t.csv:\n  b/2.bmp" in words


def test_rows_of_a_table_that_fit_no_image_are_never_passed_over(images: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", [*codes(), ["c/9.bmp", "pits", "1 1"]])
    words = refused(images, table=path)
    assert "t.csv: 1 of 4 masks fit no image" in words and "t.csv, row 6: no image 'c/9.bmp'" in words
    samples = found(images, table=path, on_bad="skip")
    assert [each.where for each in samples.skipped] == ["t.csv, row 6"]
    left = found(images, table=table(tmp_path / "u.csv", codes()), ignore=["a"])  # on purpose, so no mistake
    assert [row.id for row in left.rows] == ["b/1.bmp", "b/2.bmp"]
    assert len(found(images, masks=index_masks(tmp_path / "masks"), pattern="1.*")) == 2
    both = refused(images, table=table(tmp_path / "v.csv", [*codes(), ["A/1.BMP", "cracks", "9 1"]]))
    assert "A/1.BMP and a/1.bmp are one image, a/1.bmp" in both


def test_a_bad_code_is_told_with_row_image_and_class(images: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", [*codes(), ["b/2.bmp", "pits", f"{H * W} 2"]])
    words = refused(images, table=path)
    assert "b/2.bmp: t.csv, row 6, b/2.bmp, class pits: run 1" in words and "reaches beyond the image" in words
    assert len(found(images, table=path, on_bad="skip")) == 3


def test_masks_of_another_size(images: Path, tmp_path: Path) -> None:
    masks = index_masks(tmp_path / "masks")
    picture(masks / "b" / "1.png", np.zeros((H, W + 1)))
    words = refused(images, masks=masks)
    assert "b/1.bmp: " in words and f"the mask has {W + 1} x {H} pixels, its image {W} x {H}" in words


def test_images_without_masks_and_masks_without_images(images: Path, tmp_path: Path) -> None:
    masks = index_masks(tmp_path / "masks")
    (masks / "b" / "2.png").unlink()
    words = refused(images, masks=masks)
    assert "1 of 4 images have no mask in the folder masks:\n  b/2.bmp" in words and "data.without: good" in words
    samples = found(images, masks=masks, without="good")
    assert samples.notes == ("1 of 4 images have no mask in the folder masks: taken for good",)
    assert not any(samples.rows[3].target)
    assert [each.where for each in found(images, masks=masks, on_bad="skip").skipped] == ["b/2.bmp"]
    picture(masks / "b" / "7.png", np.zeros((H, W)))
    assert "b/7.png: a mask that has the name of no image" in refused(images, masks=masks, without="good")


def test_a_coco_file_must_name_every_image(images: Path, tmp_path: Path) -> None:
    path = coco(tmp_path / "c.json", [*MASKS][:3])
    assert "1 of 4 images have no mask in c.json" in refused(images, coco=path)
    check(found(images, coco=path, without="good"))


def test_values_without_a_class(images: Path, tmp_path: Path) -> None:
    words = refused(images, masks=index_masks(tmp_path / "masks"), classes=["pits"], values="index")
    assert "2 bad rows" in words and "values that stand for no class: 2 (18 pixels); expected 0 none, 1 pits" in words
    words = refused(images, masks=tmp_path / "masks", classes=["pits", "cracks", "dents"])
    assert "no mask shows 'dents'" in words
    assert len(found(images, masks=tmp_path / "masks", classes=["pits", "cracks", "dents"], complete=False)) == 4
    assert len(found(images, masks=tmp_path / "masks", classes=[*NAMES, *map(str, range(60))], complete=False)) == 4


def test_the_one_mask_that_spoils_all_is_named(images: Path, tmp_path: Path) -> None:
    masks = index_masks(tmp_path / "masks")
    worst = picture(min(masks.rglob("*.png")), np.random.default_rng(0).integers(0, 256, size=(H, W)))
    for given in ({}, {"values": "index"}):
        words = refused(images, masks=masks, **given)
        assert f"{worst} has " in words and "different values" in words and len(words) < 600, given


def test_binary_masks_and_what_a_flaw_is_called(images: Path, tmp_path: Path) -> None:
    for name, masks in MASKS.items():
        picture(tmp_path / "m" / f"{name}.png", 255 * (masks[0] | masks[1]))
    samples = found(images, masks=tmp_path / "m")
    assert (samples.task.classes, samples.task.pixels) == (("flaw",), "multilabel")
    assert [row.target for row in samples.rows] == [(1.0,), (1.0,), (1.0,), (0.0,)]
    assert found(images, masks=tmp_path / "m", flaw="dent").task.classes == ("dent",)
    assert found(images, masks=tmp_path / "m", classes=["dent"]).task.classes == ("dent",)
    assert "the masks are binary, data.classes names 2" in refused(
        images, masks=tmp_path / "m", classes=["a", "b"], values="binary"
    )


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Folders name the class; masks lie beside, and one of them is empty although its folder is not that of good."""
    for name in ("crack/1", "crack/2", "fray/1", "free/1", "free/2"):
        picture(tmp_path / "tiles" / f"{name}.bmp", np.full((H, W), len(name)))
        flaw = name[:4] != "free" and name != "crack/2"
        picture(tmp_path / "tiles" / f"{name}.png", 255 * mask((2, 2)) if flaw else mask())
    return tmp_path / "tiles"


def test_folders_that_name_the_class(tiles: Path) -> None:
    words = refused(tiles, level=0)
    assert "crack/2.bmp: lies in crack, but its mask marks nothing" in words
    samples = found(tiles, level=0, on_bad="skip")
    task = samples.task
    assert (task.classes, task.negative, task.pixels) == (("crack", "fray"), "free", "multiclass")
    assert {row.id: samples.task.describe(row.target) for row in samples.rows} == {
        "crack/1.bmp": "crack",
        "fray/1.bmp": "fray",
        "free/1.bmp": "free",
        "free/2.bmp": "free",
    }
    one = found(tiles, level=0, flaw="flaw", on_bad="skip")
    assert (one.task.classes, one.task.pixels, len(one)) == (("flaw",), "multilabel", 4)
    assert len(found(tiles)) == 5, "where folders mean nothing, an empty mask is a good image"


def test_folders_that_do_not_fit_their_masks(tiles: Path) -> None:
    assert "the folders fray are not among data.classes (crack)" in refused(tiles, level=0, classes=["crack"])
    words = refused(tiles, level=0, negative="ok")
    assert "none of the 2 masks in the folder free marks anything" in words and "data.negative: free" in words
    picture(tiles / "free" / "1.png", 255 * mask((1, 1)))
    assert "free/1.bmp: lies in free, the folder of good images, but its mask marks a flaw" in refused(tiles, level=0)
    picture(tiles / "x.bmp", mask())
    picture(tiles / "x.png", mask())
    samples = found(tiles, level=0, on_bad="skip")
    assert ("x.bmp", "lies in no class folder (data.level)") in [(each.where, each.reason) for each in samples.skipped]


def test_no_flaw_and_no_good_image(images: Path, tmp_path: Path) -> None:
    for name in MASKS:
        picture(tmp_path / "m" / f"{name}.png", mask())
    assert "no mask shows 'flaw' (4 images)" in refused(images, masks=tmp_path / "m")
    for name in MASKS:
        picture(tmp_path / "m" / f"{name}.png", 255 * mask((1, 1)))
    (note,) = found(images, masks=tmp_path / "m").notes
    assert note.startswith("every image shows a flaw")


def test_folders_and_files_that_are_not_there(images: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "the folder does not exist" in refused(tmp_path / "no")
    assert "no images below this folder" in refused(tmp_path / "empty")
    assert "no images of the name '*.tif'" in refused(images, masks=tmp_path / "empty", pattern="*.tif")
    assert "no image of 4 has a mask in" in refused(images, masks=tmp_path / "empty")
    assert "the table does not exist" in refused(images, table=tmp_path / "no.csv")
    shutil.move(images / "a" / "1.bmp", images / "a" / "1.png")
    shutil.rmtree(images / "b")
    (images / "a" / "2.bmp").rename(images / "a" / "1_mask.png")
    assert "end in (data.suffix): with '_mask', 1_mask.png would be the mask of 1.png" in refused(images)


def test_unreadable_images_and_masks_are_listed(images: Path, tmp_path: Path) -> None:
    masks = index_masks(tmp_path / "masks")
    (masks / "a" / "1.png").write_bytes((masks / "a" / "1.png").read_bytes()[:40])
    (images / "a" / "2.bmp").write_bytes(b"BM")
    words = refused(images, masks=masks)
    assert "2 bad rows or unreadable images" in words and "a/1.bmp: " in words and "a/2.bmp: " in words
    assert len(found(images, masks=masks, on_bad="skip")) == 2


def test_overlapping_classes_where_none_may_overlap(images: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", [*codes(), ["b/2.bmp", "pits", "1 5"], ["b/2.bmp", "cracks", "4 5"]])
    assert found(images, table=path).task.pixels == "multilabel"
    assert "b/2.bmp: pits, cracks overlap in 2 pixels" in refused(
        images, table=path, pixels="multiclass", classes=NAMES
    )
    check(found(images, table=table(tmp_path / "u.csv", codes()), pixels="multiclass", classes=NAMES))


def test_groups_parts_and_metadata(images: Path, tmp_path: Path) -> None:
    masks = index_masks(tmp_path / "masks")
    facts = table(
        tmp_path / "facts.csv",
        [
            ["a/1", "x", "train", "1.5"],
            ["a/2.bmp", "x", "test", ""],
            ["b/1", "y", "val", "2"],
            ["b/2", "z", "train", "3"],
        ],
        "file,coil,set,mm",
    )
    given: dict[str, Any] = {"masks": masks, "facts": facts, "part_column": "set", "meta_columns": ["mm"]}
    samples = found(images, group_column="coil", **given)
    assert samples.groups == ["x", "x", "y", "z"] and samples.grouping == "the column 'coil' of facts.csv"
    assert [row.published for row in samples.rows] == ["train", "test", "validation", "train"]
    assert [row.meta.get("mm") for row in samples.rows] == [1.5, None, 2.0, 3.0]
    table(tmp_path / "facts.csv", [["a/1", "x"], ["a/2", ""], ["b/1", "y"]], "file,coil")
    words = refused(images, masks=masks, facts=facts, group_column="coil")
    assert "a/2.bmp: coil is empty in the table of facts" in words and "b/2.bmp: no row in facts.csv" in words
    assert found(images, masks=masks, groups={"pattern": "^(.)/"}).groups == ["a", "a", "b", "b"]
    assert "no column 'roll'" in refused(images, masks=masks, facts=facts, group_column="roll")


def test_folders_that_name_the_part(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for i in range(2):
            picture(tmp_path / "images" / part / f"{i}.jpg", mask())
            picture(tmp_path / "masks" / part / f"{i}.png", mask((i, i)))
    samples = found(tmp_path / "images", masks=tmp_path / "masks", part_level=0)
    assert [row.published for row in samples.rows] == ["test", "test", "train", "train"]


def test_synthetic_strips_are_read_as_they_are_written(tmp_path: Path) -> None:
    root = synth_steel(tmp_path / "strips", 12, size=(128, 64))
    samples = found(root / "images", table=root / "train.csv", facts=root / "truth.csv", group_column="coil")
    with (root / "truth.csv").open() as stream:
        truth = list(csv.DictReader(stream))
    assert samples.groups == [row["coil"] for row in truth]
    assert samples.name == "strips"
    said = [samples.task.describe(row.target) for row in samples.rows]
    assert said == [" + ".join(row["classes"].split()) or "ok" for row in truth]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"table": "t.csv", "masks": "m"}, "table and masks are given"),
        ({"table": "t.csv", "flaw": "x"}, "flaw: for mask pictures only"),
        ({"coco": "c.json", "level": 0, "values": "binary"}, "level, values: for mask pictures only"),
        ({"values": "index", "level": 0}, "flaw and level are for binary masks"),
        ({"classes": ["a"], "flaw": "b"}, "leave out flaw or classes"),
        ({"classes": ["a", "a"]}, "names that differ"),
        ({"classes": ["a", "ok"]}, "names that differ"),
        ({"group_column": "coil"}, "group_column: of which table"),
        ({"groups": {"column": "coil"}}, "groups.column: of which table"),
        ({"level": 0, "part_level": 0}, "part_level"),
    ],
)
def test_keys_that_contradict_each_other(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        spec(Path("images"), **given)


def test_real_tiles_whose_masks_are_empty_are_not_taken_for_good() -> None:
    root = SHARED / "magnetic-tile"
    if not root.is_dir():
        pytest.skip("the shared data are not here")
    samples = found(root, level=0, pattern="exp[34]_num_[34]*.jpg", on_bad="skip")
    assert [each.where for each in samples.skipped] == [
        "MT_Uneven/Imgs/exp3_num_45042.jpg",
        "MT_Uneven/Imgs/exp4_num_352527.jpg",
        "MT_Uneven/Imgs/exp4_num_45057.jpg",
    ]


def test_a_mask_is_never_taken_for_a_good_image(images: Path, tmp_path: Path) -> None:
    listed = table(tmp_path / "masks.csv", codes())
    assert len(found(images, table=listed)) == 4, "an image that the table does not list is good"
    picture(images / "b" / "2-mask.png", mask((2, 2)))
    words = refused(images, table=listed)
    assert "1 image is named like a mask of another, and would be taken for good" in words
    assert "2-mask.png: a mask of 2.bmp?" in words and "data.suffix" in words
    assert "2-mask.png" in refused(images, table=listed, on_bad="skip"), "to skip bad images does not make it good"
    assert len(found(images, table=listed, pattern="*.bmp")) == 4
    index_masks(images, "_mask")
    assert "2-mask.png: a mask of 2.bmp?" in refused(images, suffix="_mask", without="good")


def test_a_column_of_facts_that_is_not_there_is_named_with_its_key(images: Path, tmp_path: Path) -> None:
    facts = table(tmp_path / "facts.csv", [[f"{name}.bmp", "7"] for name in MASKS], "file,coil")
    words = refused(images, table=table(tmp_path / "masks.csv", codes()), facts=facts, group_column="coill")
    assert "no column 'coill' (data.group_column)" in words
    assert "did you mean 'coil'? Valid: file, coil" in words
