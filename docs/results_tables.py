"""Tables of the page of results that stand for themselves: beside the faithful recipes, B's leak, and how soon."""

from __future__ import annotations

from collections.abc import Sequence

from results_cells import Entry, called, commit_of, hashes_of, interval, networks_of, runnable, sizes_of, table

PAIRED = ("F1", "average precision")
"""What ours and the faithful recipe are compared by; the mean of the classes where there are several."""


def leak(entries: Sequence[Entry]) -> list[str]:
    """What the original of B measured, beside the same network on cells that it had not seen."""
    if not entries:
        return []
    last = entries[-1]
    rows = []
    for arm, of in last["arms"].items():
        by_epoch = ", ".join(f"{value:.3f}" for value in of["mean_f1_on_validation_by_epoch"])
        found = [interval(of["headline"].get(name)) for name in ("mean F1", "mean AUROC", "exact match")]
        rows.append([arm, sizes_of(of), by_epoch, *found, hashes_of(of["split"])])
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


def beside(entries: Sequence[Entry]) -> list[str]:
    """Our recipes beside the faithful ones on the same test images."""
    if not entries:
        return []
    pairs = [(entry, ours) for entry in entries for ours in entry["ours"]]
    head = ["recipe", "trainings, by seed", "images, groups"]
    head += [f"{name}: {what}" for name in PAIRED for what in ("ours", "faithful", "difference")]
    sources = ["run", "networks", "learnt from", "split", "commits of the trainings", "command", "commit", "machine"]
    return [
        "## Ours beside the faithful recipe",
        "",
        "What both sealed bundles call of the same test images; classes are averaged where there are several. "
        "Differences are paired, over whole groups: an interval above 0 tells ours from the faithful recipe on these "
        "images; of so few groups it is rough. Each line is one training of ours, and all lines of a recipe are beside "
        "one and the same training of the faithful one, so chance in training is not in the intervals. What each "
        "learnt from stands below: the recipes deal the images that are not for the test in other shares.",
        "",
        *table(head, (pair_row(entry, ours) for entry, ours in pairs)),
        "",
        "<details><summary>Where these numbers come from</summary>",
        "",
        *table(sources, (pair_source(entry, ours) for entry, ours in pairs)),
        "",
        "</details>",
        "",
    ]


def pair_row(entry: Entry, ours: Entry) -> list[str]:
    """The numbers of one of our runs beside the faithful one."""
    cells = [ours["recipe"], f"{ours['seed']}, faithful {entry['faithful']['seed']}", sizes_of(entry)]
    for name in PAIRED:
        found = ours["measures"].get(f"mean {name}") or ours["measures"].get(name, {})
        cells += [interval(found.get(key)) for key in ("other", "baseline", "difference")]
    return cells


def pair_source(entry: Entry, ours: Entry) -> list[str]:
    """Where they come from: of ours first, then of the faithful one."""
    both = (ours, entry["faithful"])
    return [
        ours["run"],
        networks_of(*both),
        ", ".join(f"{each['trained_on']:,}" for each in both),
        ", ".join(hashes_of(each["split"]) for each in both),
        ", ".join(commit_of({"code": each["run_code"]}) for each in both),
        *(f"`{runnable(entry)}`", commit_of(entry), entry["machine"]),
    ]


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
        stem = entry["recipe"].removesuffix(".yaml")
        name = called({**entry, "overrides": entry["overrides"][stem], "recipe_hash": ours["recipe_hash"]})
        rows.append(
            [name, f"{measure} {value}", *shown, times_ours(entry), whole,
             networks_of(ours, faithful), f"`{runnable(entry)}`", commit_of(entry), hashes_of(entry["split"]),
             entry["machine"]]
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


def minutes(training: Entry) -> str:
    """When the number was reached, or how near the training came."""
    if reached := training["minutes_to_it"]:
        return f"{reached:.3g}"
    best = max(value for _, value in training["curve"])
    return f"not in {training['minutes']:.3g} ({training['epochs']} epochs; at most {best:.3f})"


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
