from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from flawscope.errors import UserError
from flawscope.explanation.inside import feature_maps, filters, layer_table
from flawscope.models.build import NetworkPlan, build


def test_filters_and_maps_as_computed_by_hand(tiny: Any, image_bchw: torch.Tensor, traces: Any) -> None:
    before = traces(tiny)
    name, weight_oihw = filters(tiny)
    assert (name, weight_oihw.shape, weight_oihw.ravel().tolist()) == ("conv", (2, 1, 1, 1), [1, -1])
    maps = feature_maps(tiny, image_bchw)
    assert list(maps) == ["conv", "relu"]  # pooled to one place is no map
    assert maps["conv"][1].tolist() == [[[0, 1], [4, 0]], [[3, 2], [-1, 3]]]
    assert maps["relu"][1].tolist() == [[[0, 1], [4, 0]], [[3, 2], [0, 3]]]
    rows = layer_table(tiny, image_bchw)
    assert [(row.name, row.parameters, row.shape) for row in rows] == [
        ("conv", 4, (2, 2, 2)), ("relu", 0, (2, 2, 2)), ("pool", 0, (2, 1, 1)), ("fc", 4, (2,)),
    ]  # fmt: skip
    assert traces(tiny) == before


def test_the_coil_network_is_that_of_system_e() -> None:
    network = build(NetworkPlan("table:coil", 2, channels=1, size=(400, 700))).eval()
    rows = layer_table(network, torch.zeros(1, 1, 400, 700, dtype=torch.uint8))
    assert sum(row.parameters for row in rows) == 32_036_214
    shapes = [row.shape for row in rows if row.kind in ("Conv2d", "MaxPool2d")]
    assert shapes == [(6, 396, 696), (6, 198, 348), (16, 194, 344), (16, 97, 172)]
    assert filters(network)[1].shape == (6, 1, 5, 5)
    assert filters(network, "layers.3")[1].shape == (16, 6, 5, 5)


@pytest.mark.parametrize(
    "name",
    ["table:resnet18", "timm:mobilenetv2_050", "timm:test_vit", "timm:test_convnext", "table:resunet",
     "smp:unet/test_resnet"],
)  # fmt: skip
def test_the_table_counts_every_parameter_of_every_family(name: str) -> None:
    network = build(NetworkPlan(name, 2, channels=1, size=(160, 160))).eval()
    images = torch.zeros(1, 1, 160, 160, dtype=torch.uint8)
    rows = layer_table(network, images)
    assert sum(row.parameters for row in rows) == sum(each.numel() for each in network.parameters())
    assert len({row.name for row in rows}) == len(rows)
    maps = feature_maps(network, images)
    assert len(maps) >= 3
    assert all(map_chw.ndim == 3 and np.isfinite(map_chw).all() for _, map_chw in maps.values())


@pytest.mark.parametrize(
    ("name", "sums"),
    [
        ("table:resnet18", ["layers.4", "layers.5", "layers.6", "layers.7"]),
        ("timm:mobilenetv2_050", ["blocks.1.1", "blocks.2.1"]),
        ("timm:test_vit", ["blocks.0", "blocks.5"]),
        ("timm:test_convnext", ["stages.0.blocks.0"]),
    ],
)
def test_the_sums_of_residual_blocks_are_shown_once(name: str, sums: list[str]) -> None:
    torch.manual_seed(0)
    network = build(NetworkPlan(name, 2, channels=1, size=(160, 160))).eval()
    maps = feature_maps(network, torch.randint(0, 256, (1, 1, 160, 160), dtype=torch.uint8))
    assert set(sums) <= {each.removeprefix("backbone.") for each in maps}, list(maps)
    # What a chain hands on is that of its last layer: it does not stand there twice.
    values = [map_chw.tobytes() for _, map_chw in maps.values()]
    assert len(set(values)) > len(values) - 3


def test_unknown_convolutions_are_told_with_the_nearest() -> None:
    network = build(NetworkPlan("timm:test_resnet", 2, channels=3, size=(96, 96), head="norm"))
    assert filters(network, "conv1.0")[1].shape == filters(network, "backbone.conv1.0")[1].shape
    with pytest.raises(UserError, match=r"no convolution 'konv1.0'\n  -> did you mean 'conv1.0'"):
        filters(network, "konv1.0")
    with pytest.raises(UserError, match=r"the network has no convolution$"):
        filters(torch.nn.Flatten())
