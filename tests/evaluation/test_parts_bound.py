"""The share of all parts, whole groups as units: the bets by their formula, and the guarantee counted out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flawscope.evaluation.parts_bound import SHARES, STAKES, PartsPassed, groups_needed
from flawscope.evaluation.plan import TooManyError, best_promise, defects_needed


def by_formula(passing: list[int], size: list[int], rate: float) -> float:
    """Each bet says that only the share q of the rate passes: W and lambda as in the paper."""
    gain, most = 0.0, max(size)
    for stake, q in zip(STAKES, SHARES, strict=True):
        bet, product = (1 - q) / (1 - rate), 1.0
        for x, s in zip(passing, size, strict=True):
            mean = (x + rate * (most - s)) / most
            assert 0 <= mean <= 1
            product *= max(0.0, 1 + bet * (rate - mean))
        gain += stake * product
    return 1.0 if gain < 1 else 1 / gain


@given(st.data(), st.sampled_from([0.01, 0.05, 0.2, 0.6, 0.95]))
def test_the_bets_by_their_formula_in_any_order(data: st.DataObject, rate: float) -> None:
    size = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=80))
    passing = [data.draw(st.integers(0, s)) if data.draw(st.integers(0, 9)) == 0 else 0 for s in size]
    if max(size) == 1:
        return
    found = PartsPassed(np.array(passing), np.array(size))
    assert found.p(rate) == pytest.approx(by_formula(passing, size, rate), rel=1e-9)
    turned = PartsPassed(np.array(passing[::-1]), np.array(size[::-1]))
    assert turned.p(rate) == pytest.approx(found.p(rate), rel=1e-9)


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), min_size=1, max_size=60))
def test_p_falls_with_the_rate_and_rises_with_what_passes_and_the_bound_is_where_it_crosses(
    group: list[tuple[int, int]],
) -> None:
    size_g = np.array([s for s, _ in group])
    passing_g = np.minimum([x for _, x in group], size_g)
    seen = PartsPassed(passing_g, size_g)
    rates = np.linspace(0.001, 0.999, 60)
    p = [seen.p(rate) for rate in rates]
    assert all(later <= sooner + 1e-12 for sooner, later in itertools.pairwise(p))
    fewer = PartsPassed(np.maximum(0, passing_g - 1), size_g)
    assert all(fewer.p(rate) <= each + 1e-12 for rate, each in zip(rates, p, strict=True))
    bound = seen.bound(0.95)
    assert passing_g.sum() / size_g.sum() <= bound <= 1
    if bound < 0.99:
        assert seen.p(bound) == pytest.approx(0.05)
    # Where as many pass as the rate says, or more, nothing is gained by any bet.
    share = min(0.999, max(1e-9, passing_g.sum() / size_g.sum()))
    assert seen.p(share) > 0.05 if size_g.max() == 1 else seen.p(share) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("g", [4, 30, 300])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.4])
def test_without_an_escape_it_is_the_binomial_but_for_the_stake(g: int, rate: float) -> None:
    alike = PartsPassed(np.zeros(g), np.full(g, 7)).p(rate)
    assert min(1, (1 - rate) ** g) <= alike <= min(1, 2 * (1 - rate) ** g)
    single = PartsPassed(np.zeros(g), np.ones(g, dtype=int))
    assert single.p(rate) == pytest.approx((1 - rate) ** g)
    assert single.bound(0.95) == pytest.approx(best_promise(g))
    assert PartsPassed(np.arange(g) < 2, np.ones(g, dtype=int)).p(rate) == pytest.approx(stats.binom.cdf(2, g, rate))


def test_none_and_all() -> None:
    none, some = np.zeros(0, dtype=int), np.array([1, 5, 9])
    assert (PartsPassed(none, none).p(0.1), PartsPassed(none, none).bound(0.95), PartsPassed(none, none).worth) == (
        1, 1, 0,
    )  # fmt: skip
    assert (PartsPassed(some, some).p(0.9), PartsPassed(some, some).bound(0.95)) == (1, 1)
    assert PartsPassed(np.zeros(5000), np.full(5000, 3)).p(0.99) == 0


@pytest.mark.parametrize("g", [5, 12])
@pytest.mark.parametrize("chance", [(0.6, 0.2, 0.15, 0.05), (0.3, 0.3, 0.2, 0.2), (0.85, 0.05, 0.02, 0.08)])
def test_the_guarantee_counted_out_for_groups_of_unequal_size(g: int, chance: tuple[float, ...]) -> None:
    """Every outcome with its probability: single parts that are caught or pass, groups of 6 of which half or all do."""
    size_k, passing_k = np.array([1, 1, 6, 6]), np.array([0, 1, 3, 6])
    rate = float(passing_k @ chance / (size_k @ chance))
    for confidence in (0.8, 0.95):
        broken = 0.0
        for count in itertools.product(range(g + 1), repeat=3):
            counts = (*count, g - sum(count))
            if counts[3] < 0 or counts[2] + counts[3] == 0:  # the largest group is among these: what it trusts
                continue
            seen = PartsPassed(np.repeat(passing_k, counts), np.repeat(size_k, counts))
            broken += float(seen.bound(confidence) < rate - 1e-9) * stats.multinomial.pmf(counts, g, chance)
        assert broken <= 1 - confidence


@pytest.mark.parametrize("size", [[3] * 4, [1, 1, 1, 1, 16], [2] * 47 + [40] * 3, [1] * 9])
@pytest.mark.parametrize("rate", [0.02, 0.2])
def test_so_many_groups_without_an_escape_prove_it_and_not_fewer(size: list[int], rate: float) -> None:
    needed = groups_needed(np.array(size), rate, 0.95)
    rounds = math.ceil(needed / len(size))
    enough = np.tile(size, rounds)
    assert PartsPassed(np.zeros(len(enough)), enough).p(rate) <= 0.05
    fewer = np.tile(size, rounds - 1)
    assert PartsPassed(np.zeros(len(fewer)), fewer).p(rate) > 0.05
    # At most so many times those of one size as the largest is larger than the mean, and never fewer than any test.
    scale = max(size) / np.mean(size)
    alike = groups_needed(np.full(3, max(size)), rate, 0.95)
    assert 3 * scale * (1 - rate) / rate - 1 <= needed <= math.ceil(alike * scale)
    assert defects_needed(rate) <= alike <= 1.25 * defects_needed(rate)


def test_too_many_groups_are_said_to_be_so() -> None:
    with pytest.raises(TooManyError):
        groups_needed(np.array([1, 1000]), 1e-8, 0.95)
