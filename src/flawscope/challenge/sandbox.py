"""Runs a program where it can do nothing but read what it is given, compute, and write to its answer.

Made of bubblewrap (namespaces of its own for files, network, processes, users), prlimit (CPU time, memory, size of
files), setpriv (it ends when the judge does) and a filter of system calls (`syscalls`). Inside there is Python with the
packages that the judge's program needs (`views`), the code of flawscope, and what `shown` names, all of it read-only;
no network, no other process, no place to write to. Without all of this nothing is run.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from flawscope.challenge.bounds import Bounds, size_words
from flawscope.challenge.syscalls import AUDIT, call_filter
from flawscope.challenge.views import PROGRAM, View, python_view
from flawscope.errors import OutputError, SandboxError

CHILD = ("-m", PROGRAM)
TRY = b"try"
"""The request that says whether everything is there: it is answered with itself."""
NOBODY = "65534"
GRACE_SECONDS = 5
"""Of CPU time, between the signal that says it is used up and the end."""
TICK_SECONDS = 0.2
_WHILE_THERE = 'test "$PPID" = "$0" && exec "$@"'
"""Ends with the judge from here on (`setpriv`): go on if the judge has not ended before that."""
INSTALL = "install it (Debian, Ubuntu: apt-get install bubblewrap util-linux); without a sandbox nothing is judged"


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code (negative: the signal that ended it), and what it wrote, cut at the bound."""

    code: int
    answer: bytes
    said: str
    seconds: float
    too_long: bool = False
    too_much: bool = False

    def reason(self, bounds: Bounds) -> str:
        """In words, why it did not end well."""
        if self.too_long:
            return f"it ran longer than {bounds.wall_seconds} seconds"
        if self.code == -signal.SIGXCPU:
            return f"it used more than {bounds.cpu_seconds} seconds of CPU time"
        if self.too_much or self.code == -signal.SIGXFSZ:
            return f"it wrote more than {size_words(bounds.output_bytes)}"
        if self.code < 0:
            return f"its process was ended by {_signal(-self.code)}: it crashed, or took more than it may"
        return f"its process ended with code {self.code}" if self.code else "its process ended without an answer"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def run_inside(
    program: Sequence[str],
    request: bytes,
    bounds: Bounds,
    *,
    shown: Mapping[str, Path] | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Ended:
    """Run a program in the sandbox: `request` on its standard input, its answer from its standard output.

    Args:
        program: what Python gets: `["-m", "flawscope.challenge.child"]`.
        request: what it reads.
        bounds: its limits.
        shown: files and folders that it sees, by the path that they have inside.
        tick: called several times a second; what it raises ends the program, too.

    Raises:
        SandboxError: there is no sandbox here, or what is to be hidden lies in a folder that is shown.
        OutputError: the disk is full.
    """
    bwrap, prlimit, setpriv = _tool("bwrap"), _tool("prlimit"), _tool("setpriv")
    _check_space(bounds)
    view = python_view()
    rules = call_filter()
    if rules is None:
        raise SandboxError(f"there is no filter of system calls for this machine, only for {', '.join(AUDIT)}", INSTALL)
    with ExitStack() as stack:
        asked, answer, said, filtered = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(4))
        _fill(asked, request)
        _fill(filtered, rules)
        command = [
            *(setpriv, "--pdeathsig", "KILL", "/bin/sh", "-c", _WHILE_THERE, str(os.getpid())),
            prlimit,
            f"--cpu={bounds.cpu_seconds}:{bounds.cpu_seconds + GRACE_SECONDS}",
            f"--as={bounds.memory_bytes}",
            f"--fsize={bounds.output_bytes}",
            "--core=0",
            "--nofile=256",
            "--msgqueue=0",
            *(bwrap, "--seccomp", str(filtered.fileno()), *_walls(view), *_given(shown or {})),
            *("--chdir", "/", "--remount-ro", "/", "--", str(view.python), "-B", "-P", *program),
        ]
        start = time.monotonic()
        process = subprocess.Popen(
            command, stdin=asked, stdout=answer, stderr=said, pass_fds=(filtered.fileno(),), env={}, close_fds=True
        )
        too_long = _wait(process, start + bounds.wall_seconds, tick)
        code = process.returncode
        return Ended(
            code=-(code - 128) if code > 128 else code,  # bubblewrap tells a signal as a shell does
            answer=_read(answer, bounds.output_bytes),
            said=_read(said, 4096).decode("utf-8", errors="replace"),
            seconds=time.monotonic() - start,
            too_long=too_long,
            too_much=os.fstat(answer.fileno()).st_size >= bounds.output_bytes,
        )


def check_sandbox() -> None:
    """Try the sandbox: whether the judge's program starts in it, and whether it is kept in.

    Raises:
        SandboxError: it cannot be had here; the message says what fails.
    """
    bounds = Bounds(wall_seconds=300)
    ended = run_inside(CHILD, TRY, bounds)
    if ended.code or ended.answer != TRY:
        said, answer = ended.said.strip()[-500:], ended.answer[:100].decode(errors="replace")
        words = answer or said or ended.reason(bounds)
        raise SandboxError(f"the sandbox does not work here: {words}", NEEDS)


NEEDS = (
    "bubblewrap needs user namespaces: the sysctls user.max_user_namespaces and kernel.unprivileged_userns_clone, "
    "AppArmor, or the container that this runs in may forbid them. Without a sandbox nothing is judged"
)


def check_hidden(*places: Path) -> None:
    """See that none of these files and folders lies where the sandbox shows everything.

    Raises:
        SandboxError: one does.
    """
    for place in places:
        shown = python_view().holds(place)
        if shown:
            raise SandboxError(f"{place} lies in {shown}, which every submission sees", "move it elsewhere")


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SandboxError(f"{name} is not installed, so there is no sandbox for strangers' bundles", INSTALL)
    return found


def _check_space(bounds: Bounds) -> None:
    """A full disk is the judge's trouble: it must not look like that of the submission, whose answer is cut off."""
    place = tempfile.gettempdir()
    if shutil.disk_usage(place).free < 4 * bounds.output_bytes:
        raise OutputError(f"no space is left in {place} for the answers", "free some space; nothing is lost")


def _walls(view: View) -> list[str]:
    """No network, no other processes, nobody's rights, nothing of the judge's environment, a view of the machine."""
    return [
        *("--unshare-user", "--unshare-all", "--cap-drop", "ALL"),
        *("--uid", NOBODY, "--gid", NOBODY, "--hostname", "sandbox"),
        *("--die-with-parent", "--new-session", "--clearenv"),
        *("--setenv", "PYTHONPATH", os.pathsep.join(map(str, view.roots))),
        # One thread each: no library may start another, and the numbers are the same on every machine.
        *(word for name in ("OMP", "OPENBLAS", "MKL") for word in ("--setenv", f"{name}_NUM_THREADS", "1")),
        *view.words(),
    ]


def _given(shown: Mapping[str, Path]) -> list[str]:
    """What a program is given, read-only, and two devices."""
    words: list[str] = []
    for device in ("/dev/null", "/dev/urandom"):
        words += ["--dev-bind", device, device]
    for inside, path in shown.items():
        words += ["--ro-bind", str(path.resolve()), inside]
    return words


def _fill(stream: IO[Any], content: bytes) -> None:
    stream.write(content)
    stream.flush()
    stream.seek(0)


def _read(stream: IO[bytes], most: int) -> bytes:
    stream.seek(0)
    return stream.read(most)


def _wait(process: subprocess.Popen[bytes], until: float, tick: Callable[[], None]) -> bool:
    """Wait for its end, or end it: whether it had to be ended."""
    try:
        while True:
            try:
                process.wait(TICK_SECONDS)
                return False
            except subprocess.TimeoutExpired:
                if time.monotonic() > until:
                    return True
                tick()
    finally:
        # Whatever happens here, nothing of it is left running: bubblewrap's end is the end of all inside.
        process.kill()
        process.wait()
