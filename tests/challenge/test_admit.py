"""Files and graphs that no honest tool makes: each is refused before anything of it is run, with a reason."""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from flawscope.bundle.archive import read_bundle
from flawscope.challenge.admit import check_contents, check_file
from flawscope.challenge.bounds import Bounds
from flawscope.challenge.graphcheck import RANDOM, check_graph
from flawscope.errors import BundleError
from flawscope.preprocess import Preprocess

BOUNDS = Bounds()
COMMENT = b"sha256:" + b"0" * 64


def test_honest_bundles_are_taken(make_bundle: Callable[..., Path], make_mask_bundle: Callable[..., Path]) -> None:
    for path in (make_bundle(evidence={"test": {"n": 1}}), make_mask_bundle(gate=True)):
        check_file(path, BOUNDS)
        check_contents(read_bundle(path), BOUNDS)


def zipped(
    files: dict[str, bytes], *, how: int = zipfile.ZIP_STORED, mode: int = 0o644, comment: bytes = COMMENT
) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, mode << 16
            entry.compress_type = zipfile.ZIP_STORED if name == "manifest.json" else how
            file.writestr(entry, content)
        file.comment = comment
    return stream.getvalue()


def overlapping() -> bytes:
    """Many names in the directory for one and the same content (a zip bomb without nesting; Fifield, 2019)."""
    content = zipped({"manifest.json": b"x" * 5000, "golden/a.npy": b"", "golden/b.npy": b""})
    start = content.index(b"PK\x01\x02")
    entries, at = [], start
    for _ in range(3):
        length = 46 + sum(struct.unpack("<3H", content[at + 28 : at + 34]))
        entries.append(content[at : at + length])
        at += length
    first = entries[0]
    same = [first[:16] + first[16:28] + each[28:46] + each[46:] for each in entries[1:]]
    same = [each[:42] + first[42:46] + each[46:] for each in same]
    return content[:start] + first + b"".join(same) + content[at:]


def declaring(entries: int, size: int) -> bytes:
    """A zip whose end record says so."""
    content = bytearray(zipped({"manifest.json": b"{}"}))
    end = content.rindex(b"PK\x05\x06")
    struct.pack_into("<HHL", content, end + 8, entries, entries, size)
    return bytes(content)


def sixty_four() -> bytes:
    content = zipped({"manifest.json": b"{}"})
    end = content.rindex(b"PK\x05\x06")
    return content[:end] + b"PK\x06\x07" + bytes(16) + content[end:]


MANIFEST = {"manifest.json": b"{}"}


def odd_directory() -> bytes:
    """A zip whose list of files is something else."""
    return zipped({"manifest.json": b"{}"}).replace(b"PK\x01\x02", b"LIST")


FILES: dict[str, tuple[bytes, str]] = {
    "not a zip": (b"hello" * 100, "no zip"),
    "empty": (b"", "no zip"),
    "cut off": (zipped(MANIFEST)[:-9], "no zip|its end"),
    "another zip": (zipped(MANIFEST, comment=b""), "its end|no zip"),
    "for more than 4 GB": (sixty_four(), "more than 4 GB"),
    "many files": (zipped(MANIFEST | {f"golden/{i}.npy": b"" for i in range(100)}), "101 files, at most 64"),
    "a huge directory": (declaring(1, 2**31), "holds 1 files"),
    "a damaged directory": (odd_directory(), "^the list of files in the zip is damaged$"),
    "no manifest": (zipped({"golden/a.npy": b""}), "no manifest"),
    "up and out": (zipped(MANIFEST | {"../../evil.npy": b""}), "'../../evil.npy': it would lie outside"),
    "hidden way out": (zipped(MANIFEST | {"golden/..\\..\\evil.npy": b""}), "would lie outside"),
    "absolute": (zipped(MANIFEST | {"/etc/passwd": b""}), "would lie outside"),
    "a drive": (zipped(MANIFEST | {"C:evil": b""}), "would lie outside"),
    "a link": (zipped(MANIFEST | {"golden/a.npy": b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777), "is a link"),
    "code": (zipped(MANIFEST | {"golden/setup.py": b""}), "'golden/setup.py', which no bundle does"),
    "a bomb": (
        zipped(MANIFEST | {"golden/a.npy": bytes(10**7)}, how=zipfile.ZIP_DEFLATED),
        r"'golden/a.npy' is packed \(1,0\d\d bytes from each\)",
    ),
    "files over each other": (overlapping(), "lie over each other"),
    "a large document": (zipped({"manifest.json": b" " * (2**20 + 1)}), "manifest.json' has 1,048,577 bytes"),
}


@pytest.mark.parametrize(("content", "problem"), FILES.values(), ids=FILES)
def test_files_that_are_refused(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "x.flawscope"
    path.write_bytes(content)
    with pytest.raises(BundleError) as caught:
        check_file(path, BOUNDS)
    assert re.search(problem, caught.value.problem), caught.value.problem
    assert caught.value.remedy


def test_a_large_file_a_folder_and_none(make_bundle: Callable[..., Path], tmp_path: Path) -> None:
    path = make_bundle()
    with pytest.raises(BundleError, match=r"bytes, at most 1,000 bytes are taken"):
        check_file(path, replace(BOUNDS, bundle_bytes=1000))
    with pytest.raises(BundleError, match="not a file"):
        check_file(tmp_path, BOUNDS)
    with pytest.raises(BundleError, match="No such file"):
        check_file(tmp_path / "none", BOUNDS)


def test_one_name_twice(tmp_path: Path) -> None:
    content = zipped(MANIFEST | {"golden/a.npy": b"", "golden/b.npy": b""}).replace(b"golden/b", b"golden/a")
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BundleError, match="one name twice"):
        check_file(tmp_path / "x", BOUNDS)


def test_a_picture_too_large_for_the_judge(make_bundle: Callable[..., Path]) -> None:
    contents = read_bundle(make_bundle(spec=Preprocess(size=(8, 64), channels=1)))
    with pytest.raises(BundleError, match="64 x 8 pixels, at most 32 a side"):
        check_contents(contents, replace(BOUNDS, side=32))


# --- graphs -------------------------------------------------------------------------------------------------------


def model(nodes: list[Any], *, constants: Any = (), shape: Any = ("n", 4), **options: Any) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        list(constants),
    )
    return helper.make_model(graph, **options)


def inner(node: Any) -> onnx.ModelProto:
    """The node in a branch of a branch of an `If`."""
    for _ in range(2):
        branch = helper.make_graph([node], "b", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
        node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    return model([node])


PLAIN = helper.make_node("Relu", ["x"], ["y"])
CUSTOM = helper.make_node("Relu", ["x"], ["y"], domain="evil.corp")


DRAWN = helper.make_node("RandomNormalLike", ["a"], ["b"])


def dropout(
    mode: Any,
    *,
    branches: bool = False,
    given: bool = False,
    twice: bool = False,
    merged: bool = False,
    form: str = "initializer",
) -> bytes:
    """A Dropout with a constant training mode, or (None) with one that hangs on the picture."""
    node = helper.make_node("Dropout", ["x", "", "mode"], ["y"])
    constant = numpy_helper.from_array(np.asarray(False if mode is None else mode), "mode")
    nodes = [node]
    if form == "node":
        nodes.insert(0, helper.make_node("Constant", [], ["mode"], value=constant))
    if mode is None or twice:
        nodes.insert(0, helper.make_node("ReduceMin", ["truths"], ["mode"], keepdims=0))
        nodes.insert(0, helper.make_node("Greater", ["x", "x"], ["truths"]))
    made = inner(node) if branches else model(nodes)
    if mode is not None and form == "initializer":
        made.graph.initializer.append(constant)
    if given:
        made.graph.input.append(helper.make_tensor_value_info("mode", TensorProto.BOOL, []))
    if not merged:
        return made.SerializeToString()
    # A second value of the same tensor: protobuf takes the last.
    first = constant.SerializeToString()
    second = first + TensorProto(raw_data=b"\x01").SerializeToString()
    return _field(0x3A, made.graph.SerializeToString().replace(_field(0x2A, first), _field(0x2A, second)))


def _field(tag: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([tag, len(content)]) + content


def with_function() -> onnx.ModelProto:
    function = helper.make_function("own", "Twice", ["a"], ["b"], [], [])
    return model([PLAIN], functions=[function])


def external() -> onnx.ModelProto:
    tensor = numpy_helper.from_array(np.ones(4, dtype=np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return model([PLAIN], constants=[tensor])


def claiming(*dims: int) -> TensorProto:
    """A tensor that says it has these sides, and holds nothing."""
    return TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=b"")


def training() -> onnx.ModelProto:
    made = model([PLAIN])
    made.training_info.add()
    return made


GRAPHS: dict[str, tuple[bytes, str]] = {
    "custom": (model([CUSTOM]).SerializeToString(), "custom operator, of the domain 'evil.corp'"),
    "onnxruntime's own": (
        model([helper.make_node("EPContext", ["x"], ["y"], domain="com.microsoft")]).SerializeToString(),
        "custom operator, of the domain 'com.microsoft'",
    ),
    "custom, within branches": (inner(CUSTOM).SerializeToString(), "custom operator"),
    "random, within branches": (
        inner(helper.make_node("RandomNormal", [], ["y"], shape=[4])).SerializeToString(),
        r"random numbers \(RandomNormal\)",
    ),
    "a Dropout that is switched on": (dropout(True), "Dropout, whose training mode is not a constant false"),
    "a Dropout that the picture switches": (dropout(None), "Dropout, whose training mode"),
    "the same, within branches": (dropout(None, branches=True), "Dropout, whose training mode"),
    "a Dropout switched by an input of its graph": (dropout(False, given=True), "Dropout, whose training mode"),
    "a Dropout switched by a name that two things bear": (dropout(False, twice=True), "Dropout, whose training mode"),
    "a Dropout switched by a number": (dropout(np.int64(0)), "Dropout, whose training mode"),
    "a Dropout whose one constant is two": (dropout(False, merged=True), "Dropout, whose training mode"),
    "random, in a function": (
        model([PLAIN], functions=[helper.make_function("own", "F", ["a"], ["b"], [DRAWN], [])]).SerializeToString(),
        "functions of its own",
    ),
    "a function": (with_function().SerializeToString(), "functions of its own"),
    "training": (training().SerializeToString(), "instructions for training"),
    "external data": (external().SerializeToString(), "external data"),
    "a huge tensor": (
        model([PLAIN], constants=[claiming(2**20, 2**20)]).SerializeToString(),
        "1048576 x 1048576 numbers, at most 268,435,456",
    ),
    "a negative tensor": (model([PLAIN], constants=[claiming(-4)]).SerializeToString(), "a tensor of"),
    "a huge input": (model([PLAIN], shape=("n", 2**40)).SerializeToString(), "1099511627776 numbers"),
    "many operators": (model([PLAIN] * 20_001).SerializeToString(), "more than 20,000 operators"),
    "no operators": (model([]).SerializeToString(), "no operators"),
    "no graph": (b"\xff\xff\xff", r"not an ONNX file \(it is cut off\)"),
    "another format": (b"\x12\x85\x80\x00ORTMx" + model([PLAIN]).SerializeToString(), "onnxruntime's own format"),
}


@pytest.mark.parametrize(("content", "problem"), GRAPHS.values(), ids=GRAPHS)
def test_graphs_that_are_refused(content: bytes, problem: str) -> None:
    with pytest.raises(BundleError) as caught:
        check_graph("main", content, BOUNDS)
    assert re.search(problem, caught.value.problem), caught.value.problem
    assert caught.value.remedy


@pytest.mark.parametrize("name", RANDOM)
def test_random_operators_are_names_of_the_standard(name: str) -> None:
    assert onnx.defs.has(name)


@pytest.mark.parametrize("form", ["initializer", "node"])
def test_a_dropout_that_is_off_is_taken(form: str) -> None:
    check_graph("main", dropout(False, form=form), BOUNDS)
    check_graph("main", dropout(np.array([False]), form=form), BOUNDS)
    for inputs in (["x"], ["x", "ratio"], ["x", "ratio", ""]):
        check_graph("main", model([helper.make_node("Dropout", inputs, ["y"])]).SerializeToString(), BOUNDS)


def test_plain_graphs_are_taken_with_operators_for_trees_and_branches() -> None:
    nodes = [PLAIN, helper.make_node("TreeEnsemble", ["x"], ["z"], domain="ai.onnx.ml")]
    check_graph("main", model(nodes, constants=[claiming(2**14, 2**14)]).SerializeToString(), BOUNDS)
    check_graph("main", inner(PLAIN).SerializeToString(), BOUNDS)


def test_nested_beyond_all_measure() -> None:
    content = PLAIN.SerializeToString()
    for tag in (0x0A, 0x32, 0x2A) * 120:  # node in graph in attribute in node; onnx itself would not write it
        length = len(content)
        content = bytes([tag, length & 0x7F | 0x80, length >> 7]) + content
    graph = b"\x0a" + bytes([len(content) & 0x7F | 0x80, len(content) >> 7]) + content
    with pytest.raises(BundleError, match="nested too deeply"):
        check_graph("main", b"\x3a" + bytes([len(graph) & 0x7F | 0x80, len(graph) >> 7]) + graph, BOUNDS)
