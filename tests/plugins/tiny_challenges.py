"""A challenge that is made in a moment, and the sandbox of its judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tiny_bundles import BINARY


def fill_challenge(folder: Path, **changes: Any) -> Path:
    """A challenge of grey pictures, 24 in each hidden part, two a group: defective are most of the bright ones."""
    from flawscope.challenge.labels import IMAGES, Labels, labels_hash, part_hash, write_labels
    from flawscope.challenge.spec import Challenge, hidden, save_challenge

    parts: dict[Any, Any] = {"training": {"images": 1, "groups": 1, "hash": "0" * 64}}
    for seed, name in enumerate(("public", "private")):
        rng = np.random.default_rng(seed)
        place = hidden(folder, name)  # type: ignore[arg-type]
        (place / IMAGES).mkdir(parents=True)
        values = rng.permutation(np.linspace(10, 245, 24).astype(np.uint8))
        truth = values.astype(float) + rng.normal(0, 40, 24) > 128
        files = tuple(f"{i:05d}.png" for i in range(24))
        for file, value in zip(files, values, strict=True):
            Image.new("L", (12, 10), int(value)).save(place / IMAGES / file)
        labels = Labels(files, tuple(str(i // 2) for i in range(24)), truth[:, None])
        write_labels(place, labels, BINARY)
        hashed = part_hash(labels, [place / IMAGES / file for file in files])
        parts[name] = {"images": 24, "groups": 12, "hash": hashed, "labels_hash": labels_hash(labels)}
    content = {
        "name": "grey", "title": "Grey parts", "kind": "binary", "classes": BINARY.classes, "negative": BINARY.negative,
        "metric": "accuracy", "pass_mark": 0.6, "opens": "2020-01-01T00:00Z", "deadline": "2099-01-01T00:00Z",
        "daily": 5, "ladder_step": 0.01, "seed": 1, "parts": parts,
    }  # fmt: skip
    save_challenge(Challenge.model_validate(content | changes), folder)
    return folder


@pytest.fixture
def contest(tmp_path: Path) -> Path:
    """The folder of a challenge, see `fill_challenge`."""
    return fill_challenge(tmp_path / "contest")


@pytest.fixture(name="fill_challenge", scope="session")
def fill_challenge_fixture() -> Callable[..., Path]:
    """`fill_challenge(folder, daily=1)`: see there."""
    return fill_challenge


@pytest.fixture(scope="session")
def sandbox() -> None:
    """Skips, and says so, where there is no sandbox: then the judge refuses to run, too."""
    from flawscope.challenge.sandbox import check_sandbox
    from flawscope.errors import SandboxError

    try:
        check_sandbox()
    except SandboxError as error:
        pytest.skip(f"NOTHING OF THE JUDGE'S SANDBOX IS TESTED: {error.problem}")
