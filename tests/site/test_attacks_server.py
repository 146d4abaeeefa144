"""What an attacker may try on the server itself: connections that never end what they begin."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .test_uploads import Server

MANY = 200


@pytest.fixture
def server(contest: Path) -> Iterator[Server]:
    made = Server(contest)
    made.start()
    yield made
    made.kill()
    if made.process and made.process.stdout:
        made.process.stdout.close()
    made.site.database.engine.dispose()


def test_those_who_never_end_their_request_keep_nobody_waiting(server: Server) -> None:
    with ExitStack() as stack:
        for i in range(MANY):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            head = f"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: {10**9}\r\n"
            slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: 1" if i % 2 else head.encode())
        assert server.answers()


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: -1",
        "Content-Length: 1e3",
        "X: " + "x" * 100_000,
    ],
)
def test_requests_of_two_meanings_are_refused(server: Server, head: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
        second = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        line.sendall(f"POST /login HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n0\r\n\r\n{second}".encode())
        answer = http.client.HTTPResponse(line)
        answer.begin()
        assert answer.status in (400, 403, 431)
    assert server.answers()
