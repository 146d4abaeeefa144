"""The decision by costs of a task, against one class at a time, worlds with known truth, and what cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from flawscope.errors import RecipeError
from flawscope.evaluation.bands import Chosen, check_task, fit_bands, measured_costs
from flawscope.evaluation.cost_words import saving_words
from flawscope.evaluation.costs import Costs, cheapest, cost_curve, fit_band, measured
from flawscope.records import Task

BINARY = Task("binary", ("bad",), "ok")
TWO = Task("multilabel", ("crack", "inactive"), "good")
COSTS = Costs(escape=100, overkill=10, review=2, prevalence=0.02)


def world(n: int, share: float, seed: int = 0, k: int = 1) -> tuple[Any, Any, list[str]]:
    """Normal scores, 0 for good and 3 for bad, as the probability that is true where `share` are bad."""
    rng = np.random.default_rng(seed)
    target_nk = (rng.random((n, k)) < share).astype(float)
    x_nk = rng.normal(3 * target_nk)
    return expit(3 * x_nk - 4.5 + np.log(share / (1 - share))), target_nk, [str(i) for i in range(n)]


def true_cost(low: float, high: float, share: float, costs: Costs) -> float:
    """What a part costs in that world, by the normal distribution."""
    at = [(np.log(t / (1 - t)) + 4.5 - np.log(share / (1 - share))) / 3 for t in (low, high)]
    good, bad = [norm.cdf(x) for x in at], [norm.cdf(x - 3) for x in at]
    look, pi = costs.review or 0.0, costs.prevalence or share
    of_bad = costs.escape * bad[0] + look * (bad[1] - bad[0])
    return float(pi * of_bad + (1 - pi) * (costs.overkill * (1 - good[1]) + look * (good[1] - good[0])))


def test_each_class_is_decided_as_if_it_were_alone() -> None:
    probability_nk, target_nk, groups = world(300, 0.3, k=2)
    found = fit_bands(TWO, probability_nk, target_nk, groups, COSTS)
    for c in range(2):
        band = fit_band(probability_nk[:, c], target_nk[:, c] == 1, groups, COSTS)
        assert band is not None
        assert (found.looked_at[c], found.thresholds[c], found.each[c].band) == (band.low, band.high, band)
        score_n, truth_n = probability_nk[:, c], target_nk[:, c] == 1
        assert found.each[c].single == cheapest(score_n, truth_n, replace(COSTS, review=None))[0]
        assert min(cost_curve(score_n, truth_n, COSTS)["cost"]) == pytest.approx(band.cost_without_review)


def test_the_share_at_the_line_is_corrected_for() -> None:
    """Whether 10 or 60 % of the data are bad: at the line the decision costs what the best one would, and says so."""
    for share in (0.1, 0.6):
        low, high = COSTS.bayes()
        odds = share / (1 - share) / (0.02 / 0.98)
        best = true_cost(*(t * odds / (t * odds + 1 - t) for t in (low, high)), share, COSTS)
        found = fit_bands(BINARY, *world(6000, share, seed=1), COSTS)
        reached = true_cost(found.looked_at[0], found.thresholds[0], share, COSTS)
        assert best <= reached < 1.15 * best
        assert found.each[0].band is not None
        assert found.each[0].band.cost.value == pytest.approx(reached, rel=0.25)


def test_what_is_said_of_other_parts_holds_the_truth_as_often_as_it_says() -> None:
    found = fit_bands(BINARY, *world(2000, 0.3, seed=5), COSTS).each[0]
    truth = true_cost(found.low, found.high, 0.3, COSTS)
    held = 0
    for seed in range(30):
        probability_nk, target_nk, groups = world(600, 0.3, seed=100 + seed)
        human_n = (probability_nk[:, 0] >= found.low) & (probability_nk[:, 0] < found.high)
        chosen = Chosen(found.costs, found.low, found.high, found.single)
        made = measured_costs(BINARY, probability_nk, target_nk, groups, human_n=human_n, chosen_k=[chosen])
        assert made["person"]["value"] == pytest.approx(human_n.mean())
        cost = made["classes"]["bad"]["cost"]
        held += cost["low"] <= truth <= cost["high"]
    assert held >= 24  # of 30: 95 % less simulation error, and few escapes


@pytest.mark.parametrize("kind", [0.0, 1.0])
def test_one_kind_of_parts_only_is_answered_in_words(kind: float) -> None:
    found = fit_bands(BINARY, np.array([[0.2], [0.8]]), np.full((2, 1), kind), ["a", "b"], COSTS)
    assert (found.thresholds, found.looked_at, found.each[0].band) == ((0.5,), (), None)
    assert f"holds no {'ok' if kind else 'bad'} images" in found.each[0].words[0]


def test_the_words_say_where_the_parts_are_from_and_one_is_one() -> None:
    said = fit_bands(
        BINARY, np.array([[0.2], [0.8]]), np.array([[0.0], [1.0]]), ["a", "b"], COSTS, where="the new"
    ).each[0]
    words = " ".join(said.words)
    assert "measured on 1 bad image and 1 ok image of the new, which chose" in words
    assert "50 % bad in the new" in words
    assert "calibration" not in words
    none = fit_bands(BINARY, np.array([[0.2]]), np.array([[0.0]]), ["a"], COSTS, where="the new").each[0]
    assert none.words[0].startswith("NOT CHOSEN BY COSTS: the new holds no bad images")
    rare = fit_bands(BINARY, *world(300, 0.3), replace(COSTS, prevalence=1e-7)).each[0]
    assert any("0.00001 % bad at the line" in words for words in rare.words)


def test_no_parts_at_all() -> None:
    found = fit_bands(BINARY, np.empty((0, 1)), np.empty((0, 1)), [], COSTS)
    assert (found.thresholds, found.looked_at) == ((0.5,), ())


def test_one_class_without_defects_beside_one_with() -> None:
    probability_nk, target_nk, groups = world(300, 0.3, k=2)
    target_nk[:, 1] = 0
    found = fit_bands(TWO, probability_nk, target_nk, groups, COSTS)
    assert found.looked_at[0] < found.thresholds[0]
    assert (found.looked_at[1], found.thresholds[1]) == (0.5, 0.5)
    assert "holds no images with inactive" in found.each[1].words[0]


def test_a_look_that_does_not_pay_is_explained() -> None:
    dear = fit_bands(BINARY, *world(300, 0.3), Costs(100, 10, 9.5))
    assert dear.looked_at == ()
    assert any("would have to cost less than 9.1" in words for words in dear.each[0].words)
    useless = fit_bands(BINARY, np.array([[0.5]] * 4), np.array([[0.0], [1], [0], [1]]), list("abcd"), Costs(10, 10))
    assert any("THE NETWORK SAVES NOTHING" in words for words in useless.each[0].words)


def test_a_decision_that_is_worth_no_network_is_called_so() -> None:
    """Of noise, what other parts say; the cheapest rule without it is found by hand."""
    costs = Costs(100, 10, 2, 0.02)  # all pass: 2, all rejected: 9.8, all looked at: 2
    said = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        target_nk = (random.random((200, 1)) < 0.3).astype(float)
        groups = list(map(str, range(200)))
        chosen = Chosen(costs, 0.3, 0.8, 0.5)
        nobody_n = np.zeros(200, dtype=bool)
        made = measured_costs(BINARY, random.random((200, 1)), target_nk, groups, human_n=nobody_n, chosen_k=[chosen])
        said.append(made["classes"]["bad"]["saving"])
    assert all("costs 2.0." in words for words in said)
    assert (
        sum(words.startswith("THE NETWORK SAVES NOTHING at these costs: with it a part costs") for words in said) > 30
    )
    probability_nk, target_nk, groups = world(600, 0.3)
    found = fit_bands(BINARY, probability_nk, target_nk, groups, costs).each[0]
    assert not any("SAVES" in words for words in found.words)
    assert measured_costs(
        BINARY, probability_nk, target_nk, groups, human_n=np.zeros(600, dtype=bool),
        chosen_k=[Chosen(costs, found.low, found.high, found.single)],
    )["classes"]["bad"]["saving"] == ""  # fmt: skip


def test_a_band_that_sends_all_to_a_person_and_one_that_is_not_known_to_pay() -> None:
    random = np.random.default_rng(0)
    bad_n = np.arange(200) < 60
    score_n, groups = random.random(200), list(range(200))
    all_of_them = measured(score_n, bad_n, groups, Costs(100, 100, 1), (0.0, 1.0))
    assert all_of_them is not None and all_of_them.review.value == 1
    assert saving_words(all_of_them) == "THE NETWORK SAVES NOTHING: every part is for a person, so it decides none."
    dear = measured(score_n, bad_n, groups, Costs(100, 10, 50, 0.02), (0.0, 1.0))
    assert dear is not None
    assert saving_words(dear).endswith("so it decides none, and letting all pass costs 2.0.")
    few = measured(score_n, bad_n, groups, Costs(10, 10, None, 0.5), (0.3, 0.3))
    assert few is not None
    best, low, high = 5.0, few.cost.low, few.cost.high
    assert low < best < high
    expected = "NOT SHOWN THAT" if few.cost.value < best else "THE NETWORK SAVES NOTHING at these costs"
    assert saving_words(few).startswith(expected)
    assert saving_words(replace(few, cost=replace(few.cost, value=4.99))).startswith("NOT SHOWN THAT")
    assert saving_words(replace(few, cost=replace(few.cost, value=4.5, low=4.2, high=4.99))) == ""
    assert saving_words(replace(few, cost=replace(few.cost, value=4.5, low=4.2, high=5.0))) != ""


def test_tasks_that_cannot_be() -> None:
    with pytest.raises(RecipeError, match="learn good against bad"):
        check_task(Task("multiclass", ("ok", "dent"), "ok"), COSTS)
    for task in (Task("binary", ("human",)), Task("binary", ("bad",), "human")):
        with pytest.raises(RecipeError, match="give the class another name"):
            check_task(task, COSTS)
        check_task(task, replace(COSTS, review=None))
