"""Zhou et al. 2016: with global average pooling and one linear layer, class activation maps are Grad-CAM."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from flawscope.explanation.capture import captured
from flawscope.explanation.explain import explain
from flawscope.explanation.layers import find_layer, layers_of
from flawscope.explanation.theory import cam_weights
from flawscope.metadata import MetaColumn
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.records import Task

TASK = Task("multilabel", ("a", "b", "c"))


def made(name: str, head: str = "linear", columns: tuple[MetaColumn, ...] = ()) -> tuple[Network, tuple[Tensor, ...]]:
    """A network with statistics that it has seen, and two images (and metadata) for it."""
    torch.manual_seed(0)
    network = build(NetworkPlan(name, 3, channels=1, size=(128, 160), head=head, columns=columns))
    images = torch.randint(0, 256, (2, 1, 128, 160), dtype=torch.uint8)
    inputs = (images, torch.ones(2, len(columns))) if columns else (images,)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.5)
            nn.init.constant_(module.weight[:1], 0.1)  # every positive map speaks for the first class
    with torch.no_grad():
        for _ in range(3):
            network.train()(*inputs)
    return network.eval(), inputs


COLUMNS = (MetaColumn("type", ("mono", "poly")),)
AVERAGING = [
    ("table:resnet18", "linear", ()),
    ("timm:mobilenetv2_050", "linear", ()),
    ("timm:resnet10t", "norm", ()),
    ("timm:test_resnet", "linear", COLUMNS),
]


@pytest.mark.parametrize(("name", "head", "columns"), AVERAGING, ids=lambda each: str(each)[:24])
def test_cam_is_grad_cam_where_the_head_is_linear_behind_an_average(name: str, head: str, columns: Any) -> None:
    network, inputs = made(name, head, columns)
    found = cam_weights(network, *inputs)
    assert found.weight_kc is not None, found.reason
    layer = find_layer(layers_of(network, *inputs), found.layer)
    with captured({found.layer: layer.module}) as kept:
        logit_bk = network(*inputs).detach().numpy()
    map_bchw = kept[found.layer].detach().numpy()
    # The mean of each class activation map is its logit, but for what does not depend on the image.
    cam_bkhw = np.einsum("kc,bchw->bkhw", found.weight_kc, map_bchw)
    offset_bk = logit_bk - cam_bkhw.mean(axis=(2, 3))
    np.testing.assert_allclose(offset_bk[0], offset_bk[1], atol=1e-3 * np.abs(logit_bk).max())
    for k, of in enumerate(TASK.classes):
        table_bm = inputs[1] if columns else None
        grad_cam = explain(network, inputs[0], TASK, of, layer=found.layer, table_bm=table_bm)
        positive_bhw = torch.from_numpy(np.maximum(cam_bkhw[:, k], 0))
        large_bhw = nn.functional.interpolate(positive_bhw[:, None], (128, 160), mode="bilinear")[:, 0].numpy()
        places = map_bchw.shape[2] * map_bchw.shape[3]
        scale_b = np.maximum(large_bhw.max(axis=(1, 2)), 1e-9)
        np.testing.assert_allclose(grad_cam.map_bhw, large_bhw / scale_b[:, None, None], atol=2e-3)
        np.testing.assert_allclose(grad_cam.largest_b, large_bhw.max(axis=(1, 2)) / places, rtol=1e-2, atol=1e-6)
    assert (np.maximum(cam_bkhw, 0).max(axis=(2, 3)) > 0).any(), "empty maps would prove nothing"


def test_the_weights_are_those_of_the_last_layer() -> None:
    network, inputs = made("table:resnet18")
    weight_kc = cam_weights(network, *inputs).weight_kc
    np.testing.assert_allclose(weight_kc, network.head.weight.detach(), atol=1e-4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "head", "reason"),
    [
        ("table:coil", "linear", "is not linear"),
        ("timm:test_efficientnet", "gate", "is not linear"),
        ("timm:test_convnext", "linear", "is not linear"),
        ("table:resunet", "linear", "makes masks"),
    ],
)
def test_where_theory_says_nothing_the_reason_is_told(name: str, head: str, reason: str) -> None:
    found = cam_weights(*_flat(made(name, head)))
    assert found.weight_kc is None
    assert reason in found.reason


def _flat(given: tuple[Network, tuple[Tensor, ...]]) -> Any:
    return (given[0], *given[1])


def test_a_linear_head_that_weighs_places_is_no_average() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(32, 2))
    assert "weighs places differently" in cam_weights(network, torch.rand(1, 1, 4, 4)).reason
    assert "no layer before its head" in cam_weights(nn.Sequential(nn.Flatten()), torch.rand(1, 1, 4, 4)).reason
