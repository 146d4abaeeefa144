"""Each method against a network whose maps are computed by hand; what must not change a map, and what must."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from flawscope.errors import UserError
from flawscope.explanation.explain import FILTER_GRADIENTS, METHODS, SIGNED, STEPS, explain
from flawscope.records import Task

TASK = Task("multiclass", ("a", "b"))
ALL = (*METHODS, FILTER_GRADIENTS)


def raw(made: Any) -> list[list[float]]:
    """A map in its own unit."""
    values: list[list[float]] = (made.map_bhw[0] * made.largest_b[0]).tolist()
    return values


def score_cam_by_hand() -> np.ndarray:
    """The image masked by x / 4 scores -1/16, masked by (3 - x) / 3 it scores -5/2: see `conftest`."""
    weight = 1 / (1 + math.exp(-5 / 2 + 1 / 16))
    return weight * np.array([[0, 1], [4, 0]]) + (1 - weight) * np.array([[3, 2], [0, 3]])


def eigen_cam_by_hand() -> np.ndarray:
    """Places x channels have the Gram matrix (17, 2; 2, 22), larger eigenvalue (39 + sqrt(41)) / 2."""
    larger = (39 + math.sqrt(41)) / 2
    first = np.array([2, larger - 17]) / math.hypot(2, larger - 17)
    return first[0] * np.array([[0, 1], [4, 0]]) + first[1] * np.array([[3, 2], [0, 3]])


BY_HAND = {
    # logit a = 2 mean(x) - mean(3 - x): gradients 2/4 and -1/4 at each place
    "grad-cam": [[0, 0], [2, 0]],
    # gradient 1/2 at four places, x adds up to 5: 4 (1/2) / (2 + 5/2) = 4/9; the other channel speaks against a
    "grad-cam++": [[0, 4 / 9], [16 / 9, 0]],
    "score-cam": score_cam_by_hand(),
    "eigen-cam": eigen_cam_by_hand(),
    # x = 4 set to 0: mean(x) loses 1 and mean(relu(3 - x)) gains 3/4; x = 1 set to 0: 1/4 and 1/4
    "occlusion": [[0, 3 / 4], [2 + 3 / 4, 0]],
    "integrated-gradients": [[0, 3 / 4], [2 + 3 / 4, 0]],
}


@pytest.mark.parametrize("method", METHODS)
def test_as_computed_by_hand(method: str, tiny: Any, image_bchw: Tensor) -> None:
    layer = None if method in SIGNED else "relu"
    made = explain(tiny, image_bchw, TASK, "a", method, layer=layer, window=1, stride=1)
    tolerance = 0.05 if method == "integrated-gradients" else 1e-5  # the ReLU bends on the way
    np.testing.assert_allclose(raw(made), BY_HAND[method], atol=tolerance)
    assert made.map_bhw.max() == 1
    assert (made.names, made.scores_b.tolist(), made.signed) == (("a",), [0.5], method in SIGNED)
    assert made.layer == ("" if method in SIGNED else "relu")


def test_the_wrong_weights_of_system_e_as_computed_by_hand(tiny: Any, image_bchw: Tensor) -> None:
    # Gradient of a filter: the mean of x over the places, where the ReLU behind it lets through, times the weight of
    # the logit: 2 x 5/4 and -1 x 1/4. The maps are x and 3 - x, before the ReLU.
    made = explain(tiny, image_bchw, TASK, "a", FILTER_GRADIENTS)
    by_hand = np.maximum(2.5 * np.array([[0, 1], [4, 0]]) - 0.25 * np.array([[3, 2], [-1, 3]]), 0)
    np.testing.assert_allclose(raw(made), by_hand, atol=1e-6)
    assert made.layer == "conv"


def test_grad_cam_is_that_of_an_independent_library(image_bchw: Tensor) -> None:
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU())
    network.extend([nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(72, 2)])
    images = torch.rand(2, 1, 12, 9)
    ours = explain(network, images, TASK, "b", layer="3")
    with GradCAM(network, [network[3]]) as library:
        theirs = library(images, [ClassifierOutputTarget(1)] * 2)
    low = ours.map_bhw.min(axis=(1, 2), keepdims=True)  # which it takes away from each map
    np.testing.assert_allclose((ours.map_bhw - low) / (1 - low), theirs, atol=1e-4)


@pytest.mark.parametrize("method", ALL)
def test_a_batch_is_explained_as_its_images_one_by_one_and_leaves_no_trace(
    method: str, tiny: Any, traces: Callable[[nn.Module], Any]
) -> None:
    images = torch.randint(0, 8, (3, 1, 5, 4), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    tiny.train()
    before = traces(tiny)
    together = explain(tiny, images, TASK, None, method, window=2)
    assert traces(tiny) == before
    assert together.map_bhw.shape == (3, 5, 4)
    for row in range(3):
        alone = explain(tiny, images[row : row + 1], TASK, None, method, window=2)
        np.testing.assert_allclose(together.map_bhw[row], alone.map_bhw[0], atol=1e-5)
        assert together.names[row] == alone.names[0]


@pytest.mark.parametrize("method", ALL)
def test_what_is_mirrored_is_explained_mirrored(method: str, tiny: Any) -> None:
    images = torch.randint(0, 8, (1, 1, 6, 6), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    plain, mirrored = (explain(tiny, each, TASK, "a", method, window=2, stride=2) for each in (images, images.flip(3)))
    np.testing.assert_allclose(mirrored.map_bhw[:, :, ::-1], plain.map_bhw, atol=1e-5)


@pytest.mark.parametrize("method", ALL)
def test_neither_a_bias_of_the_answer_nor_its_scale_changes_the_map(method: str, tiny: Any, image_bchw: Tensor) -> None:
    other = copy.deepcopy(tiny)
    other.fc.bias = nn.Parameter(torch.tensor([7.0, -3.0]))
    plain, biased = (explain(each, image_bchw, TASK, "a", method, window=1) for each in (tiny, other))
    np.testing.assert_allclose(biased.map_bhw, plain.map_bhw, atol=1e-5)
    if method in ("grad-cam", "eigen-cam", *SIGNED):  # the others are no linear functions of the answer
        with torch.no_grad():
            other.fc.weight *= 3
        np.testing.assert_allclose(
            explain(other, image_bchw, TASK, "a", method, window=1).map_bhw, plain.map_bhw, atol=1e-5
        )


def test_the_other_answer_of_a_binary_task_is_the_map_with_its_sign_turned(tiny: Any, image_bchw: Tensor) -> None:
    tiny.fc = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        tiny.fc.weight.copy_(torch.tensor([[2.0, -1.0]]))
    task = Task("binary", ("scrap",), "good")
    scrap, good = (explain(tiny, image_bchw, task, of, "occlusion", window=1) for of in ("scrap", "good"))
    np.testing.assert_allclose(good.map_bhw, -scrap.map_bhw)
    assert (scrap.scores_b.tolist(), good.scores_b.tolist()) == ([0.5], [-0.5])
    predicted = explain(tiny, image_bchw, task)
    assert predicted.names == ("scrap",)
    np.testing.assert_allclose(raw(explain(tiny, image_bchw, task, "good")), [[0.75, 0], [0, 0.75]])


def test_where_nothing_speaks_for_a_class_the_map_is_empty(tiny: Any) -> None:
    made = explain(tiny, torch.full((1, 1, 2, 2), 9, dtype=torch.uint8), TASK, "b")
    assert (made.map_bhw.tolist(), made.largest_b.tolist()) == ([[[0, 0], [0, 0]]], [0])


def test_integrated_gradients_add_up_to_the_score(tiny: Any) -> None:
    images = torch.randint(0, 8, (2, 1, 5, 4), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    made = explain(tiny, images, TASK, "b", "integrated-gradients")
    total_b = (made.map_bhw * made.largest_b[:, None, None]).sum(axis=(1, 2))
    empty = float(tiny(torch.zeros(1, 1, 5, 4))[0, 1].detach())
    np.testing.assert_allclose(total_b, made.scores_b - empty, rtol=0.02)


def test_integrated_gradients_are_smoothed_and_keep_their_sum(tiny: Any) -> None:
    images = torch.randint(0, 8, (2, 1, 9, 64), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    plain, smooth, default = (
        (made.map_bhw * made.largest_b[:, None, None]).astype(np.float64)
        for made in (explain(tiny, images, TASK, "b", "integrated-gradients", smooth=by) for by in (0, 2.0, None))
    )
    np.testing.assert_allclose(smooth, [gaussian_filter(each, 2.0) for each in plain], atol=1e-5)
    np.testing.assert_allclose(default, smooth, err_msg="a 32nd of 64 pixels")
    np.testing.assert_allclose(smooth.sum(axis=(1, 2)), plain.sum(axis=(1, 2)), rtol=1e-4)
    assert np.ptp(smooth) < np.ptp(plain)


@pytest.mark.parametrize("method", ["score-cam", "occlusion", "integrated-gradients"])
def test_methods_of_many_passes_tell_how_far_they_are(method: str, tiny: Any) -> None:
    images = torch.randint(0, 8, (3, 1, 9, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    told: list[tuple[int, int]] = []
    explain(tiny, images, TASK, "a", method, window=3, stride=2, on_progress=lambda *each: told.append(each))
    assert len({total for _, total in told}) == 1 and told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted({done for done, _ in told}) and len(told) >= 2
    # Occlusion: 4 x 4 windows (the last column is cut), and the picture itself.
    wanted = {"score-cam": 3 * 2, "occlusion": 3 * 17, "integrated-gradients": 3 * STEPS}
    assert told[-1][1] == wanted[method]


class Drawing(nn.Module):
    """Masks: logit a is x - 2, logit b is 2 - x."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(1, 1, 1, bias=False), nn.Conv2d(1, 2, 1)
        with torch.no_grad():
            self.conv.weight.fill_(1.0)
            self.last.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
            self.last.bias.copy_(torch.tensor([-2.0, 2.0]))  # type: ignore[union-attr]

    def forward(self, inputs_bchw: Tensor) -> Tensor:
        out: Tensor = self.last(self.conv(inputs_bchw.float()))
        return out


def test_masks_are_explained_by_the_mean_over_the_pixels_of_a_class(image_bchw: Tensor) -> None:
    task = Task("multilabel", ("a", "b"), pixels="multilabel")
    made = explain(Drawing(), image_bchw, task, "a", "occlusion", window=1)
    assert made.scores_b.tolist() == [2.0]  # one pixel is marked: 4 - 2
    assert raw(made) == [[0, 0], [4, 0]]  # and it alone counts
    made = explain(Drawing(), image_bchw, task, "a", "occlusion", window=1, marked_bhw=torch.ones(1, 2, 2))
    assert raw(made) == [[0, 0.25], [1, 0]]
    by_layer = explain(Drawing(), image_bchw, task, "a")
    assert (by_layer.layer, by_layer.names) == ("conv", ("a",))
    assert raw(by_layer) == [[0, 0.25], [1, 0]]  # gradient 1 at one of four places
    exclusive = Task("multilabel", ("flaw",), pixels="multiclass")  # the first column is the background
    made = explain(Drawing(), image_bchw, exclusive, None, "occlusion", window=1)
    assert (made.names, made.scores_b.tolist()) == (("flaw",), [pytest.approx(5 / 3)])  # 2, 1 and 2 are marked


def test_unknown_names_are_told_with_the_list_and_the_nearest(tiny: Any, image_bchw: Tensor) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"of": "c"}, "there is no class 'c'\n  -> Valid: a, b"),
        ({"of": 2}, r"no class number 2\n  -> Valid: 0 \(a\), 1 \(b\)"),
        ({"of": "-1"}, "there is no class '-1'"),
        ({"method": "gradcam"}, "no method 'gradcam'\n  -> did you mean 'grad-cam'"),
        ({"layer": "konv"}, "no layer 'konv'\n  -> did you mean 'conv'[?] Valid: conv, relu$"),
        ({"layer": "fc"}, r"layer fc gives no map of places \(2\)\n  -> Valid: conv, relu$"),
    ]
    for given, words in cases:
        with pytest.raises(UserError, match=words):
            explain(tiny, image_bchw, TASK, **given)
    assert explain(tiny, image_bchw, TASK, "1").names == ("b",)
    with pytest.raises(UserError, match="Valid: good, scrap"):
        explain(tiny, image_bchw, Task("binary", ("scrap",), "good"), "ok")


def test_a_network_without_maps_is_told_what_to_use(image_bchw: Tensor) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(UserError, match=r"no layer before its head.*\n.*occlusion"):
        explain(network, image_bchw.float(), TASK, "a")
    assert explain(network, image_bchw.float(), TASK, "a", "occlusion", window=1).map_bhw.shape == (1, 2, 2)
