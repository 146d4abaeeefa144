"""The metrics document: everything that is reported about the decisions on one set of samples, with intervals.

Plain data for metrics.json and the pages. A measure that cannot be computed has a reason in words in place of a
number.

Shapes: n samples, k classes, m measures, d bootstrap draws, t points of a curve.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from flawscope.evaluation import metrics
from flawscope.evaluation.answer_words import answer_words
from flawscope.evaluation.intervals import (
    BOOTSTRAP,
    FEW_GROUPS,
    IndexArray,
    bootstrap_draws,
    bootstrap_interval,
    proportion,
)
from flawscope.evaluation.reliability import reliability
from flawscope.records import HUMAN, BoolArray, FloatArray, Interval, Task
from flawscope.wording import class_called, counted

SCHEMA = 1
CURVE_POINTS = 200
BINS = 20
DRAWS = 1000
NOTHING = "no image was measured"
REVIEW = "review load"
"""The share that is for a person, where there is that answer."""
HEADLINE = ("AUROC", "accuracy", "F1", "escape rate", "overkill rate", REVIEW)
SAMPLED = ("F1", "AUROC", "average precision")
"""The measures of a class whose intervals come from the bootstrap."""
AVERAGED = (
    "AUROC",
    "F1",
    "accuracy",
    "recall",
    "precision",
    "specificity",
    "average precision",
    "escape rate",
    "overkill rate",
)
"""The measures of which the mean over several classes is taken; the headline shows the first two."""

Intervals = dict[str, Interval]
Reasons = dict[str, str]


@dataclass(frozen=True)
class _Measured:
    """What is measured, and at which level of confidence; `three`: a person may be asked to look."""

    task: Task
    truth_nk: BoolArray
    probability_nk: FloatArray
    flag_nk: BoolArray
    unsure_nk: BoolArray
    three: bool
    group_n: IndexArray
    level: float

    @property
    def human_n(self) -> BoolArray:
        """Which samples are for a person."""
        return for_a_person(self.flag_nk, self.unsure_nk)


def measure(
    task: Task,
    target_nk: FloatArray,
    probability_nk: FloatArray,
    flag_nk: BoolArray,
    groups: Sequence[str],
    *,
    thresholds: Sequence[float] | None,
    unsure_nk: BoolArray | None = None,
    looked_at: Sequence[float] | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Any]:
    """Measure decisions and probabilities against the targets, each number with its interval.

    Targets >= 0.5 count as present; a multi-class sample belongs to its largest target, and each class is measured
    against the rest. Escape rate: the share of defective parts let through. Overkill rate: the share of good parts
    rejected. Proportions have Wilson intervals on the effective sample size, the others bootstrap intervals
    over `groups`; `seed` fixes the draws. A mean is over the classes for which the measure is defined.

    Three answers: `unsure_nk` says which classes are neither called nor ruled out; a sample of which no class is called
    and some is unsure is for a person. That is neither right nor wrong, neither escape nor overkill: the shares of the
    defective parts that are found (recall), let through (escape rate) and for a person make 1 together, and so do those
    of the good ones. Review load: the share for a person. `looked_at` are the thresholds from which a class is unsure.

    >>> target_nk = np.array([[0.0], [0], [1], [1]])
    >>> probability_nk = np.array([[0.1], [0.6], [0.7], [0.9]])
    >>> task = Task("binary", ("bad",))
    >>> document = measure(task, target_nk, probability_nk, probability_nk >= 0.5, list("abcd"), thresholds=[0.5])
    >>> document["confusion"]["matrix"], [round(entry["interval"]["value"], 2) for entry in document["headline"]]
    ([[1, 1], [0, 2]], [1.0, 0.75, 0.8, 0.0, 0.5])

    Raises:
        ValueError: the shapes do not fit, a probability lies outside [0, 1], a class is called and unsure, or a
            multi-class sample has not exactly one flag and is not for a person.
    """
    n, k = len(groups), len(task.classes)
    shapes = [array.shape for array in (target_nk, probability_nk, flag_nk)]
    if shapes != [(n, k)] * 3 or (thresholds is not None and len(thresholds) != k):
        raise ValueError(f"expected targets, probabilities and flags {n} x {k} and {k} thresholds, got {shapes}")
    if flag_nk.dtype != np.bool_ or not ((probability_nk >= 0) & (probability_nk <= 1)).all():
        raise ValueError("expected probabilities in [0, 1] and boolean flags")
    three = unsure_nk is not None
    unsure_nk = np.zeros_like(flag_nk) if unsure_nk is None else unsure_nk
    if unsure_nk.shape != (n, k) or unsure_nk.dtype != np.bool_ or (unsure_nk & flag_nk).any():
        raise ValueError("expected for each class whether it is unsure, and none that is called, too")
    if task.kind == "multiclass" and not (flag_nk.sum(axis=1) + unsure_nk.any(axis=1) == 1).all():
        raise ValueError("a multi-class decision has exactly one flag a sample, or is for a person")
    # As text alone: numpy would turn a mix of numbers and words into something else.
    group_n = np.unique([str(group) for group in groups], return_inverse=True)[1].astype(np.int64)
    truth_nk = metrics.truth(task.kind, target_nk)
    data = _Measured(task, truth_nk, probability_nk, flag_nk, unsure_nk, three, group_n, level)
    return _document(data, thresholds, looked_at, seed)


def for_a_person(flag_nk: BoolArray, unsure_nk: BoolArray) -> BoolArray:
    """Which samples are for a person: no class is called, and some is unsure."""
    return np.asarray(unsure_nk.any(axis=1) & ~flag_nk.any(axis=1))


def _document(
    data: _Measured, thresholds: Sequence[float] | None, looked_at: Sequence[float] | None, seed: int
) -> dict[str, Any]:
    task = data.task
    intervals_k, reasons_k = _proportions(data)
    means = _sampled(data, seed, intervals_k, reasons_k) if len(data.group_n) else {}
    words = [task.describe(row_k) for row_k in data.truth_nk]
    groups = len(np.unique(data.group_n))
    if task.kind == "multiclass" and thresholds is not None and len(set(thresholds)) == 1:
        thresholds = None  # Equal thresholds are the plain argmax.
    return {
        "schema": SCHEMA,
        "task": {"kind": task.kind, "classes": list(task.classes), "negative": task.negative},
        "n": len(words),
        "groups": groups,
        "combinations": _tally(words),
        "headline": [
            {"name": name, "interval": interval.as_dict()}
            for name, interval in _headline(data, intervals_k, means).items()
        ],
        "classes": {
            name: {
                "positives": int(data.truth_nk[:, c].sum()),
                "negatives": int((~data.truth_nk[:, c]).sum()),
                "threshold": None if thresholds is None else float(thresholds[c]),
                **_answers(data, c, looked_at),
                "measures": {key: interval.as_dict() for key, interval in intervals_k[c].items()},
                "undefined": reasons_k[c],
                **_curves(data.truth_nk[:, c], data.probability_nk[:, c]),
                "calibration": _reliability(data, data.truth_nk[:, c], data.probability_nk[:, c], seed),
                "histogram": _histogram(data.truth_nk[:, c], data.probability_nk[:, c]),
            }
            for c, name in enumerate(task.classes)
        },
        "means": {name: interval.as_dict() for name, interval in means.items()} if len(task.classes) > 1 else {},
        "confidence": _confidence(data, seed),
        "confusion": _confusion(data),
        "notes": _notes(task, groups, reasons_k),
        **_person(data, words),
    }


def _answers(data: _Measured, c: int, looked_at: Sequence[float] | None) -> dict[str, Any]:
    """How often each answer was given for a class, in numbers; with three answers in words as well."""
    task = data.task
    counts = metrics.confusion(data.truth_nk[:, c], data.flag_nk[:, c], data.unsure_nk[:, c])
    found: dict[str, Any] = {"confusion": counts.as_dict(human=data.three)}
    if not data.three:
        return found
    good = task.negative if task.kind == "binary" else ""
    words = answer_words(counts, task.classes[c], good)
    return {"looked_at": None if looked_at is None else float(looked_at[c]), **found, "answers": words}


def _person(data: _Measured, words: Sequence[str]) -> dict[str, Any]:
    """What is for a person, and what it truly is; nothing where there is no such answer."""
    if not data.three:
        return {}
    chosen = [word for word, human in zip(words, data.human_n, strict=True) if human]
    return {"for_a_person": {"n": len(chosen), "combinations": _tally(chosen)}}


def _tally(words: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items(), key=lambda item: (-item[1], item[0])))


def _proportions(data: _Measured) -> tuple[list[Intervals], list[Reasons]]:
    """The proportions of each class, on the samples in their denominator with the groups of those samples."""
    intervals_k: list[Intervals] = []
    reasons_k: list[Reasons] = []
    columns = zip(data.task.classes, data.truth_nk.T, data.flag_nk.T, data.unsure_nk.T, strict=True)
    for name, truth_n, flag_n, unsure_n in columns:
        no_positive, no_negative = f"no image shows {name!r}", f"every image shows {name!r}"
        rows = {
            "accuracy": ((truth_n == flag_n) & ~unsure_n, np.ones_like(truth_n), NOTHING),
            "recall": (flag_n, truth_n, no_positive),
            "precision": (truth_n, flag_n, f"no image was called {name!r}"),
            "specificity": (~flag_n & ~unsure_n, ~truth_n, no_negative),
            "escape rate": (~flag_n & ~unsure_n, truth_n, no_positive),
            "overkill rate": (flag_n, ~truth_n, no_negative),
        }
        if data.three:
            rows[REVIEW] = (unsure_n, np.ones_like(truth_n), NOTHING)
        intervals, reasons = {}, {} if len(truth_n) else dict.fromkeys(SAMPLED, NOTHING)
        for key, (success_n, among_n, reason) in rows.items():
            if among_n.any():
                intervals[key] = proportion(success_n[among_n], data.group_n[among_n], data.level)
            else:
                reasons[key] = reason if len(truth_n) else NOTHING
        intervals_k.append(intervals)
        reasons_k.append(reasons)
    return intervals_k, reasons_k


def _sampled(data: _Measured, seed: int, intervals_k: list[Intervals], reasons_k: list[Reasons]) -> Intervals:
    """Add F1, AUROC and average precision to each class, and give the means of `AVERAGED` over the classes."""
    found: dict[str, list[tuple[float, FloatArray, int]]] = {key: [] for key in AVERAGED}
    for c, name in enumerate(data.task.classes):
        # Sorted once by score, each draw is sorted too, and sorting it again takes linear time.
        order_n = np.argsort(data.probability_nk[:, c], kind="stable")
        truth_n, flag_n, unsure_n = (nk[order_n, c] for nk in (data.truth_nk, data.flag_nk, data.unsure_nk))
        score_n, group_n = data.probability_nk[order_n, c], data.group_n[order_n]
        values = partial(sampled_values, truth_n, flag_n, unsure_n, score_n)
        value_m = values(np.arange(len(group_n)))
        # One seed: each class sees the same draws of groups, so draws of a mean are means of draws.
        drawn_dm = bootstrap_draws(values, group_n, seed, DRAWS)
        units = min(len(np.unique(group_n[kind_n])) for kind_n in (truth_n, ~truth_n) if kind_n.any())
        for key, value, drawn_d in zip(AVERAGED, value_m, drawn_dm.T, strict=True):
            if np.isfinite(value):
                found[key].append((value, drawn_d, units))
            if key in SAMPLED and np.isfinite(value):
                intervals_k[c][key] = bootstrap_interval(value, drawn_d, group_n, data.level, units)
            elif key in SAMPLED:
                reasons_k[c][key] = f"{'every' if truth_n.any() else 'no'} image shows {name!r}"
    return {
        f"mean {key}": _mean(found[key], [each[key] for each in intervals_k if key in each], data)
        for key in AVERAGED
        if found[key]
    }


def sampled_values(
    truth_n: BoolArray, flag_n: BoolArray, unsure_n: BoolArray, score_n: FloatArray, index: IndexArray
) -> list[float]:
    """The measures of `AVERAGED` on these samples. AUROC and average precision need both kinds, F1 positives."""
    truth_n, flag_n, unsure_n, score_n = truth_n[index], flag_n[index], unsure_n[index], score_n[index]
    counts = metrics.confusion(truth_n, flag_n, unsure_n)
    some, both = truth_n.any(), truth_n.any() and not truth_n.all()
    return [
        metrics.auroc(truth_n, score_n) if both else np.nan,
        metrics.f1(counts) if some else np.nan,
        metrics.accuracy(counts),
        metrics.recall(counts),
        metrics.precision(counts),
        metrics.specificity(counts),
        metrics.average_precision(truth_n, score_n) if both else np.nan,
        metrics.escape_rate(counts),
        metrics.overkill_rate(counts),
    ]


def _mean(parts: list[tuple[float, FloatArray, int]], intervals: list[Interval], data: _Measured) -> Interval:
    """The mean over classes. Where its draws cannot tell the spread: the mean of the ends of the class intervals.

    That is conservative: the spread of a mean is never above the mean of the spreads.
    """
    value = float(np.mean([value for value, _, _ in parts]))
    drawn_d = np.mean([drawn_d for _, drawn_d, _ in parts], axis=0)
    interval = bootstrap_interval(value, drawn_d, data.group_n, data.level, min(units for _, _, units in parts))
    if interval.method == BOOTSTRAP:
        return interval
    low, high = (float(np.mean([getattr(each, end) for each in intervals])) for end in ("low", "high"))
    # Averaging can round the ends past the value.
    low, high = min(low, value), max(high, value)
    return replace(interval, low=low, high=high, method="mean of the class intervals", effective=0.0)


def _headline(data: _Measured, intervals_k: list[Intervals], means: Intervals) -> Intervals:
    """The few numbers to read first; those that cannot be computed are left out, and `notes` say why."""
    if data.task.kind == "binary":
        return {key: intervals_k[0][key] for key in HEADLINE if key in intervals_k[0]}
    if not len(data.group_n):
        return {}
    right_n = (data.truth_nk == data.flag_nk).all(axis=1) & ~data.human_n
    name = "accuracy" if data.task.kind == "multiclass" else "exact match"
    shown = {f"mean {key}": means[f"mean {key}"] for key in AVERAGED[:2] if f"mean {key}" in means}
    shown[name] = proportion(right_n, data.group_n, data.level)
    return shown | ({REVIEW: proportion(data.human_n, data.group_n, data.level)} if data.three else {})


def _curves(truth_n: BoolArray, score_n: FloatArray) -> dict[str, dict[str, list[float]]]:
    """ROC and precision-recall curve, thinned; nothing unless both kinds of sample are present."""
    if truth_n.all() or not truth_n.any():
        return {}
    false_rate_t, true_rate_t, _ = metrics.roc_curve(truth_n, score_n)
    recall_t, precision_t, _ = metrics.precision_recall_curve(truth_n, score_n)
    kept = np.unique(np.linspace(0, len(recall_t) - 1, CURVE_POINTS).round().astype(int))
    return {
        "roc": {"false_positive_rate": false_rate_t[kept].tolist(), "true_positive_rate": true_rate_t[kept].tolist()},
        "precision_recall": {"recall": recall_t[kept].tolist(), "precision": precision_t[kept].tolist()},
    }


def _reliability(data: _Measured, truth_n: BoolArray, probability_n: FloatArray, seed: int) -> dict[str, Any]:
    return reliability(truth_n, probability_n, data.group_n, seed=seed, draws=DRAWS, level=data.level)


def _confidence(data: _Measured, seed: int) -> dict[str, Any]:
    """Multi-class: whether the most probable class is right as often as its probability says (Guo et al. 2017)."""
    if data.task.kind != "multiclass" or not len(data.group_n):
        return {}
    top_n = data.probability_nk.argmax(axis=1)
    right_n = data.truth_nk[np.arange(len(top_n)), top_n]
    return _reliability(data, right_n, data.probability_nk.max(axis=1), seed)


def _histogram(truth_n: BoolArray, score_n: FloatArray) -> dict[str, list[Any]]:
    edges = [edge / BINS for edge in range(BINS + 1)]
    kinds = {"positive": truth_n, "negative": ~truth_n}
    counts = {key: np.histogram(score_n[kind_n], edges)[0].tolist() for key, kind_n in kinds.items()}
    return {"edges": edges, **counts}


def _confusion(data: _Measured) -> dict[str, Any] | None:
    """Rows true, columns decided; none for multi-label, whose answers do not exclude each other.

    With three answers there is a last column for a person, and `columns` names them all.
    """
    if data.task.kind == "multilabel":
        return None
    binary, labels = data.task.kind == "binary", list(data.task.labels)
    true_n, decided_n = (nk[:, 0] if binary else nk.argmax(axis=1) for nk in (data.truth_nk, data.flag_nk))
    decided_n = np.where(data.human_n, len(labels), decided_n)
    matrix = metrics.confusion_matrix(true_n, decided_n, len(labels), human=data.three).tolist()
    return {"labels": labels, **({"columns": [*labels, HUMAN]} if data.three else {}), "matrix": matrix}


def _notes(task: Task, groups: int, reasons_k: list[Reasons]) -> list[str]:
    if not groups:
        return [NOTHING]
    rough = f"only {counted(groups, 'groups')}: intervals over fewer than {FEW_GROUPS} groups are rough"
    notes = [rough] if groups < FEW_GROUPS else []
    for name, reasons in zip(task.classes, reasons_k, strict=True):
        for reason in dict.fromkeys(reasons.values()):
            keys = ", ".join(key for key, value in reasons.items() if value == reason)
            notes.append(f"{class_called(name)}: {keys} cannot be computed: {reason}")
    if len(task.classes) > 1 and any(key in reasons for reasons in reasons_k for key in AVERAGED):
        notes.append("each mean is over the classes for which the measure can be computed")
    return notes
