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
        "D: where the flaws of steel are (synthetic strips, and two real sets in their place)",
        ("steel", "steel-faithful", "neu-seg", "magnetic-tile"),
        "no number of its segmentation; its gate 86.9 % accuracy",
        "Its strips are not at hand. Elsewhere mean IoU 0.80 to 0.85 is published on NEU-Seg with large pretrained "
        "networks, and 0.669 a class on the magnetic tiles, both on splits that nobody searched.",
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
`python benchmarks/reference_systems.py RECIPE --protocol folds`. Where a line was measured several times, the last one
is shown; `benchmarks/results/reference-systems.json` keeps all.
"""


def results() -> str:
    """The page."""
    entries = read("reference-systems")
    sections = [section(original, entries) for original in ORIGINALS]
    after_c = next(place for place, each in enumerate(ORIGINALS, 1) if each.title.startswith("C:"))
    sections.insert(after_c, "\n".join(challenge(read("challenge-board"))))
    return "\n".join([INTRODUCTION, *sections, *leak(read("copies-leak")), *soon(read("time-to-number"))])


def read(name: str) -> Sequence[Entry]:
    """The entries of a file of results; none if it is not there."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def challenge(entries: Sequence[Entry]) -> list[str]:
    """The bundles of C on the hidden parts of a challenge: both boards."""
    head = ["### The challenge", ""]
    if not entries:
        return [*head, "Not measured yet: `benchmarks/challenge_board.py`.", ""]
    last = entries[-1]
    parts, boards = last["challenge"]["parts"], last["boards"]
    sizes = "; ".join(
        f"{name}: {of['images']:,} images in {of['groups']} groups, {of['inactive'][0]} of them inactive, in "
        f"{of['inactive'][1]} groups"
        for name, of in parts.items()
    )
    public = {line["entry"]: line for line in boards["board"]}
    columns = ["entry", "public board", "public rank", "final score", "rank", "shift", "pass mark", "F1 of each class"]
    rows = [board_row(line, public[line["entry"]], last["entries"][line["entry"]]) for line in boards["final"]]
    sources = ["entry", "recipe", "changed", "commit", "split", "training", "seal", "machine"]
    return [
        *head,
        f"Made of {sum(of['images'] for of in parts.values()):,} of the same cells (what would still leak is left out) "
        "by the step `challenge_new`, trained for from the starter kit alone, judged in the "
        f"sandbox, ranked by mean F1. {sizes}; {last['challenge']['stamp']}. The public score moves in steps of "
        f"{last['challenge']['ladder_step']:g}. Where a rank reads `1 to 3`, the entry could as well be third: from so "
        "few groups no more can be told.",
        "",
        *table(columns, rows),
        "",
        "<details><summary>Where these numbers come from</summary>",
        "",
        f"`{last['command']}`, {commit_of(last)}, {last['machine']}.",
        "",
        *table(sources, (board_source(name, each) for name, each in last["entries"].items())),
        "",
        "</details>",
        "",
    ]


def board_row(final: Entry, public: Entry, entry: Entry) -> list[str]:
    """One entry on both boards."""
    passed = "surely passed" if final["surely"] else "passed" if final["passed"] else "not passed"
    f1 = "; ".join(f"{kind} {interval(of['F1'])}" for kind, of in entry["measures"]["private"].items())
    places = [
        str(each["rank"]) + (f" to {each['worst']}" if each["worst"] > each["rank"] else "") for each in (public, final)
    ]
    return [
        final["entry"], interval(public["score"]), places[0], interval(final["score"]), places[1],
        interval(final["shift"]), passed, f1,
    ]  # fmt: skip


def board_source(name: str, entry: Entry) -> list[str]:
    """Where an entry of the challenge comes from."""
    changed = "; ".join(f"`{each}`" for each in entry["overrides"]) or "-"
    split, training = (
        f"{entry['split']['hash'][:12]}",
        f"{entry['epochs']} epochs, {entry['minutes_of_training']:g} minutes",
    )
    return [
        name,
        f"`{entry['recipe']}`",
        changed,
        commit_of(entry),
        split,
        training,
        entry["seals"][:12],
        entry["machine"],
    ]


def leak(entries: Sequence[Entry]) -> list[str]:
    """What the original of B measured, beside the same network on cells that it had not seen."""
    if not entries:
        return []
    last = entries[-1]
    rows = []
    for arm, of in last["arms"].items():
        by_epoch = ", ".join(f"{value:.3f}" for value in of["mean_f1_on_validation_by_epoch"])
        found = [interval(of["headline"].get(name)) for name in ("mean F1", "mean AUROC", "exact match")]
        rows.append([arm, f"{of['n']:,}, {of['groups']:,}", by_epoch, *found, of["split"]["stamp"]])
    head = ["split", "images, groups", "mean F1 after epochs", "mean F1", "mean AUROC", "exact match", "stamp"]
    return [
        "## B's leak",
        "",
        "The original turned and mirrored its cells first and split the pictures afterwards. Here its pictures are "
        f"made again of the cells at hand, and one network is trained twice with the same budget: {last['what']}. "
        "`leaky`: pictures dealt at random, as there; `clean`: all pictures of a module on one side. The difference is "
        "what the original's protocol adds.",
        "",
        *table(head, rows),
        "",
        f"`{last['command']}`, {commit_of(last['arms']['clean'])}, {last['machine']}.",
        "",
    ]


def soon(entries: Sequence[Entry]) -> list[str]:
    """How long until the number of the original is reached."""
    if not entries:
        return []
    rows = []
    for entry in {each["recipe"]: each for each in entries}.values():
        ours, faithful = entry["trainings"]["ours"], entry["trainings"]["faithful"]
        ratio = entry["faithful_over_ours"]
        shown = [minutes(each) for each in (ours, faithful)]
        rows.append(
            [entry["recipe"].removesuffix(".yaml"), entry["wanted"], *shown, f"{ratio:g}" if ratio else "-",
             f"{ours['minutes']:g}", f"`{entry['command']}`", commit_of(entry)]
        )  # fmt: skip
    head = ["recipe", "wanted", "ours, minutes", "faithful, minutes", "ratio", "ours to the end", "command", "commit"]
    return [
        "## How soon the original's number is reached",
        "",
        "Minutes of processor time, all threads together, until the validation part first shows what the original "
        "reports of its own; both trainings side by side on one machine, one leak-free split and the same cells.",
        "",
        *table(head, rows),
        "",
    ]


def minutes(training: Entry) -> str:
    """When the number was reached, or that it was not."""
    reached = training["minutes_to_it"]
    return f"{reached:g}" if reached else f"not in {training['minutes']:g} ({training['epochs']} epochs)"


def commit_of(entry: Entry) -> str:
    """The commit that an entry was measured on."""
    found = re.search(r"commit (\w+\+?)", entry["code"])
    return found[1] if found else str(entry["code"])


def section(original: Original, entries: Sequence[Entry]) -> str:
    """One reference system: what it reports, and of each way to measure its recipes the last time."""
    mine = [each for each in entries if Path(each["recipe"]).stem in original.recipes]
    rows = list({(each["recipe"], each["protocol"], each["seed"]): each for each in mine}.values())
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
    minutes = ", ".join(f"{each:g}" for each in entry["minutes_of_training"])
    changed = "; ".join(f"`{each}`" for each in entry["overrides"]) or "-"
    kept = [
        f"`{entry['command']}`",
        changed,
        commit_of(entry),
        f"{entry['split']['stamp']}: {shown}",
    ]
    return [Path(entry["recipe"]).stem, *kept, f"{minutes} minutes", entry["machine"]]


if __name__ == "__main__":
    TARGET.write_text(results(), encoding="utf-8")
