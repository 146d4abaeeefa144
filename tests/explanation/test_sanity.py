"""Adebayo et al. 2018: random weights must change the map, or it does not show the network."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from flawscope.errors import UserError
from flawscope.explanation.explain import METHODS, explain
from flawscope.explanation.sanity import randomised, weighted_layers
from flawscope.records import Task

TASK = Task("binary", ("bright",), "dark")


def likeness(a: Any, b: Any) -> float:
    """Correlation of the pixels of two batches of maps; 0 where one is empty."""
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]) if np.ptp(a) and np.ptp(b) else 0.0


def images_with_spots(n: int = 32) -> tuple[Tensor, Tensor]:
    """Noise about 0 with a dark spot, half of the images with a bright spot as well, and which they are.

    The dark spot is as plain to see as the bright one: only a network that has learnt tells them apart.
    """
    draw = np.random.default_rng(0)
    images = draw.uniform(-0.2, 0.2, (n, 1, 24, 24)).astype(np.float32)
    for i in range(n):
        y, x = draw.integers(2, 16, 2)
        images[i, 0, y : y + 6, x : x + 6] = -1
        if i % 2 == 0:
            y, x = (y + 11) % 18, (x + 11) % 18
            images[i, 0, y : y + 6, x : x + 6] = 1
    return torch.from_numpy(images), torch.arange(n) % 2 == 0


@pytest.fixture(scope="module")
def learnt() -> nn.Module:
    """A small network that has learnt to see the bright spots."""
    torch.manual_seed(0)
    images, spot_n = images_with_spots()
    network = nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1),
    )  # fmt: skip
    optimiser = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(80):
        loss = nn.functional.binary_cross_entropy_with_logits(network(images)[:, 0], spot_n.float())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.2
    optimiser.zero_grad(set_to_none=True)
    return network


@pytest.mark.parametrize("method", METHODS)
def test_maps_change_when_the_weights_are_random(method: str, learnt: nn.Module) -> None:
    images = images_with_spots()[0][:8:2]

    def shown(network: nn.Module) -> Any:
        return explain(network, images, TASK, "bright", method, window=6).map_bhw

    plain = shown(learnt)
    assert likeness(plain, shown(learnt)) == pytest.approx(1)
    mean = [
        np.mean([likeness(plain, shown(randomised(learnt, count, seed))) for seed in range(6)]) for count in (1, 2, 3)
    ]
    assert mean[2] < 0.5, "all layers are random"
    if method == "eigen-cam":  # knows no class: what is above its layer does not matter
        assert mean[0] == pytest.approx(1)
    else:
        assert mean[0] < 0.9, "the last layer alone is random"


def test_a_detector_of_edges_fails_the_check(learnt: nn.Module) -> None:
    """What the check is there for: a picture that looks like a map, and does not ask the network."""
    images = images_with_spots()[0][:8:2].float().numpy()[:, 0]

    def edges(network: nn.Module) -> np.ndarray:
        return np.hypot(*np.gradient(images, axis=(1, 2)))

    assert likeness(edges(learnt), edges(randomised(learnt))) == pytest.approx(1)


def test_layers_become_random_from_the_answer_downwards(learnt: nn.Module) -> None:
    before = copy.deepcopy(learnt.state_dict())
    assert [name for name, _ in weighted_layers(learnt)] == ["0", "3", "7"]
    for upto, wanted in ((0, []), (1, ["7"]), ("3", ["3", "7"]), (None, ["0", "3", "7"]), (3, ["0", "3", "7"])):
        made = randomised(learnt, upto)  # type: ignore[arg-type]
        assert [
            name
            for name in ("0", "3", "7")
            if not torch.equal(made.state_dict()[f"{name}.weight"], before[f"{name}.weight"])
        ] == wanted
    assert all(torch.equal(value, before[name]) for name, value in learnt.state_dict().items())
    first, again, other = (randomised(learnt, seed=seed).state_dict()["0.weight"] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    with pytest.raises(UserError, match="no layer '5' with weights\n  -> Valid: 0, 3, 7"):
        randomised(learnt, "5")
