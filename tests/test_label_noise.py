"""The ceiling that label noise sets: cases by hand, a known noise is found again, the page says what was measured."""

from __future__ import annotations

import doctest
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from flawscope.evaluation.metrics import auroc
from flawscope.records import Pair, Sample, Samples, Task

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import judge_sisters
import label_noise
import label_noise_two
import make_noise_page
import noise_cells
import noise_sisters
import noise_statistics as noise

ROOT = Path(__file__).parents[1]
ENTRY = json.loads((ROOT / "benchmarks" / "results" / "label-noise.json").read_text(encoding="utf-8"))[-1]


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise_cells, "DRAWS", 100)


def cells(grades: list[int], kinds: list[int] | None = None, second: list[int] | None = None) -> noise_cells.Cells:
    n = len(grades)
    return noise_cells.Cells(
        np.array(grades), np.array(kinds or [1] * n), np.arange(n), np.array(second or [-1] * n)
    )  # fmt: skip


def pairs(*places: tuple[int, int]) -> noise_cells.Pairs:
    n = len(places)
    return noise_cells.Pairs(np.array(places), np.linspace(0.5, 0.9, n), np.ones(n, np.bool_))


def test_the_examples_of_the_statistics_are_right() -> None:
    found = doctest.testmod(noise)
    assert found.failed == 0
    assert found.attempted >= 10


@pytest.mark.parametrize("shape", [(0.2, 0.2), (1, 1), (5, 5), (0.5, 4)])
def test_the_best_rule_errs_between_the_two_bounds(shape: tuple[float, float]) -> None:
    chance_n = np.random.default_rng(0).beta(*shape, size=1000)
    disagreement = float(np.mean(2 * chance_n * (1 - chance_n)))
    error = 1 - noise.right_answers(chance_n)
    assert noise.least_error(disagreement) <= error <= noise.greatest_error(disagreement)


def test_the_bounds_are_reached() -> None:
    alike_n, few_n = np.array([0.1, 0.9, 0.9]), np.array([0.0, 1.0, 1.0, 0.5])
    assert noise.least_error(0.18) == pytest.approx(1 - noise.right_answers(alike_n))
    assert noise.greatest_error(0.5 / 4) == pytest.approx(1 - noise.right_answers(few_n))


def test_impossible_shares_are_refused() -> None:
    for call in (
        lambda: noise.least_error(1.5),
        lambda: noise.auroc_if_few(0.4, 0.3),
        lambda: noise.auroc_if_alike(0.6, 0.3),
    ):
        with pytest.raises(ValueError, match="got"):
            call()


def test_a_known_flip_rate_lies_in_its_interval_in_about_95_of_100_repetitions() -> None:
    rng, wrong, covered, widths = np.random.default_rng(3), 0.1, 0, []
    cluster_n = np.repeat(np.arange(80), np.arange(80) % 3 + 2)
    beside = [(a, b) for a in range(len(cluster_n)) for b in range(a) if cluster_n[a] == cluster_n[b]]
    for _ in range(100):
        truth_n = rng.integers(2, size=80)[cluster_n]
        label_n = truth_n ^ (rng.random(len(cluster_n)) < wrong)
        found = noise_sisters.opposite(cells((3 * label_n).tolist()), pairs(*beside), cluster_n)
        low, high = (noise.least_error(end) for end in found["rate"][1:])
        covered += low <= wrong <= high
        widths.append(high - low)
    assert 90 <= covered <= 99
    assert 0.03 < np.mean(widths) < 0.1


def test_no_noise_is_found_where_there_is_none_but_never_for_certain() -> None:
    found = noise_sisters.opposite(cells([3, 3, 0, 0]), pairs((0, 1), (2, 3)))
    assert found["rate"][0] == 0
    assert found["rate"][2] > 0.3


def test_opposite_labels_count_each_cell_once() -> None:
    # Cell 0 has three sisters, one of them opposite; each of these has only cell 0.
    found = noise_sisters.opposite(cells([0, 1, 2, 0]), pairs((0, 1), (0, 2), (3, 0)))
    assert (found["pairs"], found["opposite"], found["cells"]) == (3, 1, 4)
    assert found["rate"][0] == pytest.approx((1 / 3 + 0 + 1 + 0) / 4, abs=1e-4)


def test_how_often_a_sister_is_called_defective_by_grade() -> None:
    grades = cells([0, 0, 1, 3, 3, 2])
    by_grade = noise_sisters.other_is_defective(grades, pairs((0, 1), (0, 3), (2, 4), (5, 4)))
    assert [(each["cells"], each["rate"][0]) for each in by_grade] == [(2, 0.25), (1, 1.0), (1, 1.0), (2, 0.25)]


def test_a_second_reading_that_agrees_of_sure_cells_tells_the_unsure_ones_apart() -> None:
    # Of the sure cells the second reader finds what is there; of 1/3 one of four, of 2/3 three of four.
    grades = [0] * 8 + [3] * 8 + [1] * 4 + [2] * 4
    second = [0] * 8 + [1] * 8 + [1, 0, 0, 0] + [1, 1, 1, 0]
    found = label_noise.second_reading(cells(grades, [0, 1] * 12, second))
    assert [each["chance"] and each["chance"][0] for each in found["grades"]] == [None, 0.25, 0.75, None]
    assert found["agreement"][0] == pytest.approx(22 / 24, abs=1e-4)
    assert found["right"][0] == pytest.approx(1 - (4 + 4) * 0.25 / 24, abs=1e-4)


def test_the_expected_auroc_is_the_mean_over_drawn_labels() -> None:
    rng = np.random.default_rng(0)
    chance_n = rng.choice([0, 1 / 3, 2 / 3, 1], size=600, p=[0.5, 0.15, 0.1, 0.25])
    drawn = [auroc(rng.random(600) < chance_n, chance_n) for _ in range(200)]
    assert noise.expected_auroc(chance_n) == pytest.approx(np.mean(drawn), abs=0.001)


def test_a_module_photographed_twice_is_told_from_sisters_side_by_side() -> None:
    side_by_side = [(n, n + 1) for n in range(30)]
    again = [(100 + n, 400 + n) for n in range(25)]
    torn = [(200 + n, 900 + n) for n in range(25) if n != 10]
    found = noise.in_a_run(np.array([*side_by_side, *again[::-1], *torn]), 20)
    assert found.tolist() == [False] * 30 + [True] * 25 + [False] * 24


def test_the_reviewers_sample_holds_both_kinds_mixed() -> None:
    grades = cells([3, 0] * 120 + [0, 0] * 80)
    some = pairs(*((2 * n, 2 * n + 1) for n in range(200)))
    chosen = judge_sisters.sample(some, grades.defective_n)
    opposite = [bool(grades.defective_n[a] != grades.defective_n[b]) for a, b in chosen]
    assert (sum(opposite), len(opposite)) == (judge_sisters.OPPOSITE, judge_sisters.OPPOSITE + judge_sisters.SAME)
    assert len({tuple(sorted(pair)) for pair in chosen.tolist()}) == len(opposite)
    assert opposite != sorted(opposite), "mixed"


def test_every_pair_of_the_sample_is_judged() -> None:
    judged = json.loads((ROOT / "benchmarks" / "judged-sisters.json").read_text(encoding="utf-8"))
    assert len(judged) == judge_sisters.OPPOSITE + judge_sisters.SAME
    assert {said for _, _, said in judged} == {"first", "second", "alike"}
    assert ENTRY["sisters"]["looked_at"]["opposite"] == judge_sisters.OPPOSITE


def test_the_page_and_the_readme_state_what_was_measured() -> None:
    page = " ".join((ROOT / "docs" / "label-noise.md").read_text(encoding="utf-8").split())
    said = make_noise_page.said(ENTRY)
    assert len(said) > 12
    for words in said:
        assert " ".join(words.split()) in page, "run: python docs/make_noise_page.py"
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert make_noise_page.in_short(ENTRY) in readme


def test_the_ceiling_is_that_of_the_roads() -> None:
    roads = [ENTRY["stated"]["road"], ENTRY["labelled_twice"]["road"]]
    roads.append(ENTRY["sisters"]["reweighted"]["all, mono taken to be like poly"]["road"])
    assert label_noise.ceiling(dict(enumerate(roads))) == ENTRY["ceiling"]
    for road in roads:
        for key, values in road.items():
            assert values[1] < values[0] < values[2], key


def test_the_figure_is_drawn(tmp_path: Path) -> None:
    make_noise_page.figure(tmp_path / "x.png", ENTRY)
    assert (tmp_path / "x.png").stat().st_size > 5000


def test_pairs_that_show_a_flaw_in_both_or_in_one() -> None:
    labels = {"a": (1.0, 0.0), "b": (1.0, 1.0), "c": (0.0, 0.0), "d": (0.0, 0.0)}
    rows = tuple(Sample(id, id, target, id, id) for id, target in labels.items())
    samples = Samples("cells", Task("multilabel", ("crack", "inactive"), "ok"), rows)
    pairs = [Pair(first, second, "sister", 0.9) for first, second in ("ab", "bc", "bd", "cd")]
    found = label_noise_two.counted(samples, pairs)
    assert found["pairs"] == 4
    assert (found["classes"]["crack"]["both"], found["classes"]["crack"]["one_alone"]) == (1, 2)
    assert (found["classes"]["inactive"]["both"], found["classes"]["inactive"]["one_alone"]) == (0, 3)
    value, low, high, hits, n = found["classes"]["crack"]["opposite_where_shown"]
    assert (hits, n) == (2, 3) and low < value < high
    assert label_noise_two.counted(samples, pairs[3:])["classes"]["crack"]["opposite_where_shown"] is None
