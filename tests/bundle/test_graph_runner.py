"""A graph of masks by hand: maps of (255 - value, value), computed on prepared images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from flawscope.bundle import archive, graph_runner
from flawscope.bundle.graph_runner import GraphRunner
from flawscope.bundle.manifest import Graph, ImageInput, Output
from flawscope.errors import BundleError
from flawscope.preprocess import Preprocess

SPEC = Preprocess(size=(8, 12), channels=1, resize="none")
GRAPH = Graph(inputs=(ImageInput(preprocess=SPEC),), outputs=(Output(kind="masks"),))


def two_maps(top: float = 255.0) -> bytes:
    constants = {"scale": np.array([-1.0, 1.0]).reshape(1, 2, 1, 1), "shift": np.array([top, 0.0]).reshape(1, 2, 1, 1)}
    nodes = [
        helper.make_node("Cast", ["inputs"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["values", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "maps",
        [helper.make_tensor_value_info("inputs", TensorProto.UINT8, ["batch", *SPEC.shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2, *SPEC.size])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    model: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    ).SerializeToString()
    return model


def image(seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, SPEC.shape, dtype=np.uint8)


def test_the_maps_of_an_image() -> None:
    runner = GraphRunner(GRAPH, two_maps(), answers="masks")
    map_2hw = runner.answer(image(), (2, 8, 12))
    np.testing.assert_array_equal(map_2hw, np.stack([255.0 - image()[0], image()[0]]))
    assert runner.run(image())["logits"].shape == (1, 2, 8, 12)


@pytest.mark.parametrize(
    ("content", "answers", "shape", "problem"),
    [
        (two_maps(), "logits", (2, 8, 12), "0 outputs of kind logits, expected one"),
        (two_maps(), "masks", (3, 8, 12), r"has shape \(1, 2, 8, 12\) for one image, expected \(1, 3, 8, 12\)"),
        (two_maps(np.nan), "masks", (2, 8, 12), "not a finite number for tile 7: NaN or infinite"),
        (b"none", "masks", (2, 8, 12), "main"),
    ],
)
def test_what_is_refused(content: bytes, answers: Any, shape: tuple[int, ...], problem: str) -> None:
    with pytest.raises(BundleError, match=problem):
        GraphRunner(GRAPH, content, answers=answers).answer(image(), shape, what="tile 7")


@pytest.mark.parametrize(("most", "n"), [(2**23, 4), (2 * 2 * 8 * 12 * 4, 2), (1, 1)])
def test_golden_patterns_are_fewer_where_answers_are_large(monkeypatch: pytest.MonkeyPatch, most: int, n: int) -> None:
    monkeypatch.setattr(graph_runner, "GOLDEN_BYTES", most)
    runner = GraphRunner(GRAPH, two_maps(), answers="masks")
    golden, files = runner.make_golden()
    assert archive.from_npy(files, golden.file_outputs["logits"]).shape == (n, 2, 8, 12)
    assert archive.from_npy(files, golden.file_inputs["inputs"]).shape == (n, *SPEC.shape)
