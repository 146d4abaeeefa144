from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from flawscope.bundle.archive import golden_patterns, to_npy, write_bundle
from flawscope.bundle.manifest import Golden, Graph, Hashes, ImageInput, Manifest, Sealed
from flawscope.bundle.rules import Calibrator, DecisionRule, TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.challenge.spec import Challenge
from flawscope.preprocess import Preprocess
from flawscope.records import Task

PART = {"images": 4, "groups": 2, "hash": "0" * 64}
CONTENT: dict[str, Any] = {
    "name": "cells", "title": "Cells", "kind": "multilabel", "classes": ["crack", "inactive"], "negative": "ok",
    "metric": "mean_f1", "pass_mark": 0.6, "opens": "2027-01-01T00:00:00Z", "deadline": "2027-03-01T23:59:59+01:00",
    "daily": 5, "ladder_step": 0.01, "seed": 1, "parts": {"training": PART, "public": PART, "private": PART},
}  # fmt: skip


@pytest.fixture(scope="session")
def challenge_content() -> dict[str, Any]:
    """What stands in a challenge.json."""
    return CONTENT


@pytest.fixture(scope="session")
def make_challenge() -> Callable[..., Challenge]:
    """`make_challenge(metric="accuracy")`: a challenge with some keys changed."""
    return lambda **changes: Challenge.model_validate(CONTENT | changes)


@pytest.fixture(scope="session")
def odd_bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`odd_bundle(nodes, constants, k=1)`: a bundle of a graph from `values` (float) to `logits`, for 8 x 8 pictures.

    Its golden patterns are answered truly if `honest`, else with zeros: for graphs that cannot be run here.
    """
    spec, folder = Preprocess(size=(8, 8), channels=1), tmp_path_factory.mktemp("odd")

    def make(
        nodes: Sequence[Any], constants: Mapping[str, Any], *, k: int = 1, honest: bool = True, task: Any = None
    ) -> Path:
        task = task or Task("binary", ("defective",), "functional")
        graph = helper.make_graph(
            [helper.make_node("Cast", ["inputs"], ["values"], to=TensorProto.FLOAT), *nodes],
            "odd",
            [helper.make_tensor_value_info("inputs", TensorProto.UINT8, ["batch", *spec.shape])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", k])],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        )
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("evil", 1)]
        content = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
        sealed = Sealed(
            task=TaskModel.of(task),
            graphs=(Graph(inputs=(ImageInput(preprocess=spec),)),),
            calibrator=Calibrator.identity(len(task.classes)),
            decision=DecisionRule(rule="r", fitted_on="calibration", thresholds=(0.5,) * len(task.classes)),
            split_stamp="LEAK NOT CHECKED",
        )
        graphs = {"graphs/main.onnx": content}
        if honest:
            golden, files = Runtime(sealed, graphs, threads=1).make_golden()
        else:
            inputs, outputs = {"inputs": "golden/in.npy"}, {"logits": "golden/out.npy"}
            golden = Golden(file_inputs=inputs, file_outputs=outputs)
            zeros = np.zeros((4, k), dtype=np.float32)
            files = {"golden/in.npy": to_npy(golden_patterns(spec)), "golden/out.npy": to_npy(zeros)}
        manifest = Manifest(
            name="odd",
            created="2027-01-31",
            sealed=sealed,
            hashes=Hashes(data="d", split="s", recipe="r", code="0.1"),
            golden=(golden,),
        )
        path = folder / f"{len(list(folder.iterdir()))}.flawscope"
        write_bundle(path, manifest, graphs, files)
        return path

    return make


@pytest.fixture(scope="session")
def endless(odd_bundle: Callable[..., Path]) -> Path:
    """A bundle whose graph never ends."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["x", "x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
        ],
    )
    nodes = [
        helper.make_node("ReduceMean", ["values", "axes"], ["mean"], keepdims=1),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Loop", ["times", "yes", "flat"], ["logits"], body=body),
    ]
    constants = {"axes": np.array([1, 2, 3]), "times": np.array(2**62), "yes": np.array(True)}
    return odd_bundle(nodes, constants, honest=False)
