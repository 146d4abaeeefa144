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
        patch.setattr(import_module("flawscope.steps.deciding"), "run_of", lambda folder, *given: Run.at(folder))
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
        assert (row["review"], row["escapes"]) == (counts.get("hp", 0) + counts.get("hn", 0), counts["fn"])
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
    counts = [answered(run, "costs-100-10-2-0.05")[1] for run in fold_runs(folder)]
    looked = {key: sum(each.get(key, 0) for each in counts) for key in ("hp", "hn")}
    assert looked["hn"] > 0, "or nothing is tested"
    bad_cost = (100 * total["escapes"] + 2 * looked["hp"]) / total["bad"]
    good_cost = (10 * total["overkill"] + 2 * looked["hn"]) / total["good"]
    assert pooled["cost"]["value"] == pytest.approx(0.05 * bad_cost + 0.95 * good_cost)


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
