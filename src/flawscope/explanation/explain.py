"""One interface: a built network, images and a class in, a map of the image's size out.

Letters: b images, c channels, h and w rows and columns, m metadata columns.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from flawscope.errors import UserError, choices
from flawscope.explanation import cam, pixels, wrong
from flawscope.explanation.align import offset, shifted
from flawscope.explanation.capture import captured, evaluating, gradient
from flawscope.explanation.explained import FILTER_GRADIENTS, METHODS, SIGNED, UNITS, Explained
from flawscope.explanation.layers import chosen_layer, covered_by, layers_of
from flawscope.explanation.neutral import neutral
from flawscope.explanation.question import Question, ask
from flawscope.records import Task

__all__ = ["FILTER_GRADIENTS", "METHODS", "SIGNED", "UNITS", "Explained", "explain", "neutral"]
WEIGHTINGS: dict[str, cam.Weighting] = {
    "grad-cam": cam.grad_cam,
    "grad-cam++": cam.grad_cam_plus_plus,
    "eigen-cam": cam.eigen_cam,
}
STEPS = 16
"""Of integrated gradients. More of them change next to nothing."""
SMOOTH = 1 / 32
"""Of the longer side: the standard deviation of the Gaussian over integrated gradients. Single pixels of theirs are
noise; docs/pointing.md has what less and more of it does on the validation part of magnetic tiles."""
Progress = Callable[[int, int], None]


def explain(
    network: nn.Module,
    images_bchw: Tensor,
    task: Task,
    of: str | int | None = None,
    method: str = "grad-cam",
    *,
    layer: str | None = None,
    table_bm: Tensor | None = None,
    marked_bhw: Tensor | None = None,
    window: int | None = None,
    stride: int | None = None,
    smooth: float | None = None,
    aligned: bool = False,
    on_progress: Progress | None = None,
) -> Explained:
    """Show which places of images speak for a class. The network is as it was afterwards: mode, hooks, gradients.

    Args:
        network: takes integer images (`models.build.Network`), gives logits b x k, or b x k x h x w of masks.
        images_bchw: integers.
        task: names the classes.
        of: name or number of a class; None: of each image the answer with the highest score.
        method: one of `METHODS`, or `FILTER_GRADIENTS`, which is wrong.
        layer: whose maps are weighted (see `chosen_layer`); None: the last one before the head. Occlusion and
            integrated gradients use none.
        table_bm: metadata, where the network takes them.
        marked_bhw: of masks, the pixels whose class is explained; None: those that the network marks.
        window: side of the window of occlusion in pixels; None: an eighth of the longer side.
        stride: between its places; None: half the window.
        smooth: of integrated gradients, the standard deviation in pixels of the Gaussian that they are smoothed with,
            which keeps their sum; 0: none; None: a 32nd of the longer side.
        aligned: draw each place of a layer where it truly looks (see `align`): up to half a place beside.
        on_progress: is told how many passes of how many are done, by the methods that need many.

    Raises:
        UserError: an unknown class, method or layer, or the network gives no maps.

    >>> task = Task("binary", ("bright",), "dark")
    >>> network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> _ = nn.init.constant_(network[0].weight, 2.0)
    >>> made = explain(network, torch.tensor([[[[0.0, 1.0], [4.0, 0.0]]]]), task, "bright")
    >>> made.map_bhw.tolist(), made.names, made.layer
    ([[[0.0, 0.25], [1.0, 0.0]]], ('bright',), '0')
    """
    if method not in (*METHODS, FILTER_GRADIENTS):
        raise UserError(f"there is no method {method!r}", choices(method, METHODS))
    inputs = (images_bchw,) if table_bm is None else (images_bchw, table_bm)
    with evaluating(network):
        with torch.no_grad():
            logits = network(*inputs)
        question = ask(task, logits, of, marked_bhw)
        scores_b = question(logits)
        if method in SIGNED:
            name = ""
            raw_bhw = _by_pixels(
                network, inputs, question, method, window=window, stride=stride, smooth=smooth, on_progress=on_progress
            )
        else:
            raw_bhw, name = _by_layer(
                network, inputs, question, method, name=layer, aligned=aligned, on_progress=on_progress
            )
    largest_b = raw_bhw.abs().amax(dim=(1, 2))
    return Explained(
        (raw_bhw / torch.where(largest_b > 0, largest_b, 1.0)[:, None, None]).cpu().numpy(),
        largest_b.cpu().numpy(),
        UNITS[method],
        method in SIGNED,
        method,
        name,
        question.names,
        scores_b.cpu().numpy(),
    )


def _by_pixels(
    network: nn.Module,
    inputs: tuple[Tensor, ...],
    question: Question,
    method: str,
    *,
    window: int | None,
    stride: int | None,
    smooth: float | None,
    on_progress: Progress | None,
) -> Tensor:
    images_bchw, *table = inputs
    tables = len(table)
    side = window or max(2, round(max(images_bchw.shape[-2:]) / 8))
    step = stride or max(1, side // 2)
    passes = pixels.windows(images_bchw.shape[-2:], side, step) + 1 if method == "occlusion" else STEPS
    done = 0

    def forward(images: Tensor, *beside: Tensor) -> Tensor:
        nonlocal done
        done += len(images)
        if on_progress:
            on_progress(min(done, passes * len(images_bchw)), passes * len(images_bchw))
        return question.score(network(images, *beside[:tables]), *beside[tables:])

    given = (forward, images_bchw.float(), neutral(network, images_bchw), (*table, *question.parts))
    if method == "occlusion":
        return pixels.occlusion(*given, window=side, stride=step)
    deviation = SMOOTH * max(images_bchw.shape[-2:]) if smooth is None else smooth
    return pixels.smoothed(pixels.integrated_gradients(*given, steps=STEPS), deviation)


def _by_layer(
    network: nn.Module,
    inputs: tuple[Tensor, ...],
    question: Question,
    method: str,
    *,
    name: str | None,
    aligned: bool,
    on_progress: Progress | None,
) -> tuple[Tensor, str]:
    layers = layers_of(network, *inputs)
    layer = chosen_layer(network, layers, inputs, question, name)
    if method == FILTER_GRADIENTS:
        layer = wrong.filters_of(layers, layer)
        map_bchw, weight_bc = wrong.filter_gradients(network, layer, inputs, question)
        small_bhw = torch.einsum("bchw,bc->bhw", map_bchw, weight_bc).relu()
    else:
        with captured({layer.name: layer.module}) as found, torch.enable_grad():
            score_b = question(network(*inputs))
            slope = gradient(score_b, found[layer.name])
        assert layer.grid is not None
        map_bchw, slope_bchw = layer.grid.map_of(found[layer.name].detach()), layer.grid.map_of(slope)
        if method == "score-cam":
            score_bc = _scores(network, inputs, question, map_bchw, on_progress)
            small_bhw = cam.score_weighted(map_bchw, score_bc)
        else:
            small_bhw = WEIGHTINGS[method](map_bchw, slope_bchw)
    large_bhw = _enlarged(network, inputs[0], small_bhw)
    return shifted(large_bhw, offset(network, layer, inputs)) if aligned else large_bhw, layer.name


def _enlarged(network: nn.Module, images_bchw: Tensor, small_bhw: Tensor) -> Tensor:
    """A layer's map at the size of the image, bilinear; what covers padding is cut off again."""
    height, width = images_bchw.shape[-2:]
    size = covered_by(network, images_bchw)
    large_b1hw = functional.interpolate(small_bhw[:, None], size, mode="bilinear", align_corners=False)
    return large_b1hw[:, 0, :height, :width]


def _scores(
    network: nn.Module,
    inputs: tuple[Tensor, ...],
    question: Question,
    map_bchw: Tensor,
    on_progress: Progress | None,
) -> Tensor:
    """The score of each image when only what a channel shows is left of it, b x c; the rest is neutral."""
    images_bchw, *table = inputs
    height, width = images_bchw.shape[-2:]
    still_1c11 = neutral(network, images_bchw)
    rows, channels = [], map_bchw.shape[1]
    for row, image_chw in enumerate(images_bchw.float()):
        scores = []
        for start in range(0, channels, pixels.AT_ONCE):
            part_1nhw = map_bchw[row : row + 1, start : start + pixels.AT_ONCE]
            mask_nhw = cam.masks_of(part_1nhw, covered_by(network, images_bchw))[0, :, :height, :width]
            shown_nchw = still_1c11 + (image_chw - still_1c11) * mask_nhw[:, None]
            beside = [each[row : row + 1].expand(len(mask_nhw), -1) for each in table]
            with torch.no_grad():
                logits = network(shown_nchw, *beside)
            scores.append(question.score(logits, *question.repeated(row, len(mask_nhw))))
            if on_progress:
                on_progress(row * channels + start + len(mask_nhw), len(images_bchw) * channels)
        rows.append(torch.cat(scores))
    return torch.stack(rows)
