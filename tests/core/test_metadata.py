"""The one definition of how metadata are coded, by hand."""

from __future__ import annotations

import math
import unicodedata
from typing import Any

import numpy as np
import pytest

from flawscope.errors import MetadataError
from flawscope.metadata import MetaColumn, category, composed, encode, encode_all

TYPE = MetaColumn("type", ("mono", "poly", "thin"))
AGE = MetaColumn("age", mean=10.0, std=4.0)


def test_a_category_is_its_place_and_a_number_stays_as_it_is() -> None:
    row_m = encode({"age": "3,5", "type": " thin ", "more": "x"}, [TYPE, AGE])
    assert (row_m.tolist(), row_m.dtype) == ([2.0, 3.5], np.float32)
    rows = [{"type": "mono", "age": 1.0}, {"type": "poly", "age": "-2e1"}]
    assert encode_all(rows, [AGE, TYPE]).tolist() == [[1.0, 0.0], [-20.0, 1.0]]
    assert encode_all([], [AGE, TYPE]).shape == (0, 2)


def test_categories_that_are_numbers_count_by_their_value() -> None:
    line = MetaColumn("line", ("1", "2.5"))
    for written, code in (("1", 0), ("1.0", 0), (1.0, 0), (np.int64(1), 0), ("2,50", 1), (2.5, 1)):
        assert encode({"line": written}, [line]).tolist() == [code], written
    assert category("A7") == "A7"


def test_both_ways_to_write_an_umlaut_are_one_name_and_one_category() -> None:
    apart = {way: unicodedata.normalize(way, "Größe") for way in ("NFC", "NFD")}
    assert apart["NFC"] != apart["NFD"]
    for ours, theirs in (("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")):
        column = MetaColumn(apart[ours], tuple(sorted((composed(apart[ours]), "x"))))
        assert encode({apart[theirs]: apart[theirs]}, [column]).tolist() == [0.0]
    assert category("1_000") == "1_000"
    assert encode({"age": "1,234"}, [AGE]).tolist() == [pytest.approx(1.234)]


@pytest.mark.parametrize("value", [None, "", "  ", "NaN", "n/a", "?", math.nan, math.inf, np.float64("nan")])
@pytest.mark.parametrize("column", [TYPE, AGE], ids=["category", "number"])
def test_what_says_nothing_is_missing(value: Any, column: MetaColumn) -> None:
    with pytest.raises(MetadataError, match=f"no value for '{column.name}'"):
        encode({column.name: value}, [column])
    with pytest.raises(MetadataError, match="no value for"):
        encode({}, [column])


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        (TYPE, "multi", "type: 'multi' is none of mono, poly, thin"),
        (TYPE, 1.0, "type: '1' is none of mono, poly, thin"),
        (TYPE, "Mono", "type: 'Mono' is none of"),
        (AGE, "old", "age: 'old' is no number"),
        (AGE, "inf", "age: 'inf' is no number"),
        (AGE, "1_000", "age: '1_000' is no number"),
        (AGE, "1,234.5", "age: '1,234.5' is no number"),
        (AGE, 1e39, "age: 1e\\+39 is too large"),
        (MetaColumn("c", tuple(f"{i:02d}x" for i in range(30))), "z", "and 20 more"),
    ],
)
def test_what_has_not_been_learnt_has_no_code(column: MetaColumn, value: Any, problem: str) -> None:
    with pytest.raises(MetadataError, match=problem):
        encode({column.name: value}, [column])


@pytest.mark.parametrize(
    "facts", [{"categories": ("a",)}, {"categories": ("a", "a", "b")}, {"std": 0.0}, {"mean": math.nan}]
)
def test_columns_that_make_no_sense(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|distinct"):
        MetaColumn("x", **facts)
