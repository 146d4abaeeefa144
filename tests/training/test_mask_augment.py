"""Image and mask change together. Shapes: c channels, k classes, h x w pixels.

Where an image is laid anew, its pixels tell where they come from: one channel holds their rows, one their columns. The
mask holds the number of each pixel, so it can be checked pixel by pixel.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from flawscope.errors import RecipeError
from flawscope.training.augment import augmentation
from flawscope.training.mask_augment import MaskChanges
from flawscope.training.mask_spec import Pieces
from flawscope.training.spec import Augment

NOTHING = Augment(flip_horizontal=False, flip_vertical=False, brightness=0)
SCALE = 256
"""Values of one row or column in a 16-bit image, so that a place is known to 1/256 of a pixel."""


def places(height: int, width: int) -> tuple[Tensor, Tensor]:
    """An image that holds rows and columns, and a mask that numbers the pixels."""
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (torch.stack([row, column]) * SCALE).to(torch.uint16), row * width + column


def changed(
    image: Tensor, mask: Tensor, seed: int, pieces: Pieces | None = None, **asked: Any
) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    depth = 8 * image.dtype.itemsize
    return MaskChanges(NOTHING.model_copy(update=asked), pieces, depth)(image, mask)


MOVES: dict[str, dict[str, Any]] = {
    "flips": {"flip_horizontal": True, "flip_vertical": True},
    "quarter turns": {"quarter_turns": True},
    "rotate": {"rotate": 40.0},
    "shear": {"shear": 30.0},
    "zoom": {"zoom": (0.6, 1.7)},
    "shift": {"shift": 0.3},
    "crop": {"crop": 0.5},
    "all": {"flip_horizontal": True, "quarter_turns": True, "rotate": 90.0, "shear": 10.0, "zoom": (0.8, 1.2),
            "shift": 0.1, "crop": 0.8, "brightness": 0.0},
}  # fmt: skip


@pytest.mark.parametrize("size", [(24, 24), (20, 33)])
@pytest.mark.parametrize("move", MOVES)
def test_the_mask_follows_the_image_exactly(move: str, size: tuple[int, int]) -> None:
    image, mask = places(*size)
    seen = set()
    for seed in range(12):
        moved, followed = changed(image, mask, seed, **MOVES[move])
        assert (moved.shape, moved.dtype, followed.shape, followed.dtype) == (
            image.shape, image.dtype, mask.shape, mask.dtype
        )  # fmt: skip
        assert type(moved) is Tensor and type(followed) is Tensor
        place_2hw = moved.to(torch.float64) / SCALE
        number_2hw = torch.stack([followed // size[1], followed % size[1]])
        # the nearest pixel to the place that the image's pixel was taken from
        assert (place_2hw - number_2hw).abs().max() <= 0.5 + 2 / SCALE
        if move in ("flips", "quarter turns"):
            assert torch.equal(place_2hw, number_2hw.double())
        seen.add(tuple(followed.flatten().tolist()))
    assert len(seen) >= 2, "something must have moved"


def test_the_image_changes_as_it_does_without_a_mask() -> None:
    image = torch.randint(0, 256, (3, 24, 32), dtype=torch.uint8)
    asked = Augment(quarter_turns=True, rotate=20, shear=5, zoom=(0.8, 1.2), shift=0.1, crop=0.9)
    for seed in range(5):
        torch.manual_seed(seed)
        alone = augmentation(asked)(image)
        torch.manual_seed(seed)
        assert torch.equal(MaskChanges(asked, None)(image, torch.zeros(24, 32))[0], alone)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.int64, torch.float32])
def test_masks_of_several_labels_and_their_types(dtype: torch.dtype) -> None:
    image, number = places(24, 32)
    mask = torch.stack([(number % 3 == 0), (number % 7 < 3)]).to(dtype)
    _, moved = changed(image, mask, 1, rotate=30.0, zoom=(0.5, 0.9))
    assert (moved.shape, moved.dtype) == (mask.shape, dtype)
    assert set(moved.unique().tolist()) <= {0, 1}, "values are never mixed"
    for k in range(2):
        alone = changed(image, mask[k], 1, rotate=30.0, zoom=(0.5, 0.9))[1]
        assert torch.equal(moved[k], alone)


def test_brightness_and_nothing_leave_the_mask_alone() -> None:
    image, mask = torch.full((1, 8, 8), 100, dtype=torch.uint8), torch.arange(64).reshape(8, 8)
    bright, same = changed(image, mask, 0, brightness=0.5)
    assert torch.equal(same, mask) and not torch.equal(bright, image)
    untouched = changed(image, mask, 0)
    assert torch.equal(untouched[0], image) and torch.equal(untouched[1], mask)


def test_a_seed_gives_the_same_draw() -> None:
    image, mask = places(24, 24)
    asked: dict[str, Any] = {"rotate": 30.0, "flip_vertical": True, "pieces": Pieces(size=8, flawed=0.5)}
    one, same, other = (changed(image, mask, seed, **asked) for seed in (5, 5, 6))
    assert torch.equal(one[0], same[0]) and torch.equal(one[1], same[1])
    assert not torch.equal(one[0], other[0])


# --- pieces -----------------------------------------------------------------------------------------------------


def test_pieces_are_cut_from_image_and_mask_alike() -> None:
    image, mask = places(20, 50)
    starts = set()
    for seed in range(60):
        piece, cut = changed(image, mask, seed, Pieces(size=(8, 16), flawed=0))
        row, column = divmod(int(cut[0, 0]), 50)
        assert torch.equal(piece, image[:, row : row + 8, column : column + 16])
        assert torch.equal(cut, mask[row : row + 8, column : column + 16])
        starts.add((row, column))
    rows, columns = ({start[axis] for start in starts} for axis in (0, 1))
    assert {min(rows), max(rows)} == {0, 12} and min(columns) <= 3 and max(columns) >= 31


@pytest.mark.parametrize("several", [True, False])
def test_as_many_pieces_as_asked_are_laid_over_a_flaw(several: bool) -> None:
    # One pixel of class 2 in a corner, 300 of class 1: the rare class is seen as often.
    number = torch.zeros(64, 200, dtype=torch.uint8)
    number[20:30, 20:50], number[63, 199] = 1, 2
    mask = torch.stack([number == 1, number == 2]) if several else number
    image = torch.zeros(1, 64, 200, dtype=torch.uint8)

    def seen(flawed: float) -> tuple[float, float]:
        held = []
        for seed in range(150):
            _, cut = changed(image, mask, seed, Pieces(size=8, flawed=flawed))
            held.append([bool(cut[k].any()) if several else bool((cut == k + 1).any()) for k in range(2)])
        share = torch.tensor(held).double().mean(dim=0)
        return float(share[0]), float(share[1])

    always = seen(1.0)
    assert sum(always) == pytest.approx(1) and always[1] == pytest.approx(0.5, abs=0.13)
    assert seen(0.5)[1] == pytest.approx(0.25, abs=0.11)
    assert seen(0.0)[1] < 0.03 and seen(0.0)[0] < 0.15


def test_of_all_pieces_that_hold_the_flaw_each_is_as_likely() -> None:
    mask = torch.zeros(9, 30, dtype=torch.uint8)
    mask[4, 2] = 1
    places_seen = set()
    for seed in range(120):
        _, cut = changed(torch.zeros(1, 9, 30, dtype=torch.uint8), mask, seed, Pieces(size=(8, 10), flawed=1))
        places_seen.add(tuple(torch.nonzero(cut)[0].tolist()))
    # rows: two positions of the piece; columns: its left edge lies at 0, 1 or 2
    assert places_seen == {(row, column) for row in (3, 4) for column in (0, 1, 2)}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_an_image_smaller_than_the_piece_has_its_border_repeated(dtype: torch.dtype) -> None:
    image = torch.arange(1, 13).reshape(1, 3, 4).to(dtype)
    for seed in range(10):
        piece, cut = changed(image, image[0].int(), seed, Pieces(size=8, flawed=0.5))
        assert piece.shape == (1, 8, 8) and torch.equal(piece[0].int(), cut)
        assert set(cut.flatten().tolist()) == set(range(1, 13)), "all of the image is in it"
        assert int(cut[0, 0]) == 1 and int(cut[-1, -1]) == 12


def test_an_image_without_a_flaw_gives_any_piece() -> None:
    image, _ = places(20, 20)
    starts = {tuple(changed(image, torch.zeros(2, 20, 20), seed, Pieces(size=8, flawed=1))[0][:, 0, 0].tolist())
              for seed in range(20)}  # fmt: skip
    assert len(starts) > 10


# --- what does not fit ------------------------------------------------------------------------------------------


def test_what_does_not_fit() -> None:
    with pytest.raises(RecipeError, match=r"train.augment.policy: trivial changes pictures without their masks"):
        MaskChanges(Augment(policy="trivial"), None)
    with pytest.raises(ValueError, match="do not fit"):
        MaskChanges(Augment(), None)(torch.zeros(1, 8, 8, dtype=torch.uint8), torch.zeros(8, 9))
    assert Pieces.model_validate({"size": 64}).size == (64, 64)
    for wrong in ({"size": 4}, {"size": (64, 9000)}, {"size": 64, "flawed": 1.5}, {"flawed": 0.5}):
        with pytest.raises(ValidationError):
            Pieces.model_validate(wrong)
