"""How many cores there are to be used."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from flawscope import machine
from flawscope.data import progress


def test_only_the_cores_that_are_lent_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7}, raising=False)
    assert machine.cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert machine.cores() == 64


def test_work_on_all_cores_takes_no_more_than_are_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = progress.ThreadPoolExecutor

    def pool(max_workers: int) -> object:
        asked.append(max_workers)
        return real(max_workers)

    monkeypatch.setattr(progress, "ThreadPoolExecutor", pool)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7}, raising=False)
    assert list(progress.on_all_cores(abs, [-1, 2], "counting")) == [1, 2]
    assert asked == [3]


def test_threads_never_run_far_ahead_and_keep_the_order() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            drawn.append(number)
            yield number

    blocked = threading.Event()
    work = machine.on_threads(lambda number: (blocked.wait(10), number)[1] if number == 0 else number, items(), 2)
    threading.Timer(0.05, blocked.set).start()
    assert next(work) == 0
    assert len(drawn) <= 2 * machine.AHEAD
    assert list(work) == list(range(1, 1000))


def test_an_error_in_a_thread_reaches_whoever_waits() -> None:
    with pytest.raises(ZeroDivisionError):
        list(machine.on_threads(lambda number: 1 // number, [2, 1, 0, 3], 2))
