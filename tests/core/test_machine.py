"""How many cores there are to be used."""

from __future__ import annotations

import os

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
