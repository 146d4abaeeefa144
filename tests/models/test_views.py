"""Averaging over turns and mirrors: what it gives, what it no longer depends on, and that it exports. v views."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from flawscope.bundle.export import check_parity, export_graph
from flawscope.bundle.manifest import Graph, ImageInput, Sealed
from flawscope.bundle.rules import TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.models.build import NetworkPlan, build
from flawscope.models.views import VIEWS, Averaged, averaged, laid_back, seen
from flawscope.preprocess import Preprocess
from flawscope.records import Task

CORNER = torch.tensor([[[[8.0, 1.0], [2.0, 4.0]]]])


class Parts(nn.Module):
    """Logits that look at the upper left corner, and a map that is not the same after turning."""

    def forward(self, x_bchw: Tensor) -> tuple[Tensor, Tensor]:
        return x_bchw[:, :, 0, 0], x_bchw * torch.tensor([[1.0, 0.0], [0.0, 0.0]])


def test_the_means_by_hand() -> None:
    logit_bk, map_bchw = Averaged(Parts(), "turns")(CORNER)
    assert logit_bk.tolist() == [[(8 + 1 + 2 + 4) / 4]], "each corner is the upper left one in two of the eight views"
    assert torch.allclose(map_bchw, CORNER / 4), "each pixel is seen in two of the eight maps, where it lies"
    logit_bk, map_bchw = Averaged(Parts(), "mirrors")(CORNER)
    assert (logit_bk.tolist(), torch.equal(map_bchw, CORNER / 4)) == ([[15 / 4]], True)


@pytest.mark.parametrize(("over", "n"), [("none", 1), ("mirrors", 4), ("turns", 8)])
def test_the_views_are_all_different_and_can_be_undone(over: Any, n: int) -> None:
    x = torch.arange(9.0).view(1, 1, 3, 3)
    assert len({tuple(seen(x, view).flatten().tolist()) for view in VIEWS[over]}) == n
    assert all(torch.equal(laid_back(seen(x, view), view), x) for view in VIEWS[over])


@pytest.mark.parametrize(("over", "size", "depth"), [("mirrors", (48, 64), 8), ("turns", (64, 64), 16)])
def test_the_exported_graph_gives_turned_pictures_the_same_answer(over: Any, size: tuple[int, int], depth: Any) -> None:
    torch.manual_seed(0)
    network = build(NetworkPlan("timm:test_resnet", 2, channels=1, depth=depth, size=size)).eval()
    nn.init.normal_(network.head.weight, std=0.5)  # type: ignore[arg-type]
    spec = Preprocess(size=size, channels=1, depth=depth)
    graph = Graph(inputs=(ImageInput(preprocess=spec),), views=len(VIEWS[over]))
    sealed = Sealed(task=TaskModel.of(Task("multiclass", ("a", "b"))), graphs=(graph,), split_stamp="")
    image_nchw = np.random.default_rng(0).integers(0, 2**depth, (2, 1, *size)).astype(spec.dtype)

    def scores(module: nn.Module, image_nchw: Any) -> Any:
        return Runtime(sealed, {graph.file: export_graph(module, spec)}).scores(image_nchw)

    turned_nchw = np.ascontiguousarray(image_nchw[:, :, ::-1, :])
    plain, plain_turned = scores(network, image_nchw), scores(network, turned_nchw)
    assert np.abs(plain - plain_turned).max() > 1e-3, "or the test below would prove nothing"
    mean, mean_turned = scores(averaged(network, over), image_nchw), scores(averaged(network, over), turned_nchw)
    assert np.abs(mean - mean_turned).max() < 1e-5
    with torch.no_grad():
        image = torch.from_numpy(image_nchw)
        by_hand = torch.stack([network(seen(image, view)) for view in VIEWS[over]]).mean(dim=0).numpy()
    assert np.abs(mean - by_hand).max() < 1e-5


def test_parity_is_that_of_the_averaged_network(tmp_path: Any) -> None:
    from PIL import Image

    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)).save(path)
    network = build(NetworkPlan("timm:test_resnet", 1, channels=1, size=(32, 32)))
    spec = Preprocess(size=(32, 32), channels=1)
    graph = Graph(inputs=(ImageInput(preprocess=spec),), views=8)
    sealed = Sealed(task=TaskModel.of(Task("binary", ("bad",))), graphs=(graph,), split_stamp="")
    module = averaged(network, "turns")
    runtime = Runtime(sealed, {graph.file: export_graph(module, spec)})
    assert check_parity(module, runtime, spec, [path]).largest_difference < 1e-5
