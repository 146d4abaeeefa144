"""The workers beside the site: one process a challenge, begun anew when it ends, ended with the site."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from types import TracebackType

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
STEADY_SECONDS = 30.0
"""A worker that has run for so long is well."""
END_SECONDS = 20.0
TICK_SECONDS = 0.2


def command(folder: Path) -> list[str]:
    """The command of a worker. Where it can be had, the kernel ends it when the site is gone, however that goes."""
    bound = ["setpriv", "--pdeathsig", "INT", "--"] if shutil.which("setpriv") else []
    return [*bound, sys.executable, "-m", "flawscope", "challenge", "judge", str(folder), "--watch"]


class Judges:
    """Workers that run while the block does, one a command.

    `trouble` holds why a challenge is not judged, while it is not.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        *,
        store: str | None = None,
        trouble: MutableMapping[str, str],
        say: Callable[[str], None] = lambda words: None,
        pause: float = FIRST_PAUSE,
        steady: float = STEADY_SECONDS,
    ) -> None:
        self._trouble, self._say, self._pause, self._steady = trouble, say, pause, steady
        # By the environment: whoever lists processes shall not read the password of a database.
        self._environment = {**os.environ, **({"FLAWSCOPE_STORE": store} if store else {})}
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep, args=(name, words), name=f"judge of {name}")
            for name, words in commands.items()
        ]

    def __enter__(self) -> Judges:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _keep(self, name: str, words: Sequence[str]) -> None:
        """Begin a worker, wait for its end, and begin it anew; the more slowly the more often it ends at once."""
        pause = self._pause
        while not self._end.is_set():
            # In a session of its own: Ctrl-C is for the site, which ends the worker.
            with subprocess.Popen(
                words, env=self._environment, stdin=subprocess.DEVNULL, start_new_session=True
            ) as process:
                if self._watch(process, name):
                    pause = self._pause
            if self._end.is_set():
                return
            self._trouble[name] = f"the judge has ended (code {process.returncode}); its terminal says why"
            self._say(f"the judge of {name} has ended (code {process.returncode}); it begins anew in {pause:g} seconds")
            self._end.wait(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def _watch(self, process: subprocess.Popen[bytes], name: str) -> bool:
        """Wait until a worker ends, or the site does; returns whether it was well before."""
        began = time.monotonic()
        while process.poll() is None:
            if time.monotonic() - began > self._steady:
                self._trouble.pop(name, None)
            if self._end.wait(TICK_SECONDS):
                _finish(process)
        return time.monotonic() - began > self._steady


def _finish(process: subprocess.Popen[bytes]) -> None:
    """As by Ctrl-C: the worker puts back what it holds."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
