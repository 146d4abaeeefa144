"""What was decided rightly, but only just: the pictures of a report that come after its mistakes."""

from __future__ import annotations

from flawscope.bundle.rules import DecisionRule
from flawscope.inspection.verdict import odds
from flawscope.pages.report import Picture
from flawscope.records import Prediction, Sample, Task

SHOWN = 6
FAR = 0.5
"""From here on nothing is uncertain: half as far from another answer as can be."""


def uncertain(task: Task, sample: Sample, prediction: Prediction, rule: DecisionRule) -> tuple[float, Picture] | None:
    """How near another answer was (1: as near as can be), and the picture; None if it was not near.

    Classes that are decided one by one: how far the probability of the nearest one lies from its threshold, as a share
    of how far it could. Classes that exclude each other: how much less the second one weighs than the first.
    """
    assert prediction.decision is not None
    chosen, far = _nearest(task, prediction.probability, rule.thresholds)
    if far >= FAR:
        return None
    flaws = [task.classes[k] for k in chosen if task.classes[k] != task.negative]
    return 1 - far, Picture(
        image=sample.path,
        name=sample.id,
        true=task.describe(sample.target),
        decided=prediction.decision.label,
        kind="close",
        odds=odds(task, rule.thresholds, prediction.probability, chosen, rule.looked_at),
        asked=flaws[0],
    )


def _nearest(task: Task, probability: tuple[float, ...], thresholds: tuple[float, ...]) -> tuple[list[int], float]:
    """The classes between which it stood, and how far it was from the other answer, 0 to 1."""
    if task.kind == "multiclass":
        weight_k = [p / t for p, t in zip(probability, thresholds, strict=True)]
        first, second = sorted(range(len(weight_k)), key=lambda k: -weight_k[k])[:2]
        return [first, second], 1 - weight_k[second] / max(weight_k[first], 1e-12)
    far_k = [
        (p - t) / max(1 - t, 1e-9) if p >= t else (t - p) / t for p, t in zip(probability, thresholds, strict=True)
    ]
    k = far_k.index(min(far_k))
    return [k], far_k[k]
