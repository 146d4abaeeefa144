from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image

from flawscope import preprocess
from flawscope.bundle import archive
from flawscope.bundle.graphfile import refuse_external_data
from flawscope.bundle.manifest import Column, Engine, Graph, ImageInput, Output, Sealed, Step, TableInput
from flawscope.bundle.runtime import Runtime
from flawscope.errors import BundleError, ImageError
from flawscope.preprocess import Preprocess
from flawscope.records import Task

Make = Callable[..., Path]
MULTICLASS = Task("multiclass", ("ok", "crack", "hole"))
MULTILABEL = Task("multilabel", ("crack", "inactive"))
WEIGHTS, BIASES = np.array([8.0, -4.0, 2.0]), np.array([-4.0, 1.0, 0.0])


def flat(path: Path, value: Any, mode: str = "L") -> Path:
    Image.new(mode, (12, 9), value).save(path)
    return path


def parts(make_bundle: Make, **options: Any) -> tuple[Sealed, dict[str, bytes]]:
    contents = archive.read_bundle(make_bundle(**options))
    return contents.manifest.sealed, dict(contents.graphs)


@pytest.mark.parametrize("task", [Task("binary", ("defective",)), MULTICLASS, MULTILABEL], ids=lambda t: t.kind)
def test_the_tiny_network_by_hand(make_bundle: Make, tmp_path: Path, task: Task) -> None:
    runtime = Runtime.open(make_bundle(task))
    k = len(task.classes)
    values = [0, 51, 255, 102]
    paths = [flat(tmp_path / f"{value}.png", value) for value in values]
    logit_nk = np.array([WEIGHTS[:k] * value / 255 + BIASES[:k] for value in values])
    got = list(runtime.predict(paths))
    assert [each.name for each in got] == [str(path) for path in paths]
    np.testing.assert_allclose([each.logits for each in got], logit_nk, atol=1e-5)
    power = np.exp(logit_nk)
    expected = power / power.sum(axis=1, keepdims=True) if task.kind == "multiclass" else power / (1 + power)
    np.testing.assert_allclose([each.probability for each in got], expected, atol=1e-5)
    for each, row in zip(got, expected, strict=True):
        flags = row == row.max() if task.kind == "multiclass" else row >= 0.5
        assert each.decision is not None
        assert each.decision.flags == tuple(flags)
        assert each.seconds > 0


def test_the_decision_of_the_seal_is_applied(make_bundle: Make, tmp_path: Path) -> None:
    path = flat(tmp_path / "x.png", 120)
    for threshold, label in ((0.3, "defective"), (0.6, "functional")):
        answer = next(Runtime.open(make_bundle(thresholds=(threshold,))).predict([path]))
        assert answer.decision is not None
        assert answer.decision.label == label


def test_numbers_do_not_depend_on_neighbours_or_threads(make_bundle: Make, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    path = make_bundle(MULTICLASS, Preprocess(size=(16, 16)))
    image_nchw = random.integers(0, 255, (40, 3, 16, 16), dtype=np.uint8)
    files = []
    for i, image_chw in enumerate(image_nchw):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(image_chw.transpose(1, 2, 0)).save(files[-1])
    one, four = Runtime.open(path, threads=1), Runtime.open(path, threads=4)
    logit_nk = one.logits(image_nchw)
    assert logit_nk.shape == (40, 3)
    assert logit_nk.dtype == np.float64
    np.testing.assert_array_equal(four.logits(image_nchw), logit_nk)
    np.testing.assert_array_equal(four.logits(image_nchw[::-1])[::-1], logit_nk)
    np.testing.assert_array_equal(np.concatenate([one.logits(image_nchw[i : i + 1]) for i in range(40)]), logit_nk)
    np.testing.assert_array_equal(four.scores(files), logit_nk)
    np.testing.assert_array_equal([each.logits for each in four.predict(files)], logit_nk)
    assert one.scores([]).shape == (0, 3)


def test_every_kind_of_picture_gives_the_same_answer(make_bundle: Make, tmp_path: Path) -> None:
    for size, channels, depth in (((8, 8), 1, 8), ((8, 8), 3, 8), ((8, 8), 1, 16), ((8, 8), 3, 16)):
        spec = Preprocess(size=size, channels=channels, depth=depth)
        runtime = Runtime.open(make_bundle(spec=spec))
        paths = [
            flat(tmp_path / "grey.bmp", 51),
            flat(tmp_path / "colour.png", (51, 51, 51), "RGB"),
            flat(tmp_path / "alpha.png", (51, 51, 51, 7), "RGBA"),
            flat(tmp_path / "deep.png", 51 * 257, "I;16"),
            flat(tmp_path / "deep.tif", 51 * 257, "I;16"),
        ]
        palette = Image.new("P", (12, 9), 5)
        palette.putpalette([51] * 768)
        palette.save(tmp_path / "palette.gif")
        got = runtime.scores([*paths, tmp_path / "palette.gif"])
        np.testing.assert_allclose(got, np.full((6, 1), 8 * 51 / 255 - 4), atol=1e-5)


def test_unreadable_pictures_become_answers_and_the_run_goes_on(
    make_bundle: Make, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Runtime.open(make_bundle())
    names = ["b.png", "missing.png", "empty.png", "cut.jpg", "text.png", "Charge ä 2", "a.PNG"]
    got = list(runtime.predict([pictures / name for name in names]))
    assert [bool(each.error) for each in got] == [False, True, True, True, True, True, False]
    assert got[1].error == "the file does not exist"
    assert got[2].error == "the file is empty (0 bytes)"
    assert "cannot be decoded" in got[3].error
    assert got[4].error == "not a picture that can be read"
    with pytest.raises(ImageError, match=r"missing\.png"):
        runtime.scores([pictures / "missing.png"])

    def broken(*_: Any) -> None:
        raise TypeError("'float' object cannot be interpreted as an integer")  # Pillow, on damaged TIFF files

    monkeypatch.setattr(preprocess.Image, "open", broken)
    assert "cannot be decoded" in next(runtime.predict([pictures / "b.png"])).error


def test_few_images_are_in_work_at_a_time(make_bundle: Make, pictures: Path) -> None:
    runtime = Runtime.open(make_bundle(), threads=2)
    taken = 0

    def source() -> Iterator[Path]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield pictures / "b.png"

    answers = runtime.predict(source())
    next(answers)
    assert taken <= 20
    answers.close()  # type: ignore[attr-defined]
    assert taken <= 20


def test_a_draft_scores_but_does_not_decide(make_bundle: Make, pictures: Path) -> None:
    runtime = Runtime.open(make_bundle(draft=True))
    assert runtime.scores([pictures / "b.png"]).tolist() == [[-4.0]]
    with pytest.raises(BundleError, match="is a draft"):
        runtime.predict([pictures / "b.png"])


def test_golden_outputs_that_differ_are_refused(make_bundle: Make, tmp_path: Path) -> None:
    contents = archive.read_bundle(make_bundle())
    expected = archive.from_npy(contents.golden, "golden/main.logits.expected.npy")
    other = tmp_path / "other.flawscope"
    for change, message in (
        (expected + 0.01, "differs by 0.0"),
        (expected * np.nan, "differs by nan"),
        (expected * np.inf, "differs by"),
        (expected[:1], "expected shape"),
    ):
        golden = {**contents.golden, "golden/main.logits.expected.npy": archive.to_npy(change)}
        archive.write_bundle(other, contents.manifest, contents.graphs, golden)
        with np.errstate(invalid="ignore"), pytest.raises(BundleError, match=message):
            Runtime.open(other)
    golden = {**contents.golden, "golden/main.logits.expected.npy": archive.to_npy(expected + 1e-5)}
    archive.write_bundle(other, contents.manifest, contents.graphs, golden)
    Runtime.open(other)
    golden = {**contents.golden, "golden/main.inputs.npy": archive.to_npy(np.zeros((1, 1, 9, 9), np.uint8))}
    archive.write_bundle(other, contents.manifest, contents.graphs, golden)
    with pytest.raises(BundleError, match="do not fit the graph"):
        Runtime.open(other)


def test_the_tolerance_grows_with_the_numbers(make_bundle: Make, tmp_path: Path) -> None:
    contents = archive.read_bundle(make_bundle())
    expected = archive.from_npy(contents.golden, "golden/main.logits.expected.npy")
    size = float(np.abs(expected).max())
    assert size > 1
    for share, fits in ((0.9e-3, True), (1.1e-3, False)):
        change = archive.to_npy(expected + np.float64(share * size))
        golden = {**contents.golden, "golden/main.logits.expected.npy": change}
        archive.write_bundle(tmp_path / "other", contents.manifest, contents.graphs, golden)
        if fits:
            Runtime.open(tmp_path / "other")
        else:
            with pytest.raises(BundleError, match="differs"):
                Runtime.open(tmp_path / "other")


def test_logits_of_wrong_shape_or_not_finite_are_refused(make_bundle: Make, pictures: Path) -> None:
    sealed, graphs = parts(make_bundle)
    model = onnx.load_from_string(graphs["graphs/main.onnx"])
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    two = onnx.load_from_string(model.SerializeToString())
    two.graph.node[-1].output[0] = "sum"
    two.graph.node.append(helper.make_node("Concat", ["sum", "sum"], ["logits"], axis=1))
    root = onnx.load_from_string(model.SerializeToString())
    root.graph.node[-1].output[0] = "sum"
    root.graph.node.append(helper.make_node("Sqrt", ["sum"], ["logits"]))
    runtime = Runtime(sealed, {"graphs/main.onnx": two.SerializeToString()})
    with pytest.raises(BundleError, match=r"'logits' has shape \(1, 2\) for one image, expected \(1, 1\)"):
        runtime.scores([pictures / "b.png"])
    runtime = Runtime(sealed, {"graphs/main.onnx": root.SerializeToString()})
    with pytest.raises(BundleError, match=r"not a finite number for .*b\.png"):
        list(runtime.predict([pictures / "a.PNG", pictures / "b.png"]))


def test_weights_in_other_files_are_refused(make_bundle: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # onnxruntime itself follows them, from the working folder.
    sealed, graphs = parts(make_bundle)
    model = onnx.load_from_string(graphs["graphs/main.onnx"])
    refuse_external_data("main", graphs["graphs/main.onnx"])
    monkeypatch.chdir(tmp_path)
    onnx.save_model(model, "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(BundleError, match="external data"):
        Runtime(sealed, {"graphs/main.onnx": Path("m.onnx").read_bytes()})
    tensor = onnx.load("m.onnx", load_external_data=False).graph.initializer[0]
    for hidden in (
        helper.make_node("Constant", [], ["c"], value=tensor),
        helper.make_node("If", ["x"], ["c"], then_branch=helper.make_graph([], "t", [], [], [tensor])),
    ):
        tricky = onnx.load_from_string(graphs["graphs/main.onnx"])
        tricky.graph.node.insert(0, hidden)
        with pytest.raises(BundleError, match="external data"):
            refuse_external_data("main", tricky.SerializeToString())


def test_custom_operators_and_damaged_graphs_are_refused(make_bundle: Make) -> None:
    sealed, graphs = parts(make_bundle)
    content = graphs["graphs/main.onnx"]
    model = onnx.load_from_string(content)
    model.graph.node[-1].domain = "my.ops"
    model.opset_import.append(helper.make_opsetid("my.ops", 1))
    with pytest.raises(BundleError, match="cannot load graph 'main'"):
        Runtime(sealed, {"graphs/main.onnx": model.SerializeToString()})
    for broken in (b"", b"no graph at all", content[:-3], content[: len(content) // 2], b"\xff" * 50):
        with pytest.raises(BundleError):
            Runtime(sealed, {"graphs/main.onnx": broken})


IMAGE = ImageInput(preprocess=Preprocess(size=(8, 8), channels=1))
TABLE = TableInput(name="meta", columns=(Column(name="line"),))
OTHER = TableInput(name="more", columns=(Column(name="line"),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine": Engine(name="openvino", precision="bfloat16")}, "decided with openvino in bfloat16"),
        ({"steps": (Step(name="g", kind="gate"), Step(name="m", kind="mask"))}, r"g \(gate\) -> m \(mask\)"),
        ({"graphs": (Graph(inputs=(TABLE,)),)}, r"takes meta \(table\); this version runs graphs of one image"),
        ({"graphs": (Graph(inputs=(IMAGE, TABLE, OTHER)),)}, r"meta \(table\), more \(table\); this version"),
        ({"graphs": (Graph(inputs=(IMAGE, TABLE)),)}, r"takes \['inputs'\], the manifest says 'inputs' and 'meta'"),
        ({"graphs": (Graph(inputs=(IMAGE,), outputs=(Output(name="f", kind="features"),)),)}, "0 outputs of kind"),
        ({"graphs": (Graph(inputs=(ImageInput(name="x", preprocess=IMAGE.preprocess),)),)}, "manifest says 'x'"),
        ({"graphs": (Graph(inputs=(ImageInput(preprocess=Preprocess()),)),)}, "manifest says tensor"),
        ({"graphs": (Graph(inputs=(IMAGE,), outputs=(Output(), Output(name="maps", kind="maps"))),)}, "maps"),
    ],
)
def test_what_this_version_cannot_run_is_refused_in_words(
    make_bundle: Make, change: dict[str, Any], message: str
) -> None:
    sealed, graphs = parts(make_bundle)
    with pytest.raises(BundleError, match=message):
        Runtime(sealed.model_copy(update=change), graphs)


def test_wrong_arrays_are_a_bug_of_the_caller(make_bundle: Make) -> None:
    runtime = Runtime.open(make_bundle())
    for bad in (np.zeros((2, 1, 8, 8), np.float32), np.zeros((2, 3, 8, 8), np.uint8)):
        with pytest.raises(ValueError, match="expected"):
            runtime.logits(bad)
        with pytest.raises(ValueError, match="expected"):
            runtime.outputs(bad)


def test_without_torch(make_bundle: Make, pictures: Path, tmp_path: Path) -> None:
    """In a process in which torch, the training rooms and onnx cannot be imported."""
    code = """
import sys
from importlib.abc import MetaPathFinder
class Block(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "timm", "onnx", "sklearn", "scipy", "matplotlib"):
            raise ImportError(name)
sys.meta_path.insert(0, Block())
from flawscope.bundle import archive, manifest, postprocess, runtime, verify
from flawscope.inspection import folder, tables
r = runtime.Runtime.open(sys.argv[1])
summary = tables.write_results(sys.argv[3], r.task, folder.inspect_folder(r, sys.argv[2]))
assert all(check.ok for check in verify.verify(sys.argv[1]))
print(summary.images, summary.errors)
"""
    source = Path(__file__).parents[2] / "src"
    arguments = [sys.executable, "-c", code, str(make_bundle()), str(pictures), str(tmp_path / "r.csv")]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "6 3\n"
