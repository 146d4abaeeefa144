"""What a network says while pixels are taken away, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from flawscope.errors import UserError
from flawscope.explanation.removal import blurred, grey, probability_of
from flawscope.records import Task


class Logits(nn.Module):
    """The first pixels of a picture are its logits; what a table says is added to the first."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, images_bchw: Tensor, table_bm: Tensor | None = None) -> Tensor:
        logits = images_bchw[:, 0, 0, : self.k].clone()
        if table_bm is not None:
            logits[:, 0] += table_bm[:, 0]
        return logits


def picture(*first: float) -> np.ndarray:
    made = np.zeros((1, 1, 2, 3))
    made[0, 0, 0, : len(first)] = first
    return made


@pytest.mark.parametrize(
    ("task", "of", "logits", "expected"),
    [
        (Task("binary", ("scrap",), "good"), "scrap", (np.log(3),), 0.75),
        (Task("binary", ("scrap",), "good"), "good", (np.log(3),), 0.25),
        (Task("multilabel", ("a", "b")), "b", (9.0, np.log(4)), 0.8),
        (Task("multiclass", ("a", "b", "c")), "b", (0.0, np.log(2), 0.0), 0.5),
    ],
)
def test_the_probability_of_each_kind_of_task(task: Task, of: str, logits: tuple[float, ...], expected: float) -> None:
    network = Logits(len(task.classes)).train()
    many = np.repeat(picture(*logits), 70, axis=0)  # more than fit into one batch
    found = probability_of(network, task, of)(many)
    assert found.shape == (70,) and found == pytest.approx(expected)
    assert network.training, "as it was"
    with pytest.raises(UserError, match="no class 'd'"):
        probability_of(network, task, "d")(many)


def test_metadata_stays_beside_the_picture() -> None:
    score = probability_of(Logits(1), Task("binary", ("scrap",), "good"), "scrap", torch.tensor([[np.log(3.0)]]))
    assert score(np.repeat(picture(0.0), 3, axis=0)) == pytest.approx([0.75] * 3)


def test_what_stands_in_place_of_pixels() -> None:
    network: Any = nn.Identity()
    network.mean_1c11, network.highest = torch.full((1, 3, 1, 1), 0.5), 255
    assert grey(network, np.zeros((3, 4, 4), np.uint8)).ravel().tolist() == [127.5] * 3
    spot = np.zeros((1, 100, 100), np.uint8)
    spot[0, 48:52, 48:52] = 255
    soft = blurred(spot)
    assert soft.shape == spot.shape and soft.max() < 40
    assert soft.sum() == pytest.approx(float(spot.sum()), rel=1e-3), "the light stays"
