"""The stages of one large measurement, kept on disk one by one: a court that is stopped goes on after the last one.

200,000 pictures take hours. The search, and every `CHUNK` of the pairs that it names, are written down with the time
and the memory that they took; a later process reads them and counts them as its own.
"""

from __future__ import annotations

import pickle
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from flawscope.data.court import verdict
from flawscope.data.court.align import Alignment, Common
from flawscope.data.court.measure import Suspect
from flawscope.data.court.pictures import Grey
from flawscope.data.court.search import Candidates, Searcher
from flawscope.storage import new_file

CHUNK = 50_000
"""Pairs; about three minutes on two cores."""


def peak_mb() -> int:
    """The most memory that this process has held so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


@dataclass
class Stages:
    """Where the stages of a measurement are kept, and what those that an earlier process did have cost."""

    folder: Path
    clock: dict[str, float]
    cpu_seconds: float = 0.0
    seconds: float = 0.0
    peak_mb: int = 0

    def done(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, or gave to an earlier process."""
        path = self.folder / f"{name}.pickle"
        if path.is_file():
            kept = pickle.loads(path.read_bytes())
            self.cpu_seconds += kept["cpu_seconds"]
            self.seconds += kept["seconds"]
            self.peak_mb = max(self.peak_mb, kept["peak_mb"])
            for stage, spent in kept["clock"].items():
                self.clock[stage] += spent
            return kept["value"]
        before, wall, cpu = dict(self.clock), time.perf_counter(), time.process_time()
        value = make()
        kept = {
            "value": value,
            "cpu_seconds": time.process_time() - cpu,
            "seconds": time.perf_counter() - wall,
            "peak_mb": peak_mb(),
            "clock": {stage: spent - before.get(stage, 0.0) for stage, spent in self.clock.items()},
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        with new_file(path) as temporary:
            temporary.write_bytes(pickle.dumps(kept))
        return value

    def put_under_the_court(self) -> None:
        """Let the verdict's search and its measuring of pairs go through `done`."""
        find, measured = Searcher.find, vars(verdict)["measured"]

        def found(searcher: Searcher, **options: Any) -> Candidates:
            return self.done("search", lambda: find(searcher, **options))  # type: ignore[no-any-return]

        def in_chunks(grey_nhw: Grey, suspects: Sequence[Suspect], common: Common) -> Iterator[Alignment]:
            for start in range(0, len(suspects), CHUNK):
                work = partial(measured, grey_nhw, suspects[start : start + CHUNK], common)
                yield from self.done(f"pairs-{start}", partial(listed, work))

        Searcher.find = found  # type: ignore[method-assign,assignment]
        vars(verdict).update(measured=in_chunks)


def listed(work: Callable[[], Iterator[Alignment]]) -> list[Alignment]:
    """All of it."""
    return list(work())
