import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawscope.data.read import read
from flawscope.data.spec import CsvSpec, FoldersSpec, GroupSpec
from flawscope.errors import DataError

Paint = Callable[..., Path]


@pytest.fixture
def parts(tmp_path: Path, paint: Paint) -> Path:
    for seed in range(3):
        paint(tmp_path / f"parts/ok/{seed}.png", seed)
        paint(tmp_path / f"parts/nok/{seed}.png", seed + 10)
    return tmp_path / "parts"


def test_samples_with_hashes(parts: Path) -> None:
    samples = read(FoldersSpec(root=Path("parts")), parts.parent)
    assert len(samples) == 6
    first = samples.rows[0]
    assert first.id == "nok/0.png"
    assert first.sha256 == hashlib.sha256(Path(first.path).read_bytes()).hexdigest()
    assert samples.skipped == ()
    assert samples.grouping == "each image by itself"


def test_the_hash_does_not_depend_on_the_place(parts: Path) -> None:
    before = read(FoldersSpec(root=parts), Path()).hash
    moved = parts.rename(parts.with_name("moved"))
    assert read(FoldersSpec(root=moved), Path()).hash == before


def spoil(parts: Path) -> None:
    (parts / "ok/empty.png").write_bytes(b"")
    (parts / "ok/text.jpg").write_text("no picture")
    whole = (parts / "ok/0.png").read_bytes()
    (parts / "nok/cut.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(np.zeros((4, 4), dtype=np.float32)).save(parts / "nok/float.tif")


def test_all_unreadable_images_stand_in_one_error(parts: Path) -> None:
    spoil(parts)
    with pytest.raises(DataError) as caught:
        read(FoldersSpec(root=parts), Path())
    message = str(caught.value)
    assert "4 bad rows or unreadable images" in message
    assert "ok/empty.png: the file is empty (0 bytes)" in message
    assert "ok/text.jpg: not a picture" in message
    assert "nok/cut.png: cannot be decoded" in message
    assert "nok/float.tif: pixels of mode 'F' have no stated range" in message
    assert "data.on_bad: skip" in message


def test_skipped_ones_are_counted(parts: Path) -> None:
    spoil(parts)
    samples = read(FoldersSpec(root=parts, on_bad="skip"), Path())
    assert len(samples) == 6
    assert {skipped.where for skipped in samples.skipped} == {
        "ok/empty.png",
        "ok/text.jpg",
        "nok/cut.png",
        "nok/float.tif",
    }


def test_bad_rows_and_unreadable_images_stand_together(parts: Path) -> None:
    spoil(parts)
    (parts / "t.csv").write_text("file,label\nok/0.png,ok\nnok/0.png,nok\nok/empty.png,ok\nok/9.png,ok\nnok/1.png\n")
    spec = CsvSpec(table=Path("t.csv"), label_columns=["label"])
    with pytest.raises(DataError, match="3 bad rows or unreadable images"):
        read(spec, parts)
    samples = read(spec.model_copy(update={"on_bad": "skip"}), parts)
    assert len(samples) == 2
    assert len(samples.skipped) == 3


def test_nothing_left_and_one_class_only(parts: Path) -> None:
    for path in (parts / "nok").iterdir():
        path.write_bytes(b"")
    spec = FoldersSpec(root=parts, on_bad="skip")
    with pytest.raises(DataError, match="no image is 'nok'"):
        read(spec, Path())
    assert len(read(spec, Path(), complete=False)) == 3
    for path in (parts / "ok").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"no sample is left \(6 were skipped\)"):
        read(spec, Path(), complete=False)


def test_a_column_that_is_always_yes(parts: Path) -> None:
    (parts / "t.csv").write_text("file,crack,dent\nok/0.png,1,0\nnok/0.png,1,1\n")
    with pytest.raises(DataError, match="every image is 'crack'"):
        read(CsvSpec(table=Path("t.csv"), label_columns=["crack", "dent"]), parts)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow such names")
def test_a_file_name_that_is_no_text(parts: Path) -> None:
    (parts / "ok/0.png").rename(parts / "ok/gr\udcfc\udcdfe.png")
    with pytest.raises(DataError, match="name is not valid UTF-8") as caught:
        read(FoldersSpec(root=parts), Path())
    str(caught.value).encode()


def test_sixteen_bits_and_colour_are_read(parts: Path, paint: Paint) -> None:
    paint(parts / "ok/deep.png", 1, mode="I;16")
    paint(parts / "ok/colour.png", 1, mode="RGB")
    assert len(read(FoldersSpec(root=parts), Path())) == 8


def test_groups_and_published_parts_reach_the_samples(parts: Path) -> None:
    spec = FoldersSpec(root=parts, groups=GroupSpec(pattern="/([0-9]+)[.]"))
    samples = read(spec, Path())
    assert [(row.id, row.group) for row in samples.rows][:2] == [("nok/0.png", "0"), ("nok/1.png", "1")]
    assert len(set(samples.groups)) == 3
    assert samples.grouping == "the pattern '/([0-9]+)[.]' in the name"
    (parts / "t.csv").write_text("file,label,set\nok/0.png,ok,train\nnok/0.png,nok,TEST\n")
    table = read(CsvSpec(table=Path("t.csv"), label_columns=["label"], part_column="set"), parts)
    assert [row.published for row in table.rows] == ["train", "test"]
