"""What is told of somebody's folder with masks, and that the recipe's data are then read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.data.look import Finding, look
from flawscope.data.read import read
from flawscope.data.spec import FoldersSpec, MasksSpec
from flawscope.data.synthetic import synth_steel
from flawscope.errors import DataError
from flawscope.masks import encode_rle

SIZE = (12, 16)


def picture(path: Path, values: Any = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if values is None:
        values = np.random.default_rng(len(path.as_posix())).integers(0, 255, size=SIZE)
    Image.fromarray(np.asarray(values, dtype=np.uint8)).save(path)
    return path


def square(value: int = 255) -> Any:
    mask_hw = np.zeros(SIZE, dtype=np.uint8)
    mask_hw[2:5, 3:7] = value
    return mask_hw


def found(place: Path, *, images: Path | None = None) -> tuple[MasksSpec, Finding]:
    finding = look(place, images)
    assert isinstance(finding.spec, MasksSpec)
    assert len(read(finding.spec, Path())) == sum(finding.counts.values())
    return finding.spec, finding


def said(finding: Finding) -> str:
    return "\n".join(finding.sentences)


def test_a_table_of_codes_and_a_table_of_coils(tmp_path: Path) -> None:
    root = synth_steel(tmp_path / "strips", 40, size=(128, 64))
    spec, finding = found(root)
    assert (spec.images, spec.table) == (root / "images", root / "train.csv")
    assert (spec.facts, spec.image_column, spec.group_column) == (root / "truth.csv", "name", "coil")
    assert "train.csv is a table of run-length codes" in said(finding) and "taken for good" in said(finding)
    assert sum(finding.counts.values()) == 40
    assert found(root / "train.csv", images=root / "images")[0].table == root / "train.csv"
    assert "Not used" not in said(finding)
    rows = (root / "train.csv").read_text().splitlines()
    (root / "few.csv").write_text("\n".join(rows[:5]))
    spec, finding = found(root)
    assert spec.table == root / "train.csv" and "Not used: few.csv (" in said(finding)


@pytest.mark.parametrize("form", ["codes", "pictures"])
@pytest.mark.parametrize("lots", [1, 3, 5])
def test_few_lots_are_groups_where_nothing_is_split(tmp_path: Path, form: str, lots: int) -> None:
    code = encode_rle(square() > 0)
    codes, rows = ["ImageId,ClassId,EncodedPixels"], ["file,lot,speed"]
    for i in range(12):
        picture(tmp_path / "images" / f"{i}.png")
        codes.append(f"{i}.png,1,{code if i % 2 else ''}")
        rows.append(f"{i}.png,lot {i % lots},{i / 7}")
        if form == "pictures":
            picture(tmp_path / "masks" / f"{i}.png", square() * (i % 2))
    (tmp_path / "facts.csv").write_text("\n".join(rows))
    if form == "codes":
        (tmp_path / "train.csv").write_text("\n".join(codes))
    spec = look(tmp_path, fewest_groups=1).spec
    assert isinstance(spec, MasksSpec)
    assert (spec.facts, spec.group_column) == (tmp_path / "facts.csv", "lot")
    assert {row.group for row in read(spec, Path()).rows} == {f"lot {k}" for k in range(lots)}
    for_a_split, finding = found(tmp_path)
    assert for_a_split.group_column == ("lot" if lots > 4 else None)
    assert finding.unused == (() if lots > 4 else ("Columns of facts.csv that are not used: lot, speed.",))
    parts = "1 part" if lots == 1 else f"{lots} parts"
    few = f"Column 'lot' of facts.csv says what belongs together, but names {parts} only: of so few no split"
    assert (few in said(finding)) == (lots < 4)


def test_a_table_that_does_not_name_all_images_is_none_of_their_parts(tmp_path: Path) -> None:
    for i in range(12):
        picture(tmp_path / "images" / f"{i}.png")
        picture(tmp_path / "masks" / f"{i}.png", square() * (i % 2))
    (tmp_path / "facts.csv").write_text("\n".join(["file,lot", *(f"{i}.png,lot {i % 5}" for i in range(11))]))
    spec, finding = found(tmp_path)
    assert spec.facts is None
    assert finding.unused == ("Columns of facts.csv that are not used: lot.",)


def test_the_contest_as_it_is_unpacked(tmp_path: Path) -> None:
    for i in range(6):
        picture(tmp_path / "train_images" / f"{i}.jpg")
        picture(tmp_path / "test_images" / f"t{i}.jpg")
    code = encode_rle(square() > 0)
    rows = [f"{i}.jpg,{1 + i % 2},{code}" for i in range(4)]
    (tmp_path / "train.csv").write_text("\n".join(["ImageId,ClassId,EncodedPixels", *rows]))
    rows = [f"t{i}.jpg,1 9,0" for i in range(3)]
    (tmp_path / "sample_submission.csv").write_text("\n".join(["ImageId,EncodedPixels,ClassId", *rows]))
    spec, finding = found(tmp_path)
    assert (spec.images, spec.table, spec.classes) == (tmp_path / "train_images", tmp_path / "train.csv", ["1", "2"])
    assert dict(finding.counts) == {"1": 2, "2": 2, "ok": 2}


def test_a_coco_file(tmp_path: Path) -> None:
    for i in range(4):
        picture(tmp_path / "photos" / f"{i}.png")
    content = {
        "images": [{"id": i, "file_name": f"{i}.png", "height": SIZE[0], "width": SIZE[1]} for i in range(4)],
        "categories": [{"id": 7, "name": "scratch"}, {"id": 8, "name": "rust"}],
        "annotations": [{"id": 1, "image_id": 2, "category_id": 7, "segmentation": [[1, 1, 5, 1, 5, 5]]}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    spec, finding = found(tmp_path)
    assert (spec.images, spec.coco) == (tmp_path / "photos", tmp_path / "annotations.json")
    assert dict(finding.counts) == {"ok": 3, "scratch": 1}
    assert spec.classes == ["scratch"] and "No mask shows rust: left out of data.classes" in said(finding)


def test_a_folder_of_class_values(tmp_path: Path) -> None:
    for i in range(6):
        picture(tmp_path / "images" / "train" / f"{i}.jpg")
        picture(tmp_path / "masks" / "train" / f"{i}.png", square(1 + i % 2) if i else square(0))
        picture(tmp_path / "images" / "test" / f"{i}.jpg")
        picture(tmp_path / "masks" / "test" / f"{i}.png", square(1))
    spec, finding = found(tmp_path)
    assert (spec.images, spec.masks) == (tmp_path / "images", tmp_path / "masks")
    assert (spec.classes, spec.part_level) == (["1", "2"], 0)
    assert "Give them names in data.classes" in said(finding) and "data.part_level: 0" in said(finding)


def test_masks_beside_in_folders_that_name_the_flaw(tmp_path: Path) -> None:
    for name in ("MT_Crack", "MT_Fray", "MT_Free"):
        for i in range(3):
            picture(tmp_path / name / "Imgs" / f"{i}.jpg")
            picture(tmp_path / name / "Imgs" / f"{i}.png", square(0 if name == "MT_Free" else 255))
    spec, finding = found(tmp_path)
    assert (spec.level, spec.classes, spec.negative) == (0, ["MT_Crack", "MT_Fray"], None)
    assert "Folders name the flaw (data.level: 0): MT_Crack, MT_Fray." in said(finding)
    assert "To decide about images only" in said(finding)
    assert isinstance(look(tmp_path, masks=False).spec, FoldersSpec)


def test_masks_with_a_suffix_and_good_images_without_any(tmp_path: Path) -> None:
    for i in range(4):
        picture(tmp_path / "test" / "good" / f"{i}.png")
        picture(tmp_path / "test" / "crack" / f"{i}.png")
        picture(tmp_path / "ground_truth" / "crack" / f"{i}_mask.png", square())
        picture(tmp_path / "train" / "good" / f"{i}.png")
    spec, finding = found(tmp_path)
    assert (spec.images, spec.masks, spec.suffix) == (tmp_path / "test", tmp_path / "ground_truth", "_mask")
    assert (spec.without, spec.level) == ("good", 0)
    assert "Other folders are not used: train" in said(finding)
    assert dict(finding.counts) == {"good": 4, "crack": 4}


def test_pictures_that_are_no_masks_are_not_taken_for_masks(tmp_path: Path) -> None:
    for name in ("ok", "nok"):
        for i in range(4):
            picture(tmp_path / name / f"{i}.jpg")
            picture(tmp_path / name / f"{i}.png")
    assert isinstance(look(tmp_path).spec, FoldersSpec)


def test_folders_of_masks_are_known_by_what_they_hold(tmp_path: Path) -> None:
    for i in range(6):
        picture(tmp_path / "Bilder" / f"{i}.png")
        picture(tmp_path / "Wahrheit" / f"{i}.png", square(1 + i % 3) * (i > 1))
    spec, finding = found(tmp_path)
    assert (spec.images, spec.masks) == (tmp_path / "Bilder", tmp_path / "Wahrheit")
    assert "The pictures in Wahrheit are the masks of those in Bilder" in said(finding)


def test_folders_of_one_name_for_photos_are_no_masks(tmp_path: Path) -> None:
    for i in range(6):
        picture(tmp_path / "good" / f"{i}.png")
        picture(tmp_path / "bad" / f"{i}.png", np.random.default_rng(i).integers(0, 255, size=SIZE))
    assert isinstance(look(tmp_path).spec, FoldersSpec)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full(SIZE, 60_000, dtype=np.uint16), "what masks holds as masks .*0.png: .*more than 8 bits"),
        (None, "masks holds no picture"),
    ],
)
def test_masks_that_cannot_be_used_are_said(tmp_path: Path, values: Any, words: str) -> None:
    (tmp_path / "masks").mkdir()
    for i in range(6):
        picture(tmp_path / "images" / f"{i}.png")
        if values is not None:
            Image.fromarray(values).save(tmp_path / "masks" / f"{i}.png")
    with pytest.raises(DataError, match="nothing says what the images show") as told:
        look(tmp_path)
    assert re.search(words, told.value.problem), told.value.problem
    assert told.value.remedy.startswith("mend the masks")


@pytest.mark.parametrize("end", ["-mask", "_Maske", " mask", "_gt"])
@pytest.mark.parametrize("apart", [True, False])
def test_what_the_names_of_masks_end_in_is_found(tmp_path: Path, end: str, apart: bool) -> None:
    for i in range(4):
        picture(tmp_path / ("images" if apart else "") / f"p{i}.png")
        picture(tmp_path / ("masks" if apart else "") / f"p{i}{end}.png", square() * (i % 2))
    spec, finding = found(tmp_path)
    assert spec.suffix == end.casefold()
    assert dict(finding.counts) == {"flaw": 2, "ok": 2}


def test_why_no_mask_fits_is_said(tmp_path: Path) -> None:
    for i in range(4):
        picture(tmp_path / "images" / f"p{i}.png")
        picture(tmp_path / "masks" / f"other{i}.png", square())
    with pytest.raises(DataError, match=r"a mask is called other0.png, an image p0.png .data.suffix"):
        look(tmp_path)
    for i in range(4):
        picture(tmp_path / "masks" / f"p{i}.png", square())
    picture(tmp_path / "masks" / "p3.bmp", square())
    with pytest.raises(DataError, match=r"two masks of one name: .*p3.bmp and .*p3.png"):
        look(tmp_path)


def test_images_without_a_mask_are_asked_about(tmp_path: Path) -> None:
    for i in range(6):
        picture(tmp_path / "images" / f"p{i}.png")
        if i < 4:
            picture(tmp_path / "masks" / f"p{i}.png", square())
    assert "2 images have no mask. If that means that they have no flaw, set data.without: good." in said(
        look(tmp_path)
    )


def test_a_class_of_which_no_code_marks_a_pixel_can_be_left_out_as_the_error_says(tmp_path: Path) -> None:
    code = encode_rle(square() > 0)
    for i in range(4):
        picture(tmp_path / "images" / f"{i}.png")
    rows = [f"{i}.png,{1 + 2 * (i % 2)},{code if i < 2 else ''}" for i in range(4)]
    (tmp_path / "train.csv").write_text("\n".join(["ImageId,ClassId,EncodedPixels", *rows]))
    spec = MasksSpec(images=tmp_path / "images", table=tmp_path / "train.csv", classes=["1", "2", "3"])
    with pytest.raises(DataError, match=r"no mask shows '2' \(4 images\)") as told:
        read(spec, Path())
    (classes,) = re.findall(r"--set 'data\.classes=(.+?)'", str(told.value))
    assert json.loads(classes) == ["1", "3"]
    assert read(spec.model_copy(update={"classes": json.loads(classes)}), Path()).task.classes == ("1", "3")
