"""What our recipe calls beside what the faithful one calls, on the same test images.

    python benchmarks/beside_faithful.py FAITHFUL RUN... [--trial]

All are finished folders of `reference_systems.py` that tested the same images, such as
runs/bench/solar-multilabel-faithful-seeds-0 and runs/bench/solar-multilabel-seeds-1. FAITHFUL is the baseline. The
answers are those of the sealed bundles, and each difference is paired: both recipes are drawn by the same groups. It is
what `flawscope compare` measures; nothing is trained, scored or chosen here. Appends to
benchmarks/results/beside-faithful.json.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import flawscope
from entries import ROOT, append, ends, provenance, runs_asked
from flawscope.evaluation.paired import OVERALL
from flawscope.steps.workspace import Run, read_json
from threshold_cost import of_run

RESULTS = ROOT / "benchmarks" / "results" / "beside-faithful.json"


def main() -> None:
    """Compare, print and append."""
    asked = runs_asked(__doc__, "a run, that of the faithful recipe first")
    if len(asked.runs) < 2 or not Run.at(asked.runs[0]).recipe.name.endswith("-faithful"):
        raise SystemExit("expected two runs or more, first that of a faithful recipe")
    entry = {**provenance(), **measured(*asked.runs)}
    print(json.dumps(entry["ours"], indent=1))
    if not asked.trial:
        append(RESULTS, entry)


def measured(faithful: Path, *ours: Path) -> dict[str, Any]:
    """Which runs they are, how many images they have in common, and how far each of ours is from the faithful one."""
    with tempfile.TemporaryDirectory() as folder:
        found = flawscope.compare([faithful, *ours], Path(folder) / "compared", say=print).document
    first, *others = found["names"]
    return {
        "faithful": facts_of(faithful, first),
        **{key: found[key] for key in ("n", "groups", "left_out", "warnings", "notes")},
        "ours": [
            {**facts_of(run, name), "measures": measures(found["differences"], name)}
            for run, name in zip(ours, others, strict=True)
        ],
    }


def facts_of(folder: Path, name: str) -> dict[str, Any]:
    """Which run it is, by the name that the comparison gives it, of which recipe, and what its own measures note."""
    run = Run.at(folder)
    return {
        **of_run(folder),
        "run": name,
        "recipe": run.recipe.name,
        "seed": run.recipe.train.seed,
        "network": run.recipe.model.name,
        "trained_on": len(run.split.ids("train")),
        "notes": read_json(run.metrics)["notes"],
    }


def measures(differences: Sequence[Mapping[str, Any]], run: str) -> dict[str, Any]:
    """Of each measure over all classes, or of the only one: the faithful recipe, ours, and ours less that.

    A mean is over the classes for which both have the measure: nobody has a precision where nothing is called.
    """
    mine = [row for row in differences if row["run"] == run and row["difference"]]
    only = len({row["class_name"] for row in mine} - {OVERALL}) == 1
    return {
        row["measure"]: {key: ends(row[key]) for key in ("baseline", "other", "difference")}
        for row in mine
        if only or row["class_name"] == OVERALL
    }


if __name__ == "__main__":
    main()
