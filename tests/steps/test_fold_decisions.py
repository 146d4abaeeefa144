"""Promises and costs of a cross-validation: each fold against its own test part, and all test parts together."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flawscope
from flawscope.bundle.archive import read_bundle
from flawscope.evaluation.intervals import proportion
from flawscope.steps.decide import decide_also
from flawscope.steps.evaluate import evaluate_test
from flawscope.steps.fold_decisions import fold_decisions
from flawscope.steps.run import pool
from flawscope.steps.workspace import Run, fold_runs

WAYS = "[{max_escape: 0.5, confidence: 0.8}, {costs: {escape: 100, overkill: 10, review: 2, prevalence: 0.05}}]"


@pytest.fixture(scope="module")
def folder(finish_run: Callable[..., Path], parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folds of a network that is often wrong, each decided by a promise and by costs."""
    place = tmp_path_factory.mktemp("folds") / "cv"
    finish_run(place, parts, folds=3, weight=15.0, cut=0.44, overrides=[f"decide_also={WAYS}"])
    runs = fold_runs(place)
    with pytest.MonkeyPatch.context() as patch:  # the bundles of these runs have invented hashes
        patch.setattr(import_module("flawscope.steps.decide"), "run_of", lambda folder, *given: Run.at(folder))
        for run in runs:
            for spec in run.recipe.decide_also:
                evaluate_test(run, decide_also(run, spec))
    pool(place, runs[0].recipe, runs[0].samples)
    return place


def answered(run: Run, name: str) -> tuple[Any, dict[str, int]]:
    """The sealed decision of a fold's bundle, and what it has said of the test part when that was inspected."""
    contents = read_bundle(run.folder / f"cv-{name}.flawscope")
    return contents.manifest.sealed.decision, contents.evidence["test"]["classes"]["nok"]["confusion"]


def test_each_fold_is_held_against_its_own_test_part(folder: Path) -> None:
    promise, costs = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["decisions"]
    assert (promise["name"], promise["asked"]) == ("nok", "at most 50 % escape, 80 % confidence")
    runs = fold_runs(folder)
    for run, row in zip(runs, promise["folds"], strict=True):
        decision, counts = answered(run, "max-escape-0.5-confidence-0.8")
        (contract,) = decision.contracts
        assert (row["fold"], row["kept"], row["bound"]) == (run.folder.name, contract.kept, contract.bound)
        assert (row["threshold"], row["bad"], row["escapes"]) == (
            contract.threshold, counts["fn"] + counts["tp"], counts["fn"],
        )  # fmt: skip
        assert (row["good"], row["overkill"]) == (counts["tn"] + counts["fp"], counts["fp"])
    assert sum(row["bad"] for row in promise["folds"]) == 32, "each part is tested once"
    for run, row in zip(runs, costs["folds"], strict=True):
        decision, counts = answered(run, "costs-100-10-2-0.05")
        (cost,) = decision.costs
        assert (row["low"], row["high"], row["expected"]["value"]) == (cost.low, cost.high, cost.cost.value)
        human = counts.get("bad_human", 0) + counts.get("good_human", 0)
        assert human == row["review"] or row["low"] == row["high"] or row["review"] > 0
        evidence = read_bundle(run.folder / "cv-costs-100-10-2-0.05.flawscope").evidence["test"]
        assert row["cost"] == evidence["three_answers"]["classes"]["nok"]["cost"]


def test_all_test_parts_together_have_rates_with_intervals_by_groups(folder: Path) -> None:
    promise, costs = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["decisions"]
    escaped, group = [], []
    for run in fold_runs(folder):
        threshold = answered(run, "max-escape-0.5-confidence-0.8")[0].thresholds[0]
        rows = (run.folder / "scores" / "test.csv").read_text(encoding="utf-8").splitlines()[1:]
        score = {row.split(",")[0]: float(row.split(",")[1]) for row in rows}
        bad = [row.id for row in run.part("test").rows if row.target[0]]
        escaped += [score[id] < threshold for id in bad]
        group += [run.split.group[id] for id in bad]
    assert promise["pooled"]["escape"] == proportion(np.array(escaped), group).as_dict()
    assert 0 < sum(escaped) < len(escaped), "or nothing is tested"
    total = {key: sum(row[key] for row in costs["folds"]) for key in ("escapes", "overkill", "review", "bad", "good")}
    pooled = costs["pooled"]
    assert pooled["escape"]["value"] == pytest.approx(total["escapes"] / total["bad"])
    assert pooled["overkill"]["value"] == pytest.approx(total["overkill"] / total["good"])
    assert pooled["review"]["value"] == pytest.approx(total["review"] / (total["bad"] + total["good"]))
    wrong = 0.05 * 100 * total["escapes"] / total["bad"] + 0.95 * 10 * total["overkill"] / total["good"]
    assert wrong <= pooled["cost"]["value"] <= wrong + 2 + 1e-9, "at most a look at each comes on top"
    if not total["review"]:
        assert pooled["cost"]["value"] == pytest.approx(wrong)


def test_the_pooled_page_shows_them(folder: Path) -> None:
    page = flawscope.report(folder).read_text(encoding="utf-8")
    promise, costs = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["decisions"]
    kept = sum(row["kept"] for row in promise["folds"])
    assert "Promises and costs, fold by fold" in page and '<a href="#folds">' in page
    assert f"Proven as asked in {kept} of 3 folds." in page
    for row in promise["folds"]:
        assert f"{row['escapes']} of {row['bad']}</td>" in page
    for rate in (promise["pooled"]["escape"], costs["pooled"]["overkill"]):
        assert f"{100 * rate['low']:.1f} to {100 * rate['high']:.1f}" in page


def test_folds_without_promise_and_costs_have_no_such_table(
    finish_run: Callable[..., Path], parts: Path, tmp_path: Path
) -> None:
    place = finish_run(tmp_path / "cv", parts, folds=2)
    assert fold_decisions(fold_runs(place)) == []
    assert "fold by fold" not in flawscope.report(place).read_text(encoding="utf-8")
