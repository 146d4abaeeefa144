"""The study: what is drawn, what is kept of interrupted trials, and whose study it is."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.exc import IntegrityError

from flawscope.errors import UserError
from flawscope.training import study as trials_of
from flawscope.training.recipe import Recipe, parse_recipe
from flawscope.training.study import TrialRecord, best_of, open_study, records, settings_of, shown

SPACE: dict[str, Any] = {
    "train.rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "train.batch_size": {"low": 8, "high": 32, "step": 8},
    "train.augment.zoom": {"choices": [[1, 1], [0.8, 1.2]]},
    "train.optimiser": {"choices": ["adamw", "sgd"]},
}


def recipe(watch: str = "auroc", **tune: Any) -> Recipe:
    return parse_recipe(
        {"name": "s", "data": {"kind": "elpv"}, "train": {"watch": watch}, "tune": {"space": SPACE, **tune}}
    )


def opened(folder: Path, asked: Recipe, **identity: str) -> optuna.Study:
    return open_study(f"sqlite:///{folder / 'study.db'}", asked, {"recipe": "r", "data": "d", **identity})


def drawn(study: optuna.Study, asked: Recipe, n: int) -> list[dict[str, Any]]:
    found = []
    for _ in range(n):
        trial = study.ask()
        found.append(settings_of(trial, asked))
        study.tell(trial, found[-1]["train.rate"])
    return found


def test_processes_that_begin_together_share_a_new_database(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:2]; import test_study as t; from pathlib import Path;"
        "print(len(t.opened(Path(sys.argv[2]), t.recipe()).trials))"
    )
    words = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    ends = [(*each.communicate(timeout=120), each.returncode) for each in both]
    assert [(out.strip(), code) for out, _, code in ends] == [("0", 0)] * 4, ends


def test_a_database_whose_tables_another_is_making_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = trials_of.RDBStorage, []

    def late(*given: Any, **more: Any) -> Any:
        asked.append(given)
        if len(asked) < 3:
            raise IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed: alembic_version.version_num"))
        return real(*given, **more)

    monkeypatch.setattr(trials_of, "RDBStorage", late)
    monkeypatch.setattr(trials_of, "WAITS", (0.0, 0.0, 0.0))
    assert opened(tmp_path, recipe()).trials == []
    assert len(asked) == 3
    asked.clear()
    monkeypatch.setattr(trials_of, "WAITS", (0.0,))
    with pytest.raises(UserError, match="cannot be used"):
        opened(tmp_path, recipe())


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_draws_depend_on_seed_and_number_not_on_how_often_it_began(tmp_path: Path, sampler: str) -> None:
    asked = recipe(sampler=sampler, seed=3)
    for name in ("once", "twice", "other"):
        (tmp_path / name).mkdir()
    once = drawn(opened(tmp_path / "once", asked), asked, 13)  # tpe looks at values from 10 trials on
    twice = drawn(opened(tmp_path / "twice", asked), asked, 4) + drawn(opened(tmp_path / "twice", asked), asked, 9)
    assert once == twice
    assert len({str(each) for each in once}) == 13
    assert {each["train.batch_size"] for each in once} <= {8, 16, 24, 32}
    assert all(isinstance(each["train.batch_size"], int) for each in once)
    assert {str(each["train.augment.zoom"]) for each in once} == {"[1, 1]", "[0.8, 1.2]"}
    assert drawn(opened(tmp_path / "other", recipe(sampler=sampler, seed=4)), asked, 1) != once[:1]


def test_another_study_of_the_same_name_is_refused(tmp_path: Path) -> None:
    opened(tmp_path, recipe())
    opened(tmp_path, recipe())
    with pytest.raises(UserError, match=r"begun with another data(?s:.)*--set name="):
        opened(tmp_path, recipe(), data="other")


@pytest.mark.parametrize(
    "url",
    [
        "study.db",
        "nosuch://user:secret@host/x",
        "postgresql+nosuch://me:secret@host/x",
        "sqlite:////no/such/place/s.db",
    ],
)
def test_databases_that_cannot_be_used_are_named_without_the_password(url: str) -> None:
    with pytest.raises(UserError, match="cannot be used") as caught:
        open_study(url, recipe(), {})
    assert "secret" not in str(caught.value)
    assert shown(url) in str(caught.value)
    assert "sqlite:///study.db" in caught.value.remedy


def test_a_password_with_odd_signs_is_hidden() -> None:
    assert shown("mysql://me:a@b:c@host/x") == "mysql://me:***@host/x"
    assert shown("postgresql://me@host/x") == "postgresql://me@host/x"


def test_trials_of_dead_processes_are_buried_and_tried_again(tmp_path: Path) -> None:
    asked = recipe()
    study = opened(tmp_path, asked)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    trials = [study.ask() for _ in range(3)]
    for trial, worker in zip(
        trials, (f"{socket.gethostname()} {gone.pid}", trials_of.worker(), f"elsewhere {gone.pid}"), strict=True
    ):
        trial.set_user_attr(trials_of.WORKER, worker)
        settings = settings_of(trial, asked)
        if trial.number == 0:
            lost = settings
    assert trials_of.bury_the_dead(study) == [0]
    assert trials_of.bury_the_dead(study) == []
    found = records(study, asked)
    assert [each.state for each in found] == ["interrupted", "running", "running", "waiting"]
    assert settings_of(study.ask(), asked) == lost
    assert records(study, asked)[3].again == 0


def test_the_best_trial_is_a_finished_one_and_of_equals_the_first() -> None:
    def trial(number: int, state: Any, *values: float, minimise: bool = False) -> TrialRecord:
        return TrialRecord(number, state, {}, tuple(enumerate(values, 1)), minimise)

    some = [trial(0, "finished", 0.5, 0.7), trial(1, "finished", 0.8, 0.6), trial(2, "finished", 0.8)]
    best = best_of([*some, trial(3, "pruned", 0.9), trial(4, "failed", 0.95), trial(5, "running", 0.99)])
    assert best is not None
    assert (best.number, best.best) == (1, (1, 0.8))
    losses = [trial(0, "finished", 0.5, 0.7, minimise=True), trial(1, "finished", 0.8, 0.4, minimise=True)]
    lowest = best_of(losses)
    assert lowest is not None
    assert lowest.best == (2, 0.4)
    assert best_of([trial(3, "pruned", 0.9)]) is None


def test_importance_finds_the_one_key_that_matters_and_says_nothing_of_few_trials(tmp_path: Path) -> None:
    asked = recipe(sampler="random")
    study = opened(tmp_path, asked)
    for number in range(24):
        trial = study.ask()
        settings = settings_of(trial, asked)
        study.tell(trial, float(settings["train.optimiser"] == "sgd") + 0.001 * settings["train.batch_size"] / 32)
        if number == 8:
            assert trials_of.importance(study, asked)["reason"] == "only 9 trials have finished, 10 are needed"
    study.tell(study.ask(), state=TrialState.FAIL)
    found = trials_of.importance(study, asked)
    assert (found["method"], found["trials"]) == ("fANOVA", 24)
    assert next(iter(found["values"])) == "train.optimiser"
    assert found["values"]["train.optimiser"] > 0.9
    assert sum(found["values"].values()) == pytest.approx(1, abs=0.001)
