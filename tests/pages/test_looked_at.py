"""What a network looks at, on the page: maps beside pictures, means, warnings, or why there is nothing."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from flawscope.pages.looked_at import LookedAt, MeanMap, over, scale
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


def test_means_of_strips_stand_one_above_the_other(content: ReportContent) -> None:
    assert content.looked is not None
    strip = MeanMap("defective", np.full((20, 120), 128, np.uint8), np.eye(4), "words")
    page = render(replace(content, looked=replace(content.looked, means=[strip])))
    assert page.count('<div class="halves over">') == 1
    assert page.count('class="mapped"') == 2, "in the gallery only"
    assert "mean heat map of defective" in page
    mixed = replace(content.looked, means=[strip, mean("functional")])
    assert 'class="halves over"' not in render(replace(content, looked=mixed)), "a high one would be far too large"


def test_the_maps_have_a_scale(content: ReportContent) -> None:
    assert content.looked is not None
    page = render(content)
    assert page.count('alt="the colours of the maps"') == 2 and page.count("1: the largest value of each map") == 2
    assert "-1 (against it)" not in page
    signed = replace(content.looked, method="occlusion", signed=True)
    assert "-1 (against it)" in render(replace(content, looked=signed))
    plain, both = (np.asarray(bar_of(looked)) for looked in (content.looked, signed))
    assert plain.shape == both.shape == (14, 240, 3)
    assert np.abs(plain[7, 0].astype(int) - 128).max() < 20, "0 leaves the picture as it is"
    assert both[7, 0, 2] > both[7, 0, 0] + 60 and both[7, -1, 0] > both[7, -1, 2] + 60, "blue against, vermilion for"


def bar_of(looked: LookedAt) -> Image.Image:
    content = base64.b64decode(scale(looked).partition("base64,")[2])
    return Image.open(io.BytesIO(content)).convert("RGB")


def test_what_is_uncertain_comes_after_the_mistakes(content: ReportContent) -> None:
    near = replace(content.mistakes[0], kind="close", name="near.png", map_says="what speaks for near")
    page = render(replace(content, uncertain=[near]))
    assert page.index("Overkill: ") < page.index("decided rightly, but nearly not") < page.index('id="looks"')
    assert "Uncertain" not in render(content)
    alone = render(replace(content, mistakes=(), uncertain=[near]))
    assert alone.index("The heat maps are Grad-CAM") < alone.index("decided rightly, but nearly not")
    with pytest.raises(ValueError, match="uncertain"):
        replace(content, uncertain=content.mistakes[:1])


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
