"""Write docs/results.md from the committed files of results: python docs/make_results.py."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from flawscope.errors import UserError
from flawscope.training.recipe import load_recipe
from results_words import FIRST_WEIGHTS, FIRST_WEIGHTS_MENDED, INTRODUCTION, ORIGINALS, Original

TARGET = Path(__file__).with_name("results.md")
RESULTS = TARGET.parents[1] / "benchmarks" / "results"
RECIPES = TARGET.parents[1] / "recipes"
Entry = Mapping[str, Any]


GOALS = "#what-was-aimed-at-and-what-has-been-reached"
OF_EACH = {"F1 of each class": ("classes", "F1"), "IoU of each class": ("pixels", "IoU")}
MEASURES = ("accuracy", "AUROC", "mean F1", "mean AUROC", "F1", "exact match", "escape rate", "overkill rate")


def results() -> str:
    """The page."""
    entries = read("reference-systems")
    sections = [section(original, entries) for original in ORIGINALS]
    after_c = next(place for place, each in enumerate(ORIGINALS, 1) if each.title.startswith("C:"))
    sections.insert(after_c, "\n".join(challenge(read("challenge-board"))))
    times = [*soon(read("time-to-number")), *near(read("resunet-time"))]
    return "\n".join([INTRODUCTION, *sections, *leak(read("copies-leak")), *times])


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


def leak(entries: Sequence[Entry]) -> list[str]:
    """What the original of B measured, beside the same network on cells that it had not seen."""
    if not entries:
        return []
    last = entries[-1]
    rows = []
    for arm, of in last["arms"].items():
        by_epoch = ", ".join(f"{value:.3f}" for value in of["mean_f1_on_validation_by_epoch"])
        found = [interval(of["headline"].get(name)) for name in ("mean F1", "mean AUROC", "exact match")]
        rows.append([arm, f"{of['n']:,}, {of['groups']:,}", by_epoch, *found, hashes_of(of["split"])])
    head = ["split", "images, groups", "mean F1 after epochs", "mean F1", "mean AUROC", "exact match", "split hashes"]
    return [
        "## B's leak",
        "",
        "The original turned and mirrored its cells first and split the pictures afterwards. Here its pictures are "
        f"made again of the cells at hand, and one network is trained twice with the same budget: {last['what']}. "
        "`leaky`: pictures dealt at random, as there; `clean`: all pictures of a benchmark group (modules, and what is "
        "joined to them) on one side. The difference is what copies and sister cells in training add together; a split "
        "by cells, which would tell one from the other, was not trained. The intervals of `leaky` "
        f"take each copy for a picture of its own, as its split does, and are too narrow. {apart(last)}Both bear "
        "the stamp LEAK NOT CHECKED: the copies are known here and were not searched for; the groups of `clean` were "
        "checked before (`benchmarks/groups`). So few epochs of so small pictures show the difference, not what B can "
        "reach.",
        "",
        *table(head, rows),
        "",
        f"`{runnable(last)}`, {commit_of(last['arms']['clean'])}, {last['machine']}.",
        "",
    ]


def apart(entry: Entry) -> str:
    """What lies between the arms of B's leak, where an entry says it."""
    found = entry.get("over_groups")
    if not found:
        return ""
    leaky, clean, more = (interval(found[name]) for name in ("leaky", "clean", "leaky, less clean"))
    return (
        f"Of the same pictures, drawn by whole groups: a mean F1 of {leaky} and {clean}: the original's protocol "
        f"shows {more} more. "
    )


def soon(entries: Sequence[Entry]) -> list[str]:
    """How long until the number of the original is reached."""
    if not entries:
        return []
    rows = []
    for entry in {each["recipe"]: each for each in entries}.values():
        ours, faithful = entry["trainings"]["ours"], entry["trainings"]["faithful"]
        shown = [minutes(each) for each in (ours, faithful)]
        measure, _, value = entry["wanted"].removeprefix("val_").partition(" of ")
        whole = f"{ours['minutes']:.3g} ({ours['minutes_on_the_clock']:.3g} on the clock)"
        networks = ", ".join(each["network"].partition(":")[2] for each in (ours, faithful))
        stem = entry["recipe"].removesuffix(".yaml")
        name = called({**entry, "overrides": entry["overrides"][stem], "recipe_hash": ours["recipe_hash"]})
        rows.append(
            [name, f"{measure} {value}", *shown, times_ours(entry), whole,
             networks, f"`{runnable(entry)}`", commit_of(entry), hashes_of(entry["split"]), entry["machine"]]
        )  # fmt: skip
    head = ["recipe", "wanted", "ours", "faithful", "ratio", "ours to the end", "networks", "command", "commit",
            "split", "machine"]  # fmt: skip
    return [
        "## How soon the original's number is reached",
        "",
        "Minutes of processor time, all threads together, until the validation part first shows what the original "
        "reports of its own; both trainings one after the other on one machine, one leak-free split and the same "
        "images. `ratio`: faithful over ours; `never`: the faithful one did not get there by its last epoch. A "
        "faithful recipe that begins from ImageNet has the backbone whose weights were at hand, as above. B's original "
        "reports a number of copies that it had learnt from: on new cells it may not be reached at all.",
        "",
        *table(head, rows),
        "",
    ]


def times_ours(entry: Entry) -> str:
    """Minutes of the faithful training over ours; at least how many where the faithful one was stopped before.

    >>> stopped = {"minutes_to_it": None, "minutes": 12.0, "ended": False}
    >>> times_ours({"faithful_over_ours": None, "trainings": {"ours": {"minutes_to_it": 2.5}, "faithful": stopped}})
    'above 4.8'
    """
    ours, faithful = entry["trainings"]["ours"], entry["trainings"]["faithful"]
    if ratio := entry["faithful_over_ours"]:
        return f"{ratio:g}"
    if ours["minutes_to_it"] is None:
        return "-"
    return "never" if faithful["ended"] else f"above {faithful['minutes'] / ours['minutes_to_it']:.2g}"


def near(entries: Sequence[Entry]) -> list[str]:
    """How near the ResUNet comes to its best in how many minutes, on one split."""
    if not entries:
        return []
    rows = []
    for entry in entries:
        best = max(each["best"] for each in entries if each["split"]["hash"] == entry["split"]["hash"])
        last = entry["curve"][-1][1]
        rows.append(
            [entry["epochs"], entry["device"], f"{entry['minutes_on_the_clock']:.3g}", f"{entry['minutes']:.3g}",
             f"{last:.3f}", f"{best - last:.3f}", f"`{runnable(entry)}`", commit_of(entry), hashes_of(entry["split"]),
             entry["machine"]]
        )  # fmt: skip
    head = ["epochs", "device", "minutes on the clock", "of processor time", "mean IoU at the end", "below the best",
            "command", "commit", "split", "machine"]  # fmt: skip
    return [
        "## How soon the ResUNet is near its best",
        "",
        "Reference system D's network on NEU-Seg, from scratch and with its own loss, trained to the end of so many "
        "epochs. Mean IoU of the validation part, by the torch network; the best is the best epoch of all "
        "lines of that split. The test part was not opened.",
        "",
        *table(head, rows),
        "",
    ]


def minutes(training: Entry) -> str:
    """When the number was reached, or how near the training came."""
    if reached := training["minutes_to_it"]:
        return f"{reached:.3g}"
    best = max(value for _, value in training["curve"])
    return f"not in {training['minutes']:.3g} ({training['epochs']} epochs; at most {best:.3f})"


def commit_of(entry: Entry) -> str:
    """The commit that an entry was measured on."""
    found = re.search(r"commit (\w+\+?)", entry["code"])
    return found[1] if found else str(entry["code"])


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


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


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
    return [name, f"{entry['protocol']}{which}", f"{entry['n']:,}, {entry['groups']:,}", *found]


def asked(entry: Entry) -> tuple[str, ...]:
    """What the command changed in the recipe; in which numbers a network was trained only makes it faster.

    >>> asked({"command": "x.py coil --set train.precision=bfloat16 --set 'model.metadata={a: auto}'"})
    ('model.metadata={a: auto}',)
    """
    changes = [after for word, after in pairwise(shlex.split(entry.get("command", ""))) if word == "--set"]
    return tuple(each for each in changes if not each.startswith("train.precision="))


def called(entry: Entry) -> str:
    """The name of the recipe, with a star where it is another one today."""
    try:
        same = load_recipe(RECIPES / entry["recipe"], entry["overrides"]).hash == entry["recipe_hash"]
    except UserError:  # a key that is no more
        same = False
    return Path(entry["recipe"]).stem + ("" if same else " \\*")


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


def interval(ends: Sequence[float] | None) -> str:
    """Value, low and high in words; a half of the last place is rounded up.

    >>> interval([0.9, 0.8515, 0.94])
    '0.900 (0.852 to 0.940)'
    """
    if ends is None:
        return "-"
    value, low, high = (Decimal(str(end)).quantize(Decimal("0.001"), ROUND_HALF_UP) for end in ends)
    return f"{value} ({low} to {high})"


def source(entry: Entry) -> list[str]:
    """One row of the second table."""
    minutes = ", ".join(f"{each:g}" for each in entry["minutes_of_training"])
    changed = "; ".join(f"`{each}`" for each in entry["overrides"]) or "-"
    epochs = ", ".join(dict.fromkeys(map(str, entry["epochs"])))
    kept = [
        *(f"`{entry['command']}`", changed, commit_of(entry)),
        f"{entry['split']['stamp']}: {hashes_of(entry['split'])}",
        f"{entry['network'].partition(':')[2]}, {' x '.join(map(str, entry['size']))}, {epochs} epochs",
    ]
    return [called(entry), *kept, f"{minutes} minutes" if minutes else "-", entry["machine"]]


def hashes_of(split: Entry) -> str:
    """The beginning of the hash of a split, or of those of the folds."""
    hashes = split["hash"]
    return ", ".join(each[:12] for each in ([hashes] if isinstance(hashes, str) else hashes))


def runnable(entry: Entry) -> str:
    """The command of an entry; some keep the name of the script alone."""
    return f"python benchmarks/{entry['command'].removeprefix('python benchmarks/')}"


if __name__ == "__main__":
    TARGET.write_text(results(), encoding="utf-8")
