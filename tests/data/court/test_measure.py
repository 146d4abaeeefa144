from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flawscope.data.court.align import Alignment, Common
from flawscope.data.court.measure import Suspect, backwards, kind_of, measured, pair_of, suspects_of
from flawscope.data.court.pictures import SIDE, STAYS, TURNS, Float, Grey, turned
from flawscope.data.court.search import KEPT, Candidates, View, seen
from flawscope.records import Samples

Texture = Callable[..., Grey]
SamplesOf = Callable[..., Samples]
NOTHING = Common(np.zeros(SIDE * SIDE, np.float32), np.zeros((0, SIDE * SIDE), np.float32))
PICTURE = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE)).astype(np.uint8)


def through(grey: Grey, view: View) -> Grey:
    return seen(np.ascontiguousarray(turned(grey, view.turn)), view.map)


def moved(right: float, down: float) -> Float:
    return np.array([[1, 0, right], [0, 1, down]], np.float32)


@given(st.integers(0, 7), st.integers(-6, 6), st.integers(-6, 6))
def test_backwards_undoes_a_view(turn: int, right: int, down: int) -> None:
    view = View(turn, moved(right, down))
    inside = slice(7, -7)
    there_and_back = through(through(PICTURE, view), backwards(view))
    assert np.array_equal(there_and_back[inside, inside], PICTURE[inside, inside])


@given(
    st.integers(0, 7),
    st.lists(st.floats(-0.1, 0.1), min_size=4, max_size=4),
    st.lists(st.floats(-5, 5), min_size=2, max_size=2),
)
def test_backwards_twice_is_the_view_itself(turn: int, skew: list[float], move: list[float]) -> None:
    window = np.array([[1 + skew[0], skew[1], move[0]], [skew[2], 1 + skew[3], move[1]]], np.float32)
    again = backwards(backwards(View(turn, window)))
    assert again.turn == turn
    assert again.map == pytest.approx(window, abs=1e-3)


@settings(max_examples=20)
@given(st.integers(0, 7))
def test_backwards_of_a_crop_on_a_soft_picture(turn: int) -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    soft = (128 + 60 * np.sin(x / 9) + 50 * np.cos(y / 7 + x / 30)).astype(np.uint8)
    view = View(turn, np.array([[0.9, 0, 4], [0, 0.9, 1]], np.float32))
    inside = slice(10, -10)
    difference = through(through(soft, view), backwards(view))[inside, inside].astype(int) - soft[inside, inside]
    assert np.abs(difference).max() <= 6


def candidates(rows: dict[int, list[tuple[int, float, int]]], n: int, views: tuple[View, ...]) -> Candidates:
    found = Candidates(
        np.full((n, KEPT), -1), np.full((n, KEPT), -2.0, np.float32), np.zeros((n, KEPT), np.int64), views, "by hand"
    )
    for i, others in rows.items():
        for j, (other, score, view) in enumerate(others):
            found.other_nm[i, j], found.score_nm[i, j], found.view_nm[i, j] = other, score, view
    return found


def test_each_pair_is_suspected_once_from_the_side_that_saw_it_better() -> None:
    views = (View(0, STAYS), View(2, moved(3, 0)))
    rows = {0: [(2, 0.7, 0), (1, 0.1, 0)], 1: [(2, 0.8, 1)], 2: [(0, 0.9, 1), (1, 0.6, 0)]}
    first, second = suspects_of(candidates(rows, 3, views))
    assert (first.a, first.b, first.view) == (0, 2, views[1])  # b, seen through the view, is a
    assert (second.a, second.b) == (1, 2)  # a saw it better: its view is turned round
    assert second.view.turn == 6
    assert second.view.map == pytest.approx(backwards(views[1]).map)
    assert [(each.a, each.b) for each in suspects_of(candidates(rows, 3, views), most=1)] == [(0, 2), (1, 2)]
    assert suspects_of(candidates({}, 3, views)) == []


def test_what_was_done_by_hand(texture: Texture) -> None:
    grey = texture(1)
    stays = Alignment(STAYS, 0.95, 1.0)
    noise = np.random.default_rng(0).normal(0, 1, (SIDE, SIDE))
    assert kind_of(grey, grey, 0, stays) == "re-encoded"
    assert kind_of(grey, np.clip(grey + noise, 0, 255).astype(np.uint8), 0, stays) == "re-encoded"
    assert kind_of(grey, grey + 6, 0, stays) == "re-encoded"
    assert kind_of(grey, (grey * 0.8).astype(np.uint8), 0, stays) == "exposure"
    assert kind_of((grey * 0.8).astype(np.uint8), grey, 0, stays) == "exposure"
    assert kind_of(grey, np.clip(grey.astype(int) - 20, 0, 255).astype(np.uint8), 0, stays) == "exposure"
    assert [kind_of(grey, grey, turn, stays) for turn in range(1, 8)] == ["mirrored", "turned"] * 3 + ["mirrored"]
    wide = texture(3, 80)
    shifted = Alignment(moved(3, -4), 0.95, 1.0)
    assert kind_of(wide[8:72, 8:72], wide[12:76, 5:69], 0, shifted) == "shifted"
    assert kind_of(wide[8:72, 8:72], wide[12:76, 5:69], 1, shifted) == "mirrored"


def test_what_no_change_explains_is_a_sister(texture: Texture) -> None:
    grey, other = texture(1), texture(2)
    half = ((grey.astype(float) + other) / 2).astype(np.uint8)
    assert kind_of(grey, grey, 2, Alignment(STAYS, 0.4, 1.0)) == "sister"
    assert kind_of(grey, other, 0, Alignment(STAYS, 0.95, 1.0)) == "sister"
    assert kind_of(grey, half, 0, Alignment(STAYS, 0.95, 1.0)) == "sister"


def test_pairs_are_measured_in_order_and_named(texture: Texture, samples_of: SamplesOf) -> None:
    wide = texture(3, 80)
    pictures = [texture(1), turned(texture(1), 3), texture(2), wide[8:72, 8:72], wide[12:76, 5:69]]
    grey_nhw = np.stack(pictures)
    suspects = [
        Suspect(0, 2, View(0, STAYS)),
        Suspect(0, 1, View(3, STAYS)),
        Suspect(3, 4, View(0, moved(2, -3))),  # a's (0, 0) is wide's (8, 8), so b's (x 3, y -4)
    ]
    found = list(measured(grey_nhw, suspects, NOTHING))
    assert [each.measure > 0.9 for each in found] == [False, True, True]
    pair = pair_of(samples_of(5), grey_nhw, suspects[1], found[1], 0.5)
    assert (pair.a, pair.b, pair.kind, pair.turn, pair.shift) == (
        "000.png", "001.png", "mirrored", "mirrored 90°", (0.0, 0.0),
    )  # fmt: skip
    assert (pair.measure, pair.needed) == (pytest.approx(1, abs=1e-3), 0.5)
    assert np.array_equal(turned(grey_nhw[1], TURNS.index(pair.turn)), grey_nhw[0])
    pair = pair_of(samples_of(5), grey_nhw, suspects[2], found[2], 0.5)
    assert pair.kind == "shifted"
    assert pair.shift == pytest.approx((-4 / 64, 3 / 64), abs=0.005)
    assert list(measured(grey_nhw, [], NOTHING)) == []
