"""The site as a process: it starts, says where it is, judges, and ends with all that it has started."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import flawscope
from flawscope.errors import UserError

Serve = Callable[..., tuple[subprocess.Popen[str], str, str]]
MAIN = "import sys\nsys.argv[0] = 'flawscope'\nfrom flawscope.cli.app import main\nmain()"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(folder, ...)`: the process, where it listens, and what it has said until then."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: object, path: str | None = None) -> tuple[subprocess.Popen[str], str, str]:
        line = [sys.executable, "-c", MAIN, "challenge", "serve", *map(str, words), "--port", "0"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **({"PATH": path} if path is not None else {})}
        process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
        )
        running.append(process)
        said = ""
        assert process.stdout
        for read in process.stdout:
            said += read
            if "stop it with Ctrl-C" in read:
                break
        found = re.search(r"serving .* at (http://\S+)", said)
        assert found, said
        return process, found[1], said

    yield start
    for process in running:
        process.kill()
        process.wait()


def ask(address: str) -> str:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return str(answer.read().decode())


@pytest.mark.usefixtures("sandbox")
def test_it_serves_judges_and_ends(serve: Serve, contest: Path, make_bundle: Callable[..., Path]) -> None:
    process, address, said = serve(contest)
    setup = re.search(r"makes the first one, once: (\S+)", said)
    assert setup and "The first organiser" in ask(setup[1])
    assert ask(f"{address}healthz") == '{"status":"ok"}'
    flawscope.challenge_submit(contest, make_bundle(), "Bolts")
    end = time.monotonic() + 120
    while flawscope.challenge_board(contest).states != {"judged": 1}:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in rest
    with pytest.raises(OSError):
        ask(address)
    children = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(contest) not in children


def test_without_a_sandbox_it_says_loudly_that_nothing_is_judged(serve: Serve, contest: Path, tmp_path: Path) -> None:
    process, address, said = serve(contest, "--host", "0.0.0.0", path=str(tmp_path))  # there is no bubblewrap there
    assert "NOTHING OF grey WILL BE JUDGED HERE: bwrap is not installed" in said
    assert "passwords travel as they are typed" in said
    assert "Grey parts" in ask(address)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_what_cannot_be_served(contest: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no challenge"):
        flawscope.challenge_serve([tmp_path])
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match="cannot be listened on"):
        flawscope.challenge_serve([contest], port=taken.getsockname()[1], worker=False)
    with pytest.raises(UserError, match="cannot be listened on"):
        flawscope.challenge_serve([contest], host="no.such.host.invalid", worker=False)
