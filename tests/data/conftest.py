from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawscope.records import Sample, Samples, Task

Paint = Callable[..., Path]
Make = Callable[..., Samples]


@pytest.fixture
def paint() -> Paint:
    """Writes a small picture; each seed gives another one."""

    def write(path: Path, seed: int = 0, size: tuple[int, int] = (24, 16), mode: str = "L") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        w, h = size
        if mode == "I;16":
            pixels = rng.integers(0, 4096, size=(h, w)).astype(np.uint16)
        else:
            pixels = rng.integers(0, 256, size=(h, w) if mode == "L" else (h, w, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def make_samples() -> Make:
    """Samples from targets and groups; contents are all different unless given."""

    def make(
        targets: Sequence[Sequence[float]],
        groups: Sequence[str] | None = None,
        contents: Sequence[str] | None = None,
        task: Task | None = None,
    ) -> Samples:
        task = task or Task("binary", ("bad",))
        rows = tuple(
            Sample(
                id=f"{i}.png",
                path=f"{i}.png",
                target=tuple(float(value) for value in target),
                group=groups[i] if groups else f"{i}.png",
                sha256=contents[i] if contents else f"content {i}",
            )
            for i, target in enumerate(targets)
        )
        return Samples("made", task, rows)

    return make
