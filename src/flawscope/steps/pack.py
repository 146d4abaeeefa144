"""`flawscope pack`: a model that was trained elsewhere (Keras, TensorFlow, PyTorch, ...) becomes a sealed bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from flawscope.bundle.archive import SUFFIX, golden_patterns, write_bundle
from flawscope.bundle.manifest import Graph, Hashes, ImageInput, Manifest, Sealed
from flawscope.bundle.pixel_rule import PixelRule
from flawscope.bundle.rules import Calibrator, DecisionRule, TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.data.groups import contradictions
from flawscope.data.progress import watched
from flawscope.errors import BundleError, OutputError, UserError, choices
from flawscope.evaluation.decisions import FIXED, Rule, fit_thresholds
from flawscope.preprocess import Preprocess
from flawscope.probability import calibrate
from flawscope.records import NOT_CHECKED, Samples, Task, TaskKind, fingerprint
from flawscope.steps.new_images import labelled, renamed
from flawscope.steps.provenance import code_version, command, machine, today, versions
from flawscope.storage import check_writable, sha256_file
from flawscope.wording import counted

if TYPE_CHECKING:
    from flawscope.bundle.foreign import Answers, Layout, Model, Reading

Resize = Literal["bilinear", "bicubic", "nearest"]
PATTERNS = 4
TOLERANCE = 1e-3
"""Largest difference of a logit between the model as it came and the bundle, relative to the largest (at least 1)."""


@dataclass(frozen=True)
class Packed:
    """The bundle that was written, its manifest, and what was found out about the model, in sentences."""

    bundle: Path
    manifest: Manifest
    sentences: tuple[str, ...]


def pack(
    model: str | Path,
    output: str | Path | None = None,
    *,
    preprocess: str,
    classes: Sequence[str],
    task: TaskKind | None = None,
    negative: str = "ok",
    layout: Layout | None = None,
    size: tuple[int, int] | None = None,
    depth: int = 8,
    resize: Resize = "bilinear",
    crop: tuple[int, int, int, int] | None = None,
    outputs: Sequence[str] = (),
    answers: Answers | None = None,
    thresholds: Sequence[float] = (),
    data: str | Path | None = None,
    rule: Rule = "best_f1",
    licence: str = "",
    overwrite: bool = False,
) -> Packed:
    """Pack an ONNX file into a sealed bundle: its pixels are made inside the graph, its answers become logits.

    Test patterns go through the model as it came and through the bundle, and must give the same.

    Args:
        model: the ONNX file, with one picture as its input and numbers as its outputs.
        output: the bundle; by default beside the model, under its name.
        preprocess: what the network expects of its pixels: 0..1, 0..255, -1..1, imagenet, caffe, or
            mean=M:std=S of pixels from 0 to 1, one number or one a channel (mean=0.5,0.4,0.3:std=0.2,0.2,0.2).
        classes: what its numbers mean, in their order; of a binary task the class to be found, or both answers.
        task: binary, multilabel or multiclass; by default binary where there is one number, else it must be said.
        negative: the good answer of a binary or multilabel task.
        layout: nchw (PyTorch) or nhwc (Keras, TensorFlow); by default told from the shape.
        size: height and width, where the model takes any.
        depth: bits of the pixels, 8 or 16.
        resize: how pictures are brought to size.
        crop: cut out first: left, top, right, bottom in pixels.
        outputs: of a model with several outputs those that are its answers, in the order of the classes.
        answers: logits or probabilities; by default probabilities where its last step is a sigmoid or softmax.
        thresholds: one for all classes or one for each; by default 0.5, of a multiclass task the most probable class.
        data: in place of them: labelled images that they are fitted on, named as for `evaluate`.
        rule: how they are fitted: best_f1 or best_accuracy.
        licence: whose licence the model is under; stands in the bundle.
        overwrite: replace a bundle that exists.

    Raises:
        UserError: an option means nothing, or does not fit the model.
        BundleError: the model cannot be run, or answers otherwise once it is packed.
        DataError: the data cannot be used.
        OutputError: the bundle exists and `overwrite` is off, or cannot be written.
    """
    from flawscope.bundle.foreign import Answers, Layout, load_model, read_outputs, taken, wrapped

    _known({"task": task, "layout": layout, "answers": answers, "resize": resize}, TaskKind, Layout, Answers, Resize)
    source = Path(model)
    target = _target(Path(output) if output else source.with_suffix(SUFFIX), overwrite)
    asked, names = _task(task, classes, negative), tuple(classes)
    pixels = PixelRule.read(preprocess)
    found = load_model(source, layout)
    spec = _preprocess(found, size, depth=depth, resize=resize, crop=crop)
    pattern_nchw = golden_patterns(spec, PATTERNS)
    example = taken(found, pixels, pattern_nchw)
    reading = read_outputs(found, asked, names, example, outputs=outputs, answers=answers)
    graph = Graph(inputs=(ImageInput(preprocess=spec),))
    draft = Sealed(task=TaskModel.of(asked), graphs=(graph,), split_stamp=NOT_CHECKED)
    graphs = {graph.file: wrapped(found, reading, pixels, spec)}
    runtime = Runtime(draft, graphs)
    difference = _check_parity(found, reading, example, runtime.logits(pattern_nchw))
    decision, samples = _decision(runtime, thresholds, data, rule)
    sealed = draft.model_copy(update={"calibrator": Calibrator.identity(len(asked.classes)), "decision": decision})
    golden, files = runtime.make_golden()
    told = {
        "preprocess": preprocess, "layout": found.layout, "answers": reading.answers, "outputs": list(reading.outputs),
        "columns": list(names),
    }  # fmt: skip
    manifest = Manifest(
        name=target.stem,
        created=today(),
        sealed=sealed,
        hashes=Hashes(data=samples.hash if samples else "", split="", recipe=fingerprint(told), code=code_version()),
        licences=(f"model: {source.name}, {licence or 'under the licence of whoever made it'}",),
        golden=(golden,),
    )
    evidence = {"provenance": _provenance(found, source, told, samples)}
    written = write_bundle(target, manifest, graphs, files, evidence)
    Runtime.open(target)
    return Packed(target, written, _sentences(found, reading, spec, preprocess, difference))


def _target(target: Path, overwrite: bool) -> Path:
    """Where the bundle goes, if it may.

    Raises:
        OutputError: another ending, it exists, or cannot be written.
    """
    if target.suffix != SUFFIX:
        raise OutputError(f"{target} is no name for a bundle", f"name a file that ends in {SUFFIX}")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists already", "choose another name (-o), or replace it with --overwrite")
    check_writable(target)
    return target


def _known(given: Mapping[str, str | None], *kinds: Any) -> None:
    """Options that are one of some words, each with the type that lists them.

    Raises:
        UserError: names the option and the words.
    """
    for (option, value), kind in zip(given.items(), kinds, strict=True):
        if value is not None and value not in get_args(kind):
            raise UserError(f"--{option} {value}", choices(value, get_args(kind)))


def _task(kind: TaskKind | None, classes: Sequence[str], negative: str) -> Task:
    """What the classes and the good answer make.

    Raises:
        UserError: it must be said, or they make nothing.
    """
    both = len(classes) == 2 and negative in classes
    if kind is None and len(classes) > 1 and not both:
        raise UserError(
            f"{', '.join(classes)}: do they exclude each other?",
            "say --task multiclass (an image is one of them) or --task multilabel (it may show several, or none)",
        )
    kind = kind or "binary"
    if kind == "binary" and len(classes) == 2 and not both:
        raise UserError(
            f"which of {' and '.join(classes)} is the good answer?", f"say --negative {classes[0]}, for example"
        )
    names = tuple(name for name in classes if name != negative) if kind == "binary" and both else tuple(classes)
    try:
        return Task(kind, names, negative)
    except ValueError as error:
        raise UserError(
            f"--classes {','.join(classes)}: {error}", "name each class once, in the model's order"
        ) from None


def _preprocess(
    model: Model,
    size: tuple[int, int] | None,
    *,
    depth: int,
    resize: Resize,
    crop: tuple[int, int, int, int] | None,
) -> Preprocess:
    """How a picture becomes integers; what is left is done inside the graph."""
    fixed = f"{model.sides[0] or 'any'} x {model.sides[1] or 'any'} pixels (height x width)"
    if size is None and None in model.sides:
        raise UserError(f"the model takes pictures of {fixed}", "say the size: --size 224, or --size 400x700")
    if size is not None and any(side not in (None, given) for side, given in zip(model.sides, size, strict=True)):
        raise UserError(f"--size {size[0]}x{size[1]}: the model takes pictures of {fixed}", "leave it out")
    wanted = size or model.sides
    try:
        return Preprocess.model_validate(
            {"size": wanted, "channels": model.channels, "depth": depth, "resize": resize, "crop": crop}
        )
    except ValueError as error:
        words = str(error).splitlines()
        raise UserError(
            f"the picture cannot be prepared so: {' '.join(words[1:3])}", "see: flawscope pack --help"
        ) from None


def _check_parity(model: Model, reading: Reading, example: Any, logit_nk: Any) -> float:
    """The bundle answers as the model does; how far they lie apart.

    Raises:
        BundleError: they differ.
    """
    from flawscope.bundle.foreign import run_model

    expected_nk = reading.logits(run_model(model, reading.outputs, example))
    difference = float(np.abs(logit_nk - expected_nk).max())
    allowed = TOLERANCE * max(1.0, float(np.abs(expected_nk).max()))
    if not difference <= allowed:
        raise BundleError(
            f"the bundle differs from the model by {difference:.2g} on test patterns, {allowed:.2g} is allowed",
            "please report it, with the model if you may",
        )
    return difference


def _decision(
    runtime: Runtime, thresholds: Sequence[float], data: str | Path | None, rule: Rule
) -> tuple[DecisionRule, Samples | None]:
    """The thresholds as given, or fitted on labelled images.

    Raises:
        UserError: both were asked for, or thresholds that are none.
    """
    task = runtime.task
    k = len(task.classes)
    if thresholds and data is not None:
        raise UserError("--threshold and --data both say where the thresholds come from", "give one of them")
    if data is None:
        values = tuple(thresholds) * k if len(thresholds) == 1 else tuple(thresholds) or (FIXED,) * k
        if len(values) != k or not all(0 < value <= 1 for value in values):
            raise UserError(
                f"--threshold {' '.join(f'{value:g}' for value in values)}: expected one number above 0, up to 1, or "
                f"{k} of them",
                f"in the order of the classes: {', '.join(task.classes)}",
            )
        return DecisionRule(rule="given" if thresholds else "fixed", thresholds=values), None
    samples, unused = labelled(data, task)
    samples = renamed(samples, task)
    paths = [row.path for row in samples.rows]
    logit_nk = np.array(
        [runtime.scores([path])[0] for path in watched(paths, len(paths), "scoring images")], dtype=np.float64
    )
    fitted = fit_thresholds(task, calibrate(task.kind, Calibrator.identity(k).knots, logit_nk), samples.target_nk, rule)
    notes = (
        f"Fitted on {counted(len(samples), 'images')} of {samples.name}. Whether the model has learnt from them is not "
        "known here; if it has, the thresholds are those of pictures that it knows",
        *unused,
        *contradictions(samples),
        *fitted.notes,
    )
    return DecisionRule(rule=fitted.rule, thresholds=fitted.values, notes=notes), samples


def _provenance(model: Model, source: Path, told: Mapping[str, Any], samples: Samples | None) -> dict[str, Any]:
    """Where the bundle comes from; the images that decided count as known to it."""
    proto = model.proto
    opset = {each.domain or "ai.onnx": each.version for each in proto.opset_import}
    maker = " ".join(filter(None, (proto.producer_name, proto.producer_version)))
    found: dict[str, Any] = {
        "command": command(),
        "machine": machine(),
        "versions": versions(),
        "packed": {"file": source.name, "sha256": sha256_file(source), "producer": maker, "opset": opset, **told},
    }
    if samples is not None:
        found["contents"] = {"calibration": sorted(row.sha256 for row in samples.rows)}
        found["decided_on"] = {"name": samples.name, "source": samples.source, "hash": samples.hash}
    return found


def _sentences(model: Model, reading: Reading, spec: Preprocess, preprocess: str, difference: float) -> tuple[str, ...]:
    where = "channels first" if model.layout == "nchw" else "channels last"
    colour = "grey" if spec.channels == 1 else "colour"
    outputs = ", ".join(reading.outputs)
    return (
        f"input {model.input}: {spec.size[0]} x {spec.size[1]} pixels (height x width), {colour} {preprocess}, {where}",
        f"answers {outputs}: {reading.answers} of {', '.join(reading.names)}",
        f"the bundle differs from the model by {difference:.1g} on {PATTERNS} test patterns",
    )
