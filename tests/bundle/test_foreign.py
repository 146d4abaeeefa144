"""Models that were trained elsewhere answer in a bundle what they answer there: exports of Keras, TensorFlow, torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import nn

from flawscope.bundle.archive import read_bundle
from flawscope.bundle.pixel_rule import RULES, PixelRule
from flawscope.bundle.runtime import Runtime
from flawscope.errors import BundleError, UserError
from flawscope.inspection.folder import inspect_folder
from flawscope.records import Decision
from flawscope.steps.pack import pack

FOREIGN = Path(__file__).parent / "foreign"
SIDE = 24


def pattern(number: int, channels: int) -> Any:
    """As in foreign/make_models.py."""
    y, x, c = np.mgrid[0:SIDE, 0:SIDE, 0:channels]
    return ((37 * number + 5 * y + 3 * x + 11 * c + (y * x * (number + 1)) % 97) % 256).astype(np.uint8)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """A folder of the pictures that Keras has answered, grey or colour."""
    root = tmp_path_factory.mktemp("pictures")
    for channels in (1, 3):
        (root / str(channels)).mkdir()
        for number in range(6):
            pixels = pattern(number, channels)
            image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
            image.save(root / str(channels) / f"{number}.png")
    return lambda channels: root / str(channels)


def answered(bundle: Path, folder: Path) -> np.ndarray[Any, Any]:
    return np.array([each.probability for each in inspect_folder(Runtime.open(bundle), folder)])


TWO = {"classes": ["crack", "hole"], "task": "multilabel"}


@pytest.mark.parametrize(
    ("name", "channels", "options", "columns"),
    [
        ("keras-sigmoid", 1, {"preprocess": "0..1", **TWO}, [0, 1]),
        ("tensorflow", 1, {"preprocess": "mean=0:std=1", **TWO}, [0, 1]),
        ("keras-softmax", 3, {"preprocess": "-1..1", "classes": ["ok", "bad"]}, [1]),
        ("keras-softmax", 3, {"preprocess": "-1..1", "classes": ["bad", "ok"], "answers": "probabilities"}, [0]),
        ("keras-softmax", 3, {"preprocess": "-1..1", "classes": ["x", "y"], "task": "multiclass"}, [0, 1]),
        ("keras-two-outputs", 3, {"preprocess": "caffe", **TWO, "outputs": ["Identity:0", "Identity_1:0"]}, [0, 1]),
        ("keras-two-outputs", 3, {"preprocess": "caffe", "classes": ["hole"], "outputs": ["Identity_1:0"]}, [1]),
    ],
)
def test_the_bundle_answers_what_keras_answers(
    name: str, channels: int, options: Any, columns: list[int], *, pictures: Callable[[int], Path], tmp_path: Path
) -> None:
    expected_nk = np.array(json.loads((FOREIGN / "expected.json").read_text(encoding="utf-8"))[name])
    made = pack(FOREIGN / f"{name}.onnx", tmp_path / "a.flawscope", **options)
    assert np.ptp(expected_nk, axis=0).min() > 0.02  # or equal answers would say nothing
    assert answered(made.bundle, pictures(channels)) == pytest.approx(expected_nk[:, columns], abs=2e-6)


class Net(nn.Module):
    """Logits of three classes from pictures n x c x h x w."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(4, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.head(self.body(x))
        return made


def exported(path: Path, channels: int, classes: int) -> Net:
    """A torch model as ONNX, weights in a file beside it as torch writes them."""
    torch.manual_seed(0)
    network = Net(channels, classes).eval()
    with torch.no_grad():
        network.head.weight *= 20
    torch.onnx.export(
        network, (torch.zeros(2, channels, SIDE, SIDE),), str(path), dynamo=True, verbose=False,
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},), external_data=True,
    )  # fmt: skip
    return network


def test_torch_with_weights_beside_and_its_own_mean_and_deviation(
    tmp_path: Path, pictures: Callable[[int], Path]
) -> None:
    network = exported(tmp_path / "m.onnx", 3, 3)
    made = pack(tmp_path / "m.onnx", preprocess="imagenet", classes=["a", "b", "c"], task="multiclass")
    x_nhwc = np.stack([pattern(number, 3) for number in range(6)]) / 255
    mean, std = (np.array(part) for part in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        x = torch.from_numpy(((x_nhwc - mean) / std).transpose(0, 3, 1, 2).astype(np.float32))
        expected_nk = torch.softmax(network(x), 1).numpy()
    (tmp_path / "m.onnx.data").unlink(missing_ok=True)
    assert answered(made.bundle, pictures(3)) == pytest.approx(expected_nk, abs=1e-5)
    contents = read_bundle(made.bundle)
    assert contents.manifest.sealed.split_stamp == "LEAK NOT CHECKED"
    assert contents.evidence["provenance"]["packed"]["answers"] == "logits"
    assert b"test_foreign.py" not in contents.graphs["graphs/main.onnx"]  # no traces of where it was made


def test_thresholds_and_the_sign_of_a_single_number(tmp_path: Path, pictures: Callable[[int], Path]) -> None:
    exported(tmp_path / "m.onnx", 1, 1)
    one = pack(tmp_path / "m.onnx", tmp_path / "a.flawscope", preprocess="0..255", classes=["bad"], thresholds=[0.3])
    other = pack(tmp_path / "m.onnx", tmp_path / "b.flawscope", preprocess="0..255", classes=["bad", "ok"])
    first, second = answered(one.bundle, pictures(1)), answered(other.bundle, pictures(1))
    assert first == pytest.approx(1 - second, abs=1e-6)
    decided = [each.decision for each in inspect_folder(Runtime.open(one.bundle), pictures(1))]
    assert decided == [Decision((bool(p >= 0.3),), "bad" if p >= 0.3 else "ok") for (p,) in first]


def plain(
    path: Path, shape: list[Any], *, last: str = "Identity", outputs: int = 2, element: int = TensorProto.FLOAT
) -> Path:
    """A model of its own: the mean of the picture times 1, 2, ... as its answers."""
    weight = numpy_helper.from_array(np.arange(1, outputs + 1, dtype=np.float32)[None], "w")
    nodes = [
        helper.make_node("Cast", ["inputs"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("MatMul", ["mean", "w"], ["z"]),
        helper.make_node(last, ["z"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("inputs", element, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [shape[0], outputs])], [weight],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.mark.parametrize("element", [TensorProto.UINT8, TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16])
@pytest.mark.parametrize("shape", [["n", 1, 8, 8], [1, 8, 8, 1], ["n", "h", "w", 3]])
def test_shapes_and_kinds_of_numbers(tmp_path: Path, shape: list[Any], element: int) -> None:
    """Names that clash with ours, free and fixed batches, free sizes."""
    model = plain(tmp_path / "m.onnx", shape, element=element)
    size = (8, 8) if "h" in shape else None
    made = pack(model, preprocess="0..255", classes=["a", "b"], task="multilabel", size=size, outputs=["logits"])
    Image.new("RGB", (8, 8), (100, 100, 100)).save(tmp_path / "a.png")
    logit_nk = Runtime.open(made.bundle).scores([str(tmp_path / "a.png")])
    assert logit_nk == pytest.approx(np.array([[100.0, 200.0]]), rel=2e-3)


GOOD: dict[str, Any] = {"preprocess": "0..1", "classes": ["a", "b"], "task": "multilabel"}


@pytest.mark.parametrize(
    ("shape", "more", "change", "words"),
    [
        (["n", 3, 8, 3], {}, {}, "cannot be told"),
        (["n", 4, 8, 8], {}, {}, "cannot be told"),
        (["n", 1, 8, 8], {}, {"layout": "nhwc"}, "has not 1 or 3 channels there"),
        (["n", 64], {}, {}, "expected pictures"),
        (["n", 1, "h", "w"], {}, {}, "say the size"),
        (["n", 1, 8, 8], {}, {"size": (16, 16)}, "the model takes pictures of 8 x 8"),
        ([4, 1, 8, 8], {}, {}, "4 images at a time"),
        (["n", 1, 8, 8], {"element": TensorProto.INT64}, {}, "a picture of int64"),
        (["n", 1, 8, 8], {"outputs": 3}, {}, "the model gives 3 numbers an image; expected 2 for a, b"),
        (["n", 1, 8, 8], {}, {"task": None}, "do they exclude each other"),
        (["n", 1, 8, 8], {}, {"task": "binary"}, "which of a and b is the good answer"),
        (["n", 1, 8, 8], {}, {"task": "multi"}, "Valid: binary, multiclass, multilabel"),
        (["n", 1, 8, 8], {}, {"layout": "ncwh"}, "did you mean 'nchw'"),
        (["n", 1, 8, 8], {}, {"answers": "prob"}, "Valid: logits, probabilities"),
        (["n", 1, 8, 8], {}, {"resize": "cubic"}, "did you mean 'bicubic'"),
        (["n", 1, 8, 8], {}, {"classes": ["a", "a"]}, "distinct"),
        (["n", 1, 8, 8], {}, {"preprocess": "0-1"}, "did you mean '0..1'"),
        (["n", 1, 8, 8], {}, {"preprocess": "mean=a:std=1"}, "expected numbers"),
        (["n", 1, 8, 8], {}, {"preprocess": "mean=1:std=0"}, "std not 0"),
        (["n", 1, 8, 8], {}, {"preprocess": "imagenet"}, "names three channels"),
        (["n", 1, 8, 8], {}, {"outputs": ["z2"]}, "no such output"),
        (["n", 1, 8, 8], {}, {"answers": "probabilities", "preprocess": "0..255"}, "which are no probabilities"),
        (["n", 1, 8, 8], {"last": "Sigmoid"}, {"answers": "logits"}, "say --answers probabilities"),
        (["n", 1, 8, 8], {"last": "Softmax"}, {}, "exclude each other"),
        (["n", 1, 8, 8], {"last": "Sigmoid"}, {"task": "multiclass"}, "those of classes that exclude each other sum"),
        (["n", 1, 8, 8], {}, {"thresholds": [0.1, 0.2, 0.3]}, "or 2 of them"),
        (["n", 1, 8, 8], {}, {"thresholds": [0.1], "data": "x"}, "give one of them"),
        (["n", 1, 8, 8], {}, {"depth": 12}, "cannot be prepared so"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_guessed(
    tmp_path: Path, shape: list[Any], more: Any, change: Any, words: str
) -> None:
    model = plain(tmp_path / "m.onnx", shape, **more)
    with pytest.raises(UserError, match=words):
        pack(model, **GOOD | change)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_files_that_are_no_models_and_operators_that_are_no_standard(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match="cannot be read as ONNX"):
        pack(tmp_path / "a.onnx", **GOOD)
    model = onnx.load(plain(tmp_path / "m.onnx", ["n", 1, 8, 8]))
    model.graph.node[-1].domain = "com.example"
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(BundleError, match=r"Identity of com\.example, which is no standard"):
        pack(tmp_path / "m.onnx", **GOOD)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("name", "low", "high"), [("0..1", 0, 1), ("0..255", 0, 255), ("-1..1", -1, 1)])
def test_named_rules_span_what_they_say(name: str, low: float, high: float, depth: int) -> None:
    most = np.array([0, 2**depth - 1], dtype=np.uint8 if depth == 8 else np.uint16).reshape(1, 1, 1, 2)
    assert RULES[name].apply(most).ravel().tolist() == pytest.approx([low, high], rel=1e-6)


def test_caffe_turns_the_channels_round() -> None:
    image = np.arange(3, dtype=np.uint8).reshape(1, 3, 1, 1) * 10
    assert PixelRule.read("caffe").apply(image).ravel() == pytest.approx(
        [20 - 103.939, 10 - 116.779, -123.68], abs=1e-4
    )
