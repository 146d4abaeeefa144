"""Moments and spans of time as pages say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flawscope.wording import counted


def said(moment: datetime) -> str:
    """A moment, in UTC.

    >>> said(datetime(2027, 3, 1, 18, 5, tzinfo=UTC))
    '1 March 2027, 18:05 UTC'
    """
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


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


def _both(first: str, n: int, items: str) -> str:
    return f"{first} and {counted(n, items)}" if n else first
