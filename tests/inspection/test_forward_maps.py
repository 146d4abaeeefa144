"""Occlusion and Score-CAM by forward passes: those of the explanation room, but for the rounding to integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from flawscope.explanation.explain import explain
from flawscope.inspection.forward_maps import occlusion, score_cam
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.records import Task

TASK = Task("multilabel", ("a", "b"))


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    made = build(NetworkPlan("timm:test_resnet", 2, 1, 16, size=(48, 80)))
    for module in made.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.5)
    with torch.no_grad():
        for _ in range(3):
            made.train()(torch.randint(0, 65536, (4, 1, 48, 80), dtype=torch.int32).to(torch.uint16))
    return made.eval()


@pytest.fixture(scope="module")
def image_chw() -> Any:
    rng = np.random.default_rng(0)
    return rng.integers(0, 65536, (1, 6, 10), dtype=np.uint16).repeat(8, 1).repeat(8, 2)


def scores(network: Network, column: int, sign: float = 1.0) -> Any:
    def score(images: Any) -> Any:
        with torch.no_grad():
            return sign * np.array([float(network(torch.from_numpy(each)[None])[0, column]) for each in images])

    return score


def test_occlusion_is_that_of_the_room(network: Network, image_chw: Any) -> None:
    wanted = explain(network, torch.from_numpy(image_chw)[None], TASK, "b", "occlusion")
    made_hw = occlusion(scores(network, 1), image_chw, [65535 / 2])
    largest = float(wanted.largest_b[0])
    np.testing.assert_allclose(made_hw, wanted.map_bhw[0] * largest, atol=1e-2 * largest)
    against_hw = occlusion(scores(network, 1, -1.0), image_chw, [65535 / 2])
    np.testing.assert_allclose(against_hw, -made_hw, atol=1e-6)


def test_score_cam_is_that_of_the_room(network: Network, image_chw: Any) -> None:
    wanted = explain(network, torch.from_numpy(image_chw)[None], TASK, "b", "score-cam")
    from flawscope.explanation.capture import captured
    from flawscope.explanation.layers import find_layer, layers_of

    images = torch.from_numpy(image_chw)[None]
    layer = find_layer(layers_of(network, images), wanted.layer)
    with captured({layer.name: layer.module}) as kept:
        network(images)
    made_hw = score_cam(scores(network, 1), image_chw, kept[layer.name][0].detach().numpy(), [65535 / 2])
    largest = float(wanted.largest_b[0])
    assert largest > 0
    np.testing.assert_allclose(made_hw, wanted.map_bhw[0] * largest, atol=1e-2 * largest)


def test_a_window_larger_than_the_picture_covers_it_once() -> None:
    image = np.full((3, 4, 5), 9, dtype=np.uint8)
    made = occlusion(lambda images: np.array([float(each.sum()) for each in images]), image, [1.4, 0, 300], window=50)
    assert made.shape == (4, 5) and set(made.ravel().tolist()) == {20 * (27 - 1 - 0 - 255.0)}
