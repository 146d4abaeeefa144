"""The exam of reference system E: as many synthetic coils as it had, hard ones, and what can be had without a network.

    python benchmarks/coil_exam.py [--half measuring|tuning] [--difficulty hard|easy] [--trial N]

The difficulty is `HARD` in src/flawscope/data/coil_levels.py. It was set on the tuning half: HOG + SVM stays below
0.90, while a rule that knows the drawing reads the answer from the picture. The measuring half was drawn after that had
been committed, and a method is measured on it alone: the same 626 pictures (the entry has their hash), 5 folds, pooled.
Easy coils are the control: there HOG + SVM is a fair choice.

Pictures are drawn once, into runs/coil-exam. The entry is appended to benchmarks/results/coil-exam.json, unless
`--trial` is given, which draws N pictures only.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import coil_hog
import coil_rule
from coil_hog import Flags, Floats
from entries import append, ends
from flawscope.data.coil_levels import LEVELS
from flawscope.data.progress import watched
from flawscope.data.synthetic import GOOD, SCRAP, synth_coil
from flawscope.evaluation.intervals import bootstrap, proportion
from flawscope.evaluation.metrics import confusion, recall, specificity
from flawscope.records import Interval, fingerprint
from flawscope.steps.provenance import code_version, command, machine, today, versions
from flawscope.storage import sha256_file

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "coil-exam.json"
KEPT = Path("runs") / "coil-exam"
N, N_SCRAP = 626, 126
"""Reference system E: 626 labelled pictures, about 500 of them good."""
CROP = (50, 60, 750, 460)
SEEDS = {"tuning": 101, "measuring": 626}
CELLS = (8, 16, 32)
MEASURES = ("accuracy", "balanced accuracy", "escape", "overkill")


def main() -> None:
    """Draw, measure, print, append."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=SEEDS, default="measuring")
    parser.add_argument("--difficulty", choices=LEVELS, default="hard")
    parser.add_argument("--trial", type=int, help="so many pictures only; nothing is appended")
    asked = parser.parse_args()
    entry = examined(asked.half, asked.difficulty, asked.trial or N)
    for method, found in entry["methods"].items():
        print(f"{method:26}", *(f"{name} {in_words(found[name])}" for name in MEASURES), sep="  ")
    if asked.trial is None:
        append(RESULTS, entry)


def examined(half: str, difficulty: str, n: int) -> dict[str, Any]:
    """One half of the exam: the numbers, and all that is needed to make them again."""
    seed, level = SEEDS[half], LEVELS[difficulty]
    paths = pictures(difficulty, seed, n)
    scrap_n = np.array([path.parent.name == SCRAP for path in paths])
    midway = (level.straight + level.bent[0]) / 2
    methods = {
        "always good": (np.zeros(len(paths), dtype=bool), []),
        **hog_methods(paths, scrap_n, seed),
        "rule": (called_by_rule(paths, midway), [f"a pin leans by more than {midway:g} degrees"]),
    }
    more = [f"{package} {version(package)}" for package in ("scikit-learn", "opencv-python-headless")]
    return {
        "benchmark": "coil-exam",
        "half": half,
        "difficulty": difficulty,
        "protocol": f"{len(paths)} synthetic coils, {scrap_n.sum()} of them scrap, cropped to {CROP}; HOG + SVM: "
        "5 folds, pooled out of fold, kernel, cell and cost chosen on each training part, for accuracy or (balanced) "
        "with both classes alike; the rule is not fitted; escape: scrap called good, overkill: good called scrap",
        "command": f"python benchmarks/{command().removeprefix('flawscope ')}",
        "seed": seed,
        "level": asdict(level),
        "code": code_version(),
        "date": today(),
        "machine": machine(),
        "versions": ", ".join([versions(), *more]),
        "data": fingerprint({f"{path.parent.name}/{path.name}": sha256_file(path) for path in paths}),
        "n": len(paths),
        "scrap": int(scrap_n.sum()),
        "methods": {name: {**rates(scrap_n, called_n), "chosen": words} for name, (called_n, words) in methods.items()},
    }


def pictures(difficulty: str, seed: int, n: int = N) -> list[Path]:
    """The pictures of the exam, drawn if they are not there, in the order in which they were drawn."""
    folder = KEPT / f"{difficulty}-{seed}-{n}"
    if not folder.is_dir():
        synth_coil(folder, n, seed, N_SCRAP / N, difficulty=difficulty)
    return sorted((path for label in (SCRAP, GOOD) for path in (folder / label).glob("*.bmp")), key=lambda p: p.name)


def grey(path: Path) -> Floats:
    """The whole picture, rows x columns."""
    with Image.open(path) as image:
        return np.asarray(image, dtype=np.float64)


def hog_methods(paths: Sequence[Path], scrap_n: Flags, seed: int) -> dict[str, tuple[Flags, list[str]]]:
    """Which pictures HOG + SVM calls scrap, and what it chose: linear and RBF, once for accuracy, once for balance."""
    left, top, right, bottom = CROP
    features: dict[int, list[Floats]] = {cell: [] for cell in CELLS}
    for path in watched(paths, len(paths), "gradients"):
        part = grey(path)[top:bottom, left:right]
        for cell, rows in features.items():
            rows.append(coil_hog.hog(part, cell).astype(np.float32))
    kernels: dict[str, list[coil_hog.Kernel]] = {"linear": [], "rbf": []}
    for cell, rows in features.items():
        likeness = coil_hog.linear(f"cell {cell}", np.stack(rows))
        rows.clear()
        kernels["linear"].append(likeness)
        kernels["rbf"] += [coil_hog.rbf(likeness, width) for width in coil_hog.WIDTHS]
    return {
        f"HOG + {family} SVM{', balanced' if balanced else ''}": coil_hog.out_of_fold(
            several, scrap_n, seed, balanced=balanced
        )
        for family, several in kernels.items()
        for balanced in (False, True)
    }


def called_by_rule(paths: Sequence[Path], most: float) -> Flags:
    """Where a pin is measured to lean by more than that, in degrees."""
    seen = watched(paths, len(paths), "measuring pins")
    return np.array([coil_rule.worst_lean(grey(path).astype(np.float32)) > most for path in seen])


def rates(scrap_n: Flags, called_n: Flags) -> dict[str, list[float]]:
    """Each of MEASURES as [value, low, high]: Wilson intervals, for balanced accuracy the bootstrap."""

    def share(flag_n: Flags) -> Interval:
        return proportion(flag_n, range(len(flag_n)))

    def balanced(index: npt.NDArray[np.int64]) -> float:
        counts = confusion(scrap_n[index], called_n[index])
        return (recall(counts) + specificity(counts)) / 2

    found = (
        share(called_n == scrap_n),
        bootstrap(balanced, range(len(scrap_n)), seed=0, units=int(scrap_n.sum())),
        share(~called_n[scrap_n]),
        share(called_n[~scrap_n]),
    )
    return {name: ends(asdict(interval)) for name, interval in zip(MEASURES, found, strict=True)}


def in_words(found: Sequence[float]) -> str:
    """A rate for the console."""
    return "{:.3f} ({:.3f} to {:.3f})".format(*found)


if __name__ == "__main__":
    main()
