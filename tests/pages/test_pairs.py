"""Pairs lie on each other as they are shown, and the proof says what its document says."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.pages.pairs import ProofContent, pair_view, proof_view, summed, turned
from flawscope.pages.report import ReportContent, render

PROOF: dict[str, Any] = {
    "court": "correlation once aligned",
    "threshold": 0.6234,
    "threshold_low": 0.4812,
    "threshold_high": 0.8512,
    "pairs_found": 467,
    "kinds": {"sister": 460, "identical": 7},
    "compared": 98765,
    "measured": 4321,
    "crossing": 0,
    "left_out": {"train": 11, "validation": 2, "calibration": 0},
    "nearest": [
        {"a": "1.png", "b": "2.png", "part_a": "train", "part_b": "test", "measure": 0.61, "needed": 0.82,
         "turn": "90°"},
        {"a": "3.png", "b": "4.png", "part_a": "validation", "part_b": "test", "measure": 0.43, "needed": 0.46,
         "turn": ""},
    ],
    "seconds": 2.5,
}  # fmt: skip


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        ("", lambda p: p),
        ("90°", np.rot90),
        ("180°", lambda p: np.rot90(p, 2)),
        ("270°", lambda p: np.rot90(p, 3)),
        ("mirrored", np.fliplr),
        ("mirrored 90°", lambda p: np.rot90(np.fliplr(p))),
        ("mirrored 180°", lambda p: np.rot90(np.fliplr(p), 2)),
        ("mirrored 270°", lambda p: np.rot90(np.fliplr(p), 3)),
    ],
)
def test_all_eight_turns(turn: str, expected: Callable[[Any], Any]) -> None:
    """Mirror left to right first, then turn counter-clockwise, as numpy's rot90 does."""
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    np.testing.assert_array_equal(np.asarray(turned(Image.fromarray(pixels), turn)), expected(pixels))


def test_unknown_turns_are_our_bug() -> None:
    with pytest.raises(ValueError, match="45°"):
        turned(Image.new("L", (4, 4)), "45°")


def test_the_right_picture_is_shown_as_it_lies_on_the_left_one() -> None:
    left = Image.new("L", (60, 30), 0)
    left.paste(255, (0, 0, 20, 30))
    right = left.transpose(Image.Transpose.ROTATE_270)  # clockwise: a turn of 90° puts it back
    made = pair_view({"a": "l", "b": "r", "turn": "90°", "measure": 0.99, "kind": "turned"}, {"l": left, "r": right})
    shown = [Image.open(io.BytesIO(base64.b64decode(made[side]["uri"].split(",")[1]))) for side in ("a", "b")]
    assert shown[0].size == shown[1].size == (60, 30)
    assert np.abs(np.asarray(shown[0], float) - np.asarray(shown[1], float)).max() < 30


def test_a_picture_that_is_gone_leaves_an_empty_frame(tmp_path: Path) -> None:
    made = pair_view({"a": "gone", "b": "unknown", "measure": 0.9}, {"gone": tmp_path / "gone.png"})
    assert (made["a"]["uri"], made["b"]["uri"]) == ("", "")


def test_folds_are_summed_and_what_was_found_is_counted_once() -> None:
    both = summed([PROOF, {**PROOF, "compared": 5, "left_out": {"train": 4}}])
    assert (both["compared"], both["pairs_found"], both["seconds"]) == (98770, 467, 5.0)
    assert both["left_out"]["train"] == 15
    assert both["measured"] == 8642
    assert [pair["a"] for pair in both["nearest"]] == ["3.png", "1.png"], "closest to what they need"
    old = [{**pair, "needed": None} for pair in PROOF["nearest"]]
    assert [pair["a"] for pair in summed([{**PROOF, "nearest": old}])["nearest"]] == ["1.png", "3.png"]
    assert "compared" not in summed([PROOF, {}])


def test_the_report_shows_the_proof(binary: ReportContent) -> None:
    images = {f"{i}.png": Image.new("L", (30, 30)) for i in range(5)}
    made = render(replace(binary, proof=ProofContent(PROOF, images)))
    said = text(made)
    for words in ("467", "98,765", "4,321", "13 (11 from train, 2 from validation)", "Sisters", "460"):
        assert words in said
    assert "reach 0.48 to 0.85, depending on what the picture shows (median 0.62)" in said
    assert "correlation 0.43 , needed 0.46" in said
    assert "none reaches the correlation that it needs" in said
    assert "No image of the same thing stands on both sides of this split:" in said
    nearest = said.partition("The nearest pairs across the split")[2]
    assert nearest.index("3.png") < nearest.index("1.png"), "the nearest first"
    assert "in validation" in said
    assert 'id="proof"' in made
    crossing = text(render(replace(binary, proof=ProofContent({**PROOF, "crossing": 3}, images))))
    assert "3 pairs cross" in crossing and "No image of the same thing stands" not in crossing


def test_what_is_to_be_borne_in_mind_stands_in_the_proof(binary: ReportContent) -> None:
    said = text(render(replace(binary, proof=ProofContent({**PROOF, "note": "too few images to tell"}, {}))))
    assert "to be borne in mind too few images to tell" in said


def test_a_report_without_a_proof_says_so(binary: ReportContent) -> None:
    said = text(render(replace(binary, unproven="There is no proof: nobody has searched.")))
    assert "LEAK NOT CHECKED There is no proof: nobody has searched." in said


def test_a_proof_with_one_threshold_for_all_is_shown_as_it_is(binary: ReportContent) -> None:
    old = {**PROOF, "threshold": 0.9123, "threshold_low": None, "threshold_high": None}
    assert ("correlation that images of the same thing reach", "0.91") in proof_view(ProofContent(old, {}))["rows"]


def test_everything_in_a_proof_may_be_missing(binary: ReportContent) -> None:
    assert proof_view(ProofContent({}, {}))["rows"] == []
    assert "The proof" in text(render(replace(binary, proof=ProofContent({}, {}, folds=5))))
