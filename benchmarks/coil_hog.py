"""What a user would try first instead of a network: histograms of oriented gradients and a support vector machine.

HOG as in Dalal & Triggs (2005), equal to `skimage.feature.hog` with its defaults: 9 unsigned directions, blocks of some
cells with L2-Hys. Neither scikit-image nor the HOG of OpenCV (gone since version 5) need be installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

DIRECTIONS = 9
COSTS = tuple(10.0**power for power in range(-2, 4))
WIDTHS = (0.1, 0.3, 1.0, 3.0)
"""Of the RBF kernel: gamma, as a multiple of one over the mean squared distance."""


def hog(grey: Floats, cell: int, block: int = 2) -> Floats:
    """The features of one picture, whose sides are cut to multiples of the cell (pixels); a block is `block` cells."""
    rows, columns = (side // cell for side in grey.shape)
    grey = grey[: rows * cell, : columns * cell]
    down, right = np.zeros_like(grey), np.zeros_like(grey)
    down[1:-1] = grey[2:] - grey[:-2]
    right[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    strength = np.hypot(down, right)
    direction = (np.degrees(np.arctan2(down, right)) % 180 // (180 / DIRECTIONS)).astype(np.int64) % DIRECTIONS
    y, x = np.indices(grey.shape) // cell
    place = (y * columns + x) * DIRECTIONS + direction
    size = rows * columns * DIRECTIONS
    cells = np.bincount(place.ravel(), strength.ravel(), size).reshape(rows, columns, DIRECTIONS) / cell**2
    blocks = np.lib.stride_tricks.sliding_window_view(cells, (block, block), axis=(0, 1))
    each = np.moveaxis(blocks, 2, -1).reshape(rows - block + 1, columns - block + 1, -1)
    for most in (0.2, np.inf):  # L2-Hys: norm, clip, norm again
        each = np.minimum(each / np.sqrt(np.sum(each**2, axis=-1, keepdims=True) + 1e-10), most)
    return np.asarray(each.ravel(), dtype=np.float64)


@dataclass(frozen=True)
class Kernel:
    """Likeness of all pictures with each other, and what it is made of."""

    name: str
    gram_nn: Floats


def linear(name: str, feature_nf: Floats) -> Kernel:
    """Products of features, on average 1 of a picture with itself: so that costs mean the same for all cell sizes."""
    centred_nf = feature_nf - feature_nf.mean(axis=0)
    gram_nn = centred_nf @ centred_nf.T
    return Kernel(f"linear, {name}", gram_nn / np.trace(gram_nn) * len(gram_nn))


def rbf(likeness: Kernel, width: float) -> Kernel:
    """Falls with the squared distance of the features that a linear kernel was made of."""
    squared_n = np.diag(likeness.gram_nn)
    distance_nn = np.maximum(0, squared_n[:, None] + squared_n[None, :] - 2 * likeness.gram_nn)
    return Kernel(likeness.name.replace("linear", f"rbf {width:g}"), np.exp(-width * distance_nn / distance_nn.mean()))


def out_of_fold(
    kernels: Sequence[Kernel], scrap_n: Flags, seed: int, *, balanced: bool, folds: int = 5, inner: int = 4
) -> tuple[Flags, list[str]]:
    """Which pictures are called scrap when they are not learnt from, and what was chosen in each fold.

    Kernel and cost are chosen on the training part alone, by folds of its own: for the best accuracy, or (`balanced`)
    with both classes counted alike.
    """
    called_n, chosen = np.zeros(len(scrap_n), dtype=bool), []
    for train, test in _folds(scrap_n, folds, seed):
        parts = [(train[fit], train[check]) for fit, check in _folds(scrap_n[train], inner, seed)]

        def quality(kernel: Kernel, cost: float, parts: list[tuple[Ints, Ints]] = parts) -> float:
            right = 0.0
            for part in parts:
                check, answer = part[1], _called(kernel, cost, scrap_n, part, balanced)
                measure = balanced_accuracy_score if balanced else accuracy_score
                right += float(measure(scrap_n[check], answer))
            return right

        # max keeps the first of equals: the smallest cost, that is the plainest
        kernel, cost = max(((k, c) for c in COSTS for k in kernels), key=lambda each: quality(*each))
        called_n[test] = _called(kernel, cost, scrap_n, (train, test), balanced)
        chosen.append(f"{kernel.name}, cost {cost:g}")
    return called_n, chosen


def _called(kernel: Kernel, cost: float, scrap_n: Flags, part: tuple[Ints, Ints], balanced: bool) -> Flags:
    fit, check = part
    machine = SVC(C=cost, kernel="precomputed", class_weight="balanced" if balanced else None)
    machine.fit(kernel.gram_nn[np.ix_(fit, fit)], scrap_n[fit])
    return np.asarray(machine.predict(kernel.gram_nn[np.ix_(check, fit)]), dtype=bool)


def _folds(scrap_n: Flags, folds: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    dealt = StratifiedKFold(folds, shuffle=True, random_state=seed)
    yield from dealt.split(np.zeros(len(scrap_n)), scrap_n)
