"""The study of `flawscope tune` in Optuna's words: database, sampler, pruner, and what its trials came to.

Source: Akiba et al., Optuna, KDD 2019. Torch-free.
"""

from __future__ import annotations

import math
import os
import re
import socket
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from flawscope.errors import UserError, reason
from flawscope.training.recipe import Recipe
from flawscope.training.tune_spec import Searched, TuneSpec, integers
from flawscope.wording import counted

State = Literal["finished", "pruned", "failed", "interrupted", "running", "waiting"]
ENDED: tuple[State, ...] = ("finished", "pruned", "failed")
FEWEST = 10
"""Finished trials below which nothing is said about the effect of a key."""
HEARTBEAT, GRACE = 30, 120
"""Seconds between two signs of life of a running trial, and after which it is taken for dead."""
WAITS = (0.2, 1.0, 3.0)
"""Seconds until a database is asked again whose tables another process is about to make."""
WORKER, REASON, SECONDS, CHOSEN, AGAIN = "worker", "reason", "seconds", "best_epoch", "again"
IDENTITY = "flawscope"
_STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


@dataclass(frozen=True)
class TrialRecord:
    """One trial: its settings, the watched measure after each epoch, and how it ended.

    `curve` holds (epoch, value) pairs, epochs counting from 1. `chosen` is the best epoch as the training says, which
    weighs the loss where epochs are equal; none where the training has not ended. `again` is the number of the
    interrupted trial whose settings were tried again.
    """

    number: int
    state: State
    settings: Mapping[str, Any]
    curve: tuple[tuple[int, float], ...] = ()
    minimise: bool = False
    chosen: int | None = None
    seconds: float | None = None
    reason: str = ""
    again: int | None = None

    @property
    def best(self) -> tuple[int, float] | None:
        """The best epoch and its value; none before the first epoch has ended."""
        if not self.curve:
            return None
        if self.chosen is not None:
            return self.chosen, dict(self.curve)[self.chosen]
        sign = 1.0 if self.minimise else -1.0
        return min(self.curve, key=lambda point: (sign * point[1], point[0]))


def shown(url: str) -> str:
    """A database's URL without its password.

    >>> shown("postgresql://me:secret@db/tunings"), shown("sqlite:///study.db")
    ('postgresql://me:***@db/tunings', 'sqlite:///study.db')
    """
    return re.sub(r"(?<=://)([^:/@]*):.*@", r"\1:***@", url)


@contextmanager
def told(url: str) -> Iterator[None]:
    """Turn what the database says into an error that names it without its password.

    Raises:
        UserError: it cannot be reached, or is none.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError, ImportError) as error:
        first: BaseException = error
        while isinstance(first, StorageInternalError) and first.__cause__ is not None:
            first = first.__cause__
        words = reason(first).replace(url, shown(url))
        secret = re.search(r"://[^:/@]*:(.*)@", url)
        if secret and secret[1]:
            words = words.replace(secret[1], "***")
        raise UserError(
            f"the database {shown(url)} cannot be used: {words}",
            "name one that is there, such as sqlite:///study.db or postgresql://user:password@host/name; "
            "PostgreSQL also needs its driver (pip install psycopg2-binary)",
        ) from None


def open_study(url: str, recipe: Recipe, identity: Mapping[str, str]) -> Study:
    """The study of a recipe in a database, new or begun before.

    Args:
        url: the database.
        recipe: names the study; its `tune` section says how it is searched.
        identity: what must be the same in all processes and every time the study goes on, by name.

    Raises:
        UserError: the database cannot be used, or holds another study of this name.
    """
    assert recipe.tune is not None
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # our own lines say it
    with told(url), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study = optuna.create_study(
            storage=_storage(url),
            study_name=recipe.name,
            direction="minimize" if recipe.train.watch == "loss" else "maximize",
            load_if_exists=True,
            sampler=NumberedSampler(recipe.tune),
            pruner=pruner(recipe.tune),
        )
        found = study.user_attrs.get(IDENTITY)
        if found is None:
            study.set_user_attr(IDENTITY, dict(identity))
            found = study.user_attrs[IDENTITY]  # of two that begin together, what the later one has written
    if found != dict(identity):
        other = [name for name in identity if found.get(name) != identity[name]]
        raise UserError(
            f"the study {recipe.name!r} in {shown(url)} was begun with another {' and another '.join(other)}",
            "bring back what it was begun with, or begin a study of another name (--set name=...)",
        )
    return study


def _storage(url: str) -> RDBStorage:
    """The database; of processes that begin in a new one together the first makes its tables, and the others wait."""
    patient = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    opened = partial(
        RDBStorage,
        url,
        engine_kwargs=patient,
        heartbeat_interval=HEARTBEAT,
        grace_period=GRACE,
        heartbeat_stale_trial_callback=try_again,
    )
    for seconds in WAITS:
        try:
            return opened()
        except DBAPIError as error:
            if not isinstance(error, IntegrityError) and "already exists" not in str(error):
                raise
        time.sleep(seconds)
    return opened()


class NumberedSampler(BaseSampler):
    """Draws that depend on seed, trial number and the trials before, not on which process draws, or how often it began.

    So a study that goes on draws what it would have drawn without the interruption, and two processes never draw alike.
    """

    def __init__(self, spec: TuneSpec) -> None:
        self.spec = spec
        self.inner: BaseSampler = RandomSampler(seed=spec.seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Begin to draw for a trial."""
        seed = int(np.random.SeedSequence([self.spec.seed, trial.number]).generate_state(1)[0])
        self.inner = TPESampler(seed=seed) if self.spec.sampler == "tpe" else RandomSampler(seed=seed)
        self.inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the sampler of this trial does it."""
        return self.inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler of this trial does it."""
        return self.inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As the sampler of this trial does it."""
        return self.inner.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """As the sampler of this trial does it."""
        self.inner.after_trial(study, trial, state, values)


def pruner(spec: TuneSpec) -> BasePruner:
    """What stops trials that are going badly."""
    if spec.pruner == "none":
        return NopPruner()
    return MedianPruner(n_startup_trials=spec.first, n_warmup_steps=spec.warm_up + 1)  # it counts epochs from 1


def settings_of(trial: optuna.Trial, recipe: Recipe) -> dict[str, Any]:
    """What a trial is to try: a value for each key that is searched."""
    assert recipe.tune is not None
    return {key: _suggested(trial, key, searched) for key, searched in recipe.tune.space.items()}


def _suggested(trial: optuna.Trial, key: str, searched: Searched) -> Any:
    if searched.choices is not None:
        return searched.choices[searched.labels.index(trial.suggest_categorical(key, searched.labels))]
    low, high, step, log = searched.low, searched.high, searched.step, searched.log
    assert low is not None and high is not None
    if integers(key, searched, Recipe):
        return trial.suggest_int(key, int(low), int(high), step=int(step or 1), log=log)
    return trial.suggest_float(key, low, high, step=step, log=log)


def records(study: Study, recipe: Recipe) -> list[TrialRecord]:
    """All trials of a study by number."""
    assert recipe.tune is not None
    return [_record(trial, recipe.tune.space, recipe.train.watch) for trial in study.get_trials(deepcopy=False)]


def _record(trial: FrozenTrial, space: Mapping[str, Searched], watch: str) -> TrialRecord:
    told_why = str(trial.user_attrs.get(REASON, ""))
    state: State = _STATES.get(trial.state) or ("failed" if told_why else "interrupted")
    settings = {key: _value(space[key], value) for key, value in trial.params.items() if key in space}
    return TrialRecord(
        number=trial.number,
        state=state,
        settings={key: settings[key] for key in space if key in settings},
        curve=tuple((epoch, value) for epoch, value in sorted(trial.intermediate_values.items())),
        minimise=watch == "loss",
        chosen=trial.user_attrs.get(CHOSEN),
        seconds=trial.user_attrs.get(SECONDS),
        reason=told_why if state == "failed" else "",
        again=trial.user_attrs.get(AGAIN),
    )


def _value(searched: Searched, drawn: Any) -> Any:
    return drawn if searched.choices is None else searched.choices[searched.labels.index(drawn)]


def best_of(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """The best finished trial; of equal ones the first."""
    found = [(trial, trial.best[1]) for trial in trials if trial.state == "finished" and trial.best]
    ranked = sorted(found, key=lambda pair: (pair[1] if pair[0].minimise else -pair[1], pair[0].number))
    return ranked[0][0] if ranked else None


def try_again(study: Study, trial: FrozenTrial | optuna.Trial) -> None:
    """Queue the settings of a trial that was interrupted."""
    if trial.params:
        study.enqueue_trial(trial.params, user_attrs={AGAIN: trial.number})


def worker() -> str:
    """This process, by machine and number."""
    return f"{socket.gethostname()} {os.getpid()}"


def bury_the_dead(study: Study) -> list[int]:
    """Mark trials whose process on this machine is gone, and queue their settings; returns their numbers.

    Those of other machines are found by their heartbeat, which stops with them.
    """
    found = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        host, _, process = str(trial.user_attrs.get(WORKER, "")).rpartition(" ")
        if host == socket.gethostname() and not _alive(int(process)):
            with suppress(ValueError):  # another process was faster
                study.tell(trial.number, state=TrialState.FAIL)
                try_again(study, trial)
                found.append(trial.number)
    return found


def _alive(process: int) -> bool:
    if process == os.getpid() or os.name == "nt":  # there, asking would kill it; the heartbeat tells
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def importance(study: Study, recipe: Recipe) -> dict[str, Any]:
    """How much of the spread of the finished trials each key explains, by fANOVA (Hutter et al., ICML 2014).

    Returns: `method`, the number of finished `trials`, and either `values` (shares by key, which sum to 1, largest
    first) or the `reason` why there are none.
    """
    assert recipe.tune is not None
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    facts: dict[str, Any] = {"method": "fANOVA", "trials": len(finished)}
    if len(finished) < FEWEST:
        return facts | {"reason": f"only {counted(len(finished), 'trials', 'have')} finished, {FEWEST} are needed"}
    if len({trial.value for trial in finished}) == 1:
        return facts | {"reason": "all finished trials came to the same value"}
    found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    if not all(math.isfinite(share) for share in found.values()):
        return facts | {"reason": "no key explains anything of the spread"}
    return facts | {"values": {key: round(share, 4) for key, share in found.items()}}


def count_ended(trials: Sequence[TrialRecord]) -> int:
    """Trials that have come to an end; interrupted ones do not count, they are tried again."""
    return sum(trial.state in ENDED for trial in trials)


def fail_the_silent(study: Study) -> None:
    """Mark trials that have given no sign of life for too long, and queue their settings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
