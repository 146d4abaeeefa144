"""What a program in the sandbox sees of the machine: Python, the packages that the judge's program imports, libraries.

Which these are is asked of Python: what `challenge.child` imports, which libraries of the system that takes, and what
the distributions of the packages say they need. Their files are known from the distributions as well. Whatever else
is installed beside them (other packages, and data that may lie in them) is not there: folders of packages within what
is shown are covered by empty ones.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from flawscope.errors import SandboxError

PROGRAM = "flawscope.challenge.child"
LINKS = ("/lib", "/lib64", "/usr/lib64")
"""Folders of libraries that are links to others on many machines. What starts a program (`ld-*`) lies in them."""
FACTS = ("/etc/ld.so.cache", "/etc/alternatives", "/proc/cpuinfo", "/sys/devices/system/cpu")
"""Where libraries are found, and for numbers that are the same everywhere the kind of processor."""
SOURCE = Path(__file__).resolve().parents[1]
"""The code of flawscope."""
_ASKED = f"""
import sys, {PROGRAM}
found = {{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names)
print(*(name for name in found if getattr(sys.modules.get(name), "__file__", None)))
with open("/proc/self/maps") as maps:
    places = {{line.rstrip().split(maxsplit=5)[-1] for line in maps}}
print(*(place for place in places if place.startswith("/") and ".so" in place), sep="\\n")
"""


@dataclass(frozen=True)
class View:
    """What is shown, and what is covered.

    Attributes:
        python: the interpreter itself, no link to it.
        libraries: folders that are shown whole: of the system's libraries, and Python's own.
        loaders: files that start programs.
        covered: folders of packages in them, of which nothing is seen but `packages`.
        packages: files and folders of the distributions that are needed.
        roots: where modules are looked for.
    """

    python: Path
    libraries: tuple[Path, ...]
    loaders: tuple[Path, ...]
    covered: tuple[Path, ...]
    packages: tuple[Path, ...]
    roots: tuple[Path, ...]

    def words(self) -> list[str]:
        """Of bubblewrap's command line. A folder that is a link on this machine is one inside, too."""
        words = [word for each in map(Path, LINKS) if each.is_symlink() for word in _link(each)]
        for fact in FACTS:
            words += ["--ro-bind-try", fact, fact]
        for place in (*self.libraries, *self.loaders, self.python):
            words += ["--ro-bind", str(place), str(place)]
        settings = self.python.parents[1] / "pyvenv.cfg"  # of an environment that holds a copy of Python
        words += ["--ro-bind-try", str(settings), str(settings)]
        for place in self.covered:
            words += ["--tmpfs", str(place)]
        for place in self.packages:
            words += ["--ro-bind", str(place), str(place)]
        for place in self.covered:
            words += ["--remount-ro", str(place)]
        return words

    def holds(self, place: Path) -> Path | None:
        """What of this a place lies in, and so would be seen; None if in nothing."""
        place = place.resolve()
        if any(place.is_relative_to(each) for each in self.covered):
            seen = self.packages
        else:
            seen = (*self.libraries, *self.packages)
        return next((each for each in seen if place.is_relative_to(each)), None)


@cache
def python_view() -> View:
    """The view for the judge's program, found once.

    Raises:
        SandboxError: its program does not start, or the files of a package are not known.
    """
    asked = imported()
    needed = distributions(asked.names)
    packages = {place for each in needed for place in files_of(each)} | {SOURCE}
    roots = {Path(str(each.locate_file(""))).resolve() for each in needed} | {SOURCE.parent}
    binary = sysconfig.get_path("platstdlib", vars={"platbase": sys.base_exec_prefix})
    own = {Path(os.__file__).resolve().parent, Path(binary).resolve()}
    foreign = {place.parent for place in asked.libraries if not any(place.is_relative_to(each) for each in roots)}
    libraries = _outermost(own | foreign)
    loaders = {link.resolve() / each.name for link in map(Path, LINKS) for each in link.glob("ld-*.so*")}
    covered = {
        place.resolve()
        for each in libraries
        for way in ("*-packages", "python3*/*-packages")
        for place in each.glob(way)
        if place.is_dir()
    }
    return View(
        python=Path(sys.executable).resolve(),
        libraries=libraries,
        loaders=tuple(sorted(each for each in loaders if not any(each.is_relative_to(place) for place in libraries))),
        covered=tuple(sorted(covered)),
        packages=tuple(sorted(packages)),
        roots=(SOURCE.parent, *sorted(roots - {SOURCE.parent})),
    )


@dataclass(frozen=True)
class Imported:
    """What the judge's program takes when it starts: packages that are not Python's own, and libraries (files)."""

    names: tuple[str, ...]
    libraries: tuple[Path, ...]


def imported() -> Imported:
    """Ask it.

    Raises:
        SandboxError: it does not start.
    """
    # As in the sandbox nothing is run at the start of Python that an environment has set up (-S).
    path = os.pathsep.join([str(SOURCE.parent), *(each for each in sys.path if Path(each).is_dir() and each)])
    line = [sys.executable, "-S", "-P", "-c", _ASKED]
    done = subprocess.run(line, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise SandboxError(f"the judge's program does not start: {words}", 'pip install "flawscope[challenge]"')
    names, *libraries = done.stdout.splitlines()
    return Imported(tuple(sorted(names.split())), tuple(Path(each).resolve() for each in sorted(libraries) if each))


def distributions(names: Sequence[str]) -> list[Distribution]:
    """The distributions of these packages, and all that they say they need, but for flawscope itself.

    What one needs for an extra is left out, and what is not installed: it is for other machines.
    """
    of = packages_distributions()
    waiting = [each for name in names for each in of.get(name, ()) if each != "flawscope"]
    found: dict[str, Distribution] = {}
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            found[key] = distribution(name)
        except PackageNotFoundError:
            continue
        for line in found[key].requires or ():
            word = re.match(r"[\w.-]+", line)
            if word and "extra ==" not in line:
                waiting.append(word[0])
    return [found[key] for key in sorted(found)]


def files_of(found: Distribution) -> set[Path]:
    """The folders and files of a distribution: its packages whole, of folders that it may share only its own files.

    Raises:
        SandboxError: it does not say what its files are.
    """
    if not found.files:
        name = found.metadata["Name"]
        raise SandboxError(f"the files of {name} are not known", f"install it with pip: pip install {name}")
    root, places = Path(str(found.locate_file(""))).resolve(), set()
    for file in found.files:
        if ".." in file.parts or file.is_absolute() or file.suffix == ".pth":
            continue  # programs, and what is run at every start of Python
        place = root
        for part in file.parts:
            place /= part
            if "." in part or (place / "__init__.py").is_file():
                break
        if place.exists():
            places.add(place)
    return places


def _link(place: Path) -> list[str]:
    return ["--symlink", str(place.readlink()), str(place)]


def _outermost(places: Iterable[Path]) -> tuple[Path, ...]:
    """Those that lie in no other.

    >>> [place.as_posix() for place in _outermost([Path("/a/b"), Path("/a"), Path("/ab")])]
    ['/a', '/ab']
    """
    found: list[Path] = []
    for place in sorted(places):
        if not any(place.is_relative_to(each) for each in found):
            found.append(place)
    return tuple(found)
