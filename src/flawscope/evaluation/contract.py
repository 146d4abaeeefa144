"""The escape contract: the threshold with the least overkill whose escape rate is proven, not merely measured.

With confidence c at most a share `max_escape` of the defective parts passes. The threshold is chosen on the same data
that prove it, so the proof must hold for the choice too. It does, for two equivalent reasons:

- Order statistics (Wilks, 1941). The candidates are the scores of the defective parts, lowest first; at the k-th of n
  exactly k - 1 pass, whatever the scores are. The true escape rate there is above `max_escape` with probability at most
  P(Binomial(n, max_escape) <= k - 1): exact, distribution-free, and right for ties. The largest k for which this is at
  most 1 - c depends on n alone, so nothing is chosen by looking.
- Learn then Test (Angelopoulos et al., 2021) with fixed-sequence testing: the candidates are tested one after the other
  from the safest upwards, each at the full level, and the first that fails ends it. This is the form that is computed,
  because it stays valid where the effective number changes with the threshold.

Good parts choose among thresholds below the proven one only: a lower threshold lets fewer defects escape.

Parts of one group are alike and do not count as independent. Three ways (`Units`):

- `groups`, the default: whole groups are the units, and nothing is assumed of how alike their parts are. A group that
  passes in part counts as that part (`group_bound`). It speaks of a part drawn at random from a group drawn at random.
- `parts`: of all parts, each counted alike, whole groups as the units (`parts_bound`). It trusts that no group at the
  line holds more defective parts than the largest of these. It takes more groups where these differ in size.
- `effective`: n parts count as n / deff, in the bound of Korn and Graubard (1998). deff = 1 + (m - 1) r (Kish, 1965)
  with m = sum(size^2) / sum(size), and r the upper 90 % limit (Thomas and Hultquist, 1978) of the correlation of two
  scores of a group, on normal ranks. It needs no escape to be seen. Where escapes are seen, the larger of this and
  their own design effect counts. It trusts that parts of a group pass together no more than their scores are alike: a
  rare group that fails as a whole breaks it if it is not among these (benchmarks/contract_simulation.py).

Letters: n defective parts, g groups of them, k classes.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from flawscope.evaluation import plan
from flawscope.evaluation.group_bound import Passed
from flawscope.evaluation.intervals import IndexArray, design_effect, proportion
from flawscope.evaluation.parts_bound import PartsPassed, groups_needed
from flawscope.evaluation.plan import TooManyError, defects_needed, proven
from flawscope.records import FloatArray, Interval

Units = Literal["groups", "parts", "effective"]
NO_DEFECTS = 0.5
"""The threshold where there is nothing to choose it by."""
LIMIT = 0.9
"""Confidence of the upper limit of the correlation inside a group."""
CURVE_POINTS = 200


@dataclass(frozen=True)
class Contract:
    """What is promised of one class, what it rests on, and whether it is kept.

    `effective` is the number of independent parts that the `positives` count as, `groups` their number of groups,
    `largest` how many the largest of them holds, and `worth` what they would count as by how alike their scores are
    (`effective_number`). Where the promise is not kept, the safest threshold is set, `bound` is the best promise of
    it, and `reached` the confidence that the data allow for `max_escape` itself. Where it is kept, `max_escape` is
    what is proven: `bound` and `reached` at the chosen threshold are measured, and would be proven of one that was
    fixed beforehand only (scores with ties: world `tied` of benchmarks/contract_worlds.py). `needed` is how many
    independent defective parts without an escape would do (with units "parts": groups such as these, which is
    `for_parts` with any units), `more` how many parts (with units "groups" and "parts": groups) like these are
    lacking. `overkill_unproven` is what would be rejected if the share that is measured were the truth: the
    difference to `overkill` is the price of the proof.
    """

    max_escape: float
    confidence: float
    units: Units
    threshold: float
    kept: bool
    positives: int
    effective: float
    groups: int
    largest: int
    worth: float
    escapes: int
    bound: float
    reached: float
    needed: int | None
    more: int | None
    for_parts: int | None
    overkill: Interval | None
    overkill_unproven: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def escape_contract(
    score_n: npt.ArrayLike,
    truth_n: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    max_escape: float,
    confidence: float = 0.95,
    units: Units = "groups",
) -> Contract:
    """The threshold with the least overkill for which the promise is proven; else the one with the best promise.

    Args:
        score_n: scores in [0, 1] of the calibration part, a part is rejected at or above the threshold.
        truth_n: which of them are defective.
        groups: what each belongs to; parts of different groups are independent.
        max_escape: the largest share of defective parts that may pass, in [0, 1).
        confidence: with which the promise is to hold, in (0, 1).
        units: see the module.

    >>> score_n = np.append(np.linspace(0.3, 1, 299), np.linspace(0, 0.6, 100))
    >>> found = escape_contract(score_n, np.arange(399) < 299, range(399), max_escape=0.01)
    >>> found.kept, found.escapes, round(found.bound, 4), round(found.threshold, 2), found.overkill.value
    (True, 0, 0.01, 0.3, 0.5)

    Raises:
        ValueError: lengths that differ, scores outside [0, 1], or a share or confidence that cannot be.
    """
    data = _Data.of(score_n, truth_n, groups, units)
    if not (0.0 <= max_escape < 1.0 and 0.0 < confidence < 1.0):
        raise ValueError(f"expected max_escape in [0, 1) and confidence in (0, 1), got {max_escape}, {confidence}")
    n = len(data.score_n)
    highest, kept, p = _highest(data, max_escape, confidence)
    threshold = data.lowered(highest) if highest else NO_DEFECTS
    effective = data.effective(highest or 1.0) if n else 0.0
    for_parts = _needed(data.size_g, max_escape, confidence)
    lacking = for_parts if units == "parts" else _needed(data.size_g[:0], max_escape, confidence)
    more = None if kept or lacking is None else _more(lacking, effective, data)
    return Contract(
        max_escape=max_escape,
        confidence=confidence,
        units=units,
        threshold=threshold,
        kept=kept,
        positives=n,
        effective=effective,
        groups=len(data.size_g),
        largest=int(data.size_g.max(initial=0)),
        worth=data.worth,
        escapes=int((data.score_n < threshold).sum()),
        bound=_bound(data, highest, max_escape, confidence),
        reached=1 - p,
        needed=lacking,
        more=more,
        for_parts=for_parts,
        overkill=data.overkill(threshold),
        overkill_unproven=data.overkill_unproven(max_escape),
    )


def curve(
    score_n: npt.ArrayLike,
    truth_n: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    units: Units = "groups",
    mark: float | None = None,
) -> dict[str, list[float]]:
    """Share that escapes, its upper bound, and overkill against the threshold: some `CURVE_POINTS` points.

    Each point by itself has this confidence; the curve as a whole has none. No overkill without good parts. Half of
    the points lie where up to a fifth escapes; `mark` is one, and so is the next defective score, up to which nothing
    more escapes: so the steps beside a chosen threshold are drawn where they are.

    >>> drawn = curve([0.2, 0.8, 0.1], [True, True, False], range(3))
    >>> drawn["threshold"], drawn["escape"], drawn["overkill"]
    ([0.1, 0.2, 0.8], [0.0, 0.0, 0.5], [1.0, 0.0, 0.0])
    """
    data = _Data.of(score_n, truth_n, groups, units)
    if not len(data.score_n):
        return {}
    low_n = np.unique(data.score_n[data.score_n <= np.quantile(data.score_n, 0.2)])
    half = CURVE_POINTS // 2
    at_t = np.append(_thinned(np.unique(np.append(data.score_n, data.good_n)), half), _thinned(low_n, half))
    if mark is not None:
        at_t = np.concatenate([at_t, [mark], np.sort(data.score_n[data.score_n >= mark])[:1]])
    at_t = np.unique(at_t[at_t > 0])
    drawn = {
        "threshold": at_t.tolist(),
        "escape": [float((data.score_n < t).mean()) for t in at_t],
        "bound": [data.seen(t).bound(confidence) for t in at_t],
    }
    return {**drawn, "overkill": [float((data.good_n >= t).mean()) for t in at_t]} if len(data.good_n) else drawn


def _thinned(value_n: FloatArray, most: int) -> FloatArray:
    """So many of these at most, the first and the last among them."""
    return np.asarray(value_n[np.unique(np.linspace(0, len(value_n) - 1, most).round().astype(int))])


def _needed(size_g: IndexArray, max_escape: float, confidence: float) -> int | None:
    """How many groups such as these (none: single parts) without an escape prove a rate of all parts.

    None: no number that anybody has.
    """
    try:
        if not max_escape:
            return None
        return groups_needed(size_g, max_escape, confidence) if len(size_g) else defects_needed(max_escape, confidence)
    except TooManyError:
        return None


def _highest(data: _Data, max_escape: float, confidence: float) -> tuple[float, bool, float]:
    """The highest threshold that is proven, whether there is one (else it is the safest), and its p-value.

    Where large groups are worse than small ones, more of the parts may pass than is proven of groups. No threshold is
    taken at which more of these parts pass than was asked: it would be a promise that its own data belie.
    """
    found = (0.0, False, 1.0)
    for candidate in data.candidates():
        p = data.seen(candidate).p(max_escape) if data.share(candidate) <= max_escape else 1.0
        if not proven(p, confidence):
            return found if found[1] else (float(candidate), False, p)
        found = (float(candidate), True, p)
    return found


def _bound(data: _Data, highest: float, max_escape: float, confidence: float) -> float:
    """The upper limit at the chosen threshold, but no less than passes where that is more than was asked."""
    if not highest:
        return 1.0
    share = data.share(highest)
    return max(data.seen(highest).bound(confidence), share if share > max_escape else 0.0)


@dataclass(frozen=True)
class _Data:
    """Scores of the defective and of the good parts, and the groups of both."""

    score_n: FloatArray
    code_n: IndexArray
    size_g: IndexArray
    good_n: FloatArray
    good_groups: npt.NDArray[Any]
    units: Units
    worth: float

    @classmethod
    def of(cls, scores: npt.ArrayLike, truths: npt.ArrayLike, groups: npt.ArrayLike, units: Units) -> _Data:
        """Check what was given, and take the defective and the good parts apart."""
        score, truth, group = (
            np.asarray(scores, dtype=np.float64),
            np.asarray(truths, dtype=np.bool_),
            np.asarray(groups),
        )
        if not score.shape == truth.shape == group.shape or score.ndim != 1:
            raise ValueError(
                f"expected one truth and one group for each score, got {score.shape, truth.shape, group.shape}"
            )
        if not ((score >= 0) & (score <= 1)).all():
            raise ValueError("scores lie in [0, 1]")
        code_n = np.unique(group[truth], return_inverse=True)[1].astype(np.int64)
        data = cls(score[truth], code_n, np.bincount(code_n), score[~truth], group[~truth], units, 0.0)
        return replace(data, worth=effective_number(data.score_n, code_n) if len(code_n) else 0.0)

    def candidates(self) -> FloatArray:
        """The thresholds to be tested, the safest first: a score of 0 can never be rejected."""
        found = np.unique(self.score_n)
        return found[found > 0]

    def share(self, threshold: float) -> float:
        """Which share of the defective parts passes."""
        return float((self.score_n < threshold).mean())

    def effective(self, threshold: float) -> float:
        """How many independent parts the defective ones are worth at this threshold."""
        if self.units == "groups":
            return float(len(self.size_g))
        passes_n = self.score_n < threshold
        if self.units == "parts":
            return PartsPassed(passes_n, self.size_g).worth
        if not passes_n.any() or passes_n.all() or len(self.size_g) in (1, len(self.score_n)):
            return self.worth
        return max(1.0, min(self.worth, len(passes_n) / design_effect(passes_n, self.code_n)))

    def seen(self, threshold: float) -> Passed | PartsPassed:
        """How many pass at a threshold, which tells what is proven of the rate."""
        passes_n = self.score_n < threshold
        if self.units == "effective":
            n = self.effective(threshold)
            return Passed(n, float(passes_n.mean()) * n, exact=True)
        passing_g = np.bincount(self.code_n, weights=passes_n)
        return (PartsPassed if self.units == "parts" else Passed.of)(passing_g, self.size_g)

    def lowered(self, highest: float) -> float:
        """Of the thresholds with the overkill of a proven one: in the middle of the lowest gap.

        Between the highest good score below it and the next defective one: nothing more is rejected, fewer escape, and
        a score that another machine rounds otherwise falls on the same side.
        """
        below = self.good_n[self.good_n < highest]
        if not below.size:
            return highest
        floor = float(below.max())
        above = float(self.score_n[self.score_n > floor].min())
        middle = (floor + above) / 2
        return middle if floor < middle <= highest else highest

    def overkill(self, threshold: float) -> Interval | None:
        """The share of good parts at or above a threshold, with its interval; None without good parts."""
        return proportion(self.good_n >= threshold, self.good_groups) if len(self.good_n) else None

    def overkill_unproven(self, max_escape: float) -> float | None:
        """The least overkill of the thresholds of which at most this share is seen to escape."""
        candidates = self.candidates()
        if not len(self.good_n) or not len(candidates):
            return None
        share = np.searchsorted(np.sort(self.score_n), candidates, side="left") / len(self.score_n)
        allowed = candidates[share <= max_escape]
        return float((self.good_n >= allowed.max()).mean()) if allowed.size else None


def effective_number(score_n: FloatArray, code_n: IndexArray) -> float:
    """How many independent parts are n parts of groups 0 ... g-1 worth, by the correlation of their scores?

    n / deff with deff = 1 + (m - 1) r; see the module. Each part its own group: n. One group only, or scores that are
    all alike: r = 1, and n / m is left, at most the number of groups.

    >>> effective_number(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 1, 2, 3]))
    4.0
    >>> round(effective_number(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0, 0, 1, 1])), 3)
    2.0
    """
    n, size_g = len(score_n), np.bincount(code_n)
    mean_size = float((size_g.astype(np.float64) ** 2).sum()) / n
    return max(1.0, n / plan.design_effect(mean_size, _correlation_limit(score_n, code_n, size_g)))


def _correlation_limit(score_n: FloatArray, code_n: IndexArray, size_g: IndexArray) -> float:
    """Upper limit of the correlation inside a group: one-way random effects on normal ranks, unequal sizes."""
    n, g = len(score_n), len(size_g)
    if g == n:
        return 0.0
    if g == 1:
        return 1.0
    normal_n = stats.norm.ppf((stats.rankdata(score_n) - 0.5) / n)
    mean_g = np.bincount(code_n, weights=normal_n) / size_g
    within = float(((normal_n - mean_g[code_n]) ** 2).sum()) / (n - g)
    if within <= 1e-12:  # also where all are alike: nothing shows that the parts of a group differ
        return 1.0
    size = g / float((1 / size_g).sum())
    ratio = size * float(mean_g.var(ddof=1)) / within
    spread = max(0.0, (ratio / float(stats.f.ppf(1 - LIMIT, g - 1, n - g)) - 1) / size)
    return spread / (1 + spread)


def _more(lacking: int, effective: float, data: _Data) -> int:
    """Parts like these (or groups) that would have to come without an escape; at least one."""
    if not len(data.score_n):
        return lacking
    if data.units == "parts":
        return max(1, lacking - len(data.size_g))
    scale = 1.0 if data.units == "groups" else len(data.score_n) / effective
    return max(1, math.ceil((lacking - effective) * scale - 1e-9))
