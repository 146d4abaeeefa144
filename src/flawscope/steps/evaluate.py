"""`flawscope evaluate`: what a sealed bundle is worth on labelled images, with intervals.

The same function measures the test split of a run and a stranger's folder. Images that the bundle was trained,
calibrated or decided with are left out: a number on them would say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flawscope.bundle.archive import add_evidence, read_bundle
from flawscope.bundle.manifest import DecisionRule
from flawscope.bundle.runtime import Runtime
from flawscope.data.progress import watched
from flawscope.errors import DataError, UserError, listing
from flawscope.evaluation.bands import Chosen, measured_costs
from flawscope.evaluation.costs import Costs
from flawscope.evaluation.measure import measure
from flawscope.inspection.folder import Pictures, inspect_folder
from flawscope.inspection.tables import write_results
from flawscope.records import Prediction, Samples
from flawscope.steps.new_images import Search, new_images
from flawscope.steps.provenance import code_version, command, machine, today, versions
from flawscope.storage import write_json

if TYPE_CHECKING:
    from flawscope.steps.workspace import Run

FEW = 10
NOT_PASSED = "they have not passed, and are counted so in all measures but the costs, right or wrong"


@dataclass(frozen=True)
class Evaluation:
    """The metrics document and what it was computed from. `left_out` says what was not measured, and why."""

    metrics: dict[str, Any]
    samples: Samples
    predictions: tuple[Prediction, ...]
    left_out: tuple[str, ...] = ()


def evaluate(
    bundle: str | Path,
    data: str | Path | None = None,
    output: str | Path | None = None,
    *,
    known: str | Path | None = None,
    twins: Search = "find",
) -> Evaluation:
    """Inspect labelled images with a sealed bundle and measure its decisions.

    Args:
        bundle: a sealed bundle; or a run folder, whose own test split is measured.
        data: class folders, a table of labels, a recipe (its data), or "elpv".
        output: where to write metrics.json and scores.csv; none writes nothing.
        known: the run that the bundle comes from: images of what it has learnt from are left out. The run is known
            already where the bundle lies in its folder.
        twins: "find" images of the same thing among the data, which then count together; or "identical" files only.

    Raises:
        BundleError: the bundle is refused.
        DataError: the data cannot be read, have other classes, or hold nothing that is new to the bundle.
        UserError: see `new_images`.
    """
    if data is None:
        if known is not None or twins != "find":
            raise UserError("--known and --twins are for new images, and none were named", "evaluate BUNDLE DATA")
        if not Path(bundle).is_dir():
            raise UserError(f"which data should {bundle} be measured on?", "evaluate BUNDLE DATA, or evaluate RUN")
        from flawscope.steps.workspace import Run

        result = evaluate_run(Run.at(bundle))
        if output is not None:
            written(result, Path(output))
        return result
    contents = read_bundle(bundle)
    runtime = Runtime.of(contents)
    new = new_images(data, Path(bundle), contents, runtime, known=known, twins=twins)
    result = evaluate_samples(runtime, new.samples, new.group, new.left_out)
    result.metrics["bundle"] = {"name": runtime.manifest.name, "seal": runtime.manifest.seal}
    result.metrics["notes"] += [*new.left_out, *new.checked]
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
    metrics = document(samples, predictions, groups, decision.looked_at or decision.thresholds)
    if decision.costs:
        metrics["three_answers"] = _costs(samples, predictions, groups, decision)
    return Evaluation(metrics, samples, tuple(predictions), tuple(left_out))


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
    samples: Samples, predictions: Sequence[Prediction], groups: Any, thresholds: Sequence[float] | None
) -> dict[str, Any]:
    """The metrics document, with where it comes from; no thresholds where several bundles have decided.

    An image for a person has not passed, so the thresholds are those from which a person looks, where one does.
    """
    metrics = measure(
        samples.task,
        samples.target_nk,
        np.array([each.probability for each in predictions]),
        np.array([each.decision.flags for each in predictions if each.decision]),
        [groups[row.id] for row in samples.rows],
        thresholds=thresholds,
    )
    for name, found in metrics["classes"].items():
        for count, words in ((found["positives"], name), (found["negatives"], f"without {name}")):
            if 0 < count < FEW:
                metrics["notes"].append(f"only {count} test images {words}: what is said of them is worth little")
    human = sum(bool(each.decision and each.decision.human) for each in predictions)
    if human:
        metrics["notes"].append(f"{human:,} of {len(samples):,} test images are for a person: {NOT_PASSED}")
    return metrics | source(samples)


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
