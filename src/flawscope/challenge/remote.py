"""A challenge of a site elsewhere, as a program of a participant reaches it: by the site's API, with a token.

Needs the standard library and the light runtime alone. Certificates are checked; a token goes where the user has said,
and never after a redirect.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from flawscope._version import __version__
from flawscope.challenge.submitted import Received, Submitted
from flawscope.data.progress import watched
from flawscope.errors import BundleError, UserError, choices, reason

TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 3.0
TRIES = 20
"""While it waits, a site may fail so often in a row: it may be starting anew."""
PIECE = 2**20
LOCAL = ("localhost", "127.0.0.1", "::1")
_PAGE = re.compile(r"/c/([^/]+)(?:/.*)?")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_NOT_OURS = "check the address: is a site of `flawscope challenge serve` there?"


class RemoteError(UserError):
    """A site cannot be reached, or refuses something; `status` is that of its answer, 0 without one."""

    def __init__(self, problem: str, remedy: str = "", status: int = 0) -> None:
        super().__init__(problem, remedy)
        self.status = status

    def __reduce__(self) -> tuple[type[UserError], tuple[str, str, int]]:  # type: ignore[override]
        return type(self), (self.problem, self.remedy, self.status)

    @property
    def passing(self) -> bool:
        """Whether it may be otherwise in a moment."""
        return self.status in (0, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Remote:
    """A challenge of a site; `challenge` is its name there."""

    place: SplitResult
    token: str
    challenge: str

    @classmethod
    def at(cls, url: str, token: str, challenge: str | None, say: Callable[[str], None]) -> Remote:
        """The challenge at an address: that of the site, or of a page of the challenge.

        Raises:
            UserError: that is no address, the site cannot be reached, or has no such challenge.
        """
        place = _place(url)
        if not _TOKEN.fullmatch(token):
            raise UserError("the token holds blanks, or letters that no token has", "copy it anew: fsc_...")
        found = _PAGE.fullmatch(place.path)
        if found:
            place, challenge = place._replace(path=""), challenge or found[1]
        if place.scheme == "http" and place.hostname not in LOCAL:
            say("http: the token travels as it is, and whoever listens has it; a site in a network needs https")
        known = cls(place, token, "")._challenges()
        if challenge is None and len(known) == 1:
            challenge = known[0]
        if challenge is None:
            raise UserError(f"the site has several challenges: {', '.join(known)}", "name one: --challenge NAME")
        if challenge not in known:
            raise UserError(f"the site has no challenge {challenge}", choices(challenge, known))
        return cls(place, token, challenge)

    def asked(self, words: str = "") -> Any:
        """What the site says of the submissions of one's team, or (`/3`) of one of them.

        Raises:
            RemoteError: it does not say it.
        """
        return self._call("GET", f"/challenges/{quote(self.challenge)}/submissions{words}")

    def sent(self, stream: BinaryIO, size: int, words: Mapping[str, str]) -> Any:
        """Send a file: what the site says of the submission.

        Raises:
            RemoteError: it refuses it, or breaks off.
        """
        address = f"/challenges/{quote(self.challenge)}/submissions?{urlencode(words)}"
        pieces = iter(lambda: stream.read(PIECE), b"")
        body = watched(pieces, -(-size // PIECE), "uploading, MB")
        return self._call("POST", address, body, {"Content-Length": str(size)})

    def _challenges(self) -> list[str]:
        found = self._call("GET", "/challenges")
        try:
            return [str(each["name"]) for each in found]
        except (TypeError, KeyError):
            raise RemoteError("what answers there is no site of challenges", _NOT_OURS, 404) from None

    def _call(
        self, method: str, address: str, body: Iterator[bytes] | None = None, more: Mapping[str, str] | None = None
    ) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": f"flawscope/{__version__}", **(more or {})}
        if body is not None:
            headers["Content-Type"] = "application/octet-stream"
        connection = _connection(self.place)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it had all, with why
                connection.request(method, f"{self.place.path.rstrip('/')}/api/v1{address}", body, headers)
            answer = connection.getresponse()
            return _understood(answer, answer.read(2**24))
        except ssl.SSLCertVerificationError as error:
            raise RemoteError(
                f"the certificate of {self.place.hostname} cannot be trusted: {error.verify_message}",
                "check the address; a certificate of your own: SSL_CERT_FILE=ITS.pem",
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise RemoteError(
                f"{self.place.geturl()} cannot be reached, or broke off: {reason(error)}",
                "check the address and the network, and do the same again: nothing is submitted twice",
            ) from None
        finally:
            connection.close()


def hand_in(site: Remote, bundle: Path, note: str = "") -> Received:
    """Hand a bundle in, unless one's team has handed it in before: then what became of that.

    Raises:
        UserError: the file cannot be read, or the site refuses it.
    """
    try:
        with bundle.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            mine = site.asked()
            before = next((each for each in mine["submissions"] if each["sha256"] == sha256), None)
            if before:
                return _received(before, mine["team"])
            if mine["left"] < 1:
                raise UserError(
                    f"team {mine['team']} has made its {mine['daily']} submissions of today (UTC)",
                    f"submit from {mine['next_day']} on",
                )
            size = stream.seek(0, 2)
            stream.seek(0)
            words = {"file_name": _sendable(bundle.name), "note": note, "ticket": sha256}
            return _received(site.sent(stream, size, words), mine["team"])
    except OSError as error:
        raise BundleError(f"{bundle} cannot be read: {error.strerror or error}", "check its name") from None


def waited(site: Remote, given: Received, say: Callable[[str], None], pause: float = POLL_SECONDS) -> Received:
    """Ask until a submission is judged.

    Raises:
        UserError: it was refused or given up, or the site is gone for too long.
    """
    said, failed = "", 0
    while True:
        found = given.submitted
        if found.state == "refused":
            raise UserError(f"submission {found.number} was refused: {found.reason}", "mend it, and submit it again")
        if found.state == "stuck":
            raise UserError(f"the judge has given submission {found.number} up", "tell the organiser: not your fault")
        if found.state == "judged":
            return given
        words = "is being judged" if found.state == "judging" else f"waits, {given.ahead or 0} before it"
        if words != said:
            say(f"submission {found.number} {words}")
            said = words
        time.sleep(pause)
        try:
            given, failed = _received(site.asked(f"/{found.number}"), found.team), 0
        except RemoteError as error:
            failed += 1
            if not error.passing or failed >= TRIES:
                raise UserError(
                    f"submission {found.number} is in the queue, but: {error.problem}",
                    "the same command again asks how it went",
                ) from None


def _place(url: str) -> SplitResult:
    try:
        place = urlsplit(url.strip())
        fine = place.scheme in ("http", "https") and place.hostname and (place.port or 1)
    except ValueError:
        fine = None
    if not fine or place.username or not url.isascii() or not url.strip().isprintable():
        raise UserError(f"{url} is no address of a site", "write it as https://HOST or https://HOST/c/CHALLENGE")
    return place._replace(query="", fragment="")


def _connection(place: SplitResult) -> http.client.HTTPConnection:
    host = place.hostname or ""
    if place.scheme == "http":
        return http.client.HTTPConnection(host, place.port, timeout=TIMEOUT_SECONDS)
    secure = ssl.create_default_context()
    return http.client.HTTPSConnection(host, place.port, timeout=TIMEOUT_SECONDS, context=secure)


def _understood(answer: http.client.HTTPResponse, content: bytes) -> Any:
    """What a site has answered; its refusals are in its own words."""
    status = answer.status
    if 300 <= status < 400:
        raise RemoteError(
            f"the site is elsewhere: {answer.headers.get('Location', 'it does not say where')[:200]}",
            "name that address",
            status,
        )
    try:
        found = json.loads(content)
    except ValueError:
        raise RemoteError(f"the answer ({status} {answer.reason}) is none of such a site", _NOT_OURS, status) from None
    if status < 300:
        return found
    if status == 401:
        raise RemoteError(
            "the token is not valid there", "make one on the page of your account, and copy it whole", status
        )
    told = found if isinstance(found, dict) else {}
    problem = told.get("problem") or f"the site answered {status} {answer.reason}"
    raise RemoteError(str(problem), str(told.get("remedy") or _NOT_OURS), status)


def _received(told: Any, team: str) -> Received:
    try:
        submitted = Submitted(
            number=int(told["number"]),
            team=team,
            sha256=str(told["sha256"]),
            received=datetime.fromisoformat(told["received"]),
            state=told["state"],
            reason=str(told["reason"]),
            note=str(told["note"]),
            file_name=str(told["file_name"]),
            chosen=bool(told["chosen"]),
        )
        score = told["score"]
        return Received(submitted, bool(told["late"]), told["ahead"], None if score is None else float(score))
    except (KeyError, TypeError, ValueError) as error:
        raise RemoteError(f"the site's answer is not understood ({reason(error)})", "update flawscope", 200) from None


def _sendable(name: str) -> str:
    return name.encode("utf-8", "replace").decode()
