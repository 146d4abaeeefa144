"""The escape contract: numbers known from elsewhere, its guarantee counted out, and every odd calibration part.

n defective parts, g groups.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flawscope.evaluation.contract import curve, effective_number, escape_contract
from flawscope.evaluation.intervals import proportion
from flawscope.evaluation.parts_bound import PartsPassed, groups_needed
from flawscope.evaluation.plan import best_promise, defects_needed


def only_bad(score_n, groups=None, **asked):
    """The contract of defective parts alone: no good part moves the threshold."""
    n = len(score_n)
    return escape_contract(score_n, np.ones(n), range(n) if groups is None else groups, **asked)


def test_how_many_faultless_parts_prove_a_rate() -> None:
    rates = (0.01, 0.005, 0.02, 0.0, 1e-11)
    assert [only_bad([0.5], max_escape=most).needed for most in rates] == [299, 598, 149, None, None]
    assert best_promise(164) == pytest.approx(0.018, abs=2e-4)
    assert best_promise(299) <= 0.01 < best_promise(298)
    assert best_promise(598) <= 0.005 < best_promise(597)
    exact = stats.binomtest(3, 200, alternative="less").proportion_ci(0.95, method="exact").high
    assert best_promise(200, escapes=3) == pytest.approx(exact)


@pytest.mark.parametrize(("n", "most", "kept"), [(164, 0.018, False), (298, 0.01, False), (299, 0.01, True),
                                                 (597, 0.005, False), (598, 0.005, True)])  # fmt: skip
def test_a_promise_is_kept_from_the_number_on_that_proves_it(n: int, most: float, kept: bool) -> None:
    found = only_bad(np.linspace(0.2, 0.9, n), max_escape=most)
    assert (found.kept, found.escapes) == (kept, 0)
    assert found.bound == pytest.approx(1 - 0.05 ** (1 / n))
    assert found.reached == pytest.approx(1 - (1 - most) ** n)
    assert found.more == (None if kept else defects_needed(most) - n)


@given(
    st.integers(1, 400), st.sampled_from([0.01, 0.02, 0.05, 0.2, 0.5]), st.sampled_from([0.8, 0.95, 0.99]),
    st.integers(0, 9),
)  # fmt: skip
def test_it_is_the_order_statistic_of_wilks(n: int, most: float, confidence: float, seed: int) -> None:
    score_n = np.random.default_rng(seed).uniform(0.01, 1, n)
    found = only_bad(score_n, max_escape=most, confidence=confidence)
    allowed = [k for k in range(1, n + 1) if stats.binom.cdf(k - 1, n, most) <= 1 - confidence]
    assert found.kept == bool(allowed)
    k = max(allowed, default=1)
    assert found.threshold == np.sort(score_n)[k - 1]
    assert found.escapes == k - 1
    assert found.bound == pytest.approx(stats.beta.ppf(confidence, k, n - k + 1))


@pytest.mark.parametrize("share", [(0.1, 0.2, 0.7), (0.02, 0.1, 0.88), (0.3, 0.05, 0.65)])
@pytest.mark.parametrize("n", [5, 14, 25])
def test_the_guarantee_counted_out_for_scores_with_ties(share: tuple[float, ...], n: int) -> None:
    """Every calibration part that there can be, of three scores, with its probability."""
    below = np.append(0, np.cumsum(share)[:-1])  # the true escape rate at each of the scores
    for most, confidence in ((0.12, 0.95), (0.31, 0.8), (0.05, 0.9)):
        broken = 0.0
        for first, second in itertools.product(range(n + 1), repeat=2):
            counts = (first, second, n - first - second)
            if counts[2] >= 0:
                found = only_bad(np.repeat([0.2, 0.5, 0.8], counts), max_escape=most, confidence=confidence)
                rate = below[[0.2, 0.5, 0.8].index(found.threshold)]
                broken += float(found.kept and rate > most) * stats.multinomial.pmf(counts, n, share)
        assert broken <= 1 - confidence


def test_good_parts_choose_among_what_is_proven() -> None:
    bad, good = np.linspace(0.5, 1, 59), np.array([0.1, 0.2, 0.3, 0.9])
    found = escape_contract(np.append(bad, good), np.arange(63) < 59, range(63), max_escape=0.05)
    assert found.threshold == pytest.approx(0.4)  # in the middle of the gap between 0.3 and 0.5
    assert found.overkill == proportion(good >= 0.4, range(4))
    assert found.overkill_unproven == 0.25
    # Two may pass of 124, but lower down lies a gap at which as few good parts are rejected and none passes.
    bad = np.linspace(0.5, 1, 124)
    assert only_bad(bad, max_escape=0.05).escapes == 2
    found = escape_contract(np.append(bad, good), np.arange(128) < 124, range(128), max_escape=0.05)
    assert (found.escapes, found.threshold) == (0, pytest.approx(0.4))
    # The bound stays that of the choice: it is not made better by looking.
    assert found.bound == pytest.approx(best_promise(124, escapes=2))


def test_the_price_is_overkill_beyond_what_was_only_measured() -> None:
    bad, good = np.linspace(0.1, 1, 100), np.linspace(0, 0.5, 101)
    found = escape_contract(np.append(bad, good), np.arange(201) < 100, range(201), max_escape=0.05)
    assert found.overkill is not None
    assert found.overkill.value == np.mean(good >= np.sort(bad)[1])
    assert found.overkill_unproven == np.mean(good >= np.sort(bad)[5])


@pytest.mark.parametrize("units", ["groups", "parts", "effective"])
def test_odd_calibration_parts_get_an_answer(units) -> None:
    def contract(bad, good=(), most=0.02, **more):
        score_n = np.array([*bad, *good], dtype=float)
        return escape_contract(
            score_n, np.arange(len(score_n)) < len(bad), range(len(score_n)), max_escape=most, units=units, **more
        )

    none = contract([], [0.2, 0.7])
    assert (none.kept, none.threshold, none.bound, none.reached, none.more) == (False, 0.5, 1.0, 0.0, 149)
    assert none.overkill is not None
    only = contract([0.4] * 200)
    assert (only.kept, only.threshold, only.overkill, only.overkill_unproven) == (True, 0.4, None, None)
    ten = contract([0.1 * i for i in range(1, 11)], [0.05], most=0.0)
    assert (ten.kept, ten.escapes, ten.needed, ten.more, ten.reached) == (False, 0, None, None, 0.0)
    assert ten.bound == pytest.approx(1 - 0.05**0.1)
    alike = contract([0.5] * 300, [0.5] * 10)
    assert (alike.kept, alike.threshold, alike.escapes) == (True, 0.5, 0)
    assert alike.overkill is not None
    assert alike.overkill.value == 1
    zero = contract([0.0] * 300, [0.0])
    assert (zero.kept, zero.bound, zero.escapes, zero.threshold) == (False, 1.0, 300, 0.5)
    # A score of 0 is never rejected: it passes whatever the threshold is.
    some = contract([0.0] * 2 + [0.5] * 298, most=0.05)
    assert (some.kept, some.escapes, some.threshold) == (True, 2, 0.5)
    assert some.bound == pytest.approx(best_promise(300, escapes=2))
    nothing = escape_contract([], [], [], max_escape=0.1, units=units)
    assert (nothing.kept, nothing.positives, nothing.overkill) == (False, 0, None)
    assert contract([1.0] * 100).threshold == 1.0
    assert math.isfinite(contract([0.3], [0.1]).bound)


def test_what_cannot_be_is_refused() -> None:
    for bad in ({"max_escape": 1.0}, {"max_escape": -0.1}, {"max_escape": 0.1, "confidence": 1.0}):
        with pytest.raises(ValueError, match="expected max_escape"):
            escape_contract([0.5], [1], [0], **bad)
    with pytest.raises(ValueError, match="scores lie"):
        escape_contract([1.5], [1], [0], max_escape=0.1)
    with pytest.raises(ValueError, match="one truth and one group"):
        escape_contract([0.5], [1, 0], [0], max_escape=0.1)


# --- groups -----------------------------------------------------------------------------------------------------


def test_copies_of_a_part_prove_nothing_more() -> None:
    score_g = np.random.default_rng(0).uniform(0.1, 1, 70)
    alone, copied = (
        only_bad(score_g, max_escape=0.05),
        only_bad(np.repeat(score_g, 7), np.repeat(np.arange(70), 7), max_escape=0.05),
    )
    assert (copied.kept, copied.effective, copied.groups, copied.positives) == (True, 70, 70, 490)
    assert copied.threshold == alone.threshold
    assert copied.bound == pytest.approx(alone.bound)
    by_scores = only_bad(np.repeat(score_g, 7), np.repeat(np.arange(70), 7), max_escape=0.05, units="effective")
    assert by_scores.effective == pytest.approx(70)
    assert by_scores.threshold == alone.threshold


def test_a_group_that_passes_in_part_counts_in_part() -> None:
    """100 groups of 4; of some groups one part each passes, a quarter of the group."""

    def found(passing: int, most: float):
        score_n = np.full(400, 0.9)
        score_n[: 4 * passing : 4] = np.linspace(0.1, 0.2, passing)
        return only_bad(score_n, np.arange(400) // 4, max_escape=most)

    def hoeffding(share: float, rate: float) -> float:
        """By the formula: ((r / s)^s ((1 - r) / (1 - s))^(1 - s))^g."""
        return float(((rate / share) ** share * ((1 - rate) / (1 - share)) ** (1 - share)) ** 100)

    one = found(1, 0.05)
    assert hoeffding(0.0025, 0.05) <= 0.05 < 2 * stats.binom.cdf(1, 100, 0.05)
    assert (one.kept, one.threshold, one.escapes) == (True, 0.9, 1)
    assert hoeffding(0.0025, one.bound) == pytest.approx(0.05)
    assert one.reached == pytest.approx(1 - hoeffding(0.0025, 0.05))
    # Of a whole number of groups the Binomial is the sharper one, at twice its probability.
    two = found(8, 0.08)
    assert 2 * stats.binom.cdf(2, 100, 0.08) <= 0.05 < 2 * stats.binom.cdf(3, 100, 0.08)
    assert (two.kept, two.escapes) == (True, 8)
    assert two.bound == pytest.approx(best_promise(100, 0.975, 2))
    # None at all: exact.
    assert found(0, 0.05).bound == pytest.approx(1 - 0.05**0.01)


@pytest.mark.parametrize("g", [6, 30])
def test_shares_of_groups_counted_out(g: int) -> None:
    """Groups pass whole, half or not at all: every outcome with its probability, at the only threshold there is."""
    for whole, half in ((0.2, 0.3), (0.05, 0.4), (0.3, 0.02)):
        rate, broken = whole + half / 2, 0.0
        for a, b in itertools.product(range(g + 1), repeat=2):
            if a + b <= g:
                group_g = np.repeat([[0.1, 0.1], [0.1, 0.9], [0.9, 0.9]], [a, b, g - a - b], axis=0)
                found = only_bad(group_g.ravel(), np.repeat(np.arange(g), 2), max_escape=rate - 1e-6)
                false = found.kept and found.threshold == 0.9
                broken += float(false) * stats.multinomial.pmf([a, b, g - a - b], g, [whole, half, 1 - whole - half])
        assert broken <= 0.05


def test_where_nearly_all_groups_are_single_each_that_passes_counts_in_full() -> None:
    score_n = np.append(np.full(109, 0.9), 0.1)
    groups = np.append(np.arange(109), 108)  # the last two are a pair, one of which passes
    found = only_bad(score_n, groups, max_escape=0.06)
    assert (found.threshold, found.bound) == (0.9, pytest.approx(best_promise(109, escapes=1)))


def test_one_group_is_one_part() -> None:
    for units in ("groups", "effective"):
        found = only_bad(np.linspace(0.1, 1, 500), np.zeros(500), max_escape=0.02, units=units)
        assert (found.kept, found.effective, found.bound) == (False, 1.0, pytest.approx(0.95))
    found = only_bad(np.linspace(0.1, 1, 500), np.zeros(500), max_escape=0.02, units="parts")
    assert (found.kept, found.effective, found.largest) == (False, 1.0, 500)
    assert 0.95 < found.bound < 0.975


def test_the_effective_number_by_hand_for_groups_of_one_size() -> None:
    """The exact upper limit of the intraclass correlation (Searle, 1971): from F over the lower quantile of F."""
    random = np.random.default_rng(3)
    g, m = 25, 6
    score_gm = random.normal(size=(g, 1)) + random.normal(size=(g, m))
    normal_gm = stats.norm.ppf((stats.rankdata(score_gm).reshape(g, m) - 0.5) / (g * m))
    f_value = stats.f_oneway(*normal_gm).statistic / stats.f.ppf(0.1, g - 1, g * (m - 1))
    limit = (f_value - 1) / (f_value - 1 + m)
    found = effective_number(score_gm.ravel(), np.repeat(np.arange(g), m))
    assert found == pytest.approx(g * m / (1 + (m - 1) * limit))


def test_the_limit_of_the_correlation_covers_it_for_uneven_groups() -> None:
    random = np.random.default_rng(4)
    for true in (0.1, 0.5):
        above = 0
        for _ in range(200):
            size_g = random.integers(1, 20, 20)
            code_n = np.repeat(np.arange(20), size_g)
            score_n = math.sqrt(true) * random.normal(size=20)[code_n] + math.sqrt(1 - true) * random.normal(
                size=len(code_n)
            )
            mean_size = (size_g**2).sum() / size_g.sum()
            above += effective_number(score_n, code_n) <= len(code_n) / (1 + (mean_size - 1) * true)
        assert above >= stats.binom.ppf(0.001, 200, 0.87)


def test_escapes_that_come_together_count_for_less() -> None:
    """Scores of a group are not alike, but 4 of 5 escapes are in one group."""
    random = np.random.default_rng(5)
    score_n, groups = random.uniform(0.5, 1, 400), np.arange(400) // 10
    score_n[[0, 1, 2, 3, 50]] = 0.1
    found = only_bad(score_n, groups, max_escape=0.05, units="effective")
    assert found.effective < found.worth
    assert found.worth > 150


# --- all parts, each counted alike ------------------------------------------------------------------------------


def uneven(low: float):
    """94 groups of 2 parts and 6 of 40: 428 parts. Of the large ones each second part scores `low`."""
    score_n = np.concatenate([np.full(188, 0.9), np.tile([low, 0.9], 120)])
    return score_n, np.concatenate([np.repeat(np.arange(94), 2), np.repeat(np.arange(94, 100), 40)])


def test_of_all_parts_large_groups_count_for_more() -> None:
    score_n, groups = uneven(0.2)
    by_parts = only_bad(score_n, groups, max_escape=0.3, units="parts")
    # 28 % of the parts pass at 0.9: of groups 30 % is proven there, of all parts only at 0.2, where none passes.
    assert only_bad(score_n, groups, max_escape=0.3).threshold == 0.9
    assert (by_parts.kept, by_parts.threshold, by_parts.escapes) == (True, 0.2, 0)
    assert (by_parts.effective, by_parts.largest, by_parts.groups) == (428 / 40, 40, 100)
    assert by_parts.needed == by_parts.for_parts == groups_needed(np.bincount(groups), 0.3, 0.95) < 100
    seen = PartsPassed(np.zeros(100), np.bincount(groups))
    assert by_parts.bound == pytest.approx(seen.bound(0.95))
    assert by_parts.reached == pytest.approx(1 - seen.p(0.3))


def test_the_highest_threshold_that_is_proven_of_all_parts_is_taken() -> None:
    random = np.random.default_rng(7)
    size_g = random.integers(1, 6, 300)
    groups, score_n = np.repeat(np.arange(300), size_g), random.uniform(0.01, 1, size_g.sum())
    found = only_bad(score_n, groups, max_escape=0.1, units="parts")

    def p(threshold: float) -> float:
        return PartsPassed(np.bincount(groups, weights=score_n < threshold), size_g).p(0.1)

    at = np.sort(score_n)
    assert found.threshold == max(t for t in at if p(t) <= 0.05)
    assert found.escapes > 20
    assert found.escapes / len(score_n) < found.bound <= 0.1


@pytest.mark.parametrize("most", [0.05, 0.2])
def test_as_many_groups_as_are_lacking_prove_it_of_all_parts(most: float) -> None:
    size = [1, 2, 3, 20]
    few = only_bad(np.full(26, 0.9), np.repeat(range(4), size), max_escape=most, units="parts")
    assert not few.kept and few.needed is not None and few.more == few.needed - 4
    for rounds, kept in ((math.ceil(few.needed / 4), True), (few.needed // 4 - 1, False)):
        groups = np.repeat(range(4 * rounds), size * rounds)
        grown = only_bad(np.full(len(groups), 0.9), groups, max_escape=most, units="parts")
        assert (grown.kept, grown.needed) == (kept, few.needed)


def test_single_parts_are_counted_exactly_in_each_way() -> None:
    score_n = np.linspace(0.01, 1, 200)
    each = [only_bad(score_n, max_escape=0.05, units=units) for units in ("groups", "parts", "effective")]
    assert len({(found.threshold, round(found.bound, 12), found.needed, found.effective) for found in each}) == 1


# --- the picture ------------------------------------------------------------------------------------------------


def test_the_curve_agrees_with_the_contract() -> None:
    random = np.random.default_rng(6)
    truth_n = np.arange(900) < 300
    score_n = np.clip(random.normal(0.3, 0.1, 900) + 0.4 * truth_n, 0, 1)
    drawn = curve(score_n, truth_n, range(900))
    assert len(drawn["threshold"]) <= 200
    mark = escape_contract(score_n, truth_n, range(900), max_escape=0.05).threshold
    marked = curve(score_n, truth_n, range(900), mark=mark)
    at = marked["threshold"].index(mark)
    # What is drawn up to the next point is the value of that point: it must not be more than at the mark.
    assert marked["bound"][at] == marked["bound"][at + 1]
    assert marked["bound"][at] <= 0.05
    for t, escape, bound, overkill in zip(*drawn.values(), strict=True):
        assert escape == np.mean(score_n[truth_n] < t)
        assert overkill == np.mean(score_n[~truth_n] >= t)
        assert bound == pytest.approx(best_promise(300, escapes=int((score_n[truth_n] < t).sum())))
    assert curve([0.2], [False], [0]) == {}
    assert "overkill" not in curve([0.2], [True], [0])


def test_a_promise_that_its_own_parts_belie_is_not_made() -> None:
    """94 groups of 2 parts pass nothing, 6 groups of 40 pass half: 6 % of the groups in part, but 28 % of the parts."""
    score_n, groups = uneven(0.2)
    found = escape_contract(score_n, np.ones(428, dtype=bool), groups, max_escape=0.1)
    assert (found.kept, found.threshold, found.escapes) == (True, 0.2, 0)  # by groups alone 0.9 would be proven
    assert escape_contract(score_n, np.ones(428, dtype=bool), groups, max_escape=0.3).threshold == 0.9
    silent = escape_contract(np.where(score_n == 0.2, 0.0, score_n), np.ones(428, dtype=bool), groups, max_escape=0.1)
    assert not silent.kept
    assert silent.bound >= 120 / 428
