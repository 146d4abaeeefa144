"""Pictures of any size and their masks, as networks are fed with them. k classes, h x w pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flawscope.errors import ImageError, RecipeError
from flawscope.masks import mask_array
from flawscope.preprocess import Preprocess, load
from flawscope.records import Masks, Samples
from flawscope.training import input as pixels_input
from flawscope.training.input import loader
from flawscope.training.mask_input import (
    MaskDataset,
    TileDataset,
    cached_pictures,
    mask_of,
    shares,
    some_pictures,
    tiles,
)
from flawscope.training.mask_spec import Pieces
from flawscope.training.objective import IGNORED
from flawscope.training.spec import Augment

SPEC = Preprocess(size=(32, 32), channels=1, resize="none")
SIZES = ((32, 40), (30, 50), (20, 24))
NOTHING = Augment(flip_horizontal=False, flip_vertical=False, brightness=0)
Draw = Callable[..., Samples]


def test_pictures_are_decoded_once_and_never_stale(
    draw_squares: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = draw_squares(tmp_path / "a", 7, sizes=SIZES)
    pictures = cached_pictures(samples, SPEC, tmp_path / "cache")
    for row, sample in enumerate(samples.rows):
        np.testing.assert_array_equal(pictures[row], load(sample.path, SPEC))
    with monkeypatch.context() as patch:
        patch.setattr(pixels_input, "load", None)  # nothing is decoded again
        patch.setattr(pixels_input, "IN_MEMORY", 0)
        mapped = cached_pictures(samples, SPEC.model_copy(update={"size": (64, 64)}), tmp_path / "cache")
    assert isinstance(mapped.flat, np.memmap)
    np.testing.assert_array_equal(mapped[6], pictures[6])
    wide = cached_pictures(samples, SPEC.model_copy(update={"channels": 3, "depth": 16}), tmp_path / "cache")
    assert (wide[1].shape, wide.dtype, wide.flat.size) == ((3, 30, 50), np.uint16, pictures.flat.size)
    grey = Image.open(samples.rows[4].path).convert("L")
    Image.merge("RGB", [grey, grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT), grey]).save(tmp_path / "colour.png")
    row = replace(samples.rows[4], path=str(tmp_path / "colour.png"), sha256="colour")
    spec = SPEC.model_copy(update={"channels": 3})
    mixed = cached_pictures(replace(samples, rows=(*samples.rows[:4], row)), spec, tmp_path / "colours")
    np.testing.assert_array_equal(mixed[4], load(row.path, spec))
    np.testing.assert_array_equal(mixed[1], load(samples.rows[1].path, spec))
    some = some_pictures(samples, [1, 5], SPEC, tmp_path / "cache")
    np.testing.assert_array_equal(some[5], pictures[5])
    with pytest.raises(KeyError):
        some[0]
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_a_picture_that_is_not_as_large_as_its_mask(draw_squares: Draw, tmp_path: Path) -> None:
    samples = draw_squares(tmp_path / "a", 2)
    wrong = replace(samples.rows[0], masks=Masks(40, 32, ("", "")))
    with pytest.raises(ImageError, match=r"0\.png: the picture has 32 x 40 pixels, its mask 40 x 32"):
        cached_pictures(replace(samples, rows=(wrong, *samples.rows[1:])), SPEC, tmp_path / "cache")


def test_masks_of_both_kinds_and_the_shares_of_their_pixels(draw_squares: Draw, tmp_path: Path) -> None:
    row = draw_squares(tmp_path / "a", 4).rows[3]
    mask_2hw = mask_of(row, exclusive=False)
    mask_hw = mask_of(row, exclusive=True)
    assert mask_2hw.dtype == mask_hw.dtype == np.uint8
    np.testing.assert_array_equal(mask_hw, mask_2hw[0] + 2 * mask_2hw[1])
    assert shares([row]).tolist() == [64 / (32 * 40)] * 2


def dataset(samples: Samples, folder: Path, pieces: Pieces | None, seed: int = 0) -> MaskDataset:
    rows = range(len(samples))
    return MaskDataset(
        cached_pictures(samples, SPEC, folder), samples, rows, augment=Augment(rotate=20), pieces=pieces, seed=seed
    )


@pytest.mark.parametrize("pixels", ["multilabel", "multiclass"])
def test_pieces_of_one_size_and_draws_that_depend_on_seed_epoch_and_row(
    draw_squares: Draw, tmp_path: Path, pixels: str
) -> None:
    samples = draw_squares(tmp_path / "a", 6, pixels, sizes=SIZES)
    data = dataset(samples, tmp_path / "cache", Pieces(size=28))
    image, mask = data[3]
    assert (image.shape, image.dtype) == ((1, 28, 28), torch.uint8)
    assert mask.shape == ((28, 28) if pixels == "multiclass" else (2, 28, 28))
    data[0]
    torch.rand(3)
    assert all(torch.equal(a, b) for a, b in zip((image, mask), data[3], strict=True))
    assert not torch.equal(data[3 + 6][0], image), "drawn once more"
    data.epoch = 2
    assert not torch.equal(data[3][0], image)
    assert not torch.equal(dataset(samples, tmp_path / "cache", Pieces(size=28), seed=1)[3][0], image)
    inputs, target = next(iter(loader(data, 4, 0)))
    assert (len(inputs), len(target)) == (4, 4)


def test_whole_pictures_are_of_one_size(draw_squares: Draw, tmp_path: Path) -> None:
    same = draw_squares(tmp_path / "a", 4)
    assert dataset(same, tmp_path / "cache", None)[1][0].shape == (1, 32, 40)
    several = draw_squares(tmp_path / "b", 4, sizes=SIZES)
    with pytest.raises(RecipeError, match=r"of 3 sizes \(20 x 24 to 32 x 40\)(?s:.)*masks: \{pieces: \{size: 256\}\}"):
        dataset(several, tmp_path / "cache", None)


@given(st.tuples(*[st.integers(1, 40)] * 2), st.tuples(*[st.integers(8, 20)] * 2))
def test_tiles_lie_in_the_picture_and_count_each_pixel_once(picture: tuple[int, int], size: tuple[int, int]) -> None:
    seen = np.zeros(picture, dtype=int)
    for tile in tiles(0, picture, size):
        assert tile.top == 0 or tile.top + size[0] <= picture[0]
        assert tile.left == 0 or tile.left + size[1] <= picture[1]
        y, x = tile.count_from
        seen[y : tile.top + size[0], x : tile.left + size[1]] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("pixels", ["multilabel", "multiclass"])
def test_what_is_validated_counts_each_flawed_pixel_once(draw_squares: Draw, tmp_path: Path, pixels: str) -> None:
    samples = draw_squares(tmp_path / "a", 8, pixels, sizes=SIZES)
    pictures = cached_pictures(samples, SPEC, tmp_path / "cache")
    data = TileDataset(pictures, samples, range(8), (24, 32), most=999)
    every = [data[index] for index in range(len(data))]
    assert {tuple(image.shape) for image, _ in every} == {(1, 24, 32)}
    counted = sum(int((mask != IGNORED).sum()) for _, mask in every)
    flawed = sum(int(((mask > 0) & (mask != IGNORED)).sum()) for _, mask in every)
    assert counted == sum(image.size for image in map(pictures.__getitem__, range(8))) * (2 - (pixels == "multiclass"))
    assert flawed == sum(int(mask_array(row.masks).sum()) for row in samples.rows if row.masks)
    small = TileDataset(pictures, samples, [2], (24, 32), most=9)[0]
    assert torch.equal(small[0][:, :20, :24], torch.from_numpy(np.array(pictures[2])))
    assert (small[0][:, :, 24:] == small[0][:, :, 23:24]).all() and (small[1][..., 24:] == IGNORED).all()
    few = TileDataset(pictures, samples, range(8), (24, 32), most=5)
    assert len(few) == 5 and set(few.tiles) < set(data.tiles) and {tile.row for tile in few.tiles} > {0, 4}
