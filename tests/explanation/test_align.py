"""Where the places of a layer look, against receptive fields worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn

from flawscope.explanation.align import offset, shifted
from flawscope.explanation.explain import explain
from flawscope.explanation.layers import layers_of
from flawscope.records import Task


def strided(depth: int, **options: Any) -> nn.Sequential:
    """A convolution of 3 x 3 that halves the picture, so many times."""
    layers = [each for _ in range(depth) for each in (nn.Conv2d(1, 1, 3, stride=2, **options), nn.ReLU6())]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_each_stride_doubles_the_offset(depth: int) -> None:
    images = torch.rand(1, 1, 64, 96)
    network = strided(depth, padding=1)
    layer = layers_of(network, images)[2 * depth - 1]
    # Place i looks at pixel i * 2^depth; its share begins there, and its middle is (2^depth - 1) / 2 further.
    assert offset(network, layer, (images,)) == pytest.approx((-(2**depth - 1) / 2,) * 2, abs=0.01)


def test_poolings_and_whole_networks() -> None:
    images = torch.rand(1, 3, 64, 64)
    pooled = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(2), nn.Conv2d(3, 1, 3, padding=1))
    assert offset(pooled, layers_of(pooled, images)[-1], (images,)) == pytest.approx((0, 0), abs=0.01)
    for padding, sign in (("", -1), ("same", 1)):
        network = timm.create_model("mobilenetv2_035", num_classes=1, pad_type=padding)
        state = {name: value.clone() for name, value in network.state_dict().items()}
        layer = next(each for each in layers_of(network, images) if each.name == "bn2")
        assert offset(network, layer, (images,)) == pytest.approx((sign * 15.5,) * 2, abs=0.1)
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items()), "as it was"


def test_networks_of_one_size_and_those_that_say_nothing_stay() -> None:
    images = torch.rand(1, 3, 160, 160)
    network = timm.create_model("test_vit", num_classes=1, img_size=160)
    layer = next(each for each in layers_of(network, images) if each.grid is not None)
    assert offset(network, layer, (images,)) == pytest.approx((0, 0), abs=0.01)


def test_an_aligned_map_points_at_the_spot() -> None:
    network = strided(4, padding=1)
    for module in network:
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / 9)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    images = torch.zeros(1, 1, 128, 128)
    images[0, 0, 62:67, 62:67] = 5.0
    task = Task("binary", ("spot",), "none")
    plain, aligned = (explain(network, images, task, "spot", aligned=each).map_bhw[0] for each in (False, True))

    def middle(map_hw: np.ndarray) -> float:
        return float((map_hw.sum(axis=1) * np.arange(128)).sum() / map_hw.sum())

    assert middle(plain) == pytest.approx(64 + 7.5, abs=1)
    assert middle(aligned) == pytest.approx(64, abs=1)


def test_a_map_is_moved_without_a_gap() -> None:
    map_bhw = torch.arange(12.0).view(1, 3, 4)
    assert torch.allclose(shifted(map_bhw, (0.0, 0.0)), map_bhw, atol=1e-5)
    moved = torch.tensor([[1.0, 2, 3, 3], [1, 2, 3, 3], [5, 6, 7, 7]])
    assert torch.allclose(shifted(map_bhw, (1.0, -1.0))[0], moved, atol=1e-5)
    assert torch.allclose(shifted(map_bhw, (0.0, 0.5))[0, 0], torch.tensor([0, 0.5, 1.5, 2.5]), atol=1e-5)
