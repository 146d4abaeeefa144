"""A tiny bundle whose answers can be computed by hand: logit_k = weight_k * mean of the picture / 255 + bias_k."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from flawscope.bundle.archive import write_bundle
from flawscope.bundle.manifest import Graph, Hashes, ImageInput, Manifest, Output, Sealed
from flawscope.bundle.rules import Calibrator, DecisionRule, TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.preprocess import Preprocess
from flawscope.records import Task

BINARY = Task("binary", ("defective",), "functional")
WEIGHTS = (8.0, -4.0, 2.0)
BIASES = (-4.0, 1.0, 0.0)
EXPLAINING = tuple(Output(name=kind, kind=kind) for kind in ("logits", "maps", "features"))


def tiny_graph(
    spec: Preprocess, k: int, weights: tuple[float, ...] = WEIGHTS, biases: Any = BIASES, *, maps: bool = False
) -> onnx.ModelProto:
    """Cast, mean over everything but the batch, times weight, plus bias.

    With `maps` also what each pixel has added (n x k x h x w), and the mean over channels, which is what it knows.
    """
    kind = TensorProto.UINT8 if spec.depth == 8 else TensorProto.UINT16
    top = float(np.iinfo(spec.dtype).max)
    constants = {
        "axes": np.array([1, 2, 3]),
        "weight": np.array([weights[:k]], dtype=np.float32) / np.float32(top),
        "bias": np.array([biases[:k]], dtype=np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["inputs"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "axes"], ["mean"], keepdims=1),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logits"]),
    ]
    outputs = {"logits": [k]}
    if maps:
        constants |= {"channel": np.array([1]), "weight_k11": constants["weight"].reshape(1, k, 1, 1)}
        nodes.append(helper.make_node("ReduceMean", ["values", "channel"], ["features"], keepdims=1))
        nodes.append(helper.make_node("Mul", ["features", "weight_k11"], ["maps"]))
        outputs |= {"maps": [k, *spec.size], "features": [1, *spec.size]}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("inputs", kind, ["batch", *spec.shape])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *size]) for name, size in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def tiny_sealed(task: Task, spec: Preprocess, thresholds: tuple[float, ...] | None = None) -> Sealed:
    k = len(task.classes)
    return Sealed(
        task=TaskModel.of(task),
        graphs=(Graph(inputs=(ImageInput(preprocess=spec),)),),
        calibrator=Calibrator.identity(k),
        decision=DecisionRule(rule="best F1", fitted_on="calibration", thresholds=thresholds or (0.5,) * k),
        split_stamp="LEAK NOT CHECKED",
    )


def tiny_manifest(sealed: Sealed, *golden: Any) -> Manifest:
    return Manifest(
        name="tiny",
        created="2026-01-31",
        sealed=sealed,
        hashes=Hashes(data="d", split="s", recipe="r", code="0.1"),
        licences=("weights: none",),
        golden=golden,
    )


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Write a tiny bundle: `make_bundle(task, spec, thresholds=..., draft=..., evidence=..., maps=...)` -> its path."""

    def make(
        task: Task = BINARY,
        spec: Preprocess | None = None,
        *,
        thresholds: tuple[float, ...] | None = None,
        draft: bool = False,
        name: str = "tiny.flawscope",
        evidence: Any = None,
        maps: bool = False,
    ) -> Path:
        spec = spec or Preprocess(size=(8, 8), channels=1)
        sealed = tiny_sealed(task, spec, thresholds)
        if draft:
            sealed = sealed.model_copy(update={"calibrator": None, "decision": None})
        if maps:
            told = {"outputs": EXPLAINING, "layer": "values"}
            sealed = sealed.model_copy(update={"graphs": (sealed.graphs[0].model_copy(update=told),)})
        graphs = {"graphs/main.onnx": tiny_graph(spec, len(task.classes), maps=maps).SerializeToString()}
        golden, files = Runtime(sealed, graphs, threads=1).make_golden()
        write_bundle(tmp_path / name, tiny_manifest(sealed, golden), graphs, files, evidence)
        return tmp_path / name

    return make
