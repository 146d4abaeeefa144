"""Batch norm over the whole batch, where several processes hold a share of it each."""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
import torch.distributed as dist
from timm.layers.norm_act import BatchNormAct2d, convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from flawscope.training.processes import world


def join_batch_norms(network: nn.Module, *, gpu: bool) -> None:
    """Let the batch norms of a network take their statistics over all processes; nothing happens where there is one.

    On GPUs by torch's SyncBatchNorm, which runs nowhere else. Names, parameters and buffers stay the same.
    """
    if world() == 1:
        return
    if gpu:
        convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            setattr(module, "forward", MethodType(joint_forward, module))  # noqa: B010 (mypy: a method)


class _SumOfAll(torch.autograd.Function):
    """The sum over all processes; what flows back is summed as well, since each process's loss hangs on it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def joint_forward(norm: _BatchNorm, x: Tensor) -> Tensor:
    """As the norm's own forward, but in training mean and variance are those of all processes' images together.

    Ioffe & Szegedy 2015, with activation and dropout where timm's norms hold them. In two passes, as the difference of
    two large sums would lose digits.
    """
    if not norm.training:
        own: Tensor = type(norm).forward(norm, x)
        return own
    axes = [axis for axis in range(x.dim()) if axis != 1]
    shape = [1, -1] + [1] * (x.dim() - 2)
    wide = x.float()
    sums = torch.cat([wide.sum(axes), wide.new_tensor([x.numel() / x.shape[1]])])
    sums = _SumOfAll.apply(sums)
    count = float(sums[-1].detach())
    mean_c = sums[:-1] / count
    centred = wide - mean_c.view(shape)
    var_c = _SumOfAll.apply(centred.square().sum(axes)) / count
    _remember(norm, mean_c.detach(), var_c.detach() * count / max(1.0, count - 1))
    out: Tensor = centred * (var_c + norm.eps).rsqrt().view(shape)
    if norm.affine:
        out = out * norm.weight.view(shape) + norm.bias.view(shape)
    out = out.to(x.dtype)
    if isinstance(norm, BatchNormAct2d):
        out = norm.act(norm.drop(out))
    return out


def _remember(norm: _BatchNorm, mean_c: Tensor, var_c: Tensor) -> None:
    """Move the running statistics."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean_c, share)
    norm.running_var.lerp_(var_c, share)
