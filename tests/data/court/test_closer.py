"""Parts that look alike when small: their fine detail tells them apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from flawscope.data.court.align import STAYS, Alignment, Common
from flawscope.data.court.closer import (
    FALSE_OF_DOUBTFUL,
    HIGHEST,
    SIDE,
    Closer,
    enlarged,
    fine_measure,
    reached_by_chance,
)
from flawscope.data.court.different import Different
from flawscope.data.court.measure import Suspect
from flawscope.data.court.pictures import SIDE as SMALL
from flawscope.data.court.pictures import Grey, turned
from flawscope.data.court.search import View
from flawscope.data.court.threshold import DOUBTFUL, reaching
from flawscope.data.court.threshold import HIGHEST as HIGHEST_SMALL
from flawscope.data.court.verdict import Judge, find_twins
from flawscope.data.unlabelled import read_unlabelled
from flawscope.errors import ImageError
from flawscope.records import Sample, Samples, Task

UPRIGHT = View(0, STAYS)
PARTS = 40


def part(seed: int, grain: float = 1.0) -> Grey:
    """A large picture of a part: one shape, the same for all, and a surface of its own that small pictures lose."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    shape = 120 + 40 * np.cos(np.hypot(rows, columns) / 8)
    surface = gaussian_filter(np.random.default_rng(seed).normal(size=(SIDE, SIDE)), grain)
    return np.clip(shape + 8 * surface / surface.std(), 0, 249).astype(np.uint8)


def small(picture: Grey) -> Grey:
    return picture.reshape(SMALL, SIDE // SMALL, SMALL, SIDE // SMALL).mean(axis=(1, 3)).astype(np.uint8)


def lying(measure: float) -> Alignment:
    return Alignment(STAYS, measure, 1.0)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """40 different parts and, at last, part 0 at another exposure and turned by 90 degrees: two more files."""
    folder = tmp_path_factory.mktemp("parts")
    pictures = [part(seed) for seed in range(PARTS)]
    pictures += [(pictures[0] * 0.8 + 15).astype(np.uint8), turned(pictures[0], 2)]
    rows = []
    for number, picture in enumerate(pictures):
        path = folder / f"{number:02d}.png"
        Image.fromarray(picture).save(path)
        rows.append(Sample(path.name, str(path), (0.0,), path.name, f"content {number}"))
    return Samples("parts", Task("binary", ("bad",)), tuple(rows))


@pytest.fixture
def different() -> Different:
    """Each part beside the next two, with a coarse measure that says little."""
    pairs = tuple(Suspect(i, (i + d) % PARTS, UPRIGHT) for i in range(PARTS) for d in range(1, 9))
    found = tuple(lying(0.6 + 0.3 * ((7 * q) % len(pairs)) / len(pairs)) for q in range(len(pairs)))
    nobody = np.zeros((PARTS + 2, 1), np.int64)
    return Different(PARTS + 2, pairs, found, np.zeros(len(pairs), np.int64), nobody)


def test_small_pictures_of_different_parts_are_alike_and_their_fine_detail_is_not() -> None:
    a, b = part(1), part(2)
    assert np.corrcoef(small(a).ravel(), small(b).ravel())[0, 1] > 0.95
    exposed = (a * 0.7 + 20).astype(np.uint8)
    shifted = np.roll(a, (2, 1), (0, 1))
    assert fine_measure(a, exposed, STAYS) > 0.97
    assert fine_measure(a, shifted, STAYS) > 0.9, "the place is found anew"
    assert fine_measure(a, b, STAYS) < fine_measure(a, shifted, STAYS) - 0.3


def test_pictures_that_show_nothing_or_burn_out_are_not_alike() -> None:
    flat, burnt = np.full((SIDE, SIDE), 90, np.uint8), np.full((SIDE, SIDE), 255, np.uint8)
    assert fine_measure(flat, flat, STAYS) == 0.0
    assert fine_measure(part(1), burnt, STAYS) == 0.0


def test_a_move_of_one_small_pixel_is_one_of_three_larger_ones() -> None:
    place = np.array([[0, -1, 63], [1, 0, 0]], np.float32)  # a quarter turn of a small picture
    assert enlarged(place) == pytest.approx(np.array([[0, -1, SIDE - 1], [1, 0, 0]]))


def test_what_is_needed_lies_between_different_parts_and_the_same(parts: Samples, different: Different) -> None:
    closer = Closer(parts, different)
    pairs = [Suspect(0, PARTS, UPRIGHT), Suspect(0, PARTS + 1, View(6, STAYS)), Suspect(3, 30, UPRIGHT)]
    (exposed, one), (quarter, two), (others, three) = closer.look(pairs, [lying(0.9)] * 3)
    assert DOUBTFUL <= one == two == three <= HIGHEST, "the same pictures resemble all of these"
    assert others.measure < one < min(exposed.measure, quarter.measure)
    assert closer.look(pairs[:1], [lying(0.9)]) == [(exposed, one)]
    assert len(closer.known) == 3
    assert one == DOUBTFUL, "the different ones stay far below"
    assert closer.expected_false_pairs < FALSE_OF_DOUBTFUL


def test_every_image_asks_for_what_those_that_resemble_it_reach(parts: Samples, different: Different) -> None:
    # Image 0 resembles those whose different pictures hardly differ, image 1 those whose different pictures do.
    plain = replace(
        different,
        pairs=tuple(Suspect(0, PARTS, UPRIGHT) if q % 2 else pair for q, pair in enumerate(different.pairs)),
        asked_q=np.arange(len(different.pairs)) % 2,
        alike_na=np.array([[1], *[[0]] * (PARTS + 1)]),
    )
    closer = Closer(parts, plain)
    needed = [need for _, need in closer.look([Suspect(0, 5, UPRIGHT), Suspect(1, 5, UPRIGHT)], [lying(0.9)] * 2)]
    assert needed[0] == HIGHEST
    assert closer.chance[0] > 5 * FALSE_OF_DOUBTFUL > 5 * closer.chance[1], "it may not ask for as much as it should"
    assert closer.expected_false_pairs < FALSE_OF_DOUBTFUL, "of a pair the stricter image counts"
    assert needed[1] < 0.85
    assert closer.facts()["closely_needed_high"] > closer.facts()["closely_needed_low"]


def test_the_least_alike_of_the_different_do_not_count(parts: Samples, different: Different) -> None:
    closer = Closer(parts, different)
    closer.look([Suspect(0, PARTS, UPRIGHT)], [lying(0.9)])
    coarse = [different.found[q].measure for q in closer.different_q]
    assert len(coarse) == len(different.pairs) / 2
    assert min(coarse) >= np.median(different.measure_q)


def test_only_doubtful_pairs_are_read_again(parts: Samples, different: Different) -> None:
    common = Common(np.zeros(SMALL * SMALL, np.float32), np.zeros((0, SMALL * SMALL), np.float32))
    asks = dict.fromkeys(range(PARTS + 2), 0.95)
    judge = Judge(common, different, Closer(parts, different), asks)
    same, others, certain = (Suspect(0, PARTS, UPRIGHT), Suspect(3, 30, UPRIGHT), Suspect(5, 6, UPRIGHT))
    assert judge.needed(same) == DOUBTFUL
    settled = judge.settled([(same, lying(0.9)), (others, lying(0.9)), (certain, lying(0.96))])
    assert [pair for pair, _, _ in settled] == [same, others, certain]
    assert [found.measure >= needed for _, found, needed in settled] == [True, False, True]
    assert (settled[2][1].measure, settled[2][2]) == (0.96, 0.95)
    facts = judge.facts()
    assert facts["looked_at_closely"] == 2
    assert facts["closely_needed"] == pytest.approx(settled[0][2], abs=1e-4)
    assert facts["threshold_high"] == DOUBTFUL


def test_without_doubt_no_file_is_opened(different: Different, tmp_path: Path) -> None:
    def gone(number: int) -> Sample:
        return Sample(f"{number}", str(tmp_path / f"{number}.png"), (0.0,), f"{number}", f"content {number}")

    samples = Samples("gone", Task("binary", ("bad",)), tuple(gone(number) for number in range(PARTS + 2)))
    common = Common(np.zeros(SMALL * SMALL, np.float32), np.zeros((0, SMALL * SMALL), np.float32))

    def make(asked: float) -> Judge:
        return Judge(common, different, Closer(samples, different), dict.fromkeys(range(PARTS + 2), asked))

    pair = Suspect(0, 1, UPRIGHT)
    assert make(0.6).settled([(pair, lying(0.9))]) == [(pair, lying(0.9), 0.6)]
    assert "looked_at_closely" not in make(0.6).facts()
    with pytest.raises(ImageError):
        make(0.95).settled([(pair, lying(0.9))])


def test_twins_among_the_different_do_not_raise_what_is_needed() -> None:
    rng = np.random.default_rng(0)
    different = np.tanh(rng.normal(1.1, 0.2, 650))
    alone = np.tanh(reached_by_chance(different).inv_cdf(0.995))
    assert np.mean(different > alone) < 0.015
    assert alone == pytest.approx(np.tanh(1.1 + 2.576 * 0.2), abs=0.01)
    twins = np.tanh(rng.normal(2.0, 0.1, 50))
    assert np.tanh(reached_by_chance(np.append(different, twins)).inv_cdf(0.995)) < alone + 0.02 < twins.min()


@pytest.mark.parametrize(("certain", "needed"), [(0.84, 0.84), (HIGHEST_SMALL, 0.85), (0.86, DOUBTFUL)])
def test_only_where_small_pictures_do_not_tell_a_lower_measure_is_looked_at(certain: float, needed: float) -> None:
    assert reaching(certain) == needed


def test_the_search_hands_turn_and_place_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From files to pairs, with every pair doubtful: what is turned, mirrored or moved is laid right when larger."""
    monkeypatch.setattr("flawscope.data.court.verdict.tail_threshold", lambda *given: 1.1)
    monkeypatch.setattr("flawscope.data.court.threshold.DOUBTFUL", 0.3)
    for seed in range(PARTS):
        Image.fromarray(part(seed, grain=4.0)).save(tmp_path / f"{seed:02d}.png")
    for seed, turn in enumerate(range(1, 8)):
        Image.fromarray(turned(part(seed, grain=4.0), turn)).save(tmp_path / f"{seed:02d} turned.png")
    moved = np.roll(turned(part(9, grain=4.0), 3), (6, -4), (0, 1))
    Image.fromarray(moved).save(tmp_path / "09 turned and moved.png")
    twins = find_twins(read_unlabelled(tmp_path))
    assert twins.facts["looked_at_closely"] >= 8
    pairs = {(pair.a[:2], pair.b[:2]): pair for pair in twins.pairs}
    assert set(pairs) >= {(f"{n:02d}", f"{n:02d}") for n in (*range(7), 9)}
    assert {a == b for a, b in pairs} == {True}
    assert all(pair.measure > 0.9 for pair in pairs.values()), "the fine measure is what counts"


def test_an_image_that_resembles_its_own_group_alone_asks_all(parts: Samples, different: Different) -> None:
    alone = replace(different, asked_q=np.ones(len(different.pairs), np.int64))  # nobody's
    needed = [need for _, need in Closer(parts, alone).look([Suspect(0, PARTS, UPRIGHT)], [lying(0.9)])]
    assert needed == [need for _, need in Closer(parts, different).look([Suspect(0, PARTS, UPRIGHT)], [lying(0.9)])]
