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
_OPERATOR, _DOMAIN = 4, 7
_TENSOR_DIMS, _SPARSE_DIMS, _DIM_VALUE = 1, 3, 1


@dataclass
class _Found:
    """What the walk has counted so far."""

    bounds: Bounds
    nodes: int = 0
    operators: set[str] = field(default_factory=set)


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
        for number, value in fields(message):
            if number == _DOMAIN and _text(value) not in DOMAINS:
                raise BundleError(f"the graph has a custom operator, of the domain {_text(value)[:60]!r}", _EXPORT)
            if number == _OPERATOR:
                found.operators.add(_text(value))
    elif kind in ("tensor", "sparse"):
        _check_shape(list(_dimensions(message, _TENSOR_DIMS if kind == "tensor" else _SPARSE_DIMS)), found.bounds)
    elif kind == "shape":
        dims = [number for each in _messages(message, 1) for number in _dimensions(each, _DIM_VALUE)]
        _check_shape(dims, found.bounds)


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


def _text(value: int | memoryview) -> str:
    return "" if isinstance(value, int) else bytes(value).decode("utf-8", errors="replace")
