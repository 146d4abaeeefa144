import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from flawscope.data.look import Finding, look, size_hint
from flawscope.data.read import read
from flawscope.data.spec import CsvSpec, ElpvSpec, FoldersSpec
from flawscope.errors import DataError

Paint = Callable[..., Path]
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def fill(paint: Paint, root: Path, counts: dict[str, int], suffix: str = ".png", **given: object) -> Path:
    seed = 0
    for name, n in counts.items():
        for i in range(n):
            paint(root / name / f"{name.replace('/', '_')}{i}{suffix}", seed := seed + 1, **given)
    return root


def said(finding: Finding) -> str:
    return "\n".join(finding.sentences)


def test_class_folders(tmp_path: Path, paint: Paint) -> None:
    root = fill(paint, tmp_path / "Teile für uns", {"0_nio": 6, "1_io": 60})
    finding = look(root)
    assert finding.spec == FoldersSpec(root=root, positive="0_nio", classes=["0_nio", "1_io"])
    assert dict(finding.counts) == {"0_nio": 6, "1_io": 60}
    assert (finding.depth, finding.channels_hint, finding.size_hint) == (8, 1, (32, 32))
    assert dict(finding.sizes) == {(24, 16): 66}
    for words in ("66 images", "All are 24 x 16 pixels", "8 bits, grey.", "to be found is '0_nio'", "Only 6 0_nio"):
        assert words in said(finding)
    assert len(read(finding.spec, Path())) == 66


def test_names_that_do_not_tell_take_the_rarer_class(tmp_path: Path, paint: Paint) -> None:
    finding = look(fill(paint, tmp_path, {"a": 5, "b": 4}))
    assert isinstance(finding.spec, FoldersSpec)
    assert finding.spec.positive == "b"
    assert "the rarer one, 'b'" in said(finding)


def test_a_published_split_is_pooled(tmp_path: Path, paint: Paint) -> None:
    finding = look(fill(paint, tmp_path, {"train/ok": 5, "train/def": 5, "test/ok": 4, "test/def": 4}))
    assert isinstance(finding.spec, FoldersSpec)
    assert (finding.spec.level, finding.spec.part_level, finding.spec.positive) == (1, 0, "def")
    assert "published split (data.part_level: 0). It is not used" in said(finding)
    assert "set split.published: keep" in said(finding)
    assert {row.published for row in read(finding.spec, Path()).rows} == {"train", "test"}


def test_a_published_split_below_the_classes(tmp_path: Path, paint: Paint) -> None:
    finding = look(fill(paint, tmp_path, {"ok/train": 5, "def/train": 5, "ok/test": 4, "def/test": 4}))
    assert isinstance(finding.spec, FoldersSpec)
    assert (finding.spec.level, finding.spec.part_level) == (0, 1)


def test_a_published_split_with_parts_of_other_names_cannot_be_kept(tmp_path: Path, paint: Paint) -> None:
    finding = look(fill(paint, tmp_path, {"train/ok": 5, "train/def": 5, "holdout/ok": 4, "holdout/def": 4}))
    assert isinstance(finding.spec, FoldersSpec)
    assert (finding.spec.level, finding.spec.part_level) == (1, None)
    assert "published split (holdout, train) is not used" in said(finding)
    assert "split.published" not in said(finding)


def test_a_column_that_names_a_published_split(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, {"images": 12})
    rows = [f"images{i}.png,{'ok' if i % 2 else 'nok'},{'Train' if i < 8 else 'test'}" for i in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(["file,verdict,phase", *rows]))
    finding = look(tmp_path)
    assert isinstance(finding.spec, CsvSpec)
    assert (finding.spec.label_columns, finding.spec.part_column) == (["verdict"], "phase")
    assert "Column 'phase' names a published split (data.part_column). It is not used" in said(finding)
    assert "Columns that are not used" not in said(finding)
    (tmp_path / "t.csv").write_text("\n".join(["file,verdict,phase", *rows[:-1], "images11.png,ok,"]))
    assert look(tmp_path).spec.model_dump()["part_column"] is None


def test_masks_in_a_folder_of_their_own(tmp_path: Path, paint: Paint) -> None:
    counts = {"train/good": 5, "test/good": 5, "test/crack": 4, "test/hole": 4, "ground_truth/crack": 4}
    finding = look(fill(paint, tmp_path, counts))
    assert isinstance(finding.spec, FoldersSpec)
    assert finding.spec.ignore == ["ground_truth"]
    assert finding.spec.classes == ["crack", "good", "hole"]
    assert dict(finding.counts) == {"crack": 4, "good": 10, "hole": 4}


def test_masks_beside_the_pictures(tmp_path: Path, paint: Paint) -> None:
    counts = {"MT_Free/Imgs": 5, "MT_Crack/Imgs": 5, "MT_Fray/Imgs": 4}
    fill(paint, tmp_path, counts, ".jpg")
    fill(paint, tmp_path, counts, ".png")
    finding = look(tmp_path)
    assert isinstance(finding.spec, FoldersSpec)
    assert finding.spec.pattern == "*.jpg"
    assert sum(finding.counts.values()) == 14
    assert "taken for masks" in said(finding)


@pytest.mark.parametrize(
    "counts",
    [
        {"images/ok": 4, "images/nok": 4},
        {"line A/ok": 2, "line A/nok": 2, "line B/ok": 2, "line B/nok": 2},
    ],
)
def test_classes_one_folder_deeper(tmp_path: Path, paint: Paint, counts: dict[str, int]) -> None:
    finding = look(fill(paint, tmp_path, counts))
    assert isinstance(finding.spec, FoldersSpec)
    assert finding.spec.level == 1
    assert dict(finding.counts) == {"nok": 4, "ok": 4}


def test_a_table_of_two_labels_and_parts(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, {"images": 20})
    rows = [f"images{i};{int(i % 2 == 0)};{int(i % 3 == 0)};part {i // 2};{i * 1.7:.1f}" for i in range(20)]
    (tmp_path / "labels.csv").write_text("\n".join(["file;crack;inactive;part;weight", *rows]))
    for place in (tmp_path, tmp_path / "labels.csv"):
        finding = look(place)
        assert isinstance(finding.spec, CsvSpec)
        assert finding.spec.label_columns == ["crack", "inactive"]
        assert (finding.spec.image_column, finding.spec.group_column) == ("file", "part")
        assert "Columns that are not used: weight" in said(finding)
        assert [words for words in finding.unused if "weight" in words]
        assert len({row.group for row in read(finding.spec, Path()).rows}) == 10


def test_codes_of_masks_under_another_name_are_no_labels(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, {"images": 12})
    codes = [f"{1 + i} 8 {30 + i} 8" if i % 2 else "" for i in range(12)]
    verdicts = ["nok" if code else "ok" for code in codes]
    (tmp_path / "t.csv").write_text(
        "\n".join(["file,mask", *(f"images{i}.png,{code}" for i, code in enumerate(codes))])
    )
    with pytest.raises(DataError, match="'mask' holds run-length codes") as caught:
        look(tmp_path)
    assert "ImageId, ClassId and EncodedPixels" in caught.value.problem
    rows = [f"images{i}.png,{code},{verdict}" for i, (code, verdict) in enumerate(zip(codes, verdicts, strict=True))]
    (tmp_path / "t.csv").write_text("\n".join(["file,mask,verdict", *rows]))
    finding = look(tmp_path)
    assert isinstance(finding.spec, CsvSpec)
    assert finding.spec.label_columns == ["verdict"]
    assert "Column 'mask' holds run-length codes of masks, which are not used" in said(finding)
    rows = [f"images{i}.png,{30 + i} {9 - i % 3} 8 8,{verdict}" for i, verdict in enumerate(verdicts)]
    (tmp_path / "t.csv").write_text("\n".join(["file,box,verdict", *rows]))
    assert "Columns that are not used: box." in said(look(tmp_path)), "left, top, width, height"


@pytest.mark.parametrize(
    ("header", "values", "expected"),
    [
        ("file,verdict", ["OK", "NOK"], {"label_columns": ["verdict"], "positive": "NOK", "classes": ["NOK", "OK"]}),
        ("file,label", ["0", "1"], {"label_columns": ["label"], "classes": ["defective"]}),
        ("file,ok", ["0", "1"], {"label_columns": ["ok"], "positive": "0", "classes": ["defective"], "negative": "ok"}),
        ("file,kind", ["a", "b", "c"], {"label_columns": ["kind"], "classes": ["a", "b", "c"]}),
        ("file,crack", ["0", "0.333", "1"], {"label_columns": ["crack"], "classes": None}),
    ],
)
def test_label_columns_of_every_kind(
    tmp_path: Path, paint: Paint, header: str, values: list[str], expected: dict[str, object]
) -> None:
    fill(paint, tmp_path, {".": 12})
    rows = [f".{i}.png,{values[i % len(values)]}" for i in range(12)]
    for i in range(12):
        (tmp_path / f".{i}.png").rename(tmp_path / f"p{i}.png")
    (tmp_path / "t.csv").write_text("\n".join([header, *rows]).replace("\n.", "\np"))
    finding = look(tmp_path)
    assert expected.items() <= finding.spec.model_dump().items()
    read(finding.spec, Path())


def test_class_folders_go_before_a_table_of_measurements(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, {"ok": 4, "nok": 4})
    (tmp_path / "truth.csv").write_text("name,angle\nok/ok0.png,1\n")
    assert look(tmp_path).spec.kind == "folders"


def test_a_table_goes_before_folders_that_mean_nothing(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, {"monday": 4, "tuesday": 4})
    rows = [f"{day}/{day}{i}.png,{'ok' if i else 'nok'}" for day in ("monday", "tuesday") for i in range(4)]
    (tmp_path / "t.csv").write_text("\n".join(["file,result", *rows]))
    assert look(tmp_path).spec.kind == "csv"


def test_depth_colour_copies_and_damage(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, {"ok": 5, "nok": 5}, mode="I;16")
    shutil.copy(tmp_path / "ok/ok0.png", tmp_path / "nok/copy.png")
    (tmp_path / "ok/damaged.png").write_bytes(b"x")
    cut = tmp_path / "ok/ok4.png"
    cut.write_bytes(cut.read_bytes()[:-200])
    paint(tmp_path / "overview.png")
    finding = look(tmp_path)
    assert finding.depth == 16
    assert "of 65535" in said(finding)
    assert "1 image is a byte for byte copy of another: they stay on one side" in said(finding)
    assert "different labels, such as nok/copy.png = ok/ok0.png" in said(finding)
    assert "Cannot be used: ok/damaged.png; ok/ok4.png" in said(finding)
    assert "1 image lies in no class folder, which is not used: overview.png" in said(finding)


def test_grey_stored_as_colour_is_grey(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, {"ok": 3, "nok": 3}, mode="RGB")
    assert look(tmp_path).channels_hint == 3
    for path in tmp_path.glob("*/*.png"):
        Image.open(path).convert("L").convert("RGB").save(path)
    finding = look(tmp_path)
    assert finding.channels_hint == 1
    assert "grey, stored as colour" in said(finding)


def test_the_typical_size_counts() -> None:
    assert size_hint({(1600, 256): 9, (10, 10): 1}) == (32, 160)
    assert size_hint({(300, 400): 1}) == (160, 128)
    assert size_hint({(300, 300): 1}, longer=224) == (224, 224)


@pytest.mark.parametrize("layout", ["nothing", "empty", "flat", "one", "file"])
def test_what_cannot_be_learnt_from_says_what_was_expected(tmp_path: Path, paint: Paint, layout: str) -> None:
    place = tmp_path / "place"
    if layout == "empty":
        place.mkdir()
    elif layout == "flat":
        paint(place / "a.png")
    elif layout == "one":
        paint(place / "ok/a.png")
    elif layout == "file":
        place = paint(tmp_path / "a.png")
    with pytest.raises(DataError, match="expected one folder a class"):
        look(place)


def test_a_table_whose_images_lie_elsewhere(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, {"images": 4})
    (tmp_path / "tables").mkdir()
    table = tmp_path / "tables/t.csv"
    table.write_text("file,crack\n" + "".join(f"images{i}.png,{i % 2}\n" for i in range(4)))
    with pytest.raises(DataError, match="none is in"):
        look(table)
    finding = look(table, images=tmp_path / "images")
    assert isinstance(finding.spec, CsvSpec)
    assert finding.spec.images == tmp_path / "images"
    assert len(read(finding.spec, Path())) == 4


def test_images_alone_point_to_the_table_beside_them(tmp_path: Path, paint: Paint) -> None:
    fill(paint, tmp_path, {"images": 4})
    (tmp_path / "train.csv").write_text("file,crack\n" + "".join(f"images{i}.png,{i % 2}\n" for i in range(4)))
    with pytest.raises(DataError, match=r"if train\.csv beside this folder says what they show, .*--images .*images"):
        look(tmp_path / "images")
    assert len(read(look(tmp_path / "train.csv", images=tmp_path / "images").spec, Path())) == 4


def test_elpv() -> None:
    pytest.importorskip("elpv_dataset", exc_type=ImportError)
    finding = look("elpv")
    assert finding.spec == ElpvSpec()
    assert dict(finding.counts) == {"defective": 821, "functional": 1803}


def test_magnetic_tiles() -> None:
    if not (SHARED / "magnetic-tile").is_dir():
        pytest.skip("the shared data are not here")
    finding = look(SHARED / "magnetic-tile", masks=False)
    assert isinstance(finding.spec, FoldersSpec)
    assert finding.spec.pattern == "*.jpg"
    assert sum(finding.counts.values()) == 1344


@pytest.mark.parametrize("lots", [1, 3])
def test_few_lots_are_groups_where_nothing_is_split(tmp_path: Path, paint: Paint, lots: int) -> None:
    fill(paint, tmp_path, {"images": 12})
    rows = [f"images{i}.png,{'ok' if i % 2 else 'nok'},lot {i % lots}" for i in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(["file,verdict,lot", *rows]))
    assert look(tmp_path, fewest_groups=1).spec.model_dump()["group_column"] == "lot"
    for_a_split = look(tmp_path)
    assert for_a_split.spec.model_dump()["group_column"] is None
    assert for_a_split.unused == ("Columns that are not used: lot.",)


@pytest.mark.parametrize(
    ("head", "cells"),
    [("part_ok", ("0", "1")), ("group", ("good", "bad")), ("group", ("a", "b")), ("part_class", ("a", "b"))],
)
def test_a_label_that_is_named_like_a_group_stays_the_label(
    tmp_path: Path, paint: Paint, head: str, cells: tuple[str, str]
) -> None:
    fill(paint, tmp_path, {"images": 12})
    rows = [f"images{i}.png,{cells[i % 2]}" for i in range(12)]
    (tmp_path / "t.csv").write_text("\n".join([f"file,{head}", *rows]))
    spec = look(tmp_path, fewest_groups=1).spec
    assert isinstance(spec, CsvSpec)
    assert (spec.label_columns, spec.group_column) == ([head], None)
