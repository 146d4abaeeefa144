"""The program within the sandbox: reads a stranger's bundle, looks at the images, writes answers or a refusal.

Light runtime only. Everything that it touches of the bundle may be hostile; its own limits and walls are set before
it starts (`sandbox`). It is told the files, the classes and the bounds, and no label.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.bundle.archive import read_bundle
from flawscope.bundle.runtime import Runtime
from flawscope.challenge.admit import check_contents
from flawscope.challenge.answers import BUNDLE, IMAGES, packed
from flawscope.challenge.bounds import Bounds, size_words
from flawscope.challenge.sandbox import TRY
from flawscope.errors import BundleError, UserError
from flawscope.preprocess import load
from flawscope.records import BoolArray, FloatArray, Task

TWICE = 12
"""So many images are asked about again: alone, and beside each other."""
TOLERANCE = 1e-3
"""Of the largest logit, at least of 1: as golden test patterns are allowed to differ."""
_ALLOCATION = ("failed to allocate", "unable to allocate", "cannot allocate", "bad_alloc", "bad allocation")
"""How onnxruntime, NumPy, the system and C++ say that there is no memory left; no name in a bundle reads so."""
_FAILS = re.compile(r"(graph .*? fails): .*?(, for one of the pictures)?$", re.DOTALL)
_LOADS = re.compile(r"(onnxruntime \S+ cannot load graph .*?): ")
_OPERATOR = re.compile(r"while running (\w+) node\. Name:'([^']*)'")
_SCHEMA = "does not fit the schema:"
"""How refusals begin that end in another library's words."""


def main() -> None:
    """Answer the one request."""
    answer = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not fall among the answers
    request = sys.stdin.buffer.read()
    if request == TRY:
        _write(answer, TRY if walls_hold() else b"nothing keeps it in")
        return
    asked = json.loads(request)
    bounds = Bounds(**asked["bounds"])
    try:
        content = packed(*answered(asked, bounds))
    except UserError as error:
        content = _refusal(error.problem.replace(f"{BUNDLE}: ", "").replace(BUNDLE, "the bundle"), bounds)
    except UnicodeDecodeError:
        content = _refusal("a name in its graph is not UTF-8", bounds)
    except MemoryError:
        content = _refusal("unable to allocate", bounds)
    _write(answer, content)


def walls_hold() -> bool:
    """Whether another process, a socket and a new file are all denied."""
    attempts: tuple[Callable[[], object], ...] = (os.fork, socket.socket, Path("/try").touch)
    for attempt in attempts:
        try:
            attempt()
        except OSError:
            continue
        return False
    return True


def answered(asked: dict[str, Any], bounds: Bounds, bundle: str = BUNDLE, images: str = IMAGES) -> tuple[Any, Any]:
    """Scores and decisions for the images that are asked about, in the order of the challenge's classes.

    Raises:
        BundleError: the bundle is refused, does not fit the challenge, or does not always give the same answer.
    """
    contents = read_bundle(bundle)
    check_contents(contents, bounds)
    runtime = Runtime.of(contents, threads=1)
    column_k = _columns(runtime, asked)
    paths = [f"{images}/{file}" for file in asked["files"]]
    scores_nk, decided_nk, logit_nk = _looked_at(runtime, paths)
    _check_same(runtime, paths, logit_nk)
    return scores_nk[:, column_k], decided_nk[:, column_k]


def _columns(runtime: Runtime, asked: dict[str, Any]) -> list[int]:
    """The place of each class of the challenge among those of the bundle."""
    task: Task = runtime.task
    if runtime.sealed.is_draft:
        raise BundleError("the bundle is a draft: it gives scores, but no decisions")
    if task.kind != asked["kind"] or sorted(task.classes) != sorted(asked["classes"]):
        raise BundleError(
            f"the bundle decides about {', '.join(task.classes)} ({task.kind}); "
            f"the challenge asks for {', '.join(asked['classes'])} ({asked['kind']})"
        )
    if runtime.columns:
        names = ", ".join(column.name for column in runtime.columns)
        raise BundleError(f"the bundle also takes metadata ({names}); the challenge gives pictures alone")
    return [task.classes.index(name) for name in asked["classes"]]


def _looked_at(runtime: Runtime, paths: Sequence[str]) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Probabilities, decisions and logits, each n x k in the bundle's order of classes."""
    scores, decided, logits = [], [], []
    for path, each in zip(paths, _predicted(runtime, paths), strict=True):
        if each.decision is None:
            raise BundleError(f"it cannot take one of the pictures: {each.error}".replace(path, "the picture"))
        scores.append(each.probability)
        decided.append(each.decision.flags)
        logits.append(each.logits)
    return np.array(scores, dtype=np.float64), np.array(decided, dtype=np.bool_), np.array(logits, dtype=np.float64)


def _predicted(runtime: Runtime, paths: Sequence[str]) -> Any:
    try:
        yield from runtime.predict(paths)
    except BundleError as error:
        # Neither which picture it was nor what the network said of it: hidden pictures stay hidden.
        problem = error.problem.partition(f" for {IMAGES}")[0]
        raise BundleError(f"{problem}, for one of the pictures") from None


def _check_same(runtime: Runtime, paths: Sequence[str], logit_nk: FloatArray) -> None:
    """The same image gets the same answer: asked again alone, and in one run with others in another order."""
    picked_m = np.unique(np.linspace(0, len(paths) - 1, min(TWICE, len(paths))).astype(int))[::-1]
    again_mk = runtime.scores([paths[i] for i in picked_m])
    if not np.array_equal(again_mk, logit_nk[picked_m]):
        raise BundleError("it answers differently when it is asked about the same picture again")
    pixels_mchw = np.stack([load(paths[i], runtime.preprocess) for i in picked_m])
    together_mk = runtime.runner.run_together(pixels_mchw)
    if together_mk is None:
        return
    allowed = TOLERANCE * max(1.0, float(np.abs(again_mk).max()))
    if together_mk.shape != again_mk.shape or not np.abs(together_mk - again_mk).max() <= allowed:
        raise BundleError("its answer for a picture hangs on the pictures beside it")


def _refusal(problem: str, bounds: Bounds) -> bytes:
    if any(word in problem.lower() for word in _ALLOCATION):
        problem = f"it needs more than {size_words(bounds.memory_bytes)} of memory"
    problem = in_our_words(problem)
    return json.dumps({"refused": problem[:1000]}).encode()


def in_our_words(problem: str) -> str:
    """A refusal without what onnxruntime and pydantic say: they speak of their own code, and of the picture in hand.

    >>> in_our_words("graph 'main' fails: [ONNXRuntimeError] : 2 : Non-zero status code returned while running Gather "
    ...              "node. Name:'pick' Status Message: indices element out of data bounds, idx=7")
    "graph 'main' fails at its operator Gather 'pick'"
    >>> in_our_words("manifest.json does not fit the schema:\\n  sealed.task: Field required\\n  name: Input ...")
    'manifest.json does not fit the schema: sealed.task; name'
    """
    ran = _FAILS.match(problem)
    if ran:
        at = _OPERATOR.search(problem)
        where = f" at its operator {at[1]} {at[2][:100]!r}" if at else ""
        return f"{ran[1]}{where}{ran[2] or ''}"
    loaded = _LOADS.match(problem)
    if loaded:
        return f"{loaded[1]}: `flawscope show` tells why"
    schema, _, fields = problem.partition(_SCHEMA)
    if fields:
        places = [line.partition(": ")[0].strip() for line in fields.splitlines() if line.strip()]
        return f"{schema}{_SCHEMA} {'; '.join(places)}"
    return problem


def _write(answer: int, content: bytes) -> None:
    with os.fdopen(answer, "wb") as stream:
        stream.write(content)


if __name__ == "__main__":
    main()
