"""Scores against `evaluation.measure`, which computes them another way; ranks and the ladder by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from flawscope.challenge.labels import Labels
from flawscope.challenge.ranking import MEASURES, Entry, Score, difference, ladder, ranked, scored, shift
from flawscope.challenge.spec import Challenge, PartFacts
from flawscope.evaluation.measure import measure
from flawscope.records import BoolArray, FloatArray, Interval

N = 240


@dataclass(frozen=True)
class Said:
    """A stand-in for the answers of a judged bundle."""

    scores_nk: FloatArray
    decided_nk: BoolArray


CLASSES = {"binary": ("bad",), "multilabel": ("crack", "hole"), "multiclass": ("ok", "crack", "hole")}
PART = PartFacts(images=N, groups=N // 4, hash="0" * 64)


def challenge(kind: Any, metric: Any, pass_mark: float = 0.6) -> Challenge:
    opens = datetime(2027, 1, 1, tzinfo=UTC)
    return Challenge(
        name="cells", title="Cells", kind=kind, classes=CLASSES[kind], negative="good", metric=metric,
        pass_mark=pass_mark, opens=opens, deadline=opens + timedelta(60), daily=5, ladder_step=0.01, seed=1,
        parts={"training": PART, "public": PART, "private": PART},
    )  # fmt: skip


def truth(asked: Challenge, seed: int = 0) -> Labels:
    k = len(asked.classes)
    random = np.random.default_rng(seed)
    truth_nk = random.random((N, k)) < 0.3
    if asked.kind == "multiclass":
        truth_nk = random.integers(k, size=N)[:, None] == np.arange(k)
    return Labels(tuple(map(str, range(N))), tuple(f"g{i // 4}" for i in range(N)), truth_nk)


def answers(labels: Labels, kind: str, noise: float, seed: int = 1) -> Said:
    scores_nk = (
        0.5 + 0.25 * (labels.truth_nk - 0.5) + np.random.default_rng(seed).normal(0, noise, labels.truth_nk.shape)
    )
    scores_nk = np.clip(scores_nk, 0, 1)
    decided_nk = scores_nk >= 0.5
    if kind == "multiclass":
        decided_nk = scores_nk.argmax(axis=1)[:, None] == np.arange(scores_nk.shape[1])
    return Said(scores_nk, decided_nk)


def measured(asked: Challenge, labels: Labels, said: Said) -> dict[str, Any]:
    return measure(
        asked.task, labels.truth_nk.astype(float), said.scores_nk, said.decided_nk, labels.groups, thresholds=None
    )


@pytest.mark.parametrize("kind", ["binary", "multilabel", "multiclass"])
@pytest.mark.parametrize(
    ("metric", "name"), [("mean_f1", "F1"), ("mean_auroc", "AUROC"), ("mean_average_precision", "average precision")]
)
def test_score_and_interval_are_those_of_the_report(kind: str, metric: str, name: str) -> None:
    asked = challenge(kind, metric)
    labels = truth(asked)
    said = answers(labels, kind, 0.15)
    found = scored(asked, labels, said)
    other = measured(asked, labels, said)
    expected = other["classes"]["bad"]["measures"][name] if kind == "binary" else other["means"][f"mean {name}"]
    assert [found.metric.value, found.metric.low, found.metric.high] == pytest.approx(
        [expected["value"], expected["low"], expected["high"]], abs=1e-12
    )
    for each, row in found.classes.items():
        for key in MEASURES:
            assert row[key].as_dict() == pytest.approx(other["classes"][each]["measures"][key]), (each, key)  # type: ignore[union-attr]


def test_accuracy_is_the_share_of_images_with_every_label_right() -> None:
    asked = challenge("multilabel", "accuracy", pass_mark=0.5)
    labels = truth(asked)
    said = answers(labels, "multilabel", 0.15)
    found = scored(asked, labels, said)
    assert found.metric.value == pytest.approx((labels.truth_nk == said.decided_nk).all(axis=1).mean())
    assert (found.passed, found.surely) == (found.metric.value >= 0.5, found.metric.low >= 0.5)
    assert found.as_dict()["classes"]["crack"]["recall"]["value"] == found.classes["crack"]["recall"].value  # type: ignore[union-attr]


def test_what_was_never_called_has_no_precision() -> None:
    asked = challenge("binary", "mean_f1")
    labels = truth(asked)
    silent = Said(np.zeros((N, 1)), np.zeros((N, 1), np.bool_))
    found = scored(asked, labels, silent)
    assert found.classes["bad"]["precision"] is None
    assert found.metric.value == 0
    assert found.metric.low < found.metric.high
    assert not found.passed


def test_answers_that_do_not_fit_are_refused() -> None:
    asked = challenge("multiclass", "mean_f1")
    labels = truth(asked)
    good = answers(labels, "multiclass", 0.1)
    for said in (
        Said(good.scores_nk[:-1], good.decided_nk[:-1]),
        Said(np.full_like(good.scores_nk, np.nan), good.decided_nk),
        Said(good.scores_nk, np.ones_like(good.decided_nk)),
    ):
        with pytest.raises(ValueError, match=r"expected|finite|exactly one"):
            scored(asked, labels, said)


def scores(*noises: float, kind: str = "multilabel", metric: str = "mean_f1") -> list[Score]:
    asked = challenge(kind, metric)
    labels = truth(asked)
    return [scored(asked, labels, answers(labels, kind, noise, seed)) for seed, noise in enumerate(noises, 10)]


@pytest.mark.parametrize("metric", ["mean_f1", "accuracy", "mean_auroc"])
def test_equal_ones_share_a_rank_and_worse_ones_come_after(metric: str) -> None:
    good, alike, bad = scores(0.1, 0.1, 0.4, metric=metric)
    found = ranked([Entry("bad", bad), Entry("good", good), Entry("alike", alike), Entry("same", good)])
    assert {each.name: (each.rank, each.worst, each.shared) for each in found} == {
        "good": (1, 3, True), "alike": (1, 3, True), "same": (1, 3, True), "bad": (4, 4, False),
    }  # fmt: skip
    assert found[-1].name == "bad"
    assert set(found[-1].beaten_by) == {"good", "alike", "same"}
    assert found[0].beats == ("bad",)


def test_equal_answers_cannot_be_told_apart() -> None:
    (one,) = scores(0.15)
    found = difference(one, one)
    assert (found.value, found.low < 0 < found.high) == (0, True)


def wrong_in(groups: int) -> Score:
    """An entry that is wrong about the first image of so many groups, and right about all others."""
    asked = challenge("binary", "accuracy")
    labels = truth(asked)
    decided_nk = labels.truth_nk.copy()
    decided_nk[: 4 * groups : 4] ^= True
    return scored(asked, labels, Said(decided_nk.astype(float), decided_nk))


def test_where_no_order_keeps_all_pairs_together_nobody_better_means_first() -> None:
    """A is better than C; B can be told from neither: it shares the rank of A."""
    found = ranked([Entry("a", wrong_in(0)), Entry("b", wrong_in(3)), Entry("c", wrong_in(6))])
    assert [(each.name, each.rank, each.worst) for each in found] == [("a", 1, 2), ("b", 1, 3), ("c", 2, 3)]
    assert (found[2].beaten_by, found[1].beaten_by) == (("a",), ())


def test_entries_need_names_and_the_same_images() -> None:
    (one,) = scores(0.15)
    with pytest.raises(ValueError, match="a name of its own"):
        ranked([Entry("a", one), Entry("a", one)])
    asked = challenge("multilabel", "mean_f1")
    labels = truth(asked)
    short = Labels(labels.files[:100], labels.groups[:100], labels.truth_nk[:100])
    other = scored(asked, short, answers(short, "multilabel", 0.15))
    with pytest.raises(ValueError, match="the same images"):
        ranked([Entry("a", one), Entry("b", other)])


def test_two_of_equal_worth_are_told_apart_in_about_one_of_twenty_comparisons() -> None:
    asked = challenge("multilabel", "mean_f1")
    apart = 0
    for seed in range(100):
        labels = truth(asked, seed)
        pair = [
            scored(asked, labels, answers(labels, "multilabel", 0.2, 1000 * who + seed), draws=200) for who in (1, 2)
        ]
        found = difference(*pair)
        apart += not found.low <= 0 <= found.high
    assert apart <= 12  # 5 are expected; 13 or more of 100 come up in one of 1,000 runs


def test_the_ladder_moves_by_steps_and_only_upwards() -> None:
    shown: float | None = None
    seen = []
    for new in (0.70, 0.704, 0.709, 0.7101, 0.69, 0.80, 0.81, 0.8101, 1.0):
        shown = ladder(shown, new, 0.01)
        seen.append(shown)
    assert seen == [0.7, 0.7, 0.7, 0.71, 0.71, 0.8, 0.8, 0.81, 1.0]
    assert [ladder(0.7, new, 0) for new in (0.6, 0.7001)] == [0.7, 0.7001]
    with pytest.raises(ValueError, match="a score in"):
        ladder(None, 1.2, 0.01)


def test_a_shift_of_independent_parts_is_as_wide_as_both_together() -> None:
    one = Interval(0.5, 0.4, 0.6, n=100, groups=50)
    found = shift(one, one)
    assert (found.value, found.groups) == (0, 100)
    assert (found.low, found.high) == pytest.approx((-(0.02**0.5), 0.02**0.5))
