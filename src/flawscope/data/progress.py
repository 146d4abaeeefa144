"""Work on many items: a progress bar for whatever takes longer than a moment, and all cores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from flawscope.machine import cores, place

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 20_000
"""So many items at most wait for a core: an archive does not queue up in memory."""


def watched(items: Iterable[Item], total: int, text: str, patience: float = 1.0) -> Iterator[Item]:
    """Hand items on; if that takes longer than `patience` seconds, with a progress bar that vanishes at the end."""
    start = time.monotonic()
    console = Console(stderr=True)
    columns = (TextColumn(text), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal or place()[0] > 0) as bar:
        job = bar.add_task(text, total=total, visible=False)
        for done, item in enumerate(items, 1):
            bar.update(job, completed=done, visible=time.monotonic() - start > patience)
            yield item


def on_all_cores(work: Callable[[Item], Result], items: Sequence[Item], text: str, most: int = 16) -> Iterator[Result]:
    """What `work` makes of each item, in order, on at most `most` cores, with a progress bar.

    Work that has not begun is dropped when it is wanted no more: after an error, or after Ctrl-C.

    >>> list(on_all_cores(abs, [-1, 2, -3], "counting"))
    [1, 2, 3]
    """
    pool = ThreadPoolExecutor(max_workers=min(most, cores()))

    def results() -> Iterator[Result]:
        for start in range(0, len(items), AHEAD):
            yield from pool.map(work, items[start : start + AHEAD])

    try:
        yield from watched(results(), len(items), text)
    finally:
        pool.shutdown(cancel_futures=True)
