"""A model that was trained elsewhere becomes the graph of a bundle. Needs the `onnx` package, but no torch.

Around the stranger's graph stands ours: integer pictures n x c x h x w go in (`inputs`) and are brought to what the
model takes; what it answers is brought to `logits`, n x k. The stranger's own names get a prefix, so that none clashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, compose, helper, inliner, numpy_helper

from flawscope.bundle.engine import session
from flawscope.bundle.pixel_rule import PixelRule
from flawscope.errors import BundleError, UserError, choices, reason
from flawscope.preprocess import Preprocess
from flawscope.records import Task

Layout = Literal["nchw", "nhwc"]
Answers = Literal["logits", "probabilities"]
PREFIX = "model/"
STANDARD = ("", "ai.onnx")
NOTHING_DONE = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose")
"""Operators that change no number."""
TAKEN: dict[int, Any] = {
    TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16, TensorProto.DOUBLE: np.float64,
    TensorProto.UINT8: np.uint8,
}  # fmt: skip
LEAST, LEAST_REST = 1e-12, 1e-8
"""Probabilities of 0 and 1 become logits of -28 and 18: a float32 knows 1 - p to no more than 6e-8."""


@dataclass(frozen=True)
class Model:
    """A stranger's model: what it takes, what it gives. Weights lie inside, traces of where it was made are gone.

    `sides` holds height and width, None where they are free; `rows` is the number of images that it takes at a time,
    None where that is free.
    """

    proto: Any = field(repr=False)
    input: str
    element: int
    layout: Layout
    channels: int
    sides: tuple[int | None, int | None]
    rows: int | None
    outputs: tuple[str, ...]


def load_model(path: str | Path, layout: Layout | None = None) -> Model:
    """Read an ONNX file, with weights that lie beside it.

    Raises:
        UserError: it is none, or the layout must be said.
        BundleError: it holds custom operators, takes several inputs or no picture, or something is missing.
    """
    try:
        proto = onnx.load(str(path))
    except Exception as error:  # onnx and protobuf have no common error
        raise UserError(
            f"{path} cannot be read as ONNX: {reason(error)}",
            "name the .onnx file that the export wrote; weights in a file beside it must lie there still",
        ) from None
    if proto.functions:
        proto = inliner.inline_local_functions(proto)
    _only_standard(proto)
    without_traces(proto)
    weights = {each.name for each in proto.graph.initializer}
    inputs = [each for each in proto.graph.input if each.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(each.name for each in inputs) or "nothing"
        raise BundleError(
            f"{path} takes {names}; expected one picture", "export the model with the picture as its only input"
        )
    kind = inputs[0].type.tensor_type
    sides = [each.dim_value or None for each in kind.shape.dim]
    found = _layout(str(path), sides, layout)
    if kind.elem_type not in TAKEN:
        name = TensorProto.DataType.Name(kind.elem_type).lower()
        raise BundleError(f"{path} takes a picture of {name}", "export it with an input of float32 or uint8")
    channel, height, width = (1, 2, 3) if found == "nchw" else (3, 1, 2)
    return Model(
        proto=proto,
        input=inputs[0].name,
        element=kind.elem_type,
        layout=found,
        channels=cast(int, sides[channel]),
        sides=(sides[height], sides[width]),
        rows=sides[0],
        outputs=tuple(each.name for each in proto.graph.output),
    )


def _only_standard(proto: Any) -> None:
    """Refuse operators that onnxruntime knows from libraries alone.

    Raises:
        BundleError: names the first.
    """
    for node in _nodes(proto.graph):
        if node.domain not in STANDARD:
            raise BundleError(
                f"the model holds the operator {node.op_type} of {node.domain}, which is no standard ONNX",
                "export it again with standard operators (opset 13 or later)",
            )


def _nodes(graph: Any) -> Iterable[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _nodes(inner)


def without_traces(proto: Any) -> None:
    """Take out names of source files and call stacks: they have no place in a file that is handed on."""
    for node in _nodes(proto.graph):
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        del value.metadata_props[:]
        value.doc_string = ""
    del proto.metadata_props[:], proto.graph.metadata_props[:]
    proto.doc_string = proto.graph.doc_string = ""


def _layout(path: str, sides: Sequence[int | None], asked: Layout | None) -> Layout:
    """Where the channels stand: 1 or 3 of them, in second or in last place."""
    shape = " x ".join("?" if side is None else str(side) for side in sides)
    if len(sides) != 4:
        raise BundleError(
            f"{path} takes an input of {shape or 'one number'}; expected pictures: n x c x h x w or n x h x w x c",
            "export the model with its picture as input",
        )
    places: dict[Layout, int] = {"nchw": 1, "nhwc": 3}
    fits = [name for name, place in places.items() if sides[place] in (1, 3)]
    if asked is not None and asked not in fits:
        raise UserError(f"--layout {asked}: the input is {shape}, which has not 1 or 3 channels there", "leave it out")
    if asked is None and len(fits) != 1:
        raise UserError(
            f"whether {shape} has its channels in second (nchw) or last place (nhwc) cannot be told",
            "say it: --layout nhwc (Keras and TensorFlow) or --layout nchw (PyTorch)",
        )
    return asked or fits[0]


@dataclass(frozen=True)
class Reading:
    """How the answers of a model are read.

    `outputs` names them in the order of their columns; `names` says what the columns mean: the classes of the task, or
    of a binary one the two answers in the model's order, where one column is that of the last.
    """

    task: Task
    names: tuple[str, ...]
    outputs: tuple[str, ...]
    answers: Answers
    columns: int

    def logits(self, column_nc: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """What the graph must answer, worked out in numpy: n x k."""
        value_nc = column_nc.astype(np.float64)
        if self.answers == "probabilities":
            log_nc = np.log(np.maximum(value_nc, LEAST))
            exclusive = self.task.kind == "multiclass" or self.columns > len(self.task.classes)
            value_nc = log_nc if exclusive else log_nc - np.log(np.maximum(1 - value_nc, LEAST_REST))
        if self.task.kind != "binary":
            return value_nc
        if self.columns == 2:
            bad = self.names.index(self.task.classes[0])
            return value_nc[:, [bad]] - value_nc[:, [1 - bad]]
        return -value_nc if self.names[-1] == self.task.negative else value_nc


def read_outputs(
    model: Model,
    task: Task,
    names: Sequence[str],
    example: npt.NDArray[Any],
    *,
    outputs: Sequence[str] = (),
    answers: Answers | None = None,
) -> Reading:
    """Which outputs are read and how, checked on an example of what the model takes.

    Raises:
        UserError: an output that does not exist, that must be named, or that says something else than was said of it.
        BundleError: the model cannot be run.
    """
    for name in outputs:
        if name not in model.outputs:
            raise UserError(f"--output-name {name}: the model has no such output", choices(name, model.outputs))
    if not outputs and len(model.outputs) > 1:
        raise UserError(
            f"the model has {len(model.outputs)} outputs: {', '.join(model.outputs)}",
            "say which are its answers, in the order of the classes: --output-name NAME, once for each",
        )
    chosen = tuple(outputs) or model.outputs
    column_nc = run_model(model, chosen, example)
    columns = column_nc.shape[1]
    allowed = (1, 2) if task.kind == "binary" else (len(task.classes),)
    if columns not in allowed or (columns == 2 and task.kind == "binary" and len(names) != 2):
        wanted = f"{' or '.join(map(str, allowed))} for {', '.join(names)}"
        raise UserError(
            f"the model gives {columns} numbers an image; expected {wanted}",
            "name a class for each (--classes), in the order of the outputs; of a binary task both answers where the "
            "network gives two numbers: --classes ok,defective --negative ok",
        )
    last = {_last_operator(model.proto.graph, name) for name in chosen}
    said: Answers = "probabilities" if last & {"Sigmoid", "Softmax"} else "logits"
    _check_answers(task, last, answers or said, column_nc)
    return Reading(task, tuple(names), chosen, answers or said, columns)


def _check_answers(task: Task, last: set[str], answers: Answers, column_nc: npt.NDArray[Any]) -> None:
    known = last & {"Sigmoid", "Softmax"}
    if known and (answers == "logits" or len(last) > 1):
        raise UserError(
            f"the last steps of the outputs are {', '.join(sorted(last))}, and --answers is {answers}",
            "say --answers probabilities, or export the model without its last step",
        )
    if task.kind == "multilabel" and "Softmax" in last:
        raise UserError(
            "the last step of the model is Softmax: its classes exclude each other", "say --task multiclass"
        )
    if answers == "logits":
        return
    if not ((column_nc >= -1e-6) & (column_nc <= 1 + 1e-6)).all():
        raise UserError(
            f"the model answers {column_nc.min():.3g} to {column_nc.max():.3g} to test patterns, which are no "
            "probabilities",
            "say --answers logits",
        )
    exclusive = task.kind == "multiclass" or column_nc.shape[1] > len(task.classes)
    if exclusive and not np.allclose(column_nc.sum(axis=1), 1, atol=1e-3):
        raise UserError(
            f"the probabilities of an image sum to {column_nc.sum(axis=1).max():.3g}; those of classes that exclude "
            "each other sum to 1",
            "say --task multilabel if several classes may be there, or --answers logits",
        )


def _last_operator(graph: Any, name: str) -> str:
    """The operator that makes an output, those left out that change no number."""
    makers = {output: node for node in graph.node for output in node.output}
    while name in makers and makers[name].op_type in NOTHING_DONE:
        name = makers[name].input[0]
    return str(makers[name].op_type) if name in makers else ""


def taken(model: Model, rule: PixelRule, image_nchw: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Prepared pictures as the model takes them, worked out in numpy."""
    value_nchw = rule.apply(image_nchw)
    value = value_nchw if model.layout == "nchw" else value_nchw.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(value.astype(TAKEN[model.element]))


def run_model(model: Model, outputs: Sequence[str], value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The model as it came, image by image: n x columns.

    Raises:
        BundleError: it cannot be run, or gives something else than numbers an image.
    """
    if model.rows not in (None, 1):
        raise BundleError(
            f"the model takes {model.rows} images at a time", "export it with a free batch size, or with 1"
        )
    running = session("model", model.proto.SerializeToString())
    rows = []
    for each in value:
        try:
            found = running.run(list(outputs), {model.input: each[None]})
        except Exception as error:  # onnxruntime's errors have no common class
            raise BundleError(f"the model fails on a picture: {reason(error)}", "is its input as you said?") from None
        rows.append(np.concatenate([np.asarray(part, dtype=np.float64).reshape(-1) for part in found]))
    if len({len(row) for row in rows}) != 1 or not np.isfinite(rows).all():
        raise BundleError("the model does not give finite numbers, as many for each image", "look at its outputs")
    return np.array(rows)


def wrapped(model: Model, reading: Reading, rule: PixelRule, preprocess: Preprocess) -> bytes:
    """The graph of a bundle: integer pictures in, logits out, the model between.

    Raises:
        BundleError: the whole is no valid ONNX file.
    """
    proto = compose.add_prefix(model.proto, PREFIX)
    graph = proto.graph
    before, after = _Nodes("before"), _Nodes("after")
    _picture(before, model, rule, preprocess)
    _answers(after, reading)
    for part in (before, after):
        graph.initializer.extend(part.constants)
    inner = list(graph.node)
    del graph.node[:], graph.output[:]
    kept = [each for each in graph.input if each.name != PREFIX + model.input]
    del graph.input[:]
    element = TensorProto.UINT8 if preprocess.depth == 8 else TensorProto.UINT16
    batch: Any = model.rows or "batch"
    graph.input.extend([helper.make_tensor_value_info("inputs", element, [batch, *preprocess.shape]), *kept])
    k = len(reading.task.classes)
    proto.ir_version = max(proto.ir_version, 4)  # before, weights had to be inputs as well
    graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, k]))
    graph.node.extend([*before.nodes, *inner, *after.nodes])
    try:
        onnx.checker.check_model(proto)
        return bytes(proto.SerializeToString())
    except Exception as error:  # onnx and protobuf have no common error
        raise BundleError(f"the model cannot be packed: {reason(error)}", "export it again with opset 13") from None


class _Nodes:
    """A chain of nodes whose names cannot clash with those of the model."""

    def __init__(self, stem: str) -> None:
        self.stem = stem
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: npt.NDArray[Any]) -> str:
        name = f"{self.stem}/constant-{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{self.stem}/{len(self.nodes)}"
        node = helper.make_node(operator, list(inputs), [name], name=f"{self.stem}-{len(self.nodes)}", **attributes)
        self.nodes.append(node)
        return name


def _picture(chain: _Nodes, model: Model, rule: PixelRule, preprocess: Preprocess) -> None:
    """From integers n x c x h x w to what the model takes."""
    end = PREFIX + model.input
    value = chain.add("Cast", "inputs", to=TensorProto.FLOAT)
    if rule.reversed:
        order = np.arange(preprocess.channels)[::-1].copy()
        value = chain.add("Gather", value, chain.constant(order), axis=1)
    less_c, over_c = rule.of(preprocess.channels, preprocess.depth)
    if less_c.any():
        value = chain.add("Sub", value, chain.constant(less_c[:, None, None]))
    if (over_c != 1).any():
        value = chain.add("Div", value, chain.constant(over_c[:, None, None]))
    if model.layout == "nhwc":
        value = chain.add("Transpose", value, perm=[0, 2, 3, 1])
    chain.add("Cast", value, output=end, to=model.element)


def _answers(chain: _Nodes, reading: Reading) -> None:
    """From the outputs of the model to logits, as `Reading.logits` does."""
    rows = [
        chain.add("Cast", chain.add("Flatten", PREFIX + name, axis=1), to=TensorProto.FLOAT) for name in reading.outputs
    ]
    value = chain.add("Concat", *rows, axis=1) if len(rows) > 1 else rows[0]
    k = len(reading.task.classes)
    if reading.answers == "probabilities":
        least = chain.constant(np.array(LEAST, dtype=np.float32))
        log = chain.add("Log", chain.add("Max", value, least))
        if reading.task.kind == "multiclass" or reading.columns > k:
            value = log
        else:
            rest = chain.add("Sub", chain.constant(np.array(1, dtype=np.float32)), value)
            least = chain.constant(np.array(LEAST_REST, dtype=np.float32))
            value = chain.add("Sub", log, chain.add("Log", chain.add("Max", rest, least)))
    if reading.task.kind == "binary" and reading.columns == 2:
        bad = reading.names.index(reading.task.classes[0])
        one, other = (chain.constant(np.array([column])) for column in (bad, 1 - bad))
        value = chain.add("Sub", chain.add("Gather", value, one, axis=1), chain.add("Gather", value, other, axis=1))
    elif reading.task.kind == "binary" and reading.names[-1] == reading.task.negative:
        value = chain.add("Neg", value)
    chain.add("Identity", value, output="logits")
