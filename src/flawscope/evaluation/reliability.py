"""Whether a probability means what it says: reliability, expected calibration error, Brier score and log loss.

Shapes: n samples, b bins, g groups, d bootstrap draws, c columns of sums.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from flawscope.evaluation.intervals import (
    FEW_GROUPS,
    IndexArray,
    bootstrap_interval,
    bootstrap_sums,
    chunks,
    expanded_tail,
    group_sums,
    proportion,
    wilson,
)
from flawscope.records import BoolArray, FloatArray, Interval

BINS = 10
LEAST = 1e-15
"""A probability counts as at least this far from 0 and 1 in the log loss."""
METHOD = (
    "bootstrap over groups, without the bias of noise; begins at 0 unless a sign-flip test over groups rejects that"
)


def reliability(
    truth_n: BoolArray, probability_n: FloatArray, group_n: IndexArray, *, seed: int = 0, draws: int = 1000,
    level: float = 0.95
) -> dict[str, Any]:  # fmt: skip
    """How well probabilities of one class agree with how often it was there, each number with its interval.

    - `measures`: "expected calibration error" (see `calibration_error`), "Brier score", the mean of (probability -
      truth)^2 (Brier, 1950), and "log loss", the mean of -log(probability of the truth). Intervals: bootstrap over
      groups; that of the log loss L is made for 1 - exp(-L), which lies in [0, 1].
    - `bins`: `BINS` of equal count (see `equal_count_bins`), each with its mean probability, and the share of the
      class with its Wilson interval on the effective sample size.
    - `plain error`: the expected calibration error as it is usually given, without a correction; `by chance`: what it
      would be on average on these images if all probabilities were right; `p`: the chance to see one as large then.
    - `Brier parts`: reliability - resolution + uncertainty (Murphy, 1973) over the bins; `within bins` is the rest.

    Without samples nothing is given. Where all images show the class, or none, intervals are stretched over Wilson's.

    >>> said = reliability(np.array([False, True, True]), np.array([0.1, 0.6, 0.8]), np.arange(3))
    >>> round(said["measures"]["Brier score"]["value"], 3), len(said["bins"])
    (0.07, 3)
    """
    n = len(truth_n)
    if not n:
        return {}
    bin_n = equal_count_bins(probability_n)
    units = min(len(np.unique(group_n[kind_n])) for kind_n in (truth_n, ~truth_n) if kind_n.any())
    square_n = (probability_n - truth_n) ** 2
    surprise_n = -np.log(np.clip(np.where(truth_n, probability_n, 1 - probability_n), LEAST, 1.0))
    drawn_dc = bootstrap_sums(np.stack([np.ones(n), square_n, surprise_n], axis=1), group_n, seed, draws)
    square_d, surprise_d = (drawn_dc[:, 1:] / drawn_dc[:, :1]).T
    brier = bootstrap_interval(float(square_n.mean()), square_d, group_n, level, units)
    error, facts = calibration_error(truth_n, probability_n, group_n, seed=seed, draws=draws, level=level)
    loss = float(surprise_n.mean())
    share = bootstrap_interval(-math.expm1(-loss), -np.expm1(-surprise_d), group_n, level, units)
    if truth_n.all() or not truth_n.any():
        brier, share, error = (_stretched(interval, units) for interval in (brier, share, error))
    measures = {"expected calibration error": error, "Brier score": brier, "log loss": _unbounded(loss, share)}
    return {
        "measures": {name: interval.as_dict() for name, interval in measures.items()},
        **facts,
        "binning": f"{BINS} bins of equal count at most, equal probabilities in one bin",
        "bins": [
            {
                "probability": float(probability_n[bin_n == b].mean()),
                "share": proportion(truth_n[bin_n == b], group_n[bin_n == b], level).as_dict(),
            }
            for b in range(bin_n.max() + 1)
        ],
        "Brier parts": brier_parts(truth_n, probability_n),
    }


def equal_count_bins(probability_n: FloatArray, bins: int = BINS) -> IndexArray:
    """The bin of each sample, from 0: as many samples in each as can be, samples of equal probability in one bin.

    There are at most `bins`, and not more than samples. Bins of equal width would leave most of them nearly empty where
    a class is rare (Nguyen & O'Connor, 2015, call these adaptive).

    >>> equal_count_bins(np.array([0.9, 0.1, 0.2, 0.2, 0.3, 0.3]), bins=3).tolist()
    [2, 0, 0, 0, 1, 1]
    """
    n = len(probability_n)
    before_n = np.searchsorted(np.sort(probability_n), probability_n, side="left")
    return np.unique(before_n * min(bins, n) // n, return_inverse=True)[1].astype(np.int64)


def plain_error(truth_n: BoolArray, probability_n: FloatArray, bins: int = BINS) -> float:
    """Expected calibration error: the mean over samples of |mean probability - share of the class| of their bin.

    Naeini et al. (2015); bins of equal count. Noise makes it too large: perfect probabilities do not give 0.

    >>> round(plain_error(np.array([False, True, True, True]), np.array([0.1, 0.3, 0.6, 0.8]), bins=2), 3)
    0.3
    """
    bin_n = equal_count_bins(probability_n, bins)
    return float(np.abs(np.bincount(bin_n, weights=truth_n - probability_n)).sum() / len(truth_n))


def calibration_error(
    truth_n: BoolArray, probability_n: FloatArray, group_n: IndexArray, *, seed: int = 0, draws: int = 1000,
    level: float = 0.95
) -> tuple[Interval, dict[str, float]]:  # fmt: skip
    """The expected calibration error without the part that noise adds, with its interval; and the facts beside it.

    Whole groups are drawn. The bins' errors that are drawn around are first shrunk to the size that is left when their
    variance is taken off (as James & Stein, 1961): drawing around the raw ones would count the noise twice. What the
    draws then have on top is the bias, which is taken off. The upper end of the interval is that of the draws, bias
    and all, and not below the plain error: that is rather too wide. The lower end is the pivotal one (Efron &
    Tibshirani, 1993), and 0 unless a test rejects that all probabilities are right, at half of 1 - level: if they are,
    what a group has too much it could as well have too little, so signs of whole groups are turned at random (sign-flip
    test; Winkler et al., 2014). All of this holds for the given bins.

    Raises:
        ValueError: there are no samples.
    """
    n = len(truth_n)
    if not n:
        raise ValueError("expected at least one sample")
    bin_n = equal_count_bins(probability_n)
    bins = int(bin_n.max()) + 1
    member_nb = bin_n[:, None] == np.arange(bins)
    excess_nb = member_nb * (truth_n - probability_n)[:, None]
    excess_gb = group_sums(excess_nb, np.unique(group_n, return_inverse=True)[1].astype(np.int64))
    groups = len(excess_gb)
    excess_b, count_b = excess_gb.sum(axis=0), member_nb.sum(axis=0)
    plain = float(np.abs(excess_b).sum() / n)
    signs = np.random.default_rng([seed, 1])
    turned = (2 * signs.integers(2, size=(size, groups)) - 1 for size in chunks(draws))
    null_d = np.concatenate([np.abs(sign_dg @ excess_gb).sum(axis=1) / n for sign_dg in turned])
    p = (1 + int(np.sum(null_d >= plain - 1e-12))) / (1 + draws)
    drawn_dc = bootstrap_sums(np.hstack([excess_nb, member_nb]), group_n, seed, draws)
    drawn_db, counted_db = drawn_dc[:, :bins], drawn_dc[:, bins:]
    kept, error_d = _shrunk_draws(excess_b / count_b, count_b / n, drawn_db, counted_db)
    value = min(max(plain + kept * plain - float(error_d.mean()), 0.0), 1.0)
    units = min(groups, *(len(np.unique(group_n[kind_n])) for kind_n in (truth_n, ~truth_n) if kind_n.any()))
    low, high, notes = 0.0, max(plain, value), []
    if units >= 2:
        tail = expanded_tail(level, units)
        most = float(np.quantile(error_d, 1 - tail))
        high = min(max(high, most), 1.0)
        if p <= (1 - level) / 2:
            low = min(max(plain + kept * plain - most, 0.0), value)
    if high - low < 1e-9 or units < 2:
        low, high = min(low, value), max(high, wilson(value, units, level)[1])
        notes.append("the bootstrap cannot tell the spread here: each group counts as one sample")
    if groups < FEW_GROUPS:
        notes.append(f"fewer than {FEW_GROUPS} groups ({groups}): rough")
    elif units < FEW_GROUPS:
        notes.append(f"the rarer class stands in fewer than {FEW_GROUPS} groups ({units}): rough")
    interval = Interval(value, low, high, level, METHOD, n, 0.0, groups, "; ".join(notes))
    return interval, {"plain error": plain, "by chance": float(null_d.mean()), "p": p}


def brier_parts(truth_n: BoolArray, probability_n: FloatArray) -> dict[str, float]:
    """Brier score = reliability - resolution + uncertainty + within bins, over bins of equal count (Murphy, 1973).

    Reliability is small if probabilities mean what they say, resolution large if they tell images apart, uncertainty
    what always saying the share of the class would give. `within bins` is 0 where each bin holds one probability.

    >>> parts = brier_parts(np.array([False, True, True]), np.array([0.1, 0.6, 0.8]))
    >>> {name: abs(round(value, 3)) for name, value in parts.items()}
    {'reliability': 0.07, 'resolution': 0.222, 'uncertainty': 0.222, 'within bins': 0.0}
    """
    bin_n = equal_count_bins(probability_n)
    count_b = np.bincount(bin_n)
    share_b, mean_b = (np.bincount(bin_n, weights=values) / count_b for values in (truth_n, probability_n))
    weight_b, base = count_b / len(truth_n), float(truth_n.mean())
    known = float(np.sum(weight_b * (mean_b - share_b) ** 2))
    told = float(np.sum(weight_b * (share_b - base) ** 2))
    rest = float(np.mean((probability_n - truth_n) ** 2)) - (known - told + base * (1 - base))
    return {"reliability": known, "resolution": told, "uncertainty": base * (1 - base), "within bins": rest}


def _shrunk_draws(
    error_b: FloatArray, weight_b: FloatArray, drawn_db: FloatArray, counted_db: FloatArray
) -> tuple[float, FloatArray]:
    """By how much the bins' errors are shrunk (0 to 1), and the expected calibration error of each draw around them."""
    drawn_errors_db = np.divide(drawn_db, counted_db, out=np.tile(error_b, (len(drawn_db), 1)), where=counted_db > 0)
    noise, size = float(np.sum(weight_b * drawn_errors_db.var(axis=0))), float(np.sum(weight_b * error_b**2))
    kept = math.sqrt(max(0.0, 1 - noise / size)) if size > 0 else 0.0
    moved_db = drawn_db - (1 - kept) * error_b * counted_db
    return kept, np.asarray(np.abs(moved_db).sum(axis=1) / counted_db.sum(axis=1))


def _stretched(interval: Interval, units: int) -> Interval:
    """Images of one kind only vary too little: what the other kind would add is not among them."""
    low, high = wilson(interval.value, units, interval.level)
    note = "; ".join(filter(None, (interval.note, "images of one kind only: each group counts as one sample")))
    return replace(interval, low=min(low, interval.low), high=max(high, interval.high), note=note)


def _unbounded(loss: float, share: Interval) -> Interval:
    """The interval of a log loss from that of 1 - exp(-loss)."""
    low, high = (-math.log(max(1 - end, LEAST)) for end in (share.low, share.high))
    return replace(share, value=loss, low=max(0.0, min(low, loss)), high=max(high, loss))
