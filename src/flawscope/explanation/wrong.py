"""The heat map of reference system E, which is wrong: for comparison only.

It weights the maps of a convolution by the gradients of its *filters* instead of the gradients of the maps. The
gradient of a filter says how the answer would change if the filter were another one: it holds the layer's inputs and
is summed over all places, so it does not say what this image's maps have done for the answer. System E states no
more than that; here the mean over each filter's values is taken as the weight of its map, which is nearest to
Grad-CAM. It is worked out image by image, which is more than system E needs.

Letters: b images, c channels, h and w rows and columns.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from flawscope.errors import UserError
from flawscope.explanation.capture import captured, evaluating
from flawscope.explanation.layers import Layer
from flawscope.explanation.question import Question


def filters_of(layers: list[Layer], layer: Layer) -> Layer:
    """The last convolution up to a layer, whose filters' gradients are taken.

    Raises:
        UserError: there is none.
    """
    until = next(place for place, each in enumerate(layers) if each is layer)
    for each in reversed(layers[: until + 1]):
        if isinstance(each.module, nn.Conv2d) and each.grid is not None:
            return each
    raise UserError(f"up to layer {layer.name} there is no convolution", "filters are needed here")


def filter_gradients(
    network: nn.Module, layer: Layer, inputs: tuple[Tensor, ...], question: Question
) -> tuple[Tensor, Tensor]:
    """The maps of a convolution, b x c x h x w, and the mean gradient of each of its filters, b x c.

    No `.grad` is written, and whether the filters can learn is afterwards as it was.
    """
    weight = layer.module.weight
    assert isinstance(weight, nn.Parameter) and layer.grid is not None
    maps, slopes, learns = [], [], weight.requires_grad
    try:
        weight.requires_grad_(True)
        for row in range(len(inputs[0])):
            with evaluating(network), torch.enable_grad():
                logits = network(*(each[row : row + 1] for each in inputs))
                score_1 = question.score(logits, *question.repeated(row, 1))
                (slope,) = torch.autograd.grad(score_1.sum(), weight)
            slopes.append(slope.mean(dim=(1, 2, 3)))
            with evaluating(network), captured({layer.name: layer.module}) as found, torch.no_grad():
                network(*(each[row : row + 1] for each in inputs))
            maps.append(found[layer.name].detach())
    finally:
        weight.requires_grad_(learns)
    return torch.cat(maps), torch.stack(slopes)
