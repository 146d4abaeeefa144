"""Threads that start together, and waiting until something is so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


def at_once(n: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work` gives in so many threads that start together; exceptions are given, too."""
    found: list[Any] = [None] * n
    gate = threading.Barrier(n)

    def run(i: int) -> None:
        gate.wait()
        try:
            found[i] = work(i)
        except Exception as error:
            found[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def soon(true: Callable[[], object], seconds: float = 120) -> bool:
    """Whether it becomes true within so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return False
