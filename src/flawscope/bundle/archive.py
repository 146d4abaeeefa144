"""The bundle file: a zip that is either whole or refused.

The zip stores its members uncompressed, in a fixed order and with fixed dates, so that the same contents give the
same bytes. Its archive comment is `sha256:<hex>` over every byte before the comment: a byte flipped anywhere, in the
headers of the zip too, is found before anything is parsed. This finds damage; it is not a signature.

Members: `manifest.json`, `graphs/*.onnx`, `golden/*.npy`, `evidence/*.json`. All but the manifest are listed with
their hash in the manifest. Evidence lies outside the seal and names it.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.bundle.manifest import DAMAGED, Column, Manifest, from_json, seal_of, to_json
from flawscope.errors import NAME_WORDS, BundleError
from flawscope.metadata import TableRow
from flawscope.preprocess import Pixels, Preprocess
from flawscope.records import FloatArray
from flawscope.storage import new_file

SUFFIX = ".flawscope"
MANIFEST = "manifest.json"
MAX_BYTES = 4 * 1024**3 - 1
MAX_MANIFEST = 16 * 1024**2
_COMMENT = re.compile(rb"sha256:([0-9a-f]{64})")
_COMMENT_LENGTH = len("sha256:") + 64
MEMBER = re.compile(
    r"manifest\.json|(graphs/{0}\.onnx|golden/{0}\.npy|evidence/{0}\.json)".replace("{0}", r"[\w][\w.-]{0,199}"),
    re.ASCII,
)
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Contents:
    """What a bundle holds, read and checked. Keys of `graphs` and `golden` are member names, of `evidence` bare."""

    manifest: Manifest
    graphs: Mapping[str, bytes]
    golden: Mapping[str, bytes]
    evidence: Mapping[str, dict[str, Any]]


def write_bundle(
    path: str | Path,
    manifest: Manifest,
    graphs: Mapping[str, bytes],
    golden: Mapping[str, bytes],
    evidence: Mapping[str, dict[str, Any]] | None = None,
) -> Manifest:
    """Write a bundle, whole or not at all, and return its manifest with hashes and seal filled in.

    `graphs` and `golden` map member names (`graphs/main.onnx`) to bytes, `evidence` bare names (`test`) to plain data.
    A draft (no calibrator or no decision) is written without a seal and cannot carry evidence.

    Raises:
        OutputError: the place cannot be written to.
        BundleError: evidence for a draft.
    """
    if set(graphs) != {each.file for each in manifest.sealed.graphs}:
        raise ValueError(f"the manifest names other graphs than {sorted(graphs)}")
    named = {file for each in manifest.golden for file in (*each.file_inputs.values(), *each.file_outputs.values())}
    if set(golden) != named:
        raise ValueError(f"the manifest names the golden files {sorted(named)}, got {sorted(golden)}")
    hashed = tuple(each.model_copy(update={"sha256": _sha256(graphs[each.file])}) for each in manifest.sealed.graphs)
    sealed = manifest.sealed.model_copy(update={"graphs": hashed})
    seal = "" if sealed.is_draft else seal_of(sealed)
    if evidence and not seal:
        raise BundleError("a draft cannot carry evidence", "decide and seal the bundle first: flawscope decide")
    members = {**graphs, **golden, **{_evidence(name): _document(doc, seal) for name, doc in (evidence or {}).items()}}
    files = {name: _sha256(members[name]) for name in sorted(members)}
    complete = manifest.model_copy(update={"sealed": sealed, "seal": seal, "files": files})
    _write(Path(path), to_json(complete), members)
    return complete


def read_bundle(path: str | Path) -> Contents:
    """Read a bundle and check every byte of it. Nothing of it is run.

    Raises:
        BundleError: missing, not a bundle, cut off, changed, of a newer schema, or holding what no bundle holds.
    """
    manifest, members = _checked(Path(path))
    graphs = {name: content for name, content in members.items() if name.startswith("graphs/")}
    golden = {name: content for name, content in members.items() if name.startswith("golden/")}
    evidence = {}
    for name, content in members.items():
        if name.startswith("evidence/"):
            document = _json(name, content)
            if document.get("seal") != manifest.seal:
                raise BundleError(f"{path}: {name} belongs to another bundle (it names another seal)", DAMAGED)
            evidence[name.removeprefix("evidence/").removesuffix(".json")] = document
    return Contents(manifest, graphs, golden, evidence)


def add_evidence(path: str | Path, name: str, document: Mapping[str, Any]) -> Manifest:
    """Write the bundle anew with one more (or a newer) evidence document; the seal stays what it is.

    Raises:
        BundleError: the bundle is damaged, or a draft.
        OutputError: the place cannot be written to.
    """
    manifest, members = _checked(Path(path))
    if not manifest.seal:
        raise BundleError(
            f"{path}: a draft cannot carry evidence", "decide and seal the bundle first: flawscope decide"
        )
    members[_evidence(name)] = _document(document, manifest.seal)
    # The manifest is changed as data, so that what was sealed stays as it was written.
    raw = json.loads(members.pop(MANIFEST))
    raw["files"] = {member: _sha256(members[member]) for member in sorted(members)}
    text = json.dumps(raw, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    _write(Path(path), text, members)
    return from_json(text)


def golden_patterns(preprocess: Preprocess, n: int = 4, seed: int = 0) -> Pixels:
    """Generated test pictures, n x c x h x w: a gradient, checks, waves and noise, in turn; never a user's picture.

    >>> golden_patterns(Preprocess(size=(8, 16), channels=1), n=2).shape
    (2, 1, 8, 16)
    """
    channels, height, width = preprocess.shape
    random = np.random.default_rng(seed)
    planes = [[_pattern(i, c, height, width, random) for c in range(channels)] for i in range(n)]
    pattern_nchw = np.array(planes, dtype=np.float64).reshape(n, channels, height, width)
    scaled_nchw = np.rint(pattern_nchw * np.iinfo(preprocess.dtype).max)
    return scaled_nchw.astype(np.uint8) if preprocess.depth == 8 else scaled_nchw.astype(np.uint16)


def golden_rows(columns: Sequence[Column], n: int = 4) -> TableRow:
    """Generated metadata, n x m: each category in turn, numbers around those of the training part.

    >>> golden_rows([Column(name="type", categories=("a", "b")), Column(name="age", mean=10, std=2)], n=3).tolist()
    [[0.0, 10.0], [1.0, 12.0], [0.0, 8.0]]
    """
    steps = (0.0, 1.0, -1.0, 2.0)
    rows = [
        [
            float((i + place) % len(column.categories))
            if column.categories
            else column.mean + steps[i % len(steps)] * column.std
            for place, column in enumerate(columns)
        ]
        for i in range(n)
    ]
    return np.array(rows, dtype=np.float32).reshape(n, len(columns))


def _pattern(i: int, channel: int, height: int, width: int, random: np.random.Generator) -> FloatArray:
    """One plane of values in [0, 1], h x w."""
    y, x = np.mgrid[0:height, 0:width]
    shift, pitch = random.uniform(0, 1), int(random.integers(3, 16))
    kind = ("gradient", "checks", "waves", "noise")[i % 4]
    if kind == "gradient":
        return np.asarray((x / width + y / height + shift) / 3)
    if kind == "checks":
        return np.asarray((x // pitch + y // pitch + channel) % 2, dtype=np.float64)
    if kind == "waves":
        return np.asarray(0.5 + 0.5 * np.sin((x * shift + y) / pitch))
    return random.uniform(0, 1, (height, width))


def to_npy(array: npt.NDArray[Any]) -> bytes:
    """An array as the bytes of a .npy file."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def from_npy(files: Mapping[str, bytes], name: str) -> npt.NDArray[Any]:
    """The array of a .npy member of a bundle.

    Raises:
        BundleError: not there, or not a plain array of numbers.
    """
    if name not in files:
        raise BundleError(f"the bundle holds no {name}", DAMAGED)
    try:
        array = np.lib.format.read_array(io.BytesIO(files[name]), allow_pickle=False)
    except (ValueError, EOFError, MemoryError, OverflowError):
        raise BundleError(f"{name} is not a plain array", DAMAGED) from None
    if array.dtype.kind not in "uif":
        raise BundleError(f"{name} holds {array.dtype}, expected numbers", DAMAGED)
    return np.asarray(array)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _evidence(name: str) -> str:
    member = f"evidence/{name}.json"
    if not MEMBER.fullmatch(member):
        raise BundleError(f"evidence cannot be called {name!r}", f"use {NAME_WORDS}")
    return member


def _document(document: Mapping[str, Any], seal: str) -> bytes:
    return (json.dumps({**document, "seal": seal}, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _json(name: str, content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise BundleError(f"{name} is not a JSON document", DAMAGED)
    return document


def _write(path: Path, manifest: str, members: Mapping[str, bytes]) -> None:
    with new_file(path) as beside:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as bundle:
            for name, content in ((MANIFEST, manifest.encode()), *sorted(members.items())):
                entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.create_system, entry.external_attr = 3, 0o644 << 16
                bundle.writestr(entry, content)
            bundle.comment = b"0" * _COMMENT_LENGTH  # the header holds its length, so it is set before hashing
        with beside.open("r+b") as stream:
            size = beside.stat().st_size - _COMMENT_LENGTH
            digest = hashlib.sha256()
            for start in range(0, size, 1 << 20):
                digest.update(stream.read(min(1 << 20, size - start)))
            stream.seek(size)
            stream.write(f"sha256:{digest.hexdigest()}".encode())


def _checked(path: Path) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and all members, every check done."""
    members = _members(path, _whole(path))
    try:
        manifest = from_json(members[MANIFEST])
    except BundleError as error:
        raise BundleError(f"{path}: {error.problem}", error.remedy) from None
    found, listed = set(members) - {MANIFEST}, set(manifest.files)
    if found != listed:
        raise BundleError(f"{path}: the files differ from the manifest's list: {sorted(found ^ listed)}", DAMAGED)
    sealed = {each.file: each.sha256 for each in manifest.sealed.graphs}
    if set(sealed) != {name for name in found if name.startswith("graphs/")}:
        raise BundleError(f"{path}: the graphs differ from those that the manifest names", DAMAGED)
    for name, expected in (*manifest.files.items(), *sealed.items()):
        if _sha256(members[name]) != expected:
            raise BundleError(f"{path}: {name} is not what was sealed", DAMAGED)
    return manifest, members


def _whole(path: Path) -> bytes:
    """All bytes of the file, if they are what was written."""
    try:
        if path.is_dir():
            raise BundleError(f"{path} is a folder, not a bundle", f"name a file that ends in {SUFFIX}")
        size = path.stat().st_size
        if size == 0:
            raise BundleError(f"{path} is empty (0 bytes)", DAMAGED)
        if size > MAX_BYTES:
            raise BundleError(f"{path} is larger than a bundle can be ({size:,} bytes)", f"name a {SUFFIX} file")
        content = path.read_bytes()
    except FileNotFoundError:
        raise BundleError(f"{path} does not exist", "check the name, or make one with: flawscope run RECIPE") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}", "check that you may read it") from None
    if not content.startswith(b"PK\x03\x04"):
        raise BundleError(f"{path} is not a bundle, or its beginning is damaged", f"name a {SUFFIX} file, or {DAMAGED}")
    comment = _COMMENT.fullmatch(content[-_COMMENT_LENGTH:])
    if comment is None:
        raise BundleError(f"{path} is not a whole bundle: it is cut off, or not a bundle at all", DAMAGED)
    if hashlib.sha256(memoryview(content)[:-_COMMENT_LENGTH]).hexdigest().encode() != comment[1]:
        raise BundleError(f"{path} is damaged: its bytes are not those that were written", DAMAGED)
    return content


def _members(path: Path, content: bytes) -> dict[str, bytes]:
    """The members of the zip; only what `write_bundle` could have written is taken.

    Members are stored, not compressed, so they cannot grow; their sum is bounded by the size of the file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as bundle:
            entries = bundle.infolist()
            names = [entry.filename for entry in entries]
            strange = [name for name in names if not MEMBER.fullmatch(name)]
            if strange or len(set(names)) != len(names) or MANIFEST not in names:
                raise BundleError(f"{path} holds other files than a bundle does: {strange or names}"[:500], DAMAGED)
            plain = all(e.compress_type == zipfile.ZIP_STORED and not e.flag_bits & _ENCRYPTED for e in entries)
            if not plain or sum(entry.file_size for entry in entries) > len(content):
                raise BundleError(f"{path} is packed in another way than a bundle is", DAMAGED)
            if bundle.getinfo(MANIFEST).file_size > MAX_MANIFEST:
                raise BundleError(f"{path}: manifest.json is too large", DAMAGED)
            return {name: bundle.read(name) for name in names}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError, KeyError):
        raise BundleError(f"{path} is not a readable zip", DAMAGED) from None
