"""From which level on pixels are marked, and which regions are too small: fitted on the calibration part.

For each class by itself, over a grid of levels and areas, what makes the mean Dice index best, taken over the images
that show the class or are marked with it: 1 for a perfect mask, 0 for one where nothing is, or for none where one is.
Images that are rightly left empty count nothing. Why not the mean over all images, as in Kaggle's contest: where most
are free of a class, it is highest if nothing of the class is ever marked. Why not the Dice index of all pixels at once:
there one large flaw outweighs all small ones, and a false mark on a good image costs next to nothing.

Each image is visited once, and only sums are kept. Shapes: k classes, h x w pixels, t levels, a areas.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flawscope.evaluation.mask_facts import LevelArray
from flawscope.masks import components
from flawscope.records import BoolArray, FloatArray
from flawscope.wording import class_called

LEVELS = tuple(range(16, 249, 8))
AREAS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
"""The grid. Where it is fitted, no level below 16 (6 %) and no area above 4096 pixels is asked."""
FEWEST = 5
"""With fewer images that show a class nothing is fitted for it."""
PLAIN = 128
"""The level of a probability of 0.5."""
AS_GOOD = 5e-4
"""What is worse by no more counts as equally good: of such levels and areas the middle is taken."""


@dataclass(frozen=True)
class Grid:
    """The levels and areas that are tried for each class, both rising."""

    levels: tuple[tuple[int, ...], ...]
    areas: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        for each in (*self.levels, *self.areas):
            if not each or list(each) != sorted(set(each)) or each[0] < 1:
                raise ValueError(f"a grid rises from 1 on, got {each}")


@dataclass(frozen=True)
class Tally:
    """What one image, or several, say of each class and each point of the grid, a list over classes each.

    `dice_ta`: the sum of the Dice index over images that show the class; `false_ta`: images that are marked and do not
    show it; `shown`: images that show it.
    """

    dice_ta: tuple[FloatArray, ...]
    false_ta: tuple[FloatArray, ...]
    shown: tuple[int, ...]


@dataclass(frozen=True)
class FittedMasks:
    """Level and least area of each class, how good they are on these images, and what is to be said of them.

    `curve` holds for each class the mean Dice over levels (at the area chosen) and over areas (at the level chosen).
    """

    levels: tuple[int, ...]
    min_areas: tuple[int, ...]
    quality: tuple[float | None, ...]
    notes: tuple[str, ...]
    curve: tuple[dict[str, list[float]], ...]


def level_of(probability: float) -> int:
    """The level from which on a pixel has at least this probability.

    >>> level_of(0.5), level_of(1 / 256), level_of(1.0)
    (128, 1, 255)
    """
    return int(np.clip(np.ceil(256 * probability - 1e-9), 1, 255))


def grid_of(
    k: int, thresholds: str | float | Sequence[float] = "fit", min_area: str | int | Sequence[int] = "fit"
) -> Grid:
    """The grid that a recipe asks for: what it gives is the only value tried.

    >>> grid_of(2, 0.5, [1, 20])
    Grid(levels=((128,), (128,)), areas=((1,), (20,)))

    Raises:
        ValueError: as many values as classes, or one, are expected.
    """

    def each(given: float | Sequence[float]) -> list[float]:
        values = [*given] if isinstance(given, Sequence) else [given] * k
        if len(values) != k:
            raise ValueError(f"expected one value, or one for each of {k} classes, got {len(values)}")
        return values

    levels = [LEVELS] * k if isinstance(thresholds, str) else [(level_of(p),) for p in each(thresholds)]
    areas = [AREAS] * k if isinstance(min_area, str) else [(int(area),) for area in each(min_area)]
    return Grid(tuple(levels), tuple(areas))


def tally(truth_khw: BoolArray, level_khw: LevelArray | None, grid: Grid) -> Tally:
    """One image at every point of the grid; `level_khw` is None where a gate has stopped it, and nothing is marked.

    >>> mask, level = np.array([[[True, False]]]), np.array([[[200, 100]]], dtype=np.uint8)
    >>> tally(mask, level, Grid(((64, 128),), ((1,),))).dice_ta[0].round(2).tolist()
    [[0.67], [1.0]]
    """
    dice, false, shown = [], [], []
    for k, truth_hw in enumerate(truth_khw):
        levels, areas = grid.levels[k], grid.areas[k]
        true = int(np.count_nonzero(truth_hw))
        marked_ta = both_ta = np.zeros((len(levels), len(areas)))
        if level_khw is not None:
            marked_ta, both_ta = _counted(truth_hw, level_khw[k], levels, areas)
        shown.append(int(true > 0))
        dice.append(2 * both_ta / (true + marked_ta) if true else np.zeros_like(marked_ta))
        false.append((marked_ta > 0).astype(np.float64) if not true else np.zeros_like(marked_ta))
    return Tally(tuple(dice), tuple(false), tuple(shown))


def _counted(
    truth_hw: BoolArray, level_hw: LevelArray, levels: Sequence[int], areas: Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """Pixels that are marked, and those of them that are true, t x a."""
    marked_ta, both_ta = np.zeros((2, len(levels), len(areas)))
    reached_hw = level_hw >= levels[0]
    rows, columns = (np.flatnonzero(reached_hw.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return marked_ta, both_ta
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    truth_hw, level_hw = truth_hw[box], level_hw[box]
    top, before = level_hw.max(), 0
    for t, least in enumerate(levels):
        if least > top:
            break
        mask_hw = level_hw >= least
        count = int(np.count_nonzero(mask_hw))
        if t and count == before:  # nothing lies between these levels
            marked_ta[t], both_ta[t] = marked_ta[t - 1], both_ta[t - 1]
            continue
        before = count
        number_p = components(mask_hw)[mask_hw]
        size_r = np.bincount(number_p)[1:]
        true_r = np.bincount(number_p, weights=truth_hw[mask_hw])[1:]
        for counts_ta, count_r in ((marked_ta, size_r), (both_ta, true_r)):
            order_r = np.argsort(size_r, kind="stable")
            from_small = np.concatenate([[0.0], np.cumsum(count_r[order_r])])
            dropped_a = np.searchsorted(size_r[order_r], areas, side="left")
            counts_ta[t] = from_small[-1] - from_small[dropped_a]
    return marked_ta, both_ta


def summed(tallies: Iterable[Tally]) -> Tally:
    """The sum over images, as they come.

    Raises:
        ValueError: there is none.
    """
    total: Tally | None = None
    for each in tallies:
        if total is None:
            total = each
            continue
        total = Tally(
            tuple(a + b for a, b in zip(total.dice_ta, each.dice_ta, strict=True)),
            tuple(a + b for a, b in zip(total.false_ta, each.false_ta, strict=True)),
            tuple(a + b for a, b in zip(total.shown, each.shown, strict=True)),
        )
    if total is None:
        raise ValueError("no image was tallied")
    return total


def fit_masks(classes: Sequence[str], total: Tally, grid: Grid) -> FittedMasks:
    """The best point of the grid for each class.

    Of points that are as good the middle is taken: first of the areas, then of the levels. A class that fewer than
    `FEWEST` images show gets 0.5 and 1 pixel where the grid leaves a choice, and a note.

    >>> grid = grid_of(1)
    >>> mask, level = np.zeros((1, 8, 8), dtype=bool), np.zeros((1, 8, 8), dtype=np.uint8)
    >>> mask[0, :4], level[0, :4], level[0, 6:] = True, 220, 60
    >>> found = fit_masks(["hole"], summed([tally(mask, level, grid)] * 5), grid)
    >>> found.levels, found.min_areas, found.quality
    ((136,), (8,), (1.0,))
    """
    levels, areas, quality, notes, curves = [], [], [], [], []
    for k, name in enumerate(classes):
        shown, levels_t, areas_a = total.shown[k], grid.levels[k], grid.areas[k]
        value_ta = total.dice_ta[k] / np.maximum(shown + total.false_ta[k], 1)
        if shown < FEWEST:
            t, a = _nearest(levels_t, PLAIN), 0
            if len(levels_t) > 1 or len(areas_a) > 1:
                count = "no image shows" if not shown else f"only {shown} image{'s show' if shown > 1 else ' shows'}"
                small = "no flaw is too small" if areas_a[a] == 1 else f"flaws below {areas_a[a]:,} pixels are dropped"
                notes.append(
                    f"{class_called(name)}: {count} this class, too few to fit (at least {FEWEST}): marked from "
                    f"{levels_t[t] / 256:.2g} on, and {small}"
                )
        elif value_ta.max() <= AS_GOOD:  # all are alike: nothing to be fitted
            t, a = _nearest(levels_t, PLAIN), 0
            few = "hardly a" if value_ta.max() else "not one"
            notes.append(
                f"{class_called(name)}: {few} pixel of it is marked at any threshold: the network has not learnt it, "
                "or its gate lets none of these images pass"
            )
        else:
            best_ta = value_ta >= value_ta.max() - AS_GOOD
            a = _middle(best_ta.any(axis=0))
            t = _middle(best_ta[:, a])
        levels.append(levels_t[t])
        areas.append(areas_a[a])
        quality.append(float(value_ta[t, a]) if shown else None)
        curves.append(
            {
                "levels": [float(each) for each in levels_t],
                "over levels": value_ta[:, a].tolist(),
                "areas": [float(each) for each in areas_a],
                "over areas": value_ta[t].tolist(),
            }
        )
    return FittedMasks(tuple(levels), tuple(areas), tuple(quality), tuple(notes), tuple(curves))


def _nearest(levels: Sequence[int], wanted: int) -> int:
    return int(np.argmin(np.abs(np.array(levels) - wanted)))


def _middle(best_n: npt.NDArray[np.bool_]) -> int:
    """The middle of the longest run; of runs of one length the first, which marks more."""
    edges = np.flatnonzero(np.diff(best_n.astype(np.int8), prepend=0, append=0))
    start, stop = edges[::2], edges[1::2]
    longest = int(np.argmax(stop - start))
    return int((start[longest] + stop[longest] - 1) // 2)
