"""What masks show, as it is printed."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from PIL import Image

from flawscope.pages.mask_facts import facts_view, outlined_view
from flawscope.records import Masks

CLASS = {"images": 5, "flaws": 34, "pixels": 4100, "share": 0.0041, "within": 0.02, "smallest": 3, "10 %": 9,
         "median": 718, "90 %": 900, "largest": 5845}  # fmt: skip
NONE = dict.fromkeys(CLASS, 0)
FACTS: dict[str, Any] = {
    "pixels_are": "multilabel",
    "images": 40,
    "flawed": 12,
    "pixels": 1_000_000,
    "overlap": 7,
    "classes": [{"name": "pits", **CLASS}, {"name": "<cracks>", **NONE}],
    "flaws_per_image": {"0": 28, "1": 7, "2": 0, "3": 2, "4": 1, "5 or more": 2},
    "most_flaws": 11,
    "classes_per_image": {"0": 28, "1": 11, "2": 1},
    "sizes": {"edges": [1, 10, 100, 1000, 10000], "counts": {"pits": [0, 4, 20, 10], "<cracks>": [0, 0, 0, 0]}},
}


def test_classes_figures_and_sentences() -> None:
    view: Any = facts_view(FACTS)
    pits, cracks = view["classes"]
    assert (pits["share_of_images"], pits["share"], pits["within"]) == ("12 %", "0.41 %", "2 %")
    assert (pits["sizes"], cracks["sizes"], cracks["within"]) == ("3 to 5,845", "–", "–")
    assert pits["colour"] != cracks["colour"]
    said = " ".join(view["words"])
    assert "12 of 40 images show a flaw (30 %), 28 show none; the most that one image has is 11." in said
    assert "1 images show several classes." in said and "7 pixels show more than one class." in said
    assert "&lt;cracks&gt;" in view["sizes"] and ">28<" in re.sub(r"\s+", "", view["per_image"])


@pytest.mark.parametrize(("change", "words"), [({"pixels_are": "multiclass", "overlap": 0}, "No pixel shows two")])
def test_classes_that_cannot_overlap(change: dict[str, Any], words: str) -> None:
    view: Any = facts_view({**copy.deepcopy(FACTS), **change})
    assert words in " ".join(view["words"])


def test_data_without_masks_have_none() -> None:
    assert facts_view(None) is None


def test_pictures_with_their_masks() -> None:
    masks = {"a": Masks(20, 100, ("1 5",)), "b": Masks(20, 100, ("",))}
    view = outlined_view(
        {"flaw": ["a", "gone"], "ok": ["b"]}, {name: Image.new("L", (100, 20)) for name in "ab"}, masks
    )
    assert view["broad"] and [entry["name"] for entry in view["entries"]] == ["flaw", "ok"]
    shown, gone = view["entries"][0]["tiles"]
    assert shown["uri"].startswith("data:image/jpeg") and (shown["width"], shown["height"]) == (400, 80)
    assert gone["uri"] == ""
