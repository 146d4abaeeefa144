"""Two runs on the same images, against hand-computed cases, a bootstrap written plainly, and simulations."""

from __future__ import annotations

import math
from importlib import import_module
from itertools import product

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

from flawscope.evaluation.intervals import difference_interval
from flawscope.evaluation.paired import MEASURES, Answers, answers, differences, mcnemar, sign_flip
from flawscope.records import Interval, Task

BINARY = Task("binary", ("bad",))
THREE = Task("multiclass", ("a", "b", "c"))
TWO = Task("multilabel", ("crack", "hole"))


def invented(
    seed: int, n: int = 120, groups: int = 30, gain: float = 0.0
) -> tuple[np.ndarray, list[np.ndarray], list[str]]:
    """Targets, probabilities of two runs (the second better by `gain`), and groups that are harder or easier."""
    random = np.random.default_rng(seed)
    group_n = np.arange(n) * groups // n
    truth_n = (random.random(n) < 0.4).astype(float)
    hard_n = random.normal(0, 0.6, groups)[group_n] + random.normal(0, 0.7, n)
    sides = 2 * truth_n - 1
    scores = [1 / (1 + np.exp(-(sides * (0.7 + more + hard_n) + random.normal(0, 0.5, n)))) for more in (0.0, gain)]
    return truth_n[:, None], [score_n[:, None] for score_n in scores], [str(each) for each in group_n]


def pair(seed: int, draws: int = 200, **how: float) -> tuple[Answers, Answers]:
    target_nk, scores, groups = invented(seed, **how)  # type: ignore[arg-type]
    first, second = (answers(BINARY, target_nk, p_nk, p_nk >= 0.5, groups, draws=draws) for p_nk in scores)
    return first, second


def test_values_are_those_of_scikit_learn() -> None:
    target_nk, (p_nk, _), groups = invented(1)
    made = answers(BINARY, target_nk, p_nk, p_nk >= 0.5, groups, draws=5)
    true, flag = target_nk[:, 0], p_nk[:, 0] >= 0.5
    wanted = [
        np.mean(true == flag), recall_score(true, flag), precision_score(true, flag),
        recall_score(true, flag, pos_label=0), f1_score(true, flag), roc_auc_score(true, p_nk),
        average_precision_score(true, p_nk),
    ]  # fmt: skip
    assert made.value["bad"] == pytest.approx(wanted)


def test_the_difference_is_a_bootstrap_over_groups_with_the_same_draws_for_both() -> None:
    """Written plainly: the same draws of groups, scikit-learn's measures, Hesterberg's widened tails."""
    target_nk, scores, groups = invented(2, n=90, groups=30, gain=0.3)
    first, second = (answers(BINARY, target_nk, p_nk, p_nk >= 0.5, groups, seed=7, draws=60) for p_nk in scores)
    found = {each.measure: each for each in differences(first, second)}
    random, names = np.random.default_rng(7), np.unique(groups)
    drawn = []
    for _ in range(60):
        chosen = [names[i] for i in random.integers(30, size=30)]
        index = np.concatenate([np.flatnonzero(np.array(groups) == name) for name in chosen])
        drawn.append(np.subtract(*(roc_auc_score(target_nk[index, 0], p_nk[index, 0]) for p_nk in reversed(scores))))
    positive, negative = (len({g for g, t in zip(groups, target_nk[:, 0], strict=True) if t == k}) for k in (1, 0))
    units = min(positive, negative)
    tail = stats.norm.sf(math.sqrt(units / (units - 1)) * stats.t.isf(0.025, units - 1))
    auroc = found["AUROC"]
    assert auroc.difference.value == pytest.approx(np.subtract(*(roc_auc_score(target_nk, p) for p in scores[::-1])))
    ends = (auroc.difference.low, auroc.difference.high)
    assert ends == pytest.approx(np.quantile(drawn, [tail, 1 - tail]))
    assert auroc.baseline.value == pytest.approx(roc_auc_score(target_nk, scores[0]))
    assert set(found) == set(MEASURES)


def test_equal_runs_cover_zero_as_often_as_the_interval_says_and_a_better_one_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(import_module("flawscope.evaluation.measure"), "DRAWS", 10)  # only differences are looked at
    covered = {"accuracy": 0, "AUROC": 0}
    rounds = 50
    for seed in range(rounds):
        for each in differences(*pair(seed, draws=120)):
            if each.measure in covered:
                covered[each.measure] += not each.apart
    assert all(0.87 * rounds <= count for count in covered.values()), covered  # 0.95, less four standard errors
    better = {each.measure: each for each in differences(*pair(3, n=400, groups=80, gain=1.5))}
    assert better["AUROC"].difference.low > 0.0
    assert better["accuracy"].difference.low > 0.0


def test_the_paired_interval_is_narrower_than_the_two_side_by_side() -> None:
    each = next(each for each in differences(*pair(5, n=300, groups=60, gain=0.2)) if each.measure == "AUROC")
    width = each.difference.high - each.difference.low
    assert width < (each.baseline.high - each.baseline.low) + (each.other.high - each.other.low)


@pytest.mark.parametrize("groups", [1, 2, 12, 30])
def test_two_runs_that_agree_fully_have_no_interval_of_zero_width(groups: int) -> None:
    target_nk, (p_nk, _), names = invented(4, groups=groups)
    made = answers(BINARY, target_nk, p_nk, p_nk >= 0.5, names, draws=50)
    for each in differences(made, made):
        assert each.difference.value == 0
        assert each.difference.low < -0.01
        assert each.difference.high > 0.01
        assert ("fewer than 20 groups" in each.difference.note) or groups in (1, 30)
        assert not each.apart


def test_few_changed_decisions_are_said_and_prove_nothing() -> None:
    """Three images in three of 40 groups, all in favour of one side: McNemar's p is 0.25."""
    target_nk, (p_nk, _), names = invented(6, n=80, groups=40)
    wrong = np.flatnonzero((p_nk >= 0.5)[:, 0] != (target_nk[:, 0] == 1))
    mended = [next(i for i in wrong if names[i] == name) for name in list(dict.fromkeys(names[i] for i in wrong))[:3]]
    flag_nk = p_nk >= 0.5
    flag_nk[mended] = ~flag_nk[mended]
    first, second = (answers(BINARY, target_nk, p_nk, flags, names, draws=300) for flags in (p_nk >= 0.5, flag_nk))
    accuracy = differences(first, second)[0]
    assert accuracy.difference.value == pytest.approx(3 / 80)
    assert not accuracy.apart
    assert "the decisions differ in fewer than 20 groups (3): rough" in accuracy.difference.note
    assert mcnemar(first.right_n, second.right_n, names).p_groups == 0.25


def test_several_classes_have_means_over_those_that_both_define() -> None:
    random = np.random.default_rng(0)
    target_nk = np.eye(3)[random.integers(0, 3, 60)]
    scores = [np.clip(target_nk * 0.3 + random.random((60, 3)) * 0.6, 0, 1) for _ in range(2)]
    flags = [np.eye(3, dtype=bool)[p_nk.argmax(axis=1)] for p_nk in scores]
    flags[1] = np.eye(3, dtype=bool)[np.where(scores[1].argmax(axis=1) == 2, 0, scores[1].argmax(axis=1))]
    groups = [str(i // 2) for i in range(60)]
    first, second = (answers(THREE, target_nk, *both, groups, draws=50) for both in zip(scores, flags, strict=True))
    found = {(each.class_name, each.measure): each for each in differences(first, second)}
    assert ("c", "precision") not in found  # the second run never says c
    mean = found["", "mean precision"]
    for made, end in ((first, mean.baseline), (second, mean.other)):
        assert end.value == pytest.approx(np.mean([made.value[name][2] for name in "ab"]))
    overall = found["", "accuracy"]
    gain = np.mean(flags[1][target_nk == 1]) - np.mean(flags[0][target_nk == 1])
    assert overall.difference.value == pytest.approx(gain)
    multi = answers(TWO, target_nk[:, :2], scores[0][:, :2], scores[0][:, :2] >= 0.5, groups, draws=20)
    assert differences(multi, multi)[0].measure == "exact match"


def test_mcnemar_by_hand() -> None:
    """One image against eight: 2 (C(9,0) + C(9,1)) / 2^9 = 20 / 512."""
    first = np.array([True] * 5 + [True] + [False] * 8 + [False] * 3)
    second = np.array([True] * 5 + [False] + [True] * 8 + [False] * 3)
    found = mcnemar(first, second, np.arange(17))
    assert (found.both_right, found.baseline_only, found.other_only, found.both_wrong) == (5, 1, 8, 3)
    assert found.p_images == pytest.approx(20 / 512)
    assert found.p_groups == pytest.approx(20 / 512)
    assert (found.groups, found.groups_differing) == (17, 9)


def test_images_of_one_group_are_not_so_many_witnesses() -> None:
    """Eight images of one group in favour: independent images would prove it (p 0.008), one group proves nothing."""
    found = mcnemar(np.zeros(10, dtype=bool), np.array([True] * 8 + [False] * 2), ["a"] * 8 + ["b", "c"])
    assert found.p_images == pytest.approx(2 / 2**8)
    assert found.p_groups == 1.0
    assert "fewer than 6 cannot reach 0.05" in found.note
    assert mcnemar(np.ones(3, dtype=bool), np.ones(3, dtype=bool), [1, 2, 3]).p_images == 1.0


@pytest.mark.parametrize("gain", [[3, -1, 2], [1, 1, 1, 1, -4, 2, 0], [5], [-2, -2, -3, 1, 1, 6, 2, -1]])
def test_sign_flips_are_all_counted(gain: list[int]) -> None:
    seen = abs(sum(gain))
    totals = [abs(sum(np.multiply(signs, gain))) for signs in product((-1, 1), repeat=len(gain))]
    assert sign_flip(np.array(gain)) == pytest.approx(np.mean([total >= seen for total in totals]))


def test_what_does_not_fit_is_refused() -> None:
    first, _ = pair(1, draws=5)
    _, second = pair(2, draws=5)
    with pytest.raises(ValueError, match="the same samples"):
        differences(first, second)
    with pytest.raises(ValueError, match="of the same samples"):
        mcnemar(np.ones(3, dtype=bool), np.ones(4, dtype=bool), [1, 2, 3])


def test_a_difference_keeps_the_level_of_its_ends() -> None:
    ends = [Interval(0.5, 0.4, 0.6, 0.9), Interval(0.4, 0.3, 0.5, 0.9)]
    drawn_d = np.random.default_rng(0).normal(0.1, 0.02, 500)
    found = difference_interval(ends[0], ends[1], drawn_d, range(40))
    assert (found.level, found.value) == (0.9, pytest.approx(0.1))
    assert found.low < 0.08
    assert found.high > 0.12
