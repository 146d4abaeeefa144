"""Taking in a submission: from a stream of bytes to a row in the queue. One place, for the command and for the site.

The bytes come into an unfinished file in the folder where they shall lie, and are hashed and counted on the way. When
they are all there, the file's outside is looked at. Then, in one transaction of the store: what stands against it
(the budget of the day, the same file before), its new name, which is its hash, and its place in the queue. So whatever
breaks leaves nothing that is queued and nothing that counts. An unfinished file is locked by the process that writes
it, and is swept when nobody holds it any more.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from flawscope.challenge.admit import check_file
from flawscope.challenge.bounds import Bounds, bounds_of, size_words
from flawscope.challenge.desk import Desk
from flawscope.challenge.submitted import Submitted
from flawscope.challenge.worker import SUBMISSIONS, bundle_path
from flawscope.errors import BundleError
from flawscope.storage import writing

UNFINISHED = ".incoming-"
OLD_SECONDS = 24 * 3600
"""After so long an unfinished file is swept where files cannot be locked."""
PIECE = 2**20
NAME_LENGTH = 200


class Incoming:
    """A file that comes in, piece by piece; see `incoming`."""

    def __init__(self, folder: Path, bounds: Bounds, handle: int, path: Path) -> None:
        self._folder, self._handle, self.path, self.bounds = folder, handle, path, bounds
        self._hash = hashlib.sha256()
        self._kept = False
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of what has come so far."""
        return self._hash.hexdigest()

    def write(self, piece: bytes) -> None:
        """Take the next bytes.

        Raises:
            BundleError: it is more than is taken; nothing of it is written.
            OutputError: the disk is full.
        """
        self.size += len(piece)
        if self.size > self.bounds.bundle_bytes:
            most = size_words(self.bounds.bundle_bytes)
            raise BundleError(f"the file is too large: at most {most} are taken", "use a smaller network")
        self._hash.update(piece)
        left = memoryview(piece)
        with writing(self.path):
            while left:
                left = left[os.write(self._handle, left) :]

    def settle(self) -> None:
        """See to it that the bytes outlast a cut of the power.

        Raises:
            OutputError: the disk is full.
        """
        with writing(self.path):
            os.fsync(self._handle)

    def keep(self) -> None:
        """Put the file into its place, whatever lies there; twice is as good as once.

        Raises:
            OutputError: it cannot be put there.
        """
        if self._kept:
            return
        kept = bundle_path(self._folder, self.sha256)
        with writing(kept):
            os.fchmod(self._handle, 0o644)  # the judge may be another user; who may open the folder is another matter
            self.path.replace(kept)
            self._kept = True
            _settle_folder(kept.parent)


@contextmanager
def incoming(folder: Path, bounds: Bounds) -> Iterator[Incoming]:
    """A new unfinished file in a challenge's folder; when the block ends it is gone, unless it was kept.

    Raises:
        OutputError: the folder cannot be written to.
    """
    place = folder / SUBMISSIONS
    with writing(place):
        place.mkdir(exist_ok=True)
        handle, path = _locked(place)
    try:
        yield Incoming(folder, bounds, handle, path)
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def receive(
    desk: Desk,
    coming: Incoming,
    team: str,
    at: datetime,
    *,
    ticket: str | None = None,
    note: str = "",
    file_name: str = "",
    person: int | None = None,
) -> Submitted:
    """Put a file that has come in whole into the queue. Nothing of it is run here; only its outside is looked at.

    Args:
        desk: the challenge.
        coming: the file.
        team: whose it is.
        at: when it was there whole.
        ticket: the same one is the same submission, however often it is handed in.
        note: what its team writes to it.
        file_name: what the file was called.
        person: the number of who hands it in.

    Raises:
        BundleError: the file is none that is taken.
        UserError: too many today, or submitted before.
        StoreError, OutputError: it cannot be stored, and is not submitted.
    """
    check_file(coming.path, coming.bounds)
    coming.settle()
    return desk.store.submit(
        team, coming.sha256, at, desk.challenge.daily, ticket,
        note=note, file_name=file_name, person=person, keep=coming.keep,
    )  # fmt: skip


def receive_file(desk: Desk, path: Path, team: str, at: datetime, *, ticket: str | None = None) -> Submitted:
    """The same for a file that lies here.

    Raises:
        BundleError, UserError, StoreError, OutputError: see `receive`.
    """
    bounds = bounds_of(desk.challenge.limits, 1)
    check_file(path, bounds)
    sweep(desk.folder)
    with incoming(desk.folder, bounds) as coming:
        with path.open("rb") as stream:
            while piece := stream.read(PIECE):
                coming.write(piece)
        return receive(desk, coming, team, at, ticket=ticket, file_name=tidy_name(path.name))


def tidy_name(name: str) -> str:
    r"""The name of a file as it is kept: without its folders, of letters that can be read.

    >>> tidy_name("D:\\nets\\a.flawscope"), tidy_name("../a\u202eb\n.flawscope"), tidy_name("a\udcff")
    ('a.flawscope', 'ab.flawscope', 'a')
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(each for each in last if each.isprintable())[-NAME_LENGTH:].strip()


def sweep(folder: Path) -> int:
    """Take away the unfinished files that nobody writes any more, as a kill leaves them; returns how many."""
    swept = 0
    for path in (folder / SUBMISSIONS).glob(f"{UNFINISHED}*"):
        with suppress(OSError):  # it was finished in this moment, or is not ours
            swept += _swept(path)
    return swept


def _swept(path: Path) -> bool:
    with path.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            if time.time() - path.stat().st_mtime < OLD_SECONDS:
                return False
        path.unlink()
        return True


def _locked(place: Path) -> tuple[int, Path]:
    """A new file that we alone hold. Between its making and its lock a sweep may take it; then another is made."""
    while True:
        handle, name = tempfile.mkstemp(prefix=UNFINISHED, dir=place)
        with suppress(OSError):  # a disk without locks: swept when it is old
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)


def _settle_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
