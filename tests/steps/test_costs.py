"""Decisions by costs in a run: from the recipe over the seal to the test part, in numbers and in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import flawscope
from flawscope.bundle.archive import read_bundle
from flawscope.bundle.verify import verify
from flawscope.errors import RecipeError, UserError
from flawscope.inspection.tables import read_results
from flawscope.steps.workspace import Run

Copy = Callable[[], tuple[Path, Path]]
COSTS = {"escape": 100, "overkill": 10, "review": 2, "prevalence": 0.02}


def asked(run: Path, **decide: Any) -> Path:
    """A run whose recipe asks for another decision."""
    recipe = run / "recipe.yaml"
    content = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    recipe.write_text(yaml.safe_dump({**content, "decide": decide}, allow_unicode=True), encoding="utf-8")
    return run


def part_by_part(rows: Any, bad_n: Any, low: float, high: float, costs: dict[str, float]) -> tuple[float, float]:
    """The expected cost of a part at the line and the share for a person, one part after the other."""
    total = looked = 0.0
    for row, bad in zip(rows, bad_n, strict=True):
        weight = costs["prevalence"] / bad_n.sum() if bad else (1 - costs["prevalence"]) / (~bad_n).sum()
        score = row.probability[0]
        person = low <= score < high
        looked += weight * person
        if person:
            total += weight * costs["review"]
        elif bad and score < low:
            total += weight * costs["escape"]
        elif not bad and score >= high:
            total += weight * costs["overkill"]
    return total, looked


def test_a_recipe_with_costs_from_seal_to_report(copied: Copy) -> None:
    run = asked(copied()[0], costs=COSTS)
    manifest = flawscope.decide(run)
    decision = manifest.sealed.decision
    assert decision is not None
    (cost,) = decision.costs
    (low,), (high,) = decision.looked_at or decision.thresholds, decision.thresholds
    assert (cost.low, cost.high, cost.prevalence) == (low, high, 0.02)
    work = Run.at(run)
    for part in ("calibration", "test"):
        if part == "test":
            metrics = flawscope.evaluate(run).metrics
        rows = read_results(work.scores(part)).rows
        bad_n = work.part(part).target_nk[:, 0] == 1
        expected, looked = part_by_part(rows, bad_n, low, high, COSTS)
        found = cost.model_dump() if part == "calibration" else metrics["three_answers"]["classes"]["nok"]
        assert found["cost"]["value"] == pytest.approx(expected)
        assert found["review"]["value"] == pytest.approx(looked)
        human_n = np.array([row.decision is not None and row.decision.human for row in rows])
        assert human_n.tolist() == [low <= row.probability[0] < high for row in rows]
    assert metrics["three_answers"]["person"]["value"] == pytest.approx(human_n.mean())
    page = flawscope.report(run).read_text(encoding="utf-8")
    shown = "\n".join(flawscope.show(run / "tiny.flawscope"))
    assert all(check.ok for check in verify(run / "tiny.flawscope"))
    for words in cost.words:
        assert words in shown
        assert words in page
    assert metrics["three_answers"]["classes"]["nok"]["words"] in page
    assert 'id="costs"' in page
