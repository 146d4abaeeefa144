"""Whether a stranger's file may be looked at at all, and whether its graphs may be run. Torch-free, without `onnx`.

`check_file` reads only the directory of the zip and is done by the judge itself, at once. Everything that reads
further (`check_contents`) is work on hostile bytes, and is done within the sandbox.
"""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path, PurePosixPath

from flawscope.bundle.archive import MANIFEST, MEMBER, Contents
from flawscope.bundle.manifest import ImageInput
from flawscope.challenge.bounds import Bounds, size_words
from flawscope.challenge.graphcheck import check_graph
from flawscope.errors import BundleError

_END = struct.Struct("<4s4H2LH")
"""The end record of a zip: signature, disks, entries, size and place of the directory, length of the comment."""
_COMMENT = len("sha256:") + 64
_ZIP64 = b"PK\x06\x07"
_ENTRY_BYTES = 1024
"""Of the directory for each file: a record of 46 bytes, and the name."""
MADE_BY = "make the file with `flawscope run` or `flawscope pack`"


def check_file(path: str | Path, bounds: Bounds) -> None:
    """See that a file is a zip that a bundle could be, from its size and its directory alone.

    Raises:
        BundleError: too large, too many files, a file outside of the zip, a link, or packed in another way.
    """
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise BundleError("it is not a file", "name a .flawscope file")
        _check_size(status.st_size, bounds)
        with Path(path).open("rb") as stream:
            _check_end(stream.read(4), _tail(path, status.st_size), bounds)
        with zipfile.ZipFile(path) as bundle:
            entries = bundle.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError):
        raise BundleError("the list of files in the zip is damaged", MADE_BY) from None
    except OSError as error:
        raise BundleError(f"the file cannot be read: {error.strerror}", "check its name") from None
    _check_entries(entries, status.st_size, bounds)


def check_contents(contents: Contents, bounds: Bounds) -> None:
    """See that the graphs of a bundle, which was read, may be run.

    Raises:
        BundleError: an input too large, or a graph that `check_graph` refuses.
    """
    for graph in contents.manifest.sealed.graphs:
        for each in graph.inputs:
            if isinstance(each, ImageInput) and max(each.preprocess.size) > bounds.side:
                height, width = each.preprocess.size
                raise BundleError(
                    f"the network takes pictures of {width} x {height} pixels, at most {bounds.side} a side are run",
                    "train with a smaller image.size",
                )
    for name, content in contents.graphs.items():
        check_graph(name, content, bounds)


def _check_size(size: int, bounds: Bounds) -> None:
    if size > bounds.bundle_bytes:
        raise BundleError(
            f"the file has {size:,} bytes, at most {size_words(bounds.bundle_bytes)} are taken", "use a smaller network"
        )


def _tail(path: str | Path, size: int) -> bytes:
    """The end record with its comment, and the 20 bytes before it."""
    with Path(path).open("rb") as stream:
        stream.seek(max(0, size - _COMMENT - _END.size - 20))
        return stream.read()


def _check_end(start: bytes, tail: bytes, bounds: Bounds) -> None:
    """From the last bytes: before the directory is read, it must be of a size that is worth it."""
    if not start.startswith(b"PK\x03\x04") or len(tail) != _COMMENT + _END.size + 20:
        raise BundleError("it is not a bundle: no zip, or cut off", MADE_BY)
    signature, _, _, _, entries, directory, _, comment = _END.unpack(tail[20 : 20 + _END.size])
    if signature != b"PK\x05\x06" or comment != _COMMENT:
        raise BundleError("it is not a bundle: its end is not that of a whole one", MADE_BY)
    if tail.startswith(_ZIP64):
        raise BundleError("the zip is of the kind for more than 4 GB, which no bundle is", MADE_BY)
    if entries > bounds.members or directory > bounds.members * _ENTRY_BYTES:
        raise BundleError(f"the zip holds {entries} files, at most {bounds.members} are taken", MADE_BY)


def _check_entries(entries: list[zipfile.ZipInfo], size: int, bounds: Bounds) -> None:
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names) or MANIFEST not in names:
        raise BundleError("the zip holds no manifest.json, or one name twice", MADE_BY)
    for entry in entries:
        name, place = repr(entry.filename[:100]), PurePosixPath(entry.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in entry.filename:
            raise BundleError(f"a file of the zip is called {name}: it would lie outside", MADE_BY)
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise BundleError(f"{name} in the zip is a link", MADE_BY)
        if not MEMBER.fullmatch(entry.filename):
            raise BundleError(f"the zip holds {name}, which no bundle does", MADE_BY)
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 0x1 or entry.file_size != entry.compress_size:
            ratio = entry.file_size / max(1, entry.compress_size)
            raise BundleError(
                f"{name} is packed ({ratio:,.0f} bytes from each): a bundle's files are stored as they are", MADE_BY
            )
        if entry.filename.endswith(".json") and entry.file_size > bounds.document_bytes:
            most = size_words(bounds.document_bytes)
            raise BundleError(f"{name} has {entry.file_size:,} bytes, at most {most} are taken", MADE_BY)
    if sum(entry.file_size for entry in entries) > size:
        raise BundleError("the files in the zip lie over each other: together they are larger than it", MADE_BY)
