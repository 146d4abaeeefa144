"""Numbers and moments in words: percent that never reads 1e-05 % or a false 0 or 100 %, so many of so many."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

CALIBRATION = "the calibration part"
"""Where decisions are made, if nothing else is said."""

COSTS_ONE_BY_ONE = (
    "The costs are reckoned class by class, as if each class were decided alone. Their sum is not the cost of a part: "
    "one that shows several is rejected or looked at once, and it escapes only if all of them are missed."
)
MOST_DIGITS = 12
"""Digits after the point, at most: what lies nearer together is the noise of floating point."""
EXACT = 10
"""Digits of a number that the user has given: all of them, but not the noise of floating point."""

OF_GATE = (
    "It is the gate that promises. Of the flawed {items} that it hands on, some may still be left without a mark: what "
    "gets past gate and masks together is measured for {items} as a whole."
)


def percent(share: float, digits: int = 3) -> str:
    """A share in percent, with so many digits that count, at most, as seen from the nearer of 0 and 1.

    >>> percent(0.01), percent(0.0181), percent(0.1234), percent(1e-7), percent(0.99999), percent(1.0)
    ('1 %', '1.81 %', '12.3 %', '0.00001 %', '99.999 %', '100 %')
    """
    return _written(share, _decimals(share, digits), round)


def percent_up(share: float, digits: int = 3) -> str:
    """A bound in percent, rounded upwards, so that the words never promise more than the number.

    >>> percent_up(0.018101), percent_up(0.02), percent_up(1e-7), percent_up(0.99991), percent_up(1.0)
    ('1.82 %', '2 %', '0.00001 %', '99.991 %', '100 %')
    """
    return _written(share, _decimals(share, digits), math.ceil)


def percent_down(share: float, digits: int = 3) -> str:
    """The same rounded downwards: what is not reached is not said.

    >>> percent_down(0.94999), percent_down(0.95), percent_down(0.5604, 2), percent_down(0.0)
    ('94.99 %', '95 %', '56 %', '0 %')
    """
    return _written(share, _decimals(share, digits), math.floor)


def in_tenths(share: float) -> str:
    """A measured share in tenths of a percent, without the sign.

    >>> in_tenths(0.1104), in_tenths(1.0)
    ('11.0', '100.0')
    """
    return f"{100 * share:.1f}"


def digits_apart(low: float, high: float, least: int = 3) -> int:
    """So many digits after the point that the ends of an interval do not read alike, which would be one of no width.

    >>> digits_apart(0.1, 0.2), digits_apart(0.0, 0.0003), digits_apart(0.99991, 0.99998)
    (3, 4, 4)
    """
    digits = least
    while low < high and round(low, digits) == round(high, digits) and digits < MOST_DIGITS:
        digits += 1
    return digits


def interval_in_words(value: float, low: float, high: float, least: int = 3) -> tuple[str, str]:
    """A value and the ends of its interval, in so many digits after the point, or as many as tell the ends apart.

    >>> interval_in_words(0.25, 0.1, 0.4), interval_in_words(0.0001, 0.0, 0.0003)
    (('0.250', '0.100 to 0.400'), ('0.0001', '0.0000 to 0.0003'))
    """
    digits = digits_apart(low, high, least)
    written = [f"{round(number, digits) + 0.0:,.{digits}f}" for number in (value, low, high)]  # 0 has no sign
    return written[0], f"{written[1]} to {written[2]}"


def so_many_of(share: float) -> tuple[int, int]:
    """A share as a count of 100, or of as many more as it takes for a whole number; never fewer than it is.

    >>> so_many_of(0.02), so_many_of(0.005), so_many_of(1e-7), so_many_of(1 / 3)
    ((2, 100), (5, 1000), (1, 10000000), (333334, 1000000))
    """
    base = 100
    while 0 < share * base < 1e5 and abs(share * base - round(share * base)) > 1e-9 * share * base:
        base *= 10
    return math.ceil(share * base * (1 - 1e-9)), base


def class_called(name: str) -> str:
    """A class inside a sentence: one whose name is a number is called a class, as 3 could count something.

    >>> class_called("3"), class_called("scratch")
    ('class 3', 'scratch')
    """
    return f"class {name}" if name.isdecimal() else name


def speed_in_words(a_second: float) -> str:
    """So many images a second; where it takes longer, how long one takes.

    >>> speed_in_words(240.3), speed_in_words(7.51), speed_in_words(0.26)
    ('240 images/s', '7.5 images/s', '3.8 s an image')
    """
    if 0 < a_second < 1:
        return f"{1 / a_second:.1f} s an image"
    return f"{a_second:.{0 if a_second >= 10 else 1}f} images/s"


def counted(n: int, items: str, verb: str = "") -> str:
    """So many items, of which the plural is given; what they do as well.

    >>> counted(1, "images"), counted(1200, "cells"), counted(0, "groups")
    ('1 image', '1,200 cells', '0 groups')
    >>> counted(1, "groups", "cross"), counted(2, "groups", "cross"), counted(1, "images", "are")
    ('1 group crosses', '2 groups cross', '1 image is')
    """
    one = {"are": "is", "have": "has", "were": "was"}.get(verb, f"{verb}{'es' if verb.endswith('s') else 's'}")
    does = f" {one if n == 1 else verb}" if verb else ""
    return f"{n:,} {items.removesuffix('s') if n == 1 else items}{does}"


def sentence(words: str) -> str:
    """Words with a full stop, unless they end as a sentence does.

    >>> sentence("crack: 4 images only"), sentence("Nothing was dropped.")
    ('crack: 4 images only.', 'Nothing was dropped.')
    """
    return words if words.endswith((".", "!", "?", ":")) else f"{words}."


def said(moment: datetime) -> str:
    """A moment, in UTC.

    >>> said(datetime(2027, 3, 1, 18, 5, tzinfo=UTC))
    '1 March 2027, 18:05 UTC'
    """
    return f"{day(moment)}, {moment.astimezone(UTC):%H:%M} UTC"


def day(moment: datetime) -> str:
    """The day of a moment, in UTC.

    >>> day(datetime(2027, 3, 1, 18, 5, tzinfo=UTC))
    '1 March 2027'
    """
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y}"


def all_at_once(confidences: Sequence[float], which: str = "") -> str:
    """How sure it is that several promises hold at once, whatever they have to do with each other (Bonferroni, 1936).

    `which` is what they are called, where that is not "both" or "all" of them.

    >>> all_at_once([0.95, 0.95, 0.95])
    'That all 3 hold at once is known with 85 % confidence (Bonferroni: 1 - 3 x 5 %).'
    >>> all_at_once([0.95, 0.9])
    'That both hold at once is known with 85 % confidence (Bonferroni: 1 - 5 % - 10 %).'
    >>> all_at_once([0.6] * 3)
    'That all 3 hold at once is not known (Bonferroni: 1 - 3 x 40 % leaves no confidence).'
    """
    n, risks = len(confidences), [percent(1 - each, EXACT) for each in confidences]
    left = f"1 - {n} x {risks[0]}" if len(set(risks)) == 1 else f"1 - {' - '.join(risks)}"
    least = round(1 - sum(1 - each for each in confidences), EXACT)
    known = f"is known with {percent_down(least)} confidence (Bonferroni: {left})"
    unknown = f"is not known (Bonferroni: {left} leaves no confidence)"
    return f"That {which or ('both' if n == 2 else f'all {n:,}')} hold at once {known if least > 0 else unknown}."


def sizes_in_words(sizes: Sequence[Sequence[int]]) -> str:
    """The width x height of pictures from rows of width, height and count, the commonest first; a range of many.

    >>> sizes_in_words([[40, 30, 9]]), sizes_in_words([[40, 30, 9], [20, 20, 1]])
    ('all images are 40 x 30 pixels', '9 of 10 images are 40 x 30 pixels')
    >>> sizes_in_words([[40, 30, 1], [20, 25, 1], [22, 25, 1]])
    'the images are 20 to 40 pixels wide and 25 to 30 high, of 3 sizes'
    """
    width_s, height_s, n_s = zip(*sizes, strict=True)
    total = sum(n_s)
    if len(sizes) > 1 and 2 * n_s[0] < total:
        wide, high = (_from_to(min(side), max(side)) for side in (width_s, height_s))
        return f"the images are {wide} pixels wide and {high} high, of {len(sizes):,} sizes"
    start = "all images are" if len(sizes) == 1 else f"{n_s[0]:,} of {total:,} images are"
    return f"{start} {width_s[0]} x {height_s[0]} pixels"


def _from_to(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _decimals(share: float, digits: int) -> int:
    near = 100 * min(share, 1 - share)
    found = max(0, digits - 1 - math.floor(math.log10(near))) if near > 0 else 0
    return min(found, 12) if share > 0.5 else found  # a double just below 1 knows no more


def _written(share: float, decimals: int, rounded: Callable[[float], float]) -> str:
    number = rounded(round(100 * share * 10**decimals, 6)) / 10**decimals
    text = f"{number:.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if decimals else text} %"
