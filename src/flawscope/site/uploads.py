"""Bundles on their way in: a request's body, piece by piece, into an unfinished file of the challenge.

Nothing of it lies in memory or in a folder for temporary files: the fields of the form come first and are small, and
the file goes where it shall lie (`challenge.receive`).
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from flawscope.challenge.bounds import bounds_of
from flawscope.challenge.receive import PIECE, Incoming, incoming
from flawscope.errors import BundleError, UserError
from flawscope.site.guard import SMALL_BODY
from flawscope.site.hosted import Hosted, Site
from flawscope.site.refusals import TooLargeError, TooManyError

IDLE_SECONDS = 60.0
AT_ONCE = 3
"""So many uploads of a team come in at a time."""
PLACE = re.compile(r"(?:/api/v1/challenges|/c)/([^/]+)/submissions")
_Out = TypeVar("_Out")


def limit_of(site: Site, scope: Scope) -> int:
    """How many bytes a request may send: an upload as much as its challenge takes, everything else little."""
    found = PLACE.fullmatch(scope["path"]) if scope["method"] == "POST" else None
    hosted = site.hosted.get(found[1]) if found else None
    return SMALL_BODY + (bounds_of(hosted.made.limits, 1).bundle_bytes if hosted else 0)


def check_length(hosted: Hosted, declared: str | None) -> None:
    """See whether what is to come can be taken, by what the request says of its length.

    Raises:
        TooLargeError: it cannot.
    """
    if declared and declared.isdigit() and int(declared) > hosted.made.limits.bundle_mb * 2**20 + SMALL_BODY:
        raise too_large(hosted)


def too_large(hosted: Hosted) -> TooLargeError:
    """What is said of a bundle that is larger than is taken."""
    return TooLargeError(f"the file is too large: at most {hosted.made.limits.bundle_mb:,} MB", "use a smaller network")


class Turns:
    """How many uploads of each team come in at this moment, in this process."""

    def __init__(self) -> None:
        self._under_way: Counter[int] = Counter()

    @contextmanager
    def taken(self, team: int) -> Iterator[None]:
        """Hold a place while the block runs.

        Raises:
            TooManyError: the team holds all of its own.
        """
        if self._under_way[team] >= AT_ONCE:
            raise TooManyError(f"{AT_ONCE} uploads of your team are under way", "wait until one has ended", 60)
        self._under_way[team] += 1
        try:
            yield
        finally:
            self._under_way[team] -= 1
            self._under_way += Counter()  # forget those that hold none


def turns_of(request: Request) -> Turns:
    """Those of the application that is asked."""
    found: Turns = request.app.state.turns
    return found


async def taken_in(hosted: Hosted, pieces: AsyncIterator[bytes], finish: Callable[[Incoming], _Out]) -> _Out:
    """Write the pieces of a file as they come; do `finish` when all are there. Where it breaks off, nothing is left.

    Raises:
        TooLargeError: there are more bytes than are taken.
        UserError: the connection broke off, or what `finish` raises.
        OutputError: the disk is full.
    """
    with incoming(hosted.folder, bounds_of(hosted.made.limits, 1)) as coming:
        waiting = bytearray()
        try:
            async for piece in _steadily(pieces):
                waiting += piece
                if len(waiting) >= PIECE:
                    await _write(hosted, coming, bytes(waiting))
                    waiting.clear()
        except ClientDisconnect:
            raise UserError("the upload broke off", "send it again") from None
        await _write(hosted, coming, bytes(waiting))
        return await run_in_threadpool(finish, coming)


async def _steadily(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, while they come: a browser that is gone without a word holds no place for ever."""
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise UserError(f"nothing has come for {IDLE_SECONDS:g} seconds", "send it again") from None
        yield piece


async def _write(hosted: Hosted, coming: Incoming, content: bytes) -> None:
    try:
        await run_in_threadpool(coming.write, content)
    except BundleError:
        raise too_large(hosted) from None


class UploadForm:
    """A form with one file (multipart/form-data, RFC 7578): first its fields, then the file, piece by piece."""

    def __init__(self, content_type: str, pieces: AsyncIterator[bytes]) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise UserError("this is no form with a file", "use the form on the page")
        self.fields: dict[str, str] = {}
        self.file_name = ""
        self._in_file = self._has_file = self._ended = False
        self._name, self._value, self._disposition, self._header = "", bytearray(), b"", [b"", b""]
        self._files, self._small, self._found, self._pieces = 0, 0, bytearray(), pieces
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._all,
            },
        )

    async def read_fields(self) -> None:
        """Read up to the beginning of the file, or to the end if there is none.

        Raises:
            UserError: it is no such form.
        """
        while not self._has_file and await self._read():
            pass

    async def file(self) -> AsyncIterator[bytes]:
        """The bytes of the file, after the fields were read.

        Raises:
            UserError: it is no such form, or it broke off.
        """
        while True:
            if self._found and self._files == 1:
                yield bytes(self._found)
                self._found.clear()
            elif self._files > 1:
                raise UserError("this form holds two files", "send one bundle at a time")
            elif not await self._read():
                break
        if not self._ended:
            raise UserError("the upload broke off", "send it again")

    @property
    def has_file(self) -> bool:
        """Whether a file was chosen: a browser sends one without a name and bytes if not."""
        return self._has_file and self.file_name != ""

    async def _read(self) -> bool:
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            return False
        except ClientDisconnect:
            raise UserError("the upload broke off", "send it again") from None
        try:
            self._parser.write(piece)
        except FormParserError:
            raise UserError("this form cannot be read", "use the form on the page") from None
        return True

    def _begin(self) -> None:
        self._disposition, self._value = b"", bytearray()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header[0] += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header[1] += data[start:end]

    def _header_end(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = self._header[1]
        self._header = [b"", b""]

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options:
            self._files += 1
            self._in_file = self._has_file = True
            self.file_name = options[b"filename"].decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._found += data[start:end]
            return
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, n: int) -> None:
        """All that is kept in memory, or that takes time, beside the file: the fields, and the heads of the parts."""
        self._small += n
        if self._small > SMALL_BODY:
            raise TooLargeError("the fields of this form are too large", "write a shorter note")

    def _end(self) -> None:
        if not self._has_file:  # what comes after the file comes too late to count
            self.fields[self._name] = self._value.decode("utf-8", "replace")
        self._in_file = False

    def _all(self) -> None:
        self._ended = True
