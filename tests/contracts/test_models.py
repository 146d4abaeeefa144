"""What every family of networks must satisfy, for every kind of task: shapes, gradients, checkpoint, export, parity."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from flawscope.bundle.export import check_parity, export_graph
from flawscope.bundle.manifest import Graph, ImageInput, Sealed
from flawscope.bundle.rules import TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.preprocess import Preprocess
from flawscope.records import Task
from flawscope.training.checkpoint import load_checkpoint, same_weights, save_checkpoint
from flawscope.training.losses import Loss

MORE = ("table:alexnet", "table:resnet10", "table:coil", "timm:resnet34", "timm:resnet50+gate", "timm:densenet121",
        "timm:tf_efficientnetv2_b2+norm")  # fmt: skip
# name, or name+head; the larger ones take minutes
FAMILIES = ["table:resnet18", "timm:resnet10t", "timm:mobilenetv2_050", "timm:test_resnet+norm"]
EVERY = [*FAMILIES, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)]
TASKS = {
    "binary": Task("binary", ("bad",)),
    "multiclass": Task("multiclass", ("a", "b", "c")),
    "multilabel": Task("multilabel", ("a", "b")),
}
# Families with one kind of task and of picture each: exports take seconds.
EXPORTS = {
    "table:resnet18": (TASKS["multilabel"], Preprocess(size=(32, 64), channels=1, depth=16)),
    "timm:resnet10t": (TASKS["binary"], Preprocess(size=(64, 32), channels=3)),
    "timm:mobilenetv2_050": (TASKS["multiclass"], Preprocess(size=(32, 48), channels=3, depth=16)),
}
OTHERS = (TASKS["multilabel"], Preprocess(size=(128, 160), channels=1))


def made(name: str, task: Task, spec: Preprocess) -> Network:
    """A network whose logits are far from zero: an undecided head would hide every difference."""
    torch.manual_seed(0)
    name, _, head = name.partition("+")
    network = build(
        NetworkPlan(name, len(task.classes), spec.channels, spec.depth, size=spec.size, head=head or "linear")
    )
    last = [layer for layer in network.head.modules() if isinstance(layer, torch.nn.Linear)][-1]
    torch.nn.init.normal_(last.weight, std=0.5)
    noise = torch.randint(0, 2**spec.depth, (2, *spec.shape), dtype=torch.uint16)
    with torch.no_grad():
        last.weight /= min(1.0, float(network.eval()(noise).abs().max()))
    return network


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("name", EVERY)
def test_shapes_gradients_and_checkpoint(name: str, kind: str, tmp_path: Path) -> None:
    task = TASKS[kind]
    k = len(task.classes)
    height, width = size = (32, 48) if name in FAMILIES else (128, 160)
    network = made(name, task, Preprocess(size=size, channels=1)).train()
    inputs_bchw = torch.randint(0, 255, (4, 1, height, width), dtype=torch.uint8)
    target_bk = torch.eye(k).repeat(4, 1)[:4]
    logit_bk = network(inputs_bchw)
    assert (logit_bk.shape, logit_bk.dtype) == ((4, k), torch.float32)
    loss = Loss(task, np.ones(k))(logit_bk, target_bk)
    assert loss.ndim == 0
    loss.backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert without == []

    save_checkpoint(tmp_path / "best", network, epoch=3)
    again, facts = load_checkpoint(tmp_path / "best")
    assert same_weights(network, again)
    assert (again.plan, facts, again.training) == (network.plan, {"epoch": 3}, False)
    with torch.no_grad():
        assert torch.equal(again(inputs_bchw), network.eval()(inputs_bchw))


PUBLISHED = {"timm:resnet34": 21_797_672, "timm:densenet121": 7_978_856}
"""Parameters at 3 channels and 1000 classes, as torchvision's documentation of models has them."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_as_many_parameters_as_published(name: str) -> None:
    def count(classes: int) -> int:
        return sum(parameter.numel() for parameter in build(NetworkPlan(name, classes, 3)).parameters())

    assert count(1000) == PUBLISHED[name]
    features = {"timm:resnet34": 512, "timm:densenet121": 1024}[name]
    assert count(2) == PUBLISHED[name] - 998 * (features + 1)


def pictures(folder: Path) -> list[Path]:
    """Real files: 8 and 16 bits, grey, colour and palette, of several shapes."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "colour.png")
    Image.fromarray(noise).save(folder / "colour.jpg")
    Image.fromarray(noise[:, :, 0]).save(folder / "grey.bmp")
    Image.fromarray(noise).convert("P").save(folder / "palette.gif")
    Image.fromarray(rng.integers(0, 65536, (90, 30), dtype=np.uint16)).save(folder / "deep.png")
    Image.fromarray(rng.integers(0, 65536, (31, 64), dtype=np.uint16)).save(folder / "deep.tif")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("name", EVERY)
def test_the_exported_graph_answers_as_torch_does_from_the_file_on(name: str, tmp_path: Path) -> None:
    task, spec = EXPORTS.get(name, OTHERS)
    network = made(name, task, spec)
    content = export_graph(network, spec)
    for place in (Path.home(), Path(torch.__file__).parent, Path(__file__).parent, Path(tempfile.gettempdir())):
        assert str(place).encode() + b"/" not in content, "a path of this machine in a file that is handed on"
    graph = Graph(inputs=(ImageInput(preprocess=spec),))
    runtime = Runtime(Sealed(task=TaskModel.of(task), graphs=(graph,), split_stamp=""), {graph.file: content})
    paths = pictures(tmp_path)
    parity = check_parity(network, runtime, spec, paths)
    assert (parity.images, parity.largest_logit > 0.05) == (6, True)
    assert parity.largest_difference < 1e-4 * max(1.0, parity.largest_logit)
    logit_nk = runtime.scores(paths)
    assert logit_nk.shape == (6, len(task.classes))
    assert np.ptp(logit_nk, axis=0).min() > 1e-3, "the pictures must get different answers for parity to mean anything"
