from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from flawscope.data.court.pictures import SIDE, STAYS, TURNS, Float, Grey, turned
from flawscope.data.court.search import KEPT, Candidates, Descriptor, Searcher, all_views, seen, windows

Texture = Callable[..., Grey]


@pytest.fixture(scope="module")
def planted(texture: Texture) -> tuple[Grey, dict[int, int]]:
    """60 different pictures, and behind them changed copies of ten of them; which picture each copy comes from."""
    wide = [texture(seed, 72) for seed in range(60)]
    plain = [picture[4:68, 4:68] for picture in wide]
    copies = [turned(plain[seed], turn) for turn, seed in enumerate(range(8))]
    copies += [wide[8][6:70, 2:66], (plain[9] * 0.7 + 20).astype(np.uint8)]
    return np.stack([*plain, *copies]), {60 + seed: seed for seed in range(10)}


def test_a_window_by_hand(texture: Texture) -> None:
    grey = texture(1)
    assert np.array_equal(seen(grey, STAYS), grey)
    moved: Float = np.array([[1, 0, 2], [0, 1, 3]], np.float32)
    assert np.array_equal(seen(grey, moved)[:-3, :-2], grey[3:, 2:])


def test_every_turn_is_looked_through_every_window() -> None:
    assert windows()[0] is STAYS
    views = all_views()
    assert len(views) == 8 * len(windows())
    assert [view.turn for view in views[:8]] == list(range(len(TURNS)))
    assert all(view.map is STAYS for view in views[:8])
    middle = windows(keep=0.9)[5]
    assert (middle @ [31.5, 31.5, 1]).tolist() == pytest.approx([31.55, 31.55], abs=0.01)


def test_descriptors_are_unit_vectors_that_forget_brightness_and_contrast(planted: tuple[Grey, dict[int, int]]) -> None:
    grey_nhw, _ = planted
    describe = Descriptor.fit(grey_nhw)
    vector_nd = describe.of(grey_nhw)
    assert np.linalg.norm(vector_nd, axis=1) == pytest.approx(np.ones(70), abs=1e-4)
    assert float(vector_nd[9] @ vector_nd[69]) > 0.99
    assert np.abs(vector_nd[:60] @ vector_nd[:60].T - np.eye(60)).max() < 0.6
    assert np.array_equal(describe.of(grey_nhw, all_views()[0]), vector_nd)


@pytest.mark.parametrize("exact", [True, False])
def test_planted_copies_are_the_first_candidates_of_their_originals(
    planted: tuple[Grey, dict[int, int]], exact: bool
) -> None:
    grey_nhw, origin = planted
    found = Searcher.of(grey_nhw).find(exact=exact)
    assert found.method == ("exact" if exact else "approximate: HNSW graph")
    for copy, original in origin.items():
        assert found.other_nm[copy, 0] == original
        assert found.other_nm[original, 0] == copy
    for i, others in enumerate(found.other_nm):
        some = others[others >= 0].tolist()
        assert i not in some
        assert len(set(some)) == len(some) > 0
    assert (np.diff(found.score_nm, axis=1) <= 0).all()
    assert ((found.other_nm < 0) == (found.score_nm <= -2)).all()


def test_the_views_tell_the_turns(planted: tuple[Grey, dict[int, int]]) -> None:
    grey_nhw, origin = planted
    found = Searcher.of(grey_nhw).find(exact=True)
    for copy, original in list(origin.items())[:8]:
        view = found.views[found.view_nm[copy, 0]]
        assert np.array_equal(turned(grey_nhw[copy], view.turn), grey_nhw[original])
        assert view.map is STAYS


def test_against_brute_force(planted: tuple[Grey, dict[int, int]]) -> None:
    grey_nhw = planted[0][40:]
    found = Searcher.of(grey_nhw).find(exact=True)
    describe = Descriptor.fit(grey_nhw)
    gallery_nd = describe.of(grey_nhw)
    best_nn = np.max([describe.of(grey_nhw, view) @ gallery_nd.T for view in all_views()], axis=0)
    np.fill_diagonal(best_nn, -2)
    assert found.other_nm[:, 0].tolist() == best_nn.argmax(axis=1).tolist()
    assert found.score_nm[:, 0] == pytest.approx(best_nn.max(axis=1), abs=1e-4)


def test_with_sides_only_images_of_other_sides_count(planted: tuple[Grey, dict[int, int]]) -> None:
    grey_nhw, origin = planted
    side_n = np.array([1 if i in origin else i % 2 * 2 for i in range(len(grey_nhw))])
    found = Searcher.of(grey_nhw).find(exact=True, side_n=side_n)
    for i, others in enumerate(found.other_nm):
        assert all(side_n[other] != side_n[i] for other in others[others >= 0])
    assert {copy: int(found.other_nm[copy, 0]) for copy in origin} == origin


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("exact", [True, False])
def test_few_pictures_have_few_candidates(texture: Texture, n: int, exact: bool) -> None:
    found = Searcher.of(np.stack([texture(seed) for seed in range(n)])).find(exact=exact)
    assert isinstance(found, Candidates)
    assert found.other_nm.shape == (n, KEPT)
    assert ((found.other_nm >= 0).sum(axis=1) == n - 1).all()


def test_flat_pictures_do_not_crash() -> None:
    found = Searcher.of(np.full((4, SIDE, SIDE), 7, np.uint8)).find()
    assert np.isfinite(found.score_nm).all()
