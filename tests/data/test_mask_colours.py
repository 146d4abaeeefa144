"""Masks in colours: what they are read as, with names and without, and palettes that contradict each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.data.look import look
from flawscope.data.mask_colours import guess_colours, in_colours, name_of, numbered
from flawscope.data.read import read
from flawscope.data.spec import MasksSpec
from flawscope.errors import DataError
from flawscope.masks import mask_array
from flawscope.records import Samples

RED, BLUE, BLACK, WHITE = (255, 0, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255)


def index(i: int) -> Any:
    """Nothing, class 1 or class 2, as i says."""
    index_hw = np.zeros((12, 16), dtype=np.uint8)
    index_hw[2:6, 3 : 8 + i % 4] = i % 3
    return index_hw


def data(root: Path, colours: Any = (BLACK, RED, BLUE), ending: str = ".png", kind: str = "RGB", n: int = 6) -> Path:
    """n images, and masks in these colours; `kind`: RGB, RGBA, P (one palette), or a palette a picture."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for i in range(n):
        noise = np.random.default_rng(i).integers(0, 255, (12, 16), dtype=np.uint8)
        Image.fromarray(noise).save(root / "images" / f"Bild ü {i}.png")
        mask = Image.fromarray(np.array(colours, dtype=np.uint8)[index(i)])
        if kind == "own palette":
            mask = mask.convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
        elif kind == "P":
            mask = Image.fromarray(index(i))
            mask.putpalette(np.array(colours, dtype=np.uint8).ravel().tolist())
        elif kind == "RGBA":
            mask = mask.convert("RGBA")
        mask.save(root / "masks" / f"Bild ü {i}{ending}")
    return root


def spec_of(root: Path, **options: Any) -> MasksSpec:
    return MasksSpec(images=root / "images", masks=root / "masks", **options)


def check(samples: Samples, classes: tuple[str, str], order: tuple[int, int] = (1, 2)) -> None:
    assert samples.task.classes == classes and samples.task.pixels == "multiclass"
    for i, row in enumerate(sorted(samples.rows, key=lambda row: row.id)):
        assert row.masks is not None
        assert np.array_equal(mask_array(row.masks), np.stack([index(i) == k for k in order]))


@pytest.mark.parametrize("kind", ["RGB", "RGBA", "P", "own palette"])
def test_colours_with_names_stand_for_classes(tmp_path: Path, kind: str) -> None:
    root = data(tmp_path, kind=kind)
    check(read(spec_of(root, colours={"crack": RED, "dent": BLUE}), tmp_path), ("crack", "dent"))
    check(read(spec_of(root, colours={"dent": BLUE, "crack": RED}), tmp_path), ("dent", "crack"), (2, 1))


def test_the_good_answer_may_have_a_colour(tmp_path: Path) -> None:
    root = data(tmp_path, (WHITE, RED, BLUE))
    check(read(spec_of(root, colours={"ok": WHITE, "crack": RED, "dent": BLUE}), tmp_path), ("crack", "dent"))
    named = {"sound": WHITE, "crack": RED, "dent": BLUE}
    check(read(spec_of(root, colours=named, negative="sound"), tmp_path), ("crack", "dent"))


def test_colours_without_a_name_are_said(tmp_path: Path) -> None:
    root = data(tmp_path)
    with pytest.raises(DataError) as told:
        read(spec_of(root), tmp_path)
    words = str(told.value)
    assert "Bild ü 1.png: a mask in colours: [0, 0, 0] (168 pixels), [255, 0, 0] (24 pixels)" in words
    assert "data.colours: {crack: [255, 0, 0], ...}" in words
    with pytest.raises(DataError, match=r"stand for no class \(data.colours\): \[0, 0, 255\] \(28 pixels\)"):
        read(spec_of(root, colours={"crack": RED}), tmp_path)
    with pytest.raises(DataError, match="no mask shows 'dent'"):
        read(spec_of(data(tmp_path / "one", (BLACK, RED, RED)), colours={"crack": RED, "dent": BLUE}), tmp_path)
    with pytest.raises(DataError, match="colours that stand for classes do not survive in a JPEG"):
        read(spec_of(data(tmp_path / "jpg", ending=".jpg"), colours={"crack": RED, "dent": BLUE}), tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"colours": {"a": RED}, "classes": ["a"]}, "leave out classes"),
        ({"colours": {"a": RED}, "values": "index"}, "leave out values"),
        ({"colours": {"a": (256, 0, 0)}}, "three numbers from 0 to 255"),
        ({"colours": {"a": RED, "b": RED}}, "same colour"),
        ({"colours": {"a": BLACK}}, "black means that there is no flaw"),
        ({"colours": {"ok": WHITE}}, "no class has a colour"),
    ],
)
def test_colours_that_make_no_sense_are_refused(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MasksSpec(images=Path("a"), masks=Path("b"), **options)
    with pytest.raises(ValueError, match="colours: for mask pictures only"):
        MasksSpec(images=Path("a"), table=Path("b.csv"), colours={"a": RED})


def test_palettes_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="0 stands for none, and is"):  # the adaptive palette begins with the flaw
        read(spec_of(data(tmp_path / "own", kind="own palette")), tmp_path)
    root = data(tmp_path / "two", kind="P")
    mask = Image.fromarray(index(1))
    mask.putpalette([0, 0, 0, 0, 255, 0])
    mask.save(root / "masks" / "Bild ü 4.png")
    with pytest.raises(
        DataError, match=r"palettes .* differ: 1 is \[255, 0, 0\] in .*1.png, and \[0, 255, 0\] in .*4.png"
    ):
        read(spec_of(root), tmp_path)
    check(read(spec_of(data(tmp_path / "one", kind="P")), tmp_path), ("1", "2"))


def test_colours_are_found_and_named(tmp_path: Path) -> None:
    for kind in ("RGB", "own palette"):
        finding = look(data(tmp_path / kind, kind=kind))
        assert isinstance(finding.spec, MasksSpec)
        assert finding.spec.colours == {"blue": BLUE, "red": RED}
        assert any("blue [0, 0, 255], red [255, 0, 0]. Give them names in data.colours" in s for s in finding.sentences)
        assert dict(finding.counts) == {"ok": 2, "red": 2, "blue": 2}
    white = look(data(tmp_path / "white", (WHITE, (12, 34, 56), BLUE))).spec
    assert isinstance(white, MasksSpec)
    assert white.colours == {"ok": WHITE, "blue": BLUE, "colour 12 34 56": (12, 34, 56)}
    plain = look(data(tmp_path / "P", kind="P")).spec
    assert isinstance(plain, MasksSpec) and (plain.colours, plain.classes) == (None, ["1", "2"])


def test_photos_are_no_masks_in_colours(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (9, 9, 3), dtype=np.uint8)).save(photo)
    assert in_colours([photo]) and guess_colours([photo], "ok") is None
    (tmp_path / "text.png").write_text("no picture")
    assert not in_colours([tmp_path / "text.png"]) and guess_colours([tmp_path / "text.png"], "ok") is None
    assert (name_of(RED), name_of((1, 2, 3))) == ("red", "colour 1 2 3")
    with pytest.raises(DataError, match=r"photo.png: colours .* and 7\d more"):
        numbered(Image.open(photo), [RED], None, photo)
