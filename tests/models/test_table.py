"""The rows of `models.table` against numbers worked out by hand. Tensors are b x c x h x w."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from flawscope.errors import RecipeError
from flawscope.models.blocks import ResBlock
from flawscope.models.table import TableNet


def test_resnet18_has_the_parameters_of_its_rows() -> None:
    conv_7, norm = 7 * 7 * 1 * 64, 2 * 64
    res_64 = 2 * (9 * 64 * 64) + 2 * (2 * 64)  # same channels, stride 1: nothing in the shortcut
    res_128 = 9 * 64 * 128 + 9 * 128 * 128 + 64 * 128 + 3 * (2 * 128)
    res_256 = 9 * 128 * 256 + 9 * 256 * 256 + 128 * 256 + 3 * (2 * 256)
    res_512 = 9 * 256 * 512 + 9 * 512 * 512 + 256 * 512 + 3 * (2 * 512)
    head = 512 * 2 + 2
    expected = conv_7 + norm + res_64 + res_128 + res_256 + res_512 + head
    assert expected == 4_900_546
    assert sum(p.numel() for p in TableNet("resnet18", channels=1, outputs=2).parameters()) == expected


def test_resnet18_layer_by_layer_for_224_pixels() -> None:
    x, shapes = torch.zeros(1, 1, 224, 224), []
    network = TableNet("resnet18", channels=1, outputs=2).eval()
    with torch.no_grad():
        for layer in network.layers:
            x = layer(x)
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [
        (64, 112, 112), (64, 112, 112), (64, 112, 112), (64, 56, 56),
        (64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7),
        (512,), (2,),
    ]  # fmt: skip


def test_an_unknown_row_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"table:resnet81\n.*did you mean 'resnet18'"):
        TableNet("resnet81", 1, 1)


def block(inputs: int, channels: int, stride: int) -> ResBlock:
    """Convolutions that take the centre pixel, of the first channel, times 2; batch norm that does nothing."""
    made = ResBlock(inputs, channels, stride).eval()
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
