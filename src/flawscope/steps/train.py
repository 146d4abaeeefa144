"""`flawscope train`: from recipe and split to checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TimeRemainingColumn

from flawscope.data.split import check_split
from flawscope.data.split_file import load_split
from flawscope.errors import RecipeError, SplitError, WeightsError
from flawscope.evaluation.bands import check_task
from flawscope.evaluation.costs import Costs
from flawscope.metadata import MetaColumn
from flawscope.models.build import Network, NetworkPlan, build, check_forward
from flawscope.records import PARTS, BoolArray, Part, Samples, Split
from flawscope.steps.material import answers, check_masks, maps, pixels_of
from flawscope.steps.split import Proven, proven_again, split_samples
from flawscope.steps.workspace import GATE, Run, Say, samples_of, tell_idle, working_folder
from flawscope.storage import write_json
from flawscope.training.board import board, check_board
from flawscope.training.input import rows_of, statistics
from flawscope.training.loop import STATE, Fit, Live, begin, fit
from flawscope.training.mask_input import shares
from flawscope.training.mask_recipe import gate_samples
from flawscope.training.metadata import fit_columns, hash_of, table_of
from flawscope.training.optimisation import parameter_groups
from flawscope.training.processes import by_all, check_seen, first_before_others, rank, tell
from flawscope.training.recipe import Recipe, gate_recipe, load_recipe, save_recipe
from flawscope.training.spec import TrainSpec


def train(
    recipe: str | Path,
    folder: str | Path | None = None,
    *,
    split: str | Path | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    resume: bool = False,
    tensorboard: bool = False,
    say: Say = lambda words: None,
) -> Run:
    """Split (unless a split file is given) and train; the run folder appears when training has ended well.

    The work is done in FOLDER.partial, which becomes FOLDER at the end. In processes that torchrun has started the
    first one does it, and the others train with it.

    Args:
        recipe: the recipe's file.
        folder: the run folder; by default runs/NAME.
        split: a split file of `flawscope split`.
        overrides: `key=value` on top of the recipe.
        overwrite: replace a run folder that exists.
        resume: go on in FOLDER.partial, after the last epoch that was finished there.
        tensorboard: also write event files for TensorBoard; it changes no number.
        say: is told in words what is to be known about the recipe and the data.

    Raises:
        UserError: the recipe, the data, the split or the weights cannot be used, or the folder exists.
    """
    if tensorboard:
        check_board()

    def lead() -> Path:
        """What the first process does, or the only one."""
        asked = load_recipe(recipe, overrides)
        target = Path(folder) if folder else Path("runs") / asked.name
        cache = target.parent / ".cache"
        with working_folder(target, overwrite=overwrite, resume=resume) as partial:
            tell_idle(asked, say)
            if not resume:
                check_weights(asked)
            samples = samples_of(asked, say)
            chosen = (
                proven_again(load_split(split), asked, samples)
                if split
                else split_samples(asked, samples, cache=cache)[0]
            )
            work = prepared(partial, asked, chosen, samples, cache)
            work.tensorboard = tensorboard
            for each in work.untrained:
                train_in(each)
        return target

    return Run.at(by_all(lead, help_with))


def help_with(folder: str, cache: str) -> None:
    """What the processes beside the first do: train in the run folder that it has prepared."""
    train_in(Run(Path(folder), Path(cache)))


def prepared(folder: Path, recipe: Recipe, proven: Proven, samples: Samples, cache: Path) -> Run:
    """The run folder of a split: new, or the one that an interrupted run has left.

    Raises:
        RecipeError: what was left belongs to another recipe or split, or the task cannot be decided as asked.
    """
    if recipe.decide.costs is not None:
        check_task(samples.task, Costs(**recipe.decide.costs.model_dump()))
    if (folder / "split.json").is_file():
        work = _left(folder, recipe, proven, cache, samples)
    else:
        work = prepare_run(folder, recipe, proven, cache, samples)
    if recipe.gate is not None:
        try:
            gate = prepared(folder / GATE, gate_recipe(recipe), proven, gate_samples(samples), cache)
            first_weights(gate.recipe, gate.samples, pretrained=False)
        except RecipeError as error:
            raise RecipeError(f"gate: {error.problem}", error.remedy) from error
        check_parts(gate.split, gate.samples)
        check_before_gate(work)
    return work


def check_before_gate(run: Run) -> None:
    """What would stop the training of masks, said before their gate has learnt for hours.

    Raises:
        SplitError: a class is lacking in the training part.
        RecipeError: no such network, loss or pieces for these data.
    """
    check_parts(run.split, run.samples)
    first_weights(run.recipe, run.samples, pretrained=False)
    check_masks(run)


def _left(folder: Path, recipe: Recipe, proven: Proven, cache: Path, samples: Samples) -> Run:
    """The run folder that an interrupted run has left."""
    work = Run(folder, cache)
    if work.recipe.hash != recipe.hash or work.split.hash != proven.split.hash:
        raise RecipeError(f"{folder} was begun with another recipe, data or split", "leave out --resume to start anew")
    work.check_data(samples)
    work.samples = samples
    return work


def prepare_run(folder: Path, recipe: Recipe, proven: Proven, cache: Path, samples: Samples) -> Run:
    """A run folder with recipe, split and its proof in it, the split checked against the data."""
    save_recipe(recipe, folder / "recipe.yaml")
    facts = {"name": samples.name, "images": len(samples), "hash": samples.hash}
    if recipe.model.metadata:
        facts["metadata"] = hash_of(recipe.model.metadata, samples)
    write_json(folder / "data.json", facts)
    proven.save(folder)
    run = Run(folder, cache)
    run.samples = samples
    check_split(run.split, run.samples, groups=recipe.split.respected)
    return run


def train_in(run: Run, *, parts: Sequence[Part] = PARTS, show: Callable[[Live], None] | None = None) -> Fit:
    """Train the network of a prepared run folder, or go on where an interrupted training stands.

    Images of other `parts` than these are not opened. What goes on is told to `show`, or else to the terminal.
    """
    tell(str(run.folder.absolute()), str(run.cache.absolute()))
    with first_before_others():
        if rank():
            check_seen(run.folder / "split.json")
        recipe, samples = run.recipe, run.samples
        check_parts(run.split, samples)
        spec = recipe.train
        begin(spec)
        columns = fit_columns(recipe.model.metadata, samples.select(run.split.ids("train")))
        table_nm = table_of(samples, run.split, columns)
        network = first_weights(recipe, samples, columns)
        rows = {part: rows_of(samples, run.split.ids(part)) for part in parts}
        pixels = pixels_of(run, rows)
    if recipe.model.normalise and recipe.model.normalise.source == "training":
        network.normalise(*statistics(pixels, rows["train"]))
    if samples.task.pixels:
        learnt = [samples.rows[row] for row in rows["train"]]
        network.expect(shares(learnt).tolist(), exclusive=samples.task.pixels == "multiclass")
    material = maps(run, pixels, rows) if samples.task.pixels else answers(run, pixels, rows, table_nm)
    lines = live_line(_which(run)) if show is None else nullcontext(show)
    with lines as line, board(run.training) if run.tensorboard else nullcontext() as log:

        def shown(live: Live) -> None:
            line(live)
            if log is not None:
                log(live)

        fitted = fit(
            network, material.objective, spec, train=material.train, validation=material.validation,
            folder=run.training, show=shown,
        )  # fmt: skip
    if rank():
        return fitted
    facts = {"best_epoch": fitted.best_epoch, "epochs": len(fitted.history), "parameters": parameters(network, spec)}
    write_json(run.trained, facts)
    (run.training / STATE).unlink()
    return fitted


def _which(run: Run) -> str:
    """What the lines of a training begin with, where several networks are trained."""
    if run.is_gate:
        return "gate, "
    return "masks, " if run.recipe.gate else ""


def check_weights(recipe: Recipe) -> None:
    """Load the pretrained weights of all networks once before anything else: what lacks is not said hours later.

    Raises:
        RecipeError: there is no such network.
        WeightsError: weights cannot be downloaded or read, or do not fit; says whether they are those of the gate.
    """
    for place, each in (("", recipe), *([("gate.", gate_recipe(recipe))] if recipe.gate else [])):
        if each.model.weights == "none":
            continue
        if each.model.weights == "imagenet":
            Console().print(f"fetching the ImageNet weights of {each.model.name}, once", highlight=False)
        try:
            build(network_plan(each, outputs=1))
        except (RecipeError, WeightsError) as error:
            command = f"; in the command: --set {place}model.weights=FILE.safetensors"
            remedy = f"{error.remedy}{command if isinstance(error, WeightsError) else ''}"
            raise type(error)(f"{'gate: ' if place else ''}{error.problem}", remedy) from error


def first_weights(
    recipe: Recipe, samples: Samples, columns: tuple[MetaColumn, ...] = (), *, pretrained: bool = True
) -> Network:
    """The network before training; pretrained weights are loaded by the first process, which hands them on."""
    task = samples.task
    outputs = len(task.classes) + (task.pixels == "multiclass")  # the background has a map of its own
    network = build(network_plan(recipe, outputs, columns), pretrained=pretrained and rank() == 0)
    check_forward(network, recipe.image.shape, masks=bool(task.pixels))
    if recipe.train.unfreeze is not None:  # said now, not when the backbone thaws
        network.place_of(recipe.train.unfreeze.layer)
    return network


def parameters(network: Network, spec: TrainSpec) -> str:
    """How many parameters a network has, and how many of them learn, in words."""
    every = sum(parameter.numel() for parameter in network.parameters())
    learnt = sum(each.numel() for group in parameter_groups(network, spec) for each in group["params"])
    return f"{every:,}, {'all of them learnt' if learnt == every else f'{learnt:,} of them learnt'}"


def network_plan(recipe: Recipe, outputs: int, columns: tuple[MetaColumn, ...] = ()) -> NetworkPlan:
    """What the recipe asks to build for a task of so many outputs."""
    model = recipe.model
    return NetworkPlan(
        name=model.name,
        outputs=outputs,
        channels=recipe.image.channels,
        depth=recipe.image.depth,
        size=recipe.image.size,
        head=model.head,
        arguments=model.arguments,
        weights=model.weights,
        freeze=model.freeze,
        mean=model.normalise.mean if model.normalise else None,
        std=model.normalise.std if model.normalise else None,
        columns=columns,
    )


def check_parts(split: Split, samples: Samples) -> None:
    """Every part must hold something, and the training part every class.

    Raises:
        SplitError: names what is missing.
    """
    for part in PARTS:
        if not split.ids(part):
            raise SplitError(f"the {part} part is empty", "add images, or change the fractions under `split`")
    task = samples.task
    truth_nk: BoolArray = np.asarray(samples.select(split.ids("train")).target_nk >= 0.5)
    missing = [name for name, some in zip(task.classes, truth_nk.T.tolist(), strict=True) if not any(some)]
    if task.kind != "multiclass" and not task.pixels:  # of masks other pixels show what is not flawed
        everywhere = [name for name, every in zip(task.classes, truth_nk.T.tolist(), strict=True) if all(every)]
        missing += [task.negative if task.kind == "binary" else f"anything without {name}" for name in everywhere]
    if missing:
        raise SplitError(
            f"the training part holds no image of {', '.join(missing)}: nothing can be learnt about it",
            "add images of it, make the groups smaller, or try another split.seed",
        )


@contextmanager
def live_line(which: str = "") -> Iterator[Callable[[Live], None]]:
    """A line with epoch, losses, best watched measure and time left; where there is no terminal, a line an epoch.

    `which` network it is stands in front. The loss on the validation part is that of the last whole epoch.
    """
    columns = ("{task.fields[epoch]}", BarColumn(12), "{task.fields[words]}", TimeRemainingColumn(), "left")
    with Progress(*columns, disable=not Console().is_terminal) as progress:
        bar = progress.add_task("training", total=None, epoch="", words="")
        measured = ""

        def show(live: Live) -> None:
            nonlocal measured
            epoch = f"{which}epoch {live.epoch}/{live.epochs}"
            if live.row and not live.watched.startswith("val_loss"):
                measured = f", val_loss {live.row['val_loss']:.4f}"
            words = f"loss {live.loss:.4f}{measured}" + (f", {live.watched}" if live.watched else "")
            done = (live.epoch - 1) * live.steps + live.step
            progress.update(bar, completed=done, total=live.epochs * live.steps, epoch=epoch, words=words)
            if progress.disable and live.row:
                progress.console.print(f"{epoch}, {words}", highlight=False)

        yield show


@contextmanager
def counted_line(total: int, what: str) -> Iterator[Callable[[int, Live], None]]:
    """Of many trainings: how many are done, epoch, watched measure and time left; nothing where there is no terminal.

    What it yields is told how many are done, and what goes on in the next one. `what` they are: "trials".
    """
    columns = ("{task.fields[counted]}", BarColumn(12), "{task.fields[words]}", TimeRemainingColumn(), "left")
    with Progress(*columns, disable=not Console().is_terminal) as progress:
        bar = progress.add_task("training", total=total, counted="", words="")

        def show(done: int, live: Live) -> None:
            share = (live.epoch - 1 + live.step / max(live.steps, 1)) / live.epochs
            words = f"epoch {live.epoch}/{live.epochs}" + (f", {live.watched}" if live.watched else "")
            progress.update(bar, completed=done + share, counted=f"{done} of {total} {what}", words=words)

        yield show
