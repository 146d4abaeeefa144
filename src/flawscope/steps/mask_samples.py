"""Labelled images with masks through a runtime that makes masks: one look at each, and its truth beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from flawscope.bundle.mask_runtime import Look, MaskRuntime
from flawscope.data.progress import watched
from flawscope.errors import DataError
from flawscope.masks import mask_array
from flawscope.records import BoolArray, Sample, Samples

Out = TypeVar("Out")


def looked_at(
    runtime: MaskRuntime,
    samples: Samples,
    then: Callable[[Sample, Look, BoolArray], Out],
    words: str,
    *,
    always: bool = False,
) -> Iterator[Out]:
    """What `then` makes of each sample, the look at it and its true masks, k x h x w, in table order.

    With `always` the levels are there also where the gate has stopped the image. `then` is called on the threads that
    look; levels and masks of one image are held only as long as it takes.

    Raises:
        DataError: an image cannot be read, or is not of the size of its masks.
    """
    row_of = {row.path: row for row in samples.rows}

    def work(look: Look) -> Out:
        row = row_of[look.name]
        if look.error:
            raise DataError(f"{row.id} cannot be decided: {look.error}", "restore it, or take it out of the data")
        assert row.masks is not None  # samples of a task with masks have some
        truth_khw = mask_array(row.masks)
        if truth_khw.shape[1:] != (look.height, look.width):
            size = f"{row.masks.width} x {row.masks.height}"
            raise DataError(
                f"{row.id}: the picture has {look.width} x {look.height} pixels, its masks {size}",
                "give masks of the size of their pictures",
            )
        return then(row, look, truth_khw)

    paths = [row.path for row in samples.rows]
    return watched(runtime.looks(paths, work, always=always), len(paths), words)
