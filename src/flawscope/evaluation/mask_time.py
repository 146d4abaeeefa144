"""How much time a gate saves. Shapes: n images, d bootstrap draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.evaluation.intervals import bootstrap_sums, expanded_tail
from flawscope.records import BoolArray, FloatArray, Interval

DRAWS = 1000


def time_saved(
    gate_n: FloatArray,
    mask_n: FloatArray,
    stopped_n: BoolArray,
    groups: npt.ArrayLike,
    *,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Any]:
    """Seconds with the gate and without it, and the share that is saved: below 0 where it costs more than it saves.

    All images went through both networks: with the gate counts the gate for each, and the masks of those that it let
    pass; without it the masks of all. `gate_n` holds the decoding too, which is needed either way: so a little more is
    saved than the share says.

    >>> time_saved(np.full(4, 0.1), np.full(4, 0.9), np.array([1, 1, 1, 0], dtype=bool), range(4))["with"]
    1.3

    Raises:
        ValueError: there are no images.
    """
    with_n, without_n = gate_n + np.where(stopped_n, 0.0, mask_n), mask_n
    found: dict[str, Any] = {
        "images": len(gate_n),
        "stopped": int(stopped_n.sum()),
        "with": float(with_n.sum()),
        "without": float(without_n.sum()),
        "gate an image": float(gate_n.mean()),
        "masks an image": float(mask_n.mean()),
    }
    units = len(np.unique(np.asarray(groups)))
    if units < 2 or not without_n.sum() > 0:
        return found
    drawn_d2 = bootstrap_sums(np.stack([with_n, without_n], axis=1), groups, seed, DRAWS)
    value, tail = 1 - found["with"] / found["without"], expanded_tail(level, units)
    low, high = (float(end) for end in np.quantile(1 - drawn_d2[:, 0] / drawn_d2[:, 1], [tail, 1 - tail]))
    if high - low > 1e-9:
        method = "expanded percentile bootstrap over groups"
        interval = Interval(value, min(low, value), max(high, value), level, method, len(gate_n), 0.0, units)
        found["saved"] = interval.as_dict()
    return found
