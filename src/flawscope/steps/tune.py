"""`flawscope tune`: search the best settings of a recipe, watched on the validation split only.

TUNING/study.db        the trials (unless --storage names another database)
TUNING/split.json      the split, made once and proven; proof.json
TUNING/trials.csv      one row a trial
TUNING/tune.json       everything that the page shows
TUNING/index.html      the page
TUNING/best.yaml       the recipe of the best trial, ready to run
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import optuna
import yaml

from flawscope.data.split import check_split
from flawscope.data.split_file import load_split
from flawscope.errors import DataError, ImageError, OutputError, RecipeError, SplitError, UserError, listing, reason
from flawscope.pages.tune import write_tuning
from flawscope.records import Part, Samples, fingerprint
from flawscope.steps import provenance
from flawscope.steps.split import Proven, split_samples
from flawscope.steps.train import check_parts, check_weights, counted_line, train_in
from flawscope.steps.workspace import Run, Say, read_json, samples_of
from flawscope.storage import check_replaceable, write_json, write_text, writing
from flawscope.training import study as trials_of
from flawscope.training.loop import Live
from flawscope.training.recipe import PATHS, Recipe, load_recipe
from flawscope.training.study import TrialRecord, best_of, count_ended, open_study, records, shown, told
from flawscope.training.trial_table import row_of, sentence, value_at, write_table
from flawscope.training.tune_spec import number_or_label
from flawscope.wording import counted

SEEN: tuple[Part, ...] = ("train", "validation")
"""The parts that a trial opens. The others stay closed: calibration and test belong to `flawscope run`."""
NOT_THE_SETTINGS = (DataError, ImageError, SplitError, OutputError)
"""What no other settings would mend: the study stops."""
EXISTS = "go on in it with --resume, choose another name (-o), or begin anew with --overwrite"
Show = Callable[[Live], None]


class _Failed(Exception):
    """A trial whose settings could not be trained."""


@dataclass(frozen=True)
class Tuned:
    """A tuning folder and what has come of the study so far, as in tune.json."""

    folder: Path
    document: Mapping[str, Any]

    @property
    def best(self) -> Path:
        """The recipe of the best trial."""
        return self.folder / "best.yaml"

    @property
    def page(self) -> Path:
        """The page about the study."""
        return self.folder / "index.html"


@dataclass(frozen=True)
class Work:
    """What every trial of a study shares."""

    folder: Path
    recipe: Recipe
    samples: Samples
    proven: Proven
    study: optuna.Study
    url: str
    trials: int

    @property
    def cache(self) -> Path:
        """Decoded images, shared by studies."""
        return self.folder.parent / ".cache"


def tune(
    recipe: str | Path,
    folder: str | Path | None = None,
    *,
    trials: int | None = None,
    storage: str | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    resume: bool = False,
    say: Say = lambda words: None,
) -> Tuned:
    """Search the space of the recipe's `tune` section, and document each trial.

    Every trial learns from the training part and is compared by the best watched value on the validation part. The
    calibration and test parts are not opened. The best value was chosen: only `flawscope run` on best.yaml measures.

    Args:
        recipe: the recipe's file.
        folder: the tuning folder; by default tunings/NAME.
        trials: how many trials in all, earlier ones counted; by default what the recipe says.
        storage: SQL URL of a database that processes on many machines share; by default a file in the folder.
        overrides: `key=value` on top of the recipe.
        overwrite: replace a tuning folder that exists.
        resume: go on with the study in the folder. With `storage` this goes without saying.
        say: is told in words what goes on.

    Raises:
        UserError: recipe, data, split or database cannot be used, the study is another one, or no trial ended well.
    """
    asked = load_recipe(recipe, overrides)
    if asked.tune is None:
        raise RecipeError(
            "the recipe has no `tune` section: there is nothing to search", "see docs/how-to.md for an example"
        )
    if trials is not None and trials < 1:
        raise UserError(f"--trials {trials}: expected at least 1")
    target = Path(folder) if folder else Path("tunings") / asked.name
    _check_place(target, storage, overwrite=overwrite, resume=resume)
    if not resume:
        check_weights(asked)
    say(f"reading {asked.data.kind} data")
    samples = samples_of(asked, say)
    proven = split_once(target, asked, samples, anew=overwrite)
    check_parts(proven.split, samples)
    for words in proven.split.notes:
        say(f"note: {words}")
    url = storage or f"sqlite:///{target / 'study.db'}"
    study = _opened(target, url, asked, identity(asked, samples, proven), anew=overwrite)
    work = Work(target, asked, samples, proven, study, url, trials or asked.tune.trials)
    _keep_split(work)
    with told(url):
        try:
            search(work, say)
        finally:
            made = write_results(work)
            say("writing the page")
            write_tuning(target, made.document)
    if made.document["best"] is None:
        why = [f"trial {row['number']}: {row['reason']}" for row in made.document["trials"] if row["reason"]]
        raise UserError(f"no trial ended well:\n{listing(why or ['none has come to an end'])}", "mend the recipe")
    return made


def identity(recipe: Recipe, samples: Samples, proven: Proven) -> dict[str, str]:
    """What must be the same in every process that works on a study, and whenever it goes on."""
    assert recipe.tune is not None
    searched = recipe.tune.model_dump(mode="json", exclude={"trials"})
    weights = searched["space"].get("model.weights")
    if weights is not None:  # where they lie does not count
        weights["choices"] = [Path(str(each)).name for each in weights["choices"]]
    return {"recipe": fingerprint([recipe.hash, searched]), "data": samples.hash, "split": proven.split.hash}


def is_tuning(folder: Path) -> bool:
    """Whether a folder holds a study."""
    ours = any((folder / name).is_file() for name in ("study.db", "tune.json", "split.json"))
    return ours and not (folder / "recipe.yaml").is_file()  # which a run folder has


def _check_place(target: Path, storage: str | None, *, overwrite: bool, resume: bool) -> None:
    if overwrite and resume:
        raise UserError("--overwrite begins anew and --resume goes on: give one of them")
    if overwrite and storage is not None:
        raise UserError(
            "--overwrite does not empty a database that others may use", "begin a study of another name: --set name=..."
        )
    if not target.exists():
        return
    if not (resume or storage is not None):
        check_replaceable(target, overwrite, EXISTS, kind="a tuning folder", ours=is_tuning)
        return
    if not target.is_dir() or (any(target.iterdir()) and not is_tuning(target)):
        raise OutputError(f"{target} is not a tuning folder", "choose another name (-o)")
    known = target / "tune.json"
    if known.is_file():
        before = read_json(known)["storage"]
        if before != (shown(storage) if storage else "study.db"):
            raise UserError(
                f"{target} belongs to a study in {before}",
                "choose another folder (-o)" if before == "study.db" else f"name its database: --storage {before}",
            )


def _opened(target: Path, url: str, recipe: Recipe, same: Mapping[str, str], *, anew: bool) -> optuna.Study:
    """The study, its folder made; a folder in which nothing has come of it vanishes again."""
    with writing(target):
        if anew:
            shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True, exist_ok=True)
    try:
        return open_study(url, recipe, same)
    except UserError:
        with suppress(OSError):
            target.rmdir()
        raise


def split_once(folder: Path, recipe: Recipe, samples: Samples, *, anew: bool) -> Proven:
    """The split that the study has, or a new one, proven.

    Raises:
        DataError: the data have changed since.
    """
    file, proof = folder / "split.json", folder / "proof.json"
    if anew or not file.is_file():
        return split_samples(recipe, samples, cache=folder.parent / ".cache")[0]
    made = load_split(file)
    if set(made.part) - {row.id for row in samples.rows}:
        raise DataError(f"the data of {folder} have changed since it was made", "restore them, or begin anew")
    check_split(made, samples, groups=recipe.split.respected)
    return Proven(made, read_json(proof) if proof.is_file() else None)


def _keep_split(work: Work) -> None:
    if not (work.folder / "split.json").is_file():
        work.proven.save(work.folder)


def search(work: Work, say: Say) -> None:
    """Trial after trial, until the study has as many as were asked for, whoever made them."""
    study = work.study
    for number in trials_of.bury_the_dead(study):
        say(f"trial {number} was interrupted; its settings are tried again")
    if not any(trial.state == "running" for trial in records(study, work.recipe)):
        for left in work.folder.glob(".trial-*"):
            shutil.rmtree(left, ignore_errors=True)
    ended: list[int] = []
    with counted_line(work.trials, "trials") as show:
        while True:
            trials_of.fail_the_silent(study)
            trials = records(study, work.recipe)
            done, running = count_ended(trials), sum(trial.state == "running" for trial in trials)
            if done + running >= work.trials:
                break
            study.optimize(
                partial(one_trial, work, partial(show, done)),
                n_trials=1,
                catch=(_Failed,),
                callbacks=[lambda _, trial: ended.append(trial.number)],
            )
            write_results(work)
            trials = records(study, work.recipe)
            say(sentence(trials[ended[-1]], best_of(trials), work.recipe.train.watch))
    if running:
        say(f"{running} of the trials run elsewhere still: --resume brings them onto the page when they have ended")


def one_trial(work: Work, show: Show, trial: optuna.Trial) -> float:
    """Train with the settings of a trial; the best watched value over its epochs."""
    trial.set_user_attr(trials_of.WORKER, trials_of.worker())
    settings = trials_of.settings_of(trial, work.recipe)
    watched = f"val_{work.recipe.train.watch}"
    started = time.perf_counter()

    def after_step(live: Live) -> None:
        show(live)
        if live.row:
            trial.report(live.row[watched], step=live.epoch)
            if live.epoch < live.epochs and trial.should_prune():
                raise optuna.TrialPruned

    try:
        tried = work.recipe.changed(settings)
        with TemporaryDirectory(prefix=f".trial-{trial.number}-", dir=work.folder) as scratch:
            run = Run(Path(scratch), work.cache)
            run.recipe, run.samples, run.split = tried, work.samples, work.proven.split
            fitted = train_in(run, parts=SEEN, show=after_step)
        trial.set_user_attr(trials_of.CHOSEN, fitted.best_epoch)
        return fitted.best_value
    except NOT_THE_SETTINGS:
        trials_of.try_again(work.study, trial)
        raise
    except (UserError, RuntimeError, MemoryError) as error:  # torch says with a RuntimeError that memory is full
        words = error.problem if isinstance(error, UserError) else reason(error)
        trial.set_user_attr(trials_of.REASON, " ".join(words.split()))
        raise _Failed from error
    except KeyboardInterrupt:
        trials_of.try_again(work.study, trial)
        raise
    finally:
        trial.set_user_attr(trials_of.SECONDS, round(time.perf_counter() - started, 1))


def write_results(work: Work) -> Tuned:
    """Write trials.csv, tune.json and best.yaml as the study stands."""
    trials = records(work.study, work.recipe)
    made = Tuned(work.folder, document(work, trials))
    write_table(work.folder / "trials.csv", made.document)
    best = best_of(trials)
    if best is not None:
        write_text(made.best, best_recipe(work, best, count_ended(trials)))
    write_json(work.folder / "tune.json", made.document)
    return made


def document(work: Work, trials: Sequence[TrialRecord]) -> dict[str, Any]:
    """Everything about a study as plain data."""
    recipe, split, best = work.recipe, work.proven.split, best_of(trials)
    assert recipe.tune is not None
    rows = [row_of(trial) for trial in trials]
    default = work.url == f"sqlite:///{work.folder / 'study.db'}"
    return {
        "schema": 1,
        "study": recipe.name,
        "storage": "study.db" if default else shown(work.url),
        "watch": recipe.train.watch,
        "direction": "minimise" if recipe.train.watch == "loss" else "maximise",
        "asked": work.trials,
        "recipe": {"name": recipe.name, "hash": recipe.hash},
        "data": {"name": work.samples.name, "images": len(work.samples), "hash": work.samples.hash},
        "split": {
            "hash": split.hash,
            "stamp": split.stamp,
            "method": split.method,
            **{part: len(split.ids(part)) for part in SEEN},
            "groups": {part: len({split.group[each] for each in split.ids(part)}) for part in SEEN},
        },
        "tune": recipe.tune.model_dump(mode="json", exclude={"trials"}),
        "as_given": {key: value_at(recipe, key) for key in recipe.tune.space},
        "counts": {state: sum(row["state"] == state for row in rows) for state in (*trials_of.ENDED, "interrupted")},
        "trials": rows,
        "best": row_of(best) if best else None,
        "best_recipe": changed(recipe, best).dump(folders=False) if best else "",
        "importance": trials_of.importance(work.study, recipe),
        "provenance": {
            "command": provenance.command().replace(work.url, shown(work.url)),
            "date": provenance.today(),
            "code": provenance.code_version(),
            "machine": provenance.machine(),
            "versions": f"{provenance.versions()}, optuna {optuna.__version__}",
        },
    }


def changed(recipe: Recipe, best: TrialRecord) -> Recipe:
    """The recipe with the best settings, under a name of its own: so its run stands beside that of the recipe."""
    return recipe.changed({**best.settings, "name": f"{recipe.name}-best"})


def best_recipe(work: Work, best: TrialRecord, ended: int) -> str:
    """The recipe of the best trial as YAML, with a word on where it comes from. Paths below the present folder are
    written relative to the file, as recipes have them."""
    assert best.best is not None
    content = yaml.safe_load(changed(work.recipe, best).dump())
    for section, key in PATHS:
        given = content[section].get(key)
        if given and Path(given).is_absolute() and Path(given).is_relative_to(Path.cwd()):
            content[section][key] = Path(os.path.relpath(given, work.folder.absolute())).as_posix()
    lines = [
        f"The best of {counted(ended, 'trials')} of `flawscope tune`: study {work.recipe.name}, trial {best.number}, "
        f"val_{work.recipe.train.watch} {best.best[1]:.4f} in epoch {best.best[0]}.",
        "That is a number of the validation split, chosen as the best, and so too good. What it reaches on the test",
        "split, which no trial has opened, says only: flawscope run best.yaml",
        f"It makes the same split again from the same data and seed: {work.proven.split.hash}",
        *(f"{key}: {number_or_label(value)}" for key, value in best.settings.items()),
    ]
    head = "".join(f"# {line}\n" for line in lines)
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None)
