"""The learning curve of `flawscope plan RECIPE --learning-curve`: the same recipe on ever more of the training part.

CURVE/split.json       the split, made once and proven; proof.json
CURVE/identity.json    what must be the same when it goes on
CURVE/trainings/       one file a training: what it reached, and its scores
CURVE/curve.json       everything that the page shows
CURVE/index.html       the page

Measured on the calibration part, by the exported model. The validation part has chosen the epoch, so numbers on it are
too good; the test part stays closed: whoever decides with its numbers what to collect has tuned on it.
Shapes: s sizes, r repeats, d draws, n images of the calibration part, k classes.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from flawscope.bundle.archive import read_bundle
from flawscope.bundle.runtime import Runtime
from flawscope.data.subsets import nested_subsets
from flawscope.errors import OutputError, RecipeError, UserError
from flawscope.evaluation.intervals import bootstrap_draws
from flawscope.evaluation.learning_curve import DRAWS, error_of
from flawscope.evaluation.metrics import truth
from flawscope.pages.learning_curve import write_curve
from flawscope.records import BoolArray, FloatArray, Samples, Split
from flawscope.steps.curve_document import Grown, curve_document
from flawscope.steps.decide import scores
from flawscope.steps.export import export
from flawscope.steps.split import Proven
from flawscope.steps.train import check_parts, check_weights, counted_line, train_in
from flawscope.steps.tune import EXISTS, SEEN, split_once
from flawscope.steps.workspace import Run, Say, read_json, samples_of, tell_idle
from flawscope.storage import check_replaceable, write_json, writing
from flawscope.training.loop import Live
from flawscope.training.objective import decided
from flawscope.training.recipe import Recipe, load_recipe
from flawscope.wording import counted

NOT_IN_IT = "not in this subset of the learning curve"
SCRATCH = ".training-"


@dataclass(frozen=True)
class Work:
    """What every training shares."""

    folder: Path
    recipe: Recipe
    samples: Samples
    proven: Proven

    def file(self, fraction: float, repeat: int) -> Path:
        """What has come of a training."""
        return self.folder / "trainings" / f"{fraction:g}-{repeat}.json"


def is_curve(folder: Path) -> bool:
    """Whether a folder holds a learning curve."""
    return (folder / "identity.json").is_file()


def grow(
    recipe: str | Path,
    folder: Path,
    fractions: Sequence[float],
    repeats: int,
    *,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    resume: bool = False,
    say: Say = lambda words: None,
) -> Grown:
    """Train on nested subsets, each with its own seed; what has been finished in the folder is not done again.

    Raises:
        UserError: the recipe, the data or the split cannot be used, or the folder holds something else.
    """
    asked = load_recipe(recipe, overrides)
    _check_place(folder, overwrite=overwrite, resume=resume)
    tell_idle(asked, say)
    if not resume:
        check_weights(asked)
    say(f"reading {asked.data.kind} data")
    samples = samples_of(asked, say)
    if samples.task.pixels:
        raise RecipeError(
            "learning curves are grown of answers about whole images, these data have masks",
            "learn the images' labels: data with folders or a table of labels",
        )
    proven = split_once(folder, asked, samples, anew=overwrite)
    check_parts(proven.split, samples)
    for words in proven.split.notes:
        say(f"note: {words}")
    train = samples.select(proven.split.ids("train"))
    subsets = {
        (fraction, repeat): ids
        for repeat in range(repeats)
        for fraction, ids in nested_subsets(train, proven.split.group, fractions, asked.split.seed + repeat).items()
    }
    _begin(folder, asked, samples, proven, anew=overwrite)
    work = Work(folder, asked, samples, proven)
    done = {place: work.file(*place).is_file() for place in subsets}
    left = sum(fraction for (fraction, _), there in done.items() if not there)
    say(
        f"{len(done)} trainings, {sum(done.values())} of them done; those that are left take about as long as "
        f"{left:.3g} on all training images"
    )
    with counted_line(len(done), "trainings") as show:
        for number, ((fraction, repeat), ids) in enumerate(subsets.items()):
            if not done[fraction, repeat]:
                row = _training(work, fraction, repeat, ids, partial(show, number))
                say(
                    f"{fraction:g} of the training part, repeat {repeat + 1} of {repeats}: "
                    f"{counted(row['images'], 'images')}, epoch {row['best_epoch']} of {row['epochs']} kept, "
                    f"{row['seconds']:.0f} s"
                )
    return _measured(work, subsets, sorted(fractions), repeats)


def _check_place(folder: Path, *, overwrite: bool, resume: bool) -> None:
    if overwrite and resume:
        raise UserError("--overwrite begins anew and --resume goes on: give one of them")
    if not resume:
        check_replaceable(folder, overwrite, EXISTS, kind="a learning curve", ours=is_curve)
    elif folder.exists() and not is_curve(folder):
        raise OutputError(f"{folder} is not a learning curve: there is nothing to go on with", "leave --resume out")


def _begin(folder: Path, recipe: Recipe, samples: Samples, proven: Proven, *, anew: bool) -> None:
    """The folder with its split and its identity, or the one that was left if it is the same.

    Raises:
        RecipeError: what was left belongs to another recipe, other data or another split.
    """
    same = {"recipe": recipe.hash, "data": samples.hash, "split": proven.split.hash}
    if is_curve(folder) and not anew:
        before = read_json(folder / "identity.json")
        other = [name for name, value in same.items() if before.get(name) != value]
        if other:
            raise RecipeError(f"{folder} was begun with another {' and '.join(other)}", EXISTS.partition(", ")[2])
        for left in folder.glob(f"{SCRATCH}*"):
            shutil.rmtree(left, ignore_errors=True)
        return
    with writing(folder):
        if anew:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
    proven.save(folder)
    write_json(folder / "identity.json", same)


def _training(
    work: Work, fraction: float, repeat: int, ids: Sequence[str], show: Callable[[Live], None]
) -> dict[str, Any]:
    """Train on these images, export, score the calibration part with the runtime, and keep what came of it."""
    started = time.perf_counter()
    recipe, split = work.recipe, work.proven.split
    with TemporaryDirectory(prefix=SCRATCH, dir=work.folder) as scratch:
        run = Run(Path(scratch), Path(scratch) / "cache")
        run.recipe = recipe.changed({"train.seed": recipe.train.seed + repeat})
        run.samples, run.split = work.samples, subset_of(split, ids)
        fitted = train_in(run, parts=SEEN, show=show)
        export(run)
        contents = read_bundle(run.draft)
        part = run.part("calibration")
        logit_nk = scores(Runtime(contents.manifest.sealed, contents.graphs), part, "scoring calibration")
    logits = [[round(value, 6) for value in line] for line in logit_nk.tolist()]
    row = {
        "fraction": fraction,
        "repeat": repeat,
        "images": len(ids),
        "groups": len({split.group[each] for each in ids}),
        "best_epoch": fitted.best_epoch,
        "epochs": len(fitted.history),
        "seconds": round(time.perf_counter() - started, 1),
        "logits": {row.id: line for row, line in zip(part.rows, logits, strict=True)},
    }
    write_json(work.file(fraction, repeat), row)
    return row


def subset_of(split: Split, ids: Sequence[str]) -> Split:
    """The same split with these training images only."""
    out = set(split.ids("train")) - set(ids)
    part = {name: its for name, its in split.part.items() if name not in out}
    return replace(split, part=part, left_out={**split.left_out, **dict.fromkeys(sorted(out), NOT_IN_IT)})


def _measured(
    work: Work, subsets: Mapping[tuple[float, int], Sequence[str]], fractions: Sequence[float], repeats: int
) -> Grown:
    """The error of each training on the calibration part, and on draws of its groups, the same ones for all."""
    split, task, watch = work.proven.split, work.samples.task, work.recipe.train.watch
    part = work.samples.select(split.ids("calibration"))
    truth_nk = truth(task.kind, part.target_nk)
    order = [(fraction, repeat) for fraction in fractions for repeat in range(repeats)]
    trainings = [read_json(work.file(*place)) for place in order]
    scored: list[tuple[BoolArray, FloatArray]] = []
    for row in trainings:
        logit_nk = np.array([row["logits"][each.id] for each in part.rows])
        scored.append((decided(task, logit_nk.astype(np.float32)), logit_nk))

    def errors(index: Any) -> list[float]:
        return [error_of(watch, task.kind, truth_nk[index], flag[index], logit[index]) for flag, logit in scored]

    drawn = bootstrap_draws(errors, [split.group[row.id] for row in part.rows], work.recipe.split.seed, DRAWS)
    shape = (len(fractions), repeats)
    return Grown(
        recipe=work.recipe,
        samples=work.samples,
        split=split,
        subsets=subsets,
        trainings=tuple(trainings),
        fractions=tuple(fractions),
        repeats=repeats,
        error_sr=np.array(errors(np.arange(len(part)))).reshape(shape),
        drawn_dsr=drawn.reshape(-1, *shape),
    )


def measure_curve(
    recipe: str | Path,
    folder: Path,
    fractions: Sequence[float],
    repeats: int,
    *,
    reach: float | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    resume: bool = False,
    say: Say = lambda words: None,
) -> dict[str, Any]:
    """Train (see `grow`), fit the law, and write curve.json and the page. Returns what is in curve.json.

    Raises:
        UserError: see `grow`; or `reach` is no value of the recipe's measure.
    """
    watch = load_recipe(recipe, overrides).train.watch
    if reach is not None and not (0 < reach < 1 or (watch == "loss" and reach > 0)):
        raise UserError(
            f"--reach {reach:g}: expected a value of {watch}, {'above 0' if watch == 'loss' else 'between 0 and 1'}"
        )
    grown = grow(recipe, folder, fractions, repeats, overrides=overrides, overwrite=overwrite, resume=resume, say=say)
    made = curve_document(grown, reach)
    write_json(folder / "curve.json", made)
    write_curve(folder, made)
    return made
