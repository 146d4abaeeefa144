"""Ours beside the faithful recipe: what is kept of a comparison, in a case by hand and of two real runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flawscope.steps.workspace import read_json

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import beside_faithful
from entries import ends


def test_what_is_over_all_classes_and_of_that_run_is_kept() -> None:
    all_ends = {"value": 0.25, "low": 0.12345, "high": 0.5}
    given = dict.fromkeys(("baseline", "other", "difference"), all_ends)
    row = {"run": "ours", "class_name": "", "measure": "mean F1", **given}
    classes = [{**row, "class_name": name, "measure": "F1"} for name in ("crack", "inactive")]
    other = [*classes, {**row, "run": "another"}, {**row, "measure": "mean recall", "difference": None}]
    kept = [0.25, 0.1235, 0.5]
    found = beside_faithful.measures([row, *other], "ours")
    assert found == {"mean F1": {"baseline": kept, "other": kept, "difference": kept}}
    assert list(beside_faithful.measures([classes[0]], "ours")) == ["F1"]  # there is no other class


def test_two_real_runs(finish_run: Callable[..., Path], draw: Callable[..., None], tmp_path: Path) -> None:
    for part in range(12):
        name = "nok" if part % 2 else "ok"
        draw(tmp_path / "parts" / name / f"part{part}_0.png", part, [part % 4] if part % 2 else ())
    runs = [
        finish_run(tmp_path / name, tmp_path / "parts", weight=weight, overrides=[f"train.seed={seed}"])
        for seed, name, weight in ((0, "a", 40.0), (1, "b", -40.0))
    ]
    found = beside_faithful.measured(*runs)
    assert (found["faithful"]["seed"], found["ours"][0]["seed"]) == (0, 1)
    assert found["faithful"]["seals"] != found["ours"][0]["seals"]
    documents = [read_json(run / "metrics.json") for run in runs]
    assert found["n"] == documents[0]["n"] == documents[1]["n"]
    accuracy = found["ours"][0]["measures"]["accuracy"]
    for key, document in zip(("baseline", "other"), documents, strict=True):
        headline = {entry["name"]: entry["interval"] for entry in document["headline"]}
        assert accuracy[key] == ends(headline["accuracy"])
    assert accuracy["difference"][0] == pytest.approx(accuracy["other"][0] - accuracy["baseline"][0], abs=1e-4)
