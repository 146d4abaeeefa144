"""Numbers as words for people who do not do statistics: what a measure says about the next hundred parts.

An interval is the plain dictionary of the metrics document (`Interval.as_dict`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flawscope.wording import digits_apart, interval_in_words

RATES = (
    "accuracy", "exact match", "recall", "precision", "specificity", "escape rate", "overkill rate", "review load",
    "flaw recall",
)  # fmt: skip
"""Measures that count cases and read best in percent; the others lie between 0 and 1 as they are."""

ORDER = (
    "escape rate",
    "overkill rate",
    "review load",
    "accuracy",
    "recall",
    "precision",
    "specificity",
    "F1",
    "AUROC",
    "average precision",
)
"""The order of a class's measures on the page; measures not named here follow."""

EXPLAINED = {
    "escape rate": "of those with {name}, the share let through",
    "overkill rate": "of those without, the share rejected",
    "review load": "share of all that is for a person",
    "accuracy": "share of right decisions",
    "recall": "of those with {name}, the share found",
    "precision": "of those called {name}, the share that are",
    "specificity": "of those without, the share left alone",
    "F1": "harmonic mean of recall and precision",
    "AUROC": "chance that the score ranks a random pair rightly",
    "average precision": "precision averaged over all thresholds",
    "expected calibration error": "by how much a probability is off on average, without the part of chance",
    "Brier score": "squared distance of probability and truth (0 or 1), on average; 0 is best",
    "log loss": "minus the logarithm of the probability of the truth, on average; 0 is best",
}


MASKS = {
    "mean IoU": "Overlap over union of truth and marks, over all pixels; the mean of the classes. 1 is perfect.",
    "IoU of any flaw": "Overlap over union with all classes as one: is a flaw marked, whatever it is called?",
    "mean Dice": "Twice the overlap over the sum of truth and marks, over all pixels; the mean of the classes.",
    "mean Dice over images": "As Kaggle's Severstal contest counts: image by image and class by class, 1 where nothing "
    "is and nothing is marked.",
    "mean Dice on flawed": "Twice the overlap over the sum, image by image, only where the class truly shows: "
    "nothing is won by empty images.",
    "mean Dice of no marks": "What an answer without a single mark would get of it, for comparison.",
    "flaw recall": "Of the true flaws, the share that is found: marked under its name for a quarter at least.",
}
"""What the measures of masks say, for a headline."""


def number(measure: str, value: float) -> str:
    r"""A value in the form its measure is read in.

    >>> number("accuracy", 0.7981), number("AUROC", 0.8731)
    ('79.8\xa0%', '0.873')
    """
    return f"{100 * value:.1f}\N{NO-BREAK SPACE}%" if is_rate(measure) else f"{value:.3f}"


def measured(measure: str, interval: Mapping[str, Any]) -> tuple[str, str]:
    r"""A value and the ends of its interval, in so many digits that the ends do not read alike.

    >>> measured("accuracy", {"value": 0.8, "low": 0.7, "high": 0.81})
    ('80.0\xa0%', '70.0 to 81.0\xa0%')
    >>> measured("IoU", {"value": 0.0001, "low": 0.0, "high": 0.0003})
    ('0.0001', '0.0000 to 0.0003')
    >>> measured("false flaws an image", {"value": 1113.833, "low": 871.072, "high": 1588.849})
    ('1,113.8', '871.1 to 1,588.8')
    """
    scale, usual, unit = (100, 1, "\N{NO-BREAK SPACE}%") if is_rate(measure) else (1, 3, "")
    value, low, high = (scale * interval[key] for key in ("value", "low", "high"))
    if not unit and value >= 10:  # a count: false flaws an image
        usual = 1
    value_said, ends = interval_in_words(value, low, high, usual)
    return f"{value_said}{unit}", f"{ends}{unit}"


def watched(measure: str) -> str:
    """The words for a measure that is watched while training, as the recipe names it.

    >>> watched("auroc"), watched("average_precision"), watched("loss")
    ('AUROC', 'average precision', 'loss')
    """
    return {"auroc": "AUROC", "f1": "F1"}.get(measure, measure.replace("_", " "))


def is_rate(measure: str) -> bool:
    """Whether a measure, or the mean of it over classes, reads best in percent."""
    return measure.removeprefix("mean ") in RATES


def span(measure: str, interval: Mapping[str, Any]) -> str:
    r"""The ends of an interval, as `measured` has them.

    >>> span("accuracy", {"value": 0.8, "low": 0.7, "high": 0.81})
    '70.0 to 81.0\xa0%'
    """
    return measured(measure, interval)[1]


def of_hundred(interval: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """A share as a count of 100: (100, count, low, high); of 1000 and so on where 100 would hide it.

    >>> of_hundred({"value": 0.183, "low": 0.121, "high": 0.262})
    (100, 18, 12, 26)
    >>> of_hundred({"value": 0.003, "low": 0.001, "high": 0.009})
    (1000, 3, 1, 9)
    """
    base = 100
    while base < 1_000_000:
        count, low, high = (round(base * interval[key]) for key in ("value", "low", "high"))
        # Neither "0 of 100" for something that happens nor "0 (0 to 0)" may stand on the page.
        if low < high and (0 < count < base or interval["value"] in (0.0, 1.0)):
            break
        base *= 10
    return base, count, low, high


def meaning(
    measure: str, interval: Mapping[str, Any], task: Mapping[str, Any], items: str, *, three: bool = False
) -> str:
    """One sentence on what a headline measure means for the parts, with its interval.

    `three`: there is a third answer, that a person has to look.

    >>> task = {"kind": "binary", "classes": ["defective"], "negative": "functional"}
    >>> meaning("escape rate", {"value": 0.183, "low": 0.121, "high": 0.262}, task, "cells")
    'Of 100 defective cells, 18 pass as functional (12 to 26).'
    """
    find = task["classes"][0] if task["kind"] == "binary" else "the class"
    negative = task["negative"]
    base, count, low, high = of_hundred(interval)
    few = f"{count:,} {{}} ({low:,} to {high:,})."
    mixed, alone = f"Of {base:,} {items} mixed as in this test", " without a person" if three else ""
    sentences = {
        "escape rate": f"Of {base:,} {find} {items}, {few.format(f'pass as {negative}{alone}')}",
        "overkill rate": f"Of {base:,} {negative} {items}, {few.format(f'are rejected as {find}{alone}')}",
        "review load": f"{mixed}, {few.format('are for a person')}",
        "accuracy": f"{mixed}, {few.format(f'are decided rightly{alone}')}",
        "exact match": f"{mixed}, {few.format(f'get every answer right{alone}')}",
        "AUROC": f"Of {base:,} pairs of one {find} and one {negative}, the score puts {count:,} in the right order; "
        "chance would be half.",
        "F1": f"Recall and precision in one number: at 1 all {find} {items} are found{alone} and no others are called "
        "so.",
        "mean AUROC": "How well the scores separate each class from the rest, averaged over the classes; "
        "0.5 is chance, 1 is perfect.",
        "mean F1": "Recall and precision in one number, averaged over the classes; every class counts alike.",
    }
    return sentences.get(measure, MASKS.get(measure, ""))


def class_escape(name: str, interval: Mapping[str, Any], items: str, *, three: bool = False) -> str:
    """One sentence on how often a class of several is missed; `three`: see `meaning`."""
    base, count, low, high = of_hundred(interval)
    missed = "ruled out without a person" if three else "not recognised as such"
    return f"Of {base:,} {items} with {name}, {count:,} are {missed} ({low:,} to {high:,})."


def gain(measure: str, difference: Mapping[str, Any]) -> str:
    """A difference with its interval: rates in percentage points, the others as they are.

    >>> gain("accuracy", {"value": 0.0213, "low": 0.004, "high": 0.039})
    '+2.1 (0.4 to 3.9) points'
    >>> gain("AUROC", {"value": -0.012, "low": -0.03, "high": 0.006})
    '-0.012 (-0.030 to 0.006)'
    >>> gain("AUROC", {"value": 0.0001, "low": -0.0001, "high": 0.0004})
    '+0.0001 (-0.0001 to 0.0004)'
    """
    scale, usual, unit = (100, 1, " points") if is_rate(measure) else (1, 3, "")
    value, low, high = (scale * difference[key] for key in ("value", "low", "high"))
    digits = digits_apart(low, high, usual)
    # Nothing is "-0.0", and 0 has no sign.
    value, low, high = (round(number, digits) + 0.0 for number in (value, low, high))
    sign = "+" if value > 0 else ""
    return f"{sign}{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f}){unit}"


def verdict(names: tuple[str, str], measure: str, difference: Mapping[str, Any], p: float | None, where: str) -> str:
    """One sentence: is the second run better than the first (the baseline)? `where` says on what it was measured.

    Better or worse is said only where the interval leaves 0 out, and, where there is a test, `p` is below 0.05.

    >>> verdict(("A", "B"), "accuracy", {"value": 0.021, "low": 0.004, "high": 0.039}, 0.01, "these 525 images")
    'B is better than A by 2.1 (0.4 to 3.9) points of accuracy on these 525 images (p = 0.010).'
    >>> verdict(("A", "B"), "AUROC", {"value": 0.004, "low": -0.01, "high": 0.02}, None, "these 525 images")
    'B and A cannot be told apart by AUROC on these 525 images: +0.004 (-0.010 to 0.020).'
    """
    first, second = names
    apart = difference["low"] > 0 or difference["high"] < 0
    chance = "" if p is None else f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
    brackets = f" ({chance})" if chance else ""
    if apart and (p is None or p < 0.05):
        better = difference["value"] > 0
        ends = {"value": abs(difference["value"]), "low": difference["low"], "high": difference["high"]}
        if not better:
            ends |= {"low": -difference["high"], "high": -difference["low"]}
        size = gain(measure, ends).removeprefix("+")
        return (
            f"{second} is {'better' if better else 'worse'} than {first} by {size} of {measure} on {where}{brackets}."
        )
    if apart or (p is not None and p < 0.05):
        return (
            f"Whether {second} differs from {first} in {measure} on {where} is not clear: {gain(measure, difference)}, "
            f"but {chance}: take them as not told apart."
        )
    return f"{second} and {first} cannot be told apart by {measure} on {where}: {gain(measure, difference)}{brackets}."
