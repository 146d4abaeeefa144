"""What masks show, counted by hand on masks small enough to be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flawscope.data.mask_census import mask_facts
from flawscope.masks import masks_of
from flawscope.records import Sample, Samples, Task

TASK = Task("multilabel", ("pit", "crack"), pixels="multilabel")


def samples(*drawn: list[list[str]], task: Task = TASK) -> Samples:
    """Images from drawings, one a class: # is flawed."""
    rows = []
    for i, each in enumerate(drawn):
        masks = masks_of(np.array([[[mark == "#" for mark in line] for line in lines] for lines in each]))
        rows.append(Sample(f"{i}.png", f"{i}.png", masks.shown, f"{i}", f"content {i}", masks=masks))
    return Samples("made", task, tuple(rows))


def test_flaws_pixels_and_sizes_of_each_class() -> None:
    facts: Any = mask_facts(
        samples(
            [["#..#", ".#.#"], ["....", "..##"]],  # pits: 2 pixels that touch at corners, and 2; one crack, one overlap
            [["....", "...."], ["####", "...."]],
            [["....", "...."], ["....", "...."]],
        )
    )
    pit, crack = facts["classes"]
    assert (pit["images"], pit["flaws"], pit["pixels"]) == (1, 2, 4)
    assert (pit["share"], pit["within"]) == (pytest.approx(4 / 24), pytest.approx(4 / 8))
    assert [crack[key] for key in ("images", "flaws", "pixels", "smallest", "median", "largest")] == [2, 2, 6, 2, 2, 4]
    assert (facts["images"], facts["flawed"], facts["pixels"], facts["overlap"]) == (3, 2, 24, 1)
    assert facts["flaws_per_image"] == {"0": 1, "1": 1, "2": 0, "3": 1, "4": 0, "5 or more": 0}
    assert (facts["classes_per_image"], facts["most_flaws"]) == ({"0": 1, "1": 1, "2": 1}, 3)
    edges = facts["sizes"]["edges"]
    assert (edges[0], edges[-1]) == (1.0, 10.0)
    assert {name: sum(counts) for name, counts in facts["sizes"]["counts"].items()} == {"pit": 2, "crack": 2}


def test_a_class_without_a_pixel_and_data_without_masks() -> None:
    facts: Any = mask_facts(samples([["#"], ["."]]))
    assert facts["classes"][1] == {
        "name": "crack", "images": 0, "flaws": 0, "pixels": 0, "share": 0.0, "within": 0.0,
        "smallest": 0, "10 %": 0, "median": 0, "90 %": 0, "largest": 0,
    }  # fmt: skip
    assert facts["sizes"]["counts"] == {"pit": [1], "crack": [0]}
    row = Sample("a", "a", (1.0,), "a", "content")
    assert mask_facts(Samples("plain", Task("binary", ("bad",)), (row,))) is None
