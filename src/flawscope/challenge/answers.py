"""What a stranger's bundle answers to a hidden part: asked for within the sandbox, believed only as far as checked.

What comes out of the sandbox may be anything. It is taken for an answer if it is exactly that: two arrays of the right
shape, finite. A refusal is text, cut and cleaned. Shapes: n images, k classes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from flawscope.challenge.bounds import Bounds
from flawscope.challenge.sandbox import CHILD, Ended, check_sandbox, run_inside
from flawscope.errors import DataError
from flawscope.records import BoolArray, FloatArray, Task

BUNDLE, IMAGES = "/given/bundle.flawscope", "/given/images"
"""Where the sandbox shows them."""
SCORES, DECIDED = "scores_nk.npy", "decided_nk.npy"
REASON_LENGTH = 300
_AROUND = 4096
"""Bytes of a zip of two arrays beside their numbers, and some."""


@dataclass(frozen=True)
class Answers:
    """Scores (float64, n x k: calibrated probabilities) and decisions (bool, n x k), in the order of the images."""

    scores_nk: FloatArray
    decided_nk: BoolArray
    seconds: float


@dataclass(frozen=True)
class Refused:
    """A submission that failed by its own fault, and why: the text is shown to whoever has made it."""

    reason: str


@dataclass(frozen=True)
class Unfinished:
    """A submission that the clock ended before it had used its CPU time: not its fault, as far as can be seen."""

    reason: str


def answers_of(
    bundle: Path,
    images: Path,
    files: Sequence[str],
    task: Task,
    bounds: Bounds,
    *,
    tick: Callable[[], None] = lambda: None,
) -> Answers | Refused | Unfinished:
    """Let a bundle answer for the images of a folder, in the order of `files`. Labels are not seen.

    Args:
        bundle: the submitted file.
        images: the folder.
        files: the names of the images in it.
        task: what is asked; the bundle's classes may stand in another order.
        bounds: limits of the process.
        tick: called several times a second; what it raises ends the work.

    Raises:
        DataError: an image is gone.
        SandboxError: the sandbox does not work; the submission has no part in it.
        OutputError: the disk is full.
    """
    gone = [file for file in files if not (images / file).is_file()]
    if gone:
        raise DataError(f"{images} lacks {gone[0]}, and {len(gone) - 1} others", "restore it from a backup")
    n, k = len(files), len(task.classes)
    bounds = replace(bounds, output_bytes=n * k * 9 + _AROUND)
    asked = {"files": list(files), "kind": task.kind, "classes": list(task.classes), "bounds": asdict(bounds)}
    shown = {BUNDLE: bundle, IMAGES: images}
    ended = run_inside(CHILD, json.dumps(asked).encode(), bounds, shown=shown, tick=tick)
    if ended.too_long:
        return Unfinished(
            f"it was ended after {bounds.wall_seconds} seconds on the clock, before it had used the "
            f"{bounds.cpu_seconds} seconds of CPU time that it may: the machine had too little time for it"
        )
    if ended.code or not ended.answer:
        check_sandbox()  # so that what is the judge's fault is nobody else's
        return Refused(ended.reason(bounds))
    return _believed(ended, task, n)


def _believed(ended: Ended, task: Task, n: int) -> Answers | Refused:
    if ended.answer.startswith(b"{"):
        return Refused(_reason(ended.answer))
    try:
        scores_nk, decided_nk = unpacked(ended.answer, n, len(task.classes))
    except ValueError as error:
        return Refused(f"its process gave no answers that can be read: {error}")
    if task.kind == "multiclass" and not (decided_nk.sum(axis=1) == 1).all():
        return Refused("its process gave an image several classes, or none, where they exclude each other")
    return Answers(scores_nk, decided_nk, ended.seconds)


def _reason(content: bytes) -> str:
    try:
        words = str(json.loads(content)["refused"])
    except (ValueError, KeyError, TypeError, RecursionError):
        words = "it gave no reason that can be read"
    clean = "".join(letter if letter.isprintable() else " " for letter in words)
    return " ".join(clean[:REASON_LENGTH].split())


def packed(scores_nk: FloatArray, decided_nk: BoolArray) -> bytes:
    """Scores and decisions as an .npz, uncompressed; the same arrays give the same bytes.

    >>> scores_nk, decided_nk = unpacked(packed(np.array([[0.25]]), np.array([[True]])), 1, 1)
    >>> scores_nk.tolist(), decided_nk.tolist()
    ([[0.25]], [[True]])
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as file:
        for name, array in ((SCORES, scores_nk.astype("<f8")), (DECIDED, decided_nk.astype(np.bool_))):
            inner = io.BytesIO()
            np.lib.format.write_array(inner, np.ascontiguousarray(array), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), inner.getvalue())
    return stream.getvalue()


def unpacked(content: bytes, n: int, k: int) -> tuple[FloatArray, BoolArray]:
    """The arrays of `packed`, of n images and k classes. The bytes may be anything, and nothing in them is run.

    Raises:
        ValueError: they are something else, of another shape, or not finite.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            entries = {each.filename: each for each in file.infolist()}
            if set(entries) != {SCORES, DECIDED} or any(each.compress_type for each in entries.values()):
                raise ValueError("it holds other files than scores and decisions")
            scores, decided = (file.read(name) for name in (SCORES, DECIDED))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError):
        raise ValueError("no .npz") from None
    scores_nk = _array(scores, (n, k), np.dtype("<f8"))
    if not np.isfinite(scores_nk).all():
        raise ValueError("scores that are no finite numbers")
    return scores_nk, _array(decided, (n, k), np.dtype(np.bool_)).astype(np.bool_)


def _array(content: bytes, shape: tuple[int, int], dtype: np.dtype[np.generic]) -> FloatArray:
    """The head is compared before anything of the size that it names is made."""
    stream = io.BytesIO(content)
    if content[:8] != np.lib.format.magic(1, 0):
        raise ValueError("an array of another version")
    stream.seek(8)
    try:
        found = np.lib.format.read_array_header_1_0(stream)
    except ValueError:
        raise ValueError("an array whose head cannot be read") from None
    if found != (shape, False, dtype):
        raise ValueError(f"an array of {found[2]} {found[0]}, expected {dtype} {shape}"[:200])
    values = stream.read()
    if len(values) != shape[0] * shape[1] * dtype.itemsize:
        raise ValueError("an array that is cut off")
    return np.frombuffer(values, dtype=dtype).reshape(shape).astype(np.float64)
