"""`flawscope inspect` with masks: everything that is written says the same, and all of it or nothing is there."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flawscope
from flawscope.bundle.mask_runtime import MaskRuntime
from flawscope.bundle.rules import MaskRule
from flawscope.data.coco import coco_masks, read_coco
from flawscope.data.mask_files import pair_masks
from flawscope.data.mask_table import read_mask_table, table_masks
from flawscope.errors import BundleError, DataError, OutputError, UserError
from flawscope.inspection.mask_output import FLAW_COLUMNS, class_folders
from flawscope.inspection.tables import read_results
from flawscope.masks import mask_array, masks_of
from flawscope.pages.outlines import NAMED
from flawscope.records import MaskPrediction, Task

Make = Callable[..., Path]
EXCLUSIVE = Task("multilabel", ("bright", "dark"), "sound", pixels="multiclass")
NAMES = ["Band ä/c.JPG", "a.png", "b.png", "empty.png", "sound.png"]


@pytest.fixture
def strips(tmp_path: Path) -> Path:
    """Grey strips with bright and dark flaws, one without any, and a file that is no picture."""
    root = tmp_path / "strips"
    (root / "Band ä").mkdir(parents=True)
    for seed, name in enumerate(NAMES):
        ground = 100 if name == "sound.png" else 140
        pixels = np.random.default_rng(seed).integers(ground, ground + 30, (48, 200), dtype=np.uint8)
        if name != "sound.png":
            for place in range(4):
                x, y = 10 + 45 * place, 5 + 9 * place
                pixels[y : y + 3 + place, x : x + 12] = 255 if (seed + place) % 2 else 0
            pixels[0:48, 190:193] = 255  # as high as the picture
        Image.fromarray(pixels).save(root / name, quality=100, subsampling=0)
    (root / "empty.png").write_bytes(b"")
    return root


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def predictions(bundle: Path, strips: Path) -> dict[str, MaskPrediction]:
    found = MaskRuntime.open(bundle).predict(strips / name for name in NAMES)
    return {name: each for name, each in zip(NAMES, found, strict=True) if each.masks}


@pytest.mark.parametrize("pixels", ["multilabel", "multiclass"])
def test_tables_masks_and_coco_say_the_same(make_mask_bundle: Make, strips: Path, tmp_path: Path, pixels: str) -> None:
    task = Task("multilabel", ("bright", "dark"), "sound", pixels=pixels)  # type: ignore[arg-type]
    bundle, out = make_mask_bundle(task), tmp_path / "out"
    summary = flawscope.inspect(bundle, strips, out, scale=0.5)
    known = predictions(bundle, strips)
    assert (summary.images, summary.errors, summary.written) == (5, 1, out)
    assert sum(summary.flaws.values()) == sum(len(each.flaws) for each in known.values()) > 8

    table, coco = read_mask_table(out / "masks.csv", task.classes), read_coco(out / "coco.json")
    assert coco.classes == task.classes and list(coco.images) == list(known)
    assert "sound.png" not in table.codes
    pngs = out / "masks"
    for name, each in known.items():
        assert each.masks is not None
        height, width = each.masks.height, each.masks.width
        mask_khw = mask_array(each.masks)
        assert np.array_equal(table_masks(table, name, height, width), mask_khw)
        assert np.array_equal(coco_masks(coco, name, height, width), mask_khw)
        for k, of in enumerate(task.classes):
            png = (pngs / of / name if pixels == "multilabel" else pngs / name).with_suffix(".png")
            assert png.is_file() == (mask_khw[k].any() if pixels == "multilabel" else mask_khw.any())
            if png.is_file():
                value, mode = (255, "L") if pixels == "multilabel" else (k + 1, "P")
                image = Image.open(png)
                assert image.mode == mode and np.array_equal(np.asarray(image) == value, mask_khw[k])
    paired = pair_masks([strips / name for name in NAMES], strips, pngs if pixels == "multiclass" else pngs / "bright")
    assert len(paired.masks) == 3 and not paired.strays

    assert next(csv.reader((out / "masks.csv").open(encoding="utf-8"))) == ["ImageId", "EncodedPixels", "ClassId"]
    told = rows(out / "flaws.csv")
    assert list(told[0]) == list(FLAW_COLUMNS)
    every = [(name, number, flaw) for name, each in known.items() for number, flaw in enumerate(each.flaws, 1)]
    for row, (name, number, flaw) in zip(told, every, strict=True):
        assert (row["image"], int(row["flaw"]), row["class"]) == (name, number, flaw.name)
        assert (int(row["area_px"]), float(row["area_mm2"])) == (flaw.area, flaw.area / 4)
        assert tuple(int(row[side]) for side in ("left", "top", "right", "bottom")) == flaw.box
        assert (float(row["centroid_x"]), float(row["centroid_y"])) == pytest.approx(flaw.centroid, abs=0.006)
        assert float(row["score"]) == pytest.approx(flaw.score, abs=1e-4)

    results = read_results(out / "results.csv")
    assert [row.name for row in results.rows] == NAMES and results.classes == task.classes
    assert {row.name: row.decision for row in results.rows if not row.error} == {
        name: each.answer.decision for name, each in known.items()
    }
    assert "0 bytes" in results.rows[3].error


def test_coco_is_as_its_format_says(make_mask_bundle: Make, strips: Path, tmp_path: Path) -> None:
    bundle = make_mask_bundle()
    flawscope.inspect(bundle, strips, tmp_path / "out", draw=False)
    content = json.loads((tmp_path / "out" / "coco.json").read_text(encoding="utf-8"))
    assert content["categories"] == [{"id": 1, "name": "bright"}, {"id": 2, "name": "dark"}]
    assert [each["id"] for each in content["annotations"]] == list(range(1, len(content["annotations"]) + 1))
    images = {each["id"]: each for each in content["images"]}
    assert images[1] == {"id": 1, "file_name": "Band ä/c.JPG", "width": 200, "height": 48}
    flaws = [flaw for each in predictions(bundle, strips).values() for flaw in each.flaws]
    for annotation, flaw in zip(content["annotations"], flaws, strict=True):
        left, top, right, bottom = flaw.box
        assert annotation["image_id"] in images and annotation["iscrowd"] == 0
        assert annotation["bbox"] == [left, top, right - left, bottom - top]
        assert annotation["segmentation"]["size"] == [48, 200]
        assert (annotation["area"], annotation["score"]) == (flaw.area, flaw.score)


def test_pictures_are_drawn_with_their_flaws_and_a_page(make_mask_bundle: Make, strips: Path, tmp_path: Path) -> None:
    flawscope.inspect(make_mask_bundle(gate=True), strips, tmp_path / "out", scale=0.5)
    out = tmp_path / "out"
    page = (out / "index.html").read_text(encoding="utf-8")
    order = ["not decided", "bright + dark: not good", "sound: good"]
    assert [page.index(f"<h2>{words}") for words in order] == sorted(page.index(f"<h2>{words}") for words in order)
    for words in (
        "pictures/Band%20%C3%A4/c.JPG",
        "flaws",
        "probability of any flaw",
        "Gate: Decision: flawed when",
        "0.5 mm a pixel",
        "sheet large",
    ):
        assert words in page
    drawn = [name for name in files(out) if name.startswith("pictures/")]
    assert drawn == [f"pictures/{name}" for name in NAMES if name != "empty.png"]
    seen = np.asarray(Image.open(out / "pictures" / "a.png"))
    assert all((seen == colour).all(axis=2).any() for colour in NAMED[:2])
    row_of = {row["name"]: row for row in rows(out / "results.csv")}
    assert float(row_of["a.png"]["gate_probability"]) > 0.5 > float(row_of["sound.png"]["gate_probability"])
    assert float(row_of["sound.png"]["gate_seconds"]) > 0 and row_of["empty.png"]["gate_seconds"] == ""


def test_the_truth_is_drawn_beside(make_mask_bundle: Make, strips: Path, tmp_path: Path) -> None:
    bundle = make_mask_bundle()
    flawscope.inspect(bundle, strips, tmp_path / "first")
    before = Image.open(tmp_path / "first" / "pictures" / "a.png").height
    for truth in ("masks.csv", "coco.json"):
        flawscope.inspect(bundle, strips, tmp_path / truth[:4], truth=tmp_path / "first" / truth)
        assert Image.open(tmp_path / truth[:4] / "pictures" / "a.png").height > 1.5 * before
    lines = (tmp_path / "first" / "masks.csv").read_bytes()
    assert b"\r" not in lines, "as Severstal has it"
    (tmp_path / "jpg.csv").write_bytes(lines.replace(b"a.png", b"A.JPG") + b"x.png,1 3,dark\n")
    said: list[str] = []
    flawscope.inspect(bundle, strips, tmp_path / "jpg", truth=tmp_path / "jpg.csv", say=said.append)
    assert Image.open(tmp_path / "jpg" / "pictures" / "a.png").height > 1.5 * before, "another suffix, another case"
    (words,) = said
    assert words.startswith("note: jpg.csv: 1 name fits no picture here") and "x.png" in words
    (tmp_path / "other.csv").write_text("ImageId,ClassId,EncodedPixels\nx.png,dark,1 3\n")
    with pytest.raises(DataError, match="names none of the 5 pictures"):
        flawscope.inspect(bundle, strips, tmp_path / "out", truth=tmp_path / "other.csv")
    (tmp_path / "long.csv").write_text("ImageId,ClassId,EncodedPixels\na.png,dark,9600 3\n")
    with pytest.raises(DataError, match=r"a\.png, class dark: run 1 .* reaches beyond"):
        flawscope.inspect(bundle, strips, tmp_path / "out", truth=tmp_path / "long.csv")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("end", ["", "-mask"])
def test_a_folder_of_masks_is_a_truth(make_mask_bundle: Make, strips: Path, tmp_path: Path, end: str) -> None:
    bundle = make_mask_bundle(EXCLUSIVE)
    flawscope.inspect(bundle, strips, tmp_path / "first")
    before = Image.open(tmp_path / "first" / "pictures" / "a.png").height
    masks = tmp_path / "first" / "masks"
    for path in [path for path in masks.rglob("*.png") if end]:
        path.rename(path.with_name(f"{path.stem}{end}.png"))
    flawscope.inspect(bundle, strips, tmp_path / "out", truth=masks)
    drawn = np.asarray(Image.open(tmp_path / "out" / "pictures" / "Band ä" / "c.JPG"), dtype=int)
    assert Image.open(tmp_path / "out" / "pictures" / "a.png").height > 1.5 * before
    plain = Image.open(tmp_path / "out" / "pictures" / "sound.png")
    assert plain.height < 1.5 * before, "it has no mask there: nothing is known"
    assert drawn.shape[0] > 1.5 * before
    Image.new("L", (20, 48)).save(masks / f"a{end}.png")
    with pytest.raises(DataError, match=r"1 mask cannot be used:\n  a.png: .*has 20 x 48 pixels, its image 200 x 48"):
        flawscope.inspect(bundle, strips, tmp_path / "again", truth=masks)
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"no image of 5 has a mask in .*none"):
        flawscope.inspect(bundle, strips, tmp_path / "again", truth=tmp_path / "none")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("end", ["", "_mask"])
def test_masks_that_lie_beside_their_pictures_are_a_truth_and_not_inspected(
    make_mask_bundle: Make, strips: Path, tmp_path: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make_mask_bundle(EXCLUSIVE)
    for name in ("a.png", "b.png"):
        Image.open(strips / name).save((strips / name).with_suffix(".jpg"))
        (strips / name).unlink()
        Image.fromarray(np.eye(48, 200, dtype=np.uint8)).save(strips / f"{Path(name).stem}{end}.png")
    monkeypatch.chdir(tmp_path)
    summary = flawscope.inspect(bundle, "strips", "out", truth="strips")
    assert [row["name"] for row in rows(Path("out/results.csv"))] == [
        *("Band ä/c.JPG", "a.jpg", "b.jpg", "empty.png", "sound.png")
    ]
    assert summary.images == 5
    told: list[str] = []
    assert flawscope.inspect(bundle, "strips", "all", say=told.append).images == 7
    assert told == [
        f"note: 2 pictures look like a mask of another one, such as a{end}.png: inspected all the same; --truth strips "
        "takes such for true masks"
    ]
    assert Image.open("out/pictures/a.jpg").height > 1.5 * Image.open("out/pictures/sound.png").height
    Image.new("L", (20, 48)).save(strips / f"a{end}.png")
    with pytest.raises(DataError, match=r"1 mask cannot be used:\n  a.jpg: .*has 20 x 48 pixels, its image 200 x 48"):
        flawscope.inspect(bundle, "strips", "again", truth="strips")
    for name in ("a", "b"):
        Path("strips", f"{name}{end}.png").unlink()
    with pytest.raises(DataError, match=r"no image of 5 has a mask beside the images\n  -> a mask has the name of its"):
        flawscope.inspect(bundle, "strips", "again", truth="strips")
    assert not Path("again").exists()
    for name in ("a", "b"):  # no mask that can be used is left
        Image.new("L", (20, 48)).save(f"strips/{name}{end}.png")
    wanted = r"no sample is left \(5 were skipped\):\n(.*\n)?  a.jpg: .*has 20 x 48 pixels, its image 200 x 48"
    with pytest.raises(DataError, match=wanted):
        flawscope.inspect(bundle, "strips", "again", truth="strips")


def test_pictures_in_the_folder_of_the_truth_are_not_inspected(
    make_mask_bundle: Make, strips: Path, tmp_path: Path
) -> None:
    bundle = make_mask_bundle(EXCLUSIVE)
    masks = strips / "masks"
    masks.mkdir()
    Image.fromarray(np.eye(48, 200, dtype=np.uint8)).save(masks / "a.png")
    flawscope.inspect(bundle, strips, tmp_path / "out", truth=masks)
    assert [row["name"] for row in rows(tmp_path / "out" / "results.csv")] == NAMES
    with pytest.raises(DataError, match=r"all pictures of .*masks are in this folder of masks"):
        flawscope.inspect(bundle, masks, tmp_path / "again", truth=strips)


def test_options_that_do_not_fit_are_refused(
    make_bundle: Make, make_mask_bundle: Make, strips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole, masks = make_bundle(), make_mask_bundle()
    for bundle, options, words in (
        (whole, {"scale": 0.1}, "decides about whole images"),
        (whole, {"truth": "x.csv"}, "decides about whole images"),
        (masks, {"table": "x.csv"}, "takes pictures alone"),
        (masks, {"pictures": "labelled"}, "its pictures lie in the folder of the results"),
        (masks, {"output": "r.csv"}, "a folder is written, and r.csv is the name of a table"),
        (masks, {"output": "strips"}, "overlaps with"),
        (masks, {"output": "strips/out"}, "overlaps with"),
        (masks, {"output": "."}, "overlaps with"),
        (masks, {"scale": 0.0}, "a scale of 0 mm"),
        (make_mask_bundle(draft=True, name="draft.flawscope"), {}, "is a draft"),
    ):
        before = files(tmp_path)
        with pytest.raises((UserError, DataError, OutputError, BundleError), match=words):
            flawscope.inspect(bundle, strips, **options)
        assert files(tmp_path) == before


def test_a_folder_is_replaced_only_if_it_is_one_and_asked_for(
    make_mask_bundle: Make, strips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, out = make_mask_bundle(), tmp_path / "results"
    monkeypatch.chdir(tmp_path)
    flawscope.inspect(bundle, strips, draw=False)
    assert not (out / "pictures").exists() and not (out / "index.html").exists()
    with pytest.raises(OutputError, match="exists already"):
        flawscope.inspect(bundle, strips)
    flawscope.inspect(bundle, strips, overwrite=True)
    assert (out / "pictures").is_dir()
    (out / "coco.json").unlink()
    with pytest.raises(OutputError, match="is not a folder that `flawscope inspect` wrote"):
        flawscope.inspect(bundle, strips, overwrite=True)

    def full(*given: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    before = sorted(path.name for path in tmp_path.iterdir())
    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError, match="No space left"):
        flawscope.inspect(bundle, strips, tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_names_that_a_spreadsheet_would_run(make_mask_bundle: Make, strips: Path, tmp_path: Path) -> None:
    (strips / "a.png").rename(strips / "=1+1.png")
    flawscope.inspect(make_mask_bundle(), strips, tmp_path / "out")
    assert "'=1+1.png" in {row["ImageId"] for row in rows(tmp_path / "out" / "masks.csv")}
    assert "=1+1.png" in read_coco(tmp_path / "out" / "coco.json").images
    said: list[str] = []
    flawscope.inspect(
        make_mask_bundle(), strips, tmp_path / "again", truth=tmp_path / "out" / "masks.csv", say=said.append
    )
    assert said == [], "the table is read back by the names of the pictures"


def test_the_scale_of_the_bundle_is_used(make_mask_bundle: Make, strips: Path, tmp_path: Path) -> None:
    rule = MaskRule(levels=(128, 128), min_areas=(3, 3), overlap=(6, 6), mm_per_pixel=0.1)
    flawscope.inspect(make_mask_bundle(EXCLUSIVE, rule=rule), strips, tmp_path / "out", draw=False)
    for row in rows(tmp_path / "out" / "flaws.csv"):
        assert float(row["area_mm2"]) == pytest.approx(int(row["area_px"]) / 100)
    flawscope.inspect(make_mask_bundle(), strips, tmp_path / "without", draw=False)
    assert {row["area_mm2"] for row in rows(tmp_path / "without" / "flaws.csv")} == {""}


def test_folders_of_classes_are_different_on_any_disk() -> None:
    assert class_folders(["a", "A", "b/c", "..", "=x", "ß"]) == ("a", "A-2", "b_c", "class", "_x", "ß")
    assert masks_of(np.zeros((1, 2, 2), dtype=bool)).codes == ("",)
