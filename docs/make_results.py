"""Write docs/results.md from the committed files of results: python docs/make_results.py."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from results_cells import RECIPES, Entry, called, commit_of, hashes_of, interval, networks_of, sizes_of, table
from results_tables import beside, leak, near, soon
from results_words import FIRST_WEIGHTS, FIRST_WEIGHTS_MENDED, INTRODUCTION, ORIGINALS, Original

TARGET = Path(__file__).with_name("results.md")
RESULTS = TARGET.parents[1] / "benchmarks" / "results"
GOALS = "#what-was-aimed-at-and-what-has-been-reached"
OF_EACH = {"F1 of each class": ("classes", "F1"), "IoU of each class": ("pixels", "IoU")}
MEASURES = ("accuracy", "AUROC", "mean F1", "mean AUROC", "F1", "exact match", "escape rate", "overkill rate")


def results() -> str:
    """The page."""
    entries = read("reference-systems")
    sections = [section(original, entries) for original in ORIGINALS]
    after_c = next(place for place, each in enumerate(ORIGINALS, 1) if each.title.startswith("C:"))
    sections.insert(after_c, "\n".join(challenge(read("challenge-board"))))
    pairs = beside(read("beside-faithful"))
    times = [*soon(read("time-to-number")), *near(read("resunet-time"))]
    return "\n".join([INTRODUCTION, *sections, *pairs, *leak(read("copies-leak")), *times])


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
        *([FIRST_WEIGHTS, ""] if last["date"] < FIRST_WEIGHTS_MENDED else []),
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
    training = f"{entry['epochs']} epochs, {entry['minutes_of_training']:g} minutes"
    split, seals = (each[:12] for each in (entry["split"]["hash"], entry["seals"]))
    return [name, board_recipe(entry), changed, commit_of(entry), split, training, seals, entry["machine"]]


def board_recipe(entry: Entry) -> str:
    """Its recipe, with a star where that is another one today; that of the kit is made anew with each kit."""
    return called(entry) if (RECIPES / entry["recipe"]).is_file() else f"`{entry['recipe']}` of the kit"


def section(original: Original, entries: Sequence[Entry]) -> str:
    """One reference system: what it reports, and of each way to measure its recipes the last time."""
    mine = [each for each in entries if Path(each["recipe"]).stem in original.recipes]
    rows = list({(each["recipe"], each["protocol"], each["seed"], asked(each)): each for each in mine}.values())
    rows.sort(
        key=lambda each: (
            original.recipes.index(Path(each["recipe"]).stem), each["protocol"], asked(each), each["date"],
        )
    )  # fmt: skip
    lines = [f"## {original.title}", "", f"**The original reports** {original.reported}. {original.compare}", ""]
    missing = [name for name in original.recipes if not any(Path(each["recipe"]).stem == name for each in rows)]
    if rows:
        shown = [values(each) for each in rows]
        found = dict.fromkeys(key for each in shown for key in each)
        measures = original.measures or [name for name in dict.fromkeys((*MEASURES, *found)) if name in found]
        lines += table(
            ["recipe", "protocol", "images, groups", *measures],
            [*theirs(original, measures), *(numbers(each, measures) for each in rows)],
        )
        lines += ["", "<details><summary>Where these numbers come from</summary>", ""]
        head = ["recipe", "command", "changed", "commit", "split", "trained", "training", "machine"]
        lines += [*table(head, (source(each) for each in rows)), "", "</details>", ""]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        lines += [f"Not measured yet: {names} ([why](reference-systems.md{GOALS})).", ""]
    return "\n".join(lines)


def theirs(original: Original, measures: Sequence[str]) -> list[list[str]]:
    """The row of the original, where it reports one of our measures."""
    if original.line is None:
        return []
    protocol, images, reported = original.line
    return [["*the original*", protocol, images, *(reported.get(name, "-") for name in measures)]]


def numbers(entry: Entry, measures: Sequence[str]) -> list[str]:
    """One row of the first table."""
    fold = entry.get("fold", re.findall(r"fold (\d)", entry["what"]) or [None])[0]  # old lines have it in words
    of_fold = f", fold {fold}" if entry["protocol"] == "seeds" and fold is not None else ""
    which = of_fold + ("" if entry["seed"] is None else f", seed {entry['seed']}")
    known = values(entry)
    each = {of: "; ".join(f"{name} {ends[0]:.3f}" for name, ends in of_each(entry, of).items()) for of in OF_EACH}
    found = [each.get(name) or interval(known.get(name)) for name in measures]
    name = ", ".join([called(entry), *(f"`{each}`" for each in asked(entry))])
    return [name, f"{entry['protocol']}{which}", sizes_of(entry), *found]


def asked(entry: Entry) -> tuple[str, ...]:
    """What the command changed in the recipe; in which numbers a network was trained only makes it faster.

    >>> asked({"command": "x.py coil --set train.precision=bfloat16 --set 'model.metadata={a: auto}'"})
    ('model.metadata={a: auto}',)
    """
    changes = [after for word, after in pairwise(shlex.split(entry.get("command", ""))) if word == "--set"]
    return tuple(each for each in changes if not each.startswith("train.precision="))


def values(entry: Entry) -> dict[str, Sequence[float]]:
    """The headline, of several classes the F1 of each, and what the gate does by itself."""
    gate = {f"gate: {name}": ends for name, ends in entry.get("gate", {}).items()}
    if saved := entry.get("gate_time", {}).get("saved"):
        gate["gate: time saved"] = [saved[end] for end in ("value", "low", "high")]
    f1 = {f"F1 of {name}": ends for name, ends in of_each(entry, "F1 of each class").items()}
    return {**entry["headline"], **f1, **gate}


def of_each(entry: Entry, column: str) -> dict[str, Sequence[float]]:
    """A measure of each class, where there are several."""
    key, measure = OF_EACH[column]
    classes = {name: of for name, of in entry.get(key, {}).items() if name != "any flaw"}
    return {name: of[measure] for name, of in classes.items() if measure in of} if len(classes) > 1 else {}


def source(entry: Entry) -> list[str]:
    """One row of the second table."""
    minutes = ", ".join(f"{each:g}" for each in entry["minutes_of_training"])
    changed = "; ".join(f"`{each}`" for each in entry["overrides"]) or "-"
    epochs = ", ".join(dict.fromkeys(map(str, entry["epochs"])))
    kept = [
        *(f"`{entry['command']}`", changed, commit_of(entry)),
        f"{entry['split']['stamp']}: {hashes_of(entry['split'])}",
        f"{networks_of(entry)}, {' x '.join(map(str, entry['size']))}, {epochs} epochs",
    ]
    return [called(entry), *kept, f"{minutes} minutes" if minutes else "-", entry["machine"]]


if __name__ == "__main__":
    TARGET.write_text(results(), encoding="utf-8")
