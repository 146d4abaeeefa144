"""Decisions by costs in a run: from the recipe over the seal to the test part, in numbers and in words."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import flawscope
from flawscope.bundle.archive import read_bundle
from flawscope.bundle.verify import verify
from flawscope.cli.app import app
from flawscope.errors import RecipeError, UserError
from flawscope.inspection.tables import read_results
from flawscope.steps.report import run_content
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


def test_what_is_for_a_person_is_no_mistake_wherever_it_is_told(copied: Copy, tmp_path: Path) -> None:
    """Looking is nearly free, so all that is not sure is for a person; against the scores, one part after the other."""
    run = asked(copied()[0], costs={"escape": 10, "overkill": 10, "review": 0.01})
    decision = flawscope.decide(run).sealed.decision
    assert decision is not None
    metrics = flawscope.evaluate(run).metrics
    rows = read_results(Run.at(run).scores("test")).rows
    truth = {row.id: "nok" if row.target[0] else "ok" for row in Run.at(run).part("test").rows}
    table = {(true, said): 0 for true in ("ok", "nok") for said in ("ok", "nok", "human")}
    for row in rows:
        assert row.decision is not None
        table[truth[row.name], row.decision.label] += 1
    assert metrics["confusion"]["columns"] == ["ok", "nok", "human"]
    assert metrics["confusion"]["matrix"] == [
        [table[true, said] for said in ("ok", "nok", "human")] for true in ("ok", "nok")
    ]
    assert metrics["for_a_person"]["n"] == table["ok", "human"] + table["nok", "human"] > 0
    assert metrics["headline"][-1]["interval"] == metrics["three_answers"]["person"]
    entry = metrics["classes"]["nok"]
    for key, rate in (("escape", "escape rate"), ("overkill", "overkill rate")):
        assert entry["measures"][rate] == metrics["three_answers"]["classes"]["nok"][key]
    content = run_content(Run.at(run))
    wrong = {row.name for row in rows if row.decision and row.decision.label not in ("human", truth[row.name])}
    human = {row.name for row in rows if row.decision and row.decision.human}
    assert {picture.name for picture in content.mistakes} == wrong
    assert {picture.name for picture in content.for_a_person} == human
    assert all((picture.kind == "person-bad") == (truth[picture.name] == "nok") for picture in content.for_a_person)
    shown = "\n".join(flawscope.show(run / "tiny.flawscope"))
    assert f"review load {metrics['headline'][-1]['interval']['value']:.3f}" in shown
    said = " ".join(CliRunner().invoke(app, ["report", str(run)]).output.split())
    assert all(words in said for words in ("review load", *metrics["classes"]["nok"]["answers"]))
    made = flawscope.compare([shutil.copytree(run, tmp_path / "again"), run], tmp_path / "compared").document
    assert sum("has three answers" in note for note in made["notes"]) == 2
    assert made["differences"][0]["difference"]["value"] == 0


def test_a_bundle_is_decided_again_by_costs(finished: Any, tmp_path: Path) -> None:
    new = tmp_path / "new.flawscope"
    manifest = flawscope.decide(finished.bundle, finished.folder, new, costs=COSTS)
    decision, parent = manifest.sealed.decision, read_bundle(finished.bundle).manifest
    assert decision is not None
    assert (decision.rule, manifest.parent, manifest.seal != parent.seal) == ("costs", parent.seal, True)
    run = Run.at(finished.folder)
    rows = read_results(run.scores("calibration")).rows
    bad_n = run.part("calibration").target_nk[:, 0] == 1
    low = (decision.looked_at or decision.thresholds)[0]
    assert decision.costs[0].cost is not None
    expected = part_by_part(rows, bad_n, low, decision.thresholds[0], COSTS)[0]
    assert decision.costs[0].cost.value == pytest.approx(expected)
    assert any("of the calibration part, which chose the thresholds" in words for words in decision.costs[0].words)


def test_data_of_one_kind_only_are_answered_in_words(finished: Any, draw: Any, tmp_path: Path) -> None:
    for seed in range(700, 705):
        draw(tmp_path / "good" / "ok" / f"{seed}.png", seed)
        draw(tmp_path / "more" / "ok" / f"{seed}.png", seed + 50)
    new = tmp_path / "new.flawscope"
    decision = flawscope.decide(finished.bundle, tmp_path / "good", new, costs=COSTS).sealed.decision
    assert decision is not None
    assert (decision.thresholds, decision.looked_at, decision.costs[0].cost) == ((0.5,), (), None)
    assert "the data set 'good' holds no nok images" in decision.costs[0].words[0]
    assert any("NOT CHOSEN BY COSTS" in words for words in flawscope.show(new))
    found = flawscope.evaluate(new, tmp_path / "more").metrics["three_answers"]
    assert "there are no nok images among them" in found["classes"]["nok"]["words"]


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ({"escape": 0, "overkill": 10}, "--cost-escape 0: expected a number above 0"),
        ({"escape": 100}, "--cost-overkill is missing"),
    ],
)
def test_costs_that_cannot_be(finished: Any, costs: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        flawscope.decide(finished.bundle, finished.folder, costs=costs)


def test_costs_and_a_contract_exclude_each_other(finished: Any) -> None:
    with pytest.raises(UserError, match="are two rules for one threshold"):
        flawscope.decide(finished.bundle, finished.folder, costs=COSTS, max_escape=0.1)


def test_a_multiclass_task_is_refused_before_anything_is_trained(draw: Any, write_recipe: Any, tmp_path: Path) -> None:
    for seed in range(30):
        draw(tmp_path / "data" / "abc"[seed % 3] / f"{seed}.png", seed, [seed % 3])
    recipe = write_recipe(tmp_path / "recipe.yaml", "{kind: folders, root: data}")
    with pytest.raises(RecipeError, match=r"exclude each other(?s:.)*learn good against bad"):
        flawscope.run(recipe, tmp_path / "run", overrides=["decide.costs={escape: 100, overkill: 10}"])


def test_the_terminal_says_it(finished: Any, tmp_path: Path, draw: Any) -> None:
    new, asked_for = tmp_path / "new.flawscope", ["--cost-escape", "5", "--cost-overkill", "5", "--cost-review", "0.1"]
    decided = CliRunner().invoke(
        app, ["decide", str(finished.bundle), str(finished.folder), *asked_for, "-o", str(new)]
    )
    assert "Costs, nok: A part is rejected" in " ".join(decided.output.split())
    for seed in range(900, 912):
        draw(tmp_path / "data" / ("nok" if seed % 2 else "ok") / f"{seed}.png", seed, [seed % 4] if seed % 2 else ())
    said = CliRunner().invoke(app, ["evaluate", str(new), str(tmp_path / "data")])
    assert "costs of nok on these images: Expected cost" in said.output
    table = tmp_path / "results.csv"
    said = CliRunner().invoke(app, ["inspect", str(new), str(tmp_path / "data"), "-o", str(table)])
    human = sum(row.decision is not None and row.decision.human for row in read_results(table).rows)
    assert human > 0
    assert f"{human} of these: a person has to look" in said.output
