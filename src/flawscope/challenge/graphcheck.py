"""What a stranger's ONNX graph may hold, read without the `onnx` package and before onnxruntime sees it.

The walk goes through every message that can hold a node or a tensor. Where protobuf would merge or override a field
that stands there twice, each of them is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

from flawscope.bundle.graphfile import fields, refuse_external_data, varints
from flawscope.challenge.bounds import Bounds
from flawscope.errors import BundleError

DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
"""Those of the ONNX standard: every other domain holds somebody's own operators."""
RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
_DEPTH = 32
_EXPORT = "export the model again with standard ONNX operators"

# Field numbers of onnx.proto3: what lies in each message, and where its own facts stand.
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph"},
    "graph": {1: "node", 5: "tensor", 11: "value", 12: "value", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "value": {2: "type"},
    "type": {1: "tensor type"},
    "tensor type": {2: "shape"},
    "shape": {1: "dimension"},
}
_TRAINING, _FUNCTIONS = 20, 25
_INPUT, _OUTPUT, _OPERATOR, _ATTRIBUTE, _DOMAIN = 1, 2, 4, 5, 7
_INITIALIZER, _GRAPH_INPUT, _SPARSE, _VALUE_NAME = 5, 11, 15, 1
_ATTRIBUTE_NAME, _ATTRIBUTE_TENSOR = 1, 5
_TENSOR_TYPE, _TENSOR_INT32, _TENSOR_NAME, _TENSOR_RAW = 2, 5, 8, 9
_BOOL = 9
"""The type of a tensor that holds true and false."""
_TENSOR_DIMS, _SPARSE_DIMS, _DIM_VALUE = 1, 3, 1


@dataclass
class _Found:
    """What the walk has found so far, in all graphs of the model.

    `false` are the names that a constant false bears, `other` those that anything else bears, `modes` the names of what
    switches a Dropout between training and use.
    """

    bounds: Bounds
    nodes: int = 0
    operators: set[str] = field(default_factory=set)
    false: set[str] = field(default_factory=set)
    other: set[str] = field(default_factory=set)
    modes: set[str] = field(default_factory=set)


def check_graph(name: str, content: bytes, bounds: Bounds) -> None:
    """See that a graph holds standard operators only, nothing random, nothing outside itself, and nothing too large.

    Raises:
        BundleError: it does; the message says what.
    """
    refuse_external_data(name, content)
    found = _Found(bounds)
    try:
        _walk(memoryview(content), "model", found, 0)
    except ValueError as error:
        raise BundleError(f"graph {name!r} is not an ONNX file ({error})", _EXPORT) from None
    if not found.nodes:
        raise BundleError(f"graph {name!r} holds no operators", _EXPORT)
    if found.operators & set(RANDOM):
        drawn = ", ".join(sorted(found.operators & set(RANDOM)))
        raise BundleError(f"graph {name!r} draws random numbers ({drawn}): an image must get one answer", _EXPORT)
    if found.modes - (found.false - found.other):
        raise BundleError(
            f"graph {name!r} draws random numbers (Dropout, whose training mode is not a constant false): "
            "an image must get one answer",
            "export the model for use, not for training",
        )


def _walk(message: memoryview, kind: str, found: _Found, depth: int) -> None:
    if depth > _DEPTH * len(_CHILDREN):
        raise ValueError("nested too deeply")
    if kind == "node":
        found.nodes += 1
        if found.nodes > found.bounds.nodes:
            raise BundleError(f"a graph has more than {found.bounds.nodes:,} operators", "use a smaller network")
    _check_facts(message, kind, found)
    children = _CHILDREN.get(kind, {})
    for number, value in fields(message):
        child = children.get(number)
        if child and isinstance(value, memoryview):
            _walk(value, child, found, depth + 1)


def _check_facts(message: memoryview, kind: str, found: _Found) -> None:
    """What stands in this message itself."""
    if kind == "model":
        forbidden = {_TRAINING: "instructions for training", _FUNCTIONS: "functions of its own"}
        for number, _ in fields(message):
            if number in forbidden:
                raise BundleError(f"the graph holds {forbidden[number]}", _EXPORT)
    elif kind == "node":
        _note_node(message, found)
        for number, value in fields(message):
            if number == _DOMAIN and _text(value) not in DOMAINS:
                raise BundleError(f"the graph has a custom operator, of the domain {_text(value)[:60]!r}", _EXPORT)
            if number == _OPERATOR:
                found.operators.add(_text(value))
    elif kind == "graph":
        _note_graph(message, found)
    elif kind in ("tensor", "sparse"):
        _check_shape(list(_dimensions(message, _TENSOR_DIMS if kind == "tensor" else _SPARSE_DIMS)), found.bounds)
    elif kind == "shape":
        dims = [number for each in _messages(message, 1) for number in _dimensions(each, _DIM_VALUE)]
        _check_shape(dims, found.bounds)


def _note_graph(message: memoryview, found: _Found) -> None:
    """Which names constants and inputs bear. In an inner graph a name may hide one of outside, so all are one to us."""
    for tensor in _messages(message, _INITIALIZER):
        (found.false if _is_false(tensor) else found.other).update(_texts(tensor, _TENSOR_NAME))
    for value in _messages(message, _GRAPH_INPUT):
        found.other.update(_texts(value, _VALUE_NAME))
    for sparse in _messages(message, _SPARSE):
        for tensor in _messages(sparse, 1):
            found.other.update(_texts(tensor, _TENSOR_NAME))


def _note_node(message: memoryview, found: _Found) -> None:
    """Which names its outputs bear, and what switches it if it is a Dropout."""
    operators = set(_texts(message, _OPERATOR))
    attributes = list(_messages(message, _ATTRIBUTE))
    tensors = [tensor for each in attributes for tensor in _messages(each, _ATTRIBUTE_TENSOR)]
    named = {name for each in attributes for name in _texts(each, _ATTRIBUTE_NAME)}
    constant = operators == {"Constant"} and named == {"value"} and tensors and all(map(_is_false, tensors))
    (found.false if constant else found.other).update(_texts(message, _OUTPUT))
    if "Dropout" in operators:
        found.modes.update(name for name in _texts(message, _INPUT)[2:3] if name)


def _is_false(tensor: memoryview) -> bool:
    """Whether a tensor holds false and nothing else."""
    types = {value for number, value in fields(tensor) if number == _TENSOR_TYPE}
    raw = b"".join(_messages(tensor, _TENSOR_RAW))
    return types == {_BOOL} and not any(raw) and not any(_dimensions(tensor, _TENSOR_INT32))


def _check_shape(dims: list[int], bounds: Bounds) -> None:
    if any(dim >= 2**63 for dim in dims) or prod(dims) > bounds.elements or len(dims) > 64:
        shown = " x ".join(map(str, dims[:8]))
        raise BundleError(
            f"a tensor of {shown} numbers, at most {bounds.elements:,} are taken", "use a smaller network"
        )


def _dimensions(message: memoryview, field_number: int) -> Iterator[int]:
    """Whole numbers of a field, one by one or packed."""
    for number, value in fields(message):
        if number == field_number:
            yield from [value] if isinstance(value, int) else varints(value)


def _messages(message: memoryview, field_number: int) -> Iterator[memoryview]:
    for number, value in fields(message):
        if number == field_number and isinstance(value, memoryview):
            yield value


def _texts(message: memoryview, field_number: int) -> list[str]:
    return [_text(value) for number, value in fields(message) if number == field_number]


def _text(value: int | memoryview) -> str:
    return "" if isinstance(value, int) else bytes(value).decode("utf-8", errors="replace")
