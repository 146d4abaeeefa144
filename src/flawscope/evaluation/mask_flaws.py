"""Flaw by flaw: how many of the true ones are found, by their size, and how many false ones are marked.

The rule of what counts as found stands in `mask_facts`. Shapes: n images, f flaws, d bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from flawscope.evaluation.intervals import BOOTSTRAP, FEW_GROUPS, bootstrap_sums, expanded_tail, proportion
from flawscope.evaluation.mask_facts import SHARE, MaskFacts, Regions
from flawscope.records import FloatArray, Interval

DRAWS = 1000
BINS = 6
LEAST = 8
"""Flaws in a bin of sizes at least, where there are enough for two bins."""


def found_flaws(
    names: Sequence[str],
    facts: MaskFacts,
    groups: Sequence[str],
    *,
    mm_per_pixel: float | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Any]:
    """Recall of flaws, false flaws an image, and recall by size, for each class and for all together (the last name).

    Of all together, each flaw still has to be marked as its class. `named wrongly`: true flaws that are not found, and
    false ones, which are where a flaw of another class is (marked, or truly).
    """
    group_n = np.asarray([str(group) for group in groups])
    entries = {}
    for c, name in enumerate(names):
        every = c == len(names) - 1
        flaws, regions = (
            each if every else each.of(np.asarray(each.kind == c)) for each in (facts.flaws, facts.regions)
        )
        hit_f, false_r = flaws.covered >= SHARE, regions.covered < SHARE
        entry: dict[str, Any] = {
            "flaws": len(flaws),
            "found": int(hit_f.sum()),
            "found as another class": int((~hit_f & (flaws.covered_any >= SHARE)).sum()),
            "marked": len(regions),
            "false": int(false_r.sum()),
            "false on another class": int((false_r & (regions.covered_any >= SHARE)).sum()),
            "measures": {},
            "undefined": {},
            "sizes": _sizes(flaws, group_n, mm_per_pixel, level),
        }
        if len(flaws):
            entry["measures"]["flaw recall"] = proportion(hit_f, group_n[flaws.image], level).as_dict()
        else:
            entry["undefined"]["flaw recall"] = "no image shows any flaw" if every else f"no image shows {name!r}"
        false_n = np.bincount(regions.image[false_r], minlength=len(facts)).astype(np.float64)
        entry["measures"]["false flaws an image"] = mean_count(false_n, group_n, seed, level).as_dict()
        entries[name] = entry
    return {"share": SHARE, "classes": entries}


def mean_count(count_n: FloatArray, groups: npt.ArrayLike, seed: int = 0, level: float = 0.95) -> Interval:
    """The mean of a count over images, with an interval from drawing whole groups.

    Where the draws cannot tell the spread (the count is 0 everywhere, or there is one group): the exact interval of a
    Poisson count (Garwood, 1936), each group counted as one image.

    >>> print(mean_count(np.zeros(30), range(30)))
    0.000 (0.000 to 0.123)

    Raises:
        ValueError: there are no images.
    """
    drawn = bootstrap_sums(np.stack([count_n, np.ones(len(count_n))], axis=1), groups, seed, DRAWS)
    value, units = float(count_n.mean()), len(np.unique(np.asarray(groups)))
    low = high = value
    if units >= 2:
        tail = expanded_tail(level, units)
        low, high = (float(end) for end in np.quantile(drawn[:, 0] / drawn[:, 1], [tail, 1 - tail]))
    method, effective = BOOTSTRAP, 0.0
    notes = [f"fewer than {FEW_GROUPS} groups ({units}): rough"] * (units < FEW_GROUPS)
    if high - low < 1e-9:
        tail, seen = (1 - level) / 2, value * units
        low = float(stats.gamma.ppf(tail, seen)) / units if seen else 0.0
        high = float(stats.gamma.isf(tail, seen + 1)) / units
        method, effective = "exact for a Poisson count, each group counted as one image", float(units)
        notes.insert(0, "the bootstrap cannot tell the spread here")
    return Interval(
        value, min(low, value), max(high, value), level, method, len(count_n), effective, units, "; ".join(notes)
    )


def _sizes(
    flaws: Regions, group_n: npt.NDArray[np.str_], mm_per_pixel: float | None, level: float
) -> list[dict[str, Any]]:
    """The recall of flaws of like size, from small to large; each bin holds about as many, and each size is in one."""
    if not len(flaws):
        return []
    bins = max(1, min(BINS, len(flaws) // LEAST))
    edges = np.unique(np.quantile(flaws.area, np.linspace(0, 1, bins + 1)[1:-1], method="higher"))
    bin_f = np.searchsorted(edges, flaws.area, side="right")
    rows = []
    for number in np.unique(bin_f):
        chosen = flaws.of(np.asarray(bin_f == number))
        areas = {"from": chosen.area.min(), "to": chosen.area.max(), "middle": np.median(chosen.area)}
        rows.append(
            {
                **{key: float(value) for key, value in areas.items()},
                **(
                    {f"{key} mm2": float(value) * mm_per_pixel**2 for key, value in areas.items()}
                    if mm_per_pixel
                    else {}
                ),
                "flaws": len(chosen),
                "recall": proportion(chosen.covered >= SHARE, group_n[chosen.image], level).as_dict(),
            }
        )
    return rows
