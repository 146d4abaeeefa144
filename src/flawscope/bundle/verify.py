"""What `flawscope show` says: whether a bundle is what it was, and what it does, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawscope.bundle.archive import read_bundle
from flawscope.bundle.manifest import Graph, ImageInput, Manifest, Sealed
from flawscope.bundle.mask_runtime import started
from flawscope.bundle.mask_words import mask_sentences, tile_words
from flawscope.bundle.rules import Calibrator, DecisionRule
from flawscope.errors import BundleError
from flawscope.records import HUMAN, NOT_CHECKED, Task
from flawscope.wording import COSTS_ONE_BY_ONE, all_at_once, interval_in_words, sentence


@dataclass(frozen=True)
class Check:
    """One check of a bundle. A check that could not be made, because one before it failed, is not listed."""

    check: str
    ok: bool
    detail: str


def verify(path: str | Path) -> list[Check]:
    """Check a bundle as the runtime does when it starts, without raising; stops at the first check that fails."""
    checks: list[Check] = []
    name = "every byte, every hash and the seal"
    try:
        contents = read_bundle(path)
        manifest = contents.manifest
        seal = f"seal {manifest.seal}" if manifest.seal else "a draft, not sealed"
        checks.append(Check(name, True, f"{len(manifest.files) + 1} files, {seal}"))
        name = "the engine takes the graph as the manifest describes it"
        runtime = started(contents)
        checks.append(Check(name, True, f"{manifest.sealed.engine.name}, {manifest.sealed.engine.precision}"))
        name = "golden test patterns give the same answers as when the bundle was made"
        worst = runtime.check_golden(contents)
        allowed = max(each.tolerance for each in manifest.golden)
        checks.append(Check(name, True, f"largest difference {worst:.2g}, {allowed:g} is allowed"))
    except BundleError as error:
        checks.append(Check(name, False, str(error)))
    return checks


def describe(manifest: Manifest, evidence: Mapping[str, Mapping[str, Any]] | None = None) -> list[str]:
    """What the bundle does and where it comes from: plain sentences, one a line."""
    sealed, task = manifest.sealed, manifest.sealed.task.task()
    lines = [
        f"{manifest.name}, made {manifest.created}.",
        _task(task),
        *_inputs(sealed),
        *([] if task.pixels else [calibrator_sentence(sealed.calibrator)]),
        *sealed_sentences(sealed),
        f"Split: {sealed.split_stamp}."
        + (" Its numbers may be too good." if sealed.split_stamp == NOT_CHECKED else ""),
        f"Engine: {engine_words(sealed)}.",
        *_explained(sealed),
        f"Seal: {manifest.seal or 'none, this is a draft'}.",
        *(f"Hash of the {what}: {value}." for what, value in manifest.hashes.model_dump().items() if value),
    ]
    if len(sealed.steps) > 1:
        lines.insert(2, "Steps: " + " -> ".join(f"{step.name} ({step.kind})" for step in sealed.steps) + ".")
    if manifest.parent:
        lines.append(f"Parent bundle: {manifest.parent}.")
    lines += [f"Licence: {licence}." for licence in manifest.licences]
    lines += [_headline(name, document) for name, document in (evidence or {}).items()]
    return lines


def sealed_sentences(sealed: Sealed) -> list[str]:
    """How the bundle decides, as it stands in the seal: of whole images, or its gate and its rule of masks."""
    task = sealed.task.task()
    if not task.pixels:
        return decision_sentences(task, sealed.decision)
    gate = []
    if sealed.gate:
        asked = sealed.gate.task.task()
        gate = [calibrator_sentence(sealed.gate.calibrator), *decision_sentences(asked, sealed.gate.decision)]
        gate.append(f"where the answer is {asked.negative} nobody looks for flaws.")
    return [*(f"Gate: {words}" for words in gate), *mask_sentences(task, sealed.masks)]


def engine_words(sealed: Sealed) -> str:
    """What computes the answers, and in how many views (turned, mirrored) each image is looked at."""
    views = sealed.graph(sealed.steps[-1].graph).views
    often = f", mean over {views} views ({views} times the computing)"
    return f"{sealed.engine.name}, {sealed.engine.precision}{often if views > 1 else ''}"


def _explained(sealed: Sealed) -> list[str]:
    """Whether heat maps can be had of it without torch; of old bundles and of masks nothing is said."""
    graph = sealed.graph(sealed.steps[-1].graph)
    if graph.output("maps"):
        return [f"Heat maps: class activation maps of layer {graph.layer} (`flawscope inspect --explain`)."]
    return [f"No class activation maps: {graph.no_maps}."] if graph.no_maps else []


def _task(task: Task) -> str:
    classes = ", ".join(task.classes)
    if task.pixels:
        several = "no pixel shows two of them" if task.pixels == "multiclass" else "a pixel may show several of them"
        return f"Marks where an image shows these flaws: {classes} ({several}); one without any is {task.negative}."
    return {
        "binary": f"Decides whether an image is {classes} or {task.negative}.",
        "multiclass": f"Decides which one of these an image is: {classes}.",
        "multilabel": f"Decides which of these an image shows, any number of them: {classes}; none is {task.negative}.",
    }[task.kind]


def _inputs(sealed: Sealed) -> list[str]:
    """What each graph takes."""
    if not sealed.task.pixels:
        graph = sealed.graph(sealed.steps[0].graph)
        return [f"Input {each.name}: {_input(graph, each.name)}" for each in graph.inputs]
    graphs = {step.kind: sealed.graph(step.graph) for step in sealed.steps}
    (masks,) = (each for each in graphs["mask"].inputs if isinstance(each, ImageInput))
    spec, overlap = masks.preprocess, sealed.masks.overlap if sealed.masks else None
    colour = "grey" if spec.channels == 1 else "colour"
    said = [
        f"Input of the masks: a picture as large as it is, {spec.depth}-bit {colour}, {tile_words(spec.size, overlap)}."
    ]
    if "gate" in graphs:
        said.insert(0, f"Input of the gate: {_input(graphs['gate'], graphs['gate'].inputs[0].name)}")
    return said


def _input(graph: Graph, name: str) -> str:
    found = next(each for each in graph.inputs if each.name == name)
    if not isinstance(found, ImageInput):
        columns = ", ".join(column.words() for column in found.columns)
        return f"metadata of each picture: {columns}. Given with --table; without a value a picture is not decided."
    spec = found.preprocess
    colour = "grey" if spec.channels == 1 else "colour"
    crop = f", cut to (left, top, right, bottom) = {spec.crop}" if spec.crop else ""
    size = f"{spec.size[1]} x {spec.size[0]} pixels"
    return f"a picture{crop}, resized ({spec.resize}) to {size}, {spec.depth}-bit {colour}."


def calibrator_sentence(calibrator: Calibrator | None) -> str:
    """How raw scores become probabilities, and on which part of the split that was fitted."""
    if calibrator is None:
        return "Not calibrated yet: this is a draft."
    fitted = f", fitted on the {calibrator.fitted_on} split" if calibrator.fitted_on else ""
    return f"Calibration: {calibrator.method}{fitted}." + (f" {calibrator.note}." if calibrator.note else "")


def decision_sentences(task: Task, decision: DecisionRule | None) -> list[str]:
    """The rule in words: one sentence a class (multi-class: one in all), how it was found, and its notes."""
    if decision is None:
        return ["No decision yet: this is a draft."]
    if task.kind != "multiclass":
        rules = [
            f"{name} when its probability is at least {threshold:.4g}"
            for name, threshold in zip(task.classes, decision.thresholds, strict=True)
        ]
        bands = zip(task.classes, decision.looked_at, decision.thresholds, strict=False)
        looked = [f"of {name} at least {low:.4g}" for name, low, high in bands if low < high]
        if looked:
            rules.append(f"otherwise {HUMAN}, a person looks, when a probability is in the band: {', '.join(looked)}")
    elif len(set(decision.thresholds)) == 1:
        rules = ["the most probable class"]
    else:
        weights = ", ".join(f"{n} / {t:.4g}" for n, t in zip(task.classes, decision.thresholds, strict=True))
        rules = [f"the class with the largest probability over its threshold: {weights}"]
    fitted = f", fitted on the {decision.fitted_on} split" if decision.fitted_on else ""
    return [
        *(f"Decision: {rule}." for rule in rules),
        f"Rule: {decision.rule}{fitted}.",
        *map(sentence, decision.notes),
        *promise_sentences(task, decision),
    ]


def promise_sentences(task: Task, decision: DecisionRule) -> list[str]:
    """What is promised and what it is expected to cost, as it stands in the seal."""
    return [*contract_sentences(task, decision), *cost_sentences(task, decision)]


def contract_sentences(task: Task, decision: DecisionRule) -> list[str]:
    """What is promised of the escapes, as it stands in the seal: the promise itself first."""
    found = []
    for each in decision.contracts:
        first, *more = each.words or ("no words",)
        found += [f"Escape contract, {each.name}: {first}", *more]
    if len(decision.contracts) > 1:
        found.append(f"The contracts hold one by one. {all_at_once([each.confidence for each in decision.contracts])}")
    if found and task.kind == "multiclass":
        found.append("An escape is a defect that is called good; one defect taken for another is none.")
    return found


def cost_sentences(task: Task, decision: DecisionRule) -> list[str]:
    """What the decision is expected to cost, as it stands in the seal."""
    found = []
    for each in decision.costs:
        first, *more = each.words or ("no words",)
        found += [f"Costs, {each.name}: {first}", *more]
    if len(decision.costs) > 1:
        found.append(COSTS_ONE_BY_ONE)
    return found


def _headline(name: str, document: Mapping[str, Any]) -> str:
    """The headline numbers of a metrics document; other evidence is only named."""
    numbers = []
    for entry in document.get("headline") or []:
        interval = entry["interval"]
        value, ends = interval_in_words(*(interval[key] for key in ("value", "low", "high")))
        numbers.append(f"{entry['name']} {value} ({ends})")
    return f"Evidence {name}: {', '.join(numbers) if numbers else 'present'}."
