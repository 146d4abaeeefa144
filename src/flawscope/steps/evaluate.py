"""`flawscope evaluate`: what a sealed bundle is worth on labelled images, with intervals.

The same function measures the test split of a run and a stranger's folder. Images that the bundle was trained,
calibrated or decided with are left out: a number on them would say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flawscope.bundle.archive import Contents, add_evidence, read_bundle
from flawscope.bundle.mask_runtime import MaskRuntime
from flawscope.bundle.rules import DecisionRule
from flawscope.bundle.runtime import Runtime
from flawscope.data.progress import watched
from flawscope.errors import DataError, UserError, listing
from flawscope.evaluation.answer_words import good_items
from flawscope.evaluation.bands import Chosen, measured_costs
from flawscope.evaluation.contract_words import saving_words
from flawscope.evaluation.costs import Costs
from flawscope.inspection.folder import Pictures, inspect_folder
from flawscope.inspection.tables import write_results
from flawscope.records import Interval, Prediction, Samples
from flawscope.steps.evaluate_masks import MaskEvaluation, evaluate_masks
from flawscope.steps.mask_store import write_masks
from flawscope.steps.metrics_document import Evaluation, document
from flawscope.steps.new_groups import SaidGroups
from flawscope.steps.new_images import Search, new_images
from flawscope.storage import write_json
from flawscope.wording import counted

if TYPE_CHECKING:
    from flawscope.steps.workspace import Run


def evaluate(
    bundle: str | Path,
    data: str | Path | None = None,
    output: str | Path | None = None,
    *,
    known: str | Path | None = None,
    twins: Search = "find",
    group_pattern: str | None = None,
    group_column: str | None = None,
) -> Evaluation:
    """Inspect labelled images with a sealed bundle and measure its decisions.

    Args:
        bundle: a sealed bundle; or a run folder, whose own test split is measured.
        data: class folders, a table of labels, a recipe (its data), or "elpv".
        output: where to write metrics.json and scores.csv; none writes nothing.
        known: the run that the bundle comes from: images of what it has learnt from are left out. The run is known
            already where the bundle lies in its folder.
        twins: "find" images of the same thing among the data, which then count together; or "identical" files only.
        group_pattern: regular expression on the names of new images: what its parentheses hold names the part, whose
            images count together. Without, the data say it, or the recipe of the bundle's run where it fits the names.
        group_column: of a table of new images: rows of equal value count together.

    Raises:
        BundleError: the bundle is refused.
        DataError: the data cannot be read, have other classes, or hold nothing that is new to the bundle.
        UserError: see `new_images`.
    """
    groups = SaidGroups(group_pattern, group_column)
    if data is None:
        if known is not None or twins != "find" or groups:
            raise UserError(
                "--known, --twins, --group-pattern and --group-column are for new images, and none were named",
                "evaluate BUNDLE DATA",
            )
        if not Path(bundle).is_dir():
            raise UserError(f"which data should {bundle} be measured on?", "evaluate BUNDLE DATA, or evaluate RUN")
        from flawscope.steps.workspace import Run

        result = evaluate_run(Run.at(bundle))
        if output is not None:
            written(result, Path(output))
        return result
    contents = read_bundle(bundle)
    runtime = runtime_of(contents)
    columns = runtime.columns if isinstance(runtime, Runtime) else ()
    new = new_images(data, Path(bundle), contents, runtime.task, columns, known=known, twins=twins, groups=groups)
    result = _evaluated(runtime, new.samples, new.group, new.left_out)
    result.metrics["bundle"] = {"name": runtime.manifest.name, "seal": runtime.manifest.seal}
    result.metrics["notes"] += [*new.left_out, *new.checked]
    if output is not None:
        written(result, Path(output))
    return result


def written(result: Evaluation, folder: Path) -> None:
    """Write metrics.json and scores.csv."""
    write_json(folder / "metrics.json", result.metrics)
    write_results(folder / "scores.csv", result.samples.task, result.predictions)
    if isinstance(result, MaskEvaluation):
        write_masks(folder / "masks", result.samples, result.rows, result.facts)


def evaluate_run(run: Run) -> Evaluation:
    """Inspect the test split of a run with its sealed bundle; metrics.json, the scores, and evidence in the bundle."""
    result = evaluate_test(run, run.need(run.bundle, "decide"))
    write_results(run.scores("test"), result.samples.task, result.predictions)
    if isinstance(result, MaskEvaluation):
        write_masks(run.masks("test"), result.samples, result.rows, result.facts)
    write_json(run.metrics, result.metrics)
    return result


def evaluate_test(run: Run, bundle: Path) -> Evaluation:
    """Inspect the test split of a run with a bundle decided on its calibration part; evidence in the bundle."""
    runtime = runtime_of(read_bundle(bundle))
    result = _evaluated(runtime, run.part("test"), run.split.group)
    result.metrics["bundle"] = {"name": bundle.name, "seal": runtime.manifest.seal}
    result.metrics["split"] = {"hash": run.split.hash, "stamp": run.split.stamp, "part": "test", "fold": run.split.fold}
    add_evidence(bundle, "test", result.metrics)
    return result


def runtime_of(contents: Contents) -> Runtime | MaskRuntime:
    """The runtime that fits a bundle, once it has answered its golden test patterns.

    Raises:
        BundleError: it is refused.
    """
    return (MaskRuntime if contents.manifest.sealed.task.pixels else Runtime).of(contents)


def _evaluated(
    runtime: Runtime | MaskRuntime, samples: Samples, groups: Any, left_out: Sequence[str] = ()
) -> Evaluation:
    if isinstance(runtime, MaskRuntime):
        return evaluate_masks(runtime, samples, groups, left_out)
    return evaluate_samples(runtime, samples, groups, left_out)


def evaluate_samples(runtime: Runtime, samples: Samples, groups: Any, left_out: Sequence[str] = ()) -> Evaluation:
    """Inspect samples and measure the decisions; `groups` gives the group of each sample id, for the intervals."""
    pictures = Pictures.of(samples)
    predictions = list(watched(inspect_folder(runtime, pictures), len(pictures), "inspecting"))
    undecided = [f"{each.name}: {each.error}" for each in predictions if each.error]
    if undecided:
        raise DataError(
            f"{counted(len(undecided), 'images')} cannot be decided:\n{listing(undecided)}",
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
