"""One worker: takes submissions from the queue, lets them answer in the sandbox, scores, hands in. Any number may run.

A worker may die at any moment: what it held waits until its lease runs out, and is judged again from the start.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flawscope.challenge.admit import check_file
from flawscope.challenge.answers import Answers, Refused, Unfinished, answers_of, packed
from flawscope.challenge.bounds import Bounds
from flawscope.challenge.store import ATTEMPTS, Store
from flawscope.challenge.submitted import Claim, PartResult
from flawscope.errors import BundleError, UserError
from flawscope.records import Interval, Task
from flawscope.storage import sha256_file, write_bytes

LEASE = timedelta(seconds=60)
RENEWALS = 4
"""So often a lease is renewed before it would run out, while the sandbox works."""
ELSEWHERE, PUT_OFF = "another worker has it", "put off"
SUBMISSIONS, ANSWERS = "submissions", "answers"


@dataclass(frozen=True)
class Part:
    """A hidden part as a worker needs it.

    `score` joins the labels to the answers: it gives the metric with its interval, and plain data for the store.
    """

    images: Path
    files: tuple[str, ...]
    score: Callable[[Answers], tuple[Interval, Mapping[str, Any]]]
    bounds: Bounds


@dataclass(frozen=True)
class Bench:
    """Where a worker works: the folder of the challenge, its store, its task, and its hidden parts by name."""

    folder: Path
    store: Store
    task: Task
    parts: Mapping[str, Part]
    lease: timedelta = LEASE


class _LostError(Exception):
    """The claim is another worker's by now: what was done is thrown away."""


def bundle_path(folder: Path, sha256: str) -> Path:
    """Where a submitted file lies: by its hash, so that it is there before the queue knows of it.

    >>> bundle_path(Path("cells"), "ab12").as_posix()
    'cells/submissions/ab12.flawscope'
    """
    return folder / SUBMISSIONS / f"{sha256}.flawscope"


def answers_path(folder: Path, number: int, part: str) -> Path:
    """Where the answers of a submission to a part lie.

    >>> answers_path(Path("cells"), 7, "public").as_posix()
    'cells/answers/7-public.npz'
    """
    return folder / ANSWERS / f"{number}-{part}.npz"


@dataclass(frozen=True)
class Verdict:
    """How the work on a submission ended: judged, refused, stuck, put off, or another worker has it; and why."""

    number: int
    word: str
    reason: str = ""


def judge_next(bench: Bench) -> Verdict | None:
    """Judge the next submission of the queue; None if there is none.

    Raises:
        SandboxError, DataError, OutputError, StoreError: the judge cannot go on; the submission waits as before.
    """
    claim = bench.store.claim(_now(), bench.lease)
    if claim is None:
        return None
    try:
        return _judge(bench, claim)
    except _LostError:
        return Verdict(claim.number, ELSEWHERE)
    except (UserError, KeyboardInterrupt):
        _put_back(bench, claim)
        raise


def _judge(bench: Bench, claim: Claim) -> Verdict:
    bundle = bundle_path(bench.folder, claim.sha256)
    if not bundle.is_file() or sha256_file(bundle) != claim.sha256:
        problem = f"{bundle.name} is not among the submissions, or not what was submitted: restore it from a backup"
        return _verdict(claim, bench.store.give_up(claim, problem, _now()), "stuck", problem)
    results: list[PartResult] = []
    files: dict[Path, bytes] = {}
    for name, part in bench.parts.items():
        found = _answers(bench, claim, bundle, part)
        if isinstance(found, Refused):
            return _verdict(claim, bench.store.refuse(claim, found.reason, _now()), "refused", found.reason)
        if isinstance(found, Unfinished):
            return _put_off(bench, claim, found.reason)
        content = packed(found.scores_nk, found.decided_nk)
        files[answers_path(bench.folder, claim.number, name)] = content
        metric, measures = part.score(found)
        sha256 = hashlib.sha256(content).hexdigest()
        results.append(PartResult(name, sha256, metric.value, metric.low, metric.high, measures, found.seconds))

    def keep() -> None:
        for path, content in files.items():
            write_bytes(path, content)

    return _verdict(claim, bench.store.finish(claim, results, _now(), keep), "judged")


def _put_off(bench: Bench, claim: Claim, problem: str) -> Verdict:
    """Try again when others have had their turn; the last attempt is the organiser's to look at."""
    if claim.attempt >= ATTEMPTS:
        problem = f"{problem}, again and again"
        return _verdict(claim, bench.store.give_up(claim, problem, _now()), "stuck", problem)
    return _verdict(claim, bench.store.put_off(claim), PUT_OFF, f"{problem}; it waits, and is tried again")


def _verdict(claim: Claim, held: bool, word: str, reason: str = "") -> Verdict:
    return Verdict(claim.number, word, reason) if held else Verdict(claim.number, ELSEWHERE)


def _answers(bench: Bench, claim: Claim, bundle: Path, part: Part) -> Answers | Refused | Unfinished:
    try:
        check_file(bundle, part.bounds)
    except BundleError as error:
        return Refused(error.problem)
    renewed = -math.inf

    def tick() -> None:
        nonlocal renewed
        if time.monotonic() - renewed > bench.lease.total_seconds() / RENEWALS:
            if not bench.store.renew(claim, _now(), bench.lease):
                raise _LostError
            renewed = time.monotonic()

    return answers_of(bundle, part.images, part.files, bench.task, part.bounds, tick=tick)


def _put_back(bench: Bench, claim: Claim) -> None:
    """At once if the store can be reached; else the lease runs out by itself."""
    try:
        bench.store.release(claim)
    except UserError:
        return


def _now() -> datetime:
    return datetime.now(UTC)
