"""Which right decisions are shown because they were nearly others, and what their heat map is asked."""

from __future__ import annotations

import pytest

from flawscope.bundle.postprocess import answers, decide
from flawscope.bundle.rules import DecisionRule
from flawscope.records import Prediction, Sample, Task
from flawscope.steps.uncertain import uncertain

BINARY = Task("binary", ("nok",), "ok")
MULTICLASS = Task("multiclass", ("ok", "a", "b"), "ok")
MULTILABEL = Task("multilabel", ("a", "b"), "ok")


@pytest.mark.parametrize(
    ("task", "probability", "thresholds", "near", "asked"),
    [
        (BINARY, (0.18,), (0.2,), 0.9, "nok"),  # as a share of what lies below the threshold
        (BINARY, (0.28,), (0.2,), 0.9, "nok"),  # and of what lies above it
        (BINARY, (0.05,), (0.2,), None, ""),
        (MULTILABEL, (0.95, 0.4), (0.5, 0.5), 0.8, "b"),  # the nearer one
        (MULTICLASS, (0.5, 0.45, 0.05), (0.5, 0.5, 0.5), 0.9, "a"),  # what it was nearly called
        (MULTICLASS, (0.05, 0.45, 0.5), (0.5, 0.5, 0.5), 0.9, "b"),
        (MULTICLASS, (0.6, 0.3, 0.1), (0.5, 0.25, 0.5), 1.0, "a"),  # weighed by the thresholds
        (MULTICLASS, (0.9, 0.05, 0.05), (0.5, 0.5, 0.5), None, ""),
    ],
)
def test_what_was_nearly_decided_otherwise(
    task: Task, probability: tuple[float, ...], thresholds: tuple[float, ...], near: float | None, asked: str
) -> None:
    decision = answers(task, decide(task.kind, thresholds, [probability]))[0]
    prediction = Prediction("a.png", (), probability, decision)
    rule = DecisionRule(rule="fixed", thresholds=thresholds)
    target = tuple(float(flag) for flag in decision.flags)
    found = uncertain(task, Sample("a.png", "a.png", target, "g", "h"), prediction, rule)
    if near is None:
        assert found is None
        return
    assert found is not None and found[0] == pytest.approx(near)
    assert (found[1].asked, found[1].kind, found[1].decided) == (asked, "close", decision.label)
