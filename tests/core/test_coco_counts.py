"""COCO's counts <-> mask. The packed texts were made with pycocotools 2.0.11 (`mask.encode`)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from flawscope.coco_counts import decode_counts, encode_counts, encode_part
from flawscope.errors import DataError
from flawscope.records import BoolArray

y_hw, x_hw = np.mgrid[:40, :50]
OTHERS: dict[str, BoolArray] = {
    "]:5P16K4M2N2N2O0O2O000O2O00000001N10001N101N2N2N3L5Jnd0": (y_hw - 15) ** 2 + (x_hw - 20) ** 2 < 150,
    "`n1": np.zeros((40, 50), dtype=bool),
    "0`n1": np.ones((40, 50), dtype=bool),
    "5S15000P50PK000P50PK000P50PK000P50PK000P50PK000P50PK000P50": (x_hw % 7 < 3) & (y_hw > 4),
}
masks = arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12))


@pytest.mark.parametrize("text", OTHERS)
def test_texts_of_another_program(text: str) -> None:
    mask_hw = OTHERS[text]
    assert np.array_equal(decode_counts(text, 40, 50), mask_hw)
    assert encode_counts(mask_hw) == text


@given(masks, st.integers(1, 40))
def test_there_and_back(mask_hw: BoolArray, times: int) -> None:
    large_hw = np.repeat(mask_hw, times, axis=0)  # so that counts take several characters, and differences fall
    assert np.array_equal(decode_counts(encode_counts(large_hw), *large_hw.shape), large_hw)


@given(masks, st.tuples(*[st.integers(0, 3)] * 4))
def test_counts_of_a_part_are_those_of_the_whole(part_hw: BoolArray, around: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = around
    whole_hw = np.pad(part_hw, ((top, bottom), (left, right)))
    if part_hw.any():
        assert encode_part(part_hw, left, top, *whole_hw.shape) == encode_counts(whole_hw)


@given(masks)
def test_plain_counts_are_the_lengths_down_the_columns(mask_hw: BoolArray) -> None:
    counts, last = [0], False
    for on in mask_hw.T.ravel().tolist():
        if on != last:
            counts.append(0)
        counts[-1] += 1
        last = on
    assert np.array_equal(decode_counts(counts, *mask_hw.shape), mask_hw)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([1, 2], "the counts add up to 3 pixels, not to 3 x 2 = 6"),
        ([5, 2], "the counts add up to 7 pixels"),
        ([2**62] * 4, "not to 3 x 2 = 6"),
        ([2**64, 1], "a count is beyond any image"),
        ([-1, 7], "count 1 is negative"),
        ([], "no list of whole numbers"),
        ([1.0, 5], "no list of whole numbers"),
        ([True, 5], "no list of whole numbers"),
        ({"1": 2}, "no list of whole numbers"),
        ("", "the packed counts are empty"),
        ("12P", "the packed counts are cut off"),
        ("12", "the counts add up to 3 pixels"),
        ("1 3", "character 2, ' ', does not belong"),
        ("1²3", "character 2, '²', does not belong"),
        ("1\ud8003", "does not belong"),
        ("PPPPPPP1", "number 1 of the packed counts is beyond any image"),
    ],
)
def test_bad_counts_are_refused_in_words(counts: Any, words: str) -> None:
    with pytest.raises(DataError) as told:
        decode_counts(counts, 3, 2, "annotation 7")
    assert told.value.problem.startswith("annotation 7: ") and told.value.remedy
    assert words in told.value.problem


@given(st.text(alphabet=[chr(code) for code in range(46, 114)], max_size=9))
def test_any_text_is_a_mask_or_an_error_in_words(text: str) -> None:
    with suppress(DataError):
        assert decode_counts(text, 4, 5).shape == (4, 5)
