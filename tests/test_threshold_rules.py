"""Rules for thresholds on groups that were left out: by hand, and on a finished cross-validation."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from flawscope.bundle.runtime import Runtime
from flawscope.inspection.folder import Pictures, inspect_folder
from flawscope.inspection.tables import read_results, write_results
from flawscope.records import Task
from flawscope.steps.workspace import fold_runs, read_json

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import threshold_rules
from threshold_cost import measured
from threshold_rules import BEST, BEST_BOTH, HALF, RULE, RULE_BOTH, SIGMOID, THEORY, Scored

TASK = Task("binary", ("crack",))
CLASSES = ("crack", "inactive")
MIDDLE = expit(np.array([1.0]))  # of a calibrator that adds 1


def scored(probability_n: list[float], truth_n: list[int], groups: str) -> Scored:
    id_n = tuple(f"{group}{number}" for number, group in enumerate(groups))
    return Scored(np.array(probability_n)[:, None], np.array(truth_n, dtype=float)[:, None], tuple(groups), id_n)


def called_by(validation: Scored, calibration: Scored) -> dict[str, list[bool]]:
    _, called = threshold_rules.left_out(TASK, [(validation, calibration, MIDDLE)])
    return {name: flag_nk[:, 0].tolist() for name, flag_nk in called.items()}


def test_each_group_is_called_by_thresholds_of_the_others() -> None:
    calibration = scored([0.75, 0.1, 0.9, 0.7], [1, 0, 1, 0], "aabb")
    validation = scored([0.8, 0.6, 0.4, 0.2], [1, 1, 0, 0], "ccdd")
    called = called_by(validation, calibration)
    # Of group a the threshold is that of b, 0.8, and of b that of a, 0.425; half of the best F1 is 0.5 for both.
    assert called[BEST] == called[RULE] == [False, False, True, True]
    assert called[THEORY] == called[HALF] == [True, False, True, True]
    assert called[RULE_BOTH] == called[BEST_BOTH] == [True, False, True, True], "the validation part has 0.6 called"
    assert called[SIGMOID] == [True, False, True, False], "the sigmoid is one half where the calibrator says 0.731"
    answers, flags = threshold_rules.left_out(TASK, [(validation, calibration, MIDDLE)])
    assert answers.group_n == tuple("aabb")
    assert measured(answers, flags, RULE)[HALF]["mean F1"][0] == 0.8


def test_only_the_ways_of_both_parts_hang_on_the_validation_part() -> None:
    calibration = scored([0.75, 0.1, 0.9, 0.7], [1, 0, 1, 0], "aabb")
    low, high = (scored([0.3, 0.29, 0.2, 0.1], truth_n, "ccdd") for truth_n in ([1, 1, 0, 0], [0, 0, 0, 1]))
    one, other = called_by(low, calibration), called_by(high, calibration)
    assert {name for name in one if one[name] != other[name]} <= {RULE_BOTH, BEST_BOTH}
    assert one[BEST_BOTH] != other[BEST_BOTH]


def test_half_of_the_best_f1_is_taken_of_these_images() -> None:
    known = scored([0.9, 0.8, 0.7], [1, 0, 1], "abc")  # all called: two of three right, F1 0.8
    assert threshold_rules.best_each(TASK, known, lambda most, _: most / 2) == pytest.approx(0.4)
    assert threshold_rules.by_best(TASK, known) == pytest.approx(0.35)  # the middle between 0.7 and nothing


def test_an_image_in_two_folds_counts_once() -> None:
    first = scored([0.9, 0.1, 0.2], [1, 0, 0], "aab")
    again = scored([0.8, 0.3], [1, 0], "aa")
    told = threshold_rules.stood_on(TASK, [first, again])
    assert told == {
        "answers": 5, "images": 3, "groups": 2, "shown": {"crack": {"answers": 2, "images": 1, "groups": 1}}
    }  # fmt: skip


def test_what_the_left_out_group_says_changes_nothing_of_its_own_thresholds() -> None:
    random = np.random.default_rng(0)
    truth_n = (random.random(40) < 0.4).astype(int)
    score_n = np.clip(0.3 + 0.3 * truth_n + random.normal(0, 0.15, 40), 0.01, 0.99)
    names = "".join("abcde"[number % 5] for number in range(40))
    validation = scored([0.8, 0.6, 0.4, 0.2], [1, 0, 1, 0], "vwxy")
    turned_n = np.where(np.array(list(names)) == "a", 1 - truth_n, truth_n)
    calls = [
        threshold_rules.left_out(TASK, [(validation, scored(score_n.tolist(), each.tolist(), names), MIDDLE)])
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
    finish_run: Callable[..., Path], parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finish_run(tmp_path / "runs" / "folds", parts, folds=3)
    runs = fold_runs(folder)
    for run in runs:
        for part in ("validation", "calibration"):
            said = inspect_folder(Runtime.open(run.bundle), Pictures.of(run.part(part)))
            write_results(run.scores(part), run.samples.task, said)
    run, calibration = runs[0], Scored.of(runs[0], "calibration")
    assert set(calibration.id_n) == set(run.split.ids("calibration"))
    said = {row.name: row.probability for row in read_results(run.scores("calibration")).rows}
    shows = {row.id: row.target for row in run.samples.rows}
    for place, name in enumerate(calibration.id_n):
        assert calibration.probability_nk[place] == pytest.approx(said[name])
        assert calibration.target_nk[place].tolist() == list(shows[name])
        assert calibration.group_n[place] == run.split.group[name]
    kept = tmp_path / "rules.json"
    monkeypatch.setattr(threshold_rules, "RESULTS", kept)
    for more, entries in ((["--trial"], 0), ([], 1)):
        monkeypatch.setattr(sys, "argv", ["threshold_rules.py", str(folder), *more])
        threshold_rules.main()
        assert len(read_json(kept) if kept.exists() else []) == entries
    (entry,) = read_json(kept)
    assert entry["answers"] == sum(len(run.split.ids("calibration")) for run in runs)
    assert (len(entry["seals"]), set(entry["ways"])) == (
        3,
        {RULE, BEST, THEORY, HALF, SIGMOID, RULE_BOTH, BEST_BOTH},
    )
    assert "n" not in entry


def test_what_is_decided_otherwise_is_refused(
    finish_run: Callable[..., Path], parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    other = finish_run(tmp_path / "other", parts, folds=3, overrides=["decide.rule=best_accuracy"])
    for folder in (tmp_path / "empty", other):
        monkeypatch.setattr(sys, "argv", ["threshold_rules.py", str(folder)])
        with pytest.raises(SystemExit, match=rf"{folder.name} is no cross-validation decided by best_f1"):
            threshold_rules.main()


def test_the_table_of_the_page_is_what_was_measured() -> None:
    page = (Path(__file__).parents[1] / "docs" / "calibration.md").read_text(encoding="utf-8")
    ways = read_json(threshold_rules.RESULTS)[-1]["ways"]
    names = {"**the rule**": RULE, "the rule, both parts": RULE_BOTH} | {
        name: name for name in (BEST, THEORY, HALF, BEST_BOTH, SIGMOID)
    }
    table = page.partition("less that of the rule |")[2]
    for shown, name in names.items():
        line = next(line for line in table.splitlines() if line.startswith(f"| {shown} |"))
        value, low, high = ways[name]["mean F1"]
        cells = [f"{value:.3f} ({low:.3f} to {high:.3f})", *(f"{ways[name][key][0] + 1e-9:.3f}" for key in CLASSES)]
        if name != RULE:
            cells.append("{:.3f} ({:.3f} to {:.3f})".format(*ways[name]["mean F1, less that of rule"]))
        assert [cell.strip() for cell in line.strip("|").split("|")][1 : len(cells) + 1] == cells
