"""A progress bar for whatever turns out to take longer than a moment."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")


def watched(items: Iterable[Item], total: int, text: str, patience: float = 1.0) -> Iterator[Item]:
    """Hand items on; if that takes longer than `patience` seconds, with a progress bar that vanishes at the end."""
    start = time.monotonic()
    console = Console(stderr=True)
    columns = (TextColumn(text), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        job = bar.add_task(text, total=total, visible=False)
        for done, item in enumerate(items, 1):
            bar.update(job, completed=done, visible=time.monotonic() - start > patience)
            yield item
