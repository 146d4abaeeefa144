"""`flawscope evaluate`: what a sealed bundle is worth on labelled images, with intervals.

The same function measures the test split of a run and a stranger's folder. Images that the bundle was trained,
calibrated or decided with are left out: a number on them would say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flawscope.bundle.archive import add_evidence, read_bundle
from flawscope.bundle.manifest import DecisionRule
from flawscope.bundle.runtime import Runtime
from flawscope.data.progress import watched
from flawscope.errors import DataError, UserError, listing
from flawscope.evaluation.answer_words import good_items
from flawscope.evaluation.bands import Chosen, measured_costs
from flawscope.evaluation.contract_words import saving_words
from flawscope.evaluation.costs import Costs
from flawscope.evaluation.measure import measure
from flawscope.inspection.folder import Pictures, inspect_folder
from flawscope.inspection.tables import write_results
from flawscope.records import BoolArray, Interval, Prediction, Samples
from flawscope.steps.new_images import Search, new_images
from flawscope.steps.provenance import code_version, command, machine, today, versions
from flawscope.storage import write_json
from flawscope.wording import counted

if TYPE_CHECKING:
    from flawscope.steps.workspace import Run

FEW = 10
FOR_A_PERSON = (
    "they are counted apart, neither right nor wrong: an escape is a bad part that passes without a look, overkill a "
    "good one that is rejected without a look"
)


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
    result = evaluate_test(run, run.need(run.bundle, "decide"))
    write_results(run.scores("test"), result.samples.task, result.predictions)
    write_json(run.metrics, result.metrics)
    return result


def evaluate_test(run: Run, bundle: Path) -> Evaluation:
    """Inspect the test split of a run with a bundle decided on its calibration part; evidence in the bundle."""
    runtime = Runtime.open(bundle)
    result = evaluate_samples(runtime, run.part("test"), run.split.group)
    result.metrics["bundle"] = {"name": bundle.name, "seal": runtime.manifest.seal}
    result.metrics["split"] = {"hash": run.split.hash, "stamp": run.split.stamp, "part": "test", "fold": run.split.fold}
    add_evidence(bundle, "test", result.metrics)
    return result


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
                metrics["notes"].append(
                    f"only {counted(count, 'test images')} {words}: what is said of them is worth little"
                )
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
