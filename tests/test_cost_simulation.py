"""The simulations of costs and of calibration in small: benchmarks/cost_simulation.py and others draw more."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import contract_mapie
import cost_simulation
import cost_worlds as worlds
import entries
import reliability_simulation
from contract_worlds import Design
from cost_worlds import Line
from flawscope.evaluation.costs import Costs, cheapest

DRAWS = 60
LEAST = stats.binom.ppf(0.001, DRAWS, 0.95) / DRAWS
"""So few intervals that hold the truth would still be chance, if 95 % did."""
LINES = {line.name: line for line in worlds.designs()}


def test_the_examples_are_right() -> None:
    for module, least in ((worlds, 4), (entries, 1), (reliability_simulation, 2)):
        found = doctest.testmod(module)
        assert (found.failed, found.attempted >= least) == (0, True)


def test_the_designs_differ_in_what_matters() -> None:
    lines = list(worlds.designs())
    assert len(lines) == len(LINES)
    assert {line.design.prevalence for line in lines} == set(worlds.SHARES)
    assert {line.prevalence for line in lines if line.together} == set(worlds.LINES)
    assert len({line.design.groups * line.design.size for line in lines}) >= 4


@pytest.mark.parametrize(
    "line",
    [
        Line(Design("alike", 0.3, 3000, 3, False, 0.2), True, 0.02),
        Line(Design("alike", 0.6, 3000, 3, True, 0.5), False, None),
        Line(Design("mixed", 0.1, 3000, 3, False, 0.5), False, 0.1),
    ],
    ids=lambda line: line.name,
)
def test_the_truth_is_that_of_what_is_drawn(line: Line) -> None:
    drawn = worlds.draw(line, np.random.default_rng(0))
    bad_n = drawn.truth_n == 1
    assert bad_n.mean() == pytest.approx(line.design.prevalence, abs=0.02)
    assert any(len(set(drawn.truth_n[drawn.group_n == code])) == 2 for code in range(20)) == line.together
    low, high, costs = expit(-2.0), expit(-1.0), Costs(line.escape, line.overkill, 1.0, 0.1)
    true = worlds.truth(line, costs, low, high)
    looked_n = (drawn.score_n >= low) & (drawn.score_n < high)
    assert np.mean(drawn.score_n[bad_n] < low) == pytest.approx(true.escape, abs=0.02)
    assert np.mean(drawn.score_n[~bad_n] >= high) == pytest.approx(true.overkill, abs=0.01)
    looked = 0.1 * looked_n[bad_n].mean() + 0.9 * looked_n[~bad_n].mean()
    assert looked == pytest.approx(true.review, abs=0.01)
    assert true.cost == pytest.approx(10 * true.escape + 9 * true.overkill + true.review)


@pytest.mark.parametrize("review", [None, 1.0])
def test_nobody_decides_cheaper_than_who_knows_the_truth(review: float | None) -> None:
    line, costs = Line(Design("alike", 0.0, 20_000, 1, False, 0.5), False, 0.1), Costs(100, 10, review, 0.1)
    drawn, least = worlds.draw(line, np.random.default_rng(1)), worlds.least(line, costs)
    found = worlds.truth(line, costs, *cheapest(drawn.score_n, drawn.truth_n == 1, costs)).cost
    assert least - 1e-4 <= found <= 1.05 * least


def test_intervals_of_cost_and_review_load_hold_on_new_parts() -> None:
    for start in ("alike 0: 20 groups of 1, 50 %", "alike 0.3, together: 8 groups", "tails 0.5: 20 groups"):
        (line,) = (line for name, line in LINES.items() if name.startswith(start))
        found = cost_simulation.simulate(line, DRAWS)
        for answers in worlds.ANSWERS:
            held = found[answers]["held"]
            assert held["cost"]["share"][0] >= LEAST
            assert ("review" in held) == (answers == "three answers")
            assert "review" not in held or held["review"]["share"][0] >= LEAST
            assert found[answers]["optimism"] < 0.9  # on the parts that chose them thresholds look too good
            assert found[answers]["regret"] > 0


def test_what_a_draw_says_is_compared_with_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interval that is far too low is found out, and so is a saving that is none."""
    line = LINES["alike 0: 60 groups of 1, 50 % defective; as many at the line"]
    drawn = worlds.draw(line, np.random.default_rng(0))
    costs = Costs(100, 10, None, 0.5)
    band = cost_simulation.measured(drawn.score_n, drawn.truth_n == 1, drawn.group_n, costs, (0.15, 0.15))
    assert band is not None
    right = cost_simulation.compared(line, costs, band, band)
    assert (right["cost"], right["saves"], right["said_wrongly"], right["surely"]) == (0, True, False, True)
    monkeypatch.setattr(cost_simulation, "truth", lambda *_: worlds.Truth(6.0, 0.0, 0.0, 0.0))
    wrong = cost_simulation.compared(line, costs, band, band)
    assert (wrong["cost"], wrong["saves"], wrong["said_wrongly"], wrong["surely_wrongly"]) == (1, False, True, True)


def test_intervals_of_calibration_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    case = reliability_simulation.Case("twice too sure", 300, 3, 0.5)
    truth_n, said_n, right_n, _ = reliability_simulation.draw(
        reliability_simulation.Case("twice too sure", 300_000, 3, 0.5), np.random.default_rng(0)
    )
    assert truth_n.mean() == pytest.approx(right_n.mean(), abs=0.005)
    true = reliability_simulation.expected("twice too sure")
    assert np.mean((said_n - truth_n) ** 2) == pytest.approx(true["Brier score"], abs=0.003)
    assert np.mean(-np.log(np.where(truth_n, said_n, 1 - said_n))) == pytest.approx(true["log loss"], abs=0.01)
    found = reliability_simulation.simulate(case, DRAWS)
    assert all(each["held"][0] >= LEAST for each in found["measures"].values())
    monkeypatch.setattr(reliability_simulation, "expected", lambda curve: {"Brier score": 0.9, "log loss": 0.1})
    other = reliability_simulation.simulate(case, 5)["measures"]
    assert other["Brier score"]["held"][0] == other["log loss"]["held"][0] == 0


def test_a_stopped_simulation_goes_on_but_only_with_the_same_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "ROOT", tmp_path)
    monkeypatch.setattr(entries, "code_version", lambda: "0.1 (commit abc)")
    made: list[str] = []

    def make(job: str) -> dict[str, Any]:
        if job == "stop":
            raise KeyboardInterrupt
        made.append(job)
        return {"job": job}

    with pytest.raises(KeyboardInterrupt):
        entries.one_by_one("x", {"draws": 3}, ["a", "stop"], make)
    assert entries.one_by_one("x", {"draws": 3}, ["a", "b"], make) == [{"job": "a"}, {"job": "b"}]
    assert made == ["a", "b"]
    entries.one_by_one("x", {"draws": 4}, ["a"], make)
    monkeypatch.setattr(entries, "code_version", lambda: "0.1 (commit abc+)")
    for _ in range(2):
        entries.one_by_one("x", {"draws": 4}, ["a"], make)
    assert made == ["a", "b", "a", "a", "a"]


def test_thresholds_that_reject_the_same_parts_are_alike() -> None:
    drawn = contract_mapie.Drawn(np.array([0.2, 0.5, 0.6]), np.array([0, 1, 0]), np.arange(3))
    assert contract_mapie.alike(drawn, 0.1, 0.3)
    assert not contract_mapie.alike(drawn, 0.1, -5.0)
    assert contract_mapie.alike(drawn, -np.inf, -5.0)
