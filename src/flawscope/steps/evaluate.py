"""`flawscope evaluate`: what a sealed bundle is worth on labelled images, with intervals.

The same function measures the test split of a run and a stranger's folder. Images that the bundle was trained,
calibrated or decided with are left out: a number on them would say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flawscope.bundle.archive import Contents, add_evidence, read_bundle
from flawscope.bundle.manifest import DecisionRule
from flawscope.bundle.runtime import Runtime
from flawscope.data.groups import identical_groups
from flawscope.data.look import look
from flawscope.data.progress import watched
from flawscope.data.read import read
from flawscope.data.spec import CsvSpec, DataSpec, FoldersSpec
from flawscope.errors import DataError, UserError, listing
from flawscope.evaluation.answer_words import good_items
from flawscope.evaluation.bands import Chosen, measured_costs
from flawscope.evaluation.contract_words import saving_words
from flawscope.evaluation.costs import Costs
from flawscope.evaluation.measure import measure
from flawscope.inspection.folder import Pictures, inspect_folder
from flawscope.inspection.tables import write_results
from flawscope.metadata import known
from flawscope.records import NOT_CHECKED, BoolArray, Interval, Prediction, Samples, Task
from flawscope.steps.provenance import code_version, command, machine, today, versions
from flawscope.storage import write_json

if TYPE_CHECKING:
    from flawscope.steps.workspace import Run

ONLY_IDENTICAL = (
    f"{NOT_CHECKED}: images that the bundle has learnt from were found by identical files only, not by what they show"
)
FEW = 10
FOR_A_PERSON = (
    "they are counted apart, neither right nor wrong: an escape is a bad part that passes without a look, overkill a "
    "good one that is rejected without a look"
)
SEEN = ("train", "validation", "calibration")


@dataclass(frozen=True)
class Evaluation:
    """The metrics document and what it was computed from. `left_out` says what was not measured, and why."""

    metrics: dict[str, Any]
    samples: Samples
    predictions: tuple[Prediction, ...]
    left_out: tuple[str, ...] = ()


def evaluate(bundle: str | Path, data: str | Path | None = None, output: str | Path | None = None) -> Evaluation:
    """Inspect labelled images with a sealed bundle and measure its decisions.

    Args:
        bundle: a sealed bundle; or a run folder, whose own test split is measured.
        data: class folders, a table of labels, a recipe (its data), or "elpv".
        output: where to write metrics.json and scores.csv; none writes nothing.

    Raises:
        BundleError: the bundle is refused.
        DataError: the data cannot be read, have other classes, or hold nothing that is new to the bundle.
    """
    if data is None:
        if not Path(bundle).is_dir():
            raise UserError(f"which data should {bundle} be measured on?", "evaluate BUNDLE DATA, or evaluate RUN")
        from flawscope.steps.workspace import Run

        result = evaluate_run(Run.at(bundle))
        if output is not None:
            written(result, Path(output))
        return result
    contents = read_bundle(bundle)
    runtime = Runtime.of(contents)
    fresh, groups, left_out = new_images(data, runtime, contents)
    result = evaluate_samples(runtime, fresh, groups, left_out)
    result.metrics["bundle"] = {"name": runtime.manifest.name, "seal": runtime.manifest.seal}
    result.metrics["notes"] += [*left_out, ONLY_IDENTICAL]
    if output is not None:
        written(result, Path(output))
    return result


def written(result: Evaluation, folder: Path) -> None:
    """Write metrics.json and scores.csv."""
    write_json(folder / "metrics.json", result.metrics)
    write_results(folder / "scores.csv", result.samples.task, result.predictions)


def evaluate_run(run: Run) -> Evaluation:
    """Inspect the test split of a run with its sealed bundle; metrics.json, the scores, and evidence in the bundle."""
    path = run.need(run.bundle, "decide")
    runtime = Runtime.open(path)
    result = evaluate_samples(runtime, run.part("test"), run.split.group)
    result.metrics["bundle"] = {"name": path.name, "seal": runtime.manifest.seal}
    result.metrics["split"] = {"hash": run.split.hash, "stamp": run.split.stamp, "part": "test", "fold": run.split.fold}
    add_evidence(path, "test", result.metrics)
    write_results(run.scores("test"), runtime.task, result.predictions)
    write_json(run.metrics, result.metrics)
    return result


def evaluate_samples(runtime: Runtime, samples: Samples, groups: Any, left_out: Sequence[str] = ()) -> Evaluation:
    """Inspect samples and measure the decisions; `groups` gives the group of each sample id, for the intervals."""
    pictures = Pictures.of(samples)
    predictions = list(watched(inspect_folder(runtime, pictures), len(pictures), "inspecting"))
    undecided = [f"{each.name}: {each.error}" for each in predictions if each.error]
    if undecided:
        raise DataError(
            f"{len(undecided)} images cannot be decided:\n{listing(undecided)}",
            "mend or restore them, or take them out of the data" if runtime.columns else "restore them",
        )
    decision = runtime.sealed.decision
    assert decision is not None
    three = bool(decision.looked_at)
    metrics = document(
        samples, predictions, groups, decision.thresholds, three=three, looked_at=decision.looked_at or None
    )
    if decision.costs:
        metrics["three_answers"] = _costs(samples, predictions, groups, decision)
    if savings := _savings(metrics, decision):
        metrics["savings"] = savings
    return Evaluation(metrics, samples, tuple(predictions), tuple(left_out))


def _savings(metrics: Mapping[str, Any], decision: DecisionRule) -> list[str]:
    """Where these samples say that the network saves nothing, or do not show that it does."""
    task, classes = metrics["task"], metrics["classes"]
    said = {name: found["saving"] for name, found in metrics.get("three_answers", {}).get("classes", {}).items()}
    for each in decision.contracts:
        # The good parts of a multi-class task that are called something else are not found as good ones.
        name, rate = (task["negative"], "escape rate") if task["kind"] == "multiclass" else (each.name, "overkill rate")
        seen = classes.get(name, {}).get("measures", {}).get(rate)
        share = each.max_escape if each.kept else each.bound
        good = good_items(each.name, "" if task["kind"] == "multilabel" else task["negative"], "images")
        said[each.name] = saving_words(Interval(**seen) if seen else None, share, good)
    return [f"{name}, on these images: {words}" for name, words in said.items() if words]


def _costs(samples: Samples, predictions: Sequence[Prediction], groups: Any, decision: DecisionRule) -> dict[str, Any]:
    """What a decision by costs costs on these samples, at the line's share of bad parts."""
    chosen = [
        Chosen(
            Costs(each.escape_cost, each.overkill_cost, each.review_cost, each.prevalence),
            each.low, each.high, each.single,
        )
        for each in decision.costs
    ]  # fmt: skip
    return measured_costs(
        samples.task,
        np.array([each.probability for each in predictions]),
        samples.target_nk,
        [groups[row.id] for row in samples.rows],
        human_n=np.array([bool(each.decision and each.decision.human) for each in predictions]),
        chosen_k=chosen,
    )


def document(
    samples: Samples,
    predictions: Sequence[Prediction],
    groups: Any,
    thresholds: Sequence[float] | None,
    *,
    three: bool = False,
    looked_at: Sequence[float] | None = None,
) -> dict[str, Any]:
    """The metrics document, with where it comes from; no thresholds where several bundles have decided.

    `three`: a person may be asked to look, from the thresholds `looked_at`.
    """
    flag_nk, unsure_nk = decided(predictions, len(samples.task.classes))
    metrics = measure(
        samples.task,
        samples.target_nk,
        np.array([each.probability for each in predictions]),
        flag_nk,
        [groups[row.id] for row in samples.rows],
        thresholds=thresholds,
        unsure_nk=unsure_nk if three else None,
        looked_at=looked_at,
    )
    for name, found in metrics["classes"].items():
        for count, words in ((found["positives"], name), (found["negatives"], f"without {name}")):
            if 0 < count < FEW:
                metrics["notes"].append(f"only {count} test images {words}: what is said of them is worth little")
    if three:
        person = metrics["for_a_person"]["n"]
        metrics["notes"].append(f"{person:,} of {len(samples):,} test images are for a person: {FOR_A_PERSON}")
    return metrics | source(samples)


def decided(predictions: Sequence[Prediction], k: int) -> tuple[BoolArray, BoolArray]:
    """Which classes are called, and which are neither called nor ruled out, both n x k; only what is decided."""
    rows = [each.decision for each in predictions if each.decision]
    flags, unsure = [row.flags for row in rows], [row.unsure or (False,) * k for row in rows]
    return np.array(flags, np.bool_).reshape(-1, k), np.array(unsure, np.bool_).reshape(-1, k)


def source(samples: Samples) -> dict[str, Any]:
    """Where numbers come from: command, date, code, machine, versions and data."""
    return {
        "provenance": {
            "command": command(),
            "date": today(),
            "code": code_version(),
            "machine": machine(),
            "versions": versions(),
            "data": {"name": samples.name, "source": samples.source, "hash": samples.hash},
        }
    }


def check_metadata(samples: Samples, runtime: Runtime) -> None:
    """See that labelled data bring the columns that a bundle takes beside the picture.

    Raises:
        DataError: one of them is known of no image.
    """
    for column in runtime.columns:
        if all(known(row.meta, column.name) is None for row in samples.rows):
            raise DataError(
                f"the bundle also takes metadata, and the data bring no {column.words()}",
                "name a table with this column beside image and label, or a recipe of such a table",
            )


def labelled(data: str | Path, task: Task, columns: Sequence[str] = ()) -> Samples:
    """Labelled samples from a recipe, class folders, a table, or the word elpv.

    Of a table these columns are read as metadata, whether a recipe names them or not. Folders named as the bundle's own
    answers are taken as such: some may be missing, as where all parts are good.
    """
    path = Path(data)
    if path.suffix.lower() in (".yaml", ".yml"):
        from flawscope.training.recipe import load_recipe

        return read(with_columns(load_recipe(path).data, columns), Path.cwd(), complete=False)
    folders = {each.name for each in path.iterdir() if each.is_dir()} if path.is_dir() else set()
    if folders & set(task.labels) and folders <= set(task.labels) and task.kind != "multilabel":
        positive = task.classes[0] if task.kind == "binary" else None
        spec = FoldersSpec(root=path, classes=list(task.labels), positive=positive)
        return read(spec, Path.cwd(), complete=False)
    return read(with_columns(look(data).spec, columns), Path.cwd(), complete=False)


def with_columns(spec: DataSpec, columns: Sequence[str]) -> DataSpec:
    """The same data, with these columns of a table as metadata; a column that was guessed to be a label is none."""
    if not isinstance(spec, CsvSpec) or not columns:
        return spec
    labels = [name for name in spec.label_columns if name not in columns]
    return spec.model_copy(
        update={
            "meta_columns": list(dict.fromkeys([*spec.meta_columns, *columns])),
            "label_columns": labels or spec.label_columns,
        }
    )


def renamed(samples: Samples, task: Task) -> Samples:
    """The samples with the bundle's order of classes.

    Raises:
        DataError: a label that the bundle does not know, or another kind of task.
    """
    if samples.task == task:
        return samples
    mine, theirs = set(task.classes) | {task.negative}, {samples.task.describe(row.target) for row in samples.rows}
    if task.kind == "multilabel":
        mine, theirs = set(task.classes), set(samples.task.classes)
    fits = theirs == mine if task.kind == "multilabel" else theirs <= mine
    if (samples.task.kind == "multilabel") != (task.kind == "multilabel") or not fits:
        raise DataError(
            f"the data are {samples.task.kind} with the labels {', '.join(sorted(theirs))}; "
            f"the bundle is {task.kind} and knows {', '.join(sorted(mine))}",
            "name the folders or labels as the bundle does",
        )
    if task.kind == "multilabel":
        order = [samples.task.classes.index(name) for name in task.classes]
        rows = tuple(replace(row, target=tuple(row.target[c] for c in order)) for row in samples.rows)
    else:
        words = [samples.task.describe(row.target) for row in samples.rows]
        rows = tuple(
            replace(row, target=tuple(float(name == word) for name in task.classes))
            for row, word in zip(samples.rows, words, strict=True)
        )
    return Samples(samples.name, task, rows, samples.skipped, samples.grouping, samples.source)


def new_images(
    data: str | Path,
    runtime: Runtime,
    contents: Contents,
    parts: Sequence[str] = SEEN,
    remedy: str = "evaluate on images that it has never seen",
) -> tuple[Samples, dict[str, str], tuple[str, ...]]:
    """Labelled images in the bundle's words, the group of each, and how many were left out: those of these parts of it.

    Raises:
        DataError: they cannot be used, or none is left.
    """
    samples = renamed(labelled(data, runtime.task, [column.name for column in runtime.columns]), runtime.task)
    check_metadata(samples, runtime)
    fresh, left_out = unseen(samples, contents.evidence.get("provenance", {}).get("contents", {}), parts, remedy)
    return fresh, identical_groups(fresh), left_out


def unseen(
    samples: Samples, contents: Mapping[str, Sequence[str]], parts: Sequence[str], remedy: str
) -> tuple[Samples, tuple[str, ...]]:
    """The samples whose files are in none of these parts of the bundle's data, and how many were left out.

    Raises:
        DataError: none is left.
    """
    seen = {part: set(contents.get(part, ())) for part in parts}
    fresh = [row.id for row in samples.rows if not any(row.sha256 in hashes for hashes in seen.values())]
    left_out = []
    for part, hashes in seen.items():
        count = sum(row.sha256 in hashes for row in samples.rows)
        if count:
            left_out.append(f"{count} images left out: the bundle's {part} part holds the same files")
    if not fresh:
        raise DataError(
            f"all {len(samples)} images were used to make the bundle: a number on them would say nothing", remedy
        )
    return samples.select(fresh), tuple(left_out)
