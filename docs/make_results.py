"""Write docs/results.md from the committed files of results: python docs/make_results.py."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("results.md")
RESULTS = TARGET.parents[1] / "benchmarks" / "results"
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Original:
    """A published system: its recipes here, what it reports, and what that can be compared with."""

    title: str
    recipes: tuple[str, ...]
    reported: str
    compare: str


ORIGINALS = (
    Original(
        "A: defective or not (ELPV)",
        ("solar-binary", "solar-binary-faithful"),
        "83.6 % accuracy",
        "It is the best of 18 epochs, chosen on the same 525 cells that were then reported, and sister cells of one "
        "module stand on both sides of its random split. Compare it with the lines `random`, whose epoch and "
        "thresholds were chosen on other cells. The lines `folds` are what new modules would see: nothing that was "
        "published on ELPV (88.4 %, 90.1 %) was measured like that.",
    ),
    Original(
        "B: crack and inactive region (1,594 cells of ELPV)",
        ("solar-multilabel", "solar-multilabel-faithful"),
        "mean F1 0.789, 0.862, 0.889 after epochs 1, 2, 3",
        "Not comparable with any line: every one of its 1,200 test images is a turned or mirrored copy of a cell that "
        "it learnt from. On hidden tests of the same task others reach 0.866 and 0.909; those are cells of the same "
        "kind, not these.",
    ),
    Original(
        "C: two networks from scratch (the same cells)",
        ("solar-challenge-alexnet", "solar-challenge-resnet18"),
        "a pass mark: mean F1 0.6",
        "The pass mark counts on a hidden test of other cells.",
    ),
    Original(
        "E: coils, and castings in their place",
        ("coil", "coil-faithful", "casting", "casting-faithful"),
        "99.2 % of 125 coils (95.6 to 99.98 %)",
        "Its pictures are not public. Synthetic coils and real castings stand in for them, so only the order of "
        "magnitude can be compared.",
    ),
)
MEASURES = ("accuracy", "AUROC", "mean F1", "mean AUROC", "F1", "exact match", "escape rate", "overkill rate")
INTRODUCTION = """\
<!-- Made by `python docs/make_results.py` from benchmarks/results. Do not edit. -->
# Results on the reference systems

Every number comes from sealed bundles, run by the runtime that runs at the line, on images that the bundle, its
thresholds and its choice of an epoch have not seen. In parentheses stand 95 % intervals, over groups.

- `folds`: the five folds of the benchmark groups (`benchmarks/groups`), proven free of leaks. Pooled numbers describe
  the recipe, never a delivered bundle.
- `seeds`: one fold alone, with other first weights and draws.
- `random`: one random split, which nobody searched: how the originals measured. It leaks.

Where a recipe begins from ImageNet, MobileNetV2 and the weights file that the line names were used: other backbones'
weights were not at hand where this was measured. To measure again:
`python benchmarks/reference_systems.py RECIPE --protocol folds`.
"""


def results() -> str:
    """The page."""
    entries = json.loads((RESULTS / "reference-systems.json").read_text(encoding="utf-8"))
    return "\n".join([INTRODUCTION, *(section(original, entries) for original in ORIGINALS)])


def section(original: Original, entries: Sequence[Entry]) -> str:
    """One reference system: what it reports, and each measurement of its recipes."""
    rows = [each for each in entries if Path(each["recipe"]).stem in original.recipes]
    rows.sort(key=lambda each: (original.recipes.index(Path(each["recipe"]).stem), each["protocol"], each["date"]))
    lines = [f"## {original.title}", "", f"**The original reports** {original.reported}. {original.compare}", ""]
    missing = [name for name in original.recipes if not any(Path(each["recipe"]).stem == name for each in rows)]
    if rows:
        shown = [values(each) for each in rows]
        found = dict.fromkeys(key for each in shown for key in each)
        measures = [name for name in dict.fromkeys((*MEASURES, *found)) if name in found]
        lines += table(["recipe", "protocol", "images, groups", *measures], (numbers(each, measures) for each in rows))
        lines += ["", "<details><summary>Where these numbers come from</summary>", ""]
        head = ["recipe", "command", "changed", "commit", "split", "training", "machine"]
        lines += [*table(head, (source(each) for each in rows)), "", "</details>", ""]
    if missing:
        lines += [f"Not measured yet: {', '.join(f'`{name}`' for name in missing)}.", ""]
    return "\n".join(lines)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def numbers(entry: Entry, measures: Sequence[str]) -> list[str]:
    """One row of the first table."""
    seed = "" if entry["seed"] is None else f", seed {entry['seed']}"
    found = [interval(values(entry).get(name)) for name in measures]
    return [Path(entry["recipe"]).stem, f"{entry['protocol']}{seed}", f"{entry['n']:,}, {entry['groups']:,}", *found]


def values(entry: Entry) -> dict[str, Sequence[float]]:
    """The headline, and of several classes the F1 of each."""
    several = entry["classes"] if len(entry["classes"]) > 1 else {}
    return {**entry["headline"], **{f"F1 of {name}": of["F1"] for name, of in several.items() if "F1" in of}}


def interval(ends: Sequence[float] | None) -> str:
    """Value, low and high in words.

    >>> interval([0.9, 0.8512, 0.94])
    '0.900 (0.851 to 0.940)'
    """
    return "-" if ends is None else f"{ends[0]:.3f} ({ends[1]:.3f} to {ends[2]:.3f})"


def source(entry: Entry) -> list[str]:
    """One row of the second table."""
    hashes = entry["split"]["hash"]
    shown = ", ".join(each[:12] for each in ([hashes] if isinstance(hashes, str) else hashes))
    commit = re.search(r"commit (\w+\+?)", entry["code"])
    minutes = ", ".join(f"{each:g}" for each in entry["minutes_of_training"])
    changed = "; ".join(f"`{each}`" for each in entry["overrides"]) or "-"
    kept = [
        f"`{entry['command']}`",
        changed,
        commit[1] if commit else entry["code"],
        f"{entry['split']['stamp']}: {shown}",
    ]
    return [Path(entry["recipe"]).stem, *kept, f"{minutes} minutes", entry["machine"]]


if __name__ == "__main__":
    TARGET.write_text(results(), encoding="utf-8")
