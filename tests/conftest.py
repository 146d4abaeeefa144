"""A tiny bundle whose answers can be computed by hand: logit_k = weight_k * mean of the picture / 255 + bias_k."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
import sqlalchemy as sa
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from flawscope.bundle.archive import write_bundle
from flawscope.bundle.manifest import Graph, Hashes, ImageInput, Manifest, Output, Sealed, Step
from flawscope.bundle.mask_runtime import MaskRuntime
from flawscope.bundle.rules import Calibrator, DecisionRule, Gate, MaskRule, TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.preprocess import Preprocess
from flawscope.records import Sample, Samples, Task

# Tiny networks run faster on one core than on several that wait for each other; torch reads this when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The machines that run the tests are shared and slow at times: no deadlines for single examples.
settings.register_profile("flawscope", deadline=None, print_blob=True)
settings.load_profile("flawscope")

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="session")
def docs_script() -> Callable[[str], ModuleType]:
    """`docs_script("make_results")`: a script of docs/ as a module."""

    def load(name: str) -> ModuleType:
        spec = spec_from_file_location(name, DOCS / f"{name}.py")
        assert spec and spec.loader
        module = sys.modules[name] = module_from_spec(spec)  # its dataclasses look themselves up
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def as_stored() -> Callable[[ModuleType], None]:
    """`as_stored(script)`: the picture in docs/ is the one that its script draws."""

    def check(script: ModuleType) -> None:
        with Image.open(script.TARGET) as stored, Image.open(io.BytesIO(script.drawn())) as made:
            first, second = (np.asarray(each.convert("L"), dtype=float) for each in (stored, made))
        assert first.shape == second.shape
        assert np.abs(first - second).mean() < 2, f"run: python docs/{script.__name__}.py"

    return check


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


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of grey pictures of one value each, beside files that are none or cannot be read."""
    root = tmp_path / "pictures"
    (root / "Charge ä 2").mkdir(parents=True)
    (root / ".hidden").mkdir()
    for name, value in (("b.png", 0), ("a.PNG", 255), ("Charge ä 2/c d.bmp", 128), (".hidden/x.png", 9), (".y.png", 9)):
        Image.new("L", (20, 10), value).save(root / name)
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(root / "cut.jpg")
    (root / "cut.jpg").write_bytes((root / "cut.jpg").read_bytes()[:900])
    (root / "empty.png").write_bytes(b"")
    (root / "text.png").write_text("not a picture")
    (root / "notes.txt").write_text("not meant to be a picture")
    return root


RECIPE = """\
name: tiny
data: {data}
image: {{size: 32, channels: 1}}
split: {{validation: 0.2, calibration: 0.2, test: 0.25, twins: identical}}
model: {{name: "timm:test_resnet"}}
train: {{epochs: 2, batch_size: 8, rate: 0.003, device: cpu}}
"""


def draw(path: Path, seed: int, corners: Sequence[int] = ()) -> Path:
    """A grey picture of 40 x 40 pixels with a bright spot in some of its four corners; each seed gives another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pixels = rng.integers(60, 120, (40, 40), dtype=np.uint8)
    for corner in corners:
        y, x = 20 * (corner // 2) + rng.integers(2, 8), 20 * (corner % 2) + rng.integers(2, 8)
        pixels[y : y + 10, x : x + 10] = 250
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(name="draw", scope="session")
def draw_fixture() -> Callable[..., Path]:
    """`draw(path, seed, corners)`: see there."""
    return draw


@pytest.fixture(scope="session")
def write_recipe() -> Callable[[Path, str], Path]:
    """`write_recipe(path, data)`: a recipe that trains a tiny network for a moment; `data` is YAML in one line."""

    def write(path: Path, data: str) -> Path:
        path.write_text(RECIPE.format(data=data), encoding="utf-8")
        return path

    return write


@dataclass(frozen=True)
class Finished:
    """A run of a binary task that was stopped before its decision and went on with `resume`."""

    recipe: Path
    data: Path
    folder: Path
    left: tuple[str, ...]
    calls: tuple[str, ...]

    @property
    def bundle(self) -> Path:
        return self.folder / "tiny.flawscope"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Made once: spots (nok) and none (ok), 20 pictures each, in folders with blanks and umlauts."""
    root = tmp_path_factory.mktemp("Prüf stand")
    for seed in range(40):
        draw(
            root / "Teile ä" / ("nok" if seed % 2 else "ok") / f"Bild ü {seed}.png",
            seed,
            [seed % 4] if seed % 2 else (),
        )
    recipe = root / "recipe.yaml"
    recipe.write_text(RECIPE.format(data="{kind: folders, root: Teile ä, positive: nok}"), encoding="utf-8")
    module, folder = import_module("flawscope.steps.run"), root / "runs" / "tiny"
    calls: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        real = getattr(module, name)

        def call(*given: Any) -> Any:
            calls.append(name)
            return real(*given)

        return call

    def stop(*given: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        for name in ("train_in", "export"):
            patch.setattr(module, name, noted(name))
        with patch.context() as inner, pytest.raises(KeyboardInterrupt):
            inner.setattr(module, "decide", stop)
            module.run(recipe, folder)
        left = tuple(sorted(path.name for path in folder.parent.iterdir()))
        module.run(recipe, folder, resume=True)
    return Finished(recipe, root / "Teile ä", folder, left, tuple(calls))


def fill_parts(root: Path, n: int = 96, size: int = 24) -> Path:
    """Grey pictures of `n` parts in two classes, two pictures a part (part007_1.png): the bad ones are brighter."""
    rng = np.random.default_rng(0)
    for i in range(n):
        bad, part = (i // 2) % 3 == 0, i // 2
        level = np.random.default_rng(1000 + part).normal(118 if bad else 96, 12)
        pixels = np.clip(rng.normal(level, 22, (size, size)) + np.linspace(-15, 15, size), 0, 255)
        path = root / ("nok" if bad else "ok") / f"part{part:03d}_{i % 2}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return root


PARTS_RECIPE = """\
name: {name}
data: {{kind: folders, root: {root}, positive: nok, groups: {{pattern: 'part(\\d+)_'}}}}
image: {{size: 24, channels: 1}}
split: {{validation: 0.1, calibration: 0.1, test: 0.5, twins: identical}}
model: {{name: "timm:test_resnet"}}
train: {{epochs: 5, device: cpu}}
"""


def finish_run(
    folder: Path,
    root: Path,
    *,
    weight: float = 40.0,
    cut: float = 0.42,
    overrides: Sequence[str] = (),
    folds: int | None = None,
) -> Path:
    """A finished run without any training: its graph calls a picture bad whose mean grey value is above `cut`.

    Split, bundle, scores and measures are made by the steps themselves; only history and checkpoint facts are invented.
    """
    from flawscope.data.read import read
    from flawscope.steps.deciding import provenance
    from flawscope.steps.evaluate import evaluate_run
    from flawscope.steps.run import pool
    from flawscope.steps.split import split_samples
    from flawscope.steps.train import prepare_run
    from flawscope.storage import write_json, write_text
    from flawscope.training.history import write_history
    from flawscope.training.recipe import load_recipe

    written = folder.with_name(f"{folder.name}.yaml")
    write_text(written, PARTS_RECIPE.format(name=folder.name, root=root))
    recipe = load_recipe(written, overrides)
    written.unlink()
    samples = read(recipe.data, Path.cwd(), crop=recipe.image.crop)
    for proven in split_samples(recipe, samples, folds, folder.parent / ".cache"):
        place = folder / f"fold-{proven.split.fold}" if folds else folder
        place.mkdir(parents=True)
        run = prepare_run(place, recipe, proven, folder.parent / ".cache", samples)
        sealed = tiny_sealed(samples.task, recipe.image)
        bias = (-weight * cut, 0.0, 0.0)
        graphs = {"graphs/main.onnx": tiny_graph(recipe.image, 1, (weight,), bias).SerializeToString()}
        golden, files = Runtime(sealed, graphs, threads=1).make_golden()
        write_bundle(run.bundle, tiny_manifest(sealed, golden), graphs, files, {"provenance": provenance(run)})
        watched = {} if recipe.train.watch == "loss" else {f"val_{recipe.train.watch}": 0.95}
        history = [
            {"epoch": e, "rate": 0.001, "train_loss": 0.9 * 0.8**e, "val_loss": 0.3 + cut * 0.85**e,
             **{name: top - 0.4 * 0.7**e for name, top in watched.items()}, "seconds": 1.0}
            for e in range(1, recipe.train.epochs + 1)
        ]  # fmt: skip
        write_history(run.training / "history.csv", history)
        write_json(run.training / "best.json", {"epoch": 4})
        write_json(run.trained, {"best_epoch": 4, "epochs": recipe.train.epochs})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("flawscope.evaluation.measure.DRAWS", 50)  # the intervals of the run itself may be rough
            evaluate_run(run)
    if folds:
        pool(folder, recipe, samples)
    return folder


@pytest.fixture(name="finish_run", scope="session")
def finish_run_fixture() -> Callable[..., Path]:
    """`finish_run(folder, root, ...)`: see there."""
    return finish_run


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of parts, two of each, made once."""
    return fill_parts(tmp_path_factory.mktemp("Teile ä") / "parts")


SQUARES = ("bright", "dark")


def draw_squares(
    folder: Path, n: int, pixels: Any = "multilabel", *, sizes: Sequence[tuple[int, int]] = ((32, 40),)
) -> Samples:
    """Samples of grey pictures with masks: a bright square in every second one, a dark one in two of four."""
    from flawscope.masks import masks_of
    from flawscope.storage import sha256_file

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        height, width = sizes[i % len(sizes)]
        image_hw = rng.integers(90, 160, (height, width), dtype=np.uint8)
        mask_khw = np.zeros((2, height, width), dtype=np.bool_)
        for k, value in enumerate((255, 0)):
            if (i >> k) & 1:
                y, x = int(rng.integers(0, height - 8)), int(rng.integers(0, width // 2 - 8)) + k * (width // 2)
                image_hw[y : y + 8, x : x + 8] = value
                mask_khw[k, y : y + 8, x : x + 8] = True
        path = folder / f"{i}.png"
        Image.fromarray(image_hw).save(path)
        masks = masks_of(mask_khw)
        rows.append(Sample(path.name, str(path), masks.shown, path.name, sha256_file(path), masks=masks))
    return Samples("squares", Task("multilabel", SQUARES, "ok", pixels), tuple(rows))


@pytest.fixture(name="draw_squares", scope="session")
def draw_squares_fixture() -> Callable[..., Any]:
    """`draw_squares(folder, n, pixels, sizes=...)`: see there."""
    return draw_squares


@pytest.fixture(scope="session")
def traces() -> Callable[[Any], dict[str, object]]:
    """`traces(network)`: hooks, gradients, modes and what can learn, to be compared before and after."""

    def look(network: Any) -> dict[str, object]:
        hooks = sum(
            len(hooks)
            for module in network.modules()
            for hooks in (
                module._forward_hooks,
                module._forward_pre_hooks,
                module._backward_hooks,
                module._backward_pre_hooks,
            )
        )
        return {
            "hooks": hooks,
            "modes": [module.training for module in network.modules()],
            "gradients": [name for name, each in network.named_parameters() if each.grad is not None],
            "learn": [each.requires_grad for each in network.parameters()],
            "weights": {name: float(each.double().sum()) for name, each in network.state_dict().items()},
        }

    return look


def fill_challenge(folder: Path, **changes: Any) -> Path:
    """A challenge of grey pictures, 24 in each hidden part, two a group: defective are most of the bright ones."""
    from flawscope.challenge.labels import IMAGES, Labels, labels_hash, part_hash, write_labels
    from flawscope.challenge.spec import Challenge, hidden, save_challenge

    parts: dict[Any, Any] = {"training": {"images": 1, "groups": 1, "hash": "0" * 64}}
    for seed, name in enumerate(("public", "private")):
        rng = np.random.default_rng(seed)
        place = hidden(folder, name)  # type: ignore[arg-type]
        (place / IMAGES).mkdir(parents=True)
        values = rng.permutation(np.linspace(10, 245, 24).astype(np.uint8))
        truth = values.astype(float) + rng.normal(0, 40, 24) > 128
        files = tuple(f"{i:05d}.png" for i in range(24))
        for file, value in zip(files, values, strict=True):
            Image.new("L", (12, 10), int(value)).save(place / IMAGES / file)
        labels = Labels(files, tuple(str(i // 2) for i in range(24)), truth[:, None])
        write_labels(place, labels, BINARY)
        hashed = part_hash(labels, [place / IMAGES / file for file in files])
        parts[name] = {"images": 24, "groups": 12, "hash": hashed, "labels_hash": labels_hash(labels)}
    content = {
        "name": "grey", "title": "Grey parts", "kind": "binary", "classes": BINARY.classes, "negative": BINARY.negative,
        "metric": "accuracy", "pass_mark": 0.6, "opens": "2020-01-01T00:00Z", "deadline": "2099-01-01T00:00Z",
        "daily": 5, "ladder_step": 0.01, "seed": 1, "parts": parts,
    }  # fmt: skip
    save_challenge(Challenge.model_validate(content | changes), folder)
    return folder


@pytest.fixture
def contest(tmp_path: Path) -> Path:
    """The folder of a challenge, see `fill_challenge`."""
    return fill_challenge(tmp_path / "contest")


@pytest.fixture(name="fill_challenge", scope="session")
def fill_challenge_fixture() -> Callable[..., Path]:
    """`fill_challenge(folder, daily=1)`: see there."""
    return fill_challenge


@pytest.fixture(scope="session")
def sandbox() -> None:
    """Skips, and says so, where there is no sandbox: then the judge refuses to run, too."""
    from flawscope.challenge.sandbox import check_sandbox
    from flawscope.errors import SandboxError

    try:
        check_sandbox()
    except SandboxError as error:
        pytest.skip(f"NOTHING OF THE JUDGE'S SANDBOX IS TESTED: {error.problem}")


class Postgres:
    """A PostgreSQL server of our own: as its own user if we are root, in a folder of its own, on a socket there."""

    def __init__(self) -> None:
        places = [*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, os.environ.get("PATH", "").split(os.pathsep))]
        found = next((place for place in places if (place / "initdb").exists()), None)
        if found is None:
            pytest.skip("THE STORE IS NOT TESTED ON POSTGRESQL: it is not there (apt-get install postgresql)")
        self.programs = found
        self.user = "postgres" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="flawscope-pg-"))
        if self.user:
            shutil.chown(self.folder, self.user)
        self.run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync")
        self.start()

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}"

    def run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self.programs / program, *words],
            user=self.user, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off"
        self.run("pg_ctl", "-D", self.data, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """As if the machine had failed."""
        self.run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Started once; skips, and says so, where there is none."""
    pytest.importorskip("psycopg", reason="THE STORE IS NOT TESTED ON POSTGRESQL: psycopg is not installed")
    server = Postgres()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def emptied(postgres: Postgres) -> Iterator[Postgres]:
    """The same, empty for each test."""
    yield postgres
    engine = sa.create_engine(sa.make_url(postgres.url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where a store is kept, empty: in a file, and in PostgreSQL."""
    return tmp_path / "store.sqlite" if request.param == "sqlite" else request.getfixturevalue("emptied").url
