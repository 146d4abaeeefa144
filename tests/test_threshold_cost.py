"""What thresholds cost: a case by hand, and what is read of a finished cross-validation is what its bundles said."""

from __future__ import annotations

import dataclasses
import doctest
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from flawscope.bundle.archive import read_bundle
from flawscope.probability import calibrate
from flawscope.steps.workspace import fold_runs, read_json

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import threshold_cost
from threshold_cost import ALL, EACH, HALF, OTHERS, SEALED, SIGMOID, Answers


def answers() -> Answers:
    """Two folds of four images, one class: in the second one every probability is lower by 0.4."""
    probability_n = np.array([0.9, 0.8, 0.6, 0.55, 0.5, 0.4, 0.2, 0.15])
    truth_n = np.array([True, True, False, False, True, True, False, False])
    sealed_n = probability_n > 0.7
    fold_n = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    column = (slice(None), None)
    return Answers(
        ("crack",), probability_n[column], truth_n[column], sealed_n[column], fold_n, tuple("abcdefgh")
    )  # fmt: skip


def test_each_way_to_call_by_hand() -> None:
    called = {name: flag_nk[:, 0].tolist() for name, flag_nk in threshold_cost.calls(answers()).items()}
    yes, no = True, False
    assert called[SEALED] == [yes, yes, no, no, no, no, no, no]
    assert called[HALF] == [yes, yes, yes, yes, yes, no, no, no]
    assert called[ALL] == [yes, yes, yes, yes, yes, yes, no, no]  # from 0.4 on: F1 0.8
    assert called[EACH] == [yes, yes, no, no, yes, yes, no, no]
    found = threshold_cost.measured(answers(), threshold_cost.calls(answers()))
    f1 = {name: of["mean F1"][0] for name, of in found.items()}
    assert f1 == {SEALED: 0.6667, HALF: 0.6667, ALL: 0.8, EACH: 1.0}
    assert "mean F1, less that of sealed" not in found[SEALED]
    apart, low, high = found[EACH]["mean F1, less that of sealed"]
    assert apart == pytest.approx(1 / 3, abs=1e-4)
    assert low <= apart <= high


def test_the_logits_that_are_best_on_other_folds_by_hand() -> None:
    given = answers()
    assert OTHERS not in threshold_cost.calls(given)
    knots = [[((0.0, 0.0), (1.0, 1.0))]] * 4 + [[((0.0, -2.0), (1.0, -1.0))]] * 4  # the second fold's is lower by 2
    logit_nk = threshold_cost.logits(given.probability_nk, knots)
    assert logit_nk is not None
    assert logit_nk[3:5, 0] == pytest.approx([np.log(0.55 / 0.45), 2.0])
    with_logits = dataclasses.replace(given, logit_nk=logit_nk)
    lower = dataclasses.replace(given, logit_nk=logit_nk - 1.0)
    assert threshold_cost.calls(lower)[SIGMOID][:, 0].tolist() == [True, True, False, False, True, True, False, False]
    # best on the second fold: from 0.4, which is a logit of 1.59; on the first: from 0.8, of 1.39
    called = threshold_cost.calls(with_logits)[OTHERS][:, 0].tolist()
    assert called == [True, False, False, False, True, True, False, False]
    none_shown = dataclasses.replace(with_logits, truth_nk=given.truth_nk & (given.fold_n == 0)[:, None])
    assert not threshold_cost.calls(none_shown)[OTHERS][:4].any()  # nothing to choose by
    assert threshold_cost.logits(given.probability_nk, [None, *knots[1:]]) is None
    steps = [((0.0, 0.0), (1.0, 0.0))]
    assert threshold_cost.logits(given.probability_nk, [steps, *knots[1:]]) is None


def test_best_thresholds_of_all_are_never_worse_than_others() -> None:
    random = np.random.default_rng(0)
    truth_nk = random.random((60, 2)) < 0.3
    probability_nk = np.round(random.random((60, 2)) * 0.6 + 0.3 * truth_nk, 2)
    given = Answers(
        ("a", "b"), probability_nk, truth_nk, probability_nk > 0.9, np.arange(60) % 3, tuple(map(str, range(60)))
    )
    f1 = {name: f1_score(truth_nk, flag_nk, average="macro") for name, flag_nk in threshold_cost.calls(given).items()}
    every = [f1_score(truth_nk, probability_nk >= cut, average="macro") for cut in np.unique(probability_nk)]
    mean = {name: of["mean F1"][0] for name, of in threshold_cost.measured(given, threshold_cost.calls(given)).items()}
    assert mean == pytest.approx(f1, abs=1e-4)
    assert f1[ALL] >= max(*every, f1[HALF], f1[SEALED])


def test_what_the_bundles_of_a_cross_validation_said_is_pooled(
    finish_run: Callable[..., Path], draw: Callable[..., None], tmp_path: Path
) -> None:
    root = tmp_path / "parts"
    for part in range(12):
        name = "nok" if part % 2 else "ok"
        for shot in range(2):
            draw(root / name / f"part{part}_{shot}.png", 2 * part + shot, [part % 4] if part % 2 else ())
    folder = finish_run(tmp_path / "runs" / "folds", root, folds=3)
    found = threshold_cost.answers_of(folder)
    pooled = read_json(folder / "metrics.json")
    counts = pooled["classes"]["nok"]["confusion"]
    sealed_n, truth_n = found.sealed_nk[:, 0], found.truth_nk[:, 0]
    assert len(truth_n) == pooled["n"] == 24
    assert len(set(found.group_n)) == pooled["groups"]
    assert found.logit_nk is not None
    for number, run in enumerate(fold_runs(folder)):  # they are those of the graph
        knots = read_bundle(run.bundle).manifest.sealed.calibrator.knots
        inside = found.fold_n == number
        again_nk = calibrate("binary", knots, found.logit_nk[inside])
        assert np.allclose(again_nk, found.probability_nk[inside])
    assert (sealed_n & truth_n).sum() == counts["tp"]
    assert (sealed_n & ~truth_n).sum() == counts["fp"]
    told = threshold_cost.of_run(folder)
    assert len(told["seals"]) == 3
    assert told["split"] == pooled["split"]


def test_of_one_run_its_bundle_is_told(
    finish_run: Callable[..., Path], draw: Callable[..., None], tmp_path: Path
) -> None:
    for part in range(12):
        name = "nok" if part % 2 else "ok"
        draw(tmp_path / "parts" / name / f"part{part}_0.png", part, [part % 4] if part % 2 else ())
    folder = finish_run(tmp_path / "run", tmp_path / "parts")
    metrics = read_json(folder / "metrics.json")
    told = threshold_cost.of_run(folder)
    assert (told["seals"], told["n"]) == ([metrics["bundle"]["seal"]], metrics["n"])
    assert len(threshold_cost.answers_of(folder).truth_nk) == metrics["n"]


def test_the_examples_of_the_script_hold() -> None:
    assert doctest.testmod(threshold_cost).failed == 0
