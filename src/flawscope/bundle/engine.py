"""What this version of the runtime can run of a bundle, and the onnxruntime session that runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnxruntime

from flawscope.bundle.graphfile import refuse_external_data
from flawscope.bundle.manifest import Graph, ImageInput, Sealed, TableInput
from flawscope.errors import BundleError, reason

Answers = Literal["logits", "masks"]
"""What a graph says of an image: a number a class, or a map of numbers a class."""
NEWER = "install a newer flawscope: pip install --upgrade flawscope"


@dataclass(frozen=True)
class Signature:
    """One graph of a bundle: its picture, its metadata where it takes them, and the name of what it answers."""

    graph: Graph
    image: ImageInput
    table: TableInput | None
    answer: str


def supported(sealed: Sealed) -> Graph:
    """The one graph of a bundle that classifies; anything that this version cannot run is refused in words.

    Raises:
        BundleError: another engine, or other steps.
    """
    check_engine(sealed)
    if sealed.task.pixels:
        raise BundleError(
            "the bundle makes masks of flaws; expected one that decides about whole images",
            "`flawscope inspect` and `show` take it; in Python: flawscope.bundle.mask_runtime.open_bundle",
        )
    if [step.kind for step in sealed.steps] != ["classify"]:
        steps = " -> ".join(f"{step.name} ({step.kind})" for step in sealed.steps)
        raise BundleError(f"the bundle has the steps {steps}; this version runs one classify step", NEWER)
    return sealed.graph(sealed.steps[0].graph)


def mask_graphs(sealed: Sealed) -> tuple[Graph | None, Graph]:
    """The graphs of a bundle that makes masks: the gate's, where there is one, and that of the masks.

    Raises:
        BundleError: another engine, a bundle that makes none, or pictures that are resized.
    """
    check_engine(sealed)
    if not sealed.task.pixels:
        raise BundleError(
            "the bundle decides about whole images; expected one that makes masks of flaws",
            "in Python: flawscope.bundle.mask_runtime.open_bundle takes either",
        )
    graphs = {step.kind: sealed.graph(step.graph) for step in sealed.steps}
    image = signature_of(graphs["mask"], "masks").image
    if image.preprocess.resize != "none":
        raise BundleError("the bundle resizes the pictures that it makes masks of; this version does not", NEWER)
    for graph in graphs.values():
        if len(graph.inputs) > 1:
            raise BundleError(f"graph {graph.name!r} of a bundle that makes masks also takes metadata", NEWER)
    return graphs.get("gate"), graphs["mask"]


def check_engine(sealed: Sealed) -> None:
    """See that the bundle was decided with the engine that is here.

    Raises:
        BundleError: with another one.
    """
    if (sealed.engine.name, sealed.engine.precision) != ("onnxruntime", "float32"):
        raise BundleError(f"the bundle was decided with {sealed.engine.name} in {sealed.engine.precision}", NEWER)


def signature_of(graph: Graph, kind: Answers = "logits") -> Signature:
    """What a graph takes and answers.

    Raises:
        BundleError: other inputs than one image and at most one table, or not one output of this kind.
    """
    images = [each for each in graph.inputs if isinstance(each, ImageInput)]
    tables = [each for each in graph.inputs if isinstance(each, TableInput)]
    if len(images) != 1 or len(tables) > 1:
        names = ", ".join(f"{each.name} ({each.kind})" for each in graph.inputs)
        raise BundleError(
            f"graph {graph.name!r} takes {names}; this version runs graphs of one image and at most one table", NEWER
        )
    answers = [each.name for each in graph.outputs if each.kind == kind]
    if len(answers) != 1:
        raise BundleError(f"graph {graph.name!r} gives {len(answers)} outputs of kind {kind}, expected one", NEWER)
    return Signature(graph, images[0], tables[0] if tables else None, answers[0])


def session(name: str, content: bytes) -> Any:
    """An engine for one graph, which messages call by its name, on one core; no libraries of operators, no files.

    Raises:
        BundleError: the graph reaches outside itself, or onnxruntime cannot load it.
    """
    refuse_external_data(name, content)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = 4  # errors come back as exceptions
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common class
        raise BundleError(
            f"onnxruntime {onnxruntime.__version__} cannot load graph {name!r}: {reason(error)}",
            "export the model again with standard ONNX operators, or update onnxruntime",
        ) from None


def check_signature(running: Any, signature: Signature) -> None:
    """The graph takes and gives what the manifest says.

    Raises:
        BundleError: it does not.
    """
    graph, spec = signature.graph, signature.image.preprocess
    found = {each.name: (each.type, each.shape) for each in running.get_inputs()}
    wanted: dict[str, tuple[str, tuple[int, ...]]] = {
        signature.image.name: (f"tensor({np.dtype(spec.dtype)})", spec.shape)
    }
    if signature.table is not None:
        wanted[signature.table.name] = ("tensor(float)", (len(signature.table.columns),))
    if set(found) != set(wanted):
        names = " and ".join(map(repr, wanted))
        raise BundleError(f"graph {graph.name!r} takes {sorted(found)}, the manifest says {names}", "export again")
    for name, (kind, inner) in wanted.items():
        given, shape = found[name]
        fits = len(shape) == 1 + len(inner) and all(
            not isinstance(a, int) or a == b for a, b in zip(shape[1:], inner, strict=True)
        )
        if given != kind or not fits:
            says = f"{kind} n x {' x '.join(map(str, inner))}"
            raise BundleError(f"input {name!r} is {given} {shape}, the manifest says {says}", "export again")
    missing = [each.name for each in graph.outputs if each.name not in {out.name for out in running.get_outputs()}]
    if missing:
        raise BundleError(f"graph {graph.name!r} does not give the outputs {missing}", "export again")
