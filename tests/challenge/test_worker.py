"""Whatever happens to a worker: each submission is judged, once, and its answers lie where the store says."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flawscope
from flawscope.challenge import worker as module
from flawscope.challenge.answers import Answers, Refused, Unfinished
from flawscope.challenge.desk import Desk
from flawscope.challenge.worker import Bench, Verdict, answers_path, bundle_path, judge_next
from flawscope.errors import OutputError, SandboxError, StoreError
from flawscope.records import BoolArray
from flawscope.storage import sha256_file
from together import soon

Make = Callable[..., Path]
LEASE = timedelta(seconds=60)
SOURCE = Path(flawscope.__file__).parents[1]


@pytest.fixture
def bench(contest: Path, make_bundle: Make) -> Bench:
    """With two submissions in the queue."""
    for team in ("a", "b"):
        bundle = make_bundle(thresholds=(0.4 if team == "a" else 0.6,), name=f"{team}.flawscope")
        flawscope.challenge_submit(contest, bundle, team)
    return Desk.at(contest).bench()


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the sandbox gives, one a call, in place of the sandbox: answers, or an exception that is raised."""
    given: list[Any] = []

    def answers_of(*asked: Any, tick: Callable[[], None]) -> Answers | Refused | Unfinished:
        tick()
        each = given.pop(0) if given else fine()
        if isinstance(each, BaseException):
            raise each
        if callable(each):
            each = each()
        assert isinstance(each, Answers | Refused | Unfinished)
        return each

    monkeypatch.setattr(module, "answers_of", answers_of)
    return given


def fine() -> Answers:
    flag_nk: BoolArray = np.arange(24)[:, None] % 2 == 0
    return Answers(flag_nk * 0.5, flag_nk, 0.1)


def states(bench: Bench) -> list[str]:
    return [each.state for each in bench.store.submissions()]


def test_judged_with_results_of_both_parts(bench: Bench, answered: list[Any]) -> None:
    assert judge_next(bench) == Verdict(1, "judged")
    assert judge_next(bench) == Verdict(2, "judged")
    assert judge_next(bench) is None
    for each in bench.store.submissions():
        assert sorted(each.results) == ["private", "public"]
        for part, result in each.results.items():
            assert sha256_file(answers_path(bench.folder, each.number, part)) == result.answers_sha256
            assert 0 <= result.low <= result.metric <= result.high <= 1
            assert set(result.measures["classes"]["defective"]) >= {"accuracy", "recall", "precision", "F1"}


def test_its_own_failure(bench: Bench, answered: list[Any]) -> None:
    answered += [fine(), Refused("NaN for one of the pictures")]
    assert judge_next(bench) == Verdict(1, "refused", "NaN for one of the pictures")
    found = bench.store.submissions()[0]
    assert (found.state, found.reason, found.results) == ("refused", "NaN for one of the pictures", {})
    assert not answers_path(bench.folder, 1, "public").exists()
    assert judge_next(bench) == Verdict(2, "judged")


def test_what_the_clock_has_ended_is_tried_again_later(bench: Bench, answered: list[Any]) -> None:
    answered += [Unfinished("too slow a machine"), fine(), fine(), fine(), Unfinished("too slow a machine")]
    verdict = judge_next(bench)
    assert verdict == Verdict(1, "put off", "too slow a machine; it waits, and is tried again")
    assert states(bench) == ["waiting", "waiting"]
    assert judge_next(bench) == Verdict(2, "judged")
    assert judge_next(bench) == verdict  # this time in the second part
    assert judge_next(bench) == Verdict(1, "judged")
    assert len(bench.store.submissions()[0].results) == 2


def test_what_the_clock_ends_again_and_again_is_the_organisers(bench: Bench, answered: list[Any]) -> None:
    answered += [Refused("NaN")] + [Unfinished("too slow a machine")] * 4
    words = []
    while verdict := judge_next(bench):
        words.append((verdict.number, verdict.word))
    assert words == [(1, "refused"), (2, "put off"), (2, "put off"), (2, "put off"), (2, "stuck")]
    assert bench.store.submissions()[1].reason == "too slow a machine, again and again"


@pytest.mark.parametrize("trouble", [SandboxError("no", "do"), OutputError("full", "free"), KeyboardInterrupt()])
def test_the_judges_failure_puts_it_back(bench: Bench, answered: list[Any], trouble: BaseException) -> None:
    answered += [fine(), trouble]
    with pytest.raises(type(trouble)):
        judge_next(bench)
    assert states(bench) == ["waiting", "waiting"]
    assert bench.store.submissions()[0].attempt == 0
    assert judge_next(bench) == Verdict(1, "judged")


def test_the_disk_is_full_when_answers_are_written(
    bench: Bench, answered: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if "-private.npz" in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match="free some space"):
            judge_next(bench)
    assert states(bench) == ["waiting", "waiting"]
    assert judge_next(bench) == Verdict(1, "judged")
    assert len(bench.store.submissions()[0].results) == 2


def test_a_claim_that_was_lost_meanwhile(bench: Bench, answered: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker was stopped for an hour; another has judged the submission since."""

    def sleep_long() -> Answers:
        real = module._now
        with monkeypatch.context() as patch:
            patch.setattr(module, "_now", lambda: real() + timedelta(hours=1))
            assert judge_next(bench) == Verdict(1, "judged")
        return fine()

    answered.append(sleep_long)
    assert judge_next(bench) == Verdict(1, module.ELSEWHERE)
    first = bench.store.submissions()[0]
    assert (first.state, first.attempt, len(first.results)) == ("judged", 2, 2)


def test_a_long_run_holds_its_lease_and_ends_when_it_is_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed = []

    def answers_of(*asked: Any, tick: Callable[[], None]) -> Answers:
        for _ in range(3):
            tick()
        return fine()

    def renew(*given: Any) -> bool:
        renewed.append(given)
        return len(renewed) < 3

    monkeypatch.setattr(module, "answers_of", answers_of)
    monkeypatch.setattr(bench.store, "renew", renew)
    bench = replace(bench, lease=timedelta(0))
    assert judge_next(bench) == Verdict(1, module.ELSEWHERE)
    assert len(renewed) == 3


def test_a_run_longer_than_its_lease_is_not_taken_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else two workers would take a long submission from each other for ever."""
    short, others = replace(bench, lease=timedelta(seconds=2)), []

    def answers_of(*asked: Any, tick: Callable[[], None]) -> Answers:
        until = time.monotonic() + 3
        while time.monotonic() < until:
            tick()
            others.append(bench.store.claim(module._now(), LEASE))
            time.sleep(0.05)
        return fine()

    short = replace(short, parts={"public": bench.parts["public"]})
    monkeypatch.setattr(module, "answers_of", answers_of)
    assert judge_next(short) == Verdict(1, "judged")
    assert {claim.number for claim in others if claim} == {2}


def test_a_file_that_is_gone_or_changed_holds_up_nobody(bench: Bench, answered: list[Any]) -> None:
    first, second = (bundle_path(bench.folder, each.sha256) for each in bench.store.submissions())
    kept = first.read_bytes()
    first.unlink()
    verdict = judge_next(bench)
    assert verdict and verdict.word == "stuck" and "restore it from a backup" in verdict.reason
    second.write_bytes(kept)
    assert judge_next(bench) == Verdict(2, "stuck", verdict.reason.replace(first.name, second.name))
    first.write_bytes(kept)
    assert bench.store.again([1]) == 1
    assert judge_next(bench) == Verdict(1, "judged")


def test_the_deadline_passes_while_jobs_wait(
    fill_challenge: Callable[..., Path], tmp_path: Path, make_bundle: Make, answered: list[Any]
) -> None:
    deadline = datetime(2027, 3, 1, tzinfo=UTC)
    folder = fill_challenge(tmp_path / "c", deadline="2027-03-01T00:00Z", opens="2027-01-01T00:00Z")
    for seconds, team in ((-1, "in time"), (1, "late")):
        flawscope.challenge_submit(folder, make_bundle(), team, at=deadline + timedelta(seconds=seconds))
    after = deadline + timedelta(days=1)
    bench = Desk.at(folder).bench()
    with pytest.raises(flawscope.errors.UserError, match="1 submissions from before the deadline are not judged yet"):
        flawscope.challenge_board(folder, final=True, at=after)
    assert judge_next(bench) and judge_next(bench)
    final = flawscope.challenge_board(folder, final=True, at=after)
    assert [line.team for line in final.lines] == ["in time"]
    board = flawscope.challenge_board(folder, at=after)
    assert {line.team: line.late for line in board.lines} == {"in time": False, "late": True}


# --- real workers, really killed ------------------------------------------------------------------------------------


def judge(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "flawscope", "challenge", "judge", str(folder), *words]
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(SOURCE)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


@pytest.mark.usefixtures("sandbox")
def test_a_worker_killed_in_the_middle_loses_nothing(
    fill_challenge: Callable[..., Path],
    tmp_path: Path,
    endless: Path,
    make_bundle: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = fill_challenge(tmp_path / "c")
    flawscope.challenge_submit(folder, endless, "endless")
    store = Desk.at(folder).store
    worker = judge(folder, "--lease", "10")
    assert soon(lambda: store.submissions()[0].state == "judging")
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    found = store.submissions()[0]
    assert (found.state, found.attempt, found.results) == ("judging", 1, {})
    # Another one takes it when the lease has run out; meanwhile it judges what else waits.
    flawscope.challenge_submit(folder, make_bundle(), "plain")
    bench = Desk.at(folder).bench()
    short = {name: replace(part, bounds=replace(part.bounds, cpu_seconds=5)) for name, part in bench.parts.items()}
    bench = replace(bench, parts=short)
    later = module._now() + timedelta(seconds=11)
    monkeypatch.setattr(module, "_now", lambda: later)
    words = {}
    for _ in range(2):
        verdict = judge_next(bench)
        assert verdict
        words[verdict.number] = verdict.word
    assert judge_next(bench) is None
    assert words[1] == "refused"
    assert store.submissions()[0].reason.startswith("it used more than 5 seconds of CPU time")
    assert store.submissions()[0].attempt == 2


@pytest.mark.usefixtures("sandbox")
def test_the_disk_is_really_full_when_a_bundle_is_submitted(contest: Path, make_bundle: Make) -> None:
    """On a file system of 4 kB, within namespaces of its own."""
    bundle = make_bundle(evidence={"test": {"words": "x" * 30_000}})
    (contest / "submissions").mkdir()
    code = (
        "import flawscope, sys; from flawscope.errors import OutputError\n"
        "try: flawscope.challenge_submit(sys.argv[1], sys.argv[2], 'a')\n"
        "except OutputError as error: print(error)"
    )
    bwrap = [shutil.which("bwrap"), "--unshare-user", "--dev-bind", "/", "/", "--size", "4096", "--tmpfs"]
    program = [str(contest / "submissions"), "--", sys.executable, "-c", code, str(contest), str(bundle)]
    done = subprocess.run(
        [*map(str, bwrap), *program],
        env={**os.environ, "PYTHONPATH": str(SOURCE)}, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert "No space left on device" in done.stdout, done
    assert "free some space" in done.stdout
    assert Desk.at(contest).store.submissions() == []
    assert flawscope.challenge_submit(contest, bundle, "a").submitted.state == "waiting"


def test_a_store_that_is_gone_for_good(bench: Bench, answered: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*given: Any) -> bool:
        raise StoreError("the store does not answer", "start it")

    with monkeypatch.context() as patch:
        for name in ("finish", "release"):
            patch.setattr(bench.store, name, gone)
        with pytest.raises(StoreError):
            judge_next(bench)
    assert states(bench) == ["judging", "waiting"]
    late = module._now() + 2 * LEASE
    monkeypatch.setattr(module, "_now", lambda: late)
    assert {judge_next(bench), judge_next(bench)} == {Verdict(1, "judged"), Verdict(2, "judged")}
