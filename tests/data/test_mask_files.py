"""Which mask belongs to which image: beside it, in a folder of its own, with a suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.data.mask_files import pair_masks
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
    assert "none of the 1 images has a mask beside the images" in told(pair_masks, images, root)
    masks.mkdir()
    assert f"has a mask in {masks}" in told(pair_masks, images, root, masks)
    save(masks / "1.png")
    twice = [*images, save(root / "1.bmp")]
    assert "is the mask of two images" in told(pair_masks, twice, root, masks)
    save(masks / "1.bmp")
    assert "two masks of one name" in told(pair_masks, images, root, masks)


def test_masks_with_a_suffix(tmp_path: Path) -> None:
    root = tmp_path / "images"
    images = [save(root / name) for name in ("a/1.png", "a/2.jpg", "a/3.jpg")]
    beside = [save(root / "a" / name) for name in ("1_Label.bmp", "2_label.png")]
    stray = save(root / "9_label.png")
    found = pair_masks(images, root, None, "_label")
    assert (found.masks, found.without) == (dict(zip(images, beside, strict=False)), (images[2],))
    assert found.strays == (stray,)
    apart = save(tmp_path / "masks" / "a" / "3_label.png")
    save(tmp_path / "masks" / "a" / "2.png")  # without the suffix: no mask
    assert pair_masks(images, root, tmp_path / "masks", "_label").masks == {images[2]: apart}
