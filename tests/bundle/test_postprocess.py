from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawscope.bundle.postprocess import answers, calibrate, decide, three_answers
from flawscope.records import Task

IDENTITY = ((0.0, 0.0), (1.0, 1.0))


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_identity_is_the_plain_sigmoid() -> None:
    got = calibrate("binary", [IDENTITY], [[-2.0], [0.0], [0.25], [3.0]])
    np.testing.assert_allclose(got[:, 0], [sigmoid(v) for v in (-2, 0, 0.25, 3)], rtol=1e-15)


def test_temperature_and_platt_tables() -> None:
    temperature, platt = ((0, 0), (1, 1 / 2.5)), ((0, -0.5), (1, 3.0 - 0.5))
    got = calibrate("multilabel", [temperature, platt], [[4.0, -1.5], [-7.0, 2.0]])
    expected = [[sigmoid(4 / 2.5), sigmoid(3 * -1.5 - 0.5)], [sigmoid(-7 / 2.5), sigmoid(3 * 2.0 - 0.5)]]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_a_table_is_linear_between_and_beyond_its_knots() -> None:
    table = ((-1.0, -2.0), (0.0, 0.0), (2.0, 1.0))
    got = calibrate("binary", [table], [[-3.0], [-1.0], [-0.5], [0.0], [1.0], [2.0], [6.0]])
    np.testing.assert_allclose(got[:, 0], [sigmoid(v) for v in (-6, -2, -1, 0, 0.5, 1, 3)], rtol=1e-12)


def test_softmax_by_hand_and_far_out() -> None:
    e = math.e
    got = calibrate("multiclass", [IDENTITY] * 3, [[0.0, 1.0, 2.0], [1e4, -1e4, 0.0]])
    np.testing.assert_allclose(got[0], np.array([1, e, e * e]) / (1 + e + e * e), rtol=1e-12)
    assert got[1].tolist() == [1.0, 0.0, 0.0]


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=20), st.sampled_from(["binary", "multiclass"]))
def test_probabilities_are_finite_in_bounds_and_rise_with_the_logit(values: list[float], kind: str) -> None:
    values.sort()
    if kind == "binary":
        got = calibrate("binary", [((0, 0), (1, 0.5))], [[v] for v in values])
        assert (np.diff(got[:, 0]) >= 0).all()
    else:
        got = calibrate("multiclass", [IDENTITY] * len(values), [values])
        assert got.sum() == pytest.approx(1)
    assert ((got >= 0) & (got <= 1)).all()


def test_a_threshold_is_reached_at_equality() -> None:
    assert decide("binary", [0.4], [[0.4], [0.39999]]).tolist() == [[True], [False]]
    assert decide("multilabel", [0.5, 0.9], [[0.5, 0.89], [0.1, 1.0]]).tolist() == [[True, False], [False, True]]


def test_multiclass_takes_exactly_one() -> None:
    probability_nk = [[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.0, 0.0, 0.0]]
    assert decide("multiclass", [0.5, 0.5, 0.5], probability_nk).argmax(axis=1).tolist() == [0, 0, 0]
    assert decide("multiclass", [1.0, 0.5, 0.1], probability_nk).argmax(axis=1).tolist() == [2, 2, 0]
    assert decide("multiclass", [1.0, 0.5, 0.1], probability_nk).sum(axis=1).tolist() == [1, 1, 1]


def test_answers_in_words() -> None:
    both = answers(Task("multilabel", ("crack", "inactive"), "ok"), [[True, True], [False, False]])
    assert [each.label for each in both] == ["crack + inactive", "ok"]
    assert [each.label for each in answers(Task("multiclass", ("a", "b")), [[False, True]])] == ["b"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: calibrate("binary", [IDENTITY], [[1.0, 2.0]]), r"shape \(n, 1\), got \(1, 2\)"),
        (lambda: decide("multilabel", [0.5, 0.5], [0.1, 0.2]), r"shape \(n, 2\), got \(2,\)"),
        (lambda: decide("binary", [0.0], [[0.1]]), r"lie in \(0, 1\]"),
        (lambda: decide("binary", [float("nan")], [[0.1]]), r"lie in \(0, 1\]"),
    ],
)
def test_shapes_and_ranges_are_checked(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_three_answers_by_hand() -> None:
    task = Task("multilabel", ("crack", "inactive"), "good")
    rows = [[0.9, 0.3], [0.2, 0.3], [0.05, 0.3], [0.05, 0.1], [0.8, 0.1], [0.2, 0.1]]
    made = three_answers(task, (0.8, 0.5), (0.1, 0.2), rows)
    assert [(each.flags, each.label, each.unsure, each.human) for each in made] == [
        ((True, False), "crack", (False, True), False),
        ((False, False), "human", (True, True), True),
        ((False, False), "human", (False, True), True),
        ((False, False), "good", (), False),
        ((True, False), "crack", (), False),
        ((False, False), "human", (True, False), True),
    ]
    assert three_answers(task, (0.8, 0.5), (), rows) == answers(task, decide("multilabel", (0.8, 0.5), rows))
    with pytest.raises(ValueError, match="can have the thresholds"):
        three_answers(task, (0.8, 0.5), (0.9, 0.2), rows)
