"""Draw the figure of docs/label-noise.md and print what the page must state: python docs/make_noise_page.py.

All of it comes from the last entry of benchmarks/results/label-noise.json; a test compares the page with it.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "benchmarks" / "results" / "label-noise.json"
PICTURE = HERE / "images" / "label-noise.png"
INK, MUTED, CEILING, REACHED = "#20262e", "#66707c", "#0072b2", "#d55e00"
GRADES = ("0: functional, sure", "1/3: functional, not sure", "2/3: defective, not sure", "1: defective, sure")
SHOWN = (
    *(f"measure >= {least}" for least in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)),
    "both sure",
    "one unsure",
    "both unsure",
)
ROADS = {"stated": "stated certainty", "twice": "labelled twice", "sisters": "sisters"}

Entry = dict[str, Any]


def percent(found: Sequence[float]) -> str:
    """Value and interval in per cent.

    >>> percent([0.5, 0.25, 0.755])
    '50.0 % (25.0 to 75.5)'
    """
    value, low, high = (f"{100 * each:.1f}" for each in found)
    return f"{value} % ({low} to {high})"


def share(found: Sequence[float]) -> str:
    """Value and interval with three digits."""
    value, low, high = (f"{each:.3f}" for each in found)
    return f"{value} ({low} to {high})"


def span(found: Sequence[float], digits: int = 0) -> str:
    """Two ends in per cent."""
    return f"{100 * found[0]:.{digits}f} to {100 * found[1]:.{digits}f} %"


def roads(entry: Entry) -> dict[str, Entry]:
    """The three estimates of how often two readings of one cell disagree."""
    whole = entry["sisters"]["reweighted"]["all, mono taken to be like poly"]
    return {"stated": entry["stated"]["road"], "twice": entry["labelled_twice"]["road"], "sisters": whole["road"]}


def in_short(entry: Entry) -> str:
    """The sentences of the README."""
    published, ours = entry["compared"]["published"].values(), entry["compared"]["ours"]["accuracy"][0]
    return (
        "By three estimates, the best that anyone could reach against these labels is "
        f"{span(entry['ceiling']['accuracy'])} accuracy and an AUROC of {aurocs(entry)}, not 100 %, because the labels "
        f"themselves are not certain. The {100 * min(published):.1f} to {100 * max(published):.1f} % published "
        f"and our {100 * ours:.1f} % lie below"
    )


def aurocs(entry: Entry) -> str:
    """The ceiling of AUROC."""
    return f"{entry['ceiling']['AUROC'][0]:.2f} to {entry['ceiling']['AUROC'][1]:.2f}"


def roads_table(entry: Entry) -> str:
    """The three roads and their ceilings."""
    rows = [
        "| road | two readings disagree | ceiling, if it falls on few cells | ceiling, if on all alike |",
        "|---|---|---|---|",
    ]
    rows += [
        f"| {ROADS[name]} | {percent(found['disagreement'])} | {percent(found['accuracy_few'])} "
        f"| {percent(found['accuracy_alike'])} |"
        for name, found in roads(entry).items()
    ]
    return "\n".join(rows)


def auroc_table(entry: Entry) -> str:
    """The same for AUROC."""
    rows = ["| road | AUROC, if it falls on few cells | AUROC, if on all alike |", "|---|---|---|"]
    rows += [
        f"| {ROADS[name]} | {share(found['AUROC_few'])} | {share(found['AUROC_alike'])} |"
        for name, found in roads(entry).items()
    ]
    return "\n".join(rows)


def wrong_table(entry: Entry) -> str:
    """What if more or fewer of the unsure labels are wrong."""
    rows = [
        "| of the labels that he was not sure of, wrong are | labels that are right | best AUROC |",
        "|---|---|---|",
    ]
    found = entry["stated"]["wrong"]
    rows += [f"| {name} | {percent(each['right'])} | {share(each['AUROC'])} |" for name, each in found.items()]
    return "\n".join(rows)


def sisters_table(entry: Entry) -> str:
    """Opposite labels by how alike, and by certainty."""
    rows = ["| pairs | number | with opposite labels | share, each cell counted once |", "|---|---|---|---|"]
    strata = {"all": entry["sisters"]["all"], **entry["sisters"]["strata"]}
    rows += [
        f"| {name} | {strata[name]['pairs']:,} | {strata[name]['opposite']} | {percent(strata[name]['rate'])} |"
        for name in ("all", *SHOWN, "called a copy (re-encoded, exposure, shifted)", "mono", "poly")
    ]
    return "\n".join(rows)


def grades_table(entry: Entry) -> str:
    """What a sister and a second reader say at each grade."""
    rows = [
        "| the expert's label | a sister is called defective | the second reader finds a defect | chance of a defect |",
        "|---|---|---|---|",
    ]
    for sister, second in zip(entry["sisters"]["other_is_defective"], entry["second_reading"]["grades"], strict=True):
        chance = percent(second["chance"]) if second["chance"] else f"(taken as {sister['grade'] // 3})"
        said_of = (percent(sister["rate"]), percent(second["finds_a_defect"]), chance)
        rows.append(f"| {GRADES[sister['grade']]} | {' | '.join(said_of)} |")
    return "\n".join(rows)


def sentences(entry: Entry) -> list[str]:
    """What stands in the text."""
    return [*_in_general(entry), *_of_the_roads(entry)]


def _in_general(entry: Entry) -> list[str]:
    counts = [sum(kind) for kind in zip(*entry["grades"].values(), strict=True)]
    second, ours, ceiling = entry["second_reading"], entry["compared"]["ours"], entry["ceiling"]
    missing, (least, most) = 1 - ours["accuracy"][0], (1 - each for each in reversed(ceiling["accuracy"]))
    return [
        f"**{span(ceiling['accuracy'])} accuracy** and an **AUROC of {aurocs(entry)}**",
        f"the ends of the intervals reach from {span(ceiling['accuracy, ends of the intervals'])}",
        f"Of the {sum(counts):,} cells {counts[0]:,} carry 0, {counts[1]} 1/3, {counts[2]} 2/3 and {counts[3]} 1.",
        f"agree on {percent(second['agreement'])} of {second['cells']:,} cells",
        f"{percent(second['right'])} of the labels are right, and the best AUROC is {share(second['AUROC'])}",
        f"Our recipe reaches {percent(ours['accuracy'])} and an AUROC of {share(ours['AUROC'])}",
        f"Of the {100 * missing:.1f} points that it misses, noise explains {100 * least:.1f} to {100 * most:.1f}",
    ]


def _of_the_roads(entry: Entry) -> list[str]:
    stated, twice, sisters = entry["stated"], entry["labelled_twice"], entry["sisters"]
    seen, types, strata = sisters["looked_at"], stated["right_by_type"], sisters["strata"]
    mono, n = sum(entry["grades"]["mono"]), sum(map(sum, entry["grades"].values()))
    reweighted = sisters["reweighted"]["all, mono taken to be like poly"]["opposite"]
    return [
        f"{percent(stated['wrong']['one in three']['right'])} of the labels are right",
        f"{100 * types['mono']:.1f} % of mono, {100 * types['poly']:.1f} % of poly",
        f"{twice['other_grade']} of {twice['cells']} cells got another grade, and {twice['opposite']} the opposite one",
        f"The {twice['called_defective_once']} cells that were called defective at all were called so once, "
        f"and {twice['called_defective_twice'] or 'none'} of them twice",
        f"{entry['pairs']['n']:,} pairs of near-identical cells, {entry['opposite_pairs']} with opposite labels",
        f"{percent(sisters['all, over clusters alone']['rate'])} over clusters of sisters",
        f"{percent(sisters['weighted_by_likeness'])} with each pair counted by how alike it is",
        f"in {seen['explained']} of {seen['opposite']} pairs with opposite labels the defect could be seen",
        f"in {seen['the_other_way_round']} it was seen in the other one",
        f"In {seen['same_label_but_differ']} of {seen['same_label']} pairs with the same label",
        f"{percent(seen['unexplained'])} remain unexplained",
        f"a sister carries the opposite label in {percent(reweighted)} of the cases",
        f"{mono:,} of the {n:,} cells are mono, and these have {strata['mono']['pairs']} pairs",
    ]


def said(entry: Entry) -> list[str]:
    """All that the page must hold, word by word."""
    tables = (roads_table, auroc_table, wrong_table, sisters_table, grades_table)
    return [*(table(entry) for table in tables), *sentences(entry)]


def figure(path: Path, entry: Entry) -> None:
    """Ceilings above, what has been reached below."""
    rows: list[tuple[str, Sequence[float], str, str]] = []
    for name, found in roads(entry).items():
        rows.append((f"{ROADS[name]}: all cells alike", found["accuracy_alike"], CEILING, "o"))
        rows.append((f"{ROADS[name]}: few cells", found["accuracy_few"], CEILING, "s"))
    rows.append(("second reader, on these labels", entry["second_reading"]["agreement"], MUTED, "D"))
    for name, value in entry["compared"]["published"].items():
        rows.append((f"{name.split(',')[0]}, random split", [value] * 3, MUTED, "D"))
    rows.append(("our recipe, folds proven free of leaks", entry["compared"]["ours"]["accuracy"], REACHED, "D"))
    drawing = Figure(figsize=(7.4, 3.9), dpi=130, layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.add_subplot()
    low, high = entry["ceiling"]["accuracy"]
    axes.axvspan(low, high, color=CEILING, alpha=0.15, lw=0)
    for place, (_, (value, least, most), colour, marker) in enumerate(rows):
        bar = [[value - least], [most - value]]
        axes.errorbar(
            value, place, xerr=bar if most > least else None, fmt=marker, color=colour, capsize=3, lw=1.6, ms=5
        )
    axes.text((low + high) / 2, -0.75, "ceiling", ha="center", va="center", fontsize=9, color=CEILING)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows], fontsize=9, color=INK)
    axes.set(xlim=(0.74, 1.0), ylim=(len(rows) - 0.5, -1.2), xticks=[0.75, 0.8, 0.85, 0.9, 0.95, 1.0])
    axes.set_xlabel("accuracy against the labels, and 95 % interval", fontsize=9)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}".replace("%", " %"))
    axes.spines[["top", "right"]].set_visible(False)
    drawing.savefig(stream := io.BytesIO(), facecolor="white")
    Image.open(stream).convert("RGB").quantize(96, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    last = json.loads(RESULTS.read_text(encoding="utf-8"))[-1]
    figure(PICTURE, last)
    sys.stdout.write("\n\n".join([*said(last), in_short(last)]) + f"\n\nwrote {PICTURE.name}\n")
