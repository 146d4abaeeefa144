"""How alike are two pictures once one is laid on the other? The measure of the leak court.

1. Align: the affine map that makes the enhanced correlation coefficient largest (Evangelidis & Psarakis 2008, as
   OpenCV has it), from the place where the search met the two.
2. Detail: each pixel less the mean about it, divided by the deviation about it: brightness, contrast and soft shadows
   fall out.
3. Common pattern: the mean detail of the set and its leading principal components are taken out of both, so that two
   solar cells are not alike for having the same busbars; and the mean once more where the second picture, as it lies
   on the first, has it.
4. The correlation of what is left, over the pixels that both show; those saturated in one of the two do not count, nor
   do the dark bands in which both end (`margins.py`).

Letters: h and w rows and columns, p pixels (h * w), k components.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from flawscope.data.court.margins import LEAST_BESIDE, LEAST_TEXTURE, margin
from flawscope.data.court.pictures import ENOUGH, SATURATED, SIDE, STAYS, Float, Grey, turned

ITERATIONS = 20
REACH = 4.0
"""Detail is what stands out from its surroundings of this standard deviation, in pixels."""

NOISE = 2.0
"""Grey values: deviations well below this are not blown up."""

LEAST_SHOWN = 0.05
"""Share of the pixels that must be usable in both."""

WEAK = 0.35
LEAST_DETAIL = 0.05
"""Deviation of the detail: textured pictures have near 1, smooth or dark ones are weak; below the second one shows
nothing at all."""

LEAST_OVERLAP = 0.6
MOST_COMPONENTS = 64
PICTURES_A_COMPONENT = 16
"""One component for so many pictures: more would take out what single pictures show."""

CLEAR = 0.95
"""A measure from which on the place where the search met the two is good enough."""

FITTED_ON = 4000
Mask = npt.NDArray[np.bool_]
INVERSE = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True)
class Common:
    """What the pictures of a set have in common: mean detail (p) and leading components (k x p)."""

    mean_p: Float
    components_kp: Float

    def without(self, detail_hw: Float) -> Float:
        """Detail (h x w) as p values, the common pattern taken out.

        From a weak picture as much of the mean as it shows: the whole would make all weak pictures its negative.
        """
        detail_p = detail_hw.reshape(-1)
        shown = 1.0
        if detail_p.std() < WEAK:
            shown = float(detail_p @ self.mean_p) / max(1e-6, float(self.mean_p @ self.mean_p))
        own_p = detail_p - shown * self.mean_p
        return np.asarray(own_p - (self.components_kp @ own_p) @ self.components_kp, dtype=np.float32)

    def moved(self, turn: int, place: Float) -> Float:
        """The mean (p) where it lies in a picture that was turned, then moved as `place` says."""
        mean_hw = turned(self.mean_p.reshape(SIDE, SIDE).astype(np.float32), turn)
        return laid_on(mean_hw, place)[0].reshape(-1)


@dataclass(frozen=True)
class Alignment:
    """How `b` lies on `a`: 2 x 3 map from pixels of a to pixels of b, the measure, the share of pixels used."""

    map: Float
    measure: float
    shown: float

    @property
    def moved(self) -> tuple[float, float]:
        """By which share of height and width the middle is moved."""
        middle = (SIDE - 1) / 2
        x, y = self.map @ np.array([middle, middle, 1.0])
        return float(y - middle) / SIDE, float(x - middle) / SIDE

    @property
    def distortion(self) -> float:
        """The largest move of a corner, as a share of the side."""
        corners = np.array([[0, 0, 1], [SIDE, 0, 1], [0, SIDE, 1], [SIDE, SIDE, 1]], dtype=np.float64)
        return float(np.abs(corners @ self.map.T - corners[:, :2]).max()) / SIDE


def detail(grey_hw: Float, reach: float = REACH, shown: Mask | None = None) -> Float:
    """Grey values with their surroundings taken out and brought to one contrast.

    With `shown` only these pixels are looked at, also in the surroundings of others (normalised convolution, Knutsson &
    Westin 1993), and the rest is 0.
    """
    if shown is None:
        rest = grey_hw - around(grey_hw, reach)
        power = around(rest * rest, 2 * reach)
    else:
        there = shown.astype(np.float32)
        rest = (grey_hw - around(grey_hw * there, reach) / around(there, reach).clip(1e-3)) * there
        power = around(rest * rest, 2 * reach) / around(there, 2 * reach).clip(1e-3)
    return np.asarray(rest / np.sqrt(power + NOISE**2), dtype=np.float32)


def around(grey_hw: Float, reach: float) -> Float:
    """The mean about each pixel, the near ones weighed most."""
    return np.asarray(cv2.GaussianBlur(grey_hw, (0, 0), reach, borderType=cv2.BORDER_REFLECT), dtype=np.float32)


def common_pattern(grey_nhw: Grey, seed: int = 0) -> Common:
    """Mean and leading principal components of the details, from at most `FITTED_ON` pictures."""
    from sklearn.decomposition import PCA

    some = np.random.default_rng(seed).permutation(len(grey_nhw))[:FITTED_ON]
    detail_np = np.stack([detail(grey_nhw[i].astype(np.float32)).reshape(-1) for i in some])
    k = min(MOST_COMPONENTS, len(some) // PICTURES_A_COMPONENT)
    if k == 0:
        mean_p = detail_np.mean(axis=0) * (len(some) >= ENOUGH)
        return Common(mean_p, np.zeros((0, SIDE * SIDE), np.float32))
    fitted = PCA(k, svd_solver="randomized", random_state=seed).fit(detail_np)
    return Common(fitted.mean_.astype(np.float32), fitted.components_.astype(np.float32))


def aligned(a_hw: Grey, b_hw: Grey, common: Common, start: Float = STAYS, turn: int = 0) -> Alignment:
    """Lay b on a, from where `start` puts it, and measure; the better of before and after is what counts.

    `turn` says how b was turned.
    """
    a, b = a_hw.astype(np.float32), b_hw.astype(np.float32)
    margins = margin(a), margin(b)
    first = _measured(a, b, common, start, turn=turn, margins=margins)
    if first.measure >= CLEAR:
        return first
    place = refined(a, b, start, ITERATIONS, 1e-3)
    again = first if place is None else _measured(a, b, common, place, turn=turn, margins=margins)
    return max(first, again, key=lambda found: found.measure)


def refined(a: Float, b: Float, start: Float, iterations: int, least: float) -> Float | None:
    """The affine map from a to b of the largest correlation near `start`; none where the two have nothing in common.

    `least` is the growth of the correlation in one step at which to stop.
    """
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, iterations, least)
    everywhere = np.ones(a.shape, np.uint8)
    try:
        found = cv2.findTransformECC(a, b, start.copy(), cv2.MOTION_AFFINE, stop, everywhere, 5)[1]
    except cv2.error:  # it does not converge
        return None
    return np.asarray(found, np.float32)


def _measured(a: Float, b: Float, common: Common, place: Float, *, turn: int, margins: tuple[Mask, Mask]) -> Alignment:
    laid, usable, inside = usable_on(a, b, place)
    shown = float(usable.mean())
    if inside.mean() < LEAST_OVERLAP or shown < LEAST_SHOWN:
        return Alignment(place, 0.0, shown)
    usable, detail_a, detail_b = compared(a, laid, usable, margins, place)
    shown, mask_p = float(usable.mean()), usable.reshape(-1)
    if min(detail_a[usable].std(), detail_b[usable].std()) < LEAST_DETAIL:
        return Alignment(place, 0.0, shown)
    own_a, own_b = common.without(detail_a)[mask_p], common.without(detail_b)[mask_p]
    # The mean was taken out where it usually lies: where it lies elsewhere it is still there, and its negative here.
    mean_p = common.mean_p[mask_p]
    moved_p = unexplained(common.moved(turn, place)[mask_p], mean_p)
    own_a, own_b = (unexplained(unexplained(own_p, mean_p), moved_p) for own_p in (own_a, own_b))
    return Alignment(place, correlation(own_a, own_b), shown)


def laid_on(b: Float, place: Float) -> tuple[Float, Mask]:
    """Picture b moved as `place` says, and which of its pixels lie inside."""
    size = b.shape[::-1]
    laid = cv2.warpAffine(b, place, size, flags=INVERSE, borderMode=cv2.BORDER_REFLECT)
    inside = cv2.warpAffine(np.ones_like(b), place, size, flags=INVERSE) > 0.99
    return np.asarray(laid, np.float32), np.asarray(inside)


def compared(
    a: Float, b: Float, usable: Mask, margins: tuple[Mask, Mask], place: Float, *, reach: float = REACH
) -> tuple[Mask, Float, Float]:
    """Which of the usable pixels of two pictures are compared, and the details of both; b has been moved to `place`.

    Those beside the dark bands in which both end (`margins` has those of b as it was before); all where one shows none,
    where too little would be left, or where what is left of one may be mere noise: then there are only the edges.
    """
    of_a, of_b = margins
    if of_a.any() and of_b.any():
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        of_b = cv2.warpAffine(of_b.astype(np.uint8), place, of_b.shape[::-1], flags=flags) > 0
        rest = usable & ~(of_a | of_b)
        if of_b.any() and rest.mean() >= LEAST_BESIDE:
            detail_a, detail_b = detail(a, reach, ~of_a), detail(b, reach, ~of_b)
            if min(detail_a[rest].std(), detail_b[rest].std()) >= LEAST_TEXTURE:
                return rest, detail_a, detail_b
    return usable, detail(a, reach), detail(b, reach)


def usable_on(a: Float, b: Float, place: Float) -> tuple[Float, Mask, Mask]:
    """Picture b moved, the pixels that can be compared, and those inside b.

    What one of the two is too bright to show cannot be compared; a white background is white in both.
    """
    laid, inside = laid_on(b, place)
    return laid, inside & ((a < SATURATED) == (laid < SATURATED)), inside


def unexplained(values_p: Float, pattern_p: Float) -> Float:
    """What of some values a pattern does not explain; both less their mean.

    >>> unexplained(np.float32([1, 5, 3]), np.float32([1, 2, 3])).tolist()
    [-1.0, 2.0, -1.0]
    """
    values_p, pattern_p = values_p - values_p.mean(), pattern_p - pattern_p.mean()
    power = float(pattern_p @ pattern_p)
    return values_p - (float(values_p @ pattern_p) / power) * pattern_p if power > 1e-6 else values_p


def correlation(a_p: npt.NDArray[np.floating], b_p: npt.NDArray[np.floating]) -> float:
    """Pearson's correlation; 0 where one of the two does not vary."""
    a, b = a_p - a_p.mean(), b_p - b_p.mean()
    power = float(a @ a) * float(b @ b)
    return float(np.clip((a @ b) / np.sqrt(power), -1, 1)) if power > 1e-12 else 0.0
