"""How far readings of the same cells agree on crack and inactive region: with the labels, and with each other.

    python benchmarks/second_reader.py sheets DIR
    python benchmarks/second_reader.py note DIR ANSWERS.json NAME
    python benchmarks/second_reader.py measure RUN [--trial]

`sheets` draws the cells of reference system B that are at hand, in an order that says nothing, 36 a sheet, each under a
number. Fold 4 is for examples: one sheet of its cells with their labels, from which a reader learns what the labels
mean, as a network does. The cells of the other folds are read without their labels. The sheets show real cells: they
stay below DIR. `note` adds to readings-two.json, by names of cells, what was answered by their numbers: {"crack":
[numbers], "inactive": [numbers]}. What readers were told, and which cells count, was written there by hand. The first
sheet is left out of all that is measured, as an example of the form of an answer in what they were told named numbers
of it.

`measure` compares with the labels two readings and RUN, a finished cross-validation such as
runs/bench/solar-multilabel-folds: as its bundles call; calling in each fold as many cells as the first reading, those
with the highest probabilities; and by the thresholds that are best on each test part, which no bundle can have. Then
the second reading with the first. Mean F1 and the F1 of each class, 95 % intervals over groups, the difference from the
first reading, which is paired; and all of it again without the group with the most inactive cells. Appends to
results/second-reader.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from entries import ROOT, append, provenance, two_labels
from flawscope.data.group_file import load_groups
from flawscope.data.read import read
from flawscope.records import BoolArray, Samples
from flawscope.steps.provenance import today
from flawscope.steps.workspace import read_json
from flawscope.storage import write_json
from flawscope.training.recipe import load_recipe
from threshold_cost import EACH, Answers, answers_of, calls, measured, of_run

READINGS = ROOT / "benchmarks" / "readings-two.json"
RESULTS = ROOT / "benchmarks" / "results" / "second-reader.json"
GROUPS = ROOT / "benchmarks" / "groups" / "solar-multilabel.json"
RECIPE = ROOT / "recipes" / "solar-multilabel.yaml"
EXAMPLE_FOLD, SEED = 4, 20261128
ACROSS, SIDE, HEAD = 6, 200, 18
SHEET = ACROSS**2
NETWORK, AS_MANY = "the network", "the network, as many cells as the first reading"
AT_BEST = "the network, best thresholds of each fold"
RARE = "inactive"
CLASSES = {"crack", RARE}


def main() -> None:
    """Draw, note or measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ways = parser.add_subparsers(dest="way", required=True)
    ways.add_parser("sheets").add_argument("folder", type=Path)
    noting = ways.add_parser("note")
    noting.add_argument("folder", type=Path)
    noting.add_argument("answers", type=Path)
    noting.add_argument("name")
    measuring = ways.add_parser("measure")
    measuring.add_argument("run", type=Path)
    measuring.add_argument("--trial", action="store_true", help="print only, write nothing")
    asked = parser.parse_args()
    if asked.way == "sheets":
        samples = read(load_recipe(RECIPE, two_labels()).data, Path.cwd())
        sheets(samples, load_groups(GROUPS).of(samples)[1], asked.folder)
    elif asked.way == "note":
        note(read_json(asked.folder / "numbers.json"), read_json(asked.answers), asked.name)
    else:
        entry = compared(answers_of(asked.run), read_json(READINGS))
        print(json.dumps(entry, indent=1))
        if not asked.trial:
            append(RESULTS, {**provenance(), **of_run(asked.run), **entry})


def sheets(samples: Samples, fold: Mapping[str, int], folder: Path) -> None:
    """Draw all sheets, and write which number is which cell."""
    rng = np.random.default_rng(SEED)
    order_n = rng.permutation(len(samples))
    learnt_from = [place for place in order_n if fold[samples.rows[place].id] == EXAMPLE_FOLD]
    read_n = [place for place in order_n if fold[samples.rows[place].id] != EXAMPLE_FOLD]
    folder.mkdir(parents=True, exist_ok=True)
    target_nk = samples.target_nk >= 0.5
    shown = examples(learnt_from, target_nk)
    words = [" ".join(samples.task.classes[k] for k in np.flatnonzero(target_nk[n])) or "neither" for n in shown]
    draw(samples, shown, words).save(folder / "examples.png")
    for first in range(0, len(read_n), SHEET):
        some = read_n[first : first + SHEET]
        drawn = draw(samples, some, [str(first + number) for number in range(len(some))])
        drawn.save(folder / f"sheet-{first // SHEET:02d}.png")
    write_json(folder / "numbers.json", [samples.rows[place].id for place in read_n])


def examples(places: Sequence[int], target_nk: BoolArray) -> list[int]:
    """A sheet of them: first all that are inactive, then as many that are cracked only as show neither.

    >>> examples([3, 0, 1, 2], np.array([[1, 1], [1, 0], [0, 0], [0, 1]], dtype=bool))
    [3, 0, 1, 2]
    """
    inactive = [n for n in places if target_nk[n, 1]][:SHEET]
    cracked = [n for n in places if target_nk[n, 0] and not target_nk[n, 1]]
    neither = [n for n in places if not target_nk[n].any()]
    half = (SHEET - len(inactive)) // 2
    return [*inactive, *cracked[:half], *neither[: SHEET - len(inactive) - min(half, len(cracked))]]


def draw(samples: Samples, places: Sequence[int], words: Sequence[str]) -> Image.Image:
    """One sheet, each cell below its word, as bright as it is."""
    rows = -(-len(places) // ACROSS)
    sheet = Image.new("L", (ACROSS * SIDE, rows * (SIDE + HEAD)), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for number, (place, word) in enumerate(zip(places, words, strict=True)):
        left, top = number % ACROSS * SIDE, number // ACROSS * (SIDE + HEAD)
        pen.text((left + 2, top), word, fill=0, font=font)
        cell = Image.open(samples.rows[place].path).convert("L").resize((SIDE - 4, SIDE - 4))
        sheet.paste(cell, (left, top + HEAD))
    return sheet


def note(names: Sequence[str], answers: Mapping[str, Sequence[int]], name: str) -> None:
    """Add a reading to the file of readings, which names the cells that were on the sheets."""
    kept = read_json(READINGS)
    if any(reading["name"] == name for reading in kept["readings"]):
        raise SystemExit(f"{READINGS.name} has a {name} already: choose another name")
    if sorted(names) != sorted([*kept["read"], *kept["left out"]]):
        raise SystemExit(f"the cells of these sheets are not those of {READINGS.name}")
    if set(answers) != CLASSES:
        raise SystemExit(f"expected answers to {' and '.join(sorted(CLASSES))}, got {', '.join(answers) or 'none'}")
    kept["readings"].append({"name": name, "date": today(), **named_by(names, answers)})
    write_json(READINGS, kept)


def named_by(names: Sequence[str], answers: Mapping[str, Sequence[int]]) -> dict[str, list[str]]:
    """The names of the cells that were answered by their numbers.

    >>> named_by(["a.png", "b.png"], {"crack": [1, 0, 1], "inactive": []})
    {'crack': ['a.png', 'b.png'], 'inactive': []}
    """
    wrong = [number for numbers in answers.values() for number in numbers if not 0 <= number < len(names)]
    if wrong:
        raise SystemExit(f"numbers go from 0 to {len(names) - 1}, not {wrong[0]}")
    return {name: sorted({names[number] for number in numbers}) for name, numbers in answers.items()}


def compared(answers: Answers, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Two readings and a network beside the labels, on the cells that were read; and without the largest group.

    Args:
        answers: of a network, about these cells and others.
        kept: the file of readings.
    """
    some = answers.only(np.isin(answers.id_n, kept["read"]))
    if len(some.id_n) < len(kept["read"]):
        raise SystemExit(f"the run answers {len(some.id_n)} of the {len(kept['read'])} cells that were read")
    group_n, rare_n = np.array(some.group_n), some.truth_nk[:, some.classes.index(RARE)]
    groups, n_g = np.unique(group_n[rare_n], return_counts=True)
    largest = groups[n_g.argmax()]
    return {
        **beside(some, kept["readings"]),
        f"without {largest}": beside(some.only(group_n != largest), kept["readings"]),
    }


def beside(some: Answers, readings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Two readings and a network beside the labels of some cells, the second reading beside the first."""
    first_nk, second_nk = (calls_of(reading, some) for reading in readings[:2])
    first, second = (reading["name"] for reading in readings[:2])
    network = {
        NETWORK: some.sealed_nk,
        AS_MANY: as_many(some, first_nk),
        AT_BEST: calls(some)[EACH],
    }
    again = measured(replace(some, truth_nk=first_nk), {second: second_nk}, base=second)[second]
    return {
        "cells": len(some.id_n),
        "groups": len(set(some.group_n)),
        "labelled": shown(some, some.truth_nk),
        "called": {name: shown(some, flag_nk) for name, flag_nk in ((first, first_nk), (second, second_nk))},
        "beside the labels": measured(some, {first: first_nk, second: second_nk, **network}, base=first),
        f"{second} beside {first}": again,
        "both against the label": against(some, first_nk, second_nk),
    }


def calls_of(reading: Mapping[str, Any], answers: Answers) -> BoolArray:
    """What was called in a reading, n x k."""
    return np.array([[name in reading[label] for label in answers.classes] for name in answers.id_n])


def as_many(answers: Answers, flag_nk: BoolArray) -> BoolArray:
    """The cells with the highest probabilities, in each fold and class as many as in `flag_nk`."""
    called_nk = np.zeros_like(flag_nk)
    for fold in np.unique(answers.fold_n):
        inside_n = np.flatnonzero(answers.fold_n == fold)
        for k, wanted in enumerate(flag_nk[inside_n].sum(axis=0)):
            order = np.argsort(-answers.probability_nk[inside_n, k], kind="stable")
            called_nk[inside_n[order[:wanted]], k] = True
    return called_nk


def shown(answers: Answers, flag_nk: BoolArray) -> dict[str, int]:
    """How many images show each class."""
    return dict(zip(answers.classes, flag_nk.sum(axis=0).tolist(), strict=True))


def against(answers: Answers, first_nk: BoolArray, second_nk: BoolArray) -> dict[str, dict[str, list[str]]]:
    """Of each class, the cells of which both readings say the same, and the label the contrary."""
    both_nk = (first_nk == second_nk) & (first_nk != answers.truth_nk)
    return {
        name: {
            "called, not labelled": sorted(compress(answers.id_n, both_n & ~truth_n)),
            "labelled, not called": sorted(compress(answers.id_n, both_n & truth_n)),
        }
        for name, both_n, truth_n in zip(answers.classes, both_nk.T, answers.truth_nk.T, strict=True)
    }


if __name__ == "__main__":
    main()
