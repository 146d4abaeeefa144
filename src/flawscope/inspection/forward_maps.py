"""Maps by forward passes of a graph alone, for any network and without torch: occlusion and Score-CAM.

They are those of the `explanation` room but for one thing: a graph takes integers, so covered and masked pictures are
rounded to them.

Letters: n pictures, k score columns, c channels, h and w rows and columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from flawscope.preprocess import Pixels
from flawscope.records import FloatArray

Floats = npt.NDArray[np.float32]
Score = Callable[[Iterable[Pixels]], FloatArray]
"""From prepared pictures, c x h x w each, to one score a picture."""


def occlusion(
    score: Score, image_chw: Pixels, neutral_c: npt.ArrayLike, *, window: int | None = None, stride: int | None = None
) -> Floats:
    """Zeiler and Fergus 2014: how much the score falls where a window covers the pixel, the mean over such windows.

    Args:
        score: see there.
        image_chw: a prepared picture.
        neutral_c: what covers.
        window: its side in pixels; None: an eighth of the longer side.
        stride: from one window to the next; None: half the window.

    >>> image = np.array([[[0, 0, 8, 0]]], dtype=np.uint8)
    >>> occlusion(lambda images: np.array([float(each.max()) for each in images]), image, [0], window=1).tolist()
    [[0.0, 0.0, 8.0, 0.0]]
    """
    height, width = image_chw.shape[1:]
    side = window or max(2, round(max(height, width) / 8))
    step = stride or max(1, side // 2)
    places = [(slice(y, y + h), slice(x, x + w)) for y, h in _windows(height, side, step)
              for x, w in _windows(width, side, step)]  # fmt: skip
    covering_c11 = _integers(np.asarray(neutral_c, dtype=np.float64), image_chw)[:, None, None]

    def pictures() -> Iterator[Pixels]:
        yield image_chw
        for rows, columns in places:
            covered_chw = image_chw.copy()
            covered_chw[:, rows, columns] = covering_c11
            yield covered_chw

    whole, *covered = score(pictures()).tolist()
    fall_hw, count_hw = np.zeros((2, height, width))
    for (rows, columns), left in zip(places, covered, strict=True):
        fall_hw[rows, columns] += whole - left
        count_hw[rows, columns] += 1
    return (fall_hw / np.maximum(count_hw, 1)).astype(np.float32)


def score_cam(score: Score, image_chw: Pixels, feature_chw: Floats, neutral_c: npt.ArrayLike) -> Floats:
    """Wang et al. 2020: feature maps, weighted by a softmax over the scores of what each of them shows of the picture.

    Args:
        score: see there.
        image_chw: a prepared picture.
        feature_chw: the last feature maps of it, of any size.
        neutral_c: what stands where a map shows nothing.
    """
    size = image_chw.shape[1:]
    still_c11 = np.asarray(neutral_c, dtype=np.float32)[:, None, None]

    def pictures() -> Iterator[Pixels]:
        for feature_hw in feature_chw:
            large_hw = stretched(feature_hw, size)
            spread = float(np.ptp(large_hw))
            mask_hw = (large_hw - large_hw.min()) / (spread if spread > 0 else 1.0)
            yield _integers(still_c11 + (image_chw - still_c11) * mask_hw, image_chw)

    score_n = score(pictures())
    weight_n = np.exp(score_n - score_n.max())
    small_hw = np.einsum("chw,c->hw", feature_chw, weight_n / weight_n.sum())
    return stretched(np.maximum(small_hw, 0), size)


def stretched(map_hw: npt.ArrayLike, size: tuple[int, ...]) -> Floats:
    """A map at a larger size, bilinear.

    >>> stretched([[0.0, 1.0]], (1, 4)).tolist()
    [[0.0, 0.25, 0.75, 1.0]]
    """
    image = Image.fromarray(np.asarray(map_hw, dtype=np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _windows(side: int, window: int, stride: int) -> list[tuple[int, int]]:
    """Beginning and length of each window along a side; the last ones are cut where the picture ends."""
    window = min(window, side)
    stride = min(stride, window)
    count = 1 + math.ceil((side - window) / stride)
    return [(place * stride, min(window, side - place * stride)) for place in range(count)]


def _integers(values: npt.NDArray[np.floating], like: Pixels) -> Pixels:
    """Values as the integers that a graph takes."""
    found: Pixels = np.clip(np.rint(values), 0, np.iinfo(like.dtype).max).astype(like.dtype)
    return found
