"""What a stranger's bundle may be and may take. One place for all numbers; every refusal names the one it broke."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from flawscope.challenge.spec import Limits

MEGA, GIGA = 2**20, 2**30
START_SECONDS = 60
"""Of CPU time, for what is done once: Python and its packages, the check of the bundle, the engine."""
WALL = 3
"""So many times its CPU time a process may take on a machine that has other work, too; then it is tried again later."""
BASE_BYTES = GIGA // 2
"""Of address space, for Python and its packages; most of it is never touched."""


@dataclass(frozen=True)
class Bounds:
    """Of one submission. Time and output are those of one part of the challenge (public or private).

    Attributes:
        bundle_bytes: size of the file.
        members: files in it.
        document_bytes: each JSON document in it (manifest, evidence).
        nodes: of a graph, those of its inner graphs among them.
        elements: of each tensor and of each declared shape.
        side: pixels of a side of the picture that the network takes.
        cpu_seconds: of the one process, on its one core.
        wall_seconds: until it is ended, whatever it does.
        memory_bytes: of address space: everything that the process can hold.
        output_bytes: that it may write, to its answers and to its messages each.
    """

    bundle_bytes: int = 500 * MEGA
    members: int = 64
    document_bytes: int = MEGA
    nodes: int = 20_000
    elements: int = 2**28
    side: int = 2048
    cpu_seconds: int = 1200
    wall_seconds: int = 1800
    memory_bytes: int = 4 * GIGA
    output_bytes: int = MEGA

    def __post_init__(self) -> None:
        wrong = {name: value for name, value in asdict(self).items() if value < 1}
        if wrong:
            raise ValueError(f"bounds are at least 1, got {wrong}")


def bounds_of(limits: Limits, images: int) -> Bounds:
    """What a challenge allows, for a part of so many images.

    >>> bounds_of(Limits(seconds_per_image=0.5), 100).cpu_seconds
    110
    """
    cpu = math.ceil(START_SECONDS + limits.seconds_per_image * images)
    return Bounds(
        bundle_bytes=limits.bundle_mb * MEGA,
        side=limits.input_side,
        cpu_seconds=cpu,
        wall_seconds=WALL * cpu,
        memory_bytes=BASE_BYTES + limits.memory_mb * MEGA,
    )


def size_words(count: int) -> str:
    """Bytes as a person reads them.

    >>> size_words(500 * 2**20), size_words(4 * 2**30), size_words(1500)
    ('500 MiB', '4 GiB', '1,500 bytes')
    """
    for unit, name in ((GIGA, "GiB"), (MEGA, "MiB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:,} bytes"
