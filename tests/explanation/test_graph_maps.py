"""What a graph gives through onnxruntime is what torch says: class activation maps are Grad-CAM (see `theory`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from flawscope.bundle.export import check_parity, export_graph
from flawscope.bundle.manifest import Column as TableColumn
from flawscope.bundle.manifest import Graph, ImageInput, Output, Sealed, TableInput
from flawscope.bundle.rules import TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.explanation import cam
from flawscope.explanation.capture import captured, gradient
from flawscope.explanation.explain import explain
from flawscope.explanation.graph_maps import Mapped, with_maps
from flawscope.explanation.layers import find_layer, layers_of
from flawscope.metadata import MetaColumn
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.models.views import VIEWS, averaged, laid_back
from flawscope.preprocess import Preprocess, load
from flawscope.records import Task

TASKS = {
    1: Task("binary", ("bad",), "good"),
    2: Task("multilabel", ("a", "b")),
    3: Task("multiclass", ("a", "b", "c")),
}
COLUMNS = (MetaColumn("type", ("mono", "poly")),)
# name, head, classes, metadata, preprocessing, averaged over
FAMILIES: dict[str, Any] = {
    "mobilenet": ("timm:mobilenetv2_050", "linear", 1, (), Preprocess(size=(64, 96)), "none"),
    "resnet, turns": ("timm:test_resnet", "linear", 3, (), Preprocess(size=(64, 64), channels=1), "turns"),
    "table, 16 bits": ("table:resnet18", "linear", 2, (), Preprocess(size=(48, 80), channels=1, depth=16), "none"),
    "metadata, mirrors": ("timm:test_resnet", "linear", 1, COLUMNS, Preprocess(size=(64, 96), channels=1), "mirrors"),
    "batch norm in the head": ("timm:test_resnet", "norm", 2, (), Preprocess(size=(64, 96)), "none"),
    "larger resnet, turns": ("timm:resnet10t", "linear", 2, (), Preprocess(size=(96, 96)), "turns"),
}
# Exports take seconds.
EVERY = [pytest.param(name, marks=pytest.mark.slow) if place > 3 else name for place, name in enumerate(FAMILIES)]


def pictures(folder: Path) -> list[Path]:
    """Files that look like parts: smooth shading, edges, a bright spot, noise; colour, grey and 16 bits, not square."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:90, 0:140]
    found = []
    for seed, (dy, dx) in enumerate([(20, 30), (60, 100), (45, 70)]):
        part = 90 + 40 * np.sin(x / 17 + seed) + 25 * (y > 30) + 90 * (np.hypot(y - dy, x - dx) < 12)
        part = np.clip(part + rng.normal(0, 8, part.shape), 0, 255)
        wide = seed == 2
        array = (
            (part * 257).astype(np.uint16) if wide else np.stack([part, part * 0.8, 255 - part], -1).astype(np.uint8)
        )
        Image.fromarray(array if seed else array[..., 0]).save(folder / f"{seed}.png")
        found.append(folder / f"{seed}.png")
    return found


def made(family: str) -> tuple[Network, Preprocess, Any, Mapped, Task]:
    name, head, k, columns, spec, over = FAMILIES[family]
    torch.manual_seed(0)
    plan = NetworkPlan(name, k, spec.channels, spec.depth, size=spec.size, head=head, columns=columns)
    network = build(plan)
    images = torch.randint(0, 2**spec.depth, (4, *spec.shape), dtype=torch.int32)
    inputs = (images.to(torch.uint8 if spec.depth == 8 else torch.uint16), *([torch.ones(4, 1)] if columns else []))
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, mean=0.1, std=0.3)
    with torch.no_grad():
        for _ in range(3):
            network.train()(*inputs)
    return network.eval(), spec, over, with_maps(network, *inputs), TASKS[k]


def runtime_of(mapped: Mapped, seen: nn.Module, spec: Preprocess, task: Task, columns: Any = ()) -> Runtime:
    content = export_graph(seen, spec, columns=len(columns), outputs=mapped.outputs)
    tables = (TableInput(columns=(TableColumn(name="type", categories=("mono", "poly")),)),) if columns else ()
    outputs = tuple(Output(name=kind, kind=kind) for kind in mapped.outputs)
    graph = Graph(inputs=(ImageInput(preprocess=spec), *tables), outputs=outputs)
    return Runtime(Sealed(task=TaskModel.of(task), graphs=(graph,), split_stamp=""), {graph.file: content}, threads=1)


@pytest.mark.parametrize("family", EVERY)
def test_maps_of_the_graph_are_grad_cam(family: str, tmp_path: Path) -> None:
    network, spec, over, mapped, task = made(family)
    assert mapped.outputs == ("logits", "maps", "features") and not mapped.no_maps
    seen, columns = averaged(mapped.network, over), network.plan.columns
    runtime = runtime_of(mapped, seen, spec, task, columns)
    paths, known = pictures(tmp_path), [{"type": "mono"}] * 3 if columns else []
    check_parity(seen, runtime, spec, paths, metadata=known, columns=columns)
    images = np.stack([load(path, spec) for path in paths])
    table = np.zeros((3, 1), np.float32) if columns else None
    given = runtime.outputs(images, table)
    assert "features" not in given, "nothing is made of them but what is explained"
    map_nkhw, logit_nk = given["maps"], given["logits"]
    places = map_nkhw[0, 0].size
    # The unit is the logit: the mean of a map is that of its class, but for what is the same for all pictures.
    offset_nk = logit_nk - map_nkhw.mean(axis=(2, 3))
    np.testing.assert_allclose(offset_nk, np.repeat(offset_nk[:1], 3, axis=0), atol=1e-4 * np.abs(map_nkhw).max())
    inputs = (torch.from_numpy(images), *([] if table is None else [torch.from_numpy(table)]))
    for k, name in enumerate(task.classes):
        wanted_nhw = grad_cam_of_all_views(network, over, inputs, mapped.layer, k)
        np.testing.assert_allclose(np.maximum(map_nkhw[:, k], 0) / places, wanted_nhw, atol=1e-3 * wanted_nhw.max())
        assert wanted_nhw.max() > 0, "empty maps would prove nothing"
        if over == "none":
            room = explain(network, inputs[0], task, name, table_bm=inputs[1] if columns else None)
            large = nn.functional.interpolate(
                torch.from_numpy(map_nkhw[:, k : k + 1]).relu(), spec.size, mode="bilinear"
            )
            large_nhw = large[:, 0].numpy() / places
            assert room.layer == mapped.layer
            np.testing.assert_allclose(
                room.map_bhw * room.largest_b[:, None, None], large_nhw, atol=1e-3 * large_nhw.max()
            )


def grad_cam_of_all_views(network: Network, over: Any, inputs: Any, layer: str, k: int) -> Any:
    """Grad-CAM of the mean logit: gradients with respect to the maps of every view, these turned back and summed."""
    found = find_layer(layers_of(network, *inputs), layer)
    assert found.grid is not None
    with captured({layer: found.module}) as kept, torch.enable_grad():
        slope = gradient(averaged(network, over)(*inputs)[:, k], kept[layer])
    map_nchw, slope_nchw = found.grid.map_of(kept[layer].detach()), found.grid.map_of(slope)
    weighted = torch.einsum("nchw,nc->nhw", map_nchw, slope_nchw.mean(dim=(2, 3)))[:, None]
    each = weighted.reshape(len(VIEWS[over]), -1, *weighted.shape[1:])
    back = torch.stack([laid_back(each[v], view) for v, view in enumerate(VIEWS[over])]).sum(dim=0)[:, 0]
    if over == "none":
        assert torch.equal(back.relu(), cam.grad_cam(map_nchw, slope_nchw))
    return back.relu().numpy()


def test_a_head_that_is_not_linear_gives_features_and_a_reason() -> None:
    torch.manual_seed(0)
    spec = Preprocess(size=(48, 48), channels=1)
    network = build(NetworkPlan("table:coil", 2, 1, size=spec.size)).eval()
    image = torch.randint(0, 256, (1, 1, 48, 48), dtype=torch.uint8)
    mapped = with_maps(network, image)
    assert mapped.outputs == ("logits", "features") and "is not linear" in mapped.no_maps
    runtime = runtime_of(mapped, mapped.network, spec, TASKS[2])
    assert not runtime.maps and runtime.no_maps()
    logit_k, feature_chw = runtime.answer_with(image[0].numpy(), np.empty(0, np.float32), "features")
    with captured({mapped.layer: find_layer(layers_of(network, image), mapped.layer).module}) as kept:
        wanted_bk = network(image)
    np.testing.assert_allclose(logit_k, wanted_bk[0].detach(), atol=1e-4)
    np.testing.assert_allclose(feature_chw, kept[mapped.layer][0].detach(), atol=1e-3)


def test_masks_need_no_maps_and_a_network_may_have_none() -> None:
    network = build(NetworkPlan("table:resunet", 2, 1, size=(32, 32))).eval()
    mapped = with_maps(network, torch.zeros(1, 1, 32, 32, dtype=torch.uint8))
    assert mapped.outputs == ("logits",) and "makes masks" in mapped.no_maps and mapped.network is network
    flat = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    assert "no layer before its head" in with_maps(flat, torch.rand(1, 1, 4, 4)).no_maps


def test_hooks_leave_nothing_behind(traces: Any) -> None:
    network, spec, _, mapped, _ = made("table, 16 bits")
    before = traces(network)
    mapped.network(torch.zeros(1, *spec.shape, dtype=torch.uint16))
    with pytest.raises(RuntimeError):
        mapped.network(torch.zeros(1, 2, 8, 8))
    assert traces(network) == before
