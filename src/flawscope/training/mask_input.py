"""What networks that make masks are fed with: pictures of any size and their masks, cut and changed together.

Masks are k x h x w (classes may overlap, 0 or 1) or h x w (classes that exclude each other, 0 the background), uint8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from flawscope.errors import ImageError, RecipeError
from flawscope.masks import mask_array
from flawscope.preprocess import Pixels, Preprocess
from flawscope.records import Masks, Sample, Samples, fingerprint
from flawscope.training.input import ByRow, SomePixels, seen_as, stored
from flawscope.training.mask_augment import MaskChanges
from flawscope.training.mask_spec import Pieces
from flawscope.training.objective import IGNORED
from flawscope.training.sampling import draw_seed, drawn
from flawscope.training.spec import Augment

Mask = npt.NDArray[np.uint8]


class Pictures:
    """Pixels of pictures of any size that lie one behind the other; asked for by row, c x h x w each.

    Grey ones of one channel are seen as having as many as are asked for.
    """

    def __init__(self, flat: Pixels, sizes: Sequence[tuple[int, int]], channels: int) -> None:
        self.flat, self.sizes, self.channels, self.starts = flat, sizes, channels, starts(sizes)
        self.kept = flat.size // self.starts[-1]
        self.dtype: np.dtype[Any] = flat.dtype

    def __getitem__(self, row: int) -> Pixels:
        """Channels x height x width."""
        first, last = self.kept * self.starts[row], self.kept * self.starts[row + 1]
        image: Pixels = self.flat[first:last].reshape(self.kept, *self.sizes[row])
        return seen_as(image, self.channels)


def starts(sizes: Sequence[tuple[int, int]]) -> list[int]:
    """At which pixel each picture begins, and where the last one ends.

    >>> starts([(2, 3), (1, 1)])
    [0, 6, 7]
    """
    return [0, *np.cumsum([np.prod(size, dtype=np.int64) for size in sizes]).tolist()]


def cached_pictures(samples: Samples, spec: Preprocess, folder: Path) -> Pictures:
    """As `input.cached_pixels`, of pictures that keep their size: that of their masks.

    Raises:
        ImageError: an image cannot be decoded, or is not as large as its mask.
        OutputError: the folder cannot be written to.
    """
    sizes = [size_of(row) for row in samples.rows]
    shapes = [(spec.channels, *size) for size in sizes]
    key = fingerprint([[row.sha256 for row in samples.rows], shapes, spec.depth, "flat"])
    ends = starts(sizes)

    def put(flat: Pixels, index: int, image: Pixels) -> None:
        if image.shape[1:] != sizes[index]:
            found, wanted = (" x ".join(map(str, size)) for size in (image.shape[1:], sizes[index]))
            raise ImageError(f"{samples.rows[index].id}: the picture has {found} pixels, its mask {wanted}")
        flat[len(image) * ends[index] : len(image) * ends[index + 1]] = image.reshape(-1)

    flat = stored(folder / key[:16], lambda channels: (channels * ends[-1],), samples, spec, put)
    return Pictures(flat, sizes, spec.channels)


def some_pictures(samples: Samples, rows: Sequence[int], spec: Preprocess, folder: Path) -> SomePixels:
    """As `cached_pictures`, but only these rows are opened. They are asked for by their place in the whole table."""
    chosen = replace(samples, rows=tuple(samples.rows[row] for row in rows))
    return SomePixels(cached_pictures(chosen, spec, folder), rows)


def size_of(row: Sample) -> tuple[int, int]:
    """Height and width of a picture with masks."""
    masks = _masks(row)
    return masks.height, masks.width


def mask_of(row: Sample, *, exclusive: bool) -> Mask:
    """The mask of a sample, decoded: k x h x w, or h x w where classes exclude each other."""
    mask_khw = mask_array(_masks(row))
    if not exclusive:
        return mask_khw.view(np.uint8)
    mask_hw = np.zeros(mask_khw.shape[1:], dtype=np.uint8)
    for number, flawed_hw in enumerate(mask_khw, start=1):
        mask_hw[flawed_hw] = number
    return mask_hw


def shares(rows: Sequence[Sample]) -> npt.NDArray[np.float64]:
    """The share of the pixels of some samples that each class has.

    >>> shares([Sample("a", "a", (1.0, 0.0), "a", "a", masks=Masks(2, 5, ("1 2 5 1", "")))]).tolist()
    [0.3, 0.0]
    """
    flawed = [[sum(map(int, code.split()[1::2])) for code in _masks(row).codes] for row in rows]
    whole = sum(height * width for height, width in map(size_of, rows))
    return np.asarray(np.sum(flawed, axis=0) / whole, dtype=np.float64)


def _masks(row: Sample) -> Masks:
    if row.masks is None:
        raise ValueError(f"{row.id} has no masks")
    return row.masks


def common_size(samples: Samples, rows: Sequence[int]) -> tuple[int, int]:
    """The one height and width of whole pictures that are to stand in one batch.

    Raises:
        RecipeError: they are of several sizes.
    """
    sizes = sorted({size_of(samples.rows[row]) for row in rows})
    if len(sizes) > 1:
        first, last = (" x ".join(map(str, size)) for size in (sizes[0], sizes[-1]))
        raise RecipeError(
            f"masks.pieces: the training pictures are of {len(sizes)} sizes ({first} to {last}), so that whole ones "
            "cannot be learnt from",
            "learn from pieces: masks: {pieces: {size: 256}}",
        )
    return sizes[0]


class MaskDataset(Dataset[tuple[Tensor, ...]]):
    """Images and masks of some rows, changed at random together; pieces of them, or whole ones.

    Draws are those of `input.PartDataset`: they depend on seed, epoch, row, and how often it has been drawn before.
    """

    def __init__(
        self,
        pixels: ByRow,
        samples: Samples,
        rows: Sequence[int],
        *,
        augment: Augment,
        pieces: Pieces | None,
        seed: int,
        likelihood_n: Tensor | None = None,
    ) -> None:
        self.size = pieces.size if pieces else common_size(samples, rows)
        self.pixels, self.samples, self.rows = pixels, samples.rows, list(rows)
        self.exclusive = samples.task.pixels == "multiclass"
        self.change = MaskChanges(augment, pieces, 8 * pixels.dtype.itemsize)
        self.shuffled = True
        self.likelihood = likelihood_n
        self.seed, self.epoch = seed, 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        """Image and mask."""
        place, again = drawn(index, len(self))
        row = self.rows[place]
        image = torch.from_numpy(np.array(self.pixels[row], order="C"))
        mask = torch.from_numpy(np.array(mask_of(self.samples[row], exclusive=self.exclusive)))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(draw_seed(self.seed, self.epoch, row, again))
            return self.change(image, mask)


@dataclass(frozen=True)
class Tile:
    """A tile of a picture: where it lies, and from which row and column on its pixels are counted."""

    row: int
    top: int
    left: int
    count_from: tuple[int, int] = (0, 0)


def tiles(row: int, picture: tuple[int, int], size: tuple[int, int]) -> list[Tile]:
    """Tiles of one size that cover a picture. The last ones are moved back into it, and count what is new.

    >>> [(tile.left, tile.count_from[1]) for tile in tiles(0, (4, 10), (4, 4))]
    [(0, 0), (4, 4), (6, 8)]
    """
    tops, lefts = (
        [(max(0, min(start, whole - side)), start) for start in range(0, whole, side)]
        for whole, side in zip(picture, size, strict=True)
    )
    return [Tile(row, top, left, (y, x)) for top, y in tops for left, x in lefts]


def cut(image: npt.NDArray[Any], tile: Tile, size: tuple[int, int]) -> npt.NDArray[Any]:
    """What lies in a tile; of a picture smaller than it the right and the lower border are repeated.

    >>> cut(np.array([[[1, 2]]]), Tile(0, 0, 0), (1, 4)).tolist()
    [[[1, 2, 2, 2]]]
    """
    part = image[..., tile.top : tile.top + size[0], tile.left : tile.left + size[1]]
    missing = [(0, side - there) for side, there in zip(size, part.shape[-2:], strict=True)]
    return np.pad(part, [(0, 0)] * (image.ndim - 2) + missing, mode="edge")


class TileDataset(Dataset[tuple[Tensor, ...]]):
    """Tiles of some rows as the exported graph sees them, nothing changed.

    Each pixel is counted once, elsewhere the mask is `IGNORED`. Of more than `most` tiles so many are taken,
    evenly spread.
    """

    def __init__(
        self, pixels: ByRow, samples: Samples, rows: Sequence[int], size: tuple[int, int], *, most: int
    ) -> None:
        self.pixels, self.samples, self.size = pixels, samples.rows, size
        self.exclusive = samples.task.pixels == "multiclass"
        every = [tile for row in rows for tile in tiles(row, size_of(samples.rows[row]), size)]
        n = min(most, len(every))
        self.tiles = [every[place * len(every) // n] for place in range(n)]
        self.shuffled = False
        self.likelihood: Tensor | None = None
        self.seed = self.epoch = 0
        self._last: tuple[int, Mask] | None = None

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        """Image and mask."""
        tile = self.tiles[index]
        if self._last is None or self._last[0] != tile.row:
            self._last = tile.row, mask_of(self.samples[tile.row], exclusive=self.exclusive)
        mask = cut(self._last[1], tile, self.size)
        height, width = size_of(self.samples[tile.row])
        y, x = tile.count_from[0] - tile.top, tile.count_from[1] - tile.left
        counted_hw = np.zeros(self.size, dtype=np.bool_)
        counted_hw[y : height - tile.top, x : width - tile.left] = True
        return (
            torch.from_numpy(np.array(cut(self.pixels[tile.row], tile, self.size), order="C")),
            torch.from_numpy(np.where(counted_hw, mask, np.uint8(IGNORED))),
        )
