"""The escape contract in worlds with known truth, in small: benchmarks/contract_simulation.py draws more."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import contract_simulation
import contract_worlds as worlds
from contract_worlds import Design
from flawscope.evaluation.contract import escape_contract

DRAWS = 200
MOST = stats.binom.ppf(0.999, DRAWS, 0.05) / DRAWS
"""So many broken promises would still be chance, if 5 % of them were broken."""


@pytest.mark.parametrize(
    "design",
    [
        Design("alike", 0.0, 100, 1, False, 0.5),
        Design("alike", 0.6, 14, 15, True, 0.5, 0.25),
        Design("tails", 0.5, 100, 5, False, 0.5),
        Design("mixed", 0.15, 30, 10, True, 0.2, 0.15),
        Design("rare", 0.3, 14, 15, False, 0.5, 0.25),
        Design("rare", 0.06, 300, 2, False, 0.5),
    ],
    ids=lambda design: design.name,
)
def test_counting_groups_keeps_the_promise_in_every_world(design: Design) -> None:
    found = contract_simulation.measured(design, ["groups"], DRAWS)["groups"]
    assert found["promised"] > 0.9  # an empty promise would be no proof
    assert found["broken"][0] <= MOST


def test_counting_by_likeness_keeps_it_where_nothing_fails_as_a_whole() -> None:
    for design in (Design("alike", 0.1, 30, 10, False, 0.5), Design("tails", 0.1, 100, 5, True, 0.5)):
        found = contract_simulation.measured(design, ["effective"], DRAWS)["effective"]
        assert found["promised"] > 0.5
        assert found["broken"][0] <= MOST


def test_the_simulation_can_find_a_broken_promise() -> None:
    """Parts taken as independent though whole groups fail: what the other ways of counting are there for."""
    design = Design("rare", 0.06, 30, 10, False, 0.5)
    found = contract_simulation.measured(design, ["independent", "effective", "groups"], 100)
    assert found["independent"]["broken"][1] > 0.05
    assert found["effective"]["broken"][0] > found["groups"]["broken"][0] == 0
    assert found["groups"]["promised"] == 0


@pytest.mark.parametrize("world", ["alike", "tails", "mixed", "rare"])
def test_the_truth_of_each_world_is_that_of_what_is_drawn(world: worlds.World) -> None:
    design, random = Design(world, 0.2, 4000, 5, False, 0.5), np.random.default_rng(0)
    drawn = worlds.draw(design, random)
    bad_n = drawn.truth_n == 1
    for latent in (-2.0, 0.0, 1.0):
        assert np.mean(drawn.score_n[bad_n] < expit(latent)) == pytest.approx(
            worlds.escape_rate(design, latent), abs=0.03
        )
        assert np.mean(drawn.score_n[~bad_n] >= expit(latent)) == pytest.approx(worlds.overkill_rate(latent), abs=0.02)


def test_uneven_groups_have_the_same_mean_size() -> None:
    size_g = worlds.sizes(Design("alike", 0.0, 20000, 15, True, 0.5), np.random.default_rng(1))
    assert size_g.mean() == pytest.approx(15, rel=0.05)
    assert size_g.min() >= 1
    assert size_g.max() > 200


def test_the_best_promise_of_too_few_parts_holds_as_well() -> None:
    for design in (Design("alike", 0.0, 60, 1, False, 0.5, 0.02), Design("rare", 0.2, 14, 15, False, 0.5, 0.1)):
        found = contract_simulation.measured(design, ["groups"], DRAWS)["groups"]
        assert found["promised"] == 0
        assert found["bound_broken"] <= MOST


@pytest.mark.parametrize(("n", "prevalence", "most"), [(164, 0.5, 0.05), (100, 0.9, 0.1)])
def test_the_interval_of_the_overkill_covers_the_truth(n: int, prevalence: float, most: float) -> None:
    """Though the threshold is moved into a gap of the good scores of the same calibration part."""
    design, random, missed = Design("alike", 0.0, n, 1, False, prevalence, most), np.random.default_rng(2), 0
    for _ in range(DRAWS):
        drawn = worlds.draw(design, random)
        contract = escape_contract(drawn.score_n, drawn.truth_n, drawn.group_n, max_escape=most)
        assert contract.overkill is not None
        missed += not contract.overkill.low <= worlds.truth_of(design, contract)[1] <= contract.overkill.high
    assert missed <= MOST * DRAWS
