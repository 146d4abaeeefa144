"""Class activation maps: the maps of one layer, summed with a weight for each channel.

All are ours, a few lines each. grad-cam (pytorch_grad_cam 1.5.7) was tried on hand-computed networks: what its Grad-CAM
sums is right, but it writes `.grad` into the weights, fails where all of them are frozen, is changed by a ReLU in
place behind the layer, takes away the least value of a map before it is scaled, and swallows every IndexError. Its
Grad-CAM++ adds 1e-6 to squared gradients that are themselves as small behind an average pooling, its Eigen-CAM
centres the maps (the paper does not) and has the sign that the solver happens to give, and its Score-CAM blackens
pixels instead of setting the normalised image to 0. Its Grad-CAM is the independent reference of a test.

Letters: b images, c channels, h and w rows and columns of the layer's maps.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Weighting = Callable[[Tensor, Tensor], Tensor]
"""From the maps of a layer and the gradient of the score with respect to them, b x c x h x w each, to b x h x w."""


def grad_cam(map_bchw: Tensor, slope_bchw: Tensor) -> Tensor:
    """Selvaraju et al. 2017: each channel counts as much as the mean of its gradient says; what is negative is cut.

    >>> grad_cam(torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]]), torch.tensor([[[[2.0, 4.0]], [[-1.0, -1.0]]]])).tolist()
    [[[0.0, 6.0]]]
    """
    return functional.relu(_summed(map_bchw, slope_bchw.mean(dim=(2, 3))))


def grad_cam_plus_plus(map_bchw: Tensor, slope_bchw: Tensor) -> Tensor:
    """Chattopadhyay et al. 2018, equations 11 and 19, with the exponential as the last function.

    Each positive gradient g counts by 1 / (2 + g x sum of its channel). Maps are taken to be those behind a ReLU; of
    others only the positive part stands in that sum, as a negative one could make it 0.

    >>> grad_cam_plus_plus(torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[2.0, -4.0]]]])).tolist()
    [[[0.25, 0.5]]]
    """
    total_bc11 = map_bchw.relu().sum(dim=(2, 3), keepdim=True)
    positive_bchw = slope_bchw.relu()
    weight_bc = (positive_bchw / (2 + positive_bchw * total_bc11)).sum(dim=(2, 3))
    return functional.relu(_summed(map_bchw, weight_bc))


def eigen_cam(map_bchw: Tensor, slope_bchw: Tensor) -> Tensor:
    """Muhammad and Yeasin 2020: the maps along their first singular vector, whatever the class.

    A singular vector has no sign of its own: it is turned so that the sum of the map is positive.

    >>> eigen_cam(torch.tensor([[[[3.0, 0.0]], [[4.0, 0.0]]]]), torch.zeros(1, 2, 1, 2)).tolist()
    [[[5.0, 0.0]]]
    """
    place_bpc = map_bchw.flatten(2).transpose(1, 2)
    first_bc1 = torch.linalg.svd(place_bpc, full_matrices=False).Vh[:, 0, :, None]
    out_bhw = (place_bpc @ first_bc1)[..., 0].unflatten(1, map_bchw.shape[2:])
    return functional.relu(out_bhw * torch.where(out_bhw.sum(dim=(1, 2), keepdim=True) < 0, -1.0, 1.0))


def score_weighted(map_bchw: Tensor, score_bc: Tensor) -> Tensor:
    """Wang et al. 2020, algorithm 1: channels weighted by a softmax over the scores of the images that they mask.

    The score of the empty image, which the paper takes away first, is the same for all channels: the softmax does not
    see it.

    >>> score_weighted(torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]]), torch.tensor([[5.0, 5.0]])).tolist()
    [[[2.0, 1.0]]]
    """
    return functional.relu(_summed(map_bchw, score_bc.softmax(dim=1)))


def masks_of(map_bchw: Tensor, size: tuple[int, int]) -> Tensor:
    """Each channel as a mask of the image's size, from 0 to 1; a channel that is the same everywhere masks all.

    >>> masks_of(torch.tensor([[[[1.0, 3.0]], [[2.0, 2.0]]]]), (1, 2)).tolist()
    [[[[0.0, 1.0]], [[0.0, 0.0]]]]
    """
    large_bchw = functional.interpolate(map_bchw, size, mode="bilinear", align_corners=False)
    low, high = large_bchw.amin(dim=(2, 3), keepdim=True), large_bchw.amax(dim=(2, 3), keepdim=True)
    return (large_bchw - low) / torch.where(high > low, high - low, 1.0)


def _summed(map_bchw: Tensor, weight_bc: Tensor) -> Tensor:
    return torch.einsum("bchw,bc->bhw", map_bchw, weight_bc)
