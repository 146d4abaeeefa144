"""Run-length code <-> mask: round trips, the real codes, and every bad code refused in words."""

from __future__ import annotations

import csv
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from flawscope.errors import DataError
from flawscope.masks import Flaw, components, decode_rle, encode_rle, filled, flaws, no_mask
from flawscope.records import BoolArray

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "severstal-rle" / "masks.csv"
masks = arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12))


def by_hand(mask_hw: BoolArray) -> str:
    """The definition, pixel by pixel."""
    height, width = mask_hw.shape
    on = [i for i in range(height * width) if mask_hw[i % height, i // height]]
    starts = [i for i in on if i - 1 not in on]
    return " ".join(f"{i + 1} {next(j for j in range(i, len(on) * 200 + i) if j not in on) - i}" for i in starts)


@given(masks)
def test_mask_to_code_and_back(mask_hw: BoolArray) -> None:
    code = encode_rle(mask_hw)
    assert code == by_hand(mask_hw)
    assert np.array_equal(decode_rle(code, *mask_hw.shape), mask_hw)
    apart_hw = np.repeat(np.repeat(mask_hw, 2, axis=0), 3, axis=1)[::2, ::3]  # neither rows nor columns in one piece
    assert encode_rle(np.asfortranarray(mask_hw)) == encode_rle(apart_hw) == code


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_code_to_mask_and_back(height: int, width: int, data: st.DataObject) -> None:
    edges = sorted(data.draw(st.sets(st.integers(0, height * width))))
    edges = edges[: len(edges) // 2 * 2]
    code = " ".join(f"{start + 1} {stop - start}" for start, stop in list(pairwise(edges))[::2])
    mask_hw = decode_rle(code, height, width)
    assert (mask_hw.shape, mask_hw.dtype) == ((height, width), np.bool_)
    assert encode_rle(mask_hw) == code


def test_counted_down_the_columns_from_1() -> None:
    assert decode_rle("2 3", 3, 4).astype(int).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert decode_rle("12 1", 3, 4)[2, 3]
    assert decode_rle(" 1\t12\n", 3, 4).all()
    assert encode_rle(np.ones((3, 4), dtype=bool)) == "1 12"


@given(st.integers(0, 30), st.lists(st.integers(0, 30), max_size=7))
def test_filled_between_edges(n: int, places: list[int]) -> None:
    edges = np.array(sorted(min(place, n) for place in places), dtype=np.int64)
    assert filled(edges, n).tolist() == [bool((edges <= place).sum() % 2) for place in range(n)]


def test_touching_runs_become_one() -> None:
    assert encode_rle(decode_rle("2 2 4 3", 4, 4)) == "2 5"


@pytest.mark.parametrize("nothing", ["", "  ", "-1", " -1 ", -1, -1.0, np.int64(-1), float("nan"), np.nan, None, "NaN"])
def test_what_says_that_there_is_no_mask(nothing: str | float | None) -> None:
    assert no_mask(nothing)
    mask_hw = decode_rle(nothing, 3, 5)
    assert mask_hw.shape == (3, 5) and not mask_hw.any()
    assert encode_rle(mask_hw) == ""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("1 2 5", "3 numbers, the last start has no length"),
        (7.0, "word 1, '7.0', is no whole number"),
        ("1 2 x 4", "word 3, 'x', is no whole number"),
        ("1 2.5", "word 2, '2.5', is no whole number"),
        ("1,2", "word 1, '1,2', is no whole number"),
        ("1 ²", "word 2, '²', is no whole number"),
        ("- 3", "word 1, '-', is no whole number"),
        ("1 2-3", "word 2, '2-3', is no whole number"),
        ("1 2 5 0", "run 2 (5 0) has no length"),
        ("1 2 5 -3", "run 2 (5 -3) has no length"),
        ("0 2", "run 1 (0 2) starts before the first pixel, which is 1"),
        ("-1 2", "run 1 (-1 2) starts before the first pixel, which is 1"),
        ("11 3", "run 1 (11 3) reaches beyond the image of 3 x 4 = 12 pixels"),
        ("13 1", "run 1 (13 1) reaches beyond the image"),
        ("1 99999999999999999999", "reaches beyond the image"),
        ("99999999999999999999 99999999999999999999", "reaches beyond the image"),
        (
            "1 2 9000000000000000000 9000000000000000000",
            "run 2 (9000000000000000000 9000000000000000000) reaches beyond",
        ),
        (
            "9223372036854775807 9223372036854775807 1 1",
            "run 1 (9223372036854775807 9223372036854775807) reaches beyond",
        ),
        ("1 3 3 2", "run 2 (3 2) starts before the run ahead of it ends: overlapping or not in order"),
        ("5 2 1 1 9 1 8 1", "run 2 (1 1) starts before the run ahead of it ends: overlapping or not in order (2 such"),
        ("1 3 1 3", "overlapping or not in order"),
    ],
)
def test_bad_codes_are_refused_in_words(code: str | float, words: str) -> None:
    with pytest.raises(DataError) as told:
        decode_rle(code, 3, 4, "train.csv, row 5")
    assert told.value.problem.startswith("train.csv, row 5: ")
    assert words in told.value.problem
    assert "expected pairs of start and length" in told.value.remedy


@given(st.text(alphabet="0123 -x.\n", max_size=12))
def test_any_text_is_a_mask_or_an_error_in_words(code: str) -> None:
    with suppress(DataError):
        assert decode_rle(code, 4, 5).shape == (4, 5)


def test_a_mask_that_is_none_is_our_own_bug() -> None:
    for wrong in (np.zeros((2, 2), dtype=np.uint8), np.zeros((1, 2, 2), dtype=bool)):
        with pytest.raises(ValueError, match="expected a boolean mask"):
            encode_rle(wrong)  # type: ignore[arg-type]


def test_every_real_code_decodes_and_encodes_to_the_same_text() -> None:
    """All 3,645 codes of severstal-rle: none overlaps, touches, is out of order or reaches beyond, so no exceptions."""
    if not REAL.is_file():
        pytest.skip("the shared data are not here")
    with REAL.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3645
    changed = []
    for number, row in enumerate(rows, 2):
        mask_hw = decode_rle(row["EncodedPixels"], 256, 1600, f"row {number}")
        if encode_rle(mask_hw) != row["EncodedPixels"]:
            changed.append((number, row["ImageId"]))
    assert changed == []


# --- connected flaws ----------------------------------------------------------------------------------------------


def test_flaws_by_hand() -> None:
    mask_hw = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1], [1, 0, 0, 0, 1]], dtype=bool)
    label_hw = components(mask_hw)
    assert label_hw.tolist() == [[1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 2], [3, 0, 0, 0, 2]]
    assert flaws(label_hw) == (
        Flaw(3, (0, 0, 3, 2), (1.5, 2.5 / 3)),
        Flaw(2, (4, 2, 5, 4), (4.5, 3.0)),
        Flaw(1, (0, 3, 1, 4), (0.5, 3.5)),
    )
    assert flaws(components(np.zeros((3, 4), dtype=bool))) == ()


@given(masks)
def test_flaws_share_out_the_mask(mask_hw: BoolArray) -> None:
    label_hw = components(mask_hw)
    found = flaws(label_hw)
    assert sum(flaw.area for flaw in found) == mask_hw.sum()
    for number, flaw in enumerate(found, 1):
        y, x = np.nonzero(label_hw == number)
        assert flaw.box == (x.min(), y.min(), x.max() + 1, y.max() + 1)
        assert flaw.centroid == pytest.approx((x.mean() + 0.5, y.mean() + 0.5))
        around = label_hw[max(0, y[0] - 1) : y[0] + 2, max(0, x[0] - 1) : x[0] + 2]
        assert set(np.unique(around)) <= {0, number}, "neighbours of another number"


@given(masks)
def test_turned_and_mirrored_masks_have_the_same_flaws(mask_hw: BoolArray) -> None:
    areas = sorted(flaw.area for flaw in flaws(components(mask_hw)))
    for other in (mask_hw.T, mask_hw[::-1], mask_hw[:, ::-1]):
        assert sorted(flaw.area for flaw in flaws(components(other))) == areas


@pytest.mark.parametrize(
    "wrong", [(0, (0, 0, 1, 1), (0.5, 0.5)), (2, (0, 0, 1, 1), (0.5, 0.5)), (1, (0, 0, 1, 1), (1.5, 0.5))]
)
def test_flaws_are_checked(wrong: tuple[int, tuple[int, int, int, int], tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="of a flaw lies"):
        Flaw(*wrong)
