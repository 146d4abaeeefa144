"""Pairs that a plain correlation finds, and what the court did with them: a check that owes nothing to the court.

    python benchmarks/court/near_pairs.py

Every picture at 48 x 48 grey pixels, the set's mean image taken out, as the notes on the data were made. For each set
and each limit of the correlation: how many pairs exceed it, how many of them stand in one benchmark group, and how
many of the others in different folds. A pair kept apart is not always a mistake: dark cells and parts of one mould
correlate, too. Appends to benchmarks/results/court-near-pairs.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from flawscope.data.group_file import load_groups
from flawscope.data.read import read
from flawscope.preprocess import open_image
from record import RESULTS, append, court_hash, provenance
from reference_sets import GROUPS, spec_of

SIDE = 48
LIMITS = (0.9, 0.95, 0.98, 0.99, 0.999)
SETS = ("elpv", "casting", "magnetic-tile")


def main() -> None:
    """Count for each set and append it."""
    entry = {**provenance("court-near-pairs"), "court": court_hash(), "side": SIDE}
    entry["sets"] = {name: counted(name) for name in SETS}
    print(json.dumps(entry["sets"], indent=1))
    append(RESULTS / "court-near-pairs.json", entry)


def counted(name: str) -> dict[str, Any]:
    """Pairs above each limit: all, joined in one group, and apart in different folds."""
    samples = read(spec_of(name), Path.cwd())
    group, fold = load_groups(GROUPS / f"{name}.json").of(samples)
    pixel_np = np.stack([small(row.path) for row in samples.rows])
    pixel_np -= pixel_np.mean(axis=0)
    pixel_np -= pixel_np.mean(axis=1, keepdims=True)
    pixel_np /= np.maximum(np.linalg.norm(pixel_np, axis=1, keepdims=True), 1e-9)
    alike_nn = np.triu(pixel_np @ pixel_np.T, k=1)
    group_n = np.unique([group[row.id] for row in samples.rows], return_inverse=True)[1]
    fold_n = np.array([fold[row.id] for row in samples.rows])
    found = {}
    for limit in LIMITS:
        a, b = np.nonzero(alike_nn > limit)
        apart = group_n[a] != group_n[b]
        found[f"above {limit:g}"] = {
            "pairs": len(a),
            "in one group": int((~apart).sum()),
            "apart, in different folds": int((apart & (fold_n[a] != fold_n[b])).sum()),
        }
    return {"images": len(samples), "groups": int(group_n.max()) + 1, **found}


def small(path: str) -> npt.NDArray[np.float32]:
    """A picture as `SIDE` x `SIDE` grey values in one row."""
    grey_hw = np.asarray(open_image(path).convert("L"), dtype=np.float32)
    return np.asarray(cv2.resize(grey_hw, (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel(), dtype=np.float32)


if __name__ == "__main__":
    main()
