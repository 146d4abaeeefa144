"""Which mask belongs to which image: beside it, in a folder of its own, with a suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.data.mask_files import named_like_masks, pair_masks
from flawscope.errors import UserError


def save(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((6, 8), dtype=np.uint8)).save(path)
    return path


def told(kind: Any, *words: Any) -> str:
    with pytest.raises(UserError) as error:
        kind(*words)
    return str(error.value)


def test_masks_beside_and_in_a_folder_of_their_own(tmp_path: Path) -> None:
    images = [save(tmp_path / "images" / name) for name in ("a/1.JPG", "b/1.bmp", "b/2.jpg")]
    beside = save(tmp_path / "images" / "a" / "1.png")
    stray = save(tmp_path / "images" / "b" / "9.png")
    found = pair_masks(images, tmp_path / "images")
    assert (found.masks, found.without, found.strays) == ({images[0]: beside}, tuple(images[1:]), (stray,))
    masks = [save(tmp_path / "masks" / name) for name in ("A/1.png", "b/1.tif")]
    found = pair_masks(images, tmp_path / "images", tmp_path / "masks")
    assert (found.masks, found.without, found.strays) == (dict(zip(images, masks, strict=False)), (images[2],), ())


def test_masks_that_cannot_be_paired(tmp_path: Path) -> None:
    root, masks = tmp_path / "images", tmp_path / "masks"
    images = [save(root / "1.jpg")]
    assert "folder of masks does not exist" in told(pair_masks, images, root, masks)
    assert "no image of 1 has a mask beside the images" in told(pair_masks, images, root)
    masks.mkdir()
    assert f"has a mask in {masks}\n  -> {masks} holds no picture: name the folder" in told(
        pair_masks, images, root, masks
    )
    save(masks / "1.png")
    twice = [*images, save(root / "1.bmp")]
    assert "is the mask of two images" in told(pair_masks, twice, root, masks)
    save(masks / "1.bmp")
    assert "two masks of one name" in told(pair_masks, images, root, masks)


def test_the_ending_that_would_make_pairs_is_named(tmp_path: Path) -> None:
    root, masks = tmp_path / "images", tmp_path / "masks"
    images = [save(root / name) for name in ("1.png", "2.png")]
    for name in ("1_mask.png", "2_mask.png", "3.png"):
        save(masks / name)
    remedy = "set data.suffix to '_mask', what the names of masks end in: then 2 would have one"
    assert remedy in told(pair_masks, images, root, masks)
    assert remedy in told(pair_masks, images, root, masks, "_label")
    for name in ("1.png", "2.png"):
        (masks / name).write_bytes((masks / f"{name[0]}_mask.png").read_bytes())
        (masks / f"{name[0]}_mask.png").unlink()
    remedy = "set data.suffix to '', as masks have the names of their images: then 2 would have one"
    assert remedy in told(pair_masks, images, root, masks, "_label")
    images += [save(root / name) for name in ("1-mask.png", "2-mask.png")]
    assert "set data.suffix to '-mask'" in told(pair_masks, images, root)


def test_masks_of_each_class_in_a_folder_of_its_own_point_to_the_table(tmp_path: Path) -> None:
    images = [save(tmp_path / "images" / "1.png")]
    save(tmp_path / "masks" / "crack" / "1.png")
    words = told(pair_masks, images, tmp_path / "images", tmp_path / "masks")
    assert "in folders of it, such as crack: name that one (data.masks), or" in words
    assert "a table of codes (data.table)" in words


def test_masks_with_a_suffix(tmp_path: Path) -> None:
    root = tmp_path / "images"
    images = [save(root / name) for name in ("a/1.png", "a/2.jpg", "a/3.jpg")]
    beside = [save(root / "a" / name) for name in ("1_Label.bmp", "2_label.png")]
    stray = save(root / "9_label.png")
    found = pair_masks(images, root, None, "_label")
    assert (found.masks, found.without) == (dict(zip(images, beside, strict=False)), (images[2],))
    assert found.strays == (stray,)
    apart = save(tmp_path / "masks" / "a" / "3_label.png")
    other = save(tmp_path / "masks" / "a" / "3_label_1.png")  # without the suffix: a second mask, or none
    found = pair_masks(images, root, tmp_path / "masks", "_label")
    assert (found.masks, found.strays) == ({images[2]: apart}, (other,))


@pytest.mark.parametrize("end", ["", "_mask", "-mask", ".mask", "_Maske"])
def test_a_mask_belongs_to_the_whole_name(tmp_path: Path, end: str) -> None:
    root, names = tmp_path / "images", ("a", "a-2", "a_2", "a.b", "a_mask", "Bild ü 1", "Bild ü 11")
    images = [save(root / f"{name}.jpg") for name in names]
    masks = [save(tmp_path / "masks" / f"{name}{end}.png") for name in names]
    found = pair_masks(images, root, tmp_path / "masks", end)
    assert found.masks == dict(zip(images, masks, strict=True)) and not found.strays
    (tmp_path / "masks" / f"a-2{end}.png").unlink()
    found = pair_masks(images, root, tmp_path / "masks", end)
    assert found.without == (images[1],), "the mask of a, or of a_2, is not that of a-2"


def test_images_that_are_named_like_masks(tmp_path: Path) -> None:
    images = [tmp_path / name for name in ("1.png", "1_MASK.png", "2-gt.png", "x/1-mask.png", "3.png", "3-2.png")]
    assert named_like_masks(images) == {images[1]: images[0]}
