from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from flawscope.probability import calibrate, odds_against_rest

IDENTITY = ((0.0, 0.0), (1.0, 1.0))


def test_flat_ends_stay_flat() -> None:
    table = ((-3, -2), (-2, -2), (1, 4), (2, 4))
    got = calibrate("binary", [table], [[-1e30], [-2.5], [-0.5], [1.5], [1e30]])
    np.testing.assert_allclose(got[:, 0], expit([-2, -2, 1, 4, 4]), rtol=1e-12)


def test_odds_against_the_rest_are_those_of_the_softmax() -> None:
    logit_nk = np.random.default_rng(0).normal(0, 5, (20, 4))
    probability_nk = softmax(logit_nk, axis=1)
    np.testing.assert_allclose(odds_against_rest(logit_nk), np.log(probability_nk / (1 - probability_nk)), rtol=1e-9)
    np.testing.assert_allclose(odds_against_rest(logit_nk + 100), odds_against_rest(logit_nk), rtol=1e-9)


def test_identity_against_the_rest_is_the_softmax_by_another_way() -> None:
    logit_nk = np.random.default_rng(1).normal(0, 3, (50, 5))
    got = calibrate("multiclass", [IDENTITY] * 5, logit_nk, against_rest=True)
    np.testing.assert_allclose(got, softmax(logit_nk, axis=1), rtol=1e-9)


def test_against_the_rest_by_hand() -> None:
    tables = [((0, 1), (1, 2)), IDENTITY]  # the first class is held one more likely
    got = calibrate("multiclass", tables, [[2.0, 0.0]], against_rest=True)
    first, second = expit(3.0), expit(-2.0)
    np.testing.assert_allclose(got, [[first / (first + second), second / (first + second)]])


@given(st.lists(st.floats(-1e30, 1e30), min_size=2, max_size=6))
def test_probabilities_of_exclusive_classes_always_sum_to_one(values: list[float]) -> None:
    got = calibrate("multiclass", [IDENTITY] * len(values), [values], against_rest=True)
    assert np.isfinite(got).all()
    assert got.sum() == pytest.approx(1)
