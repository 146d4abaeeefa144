"""`flawscope run`: everything from recipe to report, for one split or for k folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from flawscope.bundle.archive import read_bundle
from flawscope.bundle.manifest import Sealed
from flawscope.bundle.verify import promise_sentences
from flawscope.inspection.tables import read_results
from flawscope.records import Samples
from flawscope.steps.decide import decide, decide_also
from flawscope.steps.evaluate import evaluate_run, evaluate_test
from flawscope.steps.evaluate_masks import pooled_masks
from flawscope.steps.export import export
from flawscope.steps.fold_decisions import fold_decisions
from flawscope.steps.known_decisions import all_asked, decision_family
from flawscope.steps.metrics_document import document
from flawscope.steps.report import report
from flawscope.steps.split import split_samples
from flawscope.steps.train import check_weights, help_with, prepared, train_in
from flawscope.steps.workspace import Run, Say, fold_runs, read_json, samples_of, tell_idle, working_folder
from flawscope.storage import write_json
from flawscope.training.board import check_board
from flawscope.training.decide_spec import DecideSpec
from flawscope.training.processes import by_all, dismiss
from flawscope.training.recipe import Recipe, load_recipe
from flawscope.wording import OF_GATE

POOLED = (
    "pooled over folds: these numbers describe the recipe, tested on every sample by bundles that had not seen its "
    "group; they are not those of any one bundle"
)


def run(
    recipe: str | Path,
    folder: str | Path | None = None,
    *,
    folds: int | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    resume: bool = False,
    tensorboard: bool = False,
    say: Say = lambda words: None,
) -> Path:
    """Split, train, export, decide, seal, inspect the test split, and report. Returns the run folder.

    The work is done in FOLDER.partial, which becomes FOLDER at the end. Processes that torchrun has started beside the
    first one help to train, and leave.

    Args:
        recipe: the recipe's file.
        folder: the run folder; by default runs/NAME.
        folds: as many grouped folds as this, each with a bundle of its own, and their pooled numbers.
        overrides: `key=value` on top of the recipe.
        overwrite: replace a run folder that exists.
        resume: go on in FOLDER.partial: steps that are done there are not done again.
        tensorboard: also write event files for TensorBoard while training; it changes no number.
        say: is told in words what goes on.

    Raises:
        UserError: whatever a step refuses.
    """
    if tensorboard:
        check_board()

    def lead() -> Path:
        """What the first process does, or the only one."""
        asked = load_recipe(recipe, overrides)
        name = asked.name if folds is None else f"{asked.name}-{folds}-folds"
        target = Path(folder) if folder else Path("runs") / name
        with working_folder(target, overwrite=overwrite, resume=resume) as unfinished:
            tell_idle(asked, say)
            if not resume:
                check_weights(asked)
            say(f"reading {asked.data.kind} data")
            samples = samples_of(asked, say)
            cache = target.parent / ".cache"
            splits = split_samples(asked, samples, folds, cache)
            for proven in splits:
                made = proven.split
                place = unfinished / f"fold-{made.fold}" if folds else unfinished
                for words in made.notes:
                    say(f"note: {words}")
                if folds:
                    say(f"fold-{made.fold}, {(made.fold or 0) + 1} of {folds}")
                work = prepared(place, asked, proven, samples, cache)
                work.tensorboard = tensorboard
                one(work, say, trained=partial(dismiss, target) if proven is splits[-1] else None)
            if folds:
                pool(unfinished, asked, samples)
                say("writing the report")
                report(unfinished)
        return target

    return by_all(lead, help_with)


def one(work: Run, say: Say, trained: Callable[[], None] | None = None) -> None:
    """The steps of one split, each left out if it has been done; `trained` is called between training and the rest."""
    for each in work.untrained:
        train_in(each)
    if trained is not None:
        trained()
    best = read_json(work.trained)
    say(f"trained, epoch {best['best_epoch']} of {best['epochs']} is kept")
    if "parameters" in best:
        say(f"parameters: {best['parameters']}")
    if not work.draft.is_file():
        parity = export(work)
        say(f"exported, differs from torch by {parity.largest_difference:.1g} on {parity.images} real images")
    if not work.metrics.is_file() or _names_others(work):
        manifest = decide(work)
        sealed = manifest.sealed
        notes = [sealed.calibrator.note] if sealed.calibrator else []
        notes += sealed.masks.notes if sealed.masks else ()
        for words in [*notes, *(sealed.decision.notes if sealed.decision else ())]:
            if words:
                say(f"note: {words}")
        for words in _promises(sealed):
            say(words)
        say(f"sealed {work.bundle.name}, seal {manifest.seal[:12]}")
        evaluate_run(work)
    for spec in work.recipe.decide_also:
        _also(work, spec, say)
    if work.recipe.decide_also:
        for words in decision_family(work.bundle):
            say(words)
    report(work)


def _names_others(work: Run) -> bool:
    """Whether the sealed bundle names other decisions than the recipe asks for now: then it is sealed anew."""
    sealed = read_bundle(work.bundle).manifest.sealed
    if sealed.masks is not None:  # one rule for the pixels, and nothing beside it that a recipe could ask for
        return False
    return sealed.decision is None or sealed.decision.asked != all_asked(work)


def _also(work: Run, spec: DecideSpec, say: Say) -> None:
    """Another decision from the same network: its bundle, measured on the test split, and its page."""
    bundle = decide_also(work, spec)
    contents = read_bundle(bundle)
    for words in _promises(contents.manifest.sealed):
        say(words)
    say(f"sealed {bundle.name}, seal {contents.manifest.seal[:12]}")
    if "test" not in contents.evidence:
        evaluate_test(work, bundle)
    report(bundle)


def _promises(sealed: Sealed) -> list[str]:
    """What a bundle, or the gate in it, promises and is expected to cost."""
    if sealed.gate:
        said = promise_sentences(sealed.gate.task.task(), sealed.gate.decision)
        return [f"gate: {words}" for words in (*said, *([OF_GATE.format(items="images")] if said else []))]
    return promise_sentences(sealed.task.task(), sealed.decision) if sealed.decision else []


def pool(folder: Path, recipe: Recipe, samples: Samples) -> dict[str, Any]:
    """Pool the out-of-fold decisions of all folds into folder/metrics.json."""
    runs = fold_runs(folder)
    rows = {row.name: row for work in runs for row in read_results(work.scores("test"), samples.task).rows}
    groups = {name: group for work in runs for name, group in work.split.group.items()}
    folds = [read_json(work.metrics) for work in runs]
    three = any("for_a_person" in each for each in folds)
    metrics = (
        pooled_masks(runs, samples, groups)
        if samples.task.pixels
        else document(samples, [rows[sample.id] for sample in samples.rows], groups, None, three=three)
    )
    metrics["notes"] = [POOLED, *metrics["notes"]]
    metrics["recipe"] = {"name": recipe.name, "hash": recipe.hash}
    metrics["split"] = {"hash": [work.split.hash for work in runs], "stamp": runs[0].split.stamp, "folds": len(runs)}
    metrics["folds"] = [
        {
            "n": each["n"],
            "seal": each["bundle"]["seal"],
            **{entry["name"]: entry["interval"]["value"] for entry in each["headline"]},
        }
        for each in folds
    ]
    if decisions := fold_decisions(runs):
        metrics["decisions"] = decisions
    write_json(folder / "metrics.json", metrics)
    return metrics
