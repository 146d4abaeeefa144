"""Rules for thresholds on groups that were left out: by hand, and on a finished cross-validation."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flawscope.bundle.runtime import Runtime
from flawscope.inspection.folder import Pictures, inspect_folder
from flawscope.inspection.tables import write_results
from flawscope.records import Task
from flawscope.steps.workspace import fold_runs

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import threshold_rules
from threshold_cost import measured
from threshold_rules import BEST, BEST_BOTH, HALF, RULE, RULE_BOTH, THEORY, Scored

TASK = Task("binary", ("crack",))


def scored(probability_n: list[float], truth_n: list[int], groups: str) -> Scored:
    return Scored(np.array(probability_n)[:, None], np.array(truth_n, dtype=float)[:, None], tuple(groups))


def test_each_group_is_called_by_thresholds_of_the_others() -> None:
    calibration = scored([0.3, 0.1, 0.9, 0.7], [1, 0, 1, 0], "aabb")
    validation = scored([0.8, 0.6, 0.4, 0.2], [1, 1, 0, 0], "ccdd")
    answers, called = threshold_rules.left_out(TASK, [(validation, calibration)])
    assert answers.group_n == tuple("aabb")
    # Of group a the threshold is that of b, 0.8, and of b that of a, 0.2; half of the best F1 is 0.5 for both.
    assert called[BEST][:, 0].tolist() == [False, False, True, True]
    assert called[THEORY][:, 0].tolist() == called[HALF][:, 0].tolist() == [False, False, True, True]
    assert set(called) == {RULE, BEST, THEORY, HALF, RULE_BOTH, BEST_BOTH}
    assert measured(answers, called, RULE)[HALF]["mean F1"][0] == 0.5


def test_what_the_left_out_group_says_changes_nothing_of_its_own_thresholds() -> None:
    random = np.random.default_rng(0)
    truth_n = (random.random(40) < 0.4).astype(int)
    score_n = np.clip(0.3 + 0.3 * truth_n + random.normal(0, 0.15, 40), 0.01, 0.99)
    names = "".join("abcde"[number % 5] for number in range(40))
    validation = scored([0.8, 0.6, 0.4, 0.2], [1, 0, 1, 0], "vwxy")
    turned_n = np.where(np.array(list(names)) == "a", 1 - truth_n, truth_n)
    calls = [
        threshold_rules.left_out(TASK, [(validation, scored(score_n.tolist(), each.tolist(), names))])
        for each in (truth_n, turned_n)
    ]
    (first, one), (second, other) = calls
    of_a_n = np.array(first.group_n) == "a"
    assert (first.truth_nk[of_a_n] != second.truth_nk[of_a_n]).all()
    for name, flag_nk in one.items():
        assert (flag_nk[of_a_n] == other[name][of_a_n]).all(), name
    assert any((one[name] != other[name]).any() for name in one)


def test_a_class_that_the_others_do_not_show_is_called_from_one_half_on() -> None:
    none = scored([0.3, 0.6], [0, 0], "ab")
    assert threshold_rules.by_best(TASK, none).tolist() == [0.5]


def test_the_parts_of_a_finished_cross_validation_are_read(
    finish_run: Callable[..., Path], draw: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "parts"
    for part in range(12):
        name = "nok" if part % 2 else "ok"
        for shot in range(2):
            draw(root / name / f"part{part}_{shot}.png", 2 * part + shot, [part % 4] if part % 2 else ())
    folder = finish_run(tmp_path / "runs" / "folds", root, folds=3)
    runs = fold_runs(folder)
    for run in runs:
        for part in ("validation", "calibration"):
            said = inspect_folder(Runtime.open(run.bundle), Pictures.of(run.part(part)))
            write_results(run.scores(part), run.samples.task, said)
    calibration = [Scored.of(run, "calibration") for run in runs]
    expected = [run.split.ids("calibration") for run in runs]
    assert [len(each.probability_nk) for each in calibration] == [len(each) for each in expected]
    for run, each in zip(runs, calibration, strict=True):
        assert not set(each.group_n) & {run.split.group[row] for row in run.split.ids("test")}
    kept = tmp_path / "rules.json"
    monkeypatch.setattr(threshold_rules, "RESULTS", kept)
    monkeypatch.setattr(sys, "argv", ["threshold_rules.py", str(folder), "--trial"])
    threshold_rules.main()
    assert not kept.exists()
