"""Spans of time, scores and sentences as pages say them."""

from __future__ import annotations

from datetime import timedelta

from flawscope.wording import counted


def span(length: timedelta) -> str:
    """So much time, in the two largest units that say something.

    >>> span(timedelta(days=12, hours=5)), span(timedelta(days=1, hours=3)), span(timedelta(minutes=59, seconds=59))
    ('12 days', '1 day and 3 hours', '59 minutes')
    >>> span(timedelta(hours=2, minutes=1)), span(timedelta(seconds=20))
    ('2 hours and 1 minute', 'less than a minute')
    """
    minutes = int(length.total_seconds() // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days >= 3:
        return counted(days, "days")
    if days:
        return _both(counted(days, "days"), hours, "hours")
    if hours:
        return _both(counted(hours, "hours"), minutes, "minutes")
    return counted(minutes, "minutes") if minutes else "less than a minute"


def capitalised(words: str) -> str:
    """The same with a large first letter; the others stay as they are.

    >>> capitalised("area under the ROC curve")
    'Area under the ROC curve'
    """
    return f"{words[:1].upper()}{words[1:]}"


def score(value: float, step: float = 0.0) -> str:
    """A score as boards show it: with the digits of the ladder's step, or three.

    >>> score(0.7234), score(0.7, 0.01), score(0.725, 0.005)
    ('0.723', '0.70', '0.725')
    """
    digits = next((digits for digits in (2, 3) if abs(step * 10**digits - round(step * 10**digits)) < 1e-9), 3)
    return f"{value:.{digits if step else 3}f}"


def _both(first: str, n: int, items: str) -> str:
    return f"{first} and {counted(n, items)}" if n else first
