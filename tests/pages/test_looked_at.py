"""What a network looks at, on the page: maps beside pictures, means, warnings, or why there is nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from flawscope.pages.looked_at import LookedAt, MeanMap, over
from flawscope.pages.report import ReportContent, render

GREY = np.full((20, 30), 128, np.uint8)


def mean(of: str, *, warned: bool = False) -> MeanMap:
    return MeanMap(of, GREY, np.eye(4), f"words for {of}", warned)


@pytest.fixture
def content(binary: ReportContent) -> ReportContent:
    first, second, *rest = binary.mistakes
    shown = replace(first, map=Image.new("RGB", (8, 8)), map_says="what speaks for <defective>")
    empty = replace(second, map_says="nothing speaks for it")
    looked = LookedAt(
        "grad-cam", "layer4", False, [mean("defective"), mean("functional", warned=True)], "The proof.", "The areas.",
        ["Look out."], 2,
    )  # fmt: skip
    return replace(binary, mistakes=[shown, empty, *rest], looked=looked)


def test_maps_stand_beside_their_pictures(content: ReportContent) -> None:
    page = render(content)
    assert page.count('class="mapped"') == 2 + 2
    assert "right: what speaks for &lt;defective&gt;" in page
    assert '<div class="frame"><span>nothing speaks for it</span></div>' in page
    assert page.count("heat map of ") == 1 + 2
    assert page.count("The proof.") == page.count("Look out.") == 2, "in both sections"
    assert page.count("The areas.") == 1
    assert '<a href="#looks">What it looks at</a>' in page
    assert '<div class="bad-words">words for functional</div>' in page
    assert render(content) == page


def test_without_maps_the_page_says_why_or_nothing(content: ReportContent, binary: ReportContent) -> None:
    without = render(replace(binary, looked=LookedAt(reason="no torch")))
    assert "No heat maps: no torch." in without and "#looks" not in without
    for looked, mistakes in ((None, binary.mistakes), (LookedAt(reason="no torch"), ())):
        page = render(replace(binary, looked=looked, mistakes=mistakes))
        assert "heat map" not in page.lower().partition("<main>")[2] and "#looks" not in page


def test_a_mean_map_is_shown_relative_to_its_largest_value() -> None:
    assert MeanMap("a", GREY, np.eye(2) / 4, "").relative_hw.max() == 1
    assert MeanMap("a", GREY, np.zeros((2, 2)), "").relative_hw.max() == 0
    assert np.asarray(over(GREY, np.zeros((2, 3)))).tolist() == np.repeat(GREY[..., None], 3, axis=2).tolist()
