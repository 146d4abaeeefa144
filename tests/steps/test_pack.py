"""A packed model as a user works with it: thresholds fitted on labelled images, inspected, shown, evaluated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import flawscope
from flawscope.bundle.archive import read_bundle
from flawscope.errors import DataError, OutputError

Cli = Callable[..., Any]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Probability of "bad": the mean of the picture, 0 to 1; channels last."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "one"], ["p"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16, 16, 1])]
    outputs = [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n"])]
    one = numpy_helper.from_array(np.array([1], dtype=np.float32), "one")
    graph = helper.make_graph(nodes, "g", inputs, outputs, [one])
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "grey.onnx")
    return tmp_path / "grey.onnx"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Bad ones are brighter than 0.7 of white, good ones are below 0.4."""
    for i in range(20):
        bad = i % 4 == 0
        path = tmp_path / "data" / ("bad" if bad else "ok") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20, 20), 180 + i if bad else 60 + 2 * i).save(path)
    return tmp_path / "data"


ASKED: dict[str, Any] = {"preprocess": "0..1", "classes": ["bad"], "answers": "probabilities"}


def test_thresholds_are_fitted_and_the_images_are_known_to_the_bundle(model: Path, data: Path, tmp_path: Path) -> None:
    made = flawscope.pack(model, data=data, licence="mine", **ASKED)
    (threshold,) = made.manifest.sealed.decision.thresholds  # type: ignore[union-attr]
    assert 98 / 255 < threshold < 180 / 255
    summary = flawscope.inspect(made.bundle, data, tmp_path / "results.csv")
    assert summary.counts == {"ok": 15, "bad": 5}
    said = "\n".join(flawscope.show(made.bundle))
    assert "Fitted on 20 images of data" in said
    assert "LEAK NOT CHECKED" in said
    assert "Licence: model: grey.onnx, mine." in said
    with pytest.raises(DataError, match="all 20 images were used to make the bundle"):
        flawscope.evaluate(made.bundle, data, twins="identical")
    packed = read_bundle(made.bundle).evidence["provenance"]["packed"]
    assert (packed["file"], packed["layout"], packed["columns"]) == ("grey.onnx", "nhwc", ["bad"])


def test_labels_that_the_model_does_not_know(model: Path, data: Path) -> None:
    with pytest.raises(DataError, match="the bundle is binary and knows hole, ok"):
        flawscope.pack(model, data=data, **{**ASKED, "classes": ["hole"]})


def test_nothing_is_replaced_unasked(model: Path, tmp_path: Path) -> None:
    flawscope.pack(model, **ASKED)
    with pytest.raises(OutputError, match="exists already"):
        flawscope.pack(model, **ASKED)
    flawscope.pack(model, overwrite=True, **ASKED)
    with pytest.raises(OutputError, match=r"ends in \.flawscope"):
        flawscope.pack(model, tmp_path / "x.onnx", **ASKED)


def test_the_command(model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from flawscope.cli.app import app

    monkeypatch.chdir(tmp_path)
    words = ["pack", str(model), "--preprocess", "0..1", "--classes", "ok,bad", "--answers", "probabilities"]
    assert CliRunner().invoke(app, [*words, "--threshold", "0.6"]).exit_code == 0
    made = read_bundle(model.with_suffix(".flawscope")).manifest.sealed
    assert made.decision is not None
    assert (made.task.classes, made.decision.thresholds) == (("bad",), (0.6,))
    crop = ["--crop", "0,0,10,10", "--preprocess", "-1..1", "-o", "b.flawscope", "--threshold", "0.2"]
    assert CliRunner().invoke(app, [*words[:-1], "logits", *crop]).exit_code == 0
    (graph,) = read_bundle(tmp_path / "b.flawscope").manifest.sealed.graphs
    assert graph.inputs[0].preprocess.crop == (0, 0, 10, 10)  # type: ignore[union-attr]
    for wrong in (["--size", "big"], ["--crop", "1,2,3"], ["--threshold", "60%"]):
        assert CliRunner().invoke(app, [*words, *wrong]).exit_code != 0
