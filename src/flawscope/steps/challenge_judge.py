"""`flawscope challenge judge`: a worker that judges what waits in the queue of a challenge, in the sandbox."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from flawscope.challenge.database import place_of
from flawscope.challenge.desk import Desk
from flawscope.challenge.sandbox import check_hidden, check_sandbox
from flawscope.challenge.worker import LEASE, judge_next
from flawscope.errors import UserError
from flawscope.wording import counted

POLL_SECONDS = 1.0
AS_ROOT = (
    "note: the judge runs as root. Run it as a user of its own, who has the challenge's folder (chown) and nothing "
    "else: then a hole in the sandbox is worth less"
)
STUCK = "stuck"
"""In place of a number: all submissions that were given up."""


def challenge_judge(
    challenge: str | Path,
    *,
    store: str | None = None,
    watch: bool = False,
    again: Sequence[int | str] = (),
    lease: float = LEASE.total_seconds(),
    say: Callable[[str], None] = lambda words: None,
) -> dict[str, int]:
    """Judge the submissions that wait, one after the other, each in a sandbox of its own. Any number of these may run.

    Args:
        challenge: the folder of the challenge.
        store: URL of the database; by default a file in the folder.
        watch: go on when the queue is empty, and wait for more.
        again: numbers of submissions that were refused or given up, to wait again; "stuck": all that were given up.
        lease: seconds after which what a vanished worker held is judged by another; longer than scoring takes.
        say: is told in words how each ended.

    Returns:
        How many ended in which way: judged, refused, stuck, put off (ended by the clock; those are tried again).

    Raises:
        UserError: there is no challenge, or no such submission that may be judged again.
        SandboxError: there is no sandbox, so nothing is judged.
        DataError: the hidden parts are not what the challenge was made with.
        StoreError, OutputError: the judge cannot go on. Nothing is lost: what it held waits again.
    """
    hear_ctrl_c()
    desk = Desk.at(challenge, store)
    check_hidden(desk.folder, *place_of(desk.store.engine))
    check_sandbox()
    if os.geteuid() == 0:
        say(AS_ROOT)
    bench = replace(desk.bench(), lease=timedelta(seconds=lease))
    for words in _waiting_again(desk, again):
        say(words)
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


def _waiting_again(desk: Desk, again: Sequence[int | str]) -> Iterator[str]:
    """Let them wait again, and say so.

    Raises:
        UserError: no number, no such submission, or one that is not judged again.
    """
    numbers = []
    for each in again:
        if each != STUCK and not str(each).isdecimal():
            raise UserError(f"--again {each}: expected the number of a submission, or {STUCK}", "--again 12 --again 15")
        if each != STUCK:
            numbers.append(int(each))
    if numbers:
        yield f"waiting again: {counted(desk.store.again(numbers), 'submissions')}"
    if STUCK in again:
        yield f"given up before, waiting again: {desk.store.again()}"


def hear_ctrl_c() -> None:
    """Hear it also where a shell began us in the background, deaf to it: so a site ends its workers."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
