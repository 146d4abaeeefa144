"""Uploads that break off, against a server of its own process: nothing is queued, nothing is lost, nothing is left."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import flawscope
from flawscope.challenge.contest import contest_of
from flawscope.challenge.remote import Remote, RemoteError
from flawscope.errors import UserError
from flawscope.site.hosted import opened
from flawscope.site.settings import Argon2, Settings

API = "/api/v1/challenges/grey/submissions"
Make = Callable[..., Path]
SERVER = "from flawscope.cli.app import main; main()"


class Server:
    """`flawscope challenge serve` in a process of its own, and a token of somebody who is in a team."""

    def __init__(self, contest: Path) -> None:
        self.contest = contest
        cheap = Argon2(time_cost=1, memory_cost=8, parallelism=1)
        self.site = opened(Settings(challenges=(contest,), argon2=cheap))
        person = self.site.people.sign_up("Ada", "correct horse battery", datetime.now(UTC))
        self.hosted = self.site.hosted["grey"]
        self.hosted.members.create(person, "Wire", datetime.now(UTC))
        self.token = self.site.tokens.make(person, "test", datetime.now(UTC))
        self.process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> None:
        line = [sys.executable, "-c", SERVER, "challenge", "serve", str(self.contest), "--port", "0", "--no-worker"]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        said = self.process.stdout.readline()
        self.port = int(said.strip().rstrip("/").rpartition(":")[2])
        self.wait_for(self.answers)

    def answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    @staticmethod
    def wait_for(there: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not there():
            assert time.monotonic() < until
            time.sleep(0.02)

    def kill(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def files(self) -> list[str]:
        return [path.name for path in (self.contest / "submissions").glob("*")]

    def unfinished(self) -> list[Path]:
        return list((self.contest / "submissions").glob(".incoming-*"))

    def begin(self, content: bytes, announced: int) -> socket.socket:
        """The beginning of an upload, until the server has it in a file."""
        upload = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        head = (
            f"POST {API} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Length: {announced}\r\nContent-Type: application/octet-stream\r\n\r\n"
        )
        upload.sendall(head.encode() + content)
        self.wait_for(lambda: any(path.stat().st_size for path in self.unfinished()))
        return upload


@pytest.fixture
def server(contest: Path) -> Iterator[Server]:
    made = Server(contest)
    made.start()
    yield made
    if made.process and made.process.poll() is None:
        made.process.send_signal(signal.SIGKILL)
        made.process.wait(30)
    if made.process and made.process.stdout:
        made.process.stdout.close()
    made.site.database.engine.dispose()


def test_an_upload_that_breaks_off_and_a_server_that_is_killed(server: Server, make_bundle: Make) -> None:
    half = b"x" * 3 * 2**20
    server.begin(half, 2 * len(half)).close()
    server.wait_for(lambda: server.files() == [])
    with server.begin(half, 2 * len(half)):  # one that is under way is nobody's to sweep
        assert opened(Settings(challenges=(server.contest,))) and len(server.unfinished()) == 1
    server.wait_for(lambda: server.files() == [])
    assert server.hosted.store.submissions() == []

    with server.begin(half, 2 * len(half)):
        server.kill()
    assert len(server.unfinished()) == 1 and server.hosted.store.submissions() == []
    server.start()
    assert server.files() == []
    made = flawscope.challenge_submit(None, make_bundle(), url=server.url, token=server.token, note="again")
    assert (made.submitted.number, made.submitted.state, made.ahead) == (1, "waiting", 0)
    assert [each.note for each in server.hosted.store.submissions()] == ["again"]
    assert server.files() == [f"{made.submitted.sha256}.flawscope"]
    same = flawscope.challenge_submit("grey", make_bundle(), url=f"{server.url}/c/grey/team", token=server.token)
    assert same.submitted.number == 1, "the same command again is the same submission"


def test_what_the_command_says_when_it_is_refused(
    server: Server, make_bundle: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make_bundle()

    def submit(*given: Any, **options: Any) -> None:
        flawscope.challenge_submit(*given, **{"url": server.url, "token": server.token} | options)

    (tmp_path / "none.flawscope").write_bytes(b"x" * 2**22)
    for expected, call in {
        "token is not valid there": lambda: submit(None, bundle, token="fsc_nobody"),
        "has no challenge gray": lambda: submit("gray", bundle),
        "takes submissions with a token": lambda: submit(None, bundle, token=None),
        "holds blanks": lambda: submit(None, bundle, token="fsc_\n"),
        "it is not a bundle": lambda: submit(None, tmp_path / "none.flawscope"),
        "cannot be read: No such file": lambda: submit(None, tmp_path / "nowhere.flawscope"),
        "no address of a site": lambda: submit(None, bundle, url="ftp://x"),
        "cannot be reached, or broke off": lambda: submit(None, bundle, url="http://127.0.0.1:1"),
        "is for a challenge here|are for a challenge here": lambda: submit(None, bundle, team="Wire"),
        r"the answer \(404 Not Found\)|no such page": lambda: submit(None, bundle, url=f"{server.url}/elsewhere"),
        "501 characters": lambda: submit(None, bundle, note="x" * 501),
    }.items():
        with pytest.raises(UserError, match=expected) as found:
            call()
        assert found.value.remedy
    with monkeypatch.context() as patch, pytest.raises(RemoteError, match="too large: at most 512 MB"):
        patch.setattr("flawscope.challenge.remote.PIECE", 2**24)
        with Path("/dev/zero").open("rb") as zeros:
            Remote.at(server.url, server.token, None, print).sent(zeros, 2**30, {})
    assert server.files() == [] and server.hosted.store.submissions() == []
    assert contest_of(server.hosted.store).deadline is None


def test_a_full_disk(fill_challenge: Callable[..., Path], make_bundle: Make, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("A FULL DISK IS NOT TRIED: only root may mount a small one")
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", small], check=False).returncode:
        pytest.skip("A FULL DISK IS NOT TRIED: nothing can be mounted here")
    try:
        server = Server(fill_challenge(small / "contest"))
        server.start()
        try:
            with server.begin(b"x" * 2**20, 2**24) as upload:
                upload.sendall(b"x" * (2**24 - 2**20))
                answer = upload.makefile("rb").readline()
            assert b" 503 " in answer
            assert server.files() == [] and server.hosted.store.submissions() == []
            made = flawscope.challenge_submit(None, make_bundle(), url=server.url, token=server.token)
            assert made.submitted.number == 1 and len(server.files()) == 1
        finally:
            server.kill()
            server.site.database.engine.dispose()
            if server.process and server.process.stdout:
                server.process.stdout.close()
    finally:
        subprocess.run(["umount", "-l", small], check=True)
