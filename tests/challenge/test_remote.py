"""What a program says of a site elsewhere: while it waits, and of certificates that nobody vouches for."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from flawscope.challenge.remote import Remote, RemoteError, hand_in, waited
from flawscope.challenge.submitted import Received
from flawscope.errors import UserError

TOLD: dict[str, Any] = {
    "number": 7, "received": "2027-01-31T12:00:00Z", "by": "Ada", "file_name": "a", "sha256": "ab", "note": "",
    "state": "waiting", "ahead": 2, "reason": "", "late": False, "chosen": False, "score": None,
}  # fmt: skip


class Site:
    """Answers one thing after the other."""

    def __init__(self, *answers: dict[str, Any] | RemoteError) -> None:
        self.answers = list(answers)

    def asked(self, words: str = "") -> Any:
        found = self.answers.pop(0)
        if isinstance(found, RemoteError):
            raise found
        return TOLD | found


def wait(*answers: dict[str, Any] | RemoteError) -> tuple[Received, list[str]]:
    from flawscope.challenge.remote import _received

    said: list[str] = []
    site: Any = Site(*answers)
    return waited(site, _received(TOLD, "Wire"), said.append, pause=0), said


def test_it_waits_until_it_is_judged() -> None:
    away = RemoteError("away", "", 503)
    given, said = wait({"ahead": 1}, away, {"ahead": 1}, {"state": "judging", "ahead": None}, away,
                       {"state": "judged", "ahead": None, "score": 0.73})  # fmt: skip
    assert (given.submitted.state, given.score) == ("judged", 0.73)
    assert said == [
        "submission 7 waits, 2 before it", "submission 7 waits, 1 before it", "submission 7 is being judged"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([{"state": "refused", "reason": "it answers nothing"}], "submission 7 was refused: it answers nothing"),
        ([{"state": "stuck"}], "given submission 7 up"),
        ([RemoteError("no", "", 404)], "submission 7 is in the queue, but: no"),
        ([RemoteError("away", "", 0)] * 20, "submission 7 is in the queue, but: away"),
        ([{"received": "noon"}], "is not understood"),
    ],
)
def test_it_fails_where_nothing_can_come_of_it(answers: list[Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as found:
        wait(*answers)
    assert found.value.remedy


def test_what_is_known_before_the_upload(tmp_path: Path) -> None:
    bundle = tmp_path / "a"
    bundle.write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    mine: dict[str, Any] = {"team": "Wire", "left": 0, "daily": 5, "next_day": "2027-02-01T00:00:00Z"}
    site: Any = Site({**mine, "submissions": [TOLD, TOLD | {"sha256": empty, "number": 3}]})
    assert hand_in(site, bundle).submitted.number == 3
    site = Site({**mine, "submissions": [TOLD]})
    with pytest.raises(UserError, match=r"its 5 submissions of today(?s:.)*2027-02-01"):
        hand_in(site, bundle)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302 if self.path.startswith("/moved") else 200)
        self.send_header("Location", "https://elsewhere.example/")
        self.end_headers()
        self.wfile.write(b"[]" if self.path.startswith("/empty") else b'{"no": "site"}')

    def log_message(self, *given: Any) -> None:
        pass


@pytest.fixture
def strange() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_strange_servers(strange: HTTPServer) -> None:
    address = f"http://127.0.0.1:{strange.server_port}"
    for place, words in {
        "": "no site of challenges",
        "/moved": "the site is elsewhere: https://elsewhere.example/",
        "/empty": "several challenges: ",
    }.items():
        with pytest.raises(UserError, match=words):
            Remote.at(f"{address}{place}", "t", None, print)


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(strange: HTTPServer, tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("CERTIFICATES ARE NOT TRIED: openssl is not there")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    line = ["openssl", "req", "-x509", *kind, "-keyout", key, "-out", certificate]
    subprocess.run(line, check=True, capture_output=True)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(certificate, key)
    strange.socket = secure.wrap_socket(strange.socket, server_side=True)
    with pytest.raises(RemoteError, match="certificate of localhost cannot be trusted"):
        Remote.at(f"https://localhost:{strange.server_port}", "t", None, print)


def test_a_participant_needs_the_light_runtime_alone() -> None:
    code = (
        "import sys, flawscope\n"
        "for name in ('sqlalchemy', 'alembic', 'fastapi', 'torch', 'onnx', 'jinja2'): sys.modules[name] = None\n"
        "try: flawscope.challenge_submit(None, 'x', url='http://127.0.0.1:1', token='t')\n"
        "except flawscope.errors.UserError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert "http://127.0.0.1:1 cannot be reached" in done.stdout, done
