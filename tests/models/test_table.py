"""The rows of `models.table` against numbers worked out by hand. Tensors are b x c x h x w."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from flawscope.errors import RecipeError
from flawscope.models.blocks import BasicBlock, ResBlock
from flawscope.models.build import NetworkPlan, build
from flawscope.models.rows import BN, FC, AvgPool, Conv, Flatten, MaxPool, layers_of
from flawscope.models.table import TABLE, TableNet


def test_resnet18_has_the_parameters_of_its_rows() -> None:
    conv_7, norm = 7 * 7 * 1 * 64, 2 * 64
    res_64 = 2 * (9 * 64 * 64) + 2 * (2 * 64)  # same channels, stride 1: nothing in the shortcut
    res_128 = 9 * 64 * 128 + 9 * 128 * 128 + 64 * 128 + 3 * (2 * 128)
    res_256 = 9 * 128 * 256 + 9 * 256 * 256 + 128 * 256 + 3 * (2 * 256)
    res_512 = 9 * 256 * 512 + 9 * 512 * 512 + 256 * 512 + 3 * (2 * 512)
    head = 512 * 2 + 2
    expected = conv_7 + norm + res_64 + res_128 + res_256 + res_512 + head
    assert expected == 4_900_546
    assert sum(p.numel() for p in TableNet("resnet18", (1, 224, 224), outputs=2).parameters()) == expected


def test_resnet18_layer_by_layer_for_224_pixels() -> None:
    x, shapes = torch.zeros(1, 1, 224, 224), []
    network = TableNet("resnet18", (1, 224, 224), outputs=2).eval()
    with torch.no_grad():
        for layer in network.layers:
            x = layer(x)
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [
        (64, 112, 112), (64, 112, 112), (64, 112, 112), (64, 56, 56),
        (64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7),
        (512,), (2,),
    ]  # fmt: skip


def shapes(network: TableNet, *shape: int) -> list[tuple[int, ...]]:
    """What leaves each layer that changes the shape."""
    x, seen = torch.zeros(1, *shape), [tuple(shape)]
    with torch.no_grad():
        for layer in network.eval().layers:
            x = layer(x)
            if tuple(x.shape[1:]) != seen[-1]:
                seen.append(tuple(x.shape[1:]))
    return seen[1:]


def test_alexnet_layer_by_layer_for_224_pixels() -> None:
    network = TableNet("alexnet", (1, 224, 224), 2)
    assert shapes(network, 1, 224, 224) == [
        (96, 56, 56), (96, 28, 28), (192, 28, 28), (192, 14, 14), (384, 14, 14), (256, 14, 14), (256, 7, 7),
        (256 * 7 * 7,), (4096,), (2,),
    ]  # fmt: skip
    convolutions = 121 * 96 + 25 * 96 * 192 + 9 * 192 * 384 + 9 * 384 * 256 + 9 * 256 * 256
    norms = 2 * (96 + 192 + 384 + 256 + 256)
    full = (12544 * 4096 + 4096) + (4096 * 4096 + 4096) + (4096 * 2 + 2)
    assert sum(p.numel() for p in network.parameters()) == convolutions + norms + full


def test_the_coil_network_has_the_published_parameters() -> None:
    network = TableNet("coil", (1, 400, 700), 2)
    assert sum(p.numel() for p in network.parameters()) == 32_036_214, "as its author prints"
    assert all(p.requires_grad for p in network.parameters())
    assert shapes(network, 1, 400, 700) == [
        (6, 396, 696), (6, 198, 348), (16, 194, 344), (16, 97, 172), (16 * 97 * 172,), (120,), (2,)
    ]  # fmt: skip


def test_resnet10_has_the_stages_of_resnet18_and_as_many_parameters() -> None:
    one, other = (TableNet(name, (1, 64, 64), 2) for name in ("resnet10", "resnet18"))
    assert shapes(one, 1, 64, 64) == shapes(other, 1, 64, 64)
    assert sum(p.numel() for p in one.parameters()) == sum(p.numel() for p in other.parameters())
    convolutions = [m for m in one.modules() if isinstance(m, nn.Conv2d) and m.kernel_size[0] > 1]
    assert len(convolutions) + 1 == 10, "weight layers, the last one fully connected"


def test_the_head_of_system_a() -> None:
    network = build(NetworkPlan("timm:tf_efficientnetv2_b2", 2, freeze=True, head="norm"))
    trained = [p for p in network.parameters() if p.requires_grad]
    assert sum(p.numel() for p in trained) == 8_450
    statistics = [b for name, b in network.body.named_buffers() if name.endswith(("running_mean", "running_var"))]
    assert sum(p.numel() for p in (*network.parameters(), *statistics)) == 8_783_456, "as Keras counts"
    kinds = [type(layer).__name__ for layer in network.head.children()]  # GlobalAvgPool is a pair of layers
    assert kinds == ["BatchNorm2d", "Sequential", "BatchNorm1d", "Dropout", "Linear"]
    assert network.head[3].p == 0.2  # type: ignore[index]


def test_the_head_of_the_gate_of_system_d() -> None:
    network = build(NetworkPlan("timm:resnet50", 1, size=(256, 256), freeze=True, head="gate"))
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert trained == (2 * 2 * 2048 * 256 + 256) + (256 + 1), "8 x 8 maps, averaged in fours"
    assert sum(p.numel() for p in network.parameters()) - trained == 23_508_032, "ResNet-50 without its last layer"


@pytest.mark.parametrize("name", TABLE)
def test_rows_say_what_torch_makes_of_odd_sizes(name: str) -> None:
    network = TableNet(name, (3, 75, 61), 2).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 75, 61)).shape == (2, 2)


def test_rows_by_hand() -> None:
    made = layers_of([Conv(1, 1, bias=True), MaxPool(2, 2, 0), AvgPool(2, 1), Flatten(), FC(1)], (1, 6, 6), 1, "rows")
    made[0].weight.data.fill_(2.0)  # type: ignore[union-attr, operator]
    made[4].weight.data.fill_(1.0)  # type: ignore[union-attr, operator]
    made[4].bias.data.fill_(0.5)  # type: ignore[union-attr, operator]
    x = torch.arange(36.0).view(1, 1, 6, 6)
    # the largest of each 2 x 2: 7 9 11, 19 21 23, 31 33 35; means in 2 x 2 windows: 14 16, 26 28; times 2, plus 0.5
    assert made(x).tolist() == [[2 * (14 + 16 + 26 + 28) + 0.5]]


def test_pictures_that_are_too_small_are_named() -> None:
    with pytest.raises(RecipeError, match=r"table:coil cannot take 1 x 9 x 9(?s:.)*nothing is left(?s:.)*image.size"):
        TableNet("coil", (1, 9, 9), 1)


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        ({"name": "timm:test_resnet", "head": "nrom"}, "no head 'nrom'(?s:.)*did you mean 'norm'"),
        ({"name": "timm:test_vit", "size": (160, 160), "head": "norm"}, "stands on maps"),
        (
            {"name": "timm:vit_tiny_patch16_224", "size": (64, 80), "head": "norm"},
            "224 cannot take images of 3 x 64 x 80: ",
        ),
        ({"name": "table:coil", "head": "norm"}, "table:coil has its own head"),
    ],
)
def test_heads_that_cannot_be_built(plan: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        build(NetworkPlan(**{"outputs": 1} | plan))


def test_a_norm_takes_maps_and_features() -> None:
    assert [type(m).__name__ for m in layers_of([BN(), Flatten(), BN()], (2, 3, 3), 1, "norms")] == [
        "BatchNorm2d", "Flatten", "BatchNorm1d",
    ]  # fmt: skip


def test_an_unknown_row_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"table:resnet81\n.*did you mean 'resnet18'"):
        TableNet("resnet81", (1, 8, 8), 1)


def test_the_block_of_he_et_al_ends_with_relu() -> None:
    # relu(2 * relu(2 x) + x): 5 x where x > 0, and nothing where x < 0
    assert run(block(1, 1, 1, BasicBlock), [[1.0, -1.0], [0.5, -3.0]]).tolist() == [[[5.0, 0.0], [2.5, 0.0]]]


def block(inputs: int, channels: int, stride: int, kind: type[nn.Module] = ResBlock) -> nn.Module:
    """Convolutions that take the centre pixel, of the first channel, times 2; batch norm that does nothing."""
    made = kind(inputs, channels, stride).eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0
        elif isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
            module.weight.data[:, 0, module.kernel_size[0] // 2, module.kernel_size[1] // 2] = 2.0
    return made


def run(module: nn.Module, rows: list[list[float]]) -> Tensor:
    with torch.no_grad():
        out: Tensor = module(torch.tensor(rows)[None, None])
    return out[0]


def test_a_block_adds_its_input_after_the_last_relu() -> None:
    # relu(2 * relu(2 x)) + x: 4 x + x where x > 0; where x < 0 the input alone is left, and stays negative
    assert run(block(1, 1, 1), [[1.0, -1.0], [0.5, -3.0]]).tolist() == [[[5.0, -1.0], [2.5, -3.0]]]


def test_a_block_with_stride_takes_every_second_pixel_and_maps_its_input() -> None:
    x = [[1.0, 9, -1, 9], [9, 9, 9, 9], [2, 9, -2, 9], [9, 9, 9, 9]]
    # relu(2 * relu(2 x)) + 2 x of pixels 0 and 2 of rows 0 and 2
    expected = [[6.0, -2.0], [12.0, -4.0]]
    assert run(block(1, 3, 2), x).tolist() == [expected] * 3
    assert run(block(1, 1, 2), [[1.0, 0, -1]] * 3).shape == (1, 2, 2)  # rounded up
