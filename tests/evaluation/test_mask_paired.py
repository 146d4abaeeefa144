"""Two runs that mark the same images: differences against a plain loop over draws, and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from flawscope.evaluation.intervals import bootstrap_draws
from flawscope.evaluation.mask_facts import MaskFacts, gathered, image_facts
from flawscope.evaluation.mask_measures import measure_masks
from flawscope.evaluation.mask_paired import FALSE, mask_answers, mask_differences
from flawscope.records import BoolArray

CLASSES = ("hole", "crack")
GROUPS = [f"g{i // 2}" for i in range(12)]


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("mask_measures", "mask_flaws", "mask_curves", "mask_paired"):
        monkeypatch.setattr(f"flawscope.evaluation.{module}.DRAWS", 50)


def masks(seed: int) -> list[BoolArray]:
    random = np.random.default_rng(seed)
    return [np.asarray(random.random((2, 6, 8)) < (0.0, 0.3, 0.4)[i % 3]) for i in range(12)]


def counted(truth: Sequence[BoolArray], marks: Sequence[BoolArray]) -> MaskFacts:
    return gathered(
        image_facts(truth_khw, mark_khw, mark_khw.astype(np.uint8) * 200)
        for truth_khw, mark_khw in zip(truth, marks, strict=True)
    )


def test_every_difference_and_its_draws_by_a_loop() -> None:
    truth, one, two = masks(0), masks(1), [a | b for a, b in zip(masks(0), masks(2), strict=True)]
    first, second = (mask_answers(CLASSES, counted(truth, marks), GROUPS) for marks in (one, two))
    found = {(row.class_name, row.measure): row for row in mask_differences(first, second)}
    assert list(found)[:4] == [
        ("", "mean IoU"),
        ("", "IoU of any flaw"),
        ("", "mean Dice"),
        ("", "mean Dice on flawed"),
    ]

    def iou(marks: Sequence[BoolArray], c: int, index: Sequence[int]) -> float:
        both = sum(int((truth[i][c] & marks[i][c]).sum()) for i in index)
        either = sum(int((truth[i][c] | marks[i][c]).sum()) for i in index)
        return both / either

    every = range(12)
    row = found["hole", "IoU"]
    assert (row.baseline.value, row.other.value) == pytest.approx((iou(one, 0, every), iou(two, 0, every)))
    assert row.difference.value == pytest.approx(iou(two, 0, every) - iou(one, 0, every))
    drawn = bootstrap_draws(lambda index: [iou(two, 0, index) - iou(one, 0, index)], GROUPS, 0, 50)[:, 0]
    assert second.drawn["IoU", 0] - first.drawn["IoU", 0] == pytest.approx(drawn)
    assert row.difference.low >= drawn.min() and row.difference.high <= drawn.max()
    assert row.difference.low < row.difference.high
    both = found["", "flaw recall"]
    assert both.other.value == 1.0, "all of each flaw is marked"
    assert both.difference.value == pytest.approx(1.0 - both.baseline.value)
    assert found["", FALSE].difference.value == pytest.approx(
        found["", FALSE].other.value - found["", FALSE].baseline.value
    )


def test_counts_above_one_keep_their_scale() -> None:
    truth = [np.zeros((1, 6, 40), dtype=bool) for _ in range(12)]
    truth[0][0, 0, :4] = True
    dots = [each.copy() for each in truth]
    for i, each in enumerate(dots):
        each[0, 5, : 4 * (i % 4 + 2) : 2] = True  # 4 to 10 false flaws of one pixel
    first, second = (mask_answers(["hole"], counted(truth, marks), GROUPS) for marks in (truth, dots))
    found = {row.measure: row for row in mask_differences(first, second)}
    assert "IoU of any flaw" not in found, "of a single class it is the mean IoU"
    assert found[FALSE].difference.value == pytest.approx(7.0)
    assert 4.0 < found[FALSE].difference.low < 7.0 < found[FALSE].difference.high < 10.0
    alike = {row.measure: row.difference for row in mask_differences(first, first)}
    for measure, interval in alike.items():
        assert interval.value == 0 and interval.low < 0 < interval.high, measure
        assert "the marks differ in fewer than 20 groups (0)" in interval.note
        assert interval.method == "the far ends of the two intervals"


def test_images_and_classes_in_another_order() -> None:
    truth, marks = masks(0), masks(1)
    order = [3, 0, 11, 7]
    turned = counted([truth[i][::-1] for i in order], [marks[i][::-1] for i in order])
    chosen = counted(truth, marks).of(order, [1, 0])
    assert measure_masks(("crack", "hole"), chosen, list("abcd")) == measure_masks(
        ("crack", "hole"), turned, list("abcd")
    )


def test_other_masks_are_refused() -> None:
    first = mask_answers(CLASSES, counted(masks(0), masks(1)), GROUPS)
    with pytest.raises(ValueError, match="the same images with the same masks"):
        mask_differences(first, mask_answers(CLASSES, counted(masks(3), masks(1)), GROUPS))
    with pytest.raises(ValueError, match="in the same groups"):
        mask_differences(first, replace(first, groups=("a",) * 12))
