"""What this machine lends to the process."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 8
"""Items in work or waiting to be fetched, for each thread: bounds the memory."""
_In = TypeVar("_In")
_Out = TypeVar("_Out")


def cores() -> int:
    """The cores that this process may use: fewer than the machine has where a container or `taskset` says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def place() -> tuple[int, int]:
    """Which process this is, counting from 0, and of how many, as torchrun says.

    >>> place()
    (0, 1)
    """
    try:
        number, many = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    except (KeyError, ValueError):
        return 0, 1
    return number, many


def on_threads(work: Callable[[_In], _Out], items: Iterable[_In], threads: int) -> Iterator[_Out]:
    """`map` over threads, in order, with a bounded number of items in work; stops cleanly when it is left.

    One thread is the caller's own: none is started, so this also works where a process may not start any.

    >>> list(on_threads(abs, [-1, 2, -3], 2))
    [1, 2, 3]
    """
    if threads == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[_Out]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="flawscope")
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            while waiting and (len(waiting) >= AHEAD * threads or waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
