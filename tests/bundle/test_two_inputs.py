"""A bundle that takes metadata beside the picture: a graph by hand, and what is refused, row by row."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from flawscope.bundle import archive
from flawscope.bundle.manifest import Column, Graph, Hashes, ImageInput, Manifest, Sealed, TableInput
from flawscope.bundle.rules import Calibrator, DecisionRule, TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.bundle.verify import describe, verify
from flawscope.errors import BundleError, MetadataError
from flawscope.inspection.folder import Pictures, inspect_folder
from flawscope.inspection.tables import read_results
from flawscope.preprocess import Preprocess
from flawscope.records import Sample, Samples, Task

SPEC = Preprocess(size=(8, 8), channels=1)
COLUMNS = (Column(name="type", categories=("mono", "poly")), Column(name="age", mean=10.0, std=2.0))
TASK = Task("binary", ("bad",))


def graph(width: int = 2, kind: int = TensorProto.FLOAT) -> bytes:
    """The logit is mean / 255 + 4 * type + 0.1 * age - 3."""
    weight = np.array([[4.0], [0.1]] + [[0.0]] * (width - 2), dtype=np.float32)[:width]
    constants = {
        "axes": np.array([1, 2, 3]),
        "top": np.array(255, np.float32),
        "weight": weight,
        "bias": np.float32([3]),
    }
    nodes = [
        helper.make_node("Cast", ["inputs"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "axes"], ["mean"], keepdims=1),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Div", ["flat", "top"], ["grey"]),
        helper.make_node("Cast", ["table"], ["known"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["known", "weight"], ["beside"]),
        helper.make_node("Add", ["grey", "beside"], ["sum"]),
        helper.make_node("Sub", ["sum", "bias"], ["logits"]),
    ]
    inputs = [
        helper.make_tensor_value_info("inputs", TensorProto.UINT8, ["batch", 1, 8, 8]),
        helper.make_tensor_value_info("table", kind, ["batch", width]),
    ]
    made = helper.make_graph(
        nodes,
        "two",
        inputs,
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def sealed(columns: tuple[Column, ...] = COLUMNS) -> Sealed:
    return Sealed(
        task=TaskModel.of(TASK),
        graphs=(Graph(inputs=(ImageInput(preprocess=SPEC), TableInput(columns=columns))),),
        calibrator=Calibrator.identity(1),
        decision=DecisionRule(rule="best F1", fitted_on="calibration", thresholds=(0.5,)),
        split_stamp="LEAK NOT CHECKED",
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    graphs = {"graphs/main.onnx": graph()}
    golden, files = Runtime(sealed(), graphs, threads=1).make_golden()
    hashes = Hashes(data="", split="", recipe="", code="")
    manifest = Manifest(name="two", created="2026-01-31", sealed=sealed(), golden=(golden,), hashes=hashes)
    archive.write_bundle(tmp_path / "two.flawscope", manifest, graphs, files)
    return tmp_path / "two.flawscope"


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    Image.new("L", (8, 8), 51).save(tmp_path / "grey.png")
    return tmp_path / "grey.png"


def test_by_hand(bundle: Path, grey: Path) -> None:
    runtime = Runtime.open(bundle)
    rows: list[Any] = [{"type": "mono", "age": 5}, {"age": "7,5", "type": "poly", "more": "x"}]
    expected = [0.2 + 0 + 0.5 - 3, 0.2 + 4 + 0.75 - 3]
    np.testing.assert_allclose(runtime.scores([grey, grey], rows).ravel(), expected, atol=1e-6)
    answers = list(runtime.predict([grey, grey], rows))
    assert [each.decision.label for each in answers if each.decision] == ["ok", "bad"]
    prepared = np.full((2, 1, 8, 8), 51, np.uint8)
    np.testing.assert_allclose(runtime.scores(prepared, rows).ravel(), expected, atol=1e-6)
    assert runtime.scores([], []).shape == (0, 1)


def test_what_cannot_be_coded_is_an_answer_with_the_reason_and_the_run_goes_on(bundle: Path, grey: Path) -> None:
    runtime = Runtime.open(bundle)
    good: dict[str, Any] = {"type": "mono", "age": "3"}
    cases: list[tuple[Any, str]] = [
        ({"age": 3}, "no value for 'type'"),
        (good | {"type": ""}, "no value for 'type'"),
        (good | {"age": math.nan}, "no value for 'age'"),
        (good | {"age": "nan"}, "no value for 'age'"),
        (good | {"age": math.inf}, "no value for 'age'"),
        (good | {"age": "old"}, "age: 'old' is no number"),
        (good | {"age": 1e300}, "age: 1e+300 is too large"),
        (good | {"type": "multi"}, "type: 'multi' is none of mono, poly"),
        ("no row in lots.csv", "no row in lots.csv"),
        (good, ""),
    ]
    names = [grey] * len(cases)
    found = list(runtime.predict(names, [case for case, _ in cases]))
    assert [each.error for each in found] == [reason for _, reason in cases]
    assert [each.decision is None for each in found] == [True] * 9 + [False]
    with pytest.raises(MetadataError, match="no value for 'type'"):
        runtime.scores([grey, grey], [good, {"age": 3}])
    gone = next(runtime.predict([grey.with_name("gone.png")], [good]))
    assert gone.error == "the file does not exist"


def test_without_any_metadata_nothing_begins(bundle: Path, grey: Path) -> None:
    runtime = Runtime.open(bundle)
    words = r"type \(one of mono, poly\), age \(a number, 10 on average while training, deviation 2\)(?s:.)*--table"
    for call in (
        lambda: runtime.scores([grey]),
        lambda: runtime.predict([grey]),
        lambda: inspect_folder(runtime, grey),
    ):
        with pytest.raises(MetadataError, match=words):
            call()
    with pytest.raises(ValueError, match="shorter"):
        runtime.scores([grey, grey], [{"type": "mono", "age": 1}])


def test_a_bundle_of_pictures_alone_passes_metadata_over(make_bundle: Any, pictures: Path) -> None:
    runtime = Runtime.open(make_bundle())
    path = pictures / "b.png"
    assert runtime.scores([path], [{"type": "x"}]).tolist() == runtime.scores([path]).tolist()


def test_samples_bring_their_metadata(bundle: Path, grey: Path) -> None:
    rows = tuple(Sample(f"{i}", str(grey), (0.0,), "g", "s", {"type": kind, "age": 5.0}) for i, kind in
                 enumerate(("mono", "poly", "multi")))  # fmt: skip
    found = list(inspect_folder(Runtime.open(bundle), Pictures.of(Samples("x", TASK, rows))))
    assert [(each.name, each.decision.label if each.decision else each.error) for each in found] == [
        ("0", "ok"), ("1", "bad"), ("2", "type: 'multi' is none of mono, poly")
    ]  # fmt: skip


def test_golden_patterns_cover_both_inputs(bundle: Path, tmp_path: Path) -> None:
    contents = archive.read_bundle(bundle)
    row_nm = archive.from_npy(contents.golden, "golden/main.table.npy")
    assert row_nm.tolist() == [[0, 10], [1, 12], [0, 8], [1, 14]]
    assert all(check.ok for check in verify(bundle))
    for change, message in (
        (np.float32(row_nm[:, ::-1]), "differs by"),
        (row_nm[:, :1], "do not fit the graph"),
        (row_nm.astype(np.float64), "do not fit the graph"),
        (np.float32(row_nm * np.nan), "do not fit the graph"),
    ):
        golden = {**contents.golden, "golden/main.table.npy": archive.to_npy(change)}
        archive.write_bundle(tmp_path / "other", contents.manifest, contents.graphs, golden)
        with pytest.raises(BundleError, match=message):
            Runtime.open(tmp_path / "other")


def test_columns_are_part_of_the_seal(bundle: Path, tmp_path: Path) -> None:
    contents = archive.read_bundle(bundle)
    swapped = (Column(name="type", categories=("poly", "mono")), COLUMNS[1])
    other = contents.manifest.model_copy(update={"sealed": sealed(swapped)})
    archive.write_bundle(tmp_path / "other", other, contents.graphs, contents.golden)
    assert archive.read_bundle(tmp_path / "other").manifest.seal != contents.manifest.seal


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        (graph(width=3), COLUMNS, r"input 'table' is tensor\(float\) \['batch', 3\], the manifest says .* n x 2"),
        (graph(kind=TensorProto.DOUBLE), COLUMNS, r"input 'table' is tensor\(double\)"),
        (graph(), COLUMNS[:1], "says .* n x 1"),
    ],
)
def test_a_table_that_does_not_fit_the_graph(content: bytes, columns: tuple[Column, ...], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        Runtime(sealed(columns), {"graphs/main.onnx": content})


def test_columns_and_categories_are_distinct() -> None:
    with pytest.raises(ValueError, match="column names must be distinct"):
        TableInput(columns=(COLUMNS[0], COLUMNS[0]))
    with pytest.raises(ValueError, match="category names must be distinct"):
        Column(name="x", categories=("a", "a"))


def test_show_says_the_second_input(bundle: Path) -> None:
    assert (
        "Input table: metadata of each picture: type (one of mono, poly), age (a number, 10 on average while training, "
        "deviation 2). Given with --table; without a value a picture is not decided."
    ) in describe(archive.read_bundle(bundle).manifest)


def test_the_line_inspects_with_a_table_and_without_torch(bundle: Path, grey: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "new" / f"{name}.png").write_bytes(grey.read_bytes())
    (tmp_path / "lots.tsv").write_text("picture\ttype\tage\na\tmono\t5\nb\tpoly\t7,5\nc\tpoly\t\n", encoding="utf-8")
    code = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "timm", "onnx", "yaml", "sklearn", "cv2", "faiss", "matplotlib"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
import flawscope
for folder in ("new", "new/b.png"):
    print(flawscope.inspect(sys.argv[1], folder, f"r{len(folder)}.csv", table="lots.tsv", say=print))
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    words = [sys.executable, "-c", code, str(bundle)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = read_results(tmp_path / "r3.csv").rows
    assert [(row.name, row.decision.label if row.decision else row.error) for row in rows] == [
        ("a.png", "ok"), ("b.png", "bad"), ("c.png", "no value for 'age'")
    ]  # fmt: skip
    assert [row.decision.label for row in read_results(tmp_path / "r9.csv").rows if row.decision] == ["bad"]
    assert "2 rows name none of the pictures" in done.stdout
