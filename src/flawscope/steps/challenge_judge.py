"""`flawscope challenge judge`: a worker that judges what waits in the queue of a challenge, in the sandbox."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from flawscope.challenge.database import place_of
from flawscope.challenge.desk import Desk
from flawscope.challenge.sandbox import check_hidden, check_sandbox
from flawscope.challenge.worker import LEASE, judge_next

POLL_SECONDS = 1.0


def challenge_judge(
    challenge: str | Path,
    *,
    store: str | None = None,
    watch: bool = False,
    again: bool = False,
    lease: float = LEASE.total_seconds(),
    say: Callable[[str], None] = lambda words: None,
) -> dict[str, int]:
    """Judge the submissions that wait, one after the other, each in a sandbox of its own. Any number of these may run.

    Args:
        challenge: the folder of the challenge.
        store: URL of the database; by default a file in the folder.
        watch: go on when the queue is empty, and wait for more.
        again: let submissions wait again that were given up.
        lease: seconds after which what a vanished worker held is judged by another; longer than scoring takes.
        say: is told in words how each ended.

    Returns:
        How many ended in which way: judged, refused, stuck.

    Raises:
        UserError: there is no challenge.
        SandboxError: there is no sandbox, so nothing is judged.
        DataError: the hidden parts are not what the challenge was made with.
        StoreError, OutputError: the judge cannot go on. Nothing is lost: what it held waits again.
    """
    desk = Desk.at(challenge, store)
    check_hidden(desk.folder, *place_of(desk.store.engine))
    check_sandbox()
    bench = replace(desk.bench(), lease=timedelta(seconds=lease))
    if again:
        say(f"given up before, waiting again: {desk.store.again()}")
    ended: Counter[str] = Counter()
    while True:
        done = judge_next(bench)
        if done:
            ended[done.word] += 1
            say(f"submission {done.number}: {done.word}{f', {done.reason}' if done.reason else ''}")
        elif not watch:
            return dict(ended)
        else:
            time.sleep(POLL_SECONDS)
