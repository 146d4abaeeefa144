"""A learning curve in plain words, from the document of curve.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flawscope.pages.words import gain, measured, number, watched
from flawscope.wording import counted

FEW_GROUPS = 20


def about(images: float) -> str:
    """A number of images as exact as it is known: two digits.

    >>> about(2637), about(94), about(180_400)
    ('2,600', '94', '180,000')
    """
    digits = len(str(round(images)))
    return f"{round(images, min(0, 2 - digits)):,.0f}"


def curve_sentences(document: Mapping[str, Any]) -> Iterator[str]:
    """What was measured, what more images would bring, and how many a wanted value needs."""
    measure, points = watched(document["measure"]), document["points"]
    first, last = points[0], points[-1]
    if first["interval"] and last["interval"]:
        yield (
            f"Learnt from {counted(last['images'], 'images')}, {measure} is {_value(measure, last['interval'])} on the "
            f"calibration part; from {counted(first['images'], 'images')}, "
            f"{number(measure, first['interval']['value'])}."
        )
    if document["unsaid"]:
        yield f"What more images would bring cannot be said from these trainings: {document['unsaid']}."
        return
    for row in document["forecast"][1:]:
        yield (
            f"With {row['times']:g} times as many, {row['images']:,}, it would be about "
            f"{_value(measure, row['interval'])}: {_gain(measure, row['gain'], document['measure'] == 'loss')}."
        )
    if document["reach"]:
        yield _reach(measure, document["reach"], document["points"][-1]["images"], document)


def _value(measure: str, interval: Mapping[str, Any]) -> str:
    value, ends = measured(measure, interval)
    return f"{value} ({ends})"


def _gain(measure: str, found: Mapping[str, Any], loss: bool) -> str:
    """By how much it gets better; the sign is that of getting better."""
    better = "lower" if loss else "better"
    if found["high"] <= 0.0005:
        return "no better"
    return f"{better} by {gain(measure, found).removeprefix('+')}"


def _reach(measure: str, found: Mapping[str, Any], most: int, document: Mapping[str, Any]) -> str:
    """How many images a wanted value needs, as a range, or that it cannot be said.

    >>> found = {"value": 0.95, "images": 3000, "low": 2000, "high": None}
    >>> _reach("AUROC", found, 1000, {"in_all": 2000, "points": [{"images": 1000}]})
    'AUROC 0.950 needs about 3,000 training images, at least 2,000; how many at most cannot be said from these. ...'
    """
    wanted = f"{measure} {number(measure, found['value'])}"
    low, images, high = found["low"], found["images"], found["high"]
    if low is None:
        return (
            f"{wanted} is out of reach of this recipe with more images of this kind: no curve that fits these "
            "trainings comes there with 8 times as many. Look at the mistakes, the labels, the pictures or the recipe "
            "instead."
        )
    if high is not None and high <= most:
        enough = f"{about(images)} training images ({about(low)} to {about(high)}), which are there"
        return f"{wanted} is reached with about {enough}."
    scale = document["in_all"] / most
    if images is None:
        return (
            f"Whether more images bring {wanted} cannot be said from these trainings: perhaps from {about(low)} "
            f"training images on ({about(scale * low)} in all), perhaps never."
        )
    more = f" In all, with the other parts: about {about(scale * images)} images; {document['in_all']:,} are there."
    if high is None:
        most_words = "how many at most cannot be said from these"
        return f"{wanted} needs about {about(images)} training images, at least {about(low)}; {most_words}.{more}"
    return f"{wanted} needs about {about(images)} training images ({about(low)} to {about(high)}).{more}"


def cautions(document: Mapping[str, Any]) -> list[str]:
    """What a reader must know before money is spent on it."""
    found = [
        "more images of the same kind: what the present ones do not show, as another supplier, is not in the curve",
        "every subset is learnt for as many epochs as the recipe says, a small one in fewer steps: a recipe that stops "
        "too early makes the curve steeper than more images alone would",
    ]
    if document["calibration"]["groups"] < FEW_GROUPS:
        found.append(
            f"the calibration part holds fewer than {FEW_GROUPS} groups ({document['calibration']['groups']}): the "
            "intervals are rough"
        )
    if document["law"]:
        found.append(
            "all repeats at the largest size share their images: how much another draw of them would differ is not in "
            "the intervals"
        )
    values = [[each for each in point["values"] if each is not None] for point in document["points"]]
    means = [sum(each) / len(each) for each in values if each]
    sign = -1 if document["measure"] == "loss" else 1
    if len(means) > 1 and sign * (means[-1] - means[0]) <= 0:
        found.append("more images made it no better here: look for other reasons before collecting any")
    return found
