"""What the network is fed with: pictures decoded once, changed at random anew each epoch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, SequentialSampler

from flawscope.data.progress import watched
from flawscope.metadata import TableRow
from flawscope.preprocess import Pixels, Preprocess, load
from flawscope.records import FloatArray, Samples, fingerprint
from flawscope.storage import new_file
from flawscope.training.augment import augmentation
from flawscope.training.processes import Share
from flawscope.training.sampling import Dealt, EpochSampler, draw_seed, drawn

if TYPE_CHECKING:
    from flawscope.training.spec import Augment

IN_MEMORY = 2**30
"""Bytes from which on the cached pixels stay on disk and are mapped."""


Put = Callable[[Pixels, int, Pixels], None]
"""What writes an image, of some place in the table, into the array of all."""


class _Coloured(Exception):
    """A picture is not grey."""


def cached_pixels(samples: Samples, spec: Preprocess, folder: Path) -> Pixels:
    """All images of the table, decoded and prepared once, as n x c x h x w integers kept in a file in `folder`.

    Small ones are read to memory, large ones are mapped, so that memory stays bounded. The file's name is a hash of
    image contents and preprocessing, so that it can never be stale. Grey images are kept as one channel.

    Raises:
        ImageError: an image cannot be decoded.
        OutputError: the folder cannot be written to.
    """
    key = fingerprint([[row.sha256 for row in samples.rows], spec.model_dump(mode="json")])

    def put(pixels: Pixels, index: int, image: Pixels) -> None:
        pixels[index] = image

    pixels = stored(folder / key[:16], lambda channels: (len(samples), channels, *spec.shape[1:]), samples, spec, put)
    return seen_as(pixels, spec.channels)


def seen_as(pixels: Pixels, channels: int) -> Pixels:
    """Pixels (... x c x h x w) of one channel as if they had several, which all show the same: a view, no copy.

    >>> seen_as(np.array([[[7, 9]]], dtype=np.uint8), 3).tolist()
    [[[7, 9]], [[7, 9]], [[7, 9]]]
    """
    if pixels.shape[-3] == channels:
        return pixels
    return cast("Pixels", np.broadcast_to(pixels, (*pixels.shape[:-3], channels, *pixels.shape[-2:])))


def stored(
    stem: Path,
    shape: Callable[[int], tuple[int, ...]],
    samples: Samples,
    spec: Preprocess,
    put: Put,
) -> Pixels:
    """The array of a file; if that is not there or damaged, all images are decoded first, and each is `put` there.

    Where a network takes several channels, which are the same in every image, one of them is kept: a third of the
    room. As soon as an image turns out to be coloured, all are decoded anew.

    Raises:
        ImageError: an image cannot be decoded.
        OutputError: the folder cannot be written to.
    """
    paths = {spec.channels: stem.with_name(f"{stem.name}.npy")}
    if spec.channels > 1:
        paths = {1: stem.with_name(f"{stem.name}-grey.npy"), **paths}
    for channels, path in paths.items():
        if _whole(path, shape(channels)):
            return _opened(path)
    for channels, path in paths.items():
        try:
            _decode(path, shape(channels), samples, spec, put if channels == spec.channels else partial(_put_grey, put))
        except _Coloured:
            continue
        return _opened(path)
    raise AssertionError  # of all channels every image is kept


def _put_grey(put: Put, pixels: Pixels, index: int, image: Pixels) -> None:
    if (image[1:] != image[:1]).any():
        raise _Coloured
    put(pixels, index, image[:1])


def _decode(path: Path, shape: tuple[int, ...], samples: Samples, spec: Preprocess, put: Put) -> None:
    with new_file(path) as beside, ThreadPoolExecutor() as pool:
        pixels = np.lib.format.open_memmap(str(beside), mode="w+", dtype=spec.dtype, shape=shape)
        if hasattr(os, "posix_fallocate"):  # a full disk is an error now, not a crash while writing to the map
            with beside.open("r+b") as stream:
                os.posix_fallocate(stream.fileno(), 0, beside.stat().st_size)
        for start in watched(range(0, len(samples), 64), -(-len(samples) // 64), "decoding"):
            rows = samples.rows[start : start + 64]
            for index, image in enumerate(pool.map(lambda row: load(row.path, spec), rows), start):
                put(pixels, index, image)
        pixels.flush()


def _opened(path: Path) -> Pixels:
    whole: Pixels = np.load(path, mmap_mode=None if path.stat().st_size < IN_MEMORY else "r")
    return whole


class ByRow(Protocol):
    """Pixels that are asked for by the row of the table: c x h x w each."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the integers."""

    def __getitem__(self, row: int) -> Pixels:
        """Channels x height x width."""


def statistics(pixels: ByRow, rows: Sequence[int]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over some images, of pixels scaled to 0..1.

    A channel that never changes gets a deviation of one step, so that nothing is divided by 0.

    >>> statistics(np.array([[[[0, 255]]], [[[0, 0]]]], dtype=np.uint8), [0])
    ((0.5,), (0.5,))
    """
    highest = float(np.iinfo(pixels.dtype).max)
    sums_2c = np.zeros((2, len(pixels[rows[0]])))
    for row in rows:
        value_chw = pixels[row] / highest
        sums_2c += value_chw.mean(axis=(1, 2)), (value_chw**2).mean(axis=(1, 2))
    mean_c, square_c = sums_2c / len(rows)
    std_c = np.sqrt((square_c - mean_c**2).clip(min=highest**-2))
    return tuple(mean_c.tolist()), tuple(std_c.tolist())


class SomePixels:
    """Pixels of some rows of a table, asked for by their place in the whole table; any other row is a KeyError."""

    def __init__(self, pixels: ByRow, rows: Sequence[int]) -> None:
        self.pixels = pixels
        self.dtype: np.dtype[Any] = pixels.dtype
        self.place = {row: place for place, row in enumerate(rows)}

    def __getitem__(self, row: int) -> Pixels:
        """Channels x height x width."""
        image: Pixels = self.pixels[self.place[row]]
        return image


def some_pixels(samples: Samples, rows: Sequence[int], spec: Preprocess, folder: Path) -> SomePixels:
    """As `cached_pixels`, but only these rows are opened. Draws stay those of the whole table."""
    chosen = replace(samples, rows=tuple(samples.rows[row] for row in rows))
    return SomePixels(cached_pixels(chosen, spec, folder), rows)


def _whole(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether a cache is there and not damaged."""
    try:
        return bool(np.load(path, mmap_mode="r", allow_pickle=False).shape == shape)
    except (OSError, ValueError):
        return False


class PartDataset(Dataset[tuple[Tensor, ...]]):
    """Images (c x h x w integers) and targets (k) of some rows of the cached pixels; between them, metadata (m).

    Without `table_nm`, a row of metadata for each of the table of samples, there are images and targets only.
    `likelihood_n` is how likely each of `rows` is to be drawn (see `sampling.likelihoods`); none: each once an epoch.

    Draws depend on seed, epoch, row, and how often it has been drawn before, never on the order in which rows are asked
    for.
    """

    def __init__(
        self,
        pixels: ByRow,
        target_nk: FloatArray,
        rows: Sequence[int],
        augment: Augment | None,
        seed: int,
        *,
        table_nm: TableRow | None = None,
        likelihood_n: Tensor | None = None,
    ) -> None:
        self.pixels = pixels
        self.table = None if table_nm is None else torch.from_numpy(table_nm)
        self.targets = torch.from_numpy(np.ascontiguousarray(target_nk)).float()
        self.rows = list(rows)
        self.change = augmentation(augment, 8 * pixels.dtype.itemsize) if augment else None
        self.shuffled = augment is not None
        self.steady = augment is None or augment.nothing
        self.likelihood = likelihood_n
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        """Image, metadata where there are any, and target."""
        place, again = drawn(index, len(self))
        row = self.rows[place]
        image = torch.from_numpy(np.array(self.pixels[row], order="C"))
        if self.change is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(draw_seed(self.seed, self.epoch, row, again))
                image = self.change(image)
        if self.table is not None:
            return image, self.table[row], self.targets[row]
        return image, self.targets[row]


def loader(dataset: Dealt, batch_size: int, workers: int) -> DataLoader[tuple[Tensor, ...]]:
    """Batches, for training in another order each epoch; each process gets its share.

    A last batch of a single image is left out of training: batch norm cannot learn from it.
    """
    alone = dataset.shuffled and len(dataset) > batch_size and len(dataset) % batch_size == 1
    order = EpochSampler(dataset) if dataset.shuffled else SequentialSampler(dataset)
    return DataLoader(
        dataset,  # type: ignore[arg-type]
        batch_sampler=Share(order, batch_size, drop_last=alone),
        num_workers=workers,
        generator=torch.Generator().manual_seed(0),
    )


def rows_of(samples: Samples, part: Sequence[str]) -> list[int]:
    """Positions in the table of some sample ids, in table order."""
    wanted = set(part)
    return [index for index, row in enumerate(samples.rows) if row.id in wanted]
