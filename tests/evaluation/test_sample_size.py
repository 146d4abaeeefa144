from __future__ import annotations

import pytest

from flawscope.evaluation.intervals import wilson
from flawscope.evaluation.sample_size import ClassSize, class_size, needed


@pytest.mark.parametrize(("value", "half"), [(0.95, 0.05), (0.95, 0.02), (0.5, 0.1), (0.0, 0.05), (1.0, 0.3)])
def test_needed_is_the_fewest(value: float, half: float) -> None:
    def width(n: int) -> float:
        low, high = wilson(value, n)
        return high - low

    n = needed(value, half)
    assert width(n) <= 2 * half
    assert n == 1 or width(n - 1) > 2 * half


@pytest.mark.parametrize("half", [0.0, 0.5, -1.0])
def test_half_widths_that_mean_nothing_are_refused(half: float) -> None:
    with pytest.raises(ValueError, match="half-width"):
        needed(0.9, half)


def test_the_interval_is_that_of_evaluation_at_best_and_at_worst() -> None:
    size = class_size("crack", 100, 30)
    assert size.tested == 20
    assert size.best and (size.best.low, size.best.high) == wilson(0.95, 20)
    assert size.worst and (size.worst.low, size.worst.high) == wilson(0.95, 6)
    assert size.needed == 5 * needed(0.95, 0.05)


@pytest.mark.parametrize(
    ("images", "groups", "verdict"),
    [(415, 415, "enough"), (414, 414, "too few"), (415, 414, "depends"), (0, 0, "none"), (1, 1, "too few")],
)
def test_verdicts(images: int, groups: int, verdict: str) -> None:
    size = class_size("x", images, groups)
    assert size.verdict == size.as_dict()["verdict"] == verdict


def test_a_class_that_the_test_part_would_miss_has_no_interval() -> None:
    size = class_size("rare", 2, 2)
    assert (size.tested, size.best, size.worst) == (0, None, None)


def test_more_groups_than_images_is_our_bug() -> None:
    with pytest.raises(ValueError, match="groups <= images"):
        ClassSize("x", 1, 2, 0, 5, None, None)
