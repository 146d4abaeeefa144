"""Where a result comes from: command, code, versions and machine kind."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from flawscope._version import __version__
from flawscope.machine import cores

PACKAGES = ("numpy", "pillow", "onnxruntime", "torch", "torchvision", "timm")


def command() -> str:
    """The command line as typed; absolute paths keep their last name only, since bundles and reports are handed on."""
    program = Path(sys.argv[0]).name
    words = [without_folders(word) for word in sys.argv[1:]]
    words.insert(0, "flawscope" if program == "__main__.py" else program)
    return shlex.join(words)


def without_folders(word: str) -> str:
    """A word of a command line; of an absolute path, also behind `KEY=`, the last name.

    >>> without_folders("model.weights=/some/where/net.safetensors"), without_folders("split.test=0.2")
    ('model.weights=net.safetensors', 'split.test=0.2')
    """
    key, equals, path = word.rpartition("=")
    return f"{key}{equals}{Path(path).name}" if Path(path).is_absolute() else word


def code_version() -> str:
    """Version of flawscope, with the commit where it runs from a git checkout ("+" marks uncommitted changes).

    Files of results do not count: a benchmark that appends to them runs the same code as before.

    >>> code_version().startswith(__version__)
    True
    """
    here = Path(__file__).resolve().parent
    if not (here.parents[2] / ".git").exists():
        return __version__

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)benchmarks/results")
        dirty = "+" if changed else ""
        return f"{__version__} (commit {git('rev-parse', '--short=12', 'HEAD')}{dirty})"
    except (OSError, subprocess.SubprocessError):
        return __version__


def today() -> str:
    """Date and time in UTC, ISO 8601."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def machine() -> str:
    """The kind of machine: processor, cores that this process may use, operating system."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, {cores()} cores, {platform.system()}"


def versions() -> str:
    """Versions of Python and the libraries that matter for the numbers."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
