"""The exam of the court scores as one would by hand; six made-up pictures."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "benchmarks" / "court"))

import exam
import real_twins
import record
import score
from groups import components


@pytest.fixture
def origin(tmp_path: Path) -> dict[str, str]:
    """A pool of six hosts and their six copies."""
    hosts = []
    for number in range(6):
        hosts.append(tmp_path / f"host-{number}.png")
        pixels = np.random.default_rng(number).integers(0, 255, (24, 20), dtype=np.uint8)
        Image.fromarray(pixels).save(hosts[-1])
    origin = exam.plant_pool(tmp_path / "pool", hosts, "turned")
    assert {path.name for path in (tmp_path / "pool").iterdir()} == set(origin)
    return origin


def test_recall_and_precision_by_hand(origin: dict[str, str]) -> None:
    pairs = [
        ("0000.png", "0000-copy.png"),  # right
        ("0001-copy.png", "0001.png"),  # right, the other way round
        ("0001.png", "0001-copy.png"),  # the same pair again: counts once
        ("0002.png", "0003-copy.png"),  # wrong
        ("0003.png", "0002.png"),  # wrong, of the same two hosts
        ("0004.png", "0005.png"),  # hosts that a person called the same
    ]
    result = score.score(pairs, origin, same={("0004", "0005")})
    assert len(result.copies) == 6
    assert result.found == {"0000-copy.png", "0001-copy.png"}
    assert (result.right, result.twins, result.pairs) == (2, 1, 4)
    assert dict(result.wrong) == {("0002", "0003"): 2}
    strict = score.score(pairs, origin)
    assert (strict.right, strict.twins, strict.pairs) == (2, 0, 5)


def test_rates_have_intervals_and_nothing_has_none() -> None:
    assert record.rate(2, 4) == [0.5, 0.15, 0.85, 2, 4]
    assert record.rate(0, 0) is None


def test_perceptual_hashes_miss_what_is_turned_unless_they_look_in_eight_turns(
    origin: dict[str, str], tmp_path: Path
) -> None:
    hashing = pytest.importorskip("hashing")
    pytest.importorskip("imagehash")
    hashes = {name: hashing.hashes_of(tmp_path / "pool" / name, name) for name in origin}
    plain = score.score(hashing.close_pairs(hashes, "phash <= 5"), origin)
    eight = score.score(hashing.close_pairs(hashes, "phash of eight turns <= 5"), origin)
    assert len(plain.found) == 0
    assert len(eight.found) == 6


def test_hamming_distance_is_counted_in_bits() -> None:
    hashing = pytest.importorskip("hashing")
    hashes = {
        name: {"phash": [text]} for name, text in (("a", "0" * 16), ("b", "0" * 15 + "f"), ("c", "0" * 14 + "ff"))
    }
    assert hashing.close_pairs(hashes, "phash <= 0") == []
    assert hashing.close_pairs(hashes, "phash <= 5") == [("a", "b"), ("b", "c")]
    assert hashing.close_pairs(hashes, "phash <= 10") == [("a", "b"), ("a", "c"), ("b", "c")]


def test_judgements_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "judged.json"
    assert score.read_judged(path) == {}
    path.write_text(json.dumps([["bb", "aa", "same", "0: two cells"]]))
    assert score.read_judged(path) == {frozenset(("aa", "bb")): "same"}
    path.write_text(json.dumps([["bb", "aa", "same|different", "not filled in"]]))
    with pytest.raises(ValueError, match=re.escape("judged.json, entry 1")):
        score.read_judged(path)


def test_results_are_appended_with_short_lists_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    first = {"rate": [0.5, 0.1, 0.9, 1, 2], "words": ["a [1,\n 2] b", "c"], "none": [], "more": [[1, 2], [3]]}
    record.append(path, first)
    record.append(path, {"rate": None})
    assert json.loads(path.read_text()) == [first, {"rate": None}]
    assert '"rate": [0.5, 0.1, 0.9, 1, 2],' in path.read_text()


def test_a_copy_is_joined_over_pictures_of_its_own_cell_only() -> None:
    assert components("abcd", [("a", "c"), ("d", "c")]) == [["a", "c", "d"], ["b"]]
    origin = {"x+.png": "x", "x+rot90.png": "x", "x+rot180.png": "x", "x+rot270.png": "x"}
    own = [("x+.png", "x+rot90.png"), ("x+rot90.png", "x+rot180.png")]
    joined = real_twins.joined_to_own(origin, own)
    assert joined == {"x+rot90.png": True, "x+rot180.png": True, "x+rot270.png": False}
    assert real_twins.exposure_of("MT_Free/Imgs/exp3_num_1.jpg") == "3"
