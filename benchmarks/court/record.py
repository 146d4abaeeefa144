"""What every benchmark of the court writes: numbers with intervals, and all that is needed to make them again."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from flawscope.data import court
from flawscope.evaluation.intervals import wilson
from flawscope.steps.provenance import code_version, command, machine, today, versions
from flawscope.steps.workspace import read_json
from flawscope.storage import sha256_file, write_text

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SHARED = ROOT.parent / "shared"
RUNS = ROOT / "runs"
RESULTS = HERE.parent / "results"
PACKAGES = ("scipy", "scikit-learn", "opencv-python-headless", "faiss-cpu", "imagehash")


def provenance(benchmark: str) -> dict[str, Any]:
    """The head of every entry. `court` is the hash of the method's source: `code` may say "uncommitted changes"."""
    more = []
    for package in PACKAGES:
        try:
            more.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return {
        "benchmark": benchmark,
        "command": f"python benchmarks/court/{command()}",
        "code": code_version(),
        "court": court_hash(),
        "date": today(),
        "machine": machine(),
        "versions": ", ".join([versions(), *more]),
    }


def court_hash() -> str:
    """Hash of the source of the court: what was measured with another one is not used again."""
    sources = sorted(path for place in court.__path__ for path in Path(place).glob("*.py"))
    return hashlib.sha256("".join(f"{path.name} {sha256_file(path)}\n" for path in sources).encode()).hexdigest()[:12]


def rate(hits: int, n: int) -> list[float] | None:
    """A proportion as [value, low, high, hits, n] with its 95 % Wilson interval; None of nothing.

    >>> rate(8, 10)
    [0.8, 0.4902, 0.9433, 8, 10]
    """
    if n == 0:
        return None
    return [*(round(value, 4) for value in (hits / n, *wilson(hits / n, n))), hits, n]


def in_words(found: list[float] | None) -> str:
    """A rate for the console."""
    return "-" if found is None else f"{found[0]:.4f} ({found[1]:.4f} to {found[2]:.4f}), {found[3]} of {found[4]}"


def append(path: Path, entry: dict[str, Any]) -> None:
    """Add an entry to a file of results; lists of numbers or words stand on one line."""
    entries = read_json(path) if path.is_file() else []
    text = json.dumps([*entries, entry], indent=1, ensure_ascii=False, allow_nan=False)
    text = re.sub(r"\[(\n[^\[\]{}]*)\]", _on_one_line, text)
    assert json.loads(text) == [*entries, entry]
    write_text(path, text + "\n")


def _on_one_line(innermost: re.Match[str]) -> str:
    """Line breaks stand between values only: in words JSON writes them as an escape."""
    return "[" + re.sub(r"\n *", " ", innermost[1]).strip() + "]"
