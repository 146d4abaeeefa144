"""Which flaws count as found: cases worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from flawscope.evaluation.mask_facts import gathered, image_facts
from flawscope.evaluation.mask_flaws import found_flaws, mean_count


def picture(*rows: str) -> Any:
    """One class: # is set."""
    return np.array([[[cell == "#" for cell in row] for row in rows]])


def counted(truth: Any, marked: Any, names: tuple[str, ...] = ("hole",), **options: Any) -> dict[str, Any]:
    facts = gathered([image_facts(truth, marked, marked.astype(np.uint8) * 200)])
    return dict(found_flaws((*names, "any"), facts, ["a"], **options)["classes"])


@pytest.mark.parametrize(
    ("marked", "found", "false"),
    [
        (picture("#.......", "........"), 1, 0),  # a quarter is enough
        (picture("........", "....#..."), 0, 1),  # beside it
        (picture("###.....", "........"), 1, 0),
        (picture("#.##....", "........"), 1, 0),  # two pieces of one flaw
        (picture("########", "########"), 1, 0),  # a quarter of 16 pixels is on it
        (picture("...#####", "...#####"), 1, 1),  # it covers a quarter, and is elsewhere for the most part
        (picture("........", "........"), 0, 0),
    ],
)
def test_a_quarter_of_the_flaw_and_a_quarter_of_the_mark(marked: Any, found: int, false: int) -> None:
    entry = counted(picture("####....", "........"), marked)["hole"]
    assert (entry["flaws"], entry["found"], entry["false"]) == (1, found, false)


def test_two_neighbours_marked_as_one_are_both_found_and_corners_connect() -> None:
    entry = counted(picture("##.##...", "........"), picture("#####...", "........"))["hole"]
    assert (entry["flaws"], entry["found"], entry["marked"], entry["false"]) == (2, 2, 1, 0)
    assert counted(picture("##......", "..##...."), picture("........", "........"))["hole"]["flaws"] == 1


def test_the_right_place_under_another_name() -> None:
    hole, crack = picture("####....", "........"), picture("........", "....####")
    entries = counted(np.concatenate([hole, crack]), np.concatenate([crack, crack]), ("hole", "crack"))
    assert entries["hole"] | {"sizes": 0, "measures": 0} == {
        "flaws": 1, "found": 0, "found as another class": 0, "marked": 1, "false": 1, "false on another class": 1,
        "measures": 0, "undefined": {}, "sizes": 0,
    }  # fmt: skip
    both = counted(np.concatenate([hole, crack]), np.concatenate([crack, hole]), ("hole", "crack"))
    assert both["any"]["found as another class"] == 2
    assert both["any"]["found"] == 0


def test_recall_by_size_with_a_scale() -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros((1, 64, 400), dtype=bool)
    marked = truth.copy()
    sizes = []
    for i in range(40):
        side = 1 + i % 5
        y, x = 8 * (i // 40), 10 * i
        truth[0, y : y + side, x : x + side] = True
        sizes.append(side**2)
        if side >= 3 or rng.random() < 0.3:
            marked[0, y : y + side, x : x + side] = True
    entry = counted(truth, marked, mm_per_pixel=0.5)["hole"]
    bins = entry["sizes"]
    assert sum(each["flaws"] for each in bins) == 40
    assert [each["from"] for each in bins] == sorted({each["from"] for each in bins})
    assert bins[0]["recall"]["value"] < 0.8
    assert bins[-1]["recall"]["value"] == 1.0
    assert bins[-1]["to mm2"] == 25 * 0.25
    for each in bins:
        inside = [size for size in sizes if each["from"] <= size <= each["to"]]
        assert len(inside) == each["flaws"]


def test_false_flaws_an_image() -> None:
    counts = np.array([0, 0, 3, 1, 0, 0, 2, 0] * 5, dtype=float)
    interval = mean_count(counts, range(40))
    assert interval.value == counts.mean()
    assert interval.low < counts.mean() < interval.high
    half = 1.96 * counts.std(ddof=1) / np.sqrt(40)
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.2)
    none = mean_count(np.zeros(40), range(40))
    assert none.high == pytest.approx(stats.chi2.ppf(0.975, 2) / 2 / 40)
    assert "Poisson" in none.method
    assert mean_count(counts, ["one"] * 40).high > 1


def test_good_images_alone_have_false_flaws_and_no_recall() -> None:
    entry = counted(picture("........"), picture("#..#..##"))["hole"]
    assert entry["undefined"] == {"flaw recall": "no image shows 'hole'"}
    assert entry["measures"]["false flaws an image"]["value"] == 3.0
    assert entry["sizes"] == []
