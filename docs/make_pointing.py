"""Write docs/pointing.md from benchmarks/results/pointing.json: python docs/make_pointing.py."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flawscope.explanation.default import LAYER, METHOD
from flawscope.explanation.explained import SIGNED

TARGET = Path(__file__).with_name("pointing.md")
RESULTS = TARGET.parents[1] / "benchmarks" / "results" / "pointing.json"
SETS = ("magnetic-tile", "neu-seg", "steel")
WRONG, CENTRE, SMOOTHED = "filter-gradients", "centre", "integrated-gradients"
OF = "" if METHOD in SIGNED else f", layer {LAYER}" if LAYER else ", of the last layer before the head"
Entry = Mapping[str, Any]
INTRODUCTION = f"""\
<!-- Made by `python docs/make_pointing.py` from benchmarks/results/pointing.json. Do not edit. -->
# Do heat maps point at the flaw?

A classifier that has only seen whole images and their labels is asked for the flaw, and its maps are measured against
the true masks, which it has never seen. All images are of the test part of a grouped split, and flawed. The default of
`flawscope explain` and of the report is **{METHOD}**{OF}
(`src/flawscope/explanation/default.py`).

- **Pointing**: in what share of the images the largest value of the map lies in the mask (Zhang et al. 2016). Chance is
  the mean share of the masks. In the next column it may also lie 15 pixels beside it, as Zhang et al. count.
- **Energy**: the share of what is positive in a map that lies in the mask (Wang et al. 2020).
- **Deletion, insertion**: the mean probability of the answer while pixels are taken out, and while they are put into a
  blurred picture, in the order of the map (Petsiuk et al. 2018). The first should be small, the second large.
- **Better than aside**: in what share of the images insertion minus deletion is larger than with the same map moved
  half a picture aside. A map of places taken at random would have 0.5; one of the middle has what stands beside
  `{CENTRE}`, which may be much, where flaws or parts lie in the middle.

`{WRONG}` is what reference system E takes for Grad-CAM, and wrong. `{CENTRE}` is a map that always points to the
middle. Each map is of one look at the picture, also where a recipe decides by the mean over eight views. In parentheses
stand 95 % intervals over groups. To measure again: `python benchmarks/pointing.py`.
"""


def page(entries: Sequence[Entry]) -> str:
    """The page: of each set the last measurement on its test part, and the layers that were compared before."""
    lines = [INTRODUCTION]
    for name in SETS:
        own = [each for each in entries if each["set"] == name]
        tested = [each for each in own if each["part"] == "test"]
        lines += section(name, tested[-1] if tested else None, [each for each in own if each["part"] == "validation"])
    return "\n".join(lines)


def section(name: str, tested: Entry | None, tried: Sequence[Entry]) -> list[str]:
    """One set."""
    if tested is None:
        return [f"## {name}", "", "Not measured yet.", ""]
    methods = tested["methods"]
    chance = f"{methods[0]['chance']:.3f}"
    near = next((value for key, value in methods[0].items() if key.startswith("chance_within")), None)
    chance += "" if near is None else f", within 15 pixels {near:.3f}"
    size = " x ".join(map(str, tested["size"]))
    known = ", ".join(f"{value:.3f} ({of})" for of, value in tested["auroc"].items())
    head = ["method", "layer", "images", "pointing", "within 15 pixels", "energy", "deletion", "insertion",
            "better than aside"]  # fmt: skip
    lines = [
        f"## {name}",
        "",
        f"{tested['what']}; {tested['network']} at {size}, AUROC {known}. Chance: {chance}.",
        "",
        *table(head, [row(each) for each in methods]),
        "",
    ]
    fewer = sorted({each["n"] for each in methods})
    if len(fewer) > 1:
        lines += [f"The methods that need many passes were measured on every {tested['every']}th image.", ""]
    lines += [
        f"Deletion and insertion were measured on at most {tested['curves']} images. `{tested['command']}`, "
        f"{commit_of(tested)}, {tested['machine']}; {tested['split']['stamp']}.",
        "",
    ]
    if layered := [each for each in tried if each.get("smooth") is None]:
        lines += ["Layers, compared on the validation part:", "", *layers(layered), ""]
    if any(each.get("smooth") is not None for each in tried):
        lines += ["Integrated gradients, smoothed more and less, on the validation part:", "", *smoothing(tried), ""]
    return lines


def row(found: Entry) -> list[str]:
    """The numbers of one method."""
    curves = found["curves"]
    near = next(value for key, value in found.items() if key.startswith("pointing_within"))
    return [
        f"**{found['method']}**" if found["method"] == METHOD else found["method"],
        found["layer"] or "-",
        f"{found['n']:,}",
        interval(found["pointing"]),
        interval(near),
        interval(found["energy"]),
        f"{curves['own']['deletion']:.3f}",
        f"{curves['own']['insertion']:.3f}",
        interval(curves["margin_better_than_aside"]),
    ]


def layers(tried: Sequence[Entry]) -> list[str]:
    """Pointing of each method at each layer that was tried, the last time."""
    last = {(entry["layer"], tuple(entry["size"])): entry for entry in tried}
    names = list(dict.fromkeys(each["method"] for entry in last.values() for each in entry["methods"] if each["layer"]))
    rows = []
    for (layer, size), entry in last.items():
        found = {each["method"]: interval(each["pointing"]) for each in entry["methods"]}
        rows.append([layer, " x ".join(map(str, size)), *(found.get(name, "-") for name in names)])
    return table(["layer", "size", *(f"pointing of {name}" for name in names)], rows)


def smoothing(tried: Sequence[Entry]) -> list[str]:
    """Pointing of integrated gradients under each Gaussian that was tried, the last time."""
    last = {entry.get("smooth"): each for entry in tried for each in entry["methods"] if each["method"] == SMOOTHED}
    order = sorted(last, key=lambda pixels: (pixels is None, pixels))
    called = {pixels: "a 32nd of the longer side" if pixels is None else f"{pixels:g} pixels" for pixels in order}
    rows = [[called[each], interval(last[each]["pointing"]), interval(last[each]["energy"])] for each in order]
    return table(["standard deviation", "pointing", "energy"], rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def interval(ends: Sequence[float]) -> str:
    """Value, low and high.

    >>> interval([0.9, 0.8512, 0.94])
    '0.900 (0.851 to 0.940)'
    """
    return f"{ends[0]:.3f} ({ends[1]:.3f} to {ends[2]:.3f})"


def commit_of(entry: Entry) -> str:
    """The commit that an entry was measured on."""
    found = re.search(r"commit (\w+\+?)", entry["code"])
    return found[1] if found else str(entry["code"])


def read() -> Sequence[Entry]:
    """The entries of the file of results; none if it is not there."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else []


if __name__ == "__main__":
    TARGET.write_text(page(read()), encoding="utf-8")
