"""The committed groups and folds of the reference sets: whole, fair, and each group on one side."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from flawscope.data.group_file import load_groups

GROUPS = Path(__file__).parents[1] / "benchmarks" / "groups"
IMAGES = {"elpv": 2624, "solar-multilabel": 1594, "casting": 3437 - 64, "magnetic-tile": 1344}
"""Files with different content: 64 of casting's test files stand among its training files, byte for byte."""


def test_there_is_a_file_for_each_reference_set() -> None:
    assert {path.stem for path in GROUPS.glob("*.json")} == set(IMAGES)


@pytest.mark.parametrize("name", IMAGES)
def test_folds_are_fair_and_whole(name: str) -> None:
    groups = load_groups(GROUPS / f"{name}.json")  # refuses a file that was changed, and groups in several folds
    assert groups.name == name
    assert "leak court" in groups.note
    assert groups.group.keys() == groups.fold.keys()
    assert len(groups.group) == IMAGES[name]
    in_fold = Counter(groups.fold.values())
    assert set(in_fold) == set(range(groups.folds)) == set(range(5))
    assert min(in_fold.values()) > 0.1 * len(groups.group)
    largest = max(Counter(groups.group.values()).values())
    assert f"the largest of {largest} images" in groups.note or name == "casting"  # identical files count there
    assert largest <= 0.1 * len(groups.group)
