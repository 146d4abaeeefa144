"""The benchmark of variants that make masks: what it counts, and what a file of weights changes in a recipe."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import mask_variants
import reference_systems
from flawscope.models.views import VIEWS, laid_back, seen
from flawscope.training.recipe import load_recipe

ROOT = Path(__file__).parents[1]


class Level(torch.nn.Module):
    """A network whose only logit is its first channel less 1, moved one column to the right of it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x_bchw: torch.Tensor) -> torch.Tensor:
        return x_bchw[:, :1].float().roll(1, -1) - 1 + self.weight


def test_iou_at_the_best_threshold_and_of_flawed_images_alone() -> None:
    count_nkcl = np.zeros((2, 1, 2, mask_variants.STEPS))
    count_nkcl[0, 0, 1, [100, 200]] = 3, 6  # a flawed image: 9 true pixels, 3 of them weak
    count_nkcl[0, 0, 0, [0, 150]] = 90, 1
    count_nkcl[1, 0, 0, [0, 210]] = 97, 3  # a good one with 3 false pixels
    found = mask_variants.ious(count_nkcl)
    assert found["IoU"] == [round(9 / 13, 4)], "all 9 and 4 false ones beat 6 of 9 and 3 false ones"
    assert found["IoU of flawed images"] == [0.9]
    assert found["IoU at 0.5"] == [round(6 / 13, 4)], "6 of 9 true ones, and 4 false ones"


def test_views_are_laid_back() -> None:
    image_chw = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
    image_1chw = torch.from_numpy(image_chw)[None]
    for view in VIEWS["turns"]:
        assert torch.equal(laid_back(seen(image_1chw, view), view), image_1chw)
    plain, turned = mask_variants.maps_of(Level(), image_chw[:1], exclusive=False)
    assert plain.shape == turned.shape == (1, 3, 5)
    assert not np.allclose(plain, turned), "the network looks to the left, half of the views make it look to the right"


@pytest.mark.parametrize("name", ["steel", "magnetic-tile", "steel-faithful"])
def test_a_file_of_weights_is_for_both_networks_of_a_cascade(name: str, tmp_path: Path) -> None:
    weights = tmp_path / "mobilenetv2_100.safetensors"
    weights.touch()
    path = ROOT / "recipes" / f"{name}.yaml"
    changed = load_recipe(path, reference_systems.changes_for(load_recipe(path), str(weights)))
    assert changed.gate is not None
    assert (changed.gate.model.name, Path(changed.gate.model.weights)) == (reference_systems.BACKBONE, weights)
    assert changed.model.weights == ("none" if name == "steel-faithful" else str(weights))
