"""Tiny bundles of masks, whose answers are known for each grey value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from flawscope.bundle.archive import write_bundle
from flawscope.bundle.manifest import Graph, ImageInput, Output, Sealed, Step
from flawscope.bundle.mask_runtime import MaskRuntime
from flawscope.bundle.rules import Calibrator, DecisionRule, Gate, MaskRule, TaskModel
from flawscope.preprocess import Preprocess
from flawscope.records import Task
from tiny_bundles import tiny_graph, tiny_manifest

MASKS = Task("multilabel", ("bright", "dark"), "sound", pixels="multilabel")
TILES = Preprocess(size=(16, 16), channels=1, resize="none")


def mask_graph(spec: Preprocess, exclusive: bool) -> onnx.ModelProto:
    """Each pixel by itself, v from 0 to 1: logits 40 (v - 0.75) and 40 (0.25 - v), and 0 before them if exclusive."""
    weight, bias = ([0.0, 40.0, -40.0], [0.0, -30.0, 10.0]) if exclusive else ([40.0, -40.0], [-30.0, 10.0])
    q, (channels, height, width) = len(bias), spec.shape
    weights = np.repeat(np.array(weight).reshape(q, 1, 1, 1) / 255 / channels, channels, axis=1)
    nodes = [
        helper.make_node("Cast", ["inputs"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["values", "weights", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "masks",
        [helper.make_tensor_value_info("inputs", TensorProto.UINT8, ["batch", channels, height, width])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", q, height, width])],
        [numpy_helper.from_array(np.array(v, dtype=np.float32), n) for n, v in (("weights", weights), ("bias", bias))],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def mask_parts(
    task: Task = MASKS,
    spec: Preprocess = TILES,
    rule: MaskRule | None = None,
    *,
    gate: bool = False,
    draft: bool = False,
) -> tuple[Sealed, dict[str, bytes]]:
    """What a bundle of masks consists of; its gate calls a picture flawed whose mean grey value is above one half."""
    rule = rule or MaskRule(levels=(128, 128), min_areas=(3, 3), overlap=(6, 6), fitted_on="calibration")
    graphs = {"graphs/main.onnx": mask_graph(spec, task.pixels == "multiclass").SerializeToString()}
    entries = [Graph(inputs=(ImageInput(preprocess=spec),), outputs=(Output(kind="masks"),))]
    steps = [Step(name="mask", kind="mask")]
    if gate:
        small, flawed = Preprocess(size=(8, 8), channels=1), Task("binary", ("flawed",), task.negative)
        graphs["graphs/gate.onnx"] = tiny_graph(small, 1, (200.0,), (-100.0,)).SerializeToString()
        entries.append(Graph(name="gate", file="graphs/gate.onnx", inputs=(ImageInput(preprocess=small),)))
        steps.insert(0, Step(name="gate", kind="gate", graph="gate"))
    sealed = Sealed(
        task=TaskModel.of(task),
        graphs=tuple(entries),
        steps=tuple(steps),
        masks=None if draft else rule,
        gate=Gate(
            task=TaskModel.of(flawed),
            calibrator=Calibrator.identity(1),
            decision=DecisionRule(rule="best F1", fitted_on="calibration", thresholds=(0.5,)),
        )
        if gate
        else None,
        split_stamp="LEAK NOT CHECKED",
    )
    return sealed, graphs


@pytest.fixture(scope="session")
def mask_runtime() -> Callable[..., MaskRuntime]:
    """`mask_runtime(task, spec, rule, gate=..., draft=..., threads=...)`: the runtime of `mask_parts`."""

    def make(*given: Any, threads: int = 1, **options: Any) -> MaskRuntime:
        return MaskRuntime(*mask_parts(*given, **options), threads=threads)

    return make


@pytest.fixture
def make_mask_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Write a bundle of `mask_parts`: `make_mask_bundle(task, spec, rule, gate=..., draft=...)` -> its path."""

    def make(*given: Any, name: str = "masks.flawscope", evidence: Any = None, **options: Any) -> Path:
        sealed, graphs = mask_parts(*given, **options)
        golden, files = MaskRuntime(sealed, graphs, threads=1).make_golden()
        manifest = tiny_manifest(sealed, *golden)
        write_bundle(tmp_path / name, manifest, graphs, files, evidence)
        return tmp_path / name

    return make
