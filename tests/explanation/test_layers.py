from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from flawscope.errors import UserError
from flawscope.explanation.layers import Grid, chosen_layer, find_layer, grid_of, layers_of, listed
from flawscope.models.build import NetworkPlan, build


def test_layers_stand_in_the_order_in_which_they_end(tiny: Any, image_bchw: torch.Tensor) -> None:
    layers = layers_of(tiny, image_bchw)
    assert [(layer.name, layer.kind, layer.shape) for layer in layers] == [
        ("conv", "Conv2d", (2, 2, 2)),
        ("relu", "ReLU", (2, 2, 2)),
        ("pool", "AdaptiveAvgPool2d", (2, 1, 1)),
        ("fc", "Linear", (2,)),
    ]
    assert [layer.grid is not None for layer in layers] == [True, True, False, False]


@pytest.mark.parametrize(
    ("shape", "image", "extra", "wanted"),
    [
        ((1, 8, 7, 7), (224, 224), 0, Grid("channels first", 7, 7)),
        ((1, 7, 7, 8), (224, 224), 0, Grid("channels last", 7, 7)),
        ((1, 8, 8, 8), (64, 64), 0, Grid("channels first", 8, 8)),
        ((1, 97, 172, 16), (400, 700), 0, Grid("channels last", 97, 172)),
        ((1, 197, 64), (224, 224), 1, Grid("tokens", 14, 14, 1)),
        ((1, 50, 64), (80, 160), 0, Grid("tokens", 5, 10, 0)),
        ((1, 196, 64), (224, 224), 1, None),  # 195 is no square
        ((1, 8, 1, 1), (64, 64), 0, None),
        ((1, 2), (64, 64), 0, None),
        ((4, 8, 7, 7), (224, 224), 0, None),  # windows of one image
    ],
)
def test_shapes_are_read_as_maps(shape: Any, image: Any, extra: int, wanted: Grid | None) -> None:
    assert grid_of(shape, image, extra) == wanted


def test_maps_of_every_layout_are_the_same() -> None:
    map_bchw = torch.arange(24.0).view(1, 2, 3, 4)
    assert torch.equal(Grid("channels last", 3, 4).map_of(map_bchw.permute(0, 2, 3, 1)), map_bchw)
    tokens = torch.cat([torch.zeros(1, 1, 2), map_bchw.flatten(2).transpose(1, 2)], dim=1)
    assert torch.equal(Grid("tokens", 3, 4, extra=1).map_of(tokens), map_bchw)


def test_what_lies_around_a_backbone_may_be_left_out_of_its_layers_names() -> None:
    network = build(NetworkPlan("timm:test_resnet", 1, channels=1, size=(96, 96), head="norm")).eval()
    layers = layers_of(network, torch.zeros(1, 1, 96, 96, dtype=torch.uint8))
    for name in ("layer3", "backbone.layer3", "layer3.0.conv1"):
        assert find_layer(layers, name).name.endswith(name.removeprefix("backbone."))
    with pytest.raises(UserError, match=r"no layer 'layer9'\n  -> did you mean 'layer\d'[?] Valid: conv1"):
        find_layer(layers, "layer9")


def test_of_very_many_layers_the_outer_ones_are_listed() -> None:
    names = [f"stage{i}" for i in range(3)] + [f"stage{i}.{j}.conv" for i in range(3) for j in range(30)]
    assert listed("stage2.7.konv", names) == (
        "did you mean 'stage2.7.conv'? Valid: stage0, stage1, stage2, and layers inside of them"
    )


def test_a_module_that_is_called_twice_stands_there_once() -> None:
    relu = nn.ReLU()
    layers = layers_of(nn.Sequential(relu, nn.Conv2d(1, 2, 1), relu), torch.zeros(1, 1, 3, 3))
    assert [(layer.name, layer.shape) for layer in layers] == [("1", (2, 3, 3)), ("0", (2, 3, 3))]


def test_a_layer_is_chosen_by_the_width_of_its_places() -> None:
    torch.manual_seed(0)  # of some first weights no place is above zero
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(2, 2, 3, stride=4), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 1),
    )  # fmt: skip
    images = torch.rand(1, 1, 64, 96)  # places of 2 pixels, then 64 / 8 x 96 / 12 = 8 pixels
    layers = layers_of(network, images)

    def chosen(name: str | None) -> str:
        return chosen_layer(network, layers, (images,), lambda logits: logits[:, 0], name).name

    assert [chosen(name) for name in (None, "/8", "/100", "/7", "/2", "0")] == ["3", "3", "3", "1", "1", "0"]
    with pytest.raises(UserError, match=r"no layer whose places are at most 1 pixels wide\n  -> the finest one: /2"):
        chosen("/1")
    with pytest.raises(UserError, match="no layer '/x'"):
        chosen("/x")
