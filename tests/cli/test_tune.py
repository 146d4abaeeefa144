"""`flawscope tune`, as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli_answers import names, refused

Write = Callable[[Path, str], Path]
Cli = Callable[..., Any]
FOLDERS = "{kind: folders, root: data}"


def test_tune_searches_and_says_what_comes_next(
    cli: Cli, data: Path, tmp_path: Path, write_recipe: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import import_module

    from flawscope.training.loop import Fit, Live

    def training(run: Any, *, parts: Any, show: Any) -> Fit:
        rate = run.recipe.train.rate
        show(Live(1, 1, 1, 1, 0.5, row={"epoch": 1, "val_loss": rate}))
        return Fit(best_epoch=1, best_value=rate)

    monkeypatch.setattr(import_module("flawscope.steps.tune"), "train_in", training)
    recipe = write_recipe(tmp_path / "r.yaml", FOLDERS)
    refused(cli("tune", recipe), "no `tune` section")
    space = "tune={space: {train.rate: {low: 0.001, high: 0.1, log: true}}}"
    refused(cli("tune", recipe, "--set", "tune={space: {train.raet: {low: 1, high: 2}}}"), "did you mean 'rate'?")
    secret = ("--storage", "postgresql+nosuch://me:secret@host/x")
    hidden = cli("tune", recipe, "--set", space, *secret)
    refused(hidden, "postgresql+nosuch://me:***@host/x cannot be used")
    assert "secret" not in hidden.err + hidden.out
    assert names(tmp_path) == ["data", "r.yaml", "tunings"]
    answer = cli("tune", recipe, "--set", space, "--trials", 3)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.count("\ntrial ") == 3
    assert "best: trial " in answer.out
    assert "(chosen, so too good)" in answer.out
    assert "next, measured on the test split: flawscope run tunings/tiny/best.yaml" in answer.out
    refused(cli("tune", recipe, "--set", space), "exists already", "--resume")
    assert cli("tune", recipe, "--set", space, "--trials", 4, "--resume").out.count("\ntrial ") == 1
