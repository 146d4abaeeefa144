"""Refuses ONNX files that reach outside themselves, before onnxruntime sees them.

onnxruntime follows references to external data even when it is given bytes: relative ones from the working folder,
and before version 1.23 absolute ones too. The `onnx` package is not part of the light runtime, so this walks the few
messages of onnx.proto3 that can hold such a reference. Custom operators need no check here: onnxruntime refuses every
operator that no library has registered, and we register none.
"""

from __future__ import annotations

from collections.abc import Iterator

from flawscope.errors import BundleError

_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""Field numbers of the messages inside each message, from onnx.proto3."""
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_ORT = b"ORTM"
"""Bytes 4 to 8 of onnxruntime's own format, which it tells by them whatever else the file may be."""
_DEPTH = 64


def refuse_external_data(name: str, content: bytes) -> None:
    """Check that every weight of a graph lies inside the file.

    Raises:
        BundleError: a weight lies in another file, or the bytes are not an ONNX model.
    """
    if content[4:8] == _ORT:  # it can be ONNX as well, to the eyes of this walk
        raise BundleError(f"graph {name!r} is in onnxruntime's own format, not ONNX", "export the model as ONNX")
    try:
        external = _reaches_outside(memoryview(content), "model", 0)
    except ValueError as error:
        raise BundleError(f"graph {name!r} is not an ONNX file ({error})", "export the model again") from None
    if external:
        raise BundleError(
            f"graph {name!r} keeps weights in another file (external data); a bundle must hold everything itself",
            "export the model again with its weights inside the ONNX file",
        )


def _reaches_outside(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _DEPTH:
        raise ValueError("nested too deeply")
    for field, value in fields(message):
        if kind == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0)):
            return True
        child = _CHILDREN[kind].get(field)
        if child and isinstance(value, memoryview) and _reaches_outside(value, child, depth + 1):
            return True
    return False


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field number and value of each field of a protobuf message; fixed-width numbers are skipped."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag >= 2**32:  # protobuf proper would cut it to 32 bits and read another field than we do
            raise ValueError("a field number is too large")
        wire = tag & 7
        value: int | memoryview = 0
        if wire == _VARINT:
            value, at = _varint(message, at)
        elif wire == _BYTES:
            length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"unknown wire type {wire}")
        if at > len(message):
            raise ValueError("it is cut off")
        yield tag >> 3, value


def varints(message: memoryview) -> Iterator[int]:
    """Whole numbers that stand one behind the other, as protobuf packs them."""
    at = 0
    while at < len(message):
        value, at = _varint(message, at)
        yield value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("it is cut off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")
