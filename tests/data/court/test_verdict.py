"""The whole court on small sets: what is planted is found and named, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawscope.data.court import verdict
from flawscope.data.court.pictures import SIDE, TURNS, Grey, turned
from flawscope.data.court.verdict import METHOD, find_twins, identical_pairs, twins_among
from flawscope.records import Pair, PairKind, Sample, Samples, Task, Twins
from flawscope.storage import sha256_file

Texture = Callable[..., Grey]
SamplesOf = Callable[..., Samples]
UNRELATED = 70


@pytest.fixture(scope="module")
def planted(texture: Texture) -> tuple[Grey, dict[tuple[int, int], tuple[PairKind, str]]]:
    """70 different pictures and a copy of some; for each planted pair the kind, and the turn that lays b on a."""
    wide = [texture(seed, 80) for seed in range(UNRELATED)]
    plain = [picture[8:72, 8:72] for picture in wide]
    noise = np.random.default_rng(0).normal(0, 1, (SIDE, SIDE))
    copies: list[tuple[Grey, PairKind, str]] = []
    for turn in range(1, 8):
        kind: PairKind = "mirrored" if turn % 2 else "turned"
        copies.append((turned(plain[turn - 1], turn), kind, TURNS[turn if turn % 2 else 8 - turn]))
    copies.append(((plain[7] * 0.8 + 10).astype(np.uint8), "exposure", ""))
    copies.append((wide[8][11:75, 6:70], "shifted", ""))
    copies.append((np.clip(plain[9] + noise, 0, 249).astype(np.uint8), "re-encoded", ""))
    truth = {(i, UNRELATED + i): (kind, turn) for i, (_, kind, turn) in enumerate(copies)}
    return np.stack([*plain, *(copy for copy, _, _ in copies)]), truth


def found(twins: Twins) -> dict[tuple[int, int], tuple[PairKind, str]]:
    return {(int(pair.a[:3]), int(pair.b[:3])): (pair.kind, pair.turn) for pair in twins.pairs}


def ids(pairs: Iterable[Pair]) -> set[frozenset[str]]:
    return {frozenset((pair.a, pair.b)) for pair in pairs}


@pytest.mark.parametrize("exact", [True, False])
def test_planted_copies_of_each_kind_are_found_and_named(
    planted: tuple[Grey, dict[tuple[int, int], tuple[PairKind, str]]], samples_of: SamplesOf, exact: bool
) -> None:
    grey_nhw, truth = planted
    twins = twins_among(grey_nhw, samples_of(len(grey_nhw)), exact=exact)
    assert found(twins) == truth
    assert (twins.n, twins.method) == (len(grey_nhw), METHOD)
    assert [pair.measure for pair in twins.pairs] == sorted((pair.measure for pair in twins.pairs), reverse=True)
    assert all(pair.needed <= pair.measure <= 1 for pair in twins.pairs)
    (shifted,) = [pair for pair in twins.pairs if pair.kind == "shifted"]
    assert shifted.shift == pytest.approx((-3 / SIDE, 2 / SIDE), abs=0.01)
    facts = twins.facts
    assert facts["search"].startswith("exact" if exact else "approximate")
    assert sum(facts["kinds"].values()) == len(truth)
    assert sum(facts["null"]["counts"]) == facts["known_different"] >= 200
    assert sum(facts["found"]["counts"]) == facts["looked_at"] >= len(truth)


def test_nothing_is_found_among_unrelated_pictures(texture: Texture, samples_of: SamplesOf) -> None:
    grey_nhw = np.stack([texture(500 + seed) for seed in range(100)])
    twins = twins_among(grey_nhw, samples_of(100))
    assert twins.pairs == ()
    assert twins.facts["expected_false_pairs"] < 1


def test_the_order_of_the_samples_does_not_matter(
    planted: tuple[Grey, dict[tuple[int, int], tuple[PairKind, str]]], samples_of: SamplesOf
) -> None:
    grey_nhw, truth = planted
    samples = samples_of(len(grey_nhw))
    order = np.random.default_rng(1).permutation(len(grey_nhw))
    rows = tuple(samples.rows[i] for i in order)
    twins = twins_among(grey_nhw[order], Samples(samples.name, samples.task, rows))
    assert ids(twins.pairs) == {frozenset((f"{a:03d}.png", f"{b:03d}.png")) for a, b in truth}
    place = {row.id: i for i, row in enumerate(rows)}
    assert all(place[pair.a] < place[pair.b] for pair in twins.pairs)
    for pair in twins.pairs:
        kind, turn = truth[tuple(sorted((int(pair.a[:3]), int(pair.b[:3]))))]  # type: ignore[index]
        assert pair.kind == kind
        if pair.a < pair.b:
            assert pair.turn == turn


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10])
def test_few_pictures(texture: Texture, samples_of: SamplesOf, n: int) -> None:
    grey_nhw = np.zeros((n, SIDE, SIDE), np.uint8)
    for i in range(n):
        grey_nhw[i] = texture(i)
    twins = twins_among(grey_nhw, samples_of(n))
    assert (twins.pairs, twins.n) == ((), n)
    if n > 1:
        grey_nhw[-1] = turned(grey_nhw[0], 2)
        twins = twins_among(grey_nhw, samples_of(n))
        assert found(twins) == {(0, n - 1): ("turned", "270°")}
        assert "too few" in twins.facts["note"]


def test_flat_pictures_are_nobodys_twins(texture: Texture, samples_of: SamplesOf) -> None:
    grey_nhw = np.stack([texture(seed) for seed in range(30)])
    for place, value in ((3, 0), (4, 0), (9, 128), (10, 3), (20, 255), (21, 254)):
        grey_nhw[place] = value
    assert twins_among(grey_nhw, samples_of(30)).pairs == ()
    assert twins_among(np.full((5, SIDE, SIDE), 9, np.uint8), samples_of(5)).pairs == ()


def test_identical_files_chain(texture: Texture, samples_of: SamplesOf) -> None:
    grey_nhw = np.stack([texture(seed % 9) for seed in range(12)])  # 9, 10, 11 are 0, 1, 2
    contents = [f"content {seed % 9}" for seed in range(12)]
    contents[5], grey_nhw[5] = "content 0", grey_nhw[0]
    samples = samples_of(12, contents)
    chain = [(0, 5), (5, 9), (1, 10), (2, 11)]
    assert len(identical_pairs(samples)) == len(chain)
    twins = twins_among(grey_nhw, samples)
    assert found(twins) == dict.fromkeys(chain, ("identical", ""))  # each once: not (0, 9) as well
    assert all(pair.measure == 1 for pair in twins.pairs)


def test_identical_files_do_not_hide_another_twin(texture: Texture, samples_of: SamplesOf) -> None:
    grey_nhw = np.stack([texture(seed) for seed in range(40)])
    grey_nhw[:12] = grey_nhw[0]
    grey_nhw[12:24] = (grey_nhw[0] * 0.7 + 20).astype(np.uint8)  # another exposure, twelve times as well
    contents = ["content 0"] * 12 + ["content 12"] * 12 + [f"content {seed}" for seed in range(24, 40)]
    pairs = found(twins_among(grey_nhw, samples_of(40, contents)))
    others = {pair: kind for pair, (kind, _) in pairs.items() if kind != "identical"}
    assert len(pairs) - len(others) == 22
    assert set(others.values()) == {"exposure"}
    assert all(a < 12 <= b < 24 for a, b in others)


# --- from files, and the cache ----------------------------------------------------------------------------------------


def read_folder(folder: Path) -> Samples:
    paths = sorted(folder.glob("*.png"))
    rows = [Sample(path.name, str(path), (0.0,), path.name, sha256_file(path)) for path in paths]
    return Samples("made", Task("binary", ("bad",)), tuple(rows))


@pytest.fixture
def folder(tmp_path: Path, texture: Texture) -> Path:
    """Ten pictures, one of them there twice and once turned."""
    place = tmp_path / "pictures"
    place.mkdir()
    for seed in range(8):
        Image.fromarray(texture(seed)).save(place / f"{seed}.png")
    shutil.copy(place / "0.png", place / "8.png")
    Image.fromarray(turned(texture(1), 2)).save(place / "9.png")
    return place


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each verdict was about that did not come from the cache. They are made up, to be quick."""
    calls: list[int] = []

    def counted(grey_nhw: Grey, samples: Samples, *, exact: bool | None = None) -> Twins:
        assert grey_nhw.shape == (len(samples), SIDE, SIDE)
        calls.append(len(samples))
        pairs = (
            Pair("0.png", "8.png", "identical", 1.0),
            Pair("1.png", "2.png", "sister", 0.6543, "90°", (0.1, 0.2), 0.5),
        )
        return Twins(pairs, len(samples), METHOD, {"threshold": 0.5, "exact": exact})

    monkeypatch.setattr(verdict, "twins_among", counted)
    return calls


def test_pairs_of_files(folder: Path) -> None:
    twins = find_twins(read_folder(folder))
    assert [(pair.a, pair.b, pair.kind, pair.turn) for pair in twins.pairs] == [
        ("0.png", "8.png", "identical", ""),
        ("1.png", "9.png", "turned", "270°"),
    ]
    assert twins.facts["seconds"] >= 0
    assert (twins.n, twins.method) == (10, METHOD)


def test_the_second_call_reads_the_cache(folder: Path, tmp_path: Path, judged: list[int]) -> None:
    samples, cache = read_folder(folder), tmp_path / "new" / "cache"
    first = find_twins(samples, cache=cache)
    assert len(list(cache.iterdir())) == 1
    shutil.rmtree(folder)
    assert find_twins(samples, cache=cache) == first
    assert judged == [10]


@pytest.mark.parametrize("damage", ["empty", "half", "no json", "a list", "a flipped digit", "no pairs"])
def test_a_damaged_cache_is_ignored_and_mended(folder: Path, tmp_path: Path, judged: list[int], damage: str) -> None:
    samples, cache = read_folder(folder), tmp_path / "cache"
    first = find_twins(samples, cache=cache)
    (kept,) = cache.iterdir()
    text = kept.read_text(encoding="utf-8")
    measure = f'"measure": {first.pairs[1].measure}'
    spoilt = {
        "empty": "",
        "half": text[: len(text) // 2],
        "no json": "{" + text,
        "a list": "[]",
        "a flipped digit": text.replace(measure, '"measure": 0.7'),
        "no pairs": text.replace('"pairs"', '"piars"'),
    }[damage]
    assert spoilt != text
    kept.write_text(spoilt, encoding="utf-8")
    again = find_twins(samples, cache=cache)
    assert judged == [10, 10]
    assert (again.pairs, again.n, again.method) == (first.pairs, first.n, first.method)
    assert find_twins(samples, cache=cache) == again
    assert judged == [10, 10]


def test_changed_images_groups_and_methods_are_judged_anew(
    folder: Path, tmp_path: Path, judged: list[int], texture: Texture, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, cache = read_folder(folder), tmp_path / "cache"
    find_twins(samples, cache=cache)
    Image.fromarray(texture(77)).save(folder / "9.png")
    samples = read_folder(folder)
    find_twins(samples, cache=cache)
    assert judged == [10, 10]
    find_twins(
        Samples(samples.name, samples.task, tuple(replace(row, group="one") for row in samples.rows)), cache=cache
    )
    assert judged == [10] * 3
    assert find_twins(samples, cache=cache, exact=False).facts["exact"] is False
    assert judged == [10] * 4
    (folder / "9.png").unlink()
    samples = read_folder(folder)
    find_twins(samples, cache=cache)
    assert judged == [10] * 4 + [9]
    monkeypatch.setattr(verdict, "METHOD", "leak court of tomorrow")
    find_twins(samples, cache=cache)
    assert judged == [10] * 4 + [9, 9]
    assert len(list(cache.iterdir())) == len(judged)
