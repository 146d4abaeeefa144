"""Three answers, OK, not OK and for a person, measured: against counting one part after the other, and the costs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from flawscope.bundle.postprocess import three_answers
from flawscope.evaluation.answer_words import answer_words
from flawscope.evaluation.bands import Chosen, measured_costs
from flawscope.evaluation.costs import Costs
from flawscope.evaluation.intervals import proportion
from flawscope.evaluation.measure import REVIEW, for_a_person, measure
from flawscope.evaluation.metrics import Counts
from flawscope.evaluation.paired import answers, differences
from flawscope.records import Task

BINARY = Task("binary", ("bad",), "ok")
TWO = Task("multilabel", ("crack", "inactive"), "good")
THREE = Task("multiclass", ("ok", "dent", "hole"))
LOW, HIGH = (0.3, 0.25), (0.6, 0.55)


def parts(task: Task, n: int = 200, seed: int = 0) -> tuple[Any, Any, Any, Any, list[str]]:
    """Targets, probabilities, and which classes are called and unsure between `LOW` and `HIGH`."""
    rng = np.random.default_rng(seed)
    k = len(task.classes)
    target_nk = (rng.random((n, k)) < 0.35).astype(float)
    p_nk = np.clip(rng.normal(0.3, 0.2, (n, k)) + 0.4 * target_nk, 0, 1)
    flag_nk, reached_nk = p_nk >= HIGH[:k], p_nk >= LOW[:k]
    return target_nk, p_nk, flag_nk, reached_nk & ~flag_nk, [f"block {i // 4}" for i in range(n)]


def document(task: Task, **how: Any) -> dict[str, Any]:
    target_nk, p_nk, flag_nk, unsure_nk, groups = parts(task, **how)
    k = len(task.classes)
    return measure(task, target_nk, p_nk, flag_nk, groups, thresholds=HIGH[:k], unsure_nk=unsure_nk, looked_at=LOW[:k])


@pytest.mark.parametrize("task", [BINARY, TWO])
def test_each_class_is_counted_one_part_after_the_other(task: Task) -> None:
    found = document(task)
    target_nk, p_nk, *_, groups = parts(task)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for c, name in enumerate(task.classes):
        counts = dict.fromkeys(("tp", "fp", "fn", "tn", "hp", "hn"), 0)
        for target, p in zip(target_nk[:, c], p_nk[:, c], strict=True):
            answer = "called" if p >= HIGH[c] else "person" if p >= LOW[c] else "passes"
            bad, good = {"called": ("tp", "fp"), "person": ("hp", "hn"), "passes": ("fn", "tn")}[answer]
            counts[bad if target else good] += 1
        entry = found["classes"][name]
        assert (entry["confusion"], entry["threshold"], entry["looked_at"]) == (counts, HIGH[c], LOW[c])
        assert all(counts.values())
        bad, good = (sum(counts[key] for key in keys) for keys in (("tp", "fn", "hp"), ("tn", "fp", "hn")))
        wanted = {
            "recall": counts["tp"] / bad,
            "escape rate": counts["fn"] / bad,
            "specificity": counts["tn"] / good,
            "overkill rate": counts["fp"] / good,
            "precision": counts["tp"] / (counts["tp"] + counts["fp"]),
            "accuracy": (counts["tp"] + counts["tn"]) / (bad + good),
            "F1": 2 * counts["tp"] / (counts["tp"] + counts["fp"] + bad),
            REVIEW: (counts["hp"] + counts["hn"]) / (bad + good),
        }
        assert {key: entry["measures"][key]["value"] for key in wanted} == pytest.approx(wanted)
        looked_n = (p_nk[:, c] >= LOW[c]) & (p_nk[:, c] < HIGH[c])
        assert entry["measures"][REVIEW] == proportion(looked_n, groups).as_dict()
        good_name = "ok" if task is BINARY else ""
        assert entry["answers"] == answer_words(Counts(**counts), name, good_name)
    for key in ("escape rate", "overkill rate"):
        each = [entry["measures"][key]["value"] for entry in found["classes"].values()]
        if len(each) > 1:
            assert found["means"][f"mean {key}"]["value"] == pytest.approx(np.mean(each))


def test_the_matrix_and_the_headline_of_a_binary_task_have_a_third_answer() -> None:
    found = document(BINARY)
    counts = found["classes"]["bad"]["confusion"]
    assert found["confusion"] == {
        "labels": ["ok", "bad"],
        "columns": ["ok", "bad", "human"],
        "matrix": [[counts["tn"], counts["fp"], counts["hn"]], [counts["fn"], counts["tp"], counts["hp"]]],
    }
    assert [entry["name"] for entry in found["headline"]][-3:] == ["escape rate", "overkill rate", "review load"]
    assert found["headline"][-1]["interval"] == found["classes"]["bad"]["measures"][REVIEW]
    assert found["for_a_person"] == {
        "n": counts["hp"] + counts["hn"],
        "combinations": {"ok": counts["hn"], "bad": counts["hp"]},
    }


def test_several_classes_are_right_wrong_or_for_a_person_as_a_whole() -> None:
    found = document(TWO)
    target_nk, p_nk, *_ = parts(TWO)
    decisions = three_answers(TWO, HIGH, LOW, p_nk)
    human = sum(each.human for each in decisions)
    right = sum(
        each.flags == tuple(target >= 0.5) and not each.human for each, target in zip(decisions, target_nk, strict=True)
    )
    headline = {entry["name"]: entry["interval"]["value"] for entry in found["headline"]}
    assert headline["exact match"] == pytest.approx(right / 200)
    assert headline[REVIEW] == pytest.approx(human / 200)
    assert found["for_a_person"]["n"] == human
    assert 0 < human < sum(any(each.unsure) for each in decisions)  # some are called for the other class
    assert found["confusion"] is None


def test_a_multiclass_answer_may_be_left_to_a_person() -> None:
    """No bundle does so today; what is measured must make sense all the same."""
    target_nk = np.eye(3)[[0, 0, 1, 1, 2, 2]]
    flag_nk = np.eye(3, dtype=bool)[[0, 1, 1, 0, 2, 0]]
    unsure_nk = np.zeros((6, 3), dtype=bool)
    flag_nk[3], unsure_nk[3] = False, (True, True, False)
    flag_nk[5], unsure_nk[5] = False, (False, False, True)
    found = measure(
        THREE, target_nk, np.full((6, 3), 1 / 3), flag_nk, list("abcdef"), thresholds=None, unsure_nk=unsure_nk
    )
    assert found["confusion"] == {
        "labels": ["ok", "dent", "hole"],
        "columns": ["ok", "dent", "hole", "human"],
        "matrix": [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 1]],
    }
    headline = {entry["name"]: entry["interval"]["value"] for entry in found["headline"]}
    assert (headline["accuracy"], headline[REVIEW]) == (pytest.approx(3 / 6), pytest.approx(2 / 6))
    assert found["for_a_person"]["combinations"] == {"dent": 1, "hole": 1}
    with pytest.raises(ValueError, match="or is for a person"):
        measure(THREE, target_nk, np.full((6, 3), 1 / 3), flag_nk, list("abcdef"), thresholds=None)


@pytest.mark.parametrize("task", [BINARY, TWO])
def test_the_section_on_costs_says_the_same(task: Task) -> None:
    target_nk, p_nk, flag_nk, unsure_nk, groups = parts(task)
    found, k = document(task), len(task.classes)
    chosen = [Chosen(Costs(50, 5, 1, 0.1), LOW[c], HIGH[c], 0.5) for c in range(k)]
    human_n = for_a_person(flag_nk, unsure_nk)
    costs = measured_costs(task, p_nk, target_nk, groups, human_n=human_n, chosen_k=chosen)
    headline = {entry["name"]: entry["interval"] for entry in found["headline"]}
    assert costs["person"] == headline[REVIEW]
    for name in task.classes:
        measures = found["classes"][name]["measures"]
        for key, rate in (("escape", "escape rate"), ("overkill", "overkill rate")):
            assert costs["classes"][name][key] == measures[rate]


def test_a_band_that_nobody_falls_into_is_a_third_answer_all_the_same() -> None:
    target_nk, p_nk, flag_nk, _, groups = parts(BINARY)
    nobody_nk = np.zeros_like(flag_nk)
    two = measure(BINARY, target_nk, p_nk, flag_nk, groups, thresholds=[0.6])
    three = measure(BINARY, target_nk, p_nk, flag_nk, groups, thresholds=[0.6], unsure_nk=nobody_nk, looked_at=[0.59])
    assert three["for_a_person"] == {"n": 0, "combinations": {}}
    load = three["headline"][-1]["interval"]
    assert (load["value"], load["low"]) == (0, 0) and load["high"] > 0
    assert [row[:2] for row in three["confusion"]["matrix"]] == two["confusion"]["matrix"]
    assert three["headline"][:-1] == two["headline"]
    assert "for_a_person" not in two and "columns" not in two["confusion"]
    assert set(two["classes"]["bad"]["confusion"]) == {"tp", "fp", "fn", "tn"}


def test_all_for_a_person_is_neither_good_nor_bad_and_is_said() -> None:
    target_nk, p_nk, flag_nk, _, groups = parts(BINARY)
    nothing_nk, all_nk = np.zeros_like(flag_nk), np.ones_like(flag_nk)
    found = measure(BINARY, target_nk, p_nk, nothing_nk, groups, thresholds=[1.0], unsure_nk=all_nk, looked_at=[0.1])
    headline = {entry["name"]: entry["interval"]["value"] for entry in found["headline"]}
    assert [headline[key] for key in ("escape rate", "overkill rate", REVIEW, "accuracy")] == [0, 0, 1, 0]
    assert "no image was called 'bad'" in found["classes"]["bad"]["undefined"]["precision"]


def test_unsure_and_called_exclude_each_other() -> None:
    target_nk, p_nk, flag_nk, _, groups = parts(BINARY)
    with pytest.raises(ValueError, match="none that is called, too"):
        measure(BINARY, target_nk, p_nk, flag_nk, groups, thresholds=None, unsure_nk=flag_nk)


def test_a_comparison_takes_what_is_for_a_person_for_not_decided() -> None:
    target_nk, p_nk, flag_nk, unsure_nk, groups = parts(BINARY)
    three = answers(BINARY, target_nk, p_nk, flag_nk, groups, unsure_nk=unsure_nk, draws=50)
    two = answers(BINARY, target_nk, p_nk, flag_nk, groups, draws=50)
    truth_n, good_n = target_nk[:, 0] == 1, (target_nk[:, 0] == 0) & unsure_nk[:, 0]
    assert two.right_n.sum() - three.right_n.sum() == good_n.sum() > 0
    found = {each.measure: each.difference.value for each in differences(two, three)}
    assert found["accuracy"] == pytest.approx(-good_n.mean())
    assert found["specificity"] == pytest.approx(-good_n.sum() / (~truth_n).sum())
    assert (found["recall"], found["AUROC"]) == (0, 0)
    assert three.document["classes"]["bad"]["measures"][REVIEW]["value"] == pytest.approx(unsure_nk.mean())


def test_one_of_each_reads_well() -> None:
    assert answer_words(Counts(tp=1, fp=1, fn=1, tn=1, hp=1, hn=1), "bad", "ok") == [
        "Of 3 bad images: 1 escapes, 1 is caught, 1 is for a person.",
        "Of 3 ok images: 1 passes, 1 is rejected, 1 is for a person.",
    ]
    assert answer_words(Counts(tp=0, fp=0, fn=0, tn=2), "bad", "ok", "cells") == [
        "Of 2 ok cells: 2 pass, 0 are rejected, 0 are for a person."
    ]
