"""What pairs of pictures of one thing say of the labels crack and inactive: of one cell shown twice, and of sisters.

    python benchmarks/label_noise_two.py

Of the cells of reference system B that are at hand the leak court finds those that are there twice (saved again, under
another exposure, shifted) and sisters, which are neighbouring slices of one block. A cell that is there twice should
have the same labels twice; a sister may be cracked where the other is not. So only the first say how often two
readings differ. Appends to benchmarks/results/label-noise-two.json; nothing is trained.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from flawscope.data.court.verdict import find_twins
from flawscope.data.read import read
from flawscope.records import Pair, Samples
from flawscope.steps.provenance import command

sys.path.append(str(Path(__file__).resolve().parent / "court"))

from record import RESULTS, RUNS, append, provenance, rate
from reference_sets import spec_of


def main() -> None:
    """Count and append."""
    samples = read(spec_of("solar-multilabel"), Path.cwd())
    twins = find_twins(samples, cache=RUNS / ".cache")
    found = {
        name: counted(samples, [pair for pair in twins.pairs if (pair.kind == "sister") is sisters])
        for name, sisters in (("the same cell twice", False), ("sisters", True))
    }
    head = {**provenance("label-noise-two"), "command": f"python benchmarks/{command()}"}
    entry = {**head, "cells": len(samples), "method": twins.method, "pairs": found}
    for name, of in found.items():
        print(name, of)
    append(RESULTS / "label-noise-two.json", entry)


def counted(samples: Samples, pairs: list[Pair]) -> dict[str, Any]:
    """Of some pairs and each class: shown by both, by one alone, and the second as a share of both."""
    label = {row.id: row.target for row in samples.rows}
    classes = {}
    for k, name in enumerate(samples.task.classes):
        shown = [int(label[pair.a][k] + label[pair.b][k]) for pair in pairs]
        both, one = shown.count(2), shown.count(1)
        classes[name] = {"both": both, "one_alone": one, "opposite_where_shown": rate(one, one + both)}
    return {"pairs": len(pairs), "classes": classes}


if __name__ == "__main__":
    main()
