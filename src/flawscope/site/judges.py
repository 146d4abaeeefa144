"""The workers beside the site: one process a challenge, begun anew when it ends, ended with the site."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
STEADY_SECONDS = 60.0
"""A worker that has run for so long begins anew at once."""
END_SECONDS = 10.0


def command(folder: Path) -> list[str]:
    """The command of a worker. Where it can be had, the kernel ends it when the site is gone, however that goes."""
    bound = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
    return [*bound, sys.executable, "-m", "flawscope", "challenge", "judge", str(folder), "--watch"]


class Judges:
    """Workers that run while the block does, one a command."""

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        store: str | None,
        say: Callable[[str], None],
        pause: float = FIRST_PAUSE,
    ) -> None:
        self._say, self._pause = say, pause
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
        """Begin a worker, wait for its end, and begin it anew; the more slowly the more often it fails at once."""
        pause = self._pause
        while not self._end.is_set():
            began = time.monotonic()
            with subprocess.Popen(words, env=self._environment, stdin=subprocess.DEVNULL) as process:
                while process.poll() is None and not self._end.wait(0.2):
                    pass
                if process.poll() is None:
                    _finish(process)
                    return
            if time.monotonic() - began > STEADY_SECONDS:
                pause = self._pause
            self._say(f"the judge of {name} has ended (code {process.returncode}); it begins anew in {pause:g} seconds")
            self._end.wait(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)


def _finish(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
