"""What this machine lends to the process."""

from __future__ import annotations

import os


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
