"""Writing so that nothing is ever half there: beside first, renamed last.

A full disk, a read-only folder or Ctrl-C leaves what was there before.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flawscope.errors import OutputError

_REMEDY = {
    errno.ENOSPC: "free some space, or choose another disk",
    errno.EDQUOT: "your quota is used up: free some space, or choose another disk",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "the disk is read-only: choose another folder",
    errno.ENOTDIR: "a part of the path is a file: choose another folder",
    errno.EEXIST: "a file of that name stands in the way: remove it or choose another name",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EFBIG: "the disk or a limit allows no file of this size: choose another disk",
    errno.ENOENT: "choose a folder that exists and can be written to",
    errno.EBUSY: "name a file that is not in use",
    errno.EINVAL: "choose another name",
    errno.EISDIR: "a folder of that name stands in the way: remove it or choose another name",
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system says about a path that cannot be written into an `OutputError`."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDY.get(error.errno or 0)
        if remedy is None:
            raise
        raise OutputError(f"cannot write {path}: {error.strerror}", remedy) from error


def check_writable(path: str | Path) -> None:
    """Try whether a file or folder can be made at `path`, and leave nothing behind.

    Raises:
        OutputError: it cannot.
    """
    target = Path(path).absolute()
    with writing(Path(path)):
        there = next(place for place in target.parents if place.exists())
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", suffix=".part", dir=there):
            pass


def check_replaceable(
    folder: Path,
    overwrite: bool,
    remedy: str = "choose another name (-o), or replace it with --overwrite",
    *,
    kind: str,
    ours: Callable[[Path], bool],
) -> None:
    """Only a folder of this kind or an empty one may be replaced, and only if the user says so.

    Args:
        folder: what is to be written.
        overwrite: whether the user has allowed it to be replaced.
        remedy: what to do where it exists and may not be.
        kind: what it must be, in words.
        ours: says of a folder whether it is that.

    Raises:
        OutputError: something else is there, or `overwrite` is off.
    """
    if not folder.exists():
        return
    if not overwrite:
        raise OutputError(f"{folder} exists already", remedy)
    if folder.resolve() == Path.cwd():
        raise OutputError("the present folder cannot be replaced", "name another one")
    if not folder.is_dir() or not (ours(folder) or not any(folder.iterdir())):
        raise OutputError(f"{folder} is not {kind}, it will not be replaced", "choose another name")


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` when the block ends well, else it vanishes.

    Raises:
        OutputError: the place cannot be written to.
    """
    target = Path(path)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        os.close(handle)
        beside = Path(name)
        try:
            yield beside
            mask = os.umask(0)
            os.umask(mask)
            beside.chmod(0o666 & ~mask)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a whole file or nothing."""
    with new_file(path) as beside:
        beside.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write a whole UTF-8 file or nothing."""
    write_bytes(path, content.encode())


def write_json(path: str | Path, content: Any) -> None:
    """Write plain data as readable JSON, keys in their order. NaN is refused: it is not JSON."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def new_folder(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder beside `path` to fill; it takes the place of `path` when the block ends well.

    Whatever goes wrong inside, `path` stays as it was; the unfinished folder is removed.

    Raises:
        OutputError: `path` exists and `overwrite` is off, or the place cannot be written to.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists already", "choose another name, or allow it to be replaced (--overwrite)")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
        try:
            yield beside
            beside.chmod(0o755)
            old = beside.with_suffix(".old")
            if target.exists():
                target.replace(old)
            try:
                beside.replace(target)
            except OSError:
                if old.exists():
                    old.replace(target)
                raise
            with suppress(OSError):
                shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hex, read in pieces."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
