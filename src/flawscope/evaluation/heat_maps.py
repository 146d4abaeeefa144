"""Whether a heat map points at the flaw: against its true mask, and against what the network says without the pixels.

Everything is measured on the positive part of a map: what speaks for the class.

Letters: n images, h and w rows and columns, c channels, s steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from flawscope.evaluation.intervals import bootstrap, proportion
from flawscope.records import BoolArray, FloatArray, Interval

FRAME = 0.1
"""The frame of a picture: so much of each side. An even map has 36 % of its energy there."""
MOST = 0.5
"""Beyond this share of the energy a network looks mostly at the frame. Where the layer has fewer than some six places a
side, its maps are too coarse to say it of all but the corners."""
KINDS: tuple[Literal["deletion", "insertion"], ...] = ("deletion", "insertion")
Scores = Callable[[npt.NDArray[Any]], FloatArray]
"""From images n x c x h x w to one score each, a probability of the class."""


def pointing(map_hw: FloatArray, mask_hw: BoolArray, tolerance: float = 0.0) -> float:
    """Pointing game (Zhang et al. 2016): 1 if the largest value lies in the mask or at most so many pixels beside it.

    Where several places have the largest value it is the share of them that do: so a map that is the same everywhere
    scores what a finger put down at random would.

    >>> pointing(np.array([[0.0, 2.0]]), np.array([[False, True]])), pointing(np.zeros((1, 4)), np.eye(1, 4) > 0)
    (1.0, 0.25)

    Raises:
        ValueError: the sizes differ, or the mask is empty.
    """
    _check(map_hw, mask_hw)
    value_hw = np.maximum(map_hw, 0)
    return float(near(mask_hw, tolerance)[value_hw == value_hw.max()].mean())


def near(mask_hw: BoolArray, tolerance: float) -> BoolArray:
    """A mask with all that lies at most so many pixels beside it.

    >>> near(np.array([[True, False, False]]), 1.0).tolist()
    [[True, True, False]]
    """
    return mask_hw if tolerance <= 0 else np.asarray(distance_transform_edt(~mask_hw) <= tolerance)


def energy_inside(map_hw: FloatArray, mask_hw: BoolArray) -> float:
    """Share of what is positive in a map that lies in the mask (Wang et al. 2020, the energy-based pointing game).

    An empty map has its energy everywhere alike: its score is the share of the mask.

    >>> energy_inside(np.array([[1.0, 3.0, -9.0]]), np.array([[False, True, True]]))
    0.75

    Raises:
        ValueError: the sizes differ, or the mask is empty.
    """
    _check(map_hw, mask_hw)
    value_hw = np.maximum(map_hw, 0)
    return float(value_hw[mask_hw].sum() / value_hw.sum()) if value_hw.sum() > 0 else float(mask_hw.mean())


def energy_on_frame(map_hw: FloatArray, share: float = FRAME) -> tuple[float, float]:
    """Share of a map's energy on its frame, and the frame's share of the area; a frame as wide as so much of each side.

    A network that looks at borders and stamps has much more of the first than of the second.

    >>> tuple(round(each, 2) for each in energy_on_frame(np.pad(np.ones((18, 18)), 1), 0.05))
    (0.0, 0.19)
    """
    height, width = map_hw.shape
    frame_hw = np.ones((height, width), dtype=bool)
    down, right = max(1, round(height * share)), max(1, round(width * share))
    frame_hw[down : height - down, right : width - right] = False
    return energy_inside(map_hw, frame_hw), float(frame_hw.mean())


def centre_prior(height: int, width: int) -> FloatArray:
    """A map that knows nothing but that flaws lie in the middle: a Gaussian with a quarter of each side as deviation.

    >>> int(centre_prior(3, 5).argmax())
    7
    """
    down, right = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    prior: FloatArray = np.exp(-0.5 * ((4 * down / height)[:, None] ** 2 + (4 * right / width)[None] ** 2))
    return prior


@dataclass(frozen=True)
class Pointed:
    """Pointing game and energy inside the mask of one method, beside chance and the centre prior on the same images.

    Chance is the mean share of the masks: what random places, and energy that lies everywhere alike, would score.
    `chance_pointing` counts what lies beside a mask as the pointing game does; without tolerance it is the same.
    """

    pointing: Interval
    energy: Interval
    chance: float
    centre_pointing: float
    centre_energy: float
    chance_pointing: float


def pointed(
    maps: Sequence[FloatArray],
    masks: Sequence[BoolArray],
    groups: npt.ArrayLike | None = None,
    *,
    tolerance: float = 0.0,
    seed: int = 0,
) -> Pointed:
    """Measure the maps of many images, whose sizes may differ.

    Args:
        maps: h x w each.
        masks: of the same sizes; none is empty.
        groups: of the images: those of one group do not count as independent; None: each is its own.
        tolerance: in pixels, of the pointing game.
        seed: of the draws behind the interval of the energy.

    Raises:
        ValueError: there are no images, sizes differ, or a mask is empty.

    >>> made = pointed([np.eye(4)] * 4, [np.eye(4) > 0] * 4)
    >>> made.pointing.value, made.energy.value, made.chance
    (1.0, 1.0, 0.25)
    """
    pairs = list(zip(maps, masks, strict=True))
    group_n = np.arange(len(pairs)) if groups is None else np.asarray(groups)
    hit_n = np.array([pointing(one, mask, tolerance) for one, mask in pairs])
    energy_n = np.array([energy_inside(one, mask) for one, mask in pairs])
    priors = [(centre_prior(*mask.shape), mask) for _, mask in pairs]
    whole = set(hit_n.tolist()) <= {0.0, 1.0}
    return Pointed(
        proportion(hit_n > 0.5, group_n) if whole else _mean(hit_n, group_n, seed),
        _mean(energy_n, group_n, seed),
        float(np.mean([mask.mean() for mask in masks])),
        float(np.mean([pointing(prior, mask, tolerance) for prior, mask in priors])),
        float(np.mean([energy_inside(prior, mask) for prior, mask in priors])),
        float(np.mean([near(mask, tolerance).mean() for _, mask in pairs])),
    )


@dataclass(frozen=True)
class Curve:
    """Scores of an image while its pixels go or come, s + 1 of them, against the share changed, and the area below."""

    share_s: FloatArray
    score_s: FloatArray
    area: float


def perturbed(
    scores: Scores,
    image_chw: npt.NDArray[Any],
    map_hw: FloatArray,
    fill_chw: npt.NDArray[Any],
    *,
    kind: Literal["deletion", "insertion"],
    steps: int = 20,
) -> Curve:
    """Deletion and insertion curves (Petsiuk et al. 2018): pixels go (or come) in the order of the map, highest first.

    A map that shows what the network uses has a small area for deletion and a large one for insertion. Of pixels with
    the same value the order is the same random one each time.

    Args:
        scores: see there; asked once, with s + 1 images.
        image_chw: the image.
        map_hw: its map.
        fill_chw: what stands in place of pixels that are gone, as large as the image or 1 x 1.
        kind: pixels go from the image, or come onto the fill.
        steps: how many.

    >>> score = lambda images: images.mean(axis=(1, 2, 3))
    >>> made = perturbed(score, np.array([[[1.0, 0.0]]]), np.array([[1.0, 0.0]]), np.zeros((1, 1, 1)),
    ...     kind="deletion", steps=2)
    >>> made.score_s.tolist(), made.area
    ([0.5, 0.0, 0.0], 0.125)
    """
    height, width = map_hw.shape
    order = np.random.default_rng(0).permutation(height * width)
    order = order[np.argsort(-map_hw.ravel()[order], kind="stable")]
    rank = np.empty(height * width, dtype=np.int64)
    rank[order] = np.arange(height * width)
    share_s = np.linspace(0, 1, steps + 1)
    changed_shw = rank.reshape(1, height, width) < np.rint(share_s * height * width)[:, None, None]
    filled_chw = np.broadcast_to(fill_chw, image_chw.shape)
    inside, outside = (filled_chw, image_chw) if kind == "deletion" else (image_chw, filled_chw)
    score_s = np.asarray(scores(np.where(changed_shw[:, None], inside, outside)), dtype=np.float64)
    return Curve(share_s, score_s, float(((score_s[1:] + score_s[:-1]) / 2).mean()))


@dataclass(frozen=True)
class Areas:
    """Below the curves of `perturbed`: small for deletion and large for insertion where a map shows what is used."""

    deletion: float
    insertion: float

    @property
    def margin(self) -> float:
        """How much more the network says with what the map shows first than without it."""
        return self.insertion - self.deletion


def areas(
    scores: Scores, image_chw: npt.NDArray[Any], map_hw: FloatArray, fills: tuple[Any, Any], steps: int = 20
) -> Areas:
    """Both areas of one map; `fills` stand in place of pixels that are gone, and below those that come."""
    made = [
        perturbed(scores, image_chw, map_hw, fill_chw, kind=kind, steps=steps).area
        for kind, fill_chw in zip(KINDS, fills, strict=True)
    ]
    return Areas(*made)


def aside(map_hw: FloatArray) -> FloatArray:
    """The same map half a picture down and to the right, around the edges: as coarse, but of other places.

    What is taken from a picture always changes the answer, the more so in fine crumbs. So a map is compared with one
    that has the same shapes.

    >>> aside(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[4.0, 3.0], [2.0, 1.0]]
    """
    height, width = map_hw.shape
    return np.roll(map_hw, (height // 2, width // 2), axis=(0, 1))


@dataclass(frozen=True)
class Removed:
    """Deletion and insertion over several pictures, beside those of each map moved aside.

    `better` is the share of the pictures whose map has the larger margin; a map of places taken at random would have
    half. A map that always marks the middle may have nearly all, where parts lie in the middle: `over_centre` is the
    share of the pictures whose map has a larger margin than the centre prior, if that was measured.
    """

    better: Interval
    own: Areas
    moved: Areas
    over_centre: Interval | None = None


def removed(
    own: Sequence[Areas],
    moved: Sequence[Areas],
    groups: npt.ArrayLike | None = None,
    centre: Sequence[Areas] | None = None,
) -> Removed:
    """Compare the areas of maps with those of the same maps moved aside; where both are alike it counts as not better.

    Args:
        own: of the maps.
        moved: of the same maps moved aside, in the same order.
        groups: of the pictures: those of one group do not count as independent; None: each is its own.
        centre: of the centre prior on the same pictures; None: not measured.

    Raises:
        ValueError: there are none, or the lengths differ.

    >>> made = removed([Areas(0.1, 0.9)] * 4, [Areas(0.5, 0.5)] * 4)
    >>> made.better.value, made.own.deletion
    (1.0, 0.1)
    """
    group_n = np.arange(len(own)) if groups is None else np.asarray(groups)
    over_centre = None if centre is None else proportion(_larger(own, centre), group_n)
    return Removed(proportion(_larger(own, moved), group_n), _mean_of(own), _mean_of(moved), over_centre)


def _larger(some: Sequence[Areas], others: Sequence[Areas]) -> BoolArray:
    return np.array([mine.margin > other.margin for mine, other in zip(some, others, strict=True)])


def _mean_of(some: Sequence[Areas]) -> Areas:
    return Areas(*(float(np.mean([getattr(each, kind) for each in some])) for kind in KINDS))


def _mean(value_n: FloatArray, group_n: npt.NDArray[Any], seed: int) -> Interval:
    return bootstrap(lambda index: float(value_n[index].mean()), group_n, seed)


def _check(map_hw: FloatArray, mask_hw: BoolArray) -> None:
    if map_hw.shape != mask_hw.shape:
        raise ValueError(f"map and mask differ in size: {map_hw.shape}, {mask_hw.shape}")
    if not mask_hw.any():
        raise ValueError("the mask is empty: there is nothing to point at")
