from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flawscope.challenge.spec import Challenge

PART = {"images": 4, "groups": 2, "hash": "0" * 64}
CONTENT: dict[str, Any] = {
    "name": "cells", "title": "Cells", "kind": "multilabel", "classes": ["crack", "inactive"], "negative": "ok",
    "metric": "mean_f1", "pass_mark": 0.6, "opens": "2027-01-01T00:00:00Z", "deadline": "2027-03-01T23:59:59+01:00",
    "daily": 5, "ladder_step": 0.01, "seed": 1, "parts": {"training": PART, "public": PART, "private": PART},
}  # fmt: skip


@pytest.fixture(scope="session")
def challenge_content() -> dict[str, Any]:
    """What stands in a challenge.json."""
    return CONTENT


@pytest.fixture(scope="session")
def make_challenge() -> Callable[..., Challenge]:
    """`make_challenge(metric="accuracy")`: a challenge with some keys changed."""
    return lambda **changes: Challenge.model_validate(CONTENT | changes)
