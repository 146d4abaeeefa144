"""What is advised where the court cannot tell: the words of console and page."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from flawscope.pages import court_words


def document(n: int, *pairs: tuple[str, str, str, float], note: str = "too few different images") -> dict[str, Any]:
    rows = [dict(zip(("a", "b", "kind", "measure"), pair, strict=True)) for pair in pairs]
    kinds = Counter(row["kind"] for row in rows)
    court = {"facts": {"note": note}, "bounds": {"certain": 0.99}, "kinds": dict(kinds), "pairs": len(rows)}
    return {"n": n, "court": court, "pairs": rows}


def test_most_images_in_doubtful_pairs_are_to_be_looked_at() -> None:
    pairs = [("a", "b", "sister", 0.999), ("b", "c", "turned", 0.98)]
    said = court_words.look_first(document(5, *pairs))
    assert said.startswith("3 of 5 images are in a pair that is no plain copy")
    assert not court_words.look_first(document(6, *pairs)), "half of the images are not most of them"
    assert not court_words.look_first(document(5, *pairs, note=""))


@pytest.mark.parametrize(("kind", "measure"), [("identical", 1.0), ("re-encoded", 0.9), ("mirrored", 0.99)])
def test_pairs_that_are_certain_ask_for_no_look(kind: str, measure: float) -> None:
    assert not court_words.look_first(document(3, ("a", "b", kind, measure)))


def test_no_pair_is_no_all_clear_where_the_pictures_cannot_tell() -> None:
    said = court_words.no_all_clear(document(40, note="fewer than 200 different images: no rate"))
    assert said.startswith("No pair was found, but that is no all-clear: fewer than 200 different images. If all")
    assert court_words.no_all_clear(document(40, ("a", "b", "identical", 1.0))).startswith("Beside identical files")
    assert not court_words.no_all_clear(document(40, note=""))
    assert not court_words.no_all_clear(document(40, ("a", "b", "sister", 0.9)))


def test_no_pair_among_many_pictures_that_all_look_like_one_is_no_all_clear_either() -> None:
    made = document(400, note="")
    made["court"]["facts"]["like_the_mean"] = 0.97
    assert "no all-clear: nearly all the pictures look like one and the same." in court_words.no_all_clear(made)
    made["court"]["facts"]["like_the_mean"] = 0.6
    assert not court_words.no_all_clear(made)
